package oauthlogin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

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
				a := apptest.New(t, apptest.Config{
					Provider: oauthlogintest.Config{AccessTokenTTL: tt.ttl},
					Change:   func(opts *oauthlogin.Options) { opts.RefreshBefore = tt.before },
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				first := b.Get("/access").Text

				time.Sleep(tt.want - time.Millisecond)
				if got := b.Get("/access").Text; got != first {
					t.Errorf("a millisecond too early the token is %q, want %q", got, first)
				}
				a.WantRefreshes(t, 0)

				time.Sleep(time.Millisecond)
				old := b.Cookies()[apptest.SessionCookie]
				resp := b.Get("/access")
				if resp.StatusCode != http.StatusOK || resp.Text == first || resp.Text == "" {
					t.Errorf("when due: %d, token %q", resp.StatusCode, resp.Text)
				}
				if b.Cookies()[apptest.SessionCookie] == old || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("the response has no new cookie, or may be cached: %v", resp.Header)
				}
				a.WantRefreshes(t, 1)

				// The cookie holds all of it.
				a.Restart(t)
				if got := b.Get("/access").Text; got != resp.Text {
					t.Errorf("after a restart the token is %q, want %q", got, resp.Text)
				}
				a.WantRefreshes(t, 1)
			})
		})
	}
}

// Only a request that needs the token has it refreshed.
func TestPublicRoutesRefreshNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		time.Sleep(2 * time.Hour)
		if resp := b.Get("/"); resp.Text != "home of alice" {
			t.Errorf("GET /: %s", resp.Text)
		}
		a.WantRefreshes(t, 0)
		if resp := b.Get("/access"); resp.Text == "" {
			t.Error("no token")
		}
		a.WantRefreshes(t, 1)
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
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := apptest.New(t, with)
				a.SlowTokens(tt.slow)
				b := a.Browser(t)
				b.Login("/dashboard")
				first := b.Get("/access").Text
				cookies := b.Cookies()
				time.Sleep(2 * time.Hour)

				responses := make([]*httptest.ResponseRecorder, tt.requests)
				var wg sync.WaitGroup
				for i := range responses {
					wg.Go(func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						if tt.hangsUp != nil && tt.hangsUp(i) {
							time.AfterFunc(time.Second, cancel)
							a.Ask(ctx, cookies, "/access")
							return
						}
						responses[i] = a.Ask(ctx, cookies, "/access")
					})
				}
				wg.Wait()
				time.Sleep(tt.slow) // those who hung up did not wait
				a.WantRefreshes(t, 1)

				tokens := map[string]bool{}
				for i, w := range responses {
					if w == nil {
						continue
					}
					tokens[w.Body.String()] = true
					if w.Code != http.StatusOK || a.Opts.Store == nil && !apptest.SetsSession(w) {
						t.Errorf("request %d: %d, cookies %v", i, w.Code, w.Header()["Set-Cookie"])
					}
				}
				late := a.Ask(t.Context(), cookies, "/access")
				tokens[late.Body.String()] = true
				if len(tokens) != 1 || tokens[first] || tokens[""] {
					t.Errorf("the responses have %d different tokens, want one, and a new one", len(tokens))
				}
				if late.Code != http.StatusOK || a.Opts.Store == nil && !apptest.SetsSession(late) {
					t.Errorf("late request: %d, cookies %v", late.Code, late.Header()["Set-Cookie"])
				}
				a.WantRefreshes(t, 1)

				// And the new cookie goes on from there.
				a.Restart(t)
				time.Sleep(2 * time.Hour)
				if w := a.Ask(t.Context(), apptest.Kept(cookies, late), "/access"); w.Code != http.StatusOK || tokens[w.Body.String()] || w.Body.Len() == 0 {
					t.Errorf("two hours later: %d, token %q", w.Code, w.Body)
				}
				a.WantRefreshes(t, 2)
			})
		})
	}
}

