package oauthlogin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

var verifierPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// RFC 6749 section 4.1.1, RFC 7636 section 4, OpenID Connect Core section
// 3.1.2.1, RFC 9700 section 2.1.
func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	advertise := func(methods any) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditDiscovery(func(doc map[string]any) {
				if delete(doc, "code_challenge_methods_supported"); methods != nil {
					doc["code_challenge_methods_supported"] = methods
				}
			})
		}
	}
	for _, test := range []struct {
		name   string
		scopes []string
		setUp  func(*apptest.App)
		scope  string
	}{
		{"no scopes", nil, nil, "openid"},
		{"scopes without openid", []string{"email"}, nil, "openid email"},
		{"scopes with openid", []string{"profile", "openid"}, nil, "profile openid"},
		{"a provider that does not speak of PKCE", nil, advertise(nil), "openid"},
		{"a provider that speaks of plain PKCE alone", nil, advertise([]string{"plain"}), "openid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].OAuth2.Scopes = test.scopes }})
			if test.setUp != nil {
				test.setUp(a)
			}
			b := a.Browser(t)
			resp, params := b.StartLogin("/login?return_to=%2Fdashboard%3Fsecret%3D1")
			if !strings.HasPrefix(resp.Location(), a.Provider.Issuer()+"/authorize?") || strings.Contains(resp.Location(), "#") {
				t.Errorf("redirect to %s", resp.Location())
			}
			for name, want := range map[string]string{
				"response_type": "code", "client_id": "app", "redirect_uri": "https://app.test/auth/callback",
				"scope": test.scope, "code_challenge_method": "S256",
			} {
				if params.Get(name) != want {
					t.Errorf("%s is %q; want %q", name, params.Get(name), want)
				}
			}
			for name, values := range params {
				if len(values) != 1 {
					t.Errorf("%s occurs %d times", name, len(values))
				}
				// OAuth 2.1 section 4.1.1: nothing of ours to read for others.
				if strings.Contains(values[0], "dashboard") {
					t.Errorf("%s is %q and tells the return path", name, values[0])
				}
			}
			if len(params) != 8 {
				t.Errorf("parameters %v", params)
			}

			cb := b.CallbackURL(resp.Location())
			if resp := b.Get(cb); resp.StatusCode != http.StatusSeeOther || resp.Location() != "/dashboard?secret=1" {
				t.Fatalf("callback: %d to %q", resp.StatusCode, resp.Location())
			}
			sent := a.Provider.Requests(oauthlogintest.Token)
			if len(sent) != 1 {
				t.Fatalf("%d token requests", len(sent))
			}
			form := sent[0].Form
			verifier := form.Get("code_verifier")
			if !verifierPattern.MatchString(verifier) {
				t.Errorf("code_verifier %q", verifier)
			}
			if sum := sha256.Sum256([]byte(verifier)); base64.RawURLEncoding.EncodeToString(sum[:]) != params.Get("code_challenge") {
				t.Error("code_challenge is not the hash of code_verifier")
			}
			if verifier == params.Get("state") || verifier == params.Get("nonce") {
				t.Error("code_verifier was sent before, by another name")
			}
			if form.Get("grant_type") != "authorization_code" || form.Get("redirect_uri") != params.Get("redirect_uri") {
				t.Errorf("token request %v", form)
			}
		})
	}
}

// RFC 9700 section 2.1.1: values of their own for each login. Every bit of
// them varies: 256 bits are 256 random bits.
func TestFreshValuesForEachLogin(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	const logins = 100
	seen := map[string]bool{}
	ones := map[string]*[256]int{}
	for range logins {
		u, err := url.Parse(a.Serve(http.MethodGet, "/login").Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			value := u.Query().Get(name)
			b, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil || len(b) != 32 {
				t.Fatalf("%s %q is not 256 bits", name, value)
			}
			if seen[value] {
				t.Fatalf("%s %q occurs twice", name, value)
			}
			seen[value] = true
			if ones[name] == nil {
				ones[name] = &[256]int{}
			}
			for i := range 256 {
				ones[name][i] += int(b[i/8] >> (i % 8) & 1)
			}
		}
	}
	for name, counts := range ones {
		for i, n := range counts {
			if n == 0 || n == logins { // by chance once in 2^90
				t.Errorf("bit %d of %s is always the same", i, name)
			}
		}
	}
}

