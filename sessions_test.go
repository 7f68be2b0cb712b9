package oauthlogin_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
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

// longTokens keeps tokens out of the way of tests of the session's own limits.
var longTokens = oauthlogintest.Config{AccessTokenTTL: 300 * 24 * time.Hour, NoRefreshTokens: true}

// The limits hold on the server, whatever the Max-Age of the cookie was and whatever
// the instance remembers of it.
func TestSessionLimits(t *testing.T) {
	const day = 24 * time.Hour
	limits := func(idle, lifetime time.Duration) func(*oauthlogin.Options) {
		return func(opts *oauthlogin.Options) { opts.IdleTimeout, opts.MaxLifetime = idle, lifetime }
	}
	every := func(interval, last time.Duration) (visits []time.Duration) {
		for at := interval; at < last; at += interval {
			visits = append(visits, at)
		}
		return append(visits, last)
	}
	for _, tt := range []struct {
		name   string
		change func(*oauthlogin.Options)
		visits []time.Duration // after the login; at all but the last the user is signed in
		in     bool            // at the last visit
	}{
		{"not used for a second less than a day", nil, []time.Duration{day - time.Second}, true},
		{"not used for a day", nil, []time.Duration{day}, false},
		{"used after 20 hours, and after 20 more", nil, []time.Duration{20 * time.Hour, 40 * time.Hour}, true},
		{"used after 20 hours, and after a day more", nil, []time.Duration{20 * time.Hour, 44 * time.Hour}, false},
		{"used twice a day for a second less than a week", nil, every(day/2, 7*day-time.Second), true},
		{"used twice a day for a week", nil, every(day/2, 7*day), false},
		{"a minute of idleness", limits(time.Minute, time.Hour), []time.Duration{time.Minute}, false},
		{"a lifetime shorter than the idle timeout", limits(0, time.Hour), []time.Duration{30 * time.Minute, time.Hour}, false},
		{"a month of both", limits(30*day, 30*day), []time.Duration{29 * day}, true},
		{"used with the first cookie alone", limits(time.Hour, day), every(7*time.Minute, time.Hour), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Provider: longTokens, Change: tt.change})
				b := a.Browser(t)
				b.Login("/api/me")
				cookies, begin := b.Cookies(), time.Now()
				for i, at := range tt.visits {
					time.Sleep(at - time.Since(begin))
					s, w := apptest.Visit(t, a.Auth, cookies)
					if want := tt.in || i < len(tt.visits)-1; (s != nil) != want || w.Code != map[bool]int{true: http.StatusOK, false: http.StatusFound}[want] {
						t.Fatalf("visit after %v: %d", at, w.Code)
					}
					if !strings.Contains(tt.name, "the first cookie") {
						cookies = apptest.Kept(cookies, w)
					}
				}
			})
		})
	}
}

// GHSA-3rw9-wmc8-8948 of Coder: without a refresh token the session ends with the access
// token, since nothing says after that whether the provider still knows the user.
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
				a := apptest.New(t, apptest.Config{
					Provider: oauthlogintest.Config{NoRefreshTokens: true},
					Change:   func(opts *oauthlogin.Options) { opts.SessionsOutliveTokens = tt.outlive },
				})
				a.Provider.EditTokenResponse(func(resp map[string]any) {
					if tt.endless {
						delete(resp, "expires_in")
					}
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(time.Hour - time.Millisecond)
				if !b.SignedIn() {
					t.Error("signed out before the token expires")
				}
				time.Sleep(time.Millisecond)
				ran := a.Called("/dashboard")
				page, fetch := b.Get("/dashboard"), b.Get("/api/me", "Sec-Fetch-Mode", "cors")
				if tt.signedIn {
					if page.StatusCode != http.StatusOK || fetch.StatusCode != http.StatusOK || !strings.Contains(page.Text, "alice") {
						t.Errorf("after an hour: %d and %d: %s", page.StatusCode, fetch.StatusCode, page.Text)
					}
					if got := b.Get("/token").Text; got != tt.token {
						t.Errorf("after an hour the token: %s", got)
					}
				} else {
					if page.StatusCode != http.StatusFound || fetch.StatusCode != http.StatusUnauthorized || a.Called("/dashboard") != ran {
						t.Errorf("after an hour: %d and %d; the handler ran %d times", page.StatusCode, fetch.StatusCode, a.Called("/dashboard")-ran)
					}
					b.Login("/dashboard")
				}
				a.WantRefreshes(t, 0)
			})
		})
	}
}