// The same on sockets, by the real clock.
func TestOneRefreshOnSockets(t *testing.T) {
	t.Parallel()
	a := apptest.NewTLS(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 1 })
	held := func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprint(w, s.Token() != nil)
	}
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/held", held) // refreshes nothing
		mux.Handle("/fresh", a.Auth.RequireAuth(http.HandlerFunc(held)))
	}
	b := a.Browser(t)
	b.Login("/dashboard")
	for b.Get("/held").Text != "false" { // after a second
		time.Sleep(20 * time.Millisecond)
	}
	a.Provider.EditTokenResponse(nil)
	before := a.Provider.Count(oauthlogintest.Token)
	cookie := apptest.SessionCookie + "=" + b.Cookies()[apptest.SessionCookie]
	transport := b.Client.Transport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = 32 // handshakes take longer than all the rest
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			resp, err := client.Do(b.Request(http.MethodGet, "/fresh", nil, "Cookie", cookie))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(body) != "true" {
				t.Errorf("response is %d: %s", resp.StatusCode, body)
			}
		})
	}
	wg.Wait()
	if n := a.Provider.Count(oauthlogintest.Token) - before; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	if resp := b.Get("/fresh"); resp.Text != "true" {
		t.Errorf("afterwards: %d %s", resp.StatusCode, resp.Text)
	}
}

// However often the cookie with the rotated token is lost on its way, the old cookie
// still works, many rotations behind.
func TestLostResponses(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, b := apptest.SignedIn(t, with)
		cookies := b.Cookies()
		tokens := map[string]bool{}
		for i := range 5 {
			time.Sleep(time.Hour)
			for range 2 {
				w := a.Ask(t.Context(), cookies, "/access")
				if w.Code != http.StatusOK || w.Body.Len() == 0 || a.Opts.Store == nil && !apptest.SetsSession(w) {
					t.Fatalf("hour %d: %d, token %q, cookies %v", i, w.Code, w.Body, w.Header()["Set-Cookie"])
				}
				tokens[w.Body.String()] = true
			}
			a.WantRefreshes(t, i+1)
		}
		if len(tokens) != 5 {
			t.Errorf("%d tokens in five hours", len(tokens))
		}
		if !b.SignedIn() {
			t.Error("signed out")
		}
		a.WantRefreshes(t, 5)
	})
}

// Tokens that no browser has sent back yet are kept while the session may be used.
func TestUnseenTokensAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		cookies := b.Cookies()
		time.Sleep(2 * time.Hour)
		lost := a.Ask(t.Context(), cookies, "/access").Body.String()
		refreshAs(t, a, "bob")
		time.Sleep(19 * time.Hour)
		refreshAs(t, a, "carol")
		if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK || w.Body.Len() == 0 || w.Body.String() == lost {
			t.Errorf("21 hours after its response was lost: %d, token %q", w.Code, w.Body)
		}
		a.WantRefreshes(t, 4)
	})
}

// A provider that is down when the lost response's tokens are due ends nothing.
func TestUnseenTokensOutliveAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		cookies := b.Cookies()
		time.Sleep(time.Hour)
		a.Ask(t.Context(), cookies, "/access") // lost
		time.Sleep(time.Hour)
		a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusServiceUnavailable, ""))
		if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK { // lost too
			t.Fatalf("while the provider is down: %d", w.Code)
		}
		a.Provider.Intercept(oauthlogintest.Token, nil)
		refreshAs(t, a, "bob")
		if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("after the outage: %d, token %q", w.Code, w.Body)
		}
		a.Refreshes(t)
	})
}

// refreshAs signs another user in and refreshes the tokens an hour later: memory is
// tidied while it is in use.
func refreshAs(t *testing.T, a *apptest.App, subject string) {
	t.Helper()
	a.Provider.AutoApprove(subject)
	b := a.Browser(t)
	b.Login("/dashboard")
	time.Sleep(time.Hour)
	if !b.SignedIn() {
		t.Fatalf("%s is signed out", subject)
	}
}

// Requests with the old cookie get the new tokens and the new cookie, even after another
// request has sent the new cookie.
func TestLateRequests(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, b := apptest.SignedIn(t, with)
		old := b.Cookies()
		time.Sleep(5 * time.Minute)
		a.Provider.AutoApprove("bob")
		other := a.Browser(t)
		other.Login("/dashboard")
		time.Sleep(55 * time.Minute)
		fresh := b.Get("/access").Text
		b.Get("/access") // shows the new cookie
		for range 9 {
			time.Sleep(time.Minute)
			w := a.Ask(t.Context(), old, "/access")
			if w.Code != http.StatusOK || w.Body.String() != fresh {
				t.Fatalf("late request: %d, token %q, want %q", w.Code, w.Body, fresh)
			}
			if a.Opts.Store == nil && !apptest.SetsSession(w) {
				t.Fatal("late request gets no new cookie")
			}
			other.Get("/access") // with whose refresh memory is tidied
		}
		a.WantRefreshes(t, 2)
	})
}

