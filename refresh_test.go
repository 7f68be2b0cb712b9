package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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

// A tokenApp is an application whose guarded path /access shows the access
// token, and that can have more guarded paths.
type tokenApp struct {
	*wiredApp
	opts    oauthlogin.Options // of a.auth
	guarded map[string]http.HandlerFunc
}

func newTokenApp(t *testing.T, with offline) *tokenApp {
	t.Helper()
	a := &tokenApp{guarded: map[string]http.HandlerFunc{}}
	change := with.change
	with.change = func(opts *oauthlogin.Options) {
		if change != nil {
			change(opts)
		}
		a.opts = *opts
	}
	a.wiredApp = newWiredApp(t, with)
	a.provider.SetKeyAlg("EdDSA") // which is quick
	a.guarded["/access"] = func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		if token := s.Token(); token != nil {
			fmt.Fprint(w, token.AccessToken)
		}
	}
	more := a.more
	a.more = func(mux *http.ServeMux) {
		more(mux)
		for path, h := range a.guarded {
			mux.Handle(path, a.auth.RequireAuth(a.count(h)))
		}
	}
	return a
}

// restart forgets everything that is not in a cookie or a store.
func (a *tokenApp) restart(t *testing.T) {
	t.Helper()
	a.auth = newAuth(t, a.opts)
}

// ask sends a request with these cookies straight to the application. No jar
// keeps what comes back, and ctx is what the handlers see.
func (a *tokenApp) ask(ctx context.Context, cookies map[string]string, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Host = "app.test"
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.net["app.test"].ServeHTTP(w, r)
	return w
}

// keep returns the cookies as a browser has them after a response.
func keep(cookies map[string]string, w *httptest.ResponseRecorder) map[string]string {
	cookies = maps.Clone(cookies)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(cookies, c.Name)
		} else {
			cookies[c.Name] = c.Value
		}
	}
	return cookies
}

// setsSession reports whether a response sets a session cookie that is not
// empty.
func setsSession(w *httptest.ResponseRecorder) bool {
	return keep(map[string]string{}, w)[sessionCookie] != ""
}

// refreshes returns the refresh tokens that were sent, and fails the test if
// one was sent again after the provider had accepted it.
func (a *tokenApp) refreshes(t *testing.T) (sent []string) {
	t.Helper()
	spent := map[string]bool{}
	for _, r := range a.provider.Requests(oauthlogintest.Token) {
		if r.Form.Get("grant_type") != "refresh_token" {
			continue
		}
		token := r.Form.Get("refresh_token")
		if spent[token] {
			t.Errorf("refresh token %d was sent again after it was spent", len(sent))
		}
		spent[token] = r.Status == http.StatusOK
		sent = append(sent, token)
	}
	return sent
}

// wantRefreshes fails the test if there were not n refreshes so far.
func (a *tokenApp) wantRefreshes(t *testing.T, n int) {
	t.Helper()
	if got := len(a.refreshes(t)); got != n {
		t.Errorf("%d refreshes, want %d", got, n)
	}
}

// issued returns the refresh tokens that the token endpoint gave out.
func (a *tokenApp) issued() (tokens []string) {
	a.wire.mu.Lock()
	defer a.wire.mu.Unlock()
	for _, answer := range a.wire.answers {
		var resp struct {
			Token string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(answer), &resp) == nil && resp.Token != "" {
			tokens = append(tokens, resp.Token)
		}
	}
	return tokens
}

// slowTokens has the provider take d over each answer to a refresh. The
// rotation is done at once.
func (a *tokenApp) slowTokens(d time.Duration) {
	a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(w, r)
		if r.FormValue("grant_type") == "refresh_token" {
			time.Sleep(d)
		}
	})
}

// inStoreToo runs a test in a bubble, with the session in cookies and on the
// server.
func inStoreToo(t *testing.T, f func(t *testing.T, with offline)) {
	t.Run("in cookies", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, offline{}) })
	})
	t.Run("in a store", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newFileStore(t)
			f(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = store }})
		})
	})
}