// RFC 9700 section 4.13, CVE-2026-53523 of Nezha, GHSA-vrw8-fxc6-2r93 of chi:
// nothing about us is taken from the request.
func TestRequestHeadersChangeNothing(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for _, header := range [][]string{
		{"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Proto", "http"},
		{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443", "X-Forwarded-Prefix", "/evil.example"},
		{"Forwarded", "host=evil.example;proto=http"},
		{"X-Original-URL", "/evil.example"},
		{"X-Forwarded-Uri", "//evil.example", "X-Rewrite-URL", "//evil.example"},
		{"Origin", "https://evil.example", "Referer", "https://evil.example/"},
	} {
		for _, target := range []string{"https://app.test/login", "https://evil.example/login", "http://evil.example:8080/login"} {
			w := a.Serve(http.MethodGet, target, header...)
			u, err := url.Parse(w.Header().Get("Location"))
			if err != nil || w.Code != http.StatusSeeOther {
				t.Fatalf("%s with %q: %d to %q", target, header, w.Code, w.Header().Get("Location"))
			}
			if got := u.Query().Get("redirect_uri"); got != "https://app.test/auth/callback" {
				t.Errorf("%s with %q: redirect_uri %q", target, header, got)
			}
			if all := fmt.Sprint(w.Header()); strings.Contains(all, "evil") || strings.Contains(all, "Access-Control") {
				t.Errorf("%s with %q: headers %s", target, header, all)
			}
		}
		w := a.Serve(http.MethodGet, "https://evil.example/dashboard", append(header, "Accept", "text/html")...)
		if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != "/login?return_to=%2Fdashboard" {
			t.Errorf("/dashboard with %q: %d to %q", header, w.Code, got)
		}
	}
}

// CVE-2025-67716 of nextjs-auth0, gothic's ?state=: a link to the login page
// sets nothing but the return path and the provider.
func TestLoginQueryInjectsNothing(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AuthParams = url.Values{"prompt": {"consent"}} }})
	random := func(params url.Values) (fixed string) {
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			params.Del(name)
		}
		return params.Encode()
	}
	_, params := a.Browser(t).StartLogin("/login")
	want := random(params)
	for _, query := range []string{
		"scope=admin&state=attacker&redirect_uri=https%3A%2F%2Fattacker.example%2F",
		"client_id=attacker&response_type=token&response_mode=fragment&nonce=attacker",
		"code_challenge=attacker&code_challenge_method=plain&code_verifier=attacker",
		"prompt=none&max_age=0&acr_values=attacker&login_hint=attacker&request_uri=https%3A%2F%2Fattacker.example%2F&request=attacker",
		"return_to=%2Fx%26scope%3Dattacker%26state%3Dattacker",
		"return_to=%2Fx%3Fa%26redirect_uri%3Dhttps%3A%2F%2Fattacker.example",
		"return_to=%2Fx%23%26state%3Dattacker",
		"return_to=%2Fx%0D%0ALocation%3A%20https%3A%2F%2Fattacker.example",
		"provider=test&state=attacker",
		"AuthParams[state]=attacker&State=attacker",
	} {
		resp, params := a.Browser(t).StartLogin("/login?" + query)
		if strings.Contains(resp.Location(), "attacker") || random(params) != want {
			t.Errorf("/login?%s leads to %s", query, resp.Location())
		}
	}
}