// A session is sealed anew after a tenth of the idle timeout and not before:
// each write is a chance for parallel responses to cross.
func TestSessionSealedAnew(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: longTokens})
		b := a.Browser(t)
		resp := b.Get(b.CallbackURL("/login"))
		if maxAge := maxAgeOf(resp, apptest.SessionCookie); maxAge != 24*60*60 {
			t.Errorf("Max-Age %d at login", maxAge)
		}
		for _, visit := range []struct {
			after  time.Duration
			maxAge int // of the cookie; 0: not written
		}{
			{0, 0},
			{time.Hour, 0},
			{day/10 - time.Hour - time.Second, 0},
			{time.Second, 24 * 60 * 60},
			{0, 0},
			{day/10 - time.Second, 0},
			{12 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			// 151 hours, 47 minutes and 59 seconds of 168 hours are over.
			{20 * time.Hour, 16*60*60 + 12*60 + 1},
		} {
			time.Sleep(visit.after)
			resp := b.Get("/api/me")
			if maxAge := maxAgeOf(resp, apptest.SessionCookie); resp.StatusCode != http.StatusOK || maxAge != visit.maxAge {
				t.Errorf("visit after %v more: %d, Max-Age %d, want %d", visit.after, resp.StatusCode, maxAge, visit.maxAge)
			}
		}
	})
}

// A provider that cannot be reached vouches for its users for a day, and no longer.
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
		a.RespondToRefreshes(apptest.RespondWith(503, ""))
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
		if got := b.Get("/").Text; got != "home of nobody" {
			t.Errorf("a public page: %s", got)
		}
		if b.Cookies()[apptest.SessionCookie] != before {
			t.Error("the cookie has changed")
		}
		a.RespondToRefreshes(nil)
		time.Sleep(time.Minute)
		if !b.SignedIn() {
			t.Error("signed out although the provider is back")
		}
	})
	// A token without an expiry gives the provider nothing to vouch for.
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

// maxAgeOf returns the Max-Age of the cookie that resp sets, 0 if it does not.
func maxAgeOf(resp *apptest.Response, name string) int {
	for _, c := range resp.Cookies() {
		if c.Name == name {
			return c.MaxAge
		}
	}
	return 0
}

// A key that is not in Options.Keys any more opens nothing, also on an instance that has
// seen the session.
func TestSealingKeyRotation(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	before := a.SignIn(t, "alice").Cookies()
	with := func(keys ...[]byte) *oauthlogin.Middleware {
		return a.Replica(t, func(opts *oauthlogin.Options) { opts.Keys = keys })
	}
	_, w := apptest.Visit(t, with(apptest.Key(2), apptest.Key(1)), before)
	after := apptest.Kept(before, w)
	for _, tt := range []struct {
		name    string
		auth    *oauthlogin.Middleware
		cookies map[string]string
		in      bool
		anew    bool // sealed
	}{
		{"what the old key sealed, with the new one in front", with(apptest.Key(2), apptest.Key(1)), before, true, true},
		{"what the old key sealed, as the last of three", with(apptest.Key(3), apptest.Key(2), apptest.Key(1)), before, true, true},
		{"what the old key sealed, without it", with(apptest.Key(2)), before, false, false},
		{"what the new key sealed, while the old one is there", with(apptest.Key(2), apptest.Key(1)), after, true, false},
		{"what the new key sealed, without the old one", with(apptest.Key(2)), after, true, false},
	} {
		for range 2 {
			s, w := apptest.Visit(t, tt.auth, tt.cookies)
			if in, anew := s != nil, apptest.SetsSession(w); in != tt.in || anew != tt.anew {
				t.Errorf("%s: signed in: %t, sealed anew: %t", tt.name, in, anew)
			}
		}
	}
}