// A slow handler sends its cookies last: older ones overwrite those of a refresh.
func TestSlowResponseOverwritesTheNewerCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 3 * time.Hour}})
		a.Guard("/slow", func(http.ResponseWriter, *http.Request) { time.Sleep(9 * time.Minute) })
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(3*time.Hour - 2*time.Minute) // a new cookie is due, new tokens are not

		slow := make(chan *httptest.ResponseRecorder)
		go func() { slow <- a.Ask(t.Context(), cookies, "/slow") }()
		time.Sleep(time.Minute)
		quick := a.Ask(t.Context(), cookies, "/access")
		a.WantRefreshes(t, 1)
		newer := apptest.Kept(cookies, quick)
		if w := a.Ask(t.Context(), newer, "/access"); w.Code != http.StatusOK || w.Body.String() != quick.Body.String() {
			t.Fatalf("with the newer cookie: %d", w.Code)
		}
		late := <-slow
		if !apptest.SetsSession(late) {
			t.Fatal("the slow response sets no cookie, and overwrites none")
		}
		w := a.Ask(t.Context(), apptest.Kept(newer, late), "/access")
		if w.Code != http.StatusOK || w.Body.String() != quick.Body.String() || !apptest.SetsSession(w) {
			t.Errorf("with the overwritten cookie: %d, token %q, want %q", w.Code, w.Body, quick.Body)
		}
		a.WantRefreshes(t, 1)
	})
}

// A refresh may take a minute; requests wait eight seconds for it at most.
func TestLateRefresh(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		with.Provider = fiveMinutes
		a, b := apptest.SignedIn(t, with)
		time.Sleep(4*time.Minute + 30*time.Second)
		first := b.Get("/token").Text // refreshed in time
		time.Sleep(4*time.Minute + 30*time.Second)
		a.SlowTokens(50 * time.Second)
		start := time.Now()
		if got := b.Get("/token").Text; time.Since(start) != 8*time.Second || got != "22s" {
			t.Errorf("waited %v for a token of %s, first %s", time.Since(start), got, first)
		}
		time.Sleep(45 * time.Second)
		if got := b.Get("/token"); got.StatusCode != http.StatusOK || got.Text != "4m7s" {
			t.Errorf("after the late response: %d %s", got.StatusCode, got.Text)
		}
		a.WantRefreshes(t, 2)
	})
}

// A refreshed ID token of another subject ends the session even while keys cannot be
// read; one of the same subject does not.
func TestRefreshWithoutKeys(t *testing.T) {
	t.Parallel()
	for sub, want := range map[string]bool{"alice": true, "mallory": false} {
		synctest.Test(t, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{})
			a.Provider.RotateKeys()
			a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(503, ""))
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims["sub"] = sub })
			time.Sleep(2 * time.Hour)
			if got := b.SignedIn(); got != want {
				t.Errorf("%s: signed in %t", sub, got)
			}
		})
	}
}

// An older cookie whose refresh token is spent ends itself, and not the newer
// generation.
func TestRefusalOfAnOlderCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		older := b.Cookies()
		time.Sleep(2 * time.Hour)
		if !b.SignedIn() {
			t.Fatal("signed out")
		}
		time.Sleep(11 * time.Minute) // the instance forgets what the browser has shown
		b.Get("/dashboard")
		a.Restart(t)
		a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			if r.FormValue("refresh_token") == a.Issued()[0] {
				apptest.RespondWith(400, `{"error":"invalid_grant"}`)(w, r, next)
				return
			}
			next(w, r)
		})
		if w := a.Ask(t.Context(), older, "/dashboard"); w.Code != http.StatusFound {
			t.Errorf("the older cookie: %d", w.Code)
		}
		if !b.SignedIn() {
			t.Error("the newer cookie has ended with it")
		}
		if w := a.Ask(t.Context(), older, "/dashboard"); w.Code != http.StatusFound {
			t.Errorf("the older cookie again: %d", w.Code)
		}
	})
}

