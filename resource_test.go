package oauthlogin_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
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

// ordersAPI and the others are APIs of which each wants a token of its own.
const (
	ordersAPI   = "https://orders.test/v1"
	invoicesAPI = "https://invoices.test/"
	auditName   = "audit-log"
)

// An apiServer is an API that shows what it gets.
type apiServer struct {
	mu       sync.Mutex
	tokens   []string // in order
	rejected map[string]bool
	says     http.HandlerFunc // nil: what the token is for
}

func (api *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	api.mu.Lock()
	api.tokens = append(api.tokens, token)
	rejected, says := api.rejected[token], api.says
	api.mu.Unlock()
	switch {
	case rejected:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	case says != nil:
		says(w, r)
	default:
		io.WriteString(w, shownToken(token))
	}
}

// reject has the API reject the last token.
func (api *apiServer) reject() {
	api.mu.Lock()
	defer api.mu.Unlock()
	if api.rejected == nil {
		api.rejected = map[string]bool{}
	}
	api.rejected[api.tokens[len(api.tokens)-1]] = true
}

// calls returns the tokens that came since the last time.
func (api *apiServer) calls() []string {
	api.mu.Lock()
	defer api.mu.Unlock()
	tokens := api.tokens
	api.tokens = nil
	return tokens
}

// shownToken is what a JWT access token is for.
func shownToken(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "no JWT"
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Aud, Scope string }
	json.Unmarshal(payload, &claims)
	return claims.Aud + " " + claims.Scope
}

// withAPIs makes an application that calls APIs: /orders, /invoices and /audit.
func withAPIs(t *testing.T, with apptest.Config) (*apptest.App, *apiServer) {
	t.Helper()
	with.Provider.JWTAccessTokens = true
	with.Provider.Resources = []string{ordersAPI, invoicesAPI, auditName}
	a := apptest.New(t, with)
	return a, serveAPIs(a)
}

func serveAPIs(a *apptest.App) *apiServer {
	api := &apiServer{}
	a.Net["orders.test"], a.Net["invoices.test"] = api, api
	a.Guard("/orders", callFor(a, ordersAPI+"/7", oauthlogin.Resource{URL: ordersAPI}))
	a.Guard("/invoices", callFor(a, invoicesAPI, oauthlogin.Resource{URL: invoicesAPI, Scopes: []string{"profile", "email"}}))
	a.Guard("/audit", callFor(a, invoicesAPI, oauthlogin.Resource{Audience: auditName, Scopes: []string{"email"}}))
	return api
}

// callFor calls an API with a token for a resource, and passes on the response.
func callFor(a *apptest.App, target string, to oauthlogin.Resource) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call, err := http.NewRequestWithContext(r.Context(), http.MethodGet, target, nil)
		if err != nil {
			a.T.Error(err)
			return
		}
		resp, err := a.Auth.ClientFor(r.Context(), to).Do(call)
		if err != nil {
			http.Error(w, fmt.Sprintf("%v (no token: %t, no session: %t)", err, errors.Is(err, oauthlogin.ErrNoToken), errors.Is(err, oauthlogin.ErrNoSession)), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

// RFC 8707 section 2.2, and RFC 6749 section 6 for the scope: each API gets a token of its
// own, which is requested once.
func TestClientFor(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, api := withAPIs(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
		own := b.Get("/access").Text
		for range 3 {
			for path, want := range map[string]string{
				"/orders":   ordersAPI + " openid profile email",
				"/invoices": invoicesAPI + " email profile",
				"/audit":    auditName + " email",
			} {
				if resp := b.Get(path); resp.Text != want {
					t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Text)
				}
			}
		}
		a.WantRefreshes(t, 3)
		if got := b.Get("/access").Text; got != own || slices.Contains(api.calls(), own) {
			t.Error("the session's own token has changed, or has gone out")
		}
		for _, r := range a.Provider.Requests(oauthlogintest.Token)[1:] {
			resource, audience := r.Form["resource"], r.Form["audience"]
			if len(resource)+len(audience) != 1 || r.Form.Get("client_secret") != "" {
				t.Errorf("resource %q, audience %q", resource, audience)
			}
		}

		// The cookie has the rotated refresh token and nothing else of it.
		a.Restart(t)
		if resp := b.Get("/orders"); resp.StatusCode != http.StatusOK {
			t.Errorf("after a restart: %d %s", resp.StatusCode, resp.Text)
		}
		a.WantRefreshes(t, 4)
		time.Sleep(2 * time.Hour)
		if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == own || resp.Text == "" {
			t.Errorf("two hours later: %d", resp.StatusCode)
		}
		a.WantRefreshes(t, 5)
	})
}

