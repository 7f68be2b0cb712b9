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
			inStoreToo(t, func(t *testing.T, with offline) {
				a := newTokenApp(t, with)
				b := a.browser(t)
				b.login("/dashboard?q=1")
				cookies := b.cookies()
				time.Sleep(2 * time.Hour)
				a.provider.Intercept(oauthlogintest.Token, answerWith(tt.status, tt.body))
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						if i%2 == 0 {
							w := a.ask(t.Context(), cookies, "/access?q=1", "Sec-Fetch-Mode", "navigate")
							if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != "/login?return_to=%2Faccess%3Fq%3D1" {
								t.Errorf("navigation: %d to %q", w.Code, got)
							}
							return
						}
						w := a.ask(t.Context(), cookies, "/access", "Sec-Fetch-Mode", "cors")
						if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"unauthenticated"`) {
							t.Errorf("fetch: %d %s", w.Code, w.Body)
						}
					})
				}
				wg.Wait()
				resp := b.get("/dashboard")
				if resp.StatusCode != http.StatusFound {
					t.Errorf("afterwards: %d", resp.StatusCode)
				}
				a.wantRefreshes(t, 1)
				if a.called("/access") != 0 {
					t.Error("the handler ran")
				}
				a.leaks(t, resp.body)
				a.provider.Intercept(oauthlogintest.Token, nil)
				time.Sleep(time.Hour)
				if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound {
					t.Errorf("the dead session's cookie an hour later: %d", w.Code)
				}
				a.wantRefreshes(t, 1)
				b.login("/dashboard")
			})
		})
	}
}

// The request that learns of the end clears the cookies, and what the server
// has stored.
func TestRefusedRefreshClearsCookies(t *testing.T) {
	t.Parallel()
	inStoreToo(t, func(t *testing.T, with offline) {
		a := newTokenApp(t, with)
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(2 * time.Hour)
		a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
		if b.get("/access"); len(b.cookies()) != 0 {
			t.Errorf("cookies left: %v", b.cookies())
		}
		if a.opts.Store != nil {
			a.restart(t)
			if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound {
				t.Errorf("after a restart: %d", w.Code)
			}
			a.wantRefreshes(t, 1)
		}
	})
}

// Whatever else goes wrong is the provider's fault: the session goes on, with
// its token while that lives and without one afterwards, until the provider is
// back.
func TestFailedRefreshKeepsTheSession(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string, header ...string) func(*tokenApp) {
		return func(a *tokenApp) {
			a.provider.Intercept(oauthlogintest.Token, answerWith(status, body, header...))
		}
	}
	for _, tt := range []struct {
		name string
		by   func(a *tokenApp)
	}{
		{"status 500", answer(http.StatusInternalServerError, "")},
		{"status 503 with HTML", answer(http.StatusServiceUnavailable, hostile)},
		{"status 503 with invalid_grant", answer(http.StatusServiceUnavailable, `{"error":"invalid_grant"}`)},
		{"status 429", answer(http.StatusTooManyRequests, `{"error":"invalid_grant"}`, "Retry-After", "3600")},
		{"status 403", answer(http.StatusForbidden, hostile)},
		{"garbage", answer(http.StatusOK, hostile)},
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
		{"a connection that breaks", func(a *tokenApp) {
			a.wire.cutBy(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		}},
		{"no answer", func(a *tokenApp) {
			a.wire.cutBy(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newTokenApp(t, offline{})
				evil, apiCalls := 0, 0
				a.net["evil.test"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { evil++ })
				a.net["api.test"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { apiCalls++ })
				var failed error
				a.guarded["/call"] = func(_ http.ResponseWriter, r *http.Request) {
					_, failed = a.auth.Client(r.Context()).Get("https://api.test/")
				}
				b := a.browser(t)
				b.login("/dashboard")
				first := b.get("/access").body

				tt.by(a)
				time.Sleep(59 * time.Minute)
				if resp := b.get("/access"); resp.StatusCode != http.StatusOK || resp.body != first {
					t.Errorf("before the token expires: %d, token %q, want %q", resp.StatusCode, resp.body, first)
				}
				time.Sleep(time.Minute)
				if resp := b.get("/access"); resp.StatusCode != http.StatusOK || resp.body != "" {
					t.Errorf("after the token has expired: %d, token %q", resp.StatusCode, resp.body)
				}
				b.get("/call")
				if !errors.Is(failed, oauthlogin.ErrNoToken) || apiCalls != 0 {
					t.Fatalf("the API is called %d times; error: %v", apiCalls, failed)
				}
				a.leaks(t, failed.Error())

				a.provider.Intercept(oauthlogintest.Token, nil)
				a.wire.cutBy(nil)
				time.Sleep(time.Minute)
				if resp := b.get("/access"); resp.StatusCode != http.StatusOK || resp.body == "" || resp.body == first {
					t.Errorf("when the provider is back: %d, token %q", resp.StatusCode, resp.body)
				}
				if b.get("/call"); failed != nil || apiCalls != 1 {
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
		a := newTokenApp(t, offline{})
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(2 * time.Hour)
		attempts := func(during time.Duration) (seconds []float64) {
			a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusServiceUnavailable, ""))
			start, before := time.Now(), a.provider.Count(oauthlogintest.Token)
			for time.Since(start) < during {
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK {
							t.Errorf("after %v: %d", time.Since(start), w.Code)
						}
					})
				}
				wg.Wait()
				time.Sleep(500 * time.Millisecond)
			}
			for _, r := range a.provider.Requests(oauthlogintest.Token)[before:] {
				seconds = append(seconds, r.Time.Sub(start).Seconds())
			}
			return seconds
		}
		if got := attempts(5 * time.Minute); !slices.Equal(got, []float64{0, 2, 6, 14, 30, 62, 122, 182, 242}) {
			t.Errorf("attempts after %v seconds", got)
		}
		time.Sleep(time.Minute)
		a.provider.Intercept(oauthlogintest.Token, nil)
		w := a.ask(t.Context(), cookies, "/access")
		if w.Body.Len() == 0 {
			t.Fatal("no token when the provider is back")
		}
		cookies = keep(cookies, w)
		time.Sleep(2 * time.Hour)
		if got := attempts(10 * time.Second); !slices.Equal(got, []float64{0, 2, 6}) {
			t.Errorf("after a success attempts after %v seconds", got)
		}
		a.refreshes(t)
	})
}

// A refresh that is under way when the user signs out brings nothing back, and
// leaves no token in force (RFC 7009).
func TestLogoutDuringRefresh(t *testing.T) {
	t.Parallel()
	inStoreToo(t, func(t *testing.T, with offline) {
		a := newTokenApp(t, with)
		a.slowTokens(3 * time.Second)
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(2 * time.Hour)

		var late [2]*httptest.ResponseRecorder
		var wg sync.WaitGroup
		for i, mode := range []string{"navigate", "cors"} {
			wg.Go(func() { late[i] = a.ask(t.Context(), cookies, "/access", "Sec-Fetch-Mode", mode) })
		}
		time.Sleep(time.Second)
		if out := b.post("/logout", nil); out.StatusCode != http.StatusSeeOther {
			t.Fatalf("POST /logout: %d", out.StatusCode)
		}
		wg.Wait()
		if late[0].Code != http.StatusFound || late[1].Code != http.StatusUnauthorized {
			t.Errorf("the requests under way: %d and %d", late[0].Code, late[1].Code)
		}
		for _, w := range late {
			if setsSession(w) {
				t.Errorf("a request under way sets %v", w.Header()["Set-Cookie"])
			}
		}
		for i := range 3 {
			if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound || setsSession(w) {
				t.Errorf("%d hours later the old cookie is worth %d", i, w.Code)
			}
			time.Sleep(time.Hour)
		}
		if a.called("/access") != 0 {
			t.Error("the handler ran")
		}
		a.wantRefreshes(t, 1)

		var revoked []string
		for _, r := range a.provider.Requests(oauthlogintest.Revocation) {
			revoked = append(revoked, r.Form.Get("token"))
		}
		if !slices.Equal(revoked, a.issued()) {
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
		store := &slowStore{Store: newFileStore(t)}
		a := newTokenApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(2 * time.Hour)
		store.slow.Store(true)
		late := make(chan *httptest.ResponseRecorder)
		go func() { late <- a.ask(t.Context(), cookies, "/access") }()
		time.Sleep(time.Second)
		b.post("/logout", nil)
		cookies = keep(cookies, <-late)
		ran := a.called("/access")
		if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusFound || a.called("/access") != ran {
			t.Errorf("after the logout: %d", w.Code)
		}
		a.wantRefreshes(t, 1)
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
		store := &failingStore{Store: newFileStore(t)}
		a := newTokenApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := a.browser(t)
		b.login("/dashboard")
		time.Sleep(time.Hour)
		store.full = true
		fresh := b.get("/access")
		if again := b.get("/access"); fresh.StatusCode != http.StatusOK || fresh.body == "" || again.body != fresh.body {
			t.Errorf("while the disk is full: %d, tokens %q and %q", fresh.StatusCode, fresh.body, again.body)
		}
		store.full = false
		b.get("/access")
		a.restart(t)
		if got := b.get("/access").body; got != fresh.body {
			t.Errorf("after a restart the token is %q, want %q", got, fresh.body)
		}
		a.wantRefreshes(t, 1)
		if !strings.Contains(a.log.String(), "disk full") {
			t.Error("the log does not say why")
		}
		a.leaks(t, "")
	})
}