// An instance keeps the sessions that it has opened, and never takes one for another.
func TestCachedSessionsNeverMix(t *testing.T) {
	same := apptest.Noise(5000)
	for _, size := range []struct {
		name string
		more func() string // of the access token
	}{
		{"one cookie", func() string { return "" }},
		{"three cookies", func() string { return apptest.Noise(5000) }},
		{"three cookies, nearly the same", func() string { return same }},
	} {
		t.Run(size.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "at_hash") })
			const users = 12
			var cookies [users]map[string]string
			for i := range cookies {
				subject := fmt.Sprintf("user-%02d", i)
				a.Provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = "token-of-" + subject + size.more() })
				cookies[i] = a.SignIn(t, subject).Cookies()
			}
			// These have opened nothing yet: at first all requests miss the cache together.
			auths := []*oauthlogin.Middleware{a.Replica(t, nil), a.Replica(t, nil)}
			var wg sync.WaitGroup
			for worker := range 8 {
				wg.Go(func() {
					for round := range 40 {
						i := (worker*5 + round*7) % users
						s, _ := apptest.Visit(t, auths[round%len(auths)], cookies[i])
						subject := fmt.Sprintf("user-%02d", i)
						if s == nil || s.User.Subject != subject || !strings.Contains(string(s.User.RawClaims), subject) ||
							!strings.HasPrefix(s.Token().AccessToken, "token-of-"+subject) {
							t.Errorf("cookies of %s lead to %v", subject, s)
							return
						}
						runtime.Gosched()
					}
				})
			}
			wg.Wait()
		})
	}
}

// On plain http another application of the host may leave a cookie of the same name. The
// one that opens counts, if exactly one does.
func TestTwoCookiesOfOneName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, origin string
		signedIn     bool
	}{
		{"on loopback", "http://localhost:3000", true},
		{"on https", "https://app.test", false},
	} {
		a, b := apptest.SignedIn(t, apptest.Config{Origin: tt.origin})
		var name, value string
		for name, value = range b.Cookies() {
		}
		bare := a.BareBrowser(t)
		get := func(cookies ...string) *apptest.Response {
			return bare.Get("/api/me", "Cookie", strings.Join(cookies, "; "), "Sec-Fetch-Mode", "navigate")
		}
		ours, stale := name+"="+value, name+"=1stale-from-another-application"
		for _, cookies := range [][]string{{ours, stale}, {stale, ours}, {stale, ours, name + "=", ours}} {
			if resp := get(cookies...); (resp.StatusCode == http.StatusOK) != tt.signedIn {
				t.Errorf("%s: %d with %.20q", tt.name, resp.StatusCode, cookies)
			}
		}
		if !tt.signedIn {
			continue
		}
		other := a.Browser(t)
		other.Login("/dashboard")
		for _, cookies := range [][]string{{ours, name + "=" + other.Cookies()[name]}, {stale, name + "=2another"}} {
			if resp := get(cookies...); resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Text, "does not keep you signed in") {
				t.Errorf("both or none: %d to %q", resp.StatusCode, resp.Location())
			}
		}
		// A session that is over does not keep the user from signing in.
		b.LogOut("/")
		if resp := get(ours, stale); resp.StatusCode != http.StatusFound {
			t.Errorf("signed out: %d", resp.StatusCode)
		}
	}
}