// Users of one application have tokens of their own.
func TestResourceTokensOfTwoUsers(t *testing.T) {
	t.Parallel()
	a, api := withAPIs(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	b.Get("/orders")
	a.Provider.AutoApprove("bob")
	other := a.Browser(t)
	other.Login("/dashboard")
	other.Get("/orders")
	if sent := api.calls(); len(sent) != 2 || sent[0] == sent[1] {
		t.Errorf("%d calls, with one token", len(sent))
	}
	a.WantRefreshes(t, 2)
}

// A token for an API lives as long as it says, and is renewed as early as the session's own.
func TestResourceTokensExpire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		expiresIn any // nil: not said
		early     time.Duration
		late      time.Duration
	}{
		{"ten minutes", 600, 9*time.Minute - time.Millisecond, 9 * time.Minute},
		{"not said", nil, 59*time.Minute - time.Millisecond, 59 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, api := withAPIs(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 10 * time.Hour}})
				b := a.Browser(t)
				b.Login("/dashboard")
				a.Provider.EditTokenResponse(func(resp map[string]any) {
					delete(resp, "expires_in")
					if tt.expiresIn != nil {
						resp["expires_in"] = tt.expiresIn
					}
				})
				b.Get("/orders")
				time.Sleep(tt.early)
				b.Get("/orders")
				a.WantRefreshes(t, 1)
				time.Sleep(tt.late - tt.early)
				b.Get("/orders")
				a.WantRefreshes(t, 2)
				if sent := api.calls(); sent[0] != sent[1] || sent[1] == sent[2] {
					t.Error("tokens were not kept, or not renewed")
				}
			})
		})
	}
}

// A rotated refresh token is not lost with the response of the application, nor is the one
// before sent again.
func TestResourceLostResponses(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, _ := withAPIs(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
		for _, path := range []string{"/orders", "/invoices", "/orders", "/audit"} {
			lost := b.Clone()
			if resp := lost.Get(path); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Text)
			}
		}
		time.Sleep(refreshDue)
		if !b.SignedIn() {
			t.Error("the session has ended")
		}
		a.WantRefreshes(t, 4)
	})
}

// The loss of the provider's response costs the session, as that to a refresh does, once the
// provider says so, and not before.
func TestResourceResponseIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := withAPIs(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			next(httptest.NewRecorder(), r)
			http.Error(w, "lost", http.StatusServiceUnavailable)
		})
		for range 3 {
			if resp := b.Get("/orders"); resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		}
		if a.WantRefreshes(t, 1); !b.SignedIn() {
			t.Error("the session has ended")
		}
		a.RespondToRefreshes(nil)
		time.Sleep(5 * time.Second)
		b.Get("/orders")
		if a.WantRefreshes(t, 2); b.SignedIn() {
			t.Error("the session goes on with a refresh token that is spent")
		}
		a.Events.Want(t, "login test/alice", "refresh_failed test/alice error", "refresh_failed test/alice error")
	})
}

// A provider whose tokens have expired already is not asked all the time.
func TestResourceTokensBornExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 0 })
		for range 3 {
			if resp := b.Get("/orders"); resp.StatusCode != http.StatusBadGateway || !strings.Contains(resp.Text, "expired already") {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		}
		a.WantRefreshes(t, 1)
		if len(api.calls()) > 0 || !b.SignedIn() {
			t.Error("the token went out, or the session has ended")
		}
	})
}

// RFC 6750 section 3.1: a 401 response costs one token and one retry, and one that no token
// changes costs no more for ten seconds.
func TestResourceTokenRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Get("/orders")
		api.reject()
		if resp := b.Get("/orders"); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		a.WantRefreshes(t, 2)
		if sent := api.calls(); len(sent) != 3 || sent[1] == sent[2] {
			t.Errorf("%d calls", len(sent))
		}

		time.Sleep(time.Minute)
		api.says = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
		for range 3 {
			if resp := b.Get("/orders"); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		}
		a.WantRefreshes(t, 3)
		if sent := api.calls(); len(sent) != 4 {
			t.Errorf("%d calls", len(sent))
		}
		if !b.SignedIn() {
			t.Error("the session has ended")
		}
	})
}

