package main

import (
	"log"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// users are those of the tests. Their groups decide who may see /admin.
var users = []oauthlogintest.User{
	{Subject: "alice", Name: "Alice Archer", Claims: map[string]any{"groups": []string{"admin", "staff"}}},
	{Subject: "bob", Name: "Bob Baker", Claims: map[string]any{"groups": []string{"admin"}}},
	{Subject: "carol", Name: "Carol Carpenter", Claims: map[string]any{"groups": []string{"staff"}}},
}

func runApp(t *testing.T) *oauthlogintest.Site {
	t.Helper()
	log.SetOutput(t.Output())
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	return oauthlogintest.Run(t, oauthlogintest.Config{Users: users}, func(base string, p *oauthlogintest.Provider) http.Handler {
		app, err := newApp("a key of 32 bytes or more for tests", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return app
	})
}

// want fails the test unless a response is of this path, has the status and contains the texts.
func want(t *testing.T, resp *oauthlogintest.Response, status int, path string, texts ...string) {
	t.Helper()
	if resp.Status != status || resp.URL != "https://app.test"+path {
		t.Fatalf("at %s with status %d; want %s with status %d:\n%s", resp.URL, resp.Status, path, status, resp.Body)
	}
	for _, text := range texts {
		if !strings.Contains(resp.Body, text) {
			t.Errorf("%s does not contain %q:\n%s", resp.URL, text, resp.Body)
		}
	}
}

func TestPages(t *testing.T) {
	site := runApp(t)
	visitor := site.Browser()
	want(t, visitor.Navigate("/"), 200, "/", "Welcome</h1>", `href="/login?return_to=/dashboard"`)
}

// Each protected page leads a visitor to the login and back to the whole path.
func TestLoginComesBack(t *testing.T) {
	site := runApp(t)
	for path, title := range map[string]string{
		"/dashboard": "Dashboard", "/orders/7?tab=2": "Order 7", "/account/settings": "Settings", "/admin": "Administration",
	} {
		b := site.Browser()
		want(t, b.Fetch(path), 401, path, `"unauthenticated"`)
		b.Navigate(path)
		want(t, b.SignIn("alice"), 200, path, title+"</h1>", "<strong>Alice Archer</strong>")
		want(t, b.Navigate("/"), 200, "/", "Welcome back</h1>", "<strong>Alice Archer</strong>")
	}
}

func TestAdmin(t *testing.T) {
	site := runApp(t)
	want(t, site.SignIn("bob").Navigate("/admin"), 200, "/admin", "Administration</h1>")
	carol := site.SignIn("carol")
	want(t, carol.Navigate("/dashboard"), 200, "/dashboard", "Carol Carpenter")
	want(t, carol.Navigate("/admin"), 403, "/admin", "another account")
	want(t, carol.Fetch("/admin/nothing-here"), 403, "/admin/nothing-here", `"forbidden"`)
	want(t, site.Browser().Navigate("/nothing-here"), 404, "/nothing-here")
}

func TestLogout(t *testing.T) {
	alice := runApp(t).SignIn("alice")
	want(t, alice.Navigate("/dashboard"), 200, "/dashboard", `<form method="post" action="/logout">`)
	want(t, alice.PostForm("/logout", nil), 200, "/", "Welcome</h1>")
	want(t, alice.Fetch("/dashboard"), 401, "/dashboard")
}

// The router's log has the pages, and not the callback with the authorization code.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		site := runApp(t)
		log.SetOutput(&lines)
		site.SignIn("alice").Navigate("/orders/7")
		synctest.Wait() // the line is written after the response
		if got := lines.String(); !strings.Contains(got, "/orders/7") || strings.Contains(got, "code=") {
			t.Errorf("logged:\n%s", got)
		}
	})
}
