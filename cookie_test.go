package oauthlogin_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OAuth 2.0 for Browser-Based Applications section 6.1.3.2: what cookieFaults
// demands of each cookie, over a life with all of them in it.
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
			b.SetCookie(name, "") // lost; the second login in a row is counted
			b.Login("/dashboard")
			want := []string{name, name + ".1", name + ".2", name + ".rounds"}
			for have := range b.Cookies() {
				if !slices.Contains(want, have) && !strings.HasPrefix(have, name+".flow.") {
					t.Errorf("cookie %s", have)
				}
			}
			for _, cookie := range want {
				if b.Cookies()[cookie] == "" {
					t.Errorf("no cookie %s", cookie)
				}
			}
			b.Post("/logout", nil)
			if left := b.Cookies(); len(left) > 0 {
				t.Errorf("after logout: %v", slices.Collect(maps.Keys(left)))
			}
		})
	}
}

// CVE-2025-48947 of nextjs-auth0, CVE-2025-64762 of authkit-nextjs: a cache
// handed one user's session to others.
func TestCaching(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/public", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Set("Vary", "Accept-Encoding")
		})
	}
	b := a.Browser(t)
	b.Login("/dashboard")

	for _, tt := range []struct {
		name, path         string
		signedIn           bool
		cacheControl, vary string
	}{
		{"a page read by nobody", "/", false, "", ""},
		{"a page that tells nobody apart", "/public", false, "public, max-age=60", "Accept-Encoding"},
		{"a page refused", "/dashboard", false, "no-store", ""},
		{"a page that reads the session", "/", true, "private", "Cookie"},
		{"a guarded page", "/dashboard", true, "private", "Cookie"},
		{"a handler that knows better", "/public", true, "public, max-age=60", "Accept-Encoding"},
		{"a login", "/login", false, "no-store", ""},
		{"a login of somebody signed in", "/login", true, "no-store", ""},
		{"a refused callback", "/auth/callback?state=x&code=y", false, "no-store", ""},
		{"a stale callback", "/auth/callback?state=x&code=y", true, "no-store", ""},
		{"a refused logout", "/logout", false, "no-store", ""},
	} {
		visitor := a.Browser(t)
		if tt.signedIn {
			visitor = b
		}
		resp := visitor.Get(tt.path)
		if got := resp.Header.Get("Cache-Control"); got != tt.cacheControl {
			t.Errorf("%s: Cache-Control %q, want %q", tt.name, got, tt.cacheControl)
		}
		if got := strings.Join(resp.Header.Values("Vary"), ","); got != tt.vary {
			t.Errorf("%s: Vary %q, want %q", tt.name, got, tt.vary)
		}
	}
	if resp := a.Browser(t).Get("/"); len(resp.Header) > 1 { // Content-Type
		t.Errorf("a public page got headers: %v", resp.Header)
	}
}

// CVE-2021-32791 of mod_auth_openidc: a static IV.
func TestSealedAnewEachTime(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	rotated := a.Replica(t, func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(2), apptest.Key(1)} })

	seen := map[string]bool{}
	for range 10 {
		_, cookies := visit(rotated, b.Cookies())
		value := cookies[apptest.SessionCookie]
		for i := 0; i+40 <= len(value); i += 40 {
			if part := value[i : i+40]; seen[part] {
				t.Fatal("the same session sealed twice has ciphertext in common")
			} else {
				seen[part] = true
			}
		}
	}
}