// Memory does not grow with the number of sessions.
func TestCacheIsBounded(t *testing.T) {
	const (
		sealed = 2000
		most   = 80 << 20 // bytes; without a bound there would be over 110 MiB
	)
	a := apptest.New(t, apptest.Config{Change: apptest.PlainOAuth})
	// Long in memory, and short in a cookie.
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = strings.Repeat("a", 60_000) })
	cookies := a.SignIn(t, "alice").Cookies()
	with := func(keys ...[]byte) *oauthlogin.Middleware {
		return a.Replica(t, func(opts *oauthlogin.Options) {
			apptest.PlainOAuth(opts)
			opts.Keys = keys
		})
	}
	// What was sealed with the old key is sealed anew for each request.
	rotating, auth := with(apptest.Key(2), apptest.Key(1)), with(apptest.Key(2))
	before := apptest.HeapBytes()
	for range sealed {
		_, w := apptest.Visit(t, rotating, cookies)
		if s, _ := apptest.Visit(t, auth, apptest.Kept(cookies, w)); s == nil {
			t.Fatal("not signed in with the renewed cookies")
		}
	}
	if grown := apptest.HeapBytes() - before; grown > most {
		t.Errorf("%d sealed values take %d MiB, want %d at most", sealed, grown>>20, most>>20)
	}
	runtime.KeepAlive(auth)
}

// OAuth 2.0 for Browser-Based Applications section 6.1.3.2: apptest.Audited checks the
// attributes of each cookie, here over a life with all of them in it.
func TestCookieAttributes(t *testing.T) {
	for _, origin := range []string{"https://app.test", "https://app.test:8443", "http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Origin: origin})
			a.NoEndSession()
			a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
			b := a.Browser(t)
			name := "oauthlogin"
			if strings.HasPrefix(origin, "https:") {
				name = "__Host-" + name
			}

			b.Get("/login?return_to=/abandoned")
			b.Login("/dashboard")
			b.SetCookie(name, "") // lost: the second login in a row is counted
			b.Login("/dashboard")
			names := slices.DeleteFunc(slices.Sorted(maps.Keys(b.Cookies())), func(cookie string) bool { return strings.HasPrefix(cookie, name+".flow.") })
			if want := []string{name, name + ".1", name + ".2", name + ".rounds"}; !slices.Equal(names, want) {
				t.Errorf("cookies %q, want %q", names, want)
			}
			b.Post("/logout", nil)
			if left := b.Cookies(); len(left) > 0 {
				t.Errorf("after logout: %v", slices.Collect(maps.Keys(left)))
			}
		})
	}
}

// CVE-2025-48947 of nextjs-auth0, CVE-2025-64762 of authkit-nextjs: a cache served one
// user's session to others.
func TestCaching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.NoEndSession()
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/public", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "public, max-age=60")
				w.Header().Set("Vary", "Accept-Encoding")
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		want := func(name string, resp *apptest.Response, cacheControl, vary string) {
			t.Helper()
			if got := resp.Header.Get("Cache-Control"); got != cacheControl || len(resp.Cookies()) > 0 && got != "no-store" {
				t.Errorf("%s: Cache-Control %q, want %q", name, got, cacheControl)
			}
			if got := strings.Join(resp.Header.Values("Vary"), ","); got != vary {
				t.Errorf("%s: Vary %q, want %q", name, got, vary)
			}
		}
		for _, tt := range []struct {
			name, path         string
			signedIn           bool
			cacheControl, vary string
		}{
			{"a page read without a session", "/", false, "", ""},
			{"a page that is the same for all", "/public", false, "public, max-age=60", "Accept-Encoding"},
			{"a page refused", "/dashboard", false, "no-store", ""},
			{"a page that reads the session", "/", true, "private", "Cookie"},
			{"a guarded page", "/dashboard", true, "private", "Cookie"},
			{"a handler that knows better", "/public", true, "public, max-age=60", "Accept-Encoding"},
			{"a login", "/login", false, "no-store", ""},
			{"a login while signed in", "/login", true, "no-store", ""},
			{"a refused callback", "/auth/callback?state=x&code=y", false, "no-store", ""},
			{"a stale callback", "/auth/callback?state=x&code=y", true, "no-store", ""},
			{"a refused logout", "/logout", false, "no-store", ""},
		} {
			visitor := a.Browser(t)
			if tt.signedIn {
				visitor = b
			}
			want(tt.name, visitor.Get(tt.path), tt.cacheControl, tt.vary)
		}
		if resp := a.Browser(t).Get("/"); len(resp.Header) > 1 { // Content-Type
			t.Errorf("a public page got headers: %v", resp.Header)
		}
		want("a callback", b.Get(b.CallbackURL("/login?return_to=/")), "no-store", "")
		time.Sleep(3 * time.Hour)
		resp := b.Get("/")
		if len(resp.Cookies()) == 0 {
			t.Error("the session is not sealed anew")
		}
		want("a page that brings a new cookie", resp, "no-store", "Cookie")
		want("a logout", b.Post("/logout", nil), "no-store", "")
	})
}

