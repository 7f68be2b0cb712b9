package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// refreshWith has the token endpoint respond to refreshes, and lets logins through.
func refreshWith(a *apptest.App, respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)) {
	a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if respond == nil || r.FormValue("grant_type") != "refresh_token" {
			next(w, r)
			return
		}
		respond(w, r, next)
	})
}

var fiveMinutes = oauthlogintest.Config{AccessTokenTTL: 5 * time.Minute}

// RFC 6749 section 5.2: a provider refuses in many words. invalid_grant ends the session
// at once, every other refusal when the access token is over, and what is no refusal
// never does.
func TestRefusedRefreshes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, contentType, body string
		status                  int
		ends                    string // "at once", "with the token" or "never"
	}{
		{"invalid_grant", "application/json", `{"error":"invalid_grant"}`, 400, "at once"},
		{"interaction_required", "application/json", `{"error":"interaction_required"}`, 400, "with the token"},
		{"login_required, 401", "application/json", `{"error":"login_required"}`, 401, "with the token"},
		{"a code of its own, 403", "application/json", `{"error":"AADSTS50078"}`, 403, "with the token"},
		{"no code", "application/json", `{}`, 400, "with the token"},
		{"nothing at all", "", "", 400, "with the token"},
		{"an error with 200", "application/json", `{"error":"consent_required"}`, 200, "with the token"},
		{"invalid_client", "application/json", `{"error":"invalid_client"}`, 401, "never"},
		{"unauthorized_client", "application/json", `{"error":"unauthorized_client"}`, 400, "never"},
		{"temporarily_unavailable", "application/json", `{"error":"temporarily_unavailable"}`, 400, "never"},
		{"use_dpop_nonce", "application/json", `{"error":"use_dpop_nonce"}`, 400, "never"},
		{"a page", "text/html", "<html>blocked", 403, "never"},
		{"404", "application/json", `{"error":"invalid_grant"}`, 404, "never"},
		{"429", "application/json", `{"error":"invalid_grant"}`, 429, "never"},
		{"503", "application/json", `{"error":"invalid_grant"}`, 503, "never"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Provider: fiveMinutes})
				refreshWith(a, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
					w.Header().Set("Content-Type", tt.contentType)
					w.WriteHeader(tt.status)
					io.WriteString(w, tt.body)
				})
				b := a.Browser(t)
				b.Login("/dashboard")
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
				refreshWith(a, nil)
				time.Sleep(2 * time.Minute)
				if token := b.Get("/token").Text; token != "5m0s" {
					t.Errorf("when the provider is back the token lives %s", token)
				}
			})
		})
	}
}

// A refusal ends a session at once if its token never expires, or an API rejects it.
func TestRefusalOfARejectedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		a.Guard("/call", func(w http.ResponseWriter, r *http.Request) {
			if resp, err := a.Auth.Client(r.Context()).Get("https://api.test/"); err == nil {
				resp.Body.Close()
			}
		})
		refreshWith(a, apptest.RespondWith(400, `{"error":"interaction_required"}`))
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Get("/call")
		if b.SignedIn() {
			t.Error("signed in with a token that the API and the provider refuse")
		}
	})
}

// Retry-After of the provider is honored, up to ten minutes.
func TestRefreshRetryAfter(t *testing.T) {
	t.Parallel()
	for after, pause := range map[string]time.Duration{"": 2 * time.Second, "300": 5 * time.Minute, "86400": 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			refreshWith(a, apptest.RespondWith(503, `{}`, "Retry-After", after))
			b := a.Browser(t)
			b.Login("/dashboard")
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

// A provider that cannot be reached vouches for its users for a day, and not for ever.
func TestOutageOfADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.IdleTimeout = 100 * time.Hour }})
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
				s, err := a.Auth.Session(r)
				fmt.Fprint(w, s != nil, err != nil)
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		refreshWith(a, apptest.RespondWith(503, ""))
		time.Sleep(24*time.Hour + 59*time.Minute)
		if !b.SignedIn() {
			t.Error("signed out within a day")
		}
		before := b.Cookies()[apptest.SessionCookie]
		time.Sleep(2 * time.Minute)
		page, script := b.Get("/dashboard"), b.Get("/dashboard", apptest.AsScript...)
		if page.StatusCode != 503 || page.Header.Get("Retry-After") == "" || script.StatusCode != 503 || strings.TrimSpace(script.Text) != `{"error":"unavailable"}` {
			t.Errorf("after a day: %d %v, %d %s", page.StatusCode, page.Header, script.StatusCode, script.Text)
		}
		if got := b.Get("/session").Text; got != "false true" {
			t.Errorf("Session: %s", got)
		}
		if b.Cookies()[apptest.SessionCookie] != before {
			t.Error("the cookie has changed")
		}
		refreshWith(a, nil)
		time.Sleep(time.Minute)
		if !b.SignedIn() {
			t.Error("signed out although the provider is back")
		}
	})
	// A token that does not expire says nothing, and neither does a session without a
	// refresh token.
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.IdleTimeout = 100 * time.Hour }})
		a.Provider.EditTokenResponse(func(resp map[string]any) { delete(resp, "expires_in") })
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(99 * time.Hour)
		if !b.SignedIn() {
			t.Error("a token without an expiry")
		}
	})
}