func TestStartLogin(t *testing.T) {
	t.Parallel()
	configured := url.Values{"prompt": {"consent"}, "access_type": {"offline"}}
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AuthParams = configured }})
	start := func(method string, opts oauthlogin.LoginOptions) (*httptest.ResponseRecorder, url.Values) {
		w := httptest.NewRecorder()
		// The request's own parameters count for nothing.
		r := httptest.NewRequest(method, "https://app.test/step-up?return_to=/elsewhere&provider=other&state=attacker", nil)
		a.Auth.StartLogin(w, r, opts)
		u, err := url.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return w, u.Query()
	}

	t.Run("parameters of one login go before those of all", func(t *testing.T) {
		w, params := start(http.MethodPost, oauthlogin.LoginOptions{
			Provider: "test", ReturnTo: "/dashboard",
			AuthParams: url.Values{"prompt": {"login"}, "login_hint": {"alice&scope=admin"}},
		})
		if w.Code != http.StatusSeeOther || params.Get("prompt") != "login" || params.Get("access_type") != "offline" ||
			params.Get("login_hint") != "alice&scope=admin" || params.Get("scope") != "openid profile email" || params.Get("state") == "attacker" {
			t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
		}
		b := a.Browser(t)
		for _, c := range w.Result().Cookies() {
			b.SetCookie(c.Name, c.Value)
		}
		if resp := b.Get(b.CallbackURL(w.Header().Get("Location"))); resp.Location() != "/dashboard" {
			t.Errorf("callback: %d to %q", resp.StatusCode, resp.Location())
		}
	})
	t.Run("and for this one login alone", func(t *testing.T) {
		if _, params := start(http.MethodGet, oauthlogin.LoginOptions{}); params.Get("prompt") != "consent" || params.Has("login_hint") {
			t.Errorf("parameters %v", params)
		}
	})
	t.Run("none overrides one of our own", func(t *testing.T) {
		for _, name := range ownParameters {
			for _, spelled := range []string{name, strings.ToUpper(name)} {
				w, _ := start(http.MethodGet, oauthlogin.LoginOptions{AuthParams: url.Values{spelled: {"attacker"}}})
				if w.Code != http.StatusInternalServerError || w.Header().Get("Location") != "" || w.Header().Get("Set-Cookie") != "" {
					t.Errorf("%s: %d %v", spelled, w.Code, w.Header())
				}
			}
		}
	})
	t.Run("a return path elsewhere is none", func(t *testing.T) {
		w, _ := start(http.MethodGet, oauthlogin.LoginOptions{ReturnTo: "//evil.example"})
		b := a.Browser(t)
		for _, c := range w.Result().Cookies() {
			b.SetCookie(c.Name, c.Value)
		}
		if resp := b.Get(b.CallbackURL(w.Header().Get("Location"))); resp.Location() != "/" {
			t.Errorf("callback: %d to %q", resp.StatusCode, resp.Location())
		}
	})
	t.Run("an unknown provider is a page", func(t *testing.T) {
		w, _ := start(http.MethodGet, oauthlogin.LoginOptions{Provider: "<other>"})
		if w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "other") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// OpenID Connect Core section 3.1.3.7, nextjs-auth0's #2707: what was asked of
// the sign-in is also verified.
func TestMaxAgeAndACRAreVerified(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) func(map[string]any) {
		return func(claims map[string]any) { claims["auth_time"] = time.Now().Add(-d).Unix() }
	}
	claim := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
	}
	for _, test := range []struct {
		name   string
		params url.Values // of the provider
		login  url.Values // of this login
		edit   func(claims map[string]any)
		ok     bool
	}{
		{"nothing asked and nothing said", nil, nil, claim("auth_time", nil), true},
		{"a recent sign-in", url.Values{"max_age": {"3600"}}, nil, ago(30 * time.Minute), true},
		{"a sign-in of long ago", url.Values{"max_age": {"3600"}}, nil, ago(2 * time.Hour), false},
		{"a sign-in at no known time", url.Values{"max_age": {"3600"}}, nil, claim("auth_time", nil), false},
		{"a time of sign-in that is no number", url.Values{"max_age": {"3600"}}, nil, claim("auth_time", "now"), false},
		{"a fresh sign-in that was required", url.Values{"max_age": {"0"}}, nil, ago(0), true},
		{"an old one when a fresh one was required", url.Values{"max_age": {"0"}}, nil, ago(10 * time.Minute), false},
		{"an age that this login asked for", nil, url.Values{"max_age": {"60"}}, ago(10 * time.Minute), false},
		{"an age that this login asked for, kept", nil, url.Values{"max_age": {"60"}}, ago(10 * time.Second), true},
		{"a stricter age for this login", url.Values{"max_age": {"86400"}}, url.Values{"max_age": {"60"}}, ago(10 * time.Minute), false},
		{"one of the classes asked for", url.Values{"acr_values": {"phr phrh"}}, nil, claim("acr", "phrh"), true},
		{"another class", url.Values{"acr_values": {"phr phrh"}}, nil, claim("acr", "0"), false},
		{"a class that begins alike", url.Values{"acr_values": {"phr"}}, nil, claim("acr", "phrh"), false},
		{"two classes for one", url.Values{"acr_values": {"phr phrh"}}, nil, claim("acr", "phr phrh"), false},
		{"no class", url.Values{"acr_values": {"phr"}}, nil, claim("acr", nil), false},
		{"a class that this login asked for", nil, url.Values{"acr_values": {"phr"}}, claim("acr", "0"), false},
		{"a class that this login asked for, kept", nil, url.Values{"acr_values": {"phr"}}, claim("acr", "phr"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AuthParams = test.params }})
			a.Provider.EditIDToken(func(_, claims map[string]any) { test.edit(claims) })
			w := httptest.NewRecorder()
			a.Auth.StartLogin(w, httptest.NewRequest(http.MethodGet, "/", nil), oauthlogin.LoginOptions{ReturnTo: "/dashboard", AuthParams: test.login})
			b := a.Browser(t)
			for _, c := range w.Result().Cookies() {
				b.SetCookie(c.Name, c.Value)
			}
			resp := b.Get(b.CallbackURL(w.Header().Get("Location")))
			if ok := resp.StatusCode == http.StatusSeeOther; ok != test.ok || b.SignedIn() != test.ok {
				t.Errorf("callback: %d; signed in: %t; want %t", resp.StatusCode, b.SignedIn(), test.ok)
			}
		})
	}
}

