package oauthlogin_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// When the provider refuses because the grant has ended, so does the session
// (draft-ietf-oauth-browser-based-apps section 6.1.2.2), and nobody asks again.
func TestRefusedRefreshEndsTheSession(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
	}{
		{"invalid_grant", http.StatusBadRequest, `{"error":"invalid_grant","error_description":"` + "<script>" + `"}`},
		{"invalid_grant with status 401", http.StatusUnauthorized, `{"error":"invalid_grant"}`},
		{"invalid_grant with status 200", http.StatusOK, `{"error":"invalid_grant"}`},
		{"what GitHub says", http.StatusOK, `{"error":"bad_refresh_token"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := apptest.New(t, with)
				b := a.Browser(t)
				b.Login("/dashboard?q=1")
				cookies := b.Cookies()
				time.Sleep(2 * time.Hour)
				a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(tt.status, tt.body))
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						if i%2 == 0 {
							w := a.Ask(t.Context(), cookies, "/access?q=1", "Sec-Fetch-Mode", "navigate")
							if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != "/login?return_to=%2Faccess%3Fq%3D1" {
								t.Errorf("navigation: %d to %q", w.Code, got)
							}
							return
						}
						w := a.Ask(t.Context(), cookies, "/access", "Sec-Fetch-Mode", "cors")
						if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"unauthenticated"`) {
							t.Errorf("fetch: %d %s", w.Code, w.Body)
						}
					})
				}
				wg.Wait()
				resp := b.Get("/dashboard")
				if resp.StatusCode != http.StatusFound {
					t.Errorf("afterwards: %d", resp.StatusCode)
				}
				a.WantRefreshes(t, 1)
				if a.Called("/access") != 0 {
					t.Error("the handler ran")
				}
				a.Leaks(t, resp.Text)
				a.Provider.Intercept(oauthlogintest.Token, nil)
				time.Sleep(time.Hour)
				if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound {
					t.Errorf("the dead session's cookie an hour later: %d", w.Code)
				}
				a.WantRefreshes(t, 1)
				b.Login("/dashboard")
			})
		})
	}
}

// The request that learns of the end clears the cookies, and what the server
// has stored.
func TestRefusedRefreshClearsCookies(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(2 * time.Hour)
		a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
		if b.Get("/access"); len(b.Cookies()) != 0 {
			t.Errorf("cookies left: %v", b.Cookies())
		}
		if a.Opts.Store != nil {
			a.Restart(t)
			if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound {
				t.Errorf("after a restart: %d", w.Code)
			}
			a.WantRefreshes(t, 1)
		}
	})
}