func newFileStore(t *testing.T) *sessions.FilesystemStore {
	store := sessions.NewFilesystemStore(t.TempDir(), testKey(3), testKey(4))
	store.MaxLength(0)
	return store
}

func TestRefreshWhenDue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		ttl, before time.Duration
		want        time.Duration // after the login
	}{
		{"a minute before an hour is over", time.Hour, 0, 59 * time.Minute},
		{"earlier, as configured", time.Hour, 10 * time.Minute, 50 * time.Minute},
		{"later, as configured", time.Hour, time.Second, time.Hour - time.Second},
		{"no more than a quarter early", time.Hour, 2 * time.Hour, 45 * time.Minute},
		{"no more than a quarter of a minute early", time.Minute, 0, 45 * time.Second},
		{"no more than a quarter of five seconds early", 5 * time.Second, 0, 3750 * time.Millisecond},
		{"no more often than once a second", time.Second, 0, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newTokenApp(t, offline{
					provider: oauthlogintest.Config{AccessTokenTTL: tt.ttl},
					change:   func(opts *oauthlogin.Options) { opts.RefreshBefore = tt.before },
				})
				b := a.browser(t)
				b.login("/dashboard")
				first := b.get("/access").body

				time.Sleep(tt.want - time.Millisecond)
				if got := b.get("/access").body; got != first {
					t.Errorf("a millisecond too early the token is %q, want %q", got, first)
				}
				a.wantRefreshes(t, 0)

				time.Sleep(time.Millisecond)
				old := b.cookies()[sessionCookie]
				resp := b.get("/access")
				if resp.StatusCode != http.StatusOK || resp.body == first || resp.body == "" {
					t.Errorf("when due: %d, token %q", resp.StatusCode, resp.body)
				}
				if b.cookies()[sessionCookie] == old || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("the answer has no new cookie, or may be cached: %v", resp.Header)
				}
				a.wantRefreshes(t, 1)

				// The cookie holds all of it.
				a.restart(t)
				if got := b.get("/access").body; got != resp.body {
					t.Errorf("after a restart the token is %q, want %q", got, resp.body)
				}
				a.wantRefreshes(t, 1)
			})
		})
	}
}

// Only a request that needs the token has it refreshed.
func TestPublicRoutesRefreshNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newTokenApp(t, offline{})
		b := a.browser(t)
		b.login("/dashboard")
		time.Sleep(2 * time.Hour)
		if resp := b.get("/"); resp.body != "home of alice" {
			t.Errorf("GET /: %s", resp.body)
		}
		a.wantRefreshes(t, 0)
		if resp := b.get("/access"); resp.body == "" {
			t.Error("no token")
		}
		a.wantRefreshes(t, 1)
	})
}

// Of all requests with a token that has expired, one refreshes it (RFC 9700
// section 4.14.2: a second use of a refresh token ends all of its family).
func TestOneRefresh(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		requests int
		slow     time.Duration
		hangsUp  func(i int) bool // after a second
	}{
		{"of requests that come at once", 200, 0, nil},
		{"when the provider takes three seconds", 40, 3 * time.Second, nil},
		{"when every client hangs up", 40, 3 * time.Second, func(int) bool { return true }},
		{"when every second client hangs up", 40, 3 * time.Second, func(i int) bool { return i%2 == 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inStoreToo(t, func(t *testing.T, with offline) {
				a := newTokenApp(t, with)
				a.slowTokens(tt.slow)
				b := a.browser(t)
				b.login("/dashboard")
				first := b.get("/access").body
				cookies := b.cookies()
				time.Sleep(2 * time.Hour)

				answers := make([]*httptest.ResponseRecorder, tt.requests)
				var wg sync.WaitGroup
				for i := range answers {
					wg.Go(func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						if tt.hangsUp != nil && tt.hangsUp(i) {
							time.AfterFunc(time.Second, cancel)
							a.ask(ctx, cookies, "/access")
							return
						}
						answers[i] = a.ask(ctx, cookies, "/access")
					})
				}
				wg.Wait()
				time.Sleep(tt.slow) // those who hung up did not wait
				a.wantRefreshes(t, 1)

				tokens := map[string]bool{}
				for i, w := range answers {
					if w == nil {
						continue
					}
					tokens[w.Body.String()] = true
					if w.Code != http.StatusOK || a.opts.Store == nil && !setsSession(w) {
						t.Errorf("request %d: %d, cookies %v", i, w.Code, w.Header()["Set-Cookie"])
					}
				}
				late := a.ask(t.Context(), cookies, "/access")
				tokens[late.Body.String()] = true
				if len(tokens) != 1 || tokens[first] || tokens[""] {
					t.Errorf("the answers have %d different tokens, want one, and a new one", len(tokens))
				}
				if late.Code != http.StatusOK || a.opts.Store == nil && !setsSession(late) {
					t.Errorf("late request: %d, cookies %v", late.Code, late.Header()["Set-Cookie"])
				}
				a.wantRefreshes(t, 1)

				// And the new cookie goes on from there.
				a.restart(t)
				time.Sleep(2 * time.Hour)
				if w := a.ask(t.Context(), keep(cookies, late), "/access"); w.Code != http.StatusOK || tokens[w.Body.String()] || w.Body.Len() == 0 {
					t.Errorf("two hours later: %d, token %q", w.Code, w.Body)
				}
				a.wantRefreshes(t, 2)
			})
		})
	}
}