// nextjs-auth0's #2450, mod_auth_openidc's #331: nobody clicked, so nothing
// begins.
func TestLookingAheadStartsNoLogin(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for _, test := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"HEAD", http.MethodHead, nil, http.StatusOK},
		{"prefetch", http.MethodGet, []string{"Sec-Purpose", "prefetch"}, http.StatusUnauthorized},
		{"prefetch by a proxy", http.MethodGet, []string{"Sec-Purpose", "prefetch;anonymous-client-ip"}, http.StatusUnauthorized},
		{"prerendering", http.MethodGet, []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"}, http.StatusUnauthorized},
		{"prefetch of older browsers", http.MethodGet, []string{"Purpose", "prefetch"}, http.StatusUnauthorized},
		{"prefetch of Firefox", http.MethodGet, []string{"X-Moz", "prefetch"}, http.StatusUnauthorized},
		{"a preview of Safari", http.MethodGet, []string{"X-Purpose", "preview"}, http.StatusUnauthorized},
	} {
		w := a.Serve(test.method, "/login?return_to=%2Fdashboard", test.header...)
		if w.Code != test.status || w.Header().Get("Set-Cookie") != "" || w.Header().Get("Location") != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", test.name, w.Code, w.Header())
		}
	}
	if n := a.Provider.Count(oauthlogintest.Discovery); n > 0 {
		t.Errorf("the provider was asked %d times", n)
	}
	a.Browser(t).Login("/dashboard")
}