// RFC 6749 section 5.1: whatever expires_in says, no token lives for ever or is refreshed
// all the time. internal/protocol has all the values.
func TestExpiresInOfRefresh(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		expiresIn string // "": none
		token     string // "expired", "unknown" or how long it lives
		refreshes int    // in 70 seconds with a request in each
	}{
		{"", "unknown", 1},
		{`"3600"`, "1h0m0s", 1},
		{"60", "1m0s", 2},
		{"1.5", "1s", 35},
		{"1", "1s", 70},
		{"0.001", "0s", 70},
		{"0", "expired", 2},
		{"-4294963696", "expired", 2}, // 3600 in 32 bits
		{`"soon"`, "expired", 2},
		{"[3600]", "expired", 2},
		{"1e400", (365 * 24 * time.Hour).String(), 1},
	} {
		t.Run(tt.expiresIn, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := apptest.SignedIn(t, apptest.Config{})
				time.Sleep(time.Hour)
				a.Provider.EditTokenResponse(func(resp map[string]any) {
					delete(resp, "expires_in")
					if tt.expiresIn != "" {
						resp["expires_in"] = json.RawMessage(tt.expiresIn)
					}
				})
				if got := b.Get("/token").Text; got != tt.token {
					t.Errorf("token: %s, want %s", got, tt.token)
				}
				for range 69 {
					time.Sleep(time.Second)
					if resp := b.Get("/token"); resp.StatusCode != http.StatusOK {
						t.Fatalf("response is %d", resp.StatusCode)
					}
				}
				a.WantRefreshes(t, tt.refreshes)
			})
		})
	}
}

var fiveMinutes = oauthlogintest.Config{AccessTokenTTL: 5 * time.Minute}

// RFC 6749 section 5.2: a provider refuses in many words. invalid_grant ends the session
// at once, every other refusal when the access token expires. An error that is no
// refusal never does.
func TestRefusedRefreshes(t *testing.T) {
	t.Parallel()
	const inJSON = "application/json"
	for _, tt := range []struct {
		name        string
		status      int
		body        string
		contentType string
		ends        string // "at once", "with the token" or "never"
	}{
		{"invalid_grant", 400, `{"error":"invalid_grant"}`, inJSON, "at once"},
		{"interaction_required", 400, `{"error":"interaction_required"}`, inJSON, "with the token"},
		{"login_required, 401", 401, `{"error":"login_required"}`, inJSON, "with the token"},
		{"a code of its own, 403", 403, `{"error":"AADSTS50078"}`, inJSON, "with the token"},
		{"no code", 400, `{}`, inJSON, "with the token"},
		{"nothing at all", 400, "", "", "with the token"},
		{"an error with 200", 200, `{"error":"consent_required"}`, inJSON, "with the token"},
		{"invalid_client", 401, `{"error":"invalid_client"}`, inJSON, "never"},
		{"unauthorized_client", 400, `{"error":"unauthorized_client"}`, inJSON, "never"},
		{"temporarily_unavailable", 400, `{"error":"temporarily_unavailable"}`, inJSON, "never"},
		{"use_dpop_nonce", 400, `{"error":"use_dpop_nonce"}`, inJSON, "never"},
		{"a page", 403, "<html>blocked", "text/html", "never"},
		{"404", 404, `{"error":"invalid_grant"}`, inJSON, "never"},
		{"429", 429, `{"error":"invalid_grant"}`, inJSON, "never"},
		{"503", 503, `{"error":"invalid_grant"}`, inJSON, "never"},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{Provider: fiveMinutes})
			a.RespondToRefreshes(apptest.RespondWith(tt.status, tt.body, "Content-Type", tt.contentType))
			time.Sleep(4*time.Minute + 30*time.Second) // a refresh is due, and the token alive
			if got, want := b.SignedIn(), tt.ends != "at once"; got != want {
				t.Fatalf("while the token lives: signed in %t", got)
			}
			time.Sleep(time.Minute)
			if got, want := b.SignedIn(), tt.ends == "never"; got != want {
				t.Errorf("after the token: signed in %t", got)
			}
			if misconfigured := strings.HasSuffix(tt.name, "_client"); strings.Contains(a.Log.String(), "level=ERROR") != misconfigured {
				t.Errorf("log: %s", a.Log)
			}
			if tt.ends != "never" {
				return
			}
			a.RespondToRefreshes(nil)
			time.Sleep(2 * time.Minute)
			if token := b.Get("/token").Text; token != "5m0s" {
				t.Errorf("when the provider is back the token lives %s", token)
			}
		})
	}
}

