package oauthlogin_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A stubbornStore fails while err is set, and counts what it saves.
type stubbornStore struct {
	sessions.Store
	err   error
	saved int
}

func (s *stubbornStore) New(r *http.Request, name string) (*sessions.Session, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.New(r, name)
}

func (s *stubbornStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	s.saved++
	return s.Store.Save(r, w, session)
}

// newInfoApp serves SessionInfo at /info, and with behindHandler false without
// Handler around it.
func newInfoApp(t *testing.T, with apptest.Config, behindHandler bool) *apptest.App {
	t.Helper()
	a := apptest.New(t, with)
	a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("/info", a.Auth.SessionInfo) }
	if !behindHandler {
		h := a.Net["app.test"]
		a.Net["app.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/info" {
				a.Auth.SessionInfo(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	return a
}

// wantInfo fails the test unless resp is this JSON, and a response that neither
// caches nor browsers make anything else of.
func wantInfo(t *testing.T, what string, resp *apptest.Response, status int, body string) {
	t.Helper()
	if resp.StatusCode != status || strings.TrimSuffix(resp.Text, "\n") != body {
		t.Errorf("%s: %d %s, want %d %s", what, resp.StatusCode, resp.Text, status, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Location": "", "Set-Cookie": "", "Access-Control-Allow-Origin": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
}

// signedInInfo is the documented JSON of a session that ends at expires.
func signedInInfo(user string, expires time.Time, refreshable bool) string {
	return fmt.Sprintf(`{"signed_in":true,"user":%s,"expires_at":"%s","refreshable":%t,"bound":false,"logout_url":"/logout"}`,
		user, expires.UTC().Format(time.RFC3339), refreshable)
}

const aliceInfo = `{"provider":"test","sub":"alice","name":"Alice Archer","email":"alice@example.com"}`

// The JSON has the documented members and no others: no token, no other claim.
func TestSessionInfoSignedIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		config      apptest.Config
		user        string
		lives       time.Duration // if not used again
		refreshable bool
	}{
		{"a session with a refresh token", apptest.Config{}, aliceInfo, 24 * time.Hour, true},
		{
			"a session that ends with its access token",
			apptest.Config{Provider: oauthlogintest.Config{NoRefreshTokens: true}},
			aliceInfo, time.Hour, false,
		},
		{
			"a short idle timeout",
			apptest.Config{Change: func(o *oauthlogin.Options) { o.IdleTimeout = 90 * time.Minute }},
			aliceInfo, 90 * time.Minute, true,
		},
		{
			"a short lifetime",
			apptest.Config{Change: func(o *oauthlogin.Options) { o.MaxLifetime = 2 * time.Hour }},
			aliceInfo, 2 * time.Hour, true,
		},
		{
			"plain OAuth 2.0",
			apptest.Config{Change: apptest.PlainOAuth},
			`{"provider":"test","sub":"12345678","name":"Alice Archer","email":"alice@example.com"}`, 24 * time.Hour, true,
		},
		{
			"a user without name and e-mail address, and with markup for a subject",
			apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{{Subject: "alice", Name: "</script>", Claims: map[string]any{"groups": []string{"admin"}}}}}},
			`{"provider":"test","sub":"alice","name":"\u003c/script\u003e","email":""}`, 24 * time.Hour, true,
		},
	} {
		for _, behindHandler := range []bool{true, false} {
			apptest.InBubble(t, fmt.Sprintf("%s, behind Handler: %t", tt.name, behindHandler), func(t *testing.T) {
				a := newInfoApp(t, tt.config, behindHandler)
				b := a.Browser(t)
				b.Login("/dashboard")
				want := signedInInfo(tt.user, time.Now().Add(tt.lives), tt.refreshable)
				wantInfo(t, "GET", b.Get("/info", apptest.AsScript...), http.StatusOK, want)
				wantInfo(t, "HEAD", b.Do(b.Request(http.MethodHead, "/info", nil)), http.StatusOK, want) // net/http drops the body
				time.Sleep(time.Minute)
				wantInfo(t, "a minute later", b.Get("/info"), http.StatusOK, want)
			})
		}
	}
}

// The user returns to the page whose script asked, and never to the JSON.
func TestSessionInfoSignedOut(t *testing.T) {
	t.Parallel()
	for _, behindHandler := range []bool{true, false} {
		a := newInfoApp(t, apptest.Config{}, behindHandler)
		for _, tt := range []struct{ name, referer, returnTo string }{
			{"a page", "https://app.test/inbox?page=2#top", "/inbox?page=2"},
			{"no Referer", "", "/"},
			{"an origin alone", "https://app.test", "/"},
			{"another site", "https://evil.test/inbox", "/"},
			{"another port", "https://app.test:8443/inbox", "/"},
			{"two slashes", "https://app.test//evil.test/", "/"},
			{"the login page", "https://app.test/login?return_to=/x", "/"},
			{"a malformed Referer", "%zz", "/"},
			{"the JSON itself", "https://app.test/info", "/"},
			{"the JSON itself, with a query", "https://app.test/info?x=2", "/"},
			{"a page below it", "https://app.test/info/more", "/info/more"},
		} {
			want := fmt.Sprintf(`{"signed_in":false,"login_url":"/login?return_to=%s"}`, url.QueryEscape(tt.returnTo))
			b := a.Browser(t)
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				wantInfo(t, method+" from "+tt.name, b.Do(b.Request(method, "/info?x=1", nil, "Referer", tt.referer)), http.StatusOK, want)
			}
		}
		b := a.Browser(t)
		b.SetCookie(apptest.SessionCookie, "1nonsense")
		wantInfo(t, "a cookie that cannot be decrypted", b.Get("/info"), http.StatusOK, `{"signed_in":false,"login_url":"/login?return_to=%2F"}`)
	}
}