// The same on sockets, with the real clock.
func TestOneRefreshOnSockets(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	a.provider.MapTokenResponse(func(resp map[string]any) { resp["expires_in"] = 1 })
	held := func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprint(w, s.Token() != nil)
	}
	a.more = func(mux *http.ServeMux) {
		mux.HandleFunc("/held", held) // refreshes nothing
		mux.Handle("/fresh", a.auth.RequireAuth(http.HandlerFunc(held)))
	}
	b := a.browser(t)
	b.login("/dashboard")
	for b.get("/held").body != "false" { // after a second
		time.Sleep(20 * time.Millisecond)
	}
	a.provider.MapTokenResponse(nil)
	before := a.provider.Count(oauthlogintest.Token)
	cookie := sessionCookie + "=" + b.cookies()[sessionCookie]
	transport := b.client.Transport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = 32 // handshakes take longer than all the rest
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			resp, err := client.Do(b.request(http.MethodGet, "/fresh", nil, "Cookie", cookie))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(body) != "true" {
				t.Errorf("answer is %d: %s", resp.StatusCode, body)
			}
		})
	}
	wg.Wait()
	if n := a.provider.Count(oauthlogintest.Token) - before; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	if resp := b.get("/fresh"); resp.body != "true" {
		t.Errorf("afterwards: %d %s", resp.StatusCode, resp.body)
	}
}

// The cookie with the rotated token reaches no browser, again and again: the
// old cookie goes on to work, however many rotations it is behind.
func TestLostResponses(t *testing.T) {
	t.Parallel()
	inStoreToo(t, func(t *testing.T, with offline) {
		a := newTokenApp(t, with)
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		tokens := map[string]bool{}
		for i := range 5 {
			time.Sleep(time.Hour)
			for range 2 {
				w := a.ask(t.Context(), cookies, "/access")
				if w.Code != http.StatusOK || w.Body.Len() == 0 || a.opts.Store == nil && !setsSession(w) {
					t.Fatalf("hour %d: %d, token %q, cookies %v", i, w.Code, w.Body, w.Header()["Set-Cookie"])
				}
				tokens[w.Body.String()] = true
			}
			a.wantRefreshes(t, i+1)
		}
		if len(tokens) != 5 {
			t.Errorf("%d tokens in five hours", len(tokens))
		}
		if !b.signedIn() {
			t.Error("signed out")
		}
		a.wantRefreshes(t, 5)
	})
}

// refreshAs signs somebody else in and refreshes his tokens an hour later:
// memory is tidied while it is in use.
func (a *tokenApp) refreshAs(t *testing.T, subject string) {
	t.Helper()
	a.provider.AutoApprove(subject)
	b := a.browser(t)
	b.login("/dashboard")
	time.Sleep(time.Hour)
	if !b.signedIn() {
		t.Fatalf("%s is signed out", subject)
	}
}