// OmniAuth's CVE-2015-9284 was about GET; we never do more than redirect, and
// answer no method that browsers send with a body.
func TestLoginAnswersGetAlone(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		w := a.Serve(method, "/login", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || w.Header().Get("Set-Cookie") != "" ||
			w.Header().Get("Location") != "" || strings.Contains(fmt.Sprint(w.Header()), "Access-Control") {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

// RFC 9700 sections 4.2.4 and 4.12.
func TestLoginHeaders(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	w := a.Serve(http.MethodGet, "/login", "Origin", "https://evil.example")
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": ""} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	if w.Code != http.StatusSeeOther || w.Body.Len() > 0 {
		t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestFlowCookie(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, origin, prefix string }{
		{"over https", "https://app.test", "__Host-oauthlogin.flow."},
		{"over http on loopback", "http://localhost:3000", "oauthlogin.flow."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Origin: test.origin})
			resp, params := a.Browser(t).StartLogin("/login?return_to=%2Fdashboard%2Fprivate")
			cookies := resp.Cookies()
			if len(cookies) != 1 {
				t.Fatalf("cookies %v", cookies)
			}
			c := cookies[0]
			if !strings.HasPrefix(c.Name, test.prefix) || c.MaxAge != 3600 || c.Path != "/" || c.Domain != "" || !c.HttpOnly ||
				c.SameSite != http.SameSiteLaxMode || c.Secure != strings.HasPrefix(test.origin, "https") {
				t.Errorf("cookie %v", c)
			}
			// Sealed, not only signed: nothing of it can be read.
			decoded, _ := base64.URLEncoding.DecodeString(c.Value)
			for _, text := range []string{c.Name, c.Value, string(decoded)} {
				for _, secret := range []string{params.Get("state"), params.Get("nonce"), "dashboard"} {
					if strings.Contains(text, secret) {
						t.Errorf("cookie shows %q", secret)
					}
				}
			}
		})
	}
}

// mod_auth_openidc's #331, nextjs-auth0's #1917: cookies of logins that nobody
// completes must not pile up until servers answer 431.
func TestAtMostTwelveFlowCookies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		pause time.Duration // between logins
		path  string
		keeps int
	}{
		{"logins a second apart", time.Second, "/dashboard", 12},
		{"logins all at once", 0, "/dashboard", 12},
		{"logins with long return paths", time.Second, "/dashboard?q=" + randomText(1500), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.SetCookie(apptest.FlowPrefix+"AAAAAAAAAAAAAAAA", "garbage")
				var pending []string // locations, the oldest first
				for i := range 20 {
					resp, _ := b.StartLogin("/login?return_to=" + url.QueryEscape(fmt.Sprintf("%s#%d", test.path, i)))
					pending = append(pending, resp.Location())
					names, size := b.CookieNames(apptest.FlowPrefix), 0
					for name, value := range b.Cookies() {
						size += len(name) + len(value)
					}
					if len(names) > 12 || size > 8000 || len(names) < min(i+1, test.keeps) {
						t.Fatalf("%d flow cookies with %d bytes after %d logins", len(names), size, i+1)
					}
					if slices.Contains(names, apptest.FlowPrefix+"AAAAAAAAAAAAAAAA") {
						t.Fatal("a cookie that does not open was kept")
					}
					time.Sleep(test.pause)
				}
				kept := len(b.CookieNames(apptest.FlowPrefix))
				for i, location := range pending {
					resp := b.Get(b.CallbackURL(location))
					if want := i >= len(pending)-kept; (resp.StatusCode == http.StatusSeeOther) != want {
						t.Errorf("login %d of %d: %d; want it kept: %t", i+1, len(pending), resp.StatusCode, want)
					} else if want && resp.Location() != fmt.Sprintf("%s#%d", test.path, i) {
						t.Errorf("login %d of %d led to %q", i+1, len(pending), resp.Location())
					}
				}
			})
		})
	}
}

// randomText returns n characters that hardly compress, the same every time.
func randomText(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, i))
		b.WriteString(base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}