// Whatever needs the refresh token waits for its turn (RFC 9700 section 4.14.2): requests
// for several APIs, and the refresh of the session's own token.
func TestResourceTokensAtOnce(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, _ := withAPIs(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
		own := b.Get("/access").Text
		time.Sleep(refreshDue)
		a.SlowTokens(time.Second)
		var wg sync.WaitGroup
		for _, path := range []string{"/orders", "/invoices", "/audit", "/access"} {
			for range 10 {
				one := b.Clone()
				wg.Go(func() {
					if resp := one.Get(path); resp.StatusCode != http.StatusOK || resp.Text == own {
						t.Errorf("%s: %d %.60s", path, resp.StatusCode, resp.Text)
					}
				})
			}
		}
		wg.Wait()
		a.WantRefreshes(t, 4)
	})
}

// A refresh of the session's own token that waits for a token of an API is not taken for
// done when that has come.
func TestRefreshBehindAResource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := withAPIs(t, apptest.Config{})
		stream := make(chan struct{})
		a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
			<-stream
			callFor(a, ordersAPI, oauthlogin.Resource{URL: ordersAPI})(w, r)
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		own := b.Get("/access").Text
		var wg sync.WaitGroup
		streaming, other := b.Clone(), b.Clone()
		wg.Go(func() {
			if resp := streaming.Get("/stream"); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		})
		time.Sleep(refreshDue)
		a.SlowTokens(3 * time.Second)
		close(stream)
		time.Sleep(time.Second)
		if resp := other.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == own {
			t.Errorf("%d, the old token: %t", resp.StatusCode, resp.Text == own)
		}
		wg.Wait()
		a.WantRefreshes(t, 2)
	})
}

// What a provider refuses for an API ends no session, and is not asked for all the time.
func TestResourceRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code   string
		status int
		ends   bool
	}{
		{"invalid_target", 400, false},
		{"invalid_scope", 400, false},
		{"unauthorized_client", 400, false},
		{"access_denied", 403, false},
		{"consent_required", 400, false},
		{"invalid_grant", 400, true},
	} {
		t.Run(tt.code, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a, api := withAPIs(t, with)
				b := a.Browser(t)
				b.Login("/dashboard")
				a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
					if r.FormValue("resource") != ordersAPI {
						next(w, r)
						return
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(tt.status)
					fmt.Fprintf(w, `{"error":%q}`, tt.code)
				})
				for range 3 {
					resp := b.Get("/orders")
					if tt.ends && strings.Contains(resp.Text, "unauthenticated") {
						continue
					}
					if resp.StatusCode != http.StatusBadGateway && !tt.ends || !tt.ends && !strings.Contains(resp.Text, tt.code) {
						t.Errorf("%d %s", resp.StatusCode, resp.Text)
					}
				}
				a.WantRefreshes(t, 1)
				if len(api.calls()) > 0 || b.SignedIn() == tt.ends {
					t.Errorf("a call went out, or signed in: %t", !tt.ends)
				}
				if tt.ends {
					return
				}
				if resp := b.Get("/invoices"); resp.StatusCode != http.StatusOK { // which is asked for at once
					t.Errorf("%d %s", resp.StatusCode, resp.Text)
				}
				time.Sleep(10 * time.Second)
				a.RespondToRefreshes(nil)
				if resp := b.Get("/orders"); resp.StatusCode != http.StatusOK {
					t.Errorf("%d %s", resp.StatusCode, resp.Text)
				}
				a.WantRefreshes(t, 3)
				a.Events.Want(t, "login test/alice")
			})
		})
	}
}

// While a provider is away or refuses the next token, the one before is used until it expires.
func TestResourceTokenOutlivesFailures(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"away": 503, "refuses": 400} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, api := withAPIs(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 10 * time.Hour}})
				b := a.Browser(t)
				b.Login("/dashboard")
				a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 600 })
				b.Get("/orders")
				a.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
					http.Error(w, `{"error":"invalid_target"}`, status)
				})
				time.Sleep(9*time.Minute + 30*time.Second)
				for range 3 {
					if resp := b.Get("/orders"); resp.StatusCode != http.StatusOK {
						t.Errorf("while the token lives: %d %s", resp.StatusCode, resp.Text)
					}
				}
				a.WantRefreshes(t, 2)
				time.Sleep(30 * time.Second)
				api.calls()
				if resp := b.Get("/orders"); resp.StatusCode != http.StatusBadGateway || len(api.calls()) > 0 {
					t.Errorf("after its end: %d %s", resp.StatusCode, resp.Text)
				}
				if !b.SignedIn() {
					t.Error("the session has ended")
				}
			})
		})
	}
}

