package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// runApp serves the application as env configures it, or, without env, with the users
// of the demo.
func runApp(t testing.TB, env map[string]string) *oauthlogintest.Site {
	t.Helper()
	return oauthlogintest.Run(t, oauthlogintest.Config{Users: demoUsers()}, func(base string, p *oauthlogintest.Provider) http.Handler {
		login := p.Registration(base)
		login.Name = "demo"
		providers := []provider{{login: login, userInfoURL: discoverUserInfo(p.Issuer())}}
		cfg, err := readConfig(func(name string) string { return strings.ReplaceAll(env[name], "{issuer}", p.Issuer()) })
		if err != nil {
			t.Fatal(err)
		}
		if cfg.provider != nil {
			providers = []provider{cfg.provider(login.OAuth2.RedirectURL)}
		}
		cfg.options.Keys = [][]byte{[]byte("a key of 32 bytes or more for tests")}
		cfg.options.HTTPClient = p.HTTPClient()
		cfg.options.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
		a, err := newApp(providers, cfg.options)
		if err != nil {
			t.Fatal(err)
		}
		return a.routes()
	})
}

// want fails the test unless a response is of this path, has the status and contains
// the texts.
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
	t.Parallel()
	site := runApp(t, nil)
	visitor := site.Browser()
	want(t, visitor.Navigate("/"), 200, "/", "You are not signed in", `href="/login`)
	want(t, visitor.Navigate("/nothing-here"), 404, "/nothing-here")
	for _, path := range []string{"/api/me", "/api/profile", "/events", "/admin"} {
		want(t, visitor.Fetch(path), 401, path, `"unauthenticated"`)
	}
	want(t, visitor.Fetch("/api/session"), 200, "/api/session", `{"signed_in":false,"login_url":"/login?return_to=%2F"}`)

	bob := site.SignIn("bob")
	want(t, bob.Navigate("/"), 200, "/", "signed in as <strong>Bob Baker</strong>")
	dashboard := bob.Navigate("/dashboard")
	want(t, dashboard, 200, "/dashboard", "Bob Baker", "bob@example.com", "<dd>demo</dd>", "expires on", `action="/logout"`)
	for header, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"} {
		if got := dashboard.Header.Get(header); got != value {
			t.Errorf("%s: %q; want %q", header, got, value)
		}
	}
	want(t, bob.Fetch("/api/me"), 200, "/api/me")
	if got := bob.Fetch("/api/me").Body; strings.TrimSpace(got) != `{"provider":"demo","sub":"bob","name":"Bob Baker","email":"bob@example.com"}` {
		t.Errorf("/api/me: %s", got)
	}
	want(t, bob.Fetch("/api/profile"), 200, "/api/profile", `"sub":"bob"`, `"email_verified":true`)
	want(t, bob.Fetch("/api/session"), 200, "/api/session", `"signed_in":true`, `"sub":"bob"`, `"logout_url":"/logout"`)

	bob.PostForm("/logout", nil)
	want(t, bob.Fetch("/api/me"), 401, "/api/me")
}

// The page /admin is for administrators, and leads everyone else on.
func TestAdmin(t *testing.T) {
	t.Parallel()
	site := runApp(t, nil)
	for _, name := range []string{"alice", "bob"} {
		want(t, site.SignIn(name).Navigate("/admin"), 200, "/admin", "Administration")
	}
	for _, name := range []string{"carol", "anyone"} {
		want(t, site.SignIn(name).Navigate("/admin"), 403, "/admin")
		want(t, site.SignIn(name).Fetch("/admin"), 403, "/admin", `{"error":"forbidden"}`)
	}

	carol := site.SignIn("carol")
	refused := carol.Navigate("/admin")
	want(t, refused, 403, "/admin", `href="/login?`, `action="/logout"`)
	carol.Navigate(hrefOf(t, refused, "/login?")) // another account
	if got := site.Provider.Requests(oauthlogintest.Authorization); got[len(got)-1].Query.Get("prompt") != "select_account" {
		t.Errorf("the link leads to a login with %v", got[len(got)-1].Query)
	}
	want(t, carol.SignIn("alice"), 200, "/admin", "Alice Archer")

	carol = site.SignIn("carol")
	carol.PostForm("/logout", nil)
	want(t, carol.Fetch("/api/me"), 401, "/api/me")
}

// hrefOf returns the link of a page that begins with a text.
func hrefOf(t *testing.T, page *oauthlogintest.Response, prefix string) string {
	t.Helper()
	_, href, ok := strings.Cut(page.Body, `href="`+prefix)
	if !ok {
		t.Fatalf("%s has no link to %s:\n%s", page.URL, prefix, page.Body)
	}
	href, _, _ = strings.Cut(href, `"`)
	return prefix + strings.ReplaceAll(href, "&amp;", "&")
}

