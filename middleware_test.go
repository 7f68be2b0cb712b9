package oauthlogin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// The package in one tour: a page that is guarded, a login that leads back to
// it, and a logout.
func TestLogin(t *testing.T) {
	a := apptest.NewTLS(t, apptest.Config{})
	b := a.Browser(t)

	if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusFound || resp.Location() != "/login?return_to=%2Fdashboard" {
		t.Fatalf("GET /dashboard: %d to %q", resp.StatusCode, resp.Location())
	}
	b.Login("/dashboard?q=a%20b&u=http%3A%2F%2Fx")
	if resp := b.Get("/"); resp.Text != "home of alice" {
		t.Errorf("GET /: %s", resp.Text)
	}
	out := b.Post("/logout", nil)
	if out.StatusCode != http.StatusSeeOther {
		t.Errorf("POST /logout: %d", out.StatusCode)
	}
	if resp := b.Follow(out.Location()); resp.Request.URL.String() != a.URL+"/" || resp.Text != "home of nobody" {
		t.Errorf("the logout led to %s: %s", resp.Request.URL, resp.Text)
	}
	if b.SignedIn() || len(b.Cookies()) > 0 {
		t.Errorf("after logout: %v", b.Cookies())
	}
}

// Handler serves the package's own paths and gives everything else to the
// application, with the session if there is one.
func TestHandler(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	out, in := a.Browser(t), a.Browser(t)
	in.Login("/dashboard")
	for _, test := range []struct {
		method, path string
		status       int
		text         string // of the application
	}{
		{http.MethodGet, "/login", http.StatusSeeOther, ""},
		{http.MethodGet, "/auth/callback", http.StatusBadRequest, ""},
		{http.MethodGet, "/logout", http.StatusMethodNotAllowed, ""},
		{http.MethodGet, "/", http.StatusOK, "home of nobody"},
		{http.MethodPost, "/?state=x", http.StatusOK, "home of nobody"},
		{http.MethodGet, "/?state=x", http.StatusOK, "home of nobody"},
		{http.MethodGet, "/login/help", http.StatusOK, "home of nobody"},
		{http.MethodGet, "/LOGIN", http.StatusOK, "home of nobody"},
		{http.MethodGet, "/auth/callback/", http.StatusOK, "home of nobody"},
	} {
		resp := out.Do(out.Request(test.method, test.path, nil))
		if resp.StatusCode != test.status || test.text != "" && resp.Text != test.text {
			t.Errorf("%s %s: %d %s", test.method, test.path, resp.StatusCode, resp.Text)
		}
		if ran := a.Called(test.path) > 0; test.text == "" && ran {
			t.Errorf("%s %s reached the application", test.method, test.path)
		}
	}
	if resp := out.Get("/"); len(resp.Header["Vary"])+len(resp.Header["Cache-Control"]) > 0 {
		t.Errorf("without a session: %v", resp.Header)
	}
	if resp := in.Get("/"); resp.Text != "home of alice" || resp.Header.Get("Cache-Control") != "private" || resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("with a session: %s %v", resp.Text, resp.Header)
	}
}

// The log says at start where the package serves.
func TestPathsAreLoggedAtStart(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.LoginPath, o.LogoutPath = "/in", "/out" }})
	for _, want := range []string{"level=DEBUG", "login_path=/in", "logout_path=/out", "https://app.test/auth/callback"} {
		if !strings.Contains(a.Log.String(), want) {
			t.Errorf("%s is not in %s", want, a.Log)
		}
	}
}