// A request waits for a late token once, and not again for each call of its client. One that
// still lives is used meanwhile, and a stream gets the new one when it has come.
func TestLateResourceTokenIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{false, true} {
		apptest.InBubble(t, fmt.Sprintf("with one that lives: %t", kept), func(t *testing.T) {
			a, api := withAPIs(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 10 * time.Hour}})
			call := callFor(a, ordersAPI, oauthlogin.Resource{URL: ordersAPI})
			a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
				for _, pause := range []time.Duration{0, time.Second, 20 * time.Second} {
					time.Sleep(pause)
					resp := httptest.NewRecorder()
					call(resp, r)
					fmt.Fprintln(w, resp.Code)
				}
			})
			b := a.Browser(t)
			b.Login("/dashboard")
			want := "502\n502\n200\n"
			if kept {
				want = "200\n200\n200\n"
				a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 600 })
				b.Get("/orders")
				time.Sleep(9*time.Minute + 5*time.Second)
			}
			api.calls()
			a.SlowTokens(25 * time.Second)
			start := time.Now()
			if got := b.Get("/stream").Text; got != want || time.Since(start) != 29*time.Second {
				t.Errorf("%q after %v", got, time.Since(start))
			}
			tokens := api.calls()
			if kept && (len(tokens) != 3 || tokens[0] != tokens[1] || tokens[1] == tokens[2]) {
				t.Errorf("the API got %d tokens, or others than the one that lives, twice, and the new one", len(tokens))
			}
		})
	}
}

// Without a refresh token the error says what to do.
func TestClientForNeedsARefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{Provider: oauthlogintest.Config{NoRefreshTokens: true}})
		b := a.Browser(t)
		b.Login("/dashboard")
		resp := b.Get("/orders")
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(resp.Text, "offline_access") || !strings.Contains(resp.Text, "no token: true") || len(api.calls()) > 0 {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

// A session that has ended has no tokens, whatever is in memory.
func TestClientForAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{})
		signedOut := make(chan struct{})
		a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
			<-signedOut
			callFor(a, ordersAPI, oauthlogin.Resource{URL: ordersAPI})(w, r)
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Get("/orders")
		streaming := b.Clone()
		var wg sync.WaitGroup
		wg.Go(func() {
			if resp := streaming.Get("/stream"); !strings.Contains(resp.Text, "no session: true") {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		})
		synctest.Wait()
		api.calls()
		b.LogOut("/")
		close(signedOut)
		wg.Wait()
		if len(api.calls()) > 0 {
			t.Error("the token went out after the logout")
		}
		// Nor has one that ends while the token is on its way.
		other := a.Browser(t)
		other.Login("/dashboard")
		a.SlowTokens(2 * time.Second)
		late := other.Clone()
		wg.Go(func() {
			if resp := late.Get("/orders"); resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		})
		time.Sleep(time.Second)
		other.LogOut("/")
		wg.Wait()
		issued := a.Issued()
		revoked := a.Provider.Requests(oauthlogintest.Revocation)
		if len(api.calls()) > 0 || revoked[len(revoked)-1].Form.Get("token") != issued[len(issued)-1] {
			t.Error("the late token went out, or is not revoked")
		}
	})
}

// A token that comes after the logout does not go out, also if its response rotates no refresh
// token and the logout was at another instance.
func TestLateResourceToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		with := apptest.Config{}
		with.Provider.JWTAccessTokens = true
		with.Provider.Resources = []string{ordersAPI}
		for _, n := range []int{1, 2} {
			f := newFleet(t, n, with)
			api := serveAPIs(f.App)
			b := f.Browser(t)
			b.Login("/dashboard")
			f.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				time.Sleep(2 * time.Second)
				apptest.RespondWith(200, `{"access_token":"late","token_type":"Bearer","expires_in":3600}`)(w, r, next)
			})
			late := b.Clone()
			var wg sync.WaitGroup
			wg.Go(func() {
				if resp := late.Get("/orders"); resp.StatusCode != http.StatusBadGateway {
					t.Errorf("%d instances: %d %s", n, resp.StatusCode, resp.Text)
				}
			})
			time.Sleep(time.Second)
			logout := f.request("https://app.test/logout", b.Cookies())
			logout.Method = http.MethodPost
			logout.Header.Set("Sec-Fetch-Site", "same-origin")
			f.record(f.instances[n-1].Handler(http.NotFoundHandler()), logout)
			wg.Wait()
			if len(api.calls()) > 0 {
				t.Errorf("%d instances: the late token went out", n)
			}
			f.close()
		}
	})
}