// What no browser has shown to have is kept while the session may be used.
func TestUnseenTokensAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newTokenApp(t, offline{})
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(2 * time.Hour)
		lost := a.ask(t.Context(), cookies, "/access").Body.String()
		a.refreshAs(t, "bob")
		time.Sleep(19 * time.Hour)
		a.refreshAs(t, "carol")
		if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK || w.Body.Len() == 0 || w.Body.String() == lost {
			t.Errorf("21 hours after its response was lost: %d, token %q", w.Code, w.Body)
		}
		a.wantRefreshes(t, 4)
	})
}

// A provider that is down when the lost response's tokens are due ends nothing.
func TestUnseenTokensOutliveAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newTokenApp(t, offline{})
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(time.Hour)
		a.ask(t.Context(), cookies, "/access") // lost
		time.Sleep(time.Hour)
		a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusServiceUnavailable, ""))
		if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK { // lost too
			t.Fatalf("while the provider is down: %d", w.Code)
		}
		a.provider.Intercept(oauthlogintest.Token, nil)
		a.refreshAs(t, "bob")
		if w := a.ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("after the outage: %d, token %q", w.Code, w.Body)
		}
		a.refreshes(t)
	})
}

// Requests that set out with the old cookie get the new tokens and the new
// cookie, also when another has shown the new cookie meanwhile.
func TestLateRequests(t *testing.T) {
	t.Parallel()
	inStoreToo(t, func(t *testing.T, with offline) {
		a := newTokenApp(t, with)
		b := a.browser(t)
		b.login("/dashboard")
		old := b.cookies()
		time.Sleep(5 * time.Minute)
		a.provider.AutoApprove("bob")
		other := a.browser(t)
		other.login("/dashboard")
		time.Sleep(55 * time.Minute)
		fresh := b.get("/access").body
		b.get("/access") // shows the new cookie
		for range 9 {
			time.Sleep(time.Minute)
			w := a.ask(t.Context(), old, "/access")
			if w.Code != http.StatusOK || w.Body.String() != fresh {
				t.Fatalf("late request: %d, token %q, want %q", w.Code, w.Body, fresh)
			}
			if a.opts.Store == nil && !setsSession(w) {
				t.Fatal("late request gets no new cookie")
			}
			other.get("/access") // with whose refresh memory is tidied
		}
		a.wantRefreshes(t, 2)
	})
}

// A handler that takes long sends its cookies last: those of before a refresh
// overwrite those of after it.
func TestSlowResponseOverwritesTheNewerCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newTokenApp(t, offline{provider: oauthlogintest.Config{AccessTokenTTL: 3 * time.Hour}})
		a.guarded["/slow"] = func(http.ResponseWriter, *http.Request) { time.Sleep(9 * time.Minute) }
		b := a.browser(t)
		b.login("/dashboard")
		cookies := b.cookies()
		time.Sleep(3*time.Hour - 2*time.Minute) // a new cookie is due, new tokens are not

		slow := make(chan *httptest.ResponseRecorder)
		go func() { slow <- a.ask(t.Context(), cookies, "/slow") }()
		time.Sleep(time.Minute)
		quick := a.ask(t.Context(), cookies, "/access")
		a.wantRefreshes(t, 1)
		newer := keep(cookies, quick)
		if w := a.ask(t.Context(), newer, "/access"); w.Code != http.StatusOK || w.Body.String() != quick.Body.String() {
			t.Fatalf("with the newer cookie: %d", w.Code)
		}
		late := <-slow
		if !setsSession(late) {
			t.Fatal("the slow response sets no cookie, and overwrites none")
		}
		w := a.ask(t.Context(), keep(newer, late), "/access")
		if w.Code != http.StatusOK || w.Body.String() != quick.Body.String() || !setsSession(w) {
			t.Errorf("with the overwritten cookie: %d, token %q, want %q", w.Code, w.Body, quick.Body)
		}
		a.wantRefreshes(t, 1)
	})
}

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