func TestSessionInfoRefusesOtherMethods(t *testing.T) {
	t.Parallel()
	a := newInfoApp(t, apptest.Config{}, true)
	b := a.Browser(t)
	b.Login("/dashboard")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "get"} {
		resp := b.Do(b.Request(method, "/info", nil))
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" || strings.Contains(resp.Text, "alice") || len(resp.Cookies()) > 0 {
			t.Errorf("%s: %d, Allow %q: %s", method, resp.StatusCode, resp.Header.Get("Allow"), resp.Text)
		}
	}
}

// A page that polls keeps no session alive, and refreshes no token. With a store,
// SessionInfo itself writes nothing there.
func TestSessionInfoExtendsNothing(t *testing.T) {
	t.Parallel()
	poll := func(behindHandler bool) func(*testing.T, apptest.Config) {
		return func(t *testing.T, with apptest.Config) {
			a := newInfoApp(t, with, behindHandler)
			b := a.Browser(t)
			b.KeepForever()
			b.Login("/dashboard")
			expires := time.Now().Add(24 * time.Hour)
			for range 23 { // a reseal is due from the third on, a refresh from the first
				time.Sleep(time.Hour)
				wantInfo(t, "a poll", b.Get("/info"), http.StatusOK, signedInInfo(aliceInfo, expires, true))
			}
			time.Sleep(time.Hour)
			wantInfo(t, "after the idle timeout", b.Get("/info"), http.StatusOK, `{"signed_in":false,"login_url":"/login?return_to=%2F"}`)
			a.WantRefreshes(t, 0)
			if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusFound {
				t.Errorf("after the idle timeout the session gets %d", resp.StatusCode)
			}
		}
	}
	t.Run("behind Handler", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { poll(true)(t, apptest.Config{}) })
	})
	t.Run("without Handler", func(t *testing.T) { apptest.InStoreToo(t, poll(false)) })
}

// A store that fails is not a user who is signed out.
func TestSessionInfoWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, behindHandler := range []bool{true, false} {
		store := &stubbornStore{Store: apptest.FileStore(t)}
		a := newInfoApp(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Store = store }}, behindHandler)
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		store.err = errors.New("connection refused by 10.0.0.1")
		resp := b.Get("/info")
		wantInfo(t, "down", resp, http.StatusServiceUnavailable, `{"error":"unavailable"}`)
		if resp.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		wantInfo(t, "HEAD, down", b.Do(b.Request(http.MethodHead, "/info", nil)), http.StatusServiceUnavailable, `{"error":"unavailable"}`)
		store.err = nil
		if resp := b.Get("/info"); !strings.HasPrefix(resp.Text, `{"signed_in":true,`) || b.Cookies()[apptest.SessionCookie] != cookies[apptest.SessionCookie] {
			t.Errorf("when the store is back: %d %s", resp.StatusCode, resp.Text)
		}
	}
}

// Browsers that do not send Sec-Fetch-Mode poll with Accept: */*, as a page never does.
func TestSessionInfoPolledByOldBrowsers(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newInfoApp(t, with, true)
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		for range 12 {
			time.Sleep(2 * time.Hour)
			a.Ask(t.Context(), cookies, "/info", "Accept", "*/*")
		}
		if w := a.Ask(t.Context(), cookies, "/dashboard"); w.Code != http.StatusFound {
			t.Errorf("after the idle timeout the session gets %d", w.Code)
		}
	})
}

// RequireAuth refreshes tokens. The cookie that has the rotated refresh token stays, or
// another instance would send the spent one.
func TestSessionInfoKeepsWhatRequireAuthRefreshed(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		apptest.InBubble(t, method, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Guard("/info", func(w http.ResponseWriter, r *http.Request) { a.Auth.SessionInfo(w, r) })
			b := a.Browser(t)
			b.Login("/dashboard")
			time.Sleep(time.Hour)
			resp := b.Do(b.Request(method, "/info", nil, apptest.AsScript...))
			if len(resp.Cookies()) == 0 {
				t.Errorf("no cookie with %d %s", resp.StatusCode, resp.Text)
			}
			a.Restart(t)
			if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusOK {
				t.Errorf("after a restart the session gets %d", resp.StatusCode)
			}
			a.WantRefreshes(t, 1)
		})
	}
}

// Without a refresh, a renewed cookie is taken back whatever the response is.
func TestSessionInfoRenewsNothingBehindRequireAuth(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		apptest.InBubble(t, method, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 12 * time.Hour}})
			a.Guard("/info", func(w http.ResponseWriter, r *http.Request) { a.Auth.SessionInfo(w, r) })
			b := a.Browser(t)
			b.Login("/dashboard")
			time.Sleep(5 * time.Hour) // a reseal is due, a refresh is not
			if resp := b.Do(b.Request(method, "/info", nil, apptest.AsScript...)); len(resp.Cookies()) > 0 {
				t.Errorf("%d with %v", resp.StatusCode, resp.Cookies())
			}
		})
	}
}