// OpenID Connect Core section 12.2.
func TestResourceTokenOfAnotherUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["sub"] = "bob" })
		if resp := b.Get("/orders"); resp.StatusCode == http.StatusOK || len(api.calls()) > 0 || b.SignedIn() {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

func TestResourceFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		for _, tt := range []struct {
			name string
			to   oauthlogin.Resource
			want string
		}{
			{"nothing", oauthlogin.Resource{}, "neither URL nor Audience nor Scopes"},
			{"a path", oauthlogin.Resource{URL: "/v1"}, "not an absolute"},
			{"another scheme", oauthlogin.Resource{URL: "urn:orders"}, "not an absolute"},
			{"a fragment", oauthlogin.Resource{URL: ordersAPI + "#x"}, "has a fragment"},
			{"an empty fragment", oauthlogin.Resource{URL: ordersAPI + "#"}, "has a fragment"},
			{"a password", oauthlogin.Resource{URL: "https://user:pw@orders.test/"}, "has user information"},
			{"two scopes in one", oauthlogin.Resource{URL: ordersAPI, Scopes: []string{"a b"}}, "not a scope"},
			{"another host", oauthlogin.Resource{URL: invoicesAPI}, "another origin"},
			{"another port", oauthlogin.Resource{URL: "https://orders.test:8443/v1"}, "another origin"},
			{"another scheme of the same host", oauthlogin.Resource{URL: "http://orders.test/v1"}, "another origin"},
		} {
			a.Guard("/call", callFor(a, ordersAPI, tt.to))
			if resp := b.Get("/call"); resp.StatusCode != http.StatusBadGateway || !strings.Contains(resp.Text, tt.want) || strings.Contains(resp.Text, "pw") {
				t.Errorf("%s: %d %s", tt.name, resp.StatusCode, resp.Text)
			}
		}
		a.WantRefreshes(t, 0)
		if len(api.calls()) > 0 {
			t.Error("a request went out")
		}
		if _, err := a.Auth.ClientFor(t.Context(), oauthlogin.Resource{URL: ordersAPI}).Get(ordersAPI); !errors.Is(err, oauthlogin.ErrNoSession) {
			t.Errorf("without a session: %v", err)
		}
		// With an audience, URL says where the token goes, and in any spelling.
		a.Guard("/call", callFor(a, ordersAPI, oauthlogin.Resource{URL: "HTTPS://Orders.test:443", Audience: auditName}))
		if resp := b.Get("/call"); resp.Text != auditName+" openid profile email" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		if form := a.Provider.Requests(oauthlogintest.Token)[1].Form; form.Has("resource") {
			t.Errorf("resource %q beside the audience", form["resource"])
		}
	})
}

// The token stays at its origin, whereto an API redirects.
func TestResourceRedirects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := withAPIs(t, apptest.Config{})
		elsewhere := ""
		a.Net["elsewhere.test"] = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere = r.Header.Get("Authorization") + "." })
		api.says = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/", http.StatusFound)
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/orders"); resp.StatusCode != http.StatusOK || elsewhere != "." {
			t.Errorf("%d, elsewhere %q", resp.StatusCode, elsewhere)
		}
	})
}

// Tokens of a session with a key are bound to it (RFC 9449 section 5).
func TestBoundResourceTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := bound(t, apptest.Config{Provider: oauthlogintest.Config{Resources: []string{"https://api.test/"}}})
		api := newBoundAPI(t, a)
		a.Guard("/call", callFor(a, "https://api.test/thing", oauthlogin.Resource{URL: "https://api.test/"}))
		api.nonce = "n1"
		b := a.Browser(t)
		b.Login("/dashboard")
		own := b.Get("/access").Text
		for range 2 {
			if resp := b.Get("/call"); resp.Text != "thing" {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		}
		a.WantRefreshes(t, 1)
		if len(api.sent) != 3 || api.sent[0].Get("Authorization") == "DPoP "+own {
			t.Errorf("%d calls", len(api.sent))
		}
	})
}
