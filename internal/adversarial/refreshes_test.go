package adversarial_test

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

// OpenID Connect Core section 12.2: what the ID token of a refresh has to be, if there
// is one. internal/protocol has the whole table. OpenID Foundation:
// oidcc-client-test-refresh-token-invalid-issuer,
// oidcc-client-test-refresh-token-invalid-sub.
func TestIDTokenOfRefresh(t *testing.T) {
	t.Parallel()
	edit := func(f func(header, claims map[string]any)) func(*apptest.App) {
		return func(a *apptest.App) { a.Provider.EditIDToken(f) }
	}
	respond := func(f func(resp map[string]any)) func(*apptest.App) {
		return func(a *apptest.App) { a.Provider.EditTokenResponse(f) }
	}
	for _, tt := range []struct {
		name   string
		change func(a *apptest.App)
		ok     bool
	}{
		{"as it was", func(*apptest.App) {}, true},
		{"is missing", respond(func(resp map[string]any) { delete(resp, "id_token") }), true},
		{"is empty", respond(func(resp map[string]any) { resp["id_token"] = "" }), true},
		{"is signed with a new key", func(a *apptest.App) { a.Provider.RotateKeys() }, true},
		{"is signed with a new key that cannot be fetched", func(a *apptest.App) {
			a.Provider.RotateKeys()
			a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(http.StatusServiceUnavailable, apptest.Hostile))
		}, true},
		{"is signed with a new key that is not sent", func(a *apptest.App) {
			a.Provider.RotateKeys()
			a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/jwks" {
					return nil, io.ErrUnexpectedEOF
				}
				return nil, nil
			})
		}, true},

		{"is of another issuer", edit(apptest.Claim("iss", "https://evil.test")), false},
		{"is of another subject", edit(apptest.Claim("sub", "bob")), false},
		{"is of no subject", edit(apptest.Without("sub")), false},
		{"is for another client too", edit(apptest.Claim("aud", []string{"app", "other"})), false},
		{"has another nonce", edit(apptest.Claim("nonce", "n-0S6_WzA2Mj")), false},
		{"has expired", edit(fromNow("exp", -2*time.Minute)), false},
		{"belongs to another access token", edit(apptest.Claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")), false},
		{"says alg none", edit(apptest.JOSE("alg", "none")), false},
		{"has another signature", respond(func(resp map[string]any) {
			raw := resp["id_token"].(string)
			resp["id_token"] = raw[:strings.LastIndex(raw, ".")+1] + strings.Repeat("A", 86)
		}), false},
		{"is not a JWT", respond(func(resp map[string]any) { resp["id_token"] = "hostile" }), false},
		{"is a megabyte of dots", respond(func(resp map[string]any) { resp["id_token"] = strings.Repeat(".", 1<<19) }), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				first := b.Get("/access").Text
				time.Sleep(time.Hour)
				tt.change(a)
				ran := a.Called("/access")
				resp := b.Get("/access")
				a.Leaks(t, "")
				if tt.ok {
					if resp.StatusCode != http.StatusOK || resp.Text == "" || resp.Text == first {
						t.Fatalf("response is %d, token %q", resp.StatusCode, resp.Text)
					}
					a.Wire.CutBy(nil)
					a.Provider.Intercept(oauthlogintest.JWKS, nil)
					time.Sleep(time.Hour)
					if resp := b.Get("/api/me"); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Text, `"Subject":"alice"`) {
						t.Errorf("an hour later: %d %s", resp.StatusCode, resp.Text)
					}
					a.WantRefreshes(t, 2)
					return
				}
				if resp.StatusCode != http.StatusFound || a.Called("/access") != ran {
					t.Errorf("response is %d: %s", resp.StatusCode, resp.Text)
				}
				if len(b.Cookies()) != 0 {
					t.Errorf("cookies left: %v", b.Cookies())
				}
				b.Get("/access")
				a.WantRefreshes(t, 1)
				a.Provider.EditIDToken(nil)
				a.Provider.EditTokenResponse(nil)
				b.Login("/dashboard")
			})
		})
	}
}