// The provider's Retry-After counts, up to ten minutes (RFC 9110 section 10.2.3).
func TestRefreshRetryAfter(t *testing.T) {
	t.Parallel()
	for after, pause := range map[string]time.Duration{"": 2 * time.Second, "300": 5 * time.Minute, "86400": 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{})
			a.RespondToRefreshes(apptest.RespondWith(503, `{}`, "Retry-After", after))
			time.Sleep(2 * time.Hour)
			b.Get("/dashboard")
			time.Sleep(pause - time.Second)
			b.Get("/dashboard")
			a.WantRefreshes(t, 1)
			time.Sleep(time.Second)
			b.Get("/dashboard")
			a.WantRefreshes(t, 2)
		})
	}
}

// RFC 6749 section 6: the client discards the old refresh token and replaces
// it with the new one. OpenID Foundation: oidcc-client-test-refresh-token.
func TestRotation(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, b := apptest.SignedIn(t, with)
		for range 5 {
			time.Sleep(2 * time.Hour)
			if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
				t.Fatalf("response is %d, token %q", resp.StatusCode, resp.Text)
			}
			a.Restart(t) // nothing of it is in memory alone
		}
		if sent, issued := a.Refreshes(t), a.Issued(); !slices.Equal(sent, issued[:5]) || len(issued) != 6 {
			t.Errorf("sent %d refresh tokens, issued %d: not each the one that came last", len(sent), len(issued))
		}
		last := a.Provider.Requests(oauthlogintest.Token)[5]
		for _, name := range []string{"redirect_uri", "code_verifier", "scope"} {
			if last.Form.Has(name) {
				t.Errorf("the refresh has a %s", name)
			}
		}
	})
}

// RFC 6749 section 6: a response may have no new refresh token.
func TestResponseWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	for _, member := range []string{``, `,"refresh_token":null`, `,"refresh_token":{}`} {
		t.Run(member, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := apptest.SignedIn(t, apptest.Config{})
				first := a.Issued()[0]
				n := 0
				a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
					n++
					fmt.Fprintf(w, `{"access_token":"access-token-%d","token_type":"bearer","expires_in":3600%s}`, n, member)
				})
				for i := range 3 {
					time.Sleep(time.Hour)
					if resp := b.Get("/access"); resp.Text != fmt.Sprintf("access-token-%d", i+1) {
						t.Errorf("hour %d: %d, token %q", i, resp.StatusCode, resp.Text)
					}
					a.Restart(t)
				}
				for i, r := range a.Provider.Requests(oauthlogintest.Token)[1:] {
					if r.Form.Get("refresh_token") != first {
						t.Errorf("refresh %d has another refresh token than the only one", i)
					}
				}
				if n != 3 {
					t.Errorf("%d refreshes", n)
				}
			})
		})
	}
}

// The ID token of a refresh updates the user; when and how the user signed in stays as
// it was (OpenID Connect Core section 12.2).
func TestRefreshUpdatesUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
			{Subject: "alice", Name: "Alice", Email: "a@example.com", EmailVerified: true, Claims: map[string]any{"groups": []string{"admin", "staff"}, "amr": []string{"pwd"}}},
		}}})
		a.Guard("/user", func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			var claims map[string]any
			if err := s.User.Claims(&claims); err != nil {
				t.Error(err)
			}
			json.NewEncoder(w).Encode(map[string]any{"user": s.User, "claims": claims})
		})
		type page struct {
			User   oauthlogin.User
			Claims map[string]any
		}
		b := a.Browser(t)
		user := func() (p page) {
			t.Helper()
			if err := json.Unmarshal([]byte(b.Get("/user").Text), &p); err != nil {
				t.Fatal(err)
			}
			return p
		}
		b.Login("/dashboard")
		before := user()

		a.Provider.EditIDToken(func(_, claims map[string]any) {
			claims["name"], claims["email"] = "Alice Archer", "new@example.com"
			delete(claims, "email_verified")
			claims["groups"] = []string{"staff"}
			claims["auth_time"], claims["acr"], claims["amr"] = time.Now().Unix(), "phr", []string{"hwk"}
		})
		time.Sleep(time.Hour)
		after := user() // the request that refreshes sees it
		a.Restart(t)
		for when, p := range map[string]page{"at once": after, "after a restart": user()} {
			if p.User.Name != "Alice Archer" || p.User.Email != "new@example.com" || p.User.EmailVerified {
				t.Errorf("%s: %+v", when, p.User)
			}
			if got := fmt.Sprintf("%v %v %v %v", p.Claims["groups"], p.Claims["name"], p.Claims["email"], p.Claims["email_verified"]); got != "[staff] Alice Archer new@example.com <nil>" {
				t.Errorf("%s the claims: %s", when, got)
			}
			for _, name := range []string{"auth_time", "acr", "amr"} {
				if before.Claims[name] == nil || fmt.Sprint(p.Claims[name]) != fmt.Sprint(before.Claims[name]) {
					t.Errorf("%s %s is %v, was %v", when, name, p.Claims[name], before.Claims[name])
				}
			}
			if p.User.Subject != "alice" || p.User.Provider != "test" || p.User.Issuer != a.Provider.Issuer() {
				t.Errorf("%s: %+v", when, p.User)
			}
		}
	})
}

