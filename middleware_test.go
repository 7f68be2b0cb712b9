package oauthlogin_test

import (
	"net/http"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

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
