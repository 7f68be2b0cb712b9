package main

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// users are those of the tests. Their groups decide who may see /admin.
var users = []oauthlogintest.User{
	{Subject: "alice", Name: "Alice Archer", Claims: map[string]any{"groups": []string{"admin", "staff"}}},
	{Subject: "bob", Name: "Bob Baker", Claims: map[string]any{"groups": []string{"admin"}}},
	{Subject: "carol", Name: "Carol Carpenter", Claims: map[string]any{"groups": []string{"staff"}}},
}

func runApp(t *testing.T, around func(http.Handler) http.Handler) *oauthlogintest.Site {
	t.Helper()
	return oauthlogintest.Run(t, oauthlogintest.Config{Users: users}, func(base string, p *oauthlogintest.Provider) http.Handler {
		app, err := newApp("a key of 32 bytes or more for tests", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return around(app)
	})
}

func alone(app http.Handler) http.Handler { return app }

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
	b := runApp(t, alone).Browser()
	want(t, b.Navigate("/"), 200, "/", "Welcome</h1>", `href="/login?return_to=/my/dashboard"`)
	want(t, b.Navigate("/nothing-here"), 404, "/nothing-here")
	b.Navigate("/my/dashboard?tab=2")
	want(t, b.SignIn("alice"), 200, "/my/dashboard?tab=2", "<strong>Alice Archer</strong>")
	want(t, b.Navigate("/"), 200, "/", "<strong>Alice Archer</strong>", `<form method="post" action="/logout">`)
	want(t, b.PostForm("/logout", nil), 200, "/", "Sign in</a>")
	want(t, b.Fetch("/my/dashboard"), 401, "/my/dashboard")
}

// The middleware's response is the whole response to a refused request, and no handler runs.
func TestRefused(t *testing.T) {
	site := runApp(t, alone)
	visitor := site.Browser()
	for range 3 {
		resp := visitor.Fetch("/my/dashboard")
		want(t, resp, 401, "/my/dashboard", `"unauthenticated"`)
		if strings.Contains(resp.Body, "Dashboard") {
			t.Errorf("a refused request gets the page: %s", resp.Body)
		}
		if page := visitor.Navigate("/my/dashboard"); !strings.HasPrefix(page.URL, site.Provider.Issuer()) {
			t.Errorf("a visitor is led to %s", page.URL)
		}
	}
	want(t, site.SignIn("alice").Navigate("/my/dashboard"), 200, "/my/dashboard", "Dashboard, request 1</h1>")
}

func TestAdmin(t *testing.T) {
	site := runApp(t, alone)
	want(t, site.SignIn("bob").Navigate("/admin"), 200, "/admin", "Administration</h1>", "Bob Baker")
	refused := site.SignIn("carol").Navigate("/admin")
	want(t, refused, 403, "/admin", "another account")
	if strings.Contains(refused.Body, "Administration") {
		t.Errorf("carol sees the page: %s", refused.Body)
	}
}

// Events reach the browser one by one.
func TestCountdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flushes atomic.Int64
		site := runApp(t, func(app http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				app.ServeHTTP(flushCounter{w, &flushes}, r)
			})
		})
		alice := site.SignIn("alice")
		before, begin := flushes.Load(), time.Now()
		want(t, alice.Fetch("/my/countdown"), 200, "/my/countdown", "data: Alice Archer: 3\n\n", "data: Alice Archer: 1\n\n")
		if n, took := flushes.Load()-before, time.Since(begin); n != 3 || took != 3*time.Second {
			t.Errorf("%d flushes within %v", n, took)
		}
	})
}

type flushCounter struct {
	http.ResponseWriter
	flushes *atomic.Int64
}

func (w flushCounter) Flush() {
	w.flushes.Add(1)
	w.ResponseWriter.(http.Flusher).Flush()
}

// echo's log has the pages, and not the callback with the authorization code.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		before := slog.Default()
		defer slog.SetDefault(before)
		slog.SetDefault(slog.New(slog.NewTextHandler(&lines, nil)))
		site := runApp(t, alone)
		site.SignIn("alice").Navigate("/my/dashboard")
		synctest.Wait() // the line is written after the response
		if got := lines.String(); !strings.Contains(got, "/my/dashboard") || strings.Contains(got, "code=") {
			t.Errorf("logged:\n%s", got)
		}
	})
}
