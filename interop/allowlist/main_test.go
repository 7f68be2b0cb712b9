package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func runApp(t *testing.T) *oauthlogintest.Site {
	return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		p.SetUser(oauthlogintest.User{Subject: "ann", Email: "ann@example.com", EmailVerified: true, Claims: map[string]any{"groups": []string{"admin"}}})
		app, err := newApp("a key of 32 bytes or more for tests", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return app
	})
}

func TestPages(t *testing.T) {
	site := runApp(t)
	for _, tt := range []struct {
		name, path string
		browser    *oauthlogintest.Browser
		status     int
		text       string
	}{
		{"the public page", "/", site.Browser(), 200, "Sign in"},
		{"JSON without a session", "/api/me", site.Browser(), 401, "unauthenticated"},
		{"the dashboard", "/dashboard", site.SignIn("alice"), 200, "Hello, Alice"},
		{"JSON", "/api/me", site.SignIn("alice"), 200, `"email":"alice@example.com"`},
		{"the page of administrators", "/admin", site.SignIn("ann"), 200, "Administration"},
		{"that page for others", "/admin", site.SignIn("alice"), 403, "forbidden"},
		{"the session", "/session", site.SignIn("alice"), 200, `"signed_in":true`},
	} {
		if resp := tt.browser.Fetch(tt.path); resp.Status != tt.status || !strings.Contains(resp.Body, tt.text) {
			t.Errorf("%s: %d: %s", tt.name, resp.Status, resp.Body)
		}
	}
}

func TestLoginComesBack(t *testing.T) {
	b := runApp(t).Browser()
	b.Navigate("/dashboard?tab=2")
	if resp := b.SignIn("bob"); !strings.HasSuffix(resp.URL, "/dashboard?tab=2") {
		t.Errorf("the login leads to %s", resp.URL)
	}
}

func TestLogout(t *testing.T) {
	alice := runApp(t).SignIn("alice")
	alice.PostForm("/logout", nil)
	if resp := alice.Fetch("/api/me"); resp.Status != 401 {
		t.Errorf("after the logout: %d", resp.Status)
	}
}

func TestAllowList(t *testing.T) {
	site := runApp(t)
	site.Provider.SetUser(oauthlogintest.User{Subject: "eve", Email: "eve@example.org", EmailVerified: true})
	site.Provider.AutoApprove("eve")
	if resp := site.Browser().Navigate("/login"); resp.Status != 403 {
		t.Errorf("%d: %s", resp.Status, resp.Body)
	}
}