// CVE-2023-48309 of next-auth: the cookie of a pending login passed for a
// session.
func TestCookiesOfOnePurposeAreNothingToAnother(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	session := b.Cookies()[apptest.SessionCookie]
	again := a.Browser(t)
	again.Login("/dashboard")
	rounds := again.Cookies()[apptest.SessionCookie+".rounds"]

	attacker := a.Browser(t)
	state := apptest.QueryOf(attacker.Get("/login").Location()).Get("state")
	flowName := attacker.CookieNames(apptest.FlowPrefix)[0]
	flow := attacker.Cookies()[flowName]

	served := a.Called("/api/me")
	for name, value := range map[string]string{
		"a flow": flow, "a flow as the only chunk": "1" + flow, "a flow with a mark": "1" + mark(flow) + flow,
		"the rounds": rounds, "the rounds as the only chunk": "1" + rounds, "the rounds with a mark": "1" + mark(rounds) + rounds,
	} {
		for _, as := range []string{apptest.SessionCookie, apptest.SessionCookie + ".1"} {
			if resp := a.BareBrowser(t).Get("/api/me", "Cookie", as+"="+value); resp.StatusCode != http.StatusFound {
				t.Errorf("%s as %s: %d", name, as, resp.StatusCode)
			}
		}
	}
	if n := a.Called("/api/me"); n != served {
		t.Errorf("handler ran %d times", n-served)
	}
	exchanges := a.Provider.Count(oauthlogintest.Token)
	for name, value := range map[string]string{
		"a session": session, "a session without its first byte": session[1:], "a session without a mark": session[7:], "the rounds": rounds, "the flow of another state": flow,
	} {
		as, of := flowName, state
		if value == flow {
			of = apptest.QueryOf(attacker.Get("/login").Location()).Get("state")
			as = apptest.FlowPrefix + oauth2.S256ChallengeFromVerifier(of)[:16]
		}
		resp := a.BareBrowser(t).Get("/auth/callback?code=x&state="+of, "Cookie", as+"="+value)
		if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" {
			t.Errorf("%s as a flow: %d to %q", name, resp.StatusCode, resp.Location())
		}
	}
	if n := a.Provider.Count(oauthlogintest.Token); n != exchanges {
		t.Errorf("%d codes went to the token endpoint", n-exchanges)
	}
}

// mark is what the chunks of a sealed value begin with.
func mark(sealed string) string { return sealed[len(sealed)-12:][:6] }

// The same keys do not make applications one.
func TestCookieOfAnotherApplication(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")

	for _, tt := range []struct {
		name   string
		as     string // of the session cookie
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
		{"an application over http", "oauthlogin", false, func(o *oauthlogin.Options) {
			o.Providers[0].OAuth2.RedirectURL = "http://localhost/auth/callback"
		}},
	} {
		other := a.Replica(t, tt.change)
		status, _ := visit(other, map[string]string{tt.as: b.Cookies()[apptest.SessionCookie]})
		if opened := status == http.StatusOK; opened != tt.opens {
			t.Errorf("%s: %d", tt.name, status)
		}
	}
}

func TestSealingKeyRotation(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	with := func(keys ...[]byte) *oauthlogin.Middleware {
		return a.Replica(t, func(opts *oauthlogin.Options) { opts.Keys = keys })
	}
	before := b.Cookies()

	status, after := visit(with(apptest.Key(2), apptest.Key(1)), before)
	if status != http.StatusOK || after[apptest.SessionCookie] == before[apptest.SessionCookie] {
		t.Fatalf("a new key in front: status %d, sealed anew: %t", status, after[apptest.SessionCookie] != before[apptest.SessionCookie])
	}
	for _, tt := range []struct {
		name    string
		auth    *oauthlogin.Middleware
		cookies map[string]string
		status  int
	}{
		{"what the new key sealed, while the old one is there", with(apptest.Key(2), apptest.Key(1)), after, http.StatusOK},
		{"what the new key sealed, without the old one", with(apptest.Key(2)), after, http.StatusOK},
		{"what the old key sealed, without it", with(apptest.Key(2)), before, http.StatusFound},
		{"what the old key sealed, as the last of three", with(apptest.Key(3), apptest.Key(2), apptest.Key(1)), before, http.StatusOK},
	} {
		status, again := visit(tt.auth, tt.cookies)
		if status != tt.status {
			t.Errorf("%s: %d", tt.name, status)
		}
		if first := tt.name[:12] == "what the new"; first && again[apptest.SessionCookie] != after[apptest.SessionCookie] {
			t.Errorf("%s: sealed anew", tt.name)
		}
	}
}