// Whatever else goes wrong is the provider's fault: the session goes on, with
// its token while that lives and without one afterwards, until the provider is
// back.
func TestFailedRefreshKeepsTheSession(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string, header ...string) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(status, body, header...))
		}
	}
	for _, tt := range []struct {
		name string
		by   func(a *apptest.App)
	}{
		{"status 500", answer(http.StatusInternalServerError, "")},
		{"status 503 with HTML", answer(http.StatusServiceUnavailable, apptest.Hostile)},
		{"status 503 with invalid_grant", answer(http.StatusServiceUnavailable, `{"error":"invalid_grant"}`)},
		{"status 429", answer(http.StatusTooManyRequests, `{"error":"invalid_grant"}`, "Retry-After", "3600")},
		{"status 403", answer(http.StatusForbidden, apptest.Hostile)},
		{"garbage", answer(http.StatusOK, apptest.Hostile)},
		{"nothing", answer(http.StatusOK, "")},
		{"half an answer", answer(http.StatusOK, `{"access_token":"ab`)},
		{"no access token", answer(http.StatusOK, `{"token_type":"Bearer","expires_in":3600}`)},
		{"a token of another type", answer(http.StatusOK, `{"access_token":"a-hostile-token","token_type":"mac","expires_in":3600}`)},
		{"a token that no header can carry", answer(http.StatusOK, `{"access_token":"a\r\nHostile: token","token_type":"Bearer"}`)},
		{"invalid_client", answer(http.StatusUnauthorized, `{"error":"invalid_client"}`)},
		{"temporarily_unavailable", answer(http.StatusBadRequest, `{"error":"temporarily_unavailable"}`)},
		{"unauthorized_client", answer(http.StatusBadRequest, `{"error":"unauthorized_client"}`)},
		{"a redirect", answer(http.StatusTemporaryRedirect, "", "Location", "https://evil.test/token")},
		{"a redirect that drops the method", answer(http.StatusFound, "", "Location", "https://evil.test/token")},
		{"more than a mebibyte", answer(http.StatusOK, `{"access_token":"too-large","token_type":"Bearer","x":"`+strings.Repeat("x", 1<<20)+`"}`)},
		{"a connection that breaks", func(a *apptest.App) {
			a.Wire.CutBy(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		}},
		{"no answer", func(a *apptest.App) {
			a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				evil, apiCalls := 0, 0
				a.Net["evil.test"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { evil++ })
				a.Net["api.test"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { apiCalls++ })
				var failed error
				a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
					_, failed = a.Auth.Client(r.Context()).Get("https://api.test/")
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				first := b.Get("/access").Text

				tt.by(a)
				time.Sleep(59 * time.Minute)
				if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text != first {
					t.Errorf("before the token expires: %d, token %q, want %q", resp.StatusCode, resp.Text, first)
				}
				time.Sleep(time.Minute)
				if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text != "" {
					t.Errorf("after the token has expired: %d, token %q", resp.StatusCode, resp.Text)
				}
				b.Get("/call")
				if !errors.Is(failed, oauthlogin.ErrNoToken) || apiCalls != 0 {
					t.Fatalf("the API is called %d times; error: %v", apiCalls, failed)
				}
				a.Leaks(t, failed.Error())

				a.Provider.Intercept(oauthlogintest.Token, nil)
				a.Wire.CutBy(nil)
				time.Sleep(time.Minute)
				if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" || resp.Text == first {
					t.Errorf("when the provider is back: %d, token %q", resp.StatusCode, resp.Text)
				}
				if b.Get("/call"); failed != nil || apiCalls != 1 {
					t.Errorf("when the provider is back the API is called %d times; error: %v", apiCalls, failed)
				}
				if evil != 0 {
					t.Error("a redirect was followed")
				}
			})
		})
	}
}

// Two seconds at first, twice as long each time, a minute at most; and from
// the start after a success.
func TestBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(2 * time.Hour)
		attempts := func(during time.Duration) (seconds []float64) {
			a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusServiceUnavailable, ""))
			start, before := time.Now(), a.Provider.Count(oauthlogintest.Token)
			for time.Since(start) < during {
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK {
							t.Errorf("after %v: %d", time.Since(start), w.Code)
						}
					})
				}
				wg.Wait()
				time.Sleep(500 * time.Millisecond)
			}
			for _, r := range a.Provider.Requests(oauthlogintest.Token)[before:] {
				seconds = append(seconds, r.Time.Sub(start).Seconds())
			}
			return seconds
		}
		if got := attempts(5 * time.Minute); !slices.Equal(got, []float64{0, 2, 6, 14, 30, 62, 122, 182, 242}) {
			t.Errorf("attempts after %v seconds", got)
		}
		time.Sleep(time.Minute)
		a.Provider.Intercept(oauthlogintest.Token, nil)
		w := a.Ask(t.Context(), cookies, "/access")
		if w.Body.Len() == 0 {
			t.Fatal("no token when the provider is back")
		}
		cookies = apptest.Kept(cookies, w)
		time.Sleep(2 * time.Hour)
		if got := attempts(10 * time.Second); !slices.Equal(got, []float64{0, 2, 6}) {
			t.Errorf("after a success attempts after %v seconds", got)
		}
		a.Refreshes(t)
	})
}

