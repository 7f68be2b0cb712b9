package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Logins, a refusal, calls to the provider and the Coordinator's round trips are counted, and
// no user is named.
func TestMetrics(t *testing.T) {
	t.Parallel()
	var metrics http.Handler
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		app, m, err := newApp("a key of 32 bytes or more for tests", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		metrics = m
		return app
	})
	text := func() string {
		w := httptest.NewRecorder()
		metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
	if before := text(); strings.Contains(before, "oauthlogin_login_duration_seconds_count") {
		t.Errorf("there is a login before the first one:\n%s", before)
	}

	b := site.Browser()
	b.Navigate("/")
	if page := b.SignIn("carol"); page.Status != http.StatusOK || !strings.Contains(page.Body, "Dashboard</h1>") {
		t.Fatalf("after the login: %d\n%s", page.Status, page.Body)
	}
	if page := b.Navigate("/admin"); page.Status != http.StatusForbidden {
		t.Errorf("/admin: %d, want 403", page.Status)
	}

	got := text()
	for _, series := range []string{
		`oauthlogin_event="login"`,
		"oauthlogin_login_duration_seconds_count{",
		"http_client_request_duration_seconds_count{",
		"oauthlogin_coordinator_operation_duration_seconds_count{",
	} {
		if !strings.Contains(got, series) {
			t.Errorf("no %s in\n%s", series, got)
		}
	}
	if strings.Contains(got, "carol") {
		t.Errorf("the metrics name a user:\n%s", got)
	}
}