// Whatever is done to the cookies, it is no session, no error, and no obstacle
// to the next login: CVE-2023-28625 (a crash), CVE-2024-24814 (the number of
// chunks) of mod_auth_openidc, CVE-2026-34454 of oauth2-proxy (a broken cookie
// that stays).
func TestBrokenSessionCookies(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	signIn := func(extra int) map[string]string {
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(extra) })
		defer a.Provider.EditTokenResponse(nil)
		b := a.Browser(t)
		b.Login("/dashboard")
		return b.Cookies()
	}
	small, large, other := signIn(10), signIn(5000), signIn(5000)
	one, two, three := apptest.SessionCookie, apptest.SessionCookie+".1", apptest.SessionCookie+".2"
	if small[two] != "" || large[three] == "" || other[three] == "" {
		t.Fatal("sessions have other sizes than the rows below expect")
	}
	pairs := func(nameValue ...string) string {
		var b strings.Builder
		for i := 0; i < len(nameValue); i += 2 {
			fmt.Fprintf(&b, "%s=%s; ", nameValue[i], nameValue[i+1])
		}
		return strings.TrimSuffix(b.String(), "; ")
	}
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("%s.%d", one, i), "9"+large[two])
	}
	for _, tt := range []struct {
		name, cookie string
		signedIn     bool
	}{
		{"a session", pairs(one, small[one]), true},
		{"a session of three cookies", pairs(one, large[one], two, large[two], three, large[three]), true},
		{"its cookies in another order", pairs(three, large[three], one, large[one], two, large[two]), true},
		{"the same cookie twice", pairs(one, small[one], one, small[one]), true},
		{"cookies that are not ours", pairs("a", "b", one, small[one], one+"2", "x", "__host-oauthlogin", "x", "oauthlogin", "x"), true},
		{"chunks past the last one", pairs(one, small[one], two, "x", one+".7", "x", one+".99999999", "x"), true},

		{"no value", pairs(one, ""), false},
		{"the number of chunks alone", pairs(one, "1"), false},
		{"a few bytes", pairs(one, small[one][:7]), false},
		{"no chunks", pairs(one, "0"+small[one][1:]), false},
		{"more chunks than there are", pairs(one, "5"+large[one][1:], two, large[two], three, large[three]), false},
		{"more chunks than there can be", pairs(one, "9"+large[one][1:], two, large[two], three, large[three]), false},
		{"99999999 chunks", pairs(one, "99999999"+large[one][1:], two, large[two], three, large[three]), false},
		{"fewer chunks than there are", pairs(one, "2"+large[one][1:], two, large[two], three, large[three]), false},
		{"a negative number of chunks", pairs(one, "-1"+large[one][1:]), false},
		{"the first chunk missing", pairs(two, large[two], three, large[three]), false},
		{"the second chunk missing", pairs(one, large[one], three, large[three]), false},
		{"the last chunk missing", pairs(one, large[one], two, large[two]), false},
		{"an empty chunk", pairs(one, large[one], two, "", three, large[three]), false},
		{"two chunks exchanged", pairs(one, large[one], two, large[three], three, large[two]), false},
		{"a chunk twice", pairs(one, large[one], two, large[two], three, large[two]), false},
		{"a chunk of another write", pairs(one, large[one], two, other[two], three, large[three]), false},
		{"the last chunk of another write", pairs(one, large[one], two, large[two], three, other[three]), false},
		{"the first chunk of another write", pairs(one, other[one], two, large[two], three, large[three]), false},
		{"a chunk of another write with our mark", pairs(one, large[one], two, large[two][:6]+other[two][6:], three, large[three]), false},
		{"500 chunks", pairs(many...), false},
		{"500 chunks beside a session", pairs(append(many, one, large[one])...), false},
		{"a different cookie before it", pairs(one, other[one], one, small[one]), false},
		{"a different cookie after it", pairs(one, small[one], one, "x"), false},
		{"an empty cookie before it", pairs(one, "", one, small[one]), false},
		{"an empty cookie after it", pairs(one, small[one], one, ""), false},
		{"a different chunk planted", pairs(one, large[one], two, large[two], three, large[three], two, "planted"), false},
		{"3,500 other cookies", strings.Repeat("a=b; ", 3500) + pairs(one, small[one]), true},
		{"half of it", pairs(one, small[one][:len(small[one])/2]), false},
		{"one byte less", pairs(one, small[one][:len(small[one])-1]), false},
		{"one byte more", pairs(one, small[one]+"A"), false},
		{"itself twice", pairs(one, small[one]+small[one]), false},
		{"in quotes, cut", pairs(one, `"`+small[one][:90]), false},
		{"percent signs", pairs(one, "1%00%0a%s%s%n"), false},
		{"JSON", pairs(one, `{"user":"alice"}`), false},
		{"a megabyte", pairs(one, "1"+strings.Repeat("A", 1<<20)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			served := a.Called("/api/me")
			resp := a.BareBrowser(t).Get("/api/me", "Cookie", tt.cookie)
			want := http.StatusFound
			if tt.signedIn {
				want = http.StatusOK
			}
			if resp.StatusCode != want || tt.signedIn != (a.Called("/api/me") > served) {
				t.Errorf("%d, handler ran: %t", resp.StatusCode, a.Called("/api/me") > served)
			}
			if resp = a.BareBrowser(t).Get("/", "Cookie", tt.cookie); resp.StatusCode != http.StatusOK {
				t.Errorf("public page: %d", resp.StatusCode)
			}
			b := a.Browser(t)
			cookies, _ := http.ParseCookie(tt.cookie)
			for _, c := range cookies[:min(len(cookies), 100)] {
				b.SetCookie(c.Name, c.Value)
			}
			b.Login("/api/me")
		})
	}
}

