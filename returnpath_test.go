package oauthlogin_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// RFC 9700 section 4.11: through a whole login, and out of a logout.
func TestReturnPath(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	// The redirect, as it is: no client's parser between it and the test.
	loginLeadsTo := func(t *testing.T, path string) string {
		resp := b.Get(b.CallbackURL("/login?return_to=" + url.QueryEscape(path)))
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("callback: %d %s", resp.StatusCode, resp.Text)
		}
		return resp.Location()
	}
	logoutLeadsTo := func(t *testing.T, path string) string {
		w := a.Serve(http.MethodPost, "/logout?return_to="+url.QueryEscape(path))
		if w.Code != http.StatusSeeOther {
			t.Fatalf("logout: %d", w.Code)
		}
		return w.Header().Get("Location")
	}
	for _, path := range apptest.OrdinaryPaths {
		if got := loginLeadsTo(t, path); got != path {
			t.Errorf("login for %q leads to %q", path, got)
		}
		if got := logoutLeadsTo(t, path); got != path {
			t.Errorf("logout for %q leads to %q", path, got)
		}
	}
	for _, test := range apptest.HostilePaths {
		t.Run(test.Name, func(t *testing.T) {
			if got := loginLeadsTo(t, test.Path); got != "/" {
				t.Errorf("login for %q leads to %q", test.Path, got)
			}
			if got := logoutLeadsTo(t, test.Path); got != "/" {
				t.Errorf("logout for %q leads to %q", test.Path, got)
			}
		})
	}
	t.Run("two of them", func(t *testing.T) {
		resp := b.Get(b.CallbackURL("/login?return_to=%2Fa&return_to=%2Fb"))
		if resp.Location() != "/" {
			t.Errorf("login leads to %q", resp.Location())
		}
	})
}

// What the gate stores is the path and query that was asked for, and it is
// restored byte for byte.
func TestGateReturnsToWhatWasAsked(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	gate := a.Auth.RequireAuth(http.NotFoundHandler())
	for _, path := range apptest.OrdinaryPaths {
		if strings.Contains(path, "#") {
			continue // which browsers keep to themselves
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL, r.RequestURI = u, path
		gate.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != "/login?return_to="+url.QueryEscape(path) {
			t.Errorf("%s: %d to %q", path, w.Code, got)
		}
	}
}

// CVE-2022-24794 of express-openid-connect, CVE-2026-41059 of oauth2-proxy: a
// request target is any text, and the gate wraps routers that would clean it.
func TestOddRequestTargets(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	server := httptest.NewServer(a.Auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the handler ran for %q", r.RequestURI)
	})))
	t.Cleanup(server.Close)

	for _, test := range []struct {
		target   string
		returnTo string // "": no redirect to the login
	}{
		{"//evil.com/x", "/"},
		{"///evil.com/x", "/"},
		{`/\evil.com`, "/"},
		{`/x/..\..\evil.com`, "/"},
		{"http://evil.com/x", "/x"},
		{"http://evil.com//evil.com/x", "/"},
		{"http://evil.com", "/"},
		{"https://user@evil.com/x?y", "/x?y"},
		{"http:evil.com", "/"},
		{"javascript:alert(1)", "/"},
		{"evil.com", ""},
		{"?x", ""},
		{"*", "/"},
		{"/admin#/public", "/admin#/public"},
		{"/admin%23/public", "/admin%23/public"},
		{"/admin?x=/public", "/admin?x=/public"},
		{"/admin;/../public", "/admin;/../public"},
		{"/public/../admin", "/public/../admin"},
		{"/public/%2e%2e/admin", "/public/%2e%2e/admin"},
		{"/%09/evil.com", "/%09/evil.com"},
		{"/%5cevil.com", "/"},
		{"//login", "/"},
		{"/./login", "/"},
		{"/login/", "/"},
		{"/logout/", "/"},
		{"/auth/callback/", "/"},
		{"/LOGIN", "/LOGIN"},
		{"/\xff", "/"},
		{"/a\x0bb", ""},
	} {
		t.Run(fmt.Sprintf("%q", test.target), func(t *testing.T) {
			t.Parallel()
			resp := sendTarget(t, server.Listener.Addr().String(), http.MethodGet, test.target)
			location := resp.Header.Get("Location")
			switch {
			case resp.Header.Get("Set-Cookie") != "":
				t.Errorf("cookies %v", resp.Cookies())
			case test.returnTo == "" && (resp.StatusCode != http.StatusBadRequest || location != ""):
				t.Errorf("%d to %q", resp.StatusCode, location)
			case test.returnTo != "" && (resp.StatusCode != http.StatusFound || location != "/login?return_to="+url.QueryEscape(test.returnTo)):
				t.Errorf("%d to %q; want to return to %q", resp.StatusCode, location, test.returnTo)
			}
		})
	}
	for _, method := range []string{http.MethodConnect, http.MethodOptions, http.MethodTrace, "GET\t", "get", "X"} {
		if resp := sendTarget(t, server.Listener.Addr().String(), method, "/admin"); resp.StatusCode < 400 {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

// sendTarget sends a request line as it is, which net/http's client would
// not.
func sendTarget(t *testing.T, addr, method, target string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n", method, target)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// A path that the login page was moved to is guarded as the default is.
func TestReturnPathGuardsConfiguredPaths(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		o.LoginPath, o.LogoutPath = "/account/sign-in", "/account/sign-out/"
		second := apptest.PlainProvider("two", "https://app.test/auth/callback/two")
		second.Identify = func(context.Context, *http.Client) (oauthlogin.User, error) { return oauthlogin.User{}, nil }
		o.Providers = append(o.Providers, second)
	}})
	b := a.Browser(t)
	for path, want := range map[string]string{
		"/account/sign-in": "/", "/account/sign-in/": "/", "/account//sign-in?x": "/", "/account/sign-out": "/", "/account/sign-out/": "/",
		"/auth/callback": "/", "/auth/callback/two": "/", "/auth/callback/two/": "/",
		"/login": "/login", "/account": "/account", "/auth/callback/three": "/auth/callback/three",
	} {
		resp := b.Get(b.CallbackURL("/account/sign-in?provider=test&return_to=" + url.QueryEscape(path)))
		if resp.Location() != want {
			t.Errorf("login for %q leads to %q", path, resp.Location())
		}
	}
}