// With several providers, what the second one says about groups does not count.
func TestAdminOfAnotherProvider(t *testing.T) {
	t.Parallel()
	first := oauthlogintest.Start(oauthlogintest.Config{})
	t.Cleanup(first.Close)
	second := oauthlogintest.Start(oauthlogintest.Config{})
	t.Cleanup(second.Close)
	demo, partner := first.Registration("http://localhost:3000"), second.Registration("http://localhost:3000")
	demo.Name, partner.Name = "demo", "partner"
	partner.OAuth2.RedirectURL += "/partner"
	a, err := newApp([]provider{{login: demo}, {login: partner}}, oauthlogin.Options{
		Keys: [][]byte{[]byte("a key of 32 bytes or more for tests")}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, status := range map[string]int{"demo": 200, "partner": 403} {
		r := oauthlogintest.WithUser(t, a.auth, httptest.NewRequest("GET", "/admin", nil), oauthlogin.User{
			Provider: name, Subject: "dave", RawClaims: json.RawMessage(`{"sub":"dave","groups":["admin"]}`),
		})
		w := httptest.NewRecorder()
		a.routes().ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("the admin of %s: %d; want %d", name, w.Code, status)
		}
	}
}

// SESSION_IDLE_TIMEOUT lets a newcomer see what happens when a session expires.
func TestExpiredSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		alice := runApp(t, map[string]string{"SESSION_IDLE_TIMEOUT": "20s"}).SignIn("alice")
		ends := time.Now().Add(20 * time.Second).UTC().Format("2006-01-02T15:04:05Z")
		want(t, alice.Navigate("/dashboard"), 200, "/dashboard", `<time datetime="`+ends+`">`)
		want(t, alice.Fetch("/api/session"), 200, "/api/session", `"expires_at":"`+ends+`"`)

		opened := time.Now()
		stream := alice.Fetch("/events")
		if events := strings.Count(stream.Body, "data: "); time.Since(opened) != 20*time.Second || events < 20 {
			t.Errorf("the stream ends after %v and %d events", time.Since(opened), events)
		}
		want(t, alice.Fetch("/events"), 401, "/events", `"unauthenticated"`)
		want(t, alice.Fetch("/api/session"), 200, "/api/session", `"signed_in":false`)
		if page := alice.Navigate("/dashboard"); !strings.HasPrefix(page.URL, "https://provider.test/") {
			t.Errorf("after the session expired, the dashboard leads to %s", page.URL)
		}
		want(t, alice.SignIn("alice"), 200, "/dashboard", "Alice Archer")
	})
}

// The page passes on what the provider's user info endpoint says, if that is JSON.
func TestProfile(t *testing.T) {
	t.Parallel()
	site := runApp(t, nil)
	alice := site.SignIn("alice")
	for _, fault := range []struct {
		name   string
		serve  http.HandlerFunc
		status int
	}{
		{"an error in JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"error":"insufficient_scope"}`)
		}, http.StatusForbidden},
		{"an error without JSON", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<b>no</b>", http.StatusTeapot)
		}, http.StatusTeapot},
		{"not JSON", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>")
		}, http.StatusBadGateway},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "%q", strings.Repeat("x", 2<<20))
		}, http.StatusBadGateway},
		{"a broken connection", func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, http.StatusBadGateway},
	} {
		site.Provider.Intercept(oauthlogintest.UserInfo, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			fault.serve(w, r)
		})
		resp := alice.Fetch("/api/profile")
		if resp.Status != fault.status || resp.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(resp.Body)) {
			t.Errorf("%s: status %d; want %d and JSON: %s", fault.name, resp.Status, fault.status, resp.Body)
		}
	}
	want(t, alice.Fetch("/api/me"), 200, "/api/me", `"sub":"alice"`)
}

func TestPlainOAuth2(t *testing.T) {
	t.Parallel()
	site := runApp(t, map[string]string{
		"OAUTH_AUTH_URL": "{issuer}/authorize", "OAUTH_TOKEN_URL": "{issuer}/token", "OAUTH_USERINFO_URL": "{issuer}/userinfo",
		"OAUTH_CLIENT_ID": "app", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "profile email",
	})
	site.Provider.AutoApprove("alice")
	for _, userInfo := range []struct {
		name   string
		status int
		body   string
		me     string // "" if the login must fail
	}{
		{"sub", 200, `{"sub":"s","id":"i","name":"N","email":"e@example.com"}`, `"sub":"s","name":"N","email":"e@example.com"}`},
		{"id, a string", 200, `{"id":"i"}`, `"sub":"i","name":"","email":""}`},
		{"id, a large number", 200, `{"id":12345678901234567890,"name":null}`, `"sub":"12345678901234567890","name":"","email":""}`},
		{"neither", 200, `{"login":"x"}`, ""},
		{"not an object", 200, `["x"]`, ""},
		{"not JSON", 200, `sub=x`, ""},
		{"an error", 403, `{"sub":"s"}`, ""},
		{"too large", 200, `{"sub":"s","x":"` + strings.Repeat("x", 2<<20) + `"}`, ""},
	} {
		site.Provider.Intercept(oauthlogintest.UserInfo, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(userInfo.status)
			io.WriteString(w, userInfo.body)
		})
		alice := site.Browser()
		landed := alice.Navigate("/dashboard")
		me := alice.Fetch("/api/me")
		if userInfo.me == "" {
			if landed.Status != http.StatusBadGateway || me.Status != http.StatusUnauthorized {
				t.Errorf("%s: status %d, then %d at /api/me; want 502 and 401", userInfo.name, landed.Status, me.Status)
			}
			continue
		}
		want(t, me, 200, "/api/me", userInfo.me)
		want(t, alice.Fetch("/api/profile"), 200, "/api/profile", userInfo.body)
	}
}