// Each byte of each cookie is authenticated.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for name, extra := range map[string]int{"one cookie": 10, "several cookies": 3000} {
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(extra) })
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		delete(cookies, apptest.SessionCookie+".rounds")
		if status, _ := visit(a.Auth, cookies); status != http.StatusOK {
			t.Fatalf("%s: %d", name, status)
		}
		step := 1
		if extra > 1000 {
			step = 7
		}
		for cookie, value := range cookies {
			for i := 0; i < len(value); i += step {
				flipped := []byte(value)
				flipped[i] ^= 0x20 // of letters the case: still base64url
				changed := maps.Clone(cookies)
				changed[cookie] = string(flipped)
				if status, _ := visit(a.Auth, changed); status != http.StatusFound {
					t.Errorf("%s: status %d with byte %d of %d of %s flipped", name, status, i, len(value), cookie)
				}
			}
		}
	}
}

// The budget of a session: every byte travels with every request.
func TestCookieSizes(t *testing.T) {
	t.Parallel()
	keycloak := func(typ string, groups int) map[string]any {
		claims := map[string]any{
			"exp": 1924992000, "iat": 1924988400, "jti": "0f6d2a0e-6d0e-4e0c-8a57-93c5d0f3a111", "iss": "https://sso.corp.test/realms/main",
			"sub": "2d3f1b9c-5a3e-4a58-9a39-0f9b0c4e7a11", "typ": typ, "azp": "app", "sid": "e2b1c9f0-77aa-4f0e-9d2b-6a1f0b3c4d22", "acr": "1",
			"allowed-origins": []string{"https://app.test"}, "scope": "openid profile email", "email_verified": true,
			"name": "Alice Archer", "preferred_username": "alice", "given_name": "Alice", "family_name": "Archer", "email": "alice@example.com",
		}
		ids := []string{"default-roles-main", "offline_access", "uma_authorization", "reports:read", "reports:write"}
		for range groups {
			ids = append(ids, fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rand.IntN(1<<32), rand.IntN(1<<16), rand.IntN(1<<12), rand.IntN(1<<12), rand.IntN(1<<48)))
		}
		claims["realm_access"] = map[string]any{"roles": ids}
		return claims
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
			a := apptest.New(t, apptest.Config{
				Provider: oauthlogintest.Config{JWTAccessTokens: true},
				KeyAlg:   "RS256",
				Change: func(opts *oauthlogin.Options) {
					if tt.groups < 0 {
						apptest.PlainOAuth(opts)
					}
				},
			})
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
			cookies := b.Cookies()
			delete(cookies, apptest.SessionCookie+".rounds")
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
			if tt.warns && (!strings.Contains(log, "Options.Store") || !strings.Contains(log, "8 KiB")) {
				t.Errorf("the warning does not say what to do:\n%s", log)
			}
			a.Provider.EditTokenResponse(nil)
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
		t.Error("half a session")
	}
	a.Provider.EditTokenResponse(nil)
	b.Login("/dashboard")
}

// benlucchesi/grails-cookie-session#45: parallel responses mixed chunks.
func TestSmallerSessionExpiresStaleChunks(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	for _, size := range []struct{ tokens, cookies int }{{5000, 3}, {3000, 2}, {8000, 4}, {11500, 5}, {10, 1}} {
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(size.tokens) })
		b.Login("/dashboard")
		chunks := b.Cookies()
		delete(chunks, apptest.SessionCookie+".rounds")
		if len(chunks) != size.cookies {
			t.Errorf("%d cookies for %d bytes of tokens, want %d", len(chunks), size.tokens, size.cookies)
		}
	}
}

// visit asks for a page behind auth.RequireAuth with these cookies. It returns
// the status, and the cookies as they are afterwards.
func visit(auth *oauthlogin.Middleware, cookies map[string]string) (status int, after map[string]string) {
	r := httptest.NewRequest(http.MethodGet, "https://app.test/page", nil)
	for name, value := range cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	w := httptest.NewRecorder()
	auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	after = maps.Clone(cookies)
	for _, c := range w.Result().Cookies() {
		after[c.Name] = c.Value
	}
	return w.Code, after
}

// jwt has a signature of the size of RS256's.
func jwt(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 256)
	for i := range signature {
		signature[i] = byte(rand.IntN(256))
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"bS9hVx3RrA7tE1nq0cHyJ2fUo6wKzP8dGm5lT4iXeYk"}`)) + "." + encode(payload) + "." + encode(signature)
}