// OpenID Connect Core section 12.2: the nonce that counts is that of the login,
// also when refreshes in between had none.
func TestNonceOfLaterRefresh(t *testing.T) {
	t.Parallel()
	for name, same := range map[string]bool{"the nonce of the login": true, "another nonce": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(time.Hour)
				b.Get("/access") // its ID token has no nonce
				nonce := "n-0S6_WzA2Mj"
				if same {
					nonce = a.Provider.Requests(oauthlogintest.Authorization)[0].Query.Get("nonce")
				}
				a.Provider.EditIDToken(apptest.Claim("nonce", nonce))
				time.Sleep(time.Hour)
				if resp := b.Get("/access"); (resp.StatusCode == http.StatusOK) != same {
					t.Errorf("response is %d", resp.StatusCode)
				}
			})
		})
	}
}

// OpenID Connect Core section 12.2: aud is the same as at the login, even if another one
// would have been accepted then.
func TestAudienceOfRefresh(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		login, later any
		ok           bool
	}{
		{"the same ones in another order", []string{"app", "api"}, []string{"api", "app"}, true},
		{"one more", "app", []string{"app", "api"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
					opts.Providers[0].TrustedAudiences = []string{"api"}
				}})
				a.Provider.EditIDToken(apptest.Claim("aud", tt.login))
				b := a.Browser(t)
				b.Login("/dashboard")
				a.Provider.EditIDToken(apptest.Claim("aud", tt.later))
				time.Sleep(time.Hour)
				if resp := b.Get("/access"); (resp.StatusCode == http.StatusOK) != tt.ok {
					t.Errorf("response is %d", resp.StatusCode)
				}
				a.WantRefreshes(t, 1)
			})
		})
	}
}

// When the provider says that the grant has ended, so does the session
// (draft-ietf-oauth-browser-based-apps section 6.1.2.2), and it is not asked again.
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

// Anything but a refusal is the provider's fault: the session goes on, with its token
// while that lives and without one afterwards, until the provider is back.
// internal/protocol has the table of responses.
func TestFailedRefreshKeepsTheSession(t *testing.T) {
	t.Parallel()
	respond := func(status int, body string, header ...string) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(status, body, header...))
		}
	}
	for _, tt := range []struct {
		name string
		by   func(a *apptest.App)
	}{
		{"status 503 with invalid_grant", respond(http.StatusServiceUnavailable, `{"error":"invalid_grant"}`)},
		{"status 429", respond(http.StatusTooManyRequests, `{"error":"invalid_grant"}`, "Retry-After", "30")},
		{"status 403 with a page", respond(http.StatusForbidden, apptest.Hostile)},
		{"a page with status 200", respond(http.StatusOK, apptest.Hostile)},
		{"nothing", respond(http.StatusOK, "")},
		{"a token of another type", respond(http.StatusOK, `{"access_token":"a-hostile-token","token_type":"mac","expires_in":3600}`)},
		{"invalid_client", respond(http.StatusUnauthorized, `{"error":"invalid_client"}`)},
		{"temporarily_unavailable", respond(http.StatusBadRequest, `{"error":"temporarily_unavailable"}`)},
		{"a redirect", respond(http.StatusTemporaryRedirect, "", "Location", "https://evil.test/token")},
		{"a redirect that drops the method", respond(http.StatusFound, "", "Location", "https://evil.test/token")},
		{"more than a mebibyte", respond(http.StatusOK, `{"access_token":"too-large","token_type":"Bearer","x":"`+strings.Repeat("x", 1<<20)+`"}`)},
		{"a connection that breaks", func(a *apptest.App) {
			a.Wire.CutBy(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		}},
		{"no response", func(a *apptest.App) { a.Wire.CutBy(untilDone) }},
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

// Attempts are two seconds apart, then twice as long each time, a minute at most; a
// success starts over.
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

// A refresh in progress when the user signs out does not bring the session back, and
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
			t.Errorf("the requests in progress: %d and %d", late[0].Code, late[1].Code)
		}
		for _, w := range late {
			if apptest.SetsSession(w) {
				t.Errorf("a request in progress sets %v", w.Header()["Set-Cookie"])
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

// Nor does a write of the session to a store.
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
