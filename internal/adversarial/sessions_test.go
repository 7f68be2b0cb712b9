package adversarial_test

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// CVE-2021-41246 GHSA-7rg2-qxmf-hhx9 of express-openid-connect, and mod_auth_openidc: the
// login went into the session that was there.
func TestNewSessionAtLogin(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.NewAttacked(t, with)
		attacker, b := a.SignIn(t, "mallory"), a.Browser(t)
		planted := attacker.Cookies()
		for name, value := range planted {
			b.SetCookie(name, value)
		}
		b.Login("/")
		if b.Cookies()[apptest.SessionCookie] == planted[apptest.SessionCookie] || b.Get("/").Text != "home of alice" {
			t.Error("the session is the one that was planted")
		}
		for name, value := range planted {
			attacker.SetCookie(name, value)
		}
		if body := attacker.Get("/").Text; body == "home of alice" {
			t.Error("the attacker is in the session that she planted")
		}
		// Nor does the planted one come back behind alice's.
		b.SetCookie(apptest.SessionCookie, planted[apptest.SessionCookie])
		if body := b.Get("/").Text; body != "home of nobody" {
			t.Errorf("put back, the planted session is the %s", body)
		}
		a.Leaves(b, apptest.Aftermath{Codes: 2, Runs: 1})
	})
}

// CVE-2026-30224 of OliveTin, CVE-2025-53826 of File Browser, CVE-2024-21492 to
// CVE-2024-21500 of caddy-security: the cookie went on working after the logout.
func TestReplayAfterLogout(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.NewAttacked(t, with)
		b := a.Browser(t)
		b.Login("/")
		thief := b.Clone()
		if body := thief.Get("/").Text; body != "home of alice" {
			t.Fatalf("before the logout: %s", body)
		}
		b.Post("/logout", nil)
		stays := func(what string) {
			t.Helper()
			a.Expect(what, thief.Get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
			if resp := a.Raw(thief, a.CatchAll(), "GET /dashboard"); resp.StatusCode != http.StatusFound {
				t.Errorf("%s, behind the gate: %d %s", what, resp.StatusCode, resp.Text)
			}
		}
		stays("after the logout")
		if a.Opts.Store != nil {
			// A store ends it for all instances. Cookies alone end on the one that saw
			// the logout, and elsewhere by their limits: see Middleware.
			a.Restart(t)
			stays("on another instance")
		}
		a.Leaves(thief, apptest.Aftermath{Codes: 1})
	})
}

// The same keys do not make two applications one, and other keys open nothing.
// CVE-2024-6535 of Skupper: the key was a constant.
func TestCookieOfAnotherApplication(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.SignIn(t, "alice")
	session := b.Cookies()[apptest.SessionCookie]
	_, params := b.StartLogin("/login")
	flowName := b.CookieNames(apptest.FlowPrefix)[0]
	flow := b.Cookies()[flowName]

	for _, tt := range []struct {
		name   string
		stem   string // of its cookies
		opens  bool
		change func(*oauthlogin.Options)
	}{
		{"a replica", apptest.SessionCookie, true, func(*oauthlogin.Options) {}},
		{"a replica with other limits", apptest.SessionCookie, true, func(o *oauthlogin.Options) { o.IdleTimeout /= 2 }},
		{"another client of the provider", apptest.SessionCookie, false, func(o *oauthlogin.Options) { o.Providers[0].OAuth2.ClientID = "other" }},
		{"another name of the provider", apptest.SessionCookie, false, func(o *oauthlogin.Options) { o.Providers[0].Name = "other" }},
		{"another issuer", apptest.SessionCookie, false, func(o *oauthlogin.Options) { o.Providers[0].Issuer += "/" }},
		{"another cookie name", "__Host-other", false, func(o *oauthlogin.Options) { o.CookieName = "other" }},
		{"another key", apptest.SessionCookie, false, func(o *oauthlogin.Options) { o.Keys = [][]byte{apptest.Key(9)} }},
		{"the key of an example", apptest.SessionCookie, false, func(o *oauthlogin.Options) { o.Keys = [][]byte{[]byte("not random, but good for examples")} }},
		{"an application over http", "oauthlogin", false, func(o *oauthlogin.Options) {
			o.Providers[0].OAuth2.RedirectURL = "http://localhost/auth/callback"
		}},
	} {
		other := a.Replica(t, func(o *oauthlogin.Options) {
			o.Logger, o.ErrorHandler = slog.New(slog.DiscardHandler), writeCode
			tt.change(o)
		})
		s, w := apptest.Visit(t, other, map[string]string{tt.stem: session})
		if opened := s != nil; opened != tt.opens || !opened && w.Code != http.StatusFound {
			t.Errorf("%s: %d", tt.name, w.Code)
		}
		r := httptest.NewRequest(http.MethodGet, "https://app.test/auth/callback?error=x&state="+params.Get("state"), nil)
		r.Header.Set("Cookie", strings.Replace(flowName, apptest.SessionCookie, tt.stem, 1)+"="+flow)
		w = httptest.NewRecorder()
		other.Callback(w, r)
		if found := w.Body.String() != "flow_not_found"; found != tt.opens {
			t.Errorf("%s: the callback of a pending login: %s", tt.name, w.Body)
		}
	}
}

// CVE-2024-52801 of SFTPGo: guessable session IDs.
func TestSessionIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = sessions.NewFilesystemStore(dir, apptest.Key(5)) }})
		const n = 40
		for range n {
			a.Browser(t).Login("/")
		}
		ids := slices.Sorted(maps.Keys(apptest.SessionFiles(t, dir)))
		if len(ids) != n {
			t.Fatalf("%d sessions", len(ids))
		}
		for i, id := range ids {
			id = strings.TrimPrefix(id, "session_")
			common := 0
			if i > 0 {
				for common < len(id) && id[common] == ids[i-1][len("session_")+common] {
					common++
				}
			}
			if len(id) < 52 || common > 8 { // base32 of 256 bits
				t.Errorf("session ID of %d characters, of which it shares %d with another", len(id), common)
			}
		}
		a.Leaves(a.Browser(t), apptest.Aftermath{Codes: n})
	})
}

// GO-2024-2730 of gorilla/sessions: a session ID that is a path.
func TestSessionIDAsPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		dir := filepath.Join(root, "sessions")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		canaries := []string{filepath.Join(root, "session_x"), filepath.Join(root, "x"), filepath.Join(dir, "session_x")}
		for _, name := range canaries {
			if err := os.WriteFile(name, []byte("canary"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = sessions.NewFilesystemStore(dir, apptest.Key(5)) }})
		b := a.Browser(t)
		n := 0
		for _, id := range []string{"x", "../x", "../session_x", "..%2fx", `..\x`, "/etc/passwd", "session_x", "x%00", strings.Repeat("../", 40) + "etc/passwd"} {
			b.SetCookie(apptest.SessionCookie, id)
			a.Expect(id, b.Get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
			b.Post("/logout", nil)
			b.SetCookie(apptest.SessionCookie, id)
			b.Login("/")
			b.Post("/logout", nil)
			n++
		}
		for _, name := range canaries {
			if content, err := os.ReadFile(name); err != nil || string(content) != "canary" {
				t.Errorf("%s: %q, %v", name, content, err)
			}
		}
		if files := apptest.SessionFiles(t, dir); len(files) != 1 {
			t.Errorf("files %v", slices.Collect(maps.Keys(files)))
		}
		a.Leaves(b, apptest.Aftermath{Codes: n})
	})
}
