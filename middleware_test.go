package oauthlogin_test

import (
	"net/http"
	"testing"
)

func TestLogin(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser(t)

	if resp := b.get("/dashboard"); resp.StatusCode != http.StatusFound || resp.location() != "/login?return_to=%2Fdashboard" {
		t.Fatalf("GET /dashboard: %d to %q", resp.StatusCode, resp.location())
	}
	b.login("/dashboard?q=a%20b&u=http%3A%2F%2Fx")
	if resp := b.get("/"); resp.body != "home of alice" {
		t.Errorf("GET /: %s", resp.body)
	}
	out := b.post("/logout", nil)
	if out.StatusCode != http.StatusSeeOther {
		t.Errorf("POST /logout: %d", out.StatusCode)
	}
	if resp := b.follow(out.location()); resp.Request.URL.String() != a.URL+"/" || resp.body != "home of nobody" {
		t.Errorf("the logout led to %s: %s", resp.Request.URL, resp.body)
	}
	if b.signedIn() || len(b.cookies()) > 0 {
		t.Errorf("after logout: %v", b.cookies())
	}
}