// The budget of a session: every byte travels with every request.
func TestCookieSizes(t *testing.T) {
	t.Parallel()
	keycloak := func(typ string, groups int) map[string]any {
		ids := []string{"default-roles-main", "offline_access", "uma_authorization", "reports:read", "reports:write"}
		for range groups {
			ids = append(ids, fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rand.IntN(1<<32), rand.IntN(1<<16), rand.IntN(1<<12), rand.IntN(1<<12), rand.IntN(1<<48)))
		}
		return map[string]any{
			"exp": 1924992000, "iat": 1924988400, "jti": "0f6d2a0e-6d0e-4e0c-8a57-93c5d0f3a111", "iss": "https://sso.corp.test/realms/main",
			"sub": "2d3f1b9c-5a3e-4a58-9a39-0f9b0c4e7a11", "typ": typ, "azp": "app", "sid": "e2b1c9f0-77aa-4f0e-9d2b-6a1f0b3c4d22", "acr": "1",
			"allowed-origins": []string{"https://app.test"}, "scope": "openid profile email", "email_verified": true,
			"name": "Alice Archer", "preferred_username": "alice", "given_name": "Alice", "family_name": "Archer", "email": "alice@example.com",
			"realm_access": map[string]any{"roles": ids},
		}
	}
	jwt := func(claims map[string]any) string {
		header := map[string]any{"alg": "RS256", "typ": "JWT", "kid": "bS9hVx3RrA7tE1nq0cHyJ2fUo6wKzP8dGm5lT4iXeYk"}
		return apptest.Compact(header, claims, func(string) []byte { // of the size of RS256's
			signature := make([]byte, 256)
			for i := range signature {
				signature[i] = byte(rand.IntN(256))
			}
			return signature
		})
	}
	for _, tt := range []struct {
		name              string
		groups            int // in each of three JWTs; negative: an opaque access token and a profile
		minTokens         int // bytes of tokens that make the row mean something
		cookies, maxBytes int // names and values; 0: not looked at
		warns             bool
	}{
		{"an access token of 40 bytes and a profile", -1, 40, 1, 450, false},
		{"three RS256 JWTs", 0, 3300, 1, 3200, false},
		{"20 KB of JWTs", 108, 20000, 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			with := apptest.Config{Provider: oauthlogintest.Config{JWTAccessTokens: true}, KeyAlg: "RS256"}
			if tt.groups < 0 {
				with.Change = apptest.PlainOAuth
			}
			a := apptest.New(t, with)
			a.NoEndSession()
			var access string
			tokenBytes := 0
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				delete(claims, "at_hash") // of the access token that is replaced below
				if tt.groups >= 0 {
					claims["realm_access"] = keycloak("ID", tt.groups)["realm_access"]
				}
			})
			a.Provider.EditTokenResponse(func(resp map[string]any) {
				access = "gho_" + strings.Repeat("aB3xY9", 6)
				delete(resp, "refresh_token")
				delete(resp, "scope")
				if tt.groups >= 0 {
					access = jwt(keycloak("Bearer", tt.groups))
					resp["refresh_token"] = jwt(keycloak("Offline", tt.groups))
					tokenBytes = len(resp["refresh_token"].(string)) + len(resp["id_token"].(string))
				}
				resp["access_token"] = access
				tokenBytes += len(access)
			})
			b := a.Browser(t)
			if got := b.Login("/access").Text; got != access {
				t.Errorf("access token of %d bytes came back with %d", len(access), len(got))
			}
			cookies := b.SessionCookies()
			size := 0
			for name, value := range cookies {
				size += len(name) + len(value)
			}
			if tokenBytes < tt.minTokens || tt.cookies > 0 && (len(cookies) != tt.cookies || size > tt.maxBytes) {
				t.Errorf("%d bytes of tokens became %d bytes in %d cookies", tokenBytes, size, len(cookies))
			}
			log := a.Log.String()
			if warned := strings.Contains(log, "level=WARN"); warned != tt.warns {
				t.Errorf("warned: %t\n%s", warned, log)
			}
			if tt.warns && (!strings.Contains(log, "Options.Store") || !strings.Contains(log, "8,192")) {
				t.Errorf("the warning does not say what to do:\n%s", log)
			}
			b.Post("/logout", nil)
			if left := b.Cookies(); len(left) > 0 {
				t.Errorf("%d cookies left after logout", len(left))
			}
		})
	}
}