// A refresh that is under way when the user signs out brings nothing back, and
// leaves no token in force (RFC 7009).
func TestLogoutDuringRefresh(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		a.SlowTokens(3 * time.Second)
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(2 * time.Hour)

		var late [2]*httptest.ResponseRecorder
		var wg sync.WaitGroup
		for i, mode := range []string{"navigate", "cors"} {
			wg.Go(func() { late[i] = a.Ask(t.Context(), cookies, "/access", "Sec-Fetch-Mode", mode) })
		}
		time.Sleep(time.Second)
		if out := b.Post("/logout", nil); out.StatusCode != http.StatusSeeOther {
			t.Fatalf("POST /logout: %d", out.StatusCode)
		}
		wg.Wait()
		if late[0].Code != http.StatusFound || late[1].Code != http.StatusUnauthorized {
			t.Errorf("the requests under way: %d and %d", late[0].Code, late[1].Code)
		}
		for _, w := range late {
			if apptest.SetsSession(w) {
				t.Errorf("a request under way sets %v", w.Header()["Set-Cookie"])
			}
		}
		for i := range 3 {
			if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound || apptest.SetsSession(w) {
				t.Errorf("%d hours later the old cookie is worth %d", i, w.Code)
			}
			time.Sleep(time.Hour)
		}
		if a.Called("/access") != 0 {
			t.Error("the handler ran")
		}
		a.WantRefreshes(t, 1)

		var revoked []string
		for _, r := range a.Provider.Requests(oauthlogintest.Revocation) {
			revoked = append(revoked, r.Form.Get("token"))
		}
		if !slices.Equal(revoked, a.Issued()) {
			t.Errorf("%d refresh tokens were revoked, want the old one and then the new one", len(revoked))
		}
	})
}

// A slowStore takes three seconds over the next write, once it is told to.
type slowStore struct {
	sessions.Store
	slow atomic.Bool
}

func (s *slowStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if s.slow.Swap(false) {
		time.Sleep(3 * time.Second)
	}
	return s.Store.Save(r, w, session)
}

// A write that is under way when the user signs out brings nothing back.
func TestLogoutDuringSave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Store: apptest.FileStore(t)}
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(2 * time.Hour)
		store.slow.Store(true)
		late := make(chan *httptest.ResponseRecorder)
		go func() { late <- a.Ask(t.Context(), cookies, "/access") }()
		time.Sleep(time.Second)
		b.Post("/logout", nil)
		cookies = apptest.Kept(cookies, <-late)
		ran := a.Called("/access")
		if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound || a.Called("/access") != ran {
			t.Errorf("after the logout: %d", w.Code)
		}
		a.WantRefreshes(t, 1)
	})
}

// A failingStore cannot write any more, once it is told to.
type failingStore struct {
	sessions.Store
	full bool
}

func (s *failingStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if s.full {
		return errors.New("disk full")
	}
	return s.Store.Save(r, w, session)
}

// Tokens that cannot be written are not lost, and not fetched again.
func TestRefreshedSessionNotWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failingStore{Store: apptest.FileStore(t)}
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(time.Hour)
		store.full = true
		fresh := b.Get("/access")
		if again := b.Get("/access"); fresh.StatusCode != http.StatusOK || fresh.Text == "" || again.Text != fresh.Text {
			t.Errorf("while the disk is full: %d, tokens %q and %q", fresh.StatusCode, fresh.Text, again.Text)
		}
		store.full = false
		b.Get("/access")
		a.Restart(t)
		if got := b.Get("/access").Text; got != fresh.Text {
			t.Errorf("after a restart the token is %q, want %q", got, fresh.Text)
		}
		a.WantRefreshes(t, 1)
		if !strings.Contains(a.Log.String(), "disk full") {
			t.Error("the log does not say why")
		}
		a.Leaks(t, "")
	})
}