// A request waits for a late refresh once, and not again for each call of its client.
// A stream gets the tokens when they have come.
func TestLateRefreshIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		with.Provider = fiveMinutes
		a := apptest.New(t, with)
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/stream", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, pause := range []time.Duration{0, time.Second, 20 * time.Second} {
					time.Sleep(pause)
					resp, err := a.Auth.Client(r.Context()).Get("https://provider.test/userinfo")
					if err == nil {
						resp.Body.Close()
					}
					fmt.Fprintln(w, err == nil)
				}
			})))
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(5 * time.Minute)
		a.SlowTokens(25 * time.Second)
		start := time.Now()
		if got := b.Get("/stream").Text; got != "false\nfalse\ntrue\n" || time.Since(start) != 29*time.Second {
			t.Errorf("%q after %v", got, time.Since(start))
		}
	})
}

// When the provider ends a session, a login that is pending in another tab goes on.
func TestEndOfTheGrantLeavesPendingLogins(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(2 * time.Hour)
		callback := b.CallbackURL("/login?return_to=%2Fdashboard")
		a.RespondToRefreshes(apptest.RespondWith(400, `{"error":"invalid_grant"}`))
		if b.SignedIn() || b.Cookies()[apptest.SessionCookie] != "" {
			t.Fatalf("signed in with %v", b.CookieNames(""))
		}
		if resp := b.Get(callback); resp.Location() != "/dashboard" || !b.SignedIn() {
			t.Errorf("the other tab: %d to %q", resp.StatusCode, resp.Location())
		}
	})
}

// The refusal of a refresh whose session was over before says nothing of the session that the
// browser has by then.
func TestLateRefusalLeavesTheNextSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*apptest.App, *apptest.Browser){
		"after a logout":                  func(_ *apptest.App, b *apptest.Browser) { b.LogOut("/") },
		"after a sign-in of someone else": func(a *apptest.App, _ *apptest.Browser) { a.Provider.AutoApprove("bob") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := apptest.New(t, with)
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(59*time.Minute + 30*time.Second)
				a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
					time.Sleep(3 * time.Second)
					apptest.RespondWith(400, `{"error":"invalid_grant"}`)(w, r, next)
				})
				var wg sync.WaitGroup
				wg.Go(func() { b.Get("/api/me", apptest.AsScript...) })
				time.Sleep(time.Second)
				end(a, b)
				b.Login("/dashboard")
				wg.Wait()
				if !b.SignedIn() {
					t.Error("the response to the older request has ended the newer session")
				}
			})
		})
	}
}

// A session does not keep the claims of its login because those of a refresh are too large.
func TestRefreshBoundsClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := apptest.FileStore(t)
		a := apptest.New(t, apptest.Config{
			Provider: oauthlogintest.Config{AccessTokenTTL: 10 * time.Minute},
			Change:   func(opts *oauthlogin.Options) { opts.Store = store },
		})
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["groups"] = "admin" })
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["padding"] = strings.Repeat("a", 64<<10) })
		time.Sleep(9*time.Minute + 30*time.Second)
		if got := b.Get("/guarded"); got.StatusCode == http.StatusOK || b.SignedIn() {
			t.Errorf("%d: %.80s", got.StatusCode, got.Text)
		}
	})
}