// RFC 6749 section 5.1, and the values of expires_in that are seen in the
// wild: none makes a token that lives for ever, or is refreshed all the time.
func TestExpiresInOfRefresh(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	for _, tt := range []struct {
		expiresIn string // "": none
		token     string // "expired", "unknown" or how long it lives
		refreshes int    // in 70 seconds with a request in each
	}{
		{"", "unknown", 1},
		{"null", "unknown", 1},
		{"3600", "1h0m0s", 1},
		{`"3600"`, "1h0m0s", 1},
		{"60", "1m0s", 2},
		{"1.5", "1s", 35},
		{"1", "1s", 70},
		{"0.001", "0s", 70},
		{"0", "expired", 2},
		{"-1", "expired", 2},
		{"-4294963696", "expired", 2}, // 3600 in 32 bits
		{`""`, "expired", 2},
		{`"soon"`, "expired", 2},
		{`"NaN"`, "expired", 2},
		{"true", "expired", 2},
		{"[3600]", "expired", 2},
		{`{}`, "expired", 2},
		{"1e400", year.String(), 1},
		{"9223372036854775807", year.String(), 1},
	} {
		t.Run(tt.expiresIn, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newTokenApp(t, offline{})
				b := a.browser(t)
				b.login("/dashboard")
				time.Sleep(time.Hour)
				a.provider.MapTokenResponse(func(resp map[string]any) {
					delete(resp, "expires_in")
					if tt.expiresIn != "" {
						resp["expires_in"] = json.RawMessage(tt.expiresIn)
					}
				})
				if got := b.get("/token").body; got != tt.token {
					t.Errorf("token: %s, want %s", got, tt.token)
				}
				for range 69 {
					time.Sleep(time.Second)
					if resp := b.get("/token"); resp.StatusCode != http.StatusOK {
						t.Fatalf("answer is %d", resp.StatusCode)
					}
				}
				a.wantRefreshes(t, tt.refreshes)
			})
		})
	}
}

// Without a refresh token the session ends with the access token: nothing says
// after that whether the provider still knows the user (Coder
// GHSA-3rw9-wmc8-8948).
func TestSessionWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		endless  bool // no expires_in
		outlive  bool
		signedIn bool   // when an hour is over
		token    string // then
	}{
		{"ends with the access token", false, false, false, ""},
		{"goes on when that is asked for", false, true, true, "expired"},
		{"goes on when no end is known", true, false, true, "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newTokenApp(t, offline{
					provider: oauthlogintest.Config{NoRefreshTokens: true},
					change:   func(opts *oauthlogin.Options) { opts.InsecureOutliveTokens = tt.outlive },
				})
				a.provider.MapTokenResponse(func(resp map[string]any) {
					if tt.endless {
						delete(resp, "expires_in")
					}
				})
				b := a.browser(t)
				b.login("/dashboard")
				time.Sleep(time.Hour - time.Millisecond)
				if !b.signedIn() {
					t.Error("signed out before the token expires")
				}
				time.Sleep(time.Millisecond)
				ran := a.called("/dashboard")
				page, fetch := b.get("/dashboard"), b.get("/api/me", "Sec-Fetch-Mode", "cors")
				if tt.signedIn {
					if page.StatusCode != http.StatusOK || fetch.StatusCode != http.StatusOK || !strings.Contains(page.body, "alice") {
						t.Errorf("after an hour: %d and %d: %s", page.StatusCode, fetch.StatusCode, page.body)
					}
					if got := b.get("/token").body; got != tt.token {
						t.Errorf("after an hour the token: %s", got)
					}
				} else {
					if page.StatusCode != http.StatusFound || fetch.StatusCode != http.StatusUnauthorized || a.called("/dashboard") != ran {
						t.Errorf("after an hour: %d and %d; the handler ran %d times", page.StatusCode, fetch.StatusCode, a.called("/dashboard")-ran)
					}
					b.login("/dashboard")
				}
				a.wantRefreshes(t, 0)
			})
		})
	}
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