// A refresh may take a minute; requests wait eight seconds for it at most.
func TestLateRefresh(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		with.Provider = fiveMinutes
		a := apptest.New(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
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

// All claims are of one age: user info that the login has read is read at every refresh.
func TestUserInfoAtRefresh(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AlwaysUserInfo = always }})
			groups := []string{"staff", "admin"}
			a.Provider.EditUserInfo(func(info map[string]any) { info["groups"] = groups; info["theme"] = "dark" })
			if !always { // the ID token has no e-mail address, so that the login reads user info
				a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "email"); delete(claims, "email_verified") })
			}
			b := a.Browser(t)
			b.Login("/dashboard")
			claims := func() (c map[string]any) {
				user := apptest.UserOf(t, b.Get("/dashboard"))
				if err := user.Claims(&c); err != nil {
					t.Fatal(err)
				}
				return c
			}
			if c := claims(); fmt.Sprint(c["groups"]) != "[staff admin]" || c["theme"] != "dark" {
				t.Fatalf("after the login: %v", c)
			}
			groups = []string{"staff"}
			a.Provider.EditUserInfo(func(info map[string]any) { info["groups"] = groups })
			time.Sleep(2 * time.Hour)
			if c := claims(); fmt.Sprint(c["groups"]) != "[staff]" || c["theme"] != nil || c["email"] == nil || c["nonce"] == nil {
				t.Errorf("after a refresh: %v", c)
			}
			// User info that fails leaves the claims as they are.
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(500, "<html>"))
			time.Sleep(2 * time.Hour)
			if c := claims(); fmt.Sprint(c["groups"]) != "[staff]" || !strings.Contains(a.Log.String(), "reading user info failed") {
				t.Errorf("after user info has failed: %v", c)
			}
			// Another subject ends the session.
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(200, `{"sub":"mallory"}`))
			time.Sleep(2 * time.Hour)
			if b.SignedIn() {
				t.Error("signed in with the user info of another subject")
			}
		})
	}
}