// auth0/nextjs-auth0#2011, nextauthjs/next-auth#392: sessions that silently fail.
func TestSessionTooLarge(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	before := b.Cookies()

	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(14000) })
	resp := b.Get(b.CallbackURL("/login?return_to=/dashboard"))
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(resp.Text, "more than this site can keep") {
		t.Errorf("%d %s", resp.StatusCode, resp.Text)
	}
	for _, line := range resp.Header["Set-Cookie"] {
		if !strings.HasPrefix(line, apptest.FlowPrefix) {
			t.Errorf("Set-Cookie: %.60s", line)
		}
	}
	if log := a.Log.String(); !strings.Contains(log, "session_too_large") || !strings.Contains(log, "Options.Store") {
		t.Errorf("log does not say what to do:\n%s", log)
	}
	if after := b.Cookies(); !maps.Equal(after, before) || !b.SignedIn() {
		t.Error("the old session is not what it was")
	}
	if stranger := a.Browser(t); stranger.Follow("/login").StatusCode != http.StatusInternalServerError || stranger.SignedIn() {
		t.Error("a new browser has half a session")
	}
	a.Provider.EditTokenResponse(nil)
	b.Login("/dashboard")
}

// benlucchesi/grails-cookie-session#45: parallel responses mixed chunks. A session comes
// back from the browser byte for byte, or there is none, whatever the size of the session
// before it: around each number of cookies, up and down.
func TestSmallerSessionExpiresStaleChunks(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "at_hash") })
	b := a.Browser(t)
	seen := map[int]bool{}
	for i := range 30 {
		size := 100 + i*11%30*457 // 100 to 13,353 bytes in jumps
		token := apptest.Noise(size)
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = token })
		resp := b.Follow("/login?return_to=%2Faccess")
		if resp.StatusCode == http.StatusInternalServerError && size > 11000 {
			seen[0] = true
			continue
		}
		if resp.Text != token {
			t.Fatalf("%d bytes came back as %d %d", size, resp.StatusCode, len(resp.Text))
		}
		n := len(b.SessionCookies())
		seen[n] = true
		fresh := a.Browser(t)
		// The session that replaced others remembers which, in a few bytes.
		if fresh.Login("/access"); len(fresh.SessionCookies()) != n && len(fresh.SessionCookies()) != n-1 {
			t.Errorf("%d bytes in %d cookies, and %d in a new browser", size, n, len(fresh.SessionCookies()))
		}
	}
	for n := range 6 {
		if !seen[n] {
			t.Errorf("no session of %d cookies", n)
		}
	}
}