// User info that cannot be read fails no login whose ID token is good, and the log says
// what it was.
func TestUserInfoFails(t *testing.T) {
	t.Parallel()
	jwt := apptest.Segment(map[string]any{"alg": "RS256"}) + "." + apptest.Segment(map[string]any{"sub": "alice"}) + ".c2ln"
	for name, tt := range map[string]struct {
		status            int
		contentType, body string
		says              string
	}{
		"401":         {401, "", "", "status 401"},
		"500":         {500, "", "", "status 500"},
		"302":         {302, "", "", "status 302"},
		"a page":      {200, "text/html", "<html>", "user info is a page"},
		"signed":      {200, "application/jwt", jwt, "user info is a signed JWT"},
		"encrypted":   {200, "application/jwt", jwt + ".a.b", "user info is an encrypted JWT"},
		"too long":    {200, "application/json", `{"sub":"alice","x":"` + strings.Repeat("x", 64<<10) + `"}`, "reading user info failed"},
		"mislabelled": {200, "text/html", `{"sub":"alice","name":"From user info"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AlwaysUserInfo = true }})
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(tt.status, tt.body, "Content-Type", tt.contentType))
			b := a.Browser(t)
			b.Login("/dashboard")
			if log := a.Log.String(); !strings.Contains(log, tt.says) || (tt.says == "") == strings.Contains(log, "reading user info failed") {
				t.Errorf("log: %s", log)
			}
		})
	}
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AlwaysUserInfo = true }})
	a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(200, `{"sub":"mallory"}`))
	if resp := a.Browser(t).TryLogin(); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("another subject: %d", resp.StatusCode)
	}
}

// What a provider says of a user is at most 64 KiB, also where a store would keep more.
func TestClaimsAreBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{1 << 10: http.StatusOK, 64 << 10: http.StatusInternalServerError} {
		store := apptest.FileStore(t)
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["padding"] = strings.Repeat("a", size) })
		if resp := a.Browser(t).TryLogin(); resp.StatusCode != want {
			t.Errorf("%d bytes: %d", size, resp.StatusCode)
		}
	}
}

// RFC 6749 section 3.3 has a string; some send a list.
func TestScopeAsAList(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.GuardBy(oauthlogin.Policy{Scopes: []string{"read", "write"}})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["scope"] = []string{"write", "read"} })
	b := a.Browser(t)
	b.Login("/dashboard")
	if resp := b.Get("/guarded"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
}

// A refreshed ID token of another subject ends the session even while keys cannot be
// read; one of the same subject does not.
func TestRefreshWithoutKeys(t *testing.T) {
	t.Parallel()
	for sub, want := range map[string]bool{"alice": true, "mallory": false} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
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
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		older := b.Cookies()
		time.Sleep(2 * time.Hour)
		if !b.SignedIn() {
			t.Fatal("signed out")
		}
		time.Sleep(11 * time.Minute) // the instance forgets what the browser has shown
		b.Get("/dashboard")
		a.Restart(t)
		refreshWith(a, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
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

// An API that rejects everything causes one refresh, and then a pause.
func TestAPIRejectsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		accept := false
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !accept {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		a.Guard("/call", func(w http.ResponseWriter, r *http.Request) {
			resp, err := a.Auth.Client(r.Context()).Get("https://api.test/")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		for range 5 {
			b.Get("/call")
		}
		a.WantRefreshes(t, 1)
		time.Sleep(10 * time.Second)
		for range 5 {
			b.Get("/call")
		}
		a.WantRefreshes(t, 2)
		accept = true
		b.Get("/call")
		accept = false
		b.Get("/call") // one that worked before is refreshed at its first refusal
		a.WantRefreshes(t, 3)
	})
}

// Events have no data race with handlers: an outer handler's goroutine reads the session
// while RequireAuth inside refreshes it.
func TestSessionIsReadDuringRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		inner := a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			json.NewEncoder(w).Encode(s.User)
		}))
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/raced", func(w http.ResponseWriter, r *http.Request) {
				s, _ := oauthlogin.FromContext(r.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for range 1000 {
						if s.User.Subject != "alice" {
							t.Error(s.User.Subject)
						}
					}
				})
				inner.ServeHTTP(w, r)
				wg.Wait()
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(2 * time.Hour)
		if resp := b.Get("/raced"); apptest.UserOf(t, resp).Subject != "alice" {
			t.Error(resp.Text)
		}
		a.WantRefreshes(t, 1)
	})
}

// The client of a stream that outlives its session has none, from the logout on.
func TestClientAfterLogout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.NoEndSession()
		a.Net["api.test"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		errs := make(chan error, 2)
		signedOut := make(chan struct{})
		a.Guard("/stream", func(_ http.ResponseWriter, r *http.Request) {
			client := a.Auth.Client(r.Context())
			for range 2 {
				resp, err := client.Get("https://api.test/")
				if err == nil {
					resp.Body.Close()
				}
				errs <- err
				<-signedOut
			}
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		go a.Ask(context.Background(), cookies, "/stream")
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
		b.LogOut("/")
		close(signedOut)
		if err := <-errs; !errors.Is(err, oauthlogin.ErrNoSession) {
			t.Errorf("after the logout: %v", err)
		}
	})
}

// A sign-in replaces the session that the same user had in the browser. At the logout
// both are over, and both refresh tokens are revoked.
func TestReplacedSessionEndsWithItsSuccessor(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.NoEndSession()
	b := a.Browser(t)
	b.Login("/dashboard")
	first := b.Cookies()
	b.Login("/dashboard")
	b.Login("/dashboard")
	if w := a.Ask(t.Context(), first, "/dashboard"); w.Code != http.StatusOK {
		t.Fatalf("a copy of the first cookie: %d", w.Code)
	}
	b.LogOut("/")
	if w := a.Ask(t.Context(), first, "/dashboard"); w.Code != http.StatusFound {
		t.Errorf("a copy of the first cookie after the logout: %d", w.Code)
	}
	var revoked []string
	for _, r := range a.Provider.Requests(oauthlogintest.Revocation) {
		revoked = append(revoked, r.Form.Get("token"))
	}
	issued := a.Issued()
	slices.Sort(revoked)
	slices.Sort(issued)
	if !slices.Equal(revoked, issued) {
		t.Errorf("%d refresh tokens were issued and %d revoked", len(issued), len(revoked))
	}
	// Another user's session is not affected, and neither is the next one.
	b.Login("/dashboard")
	if !b.SignedIn() {
		t.Error("the next session has ended too")
	}
}

// The response to an older request never takes away the newer session's cookie.
func TestOldRequestsLeaveTheNewCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		older := b.Cookies()
		time.Sleep(3 * time.Hour) // due to be refreshed and sealed anew
		b.Login("/dashboard")
		if w := a.Ask(t.Context(), older, "/dashboard"); w.Code != http.StatusOK || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("a request of the session before: %d %v", w.Code, w.Header()["Set-Cookie"])
		}
		refreshWith(a, apptest.RespondWith(400, `{"error":"invalid_grant"}`))
		time.Sleep(time.Hour)
		if w := a.Ask(t.Context(), older, "/dashboard"); w.Code != http.StatusFound || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("a refused refresh of the session before: %d %v", w.Code, w.Header()["Set-Cookie"])
		}
	})
}

// A cookie that is sealed anew goes out with pages and fetches, and not with files.
func TestFilesSetNoCookie(t *testing.T) {
	t.Parallel()
	for dest, sets := range map[string]bool{
		"document": true, "empty": true, "iframe": true, "": true,
		"image": false, "style": false, "script": false, "font": false, "video": false, "audio": false, "track": false, "manifest": false, "worker": false, "serviceworker": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 5 * time.Hour}})
			b := a.Browser(t)
			b.Login("/dashboard")
			cookies := b.Cookies()
			ask := func() bool {
				w := a.Ask(t.Context(), cookies, "/dashboard", "Sec-Fetch-Dest", dest, "Sec-Fetch-Mode", "no-cors")
				if w.Code != http.StatusOK {
					t.Errorf("%s: %d", dest, w.Code)
				}
				return apptest.SetsSession(w)
			}
			time.Sleep(3 * time.Hour) // a tenth of the idle limit is over
			if got := ask(); got != sets {
				t.Errorf("%s: sets a cookie %t", dest, got)
			}
			time.Sleep(2*time.Hour - 30*time.Second) // a refresh is due, and the token alive
			ask()
			if got := len(a.Refreshes(t)) == 1; got != sets {
				t.Errorf("%s: refreshes while the token lives: %t", dest, got)
			}
			time.Sleep(time.Minute)
			if !ask() {
				t.Errorf("%s: sets no cookie when the token is over", dest)
			}
			a.WantRefreshes(t, 1)
		})
	}
}

// After a logout in the same request, and behind an inner Middleware without a session,
// FromContext has none.
func TestFromContextHasNone(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	inner := apptest.NewAuth(t, apptest.ValidOptions())
	has := func(r *http.Request) string { _, ok := oauthlogin.FromContext(r.Context()); return fmt.Sprint(ok) }
	a.Guard("/out", func(w http.ResponseWriter, r *http.Request) {
		before := has(r)
		a.Auth.SignOut(w, r)
		fmt.Fprint(w, before, has(r))
	})
	a.Guard("/nested", func(w http.ResponseWriter, r *http.Request) {
		outside := has(r)
		inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, outside, has(r))
			a.Auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, has(r)) })).ServeHTTP(w, r)
		})).ServeHTTP(w, r)
	})
	b := a.Browser(t)
	b.Login("/dashboard")
	if got := b.Get("/nested").Text; got != "true falsetrue" && got != "truefalsetrue" {
		t.Errorf("nested: %s", got)
	}
	if got := b.Get("/out").Text; got != "true false" && got != "truefalse" {
		t.Errorf("after SignOut: %s", got)
	}
}

// After the session ran out a logout still leads through the provider, if the browser
// has kept the cookie (OpenID Connect RP-Initiated Logout section 2), with LogoutParams.
func TestLogoutAfterTheSession(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"a token that is over, and no refresh token": 2 * time.Hour, "a session that nobody used": 25 * time.Hour, "a session of eight days": 8 * 24 * time.Hour} {
		apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
			with.Provider.NoRefreshTokens = true
			change := with.Change
			with.Change = func(o *oauthlogin.Options) {
				o.Providers[0].LogoutParams = map[string][]string{"ui_locales": {"de"}}
				if change != nil {
					change(o)
				}
			}
			a := apptest.New(t, with)
			b := a.Browser(t)
			b.Login("/dashboard")
			b.KeepForever()
			time.Sleep(wait)
			if b.SignedIn() {
				t.Fatalf("%s: signed in", name)
			}
			query := apptest.QueryOf(b.LogOut("/bye").Location())
			if query.Get("client_id") != "app" || query.Get("post_logout_redirect_uri") != "https://app.test/" || query.Get("state") == "" || query.Get("ui_locales") != "de" {
				t.Errorf("%s: led to %v", name, query)
			}
			if got := b.LogOut("/bye").Location(); got != "/bye" {
				t.Errorf("%s: the second logout led to %s", name, got)
			}
		})
	}
}
