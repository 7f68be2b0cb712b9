package oauthlogin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
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
		{"a provider that does not advertise PKCE", nil, advertise(nil), "openid"},
		{"a provider that advertises only plain PKCE", nil, advertise([]string{"plain"}), "openid"},
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
			want := url.Values{
				"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"https://app.test/auth/callback"}, "scope": {test.scope},
				"state": {params.Get("state")}, "nonce": {params.Get("nonce")}, "code_challenge": {params.Get("code_challenge")}, "code_challenge_method": {"S256"},
			}
			// OAuth 2.1 section 4.1.1: nothing for others to read.
			if query := params.Encode(); query != want.Encode() || strings.Contains(query, "dashboard") {
				t.Errorf("parameters %v, want %v", params, want)
			}
			a.Expect("callback", b.Get(b.CallbackURL(resp.Location())), http.StatusSeeOther, "/dashboard?secret=1")
			sent := a.Provider.Requests(oauthlogintest.Token)
			if len(sent) != 1 {
				t.Fatalf("%d token requests", len(sent))
			}
			form, verifier := sent[0].Form, sent[0].Form.Get("code_verifier")
			if !verifierPattern.MatchString(verifier) {
				t.Errorf("code_verifier %q", verifier)
			}
			if sum := sha256.Sum256([]byte(verifier)); base64.RawURLEncoding.EncodeToString(sum[:]) != params.Get("code_challenge") {
				t.Error("code_challenge is not the hash of code_verifier")
			}
			if verifier == params.Get("state") || verifier == params.Get("nonce") {
				t.Error("code_verifier was sent before, under another name")
			}
			if form.Get("grant_type") != "authorization_code" || form.Get("redirect_uri") != params.Get("redirect_uri") {
				t.Errorf("token request %v", form)
			}
		})
	}
}

// RFC 9700 section 2.1.1: each login has its own values, and every one of their
// 256 bits varies.
func TestFreshValuesForEachLogin(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	const logins = 100
	seen := map[string]bool{}
	ones := map[string]*[256]int{}
	for range logins {
		params := apptest.QueryOf(a.Serve(http.MethodGet, "/login").Header().Get("Location"))
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			value := params.Get(name)
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

func TestStartLogin(t *testing.T) {
	t.Parallel()
	configured := url.Values{"prompt": {"consent"}, "access_type": {"offline"}}
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AuthParams = configured }})
	var opts oauthlogin.LoginOptions
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { a.Auth.StartLogin(w, r, opts) })
	}
	// The request's own parameters count for nothing.
	const start = "/start?return_to=/elsewhere&provider=other&state=attacker"

	t.Run("parameters of one login override those of the provider", func(t *testing.T) {
		opts = oauthlogin.LoginOptions{
			Provider: "test", ReturnTo: "/dashboard",
			AuthParams: url.Values{"prompt": {"login"}, "login_hint": {"alice&scope=admin"}},
		}
		b := a.Browser(t)
		resp := b.Post(start, nil)
		params := apptest.QueryOf(resp.Location())
		if resp.StatusCode != http.StatusSeeOther || params.Get("prompt") != "login" || params.Get("access_type") != "offline" ||
			params.Get("login_hint") != "alice&scope=admin" || params.Get("scope") != "openid profile email" || params.Get("state") == "attacker" {
			t.Errorf("%d to %s", resp.StatusCode, resp.Location())
		}
		a.Expect("callback", b.Get(b.CallbackURL(resp.Location())), http.StatusSeeOther, "/dashboard")
	})
	t.Run("and for this one login only", func(t *testing.T) {
		opts = oauthlogin.LoginOptions{}
		if _, params := a.Browser(t).StartLogin(start); params.Get("prompt") != "consent" || params.Has("login_hint") {
			t.Errorf("parameters %v", params)
		}
	})
	t.Run("none overrides one of the package's own", func(t *testing.T) {
		for _, name := range ownParameters {
			for _, spelled := range []string{name, strings.ToUpper(name)} {
				opts = oauthlogin.LoginOptions{AuthParams: url.Values{spelled: {"attacker"}}}
				resp := a.Browser(t).Get(start)
				a.Expect(spelled, resp, http.StatusInternalServerError, "")
				if resp.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s: %v", spelled, resp.Header)
				}
			}
		}
	})
	t.Run("an unknown provider is a page", func(t *testing.T) {
		opts = oauthlogin.LoginOptions{Provider: "<other>"}
		resp := a.Browser(t).Get(start)
		if a.Expect("response", resp, http.StatusBadRequest, ""); strings.Contains(resp.Text, "other") {
			t.Error(resp.Text)
		}
	})
}

// RFC 9700 section 4.11: every way to name a page to come back to is checked.
// Which paths are safe is in internal/weburl, and TestReturnPath in
// internal/adversarial tries them all.
func TestReturnPathOfEachEntryPoint(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	var startAt string
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: startAt})
		})
	}
	const local, hostile = "/a%2Fb/?q=a%20b&u=http%3A%2F%2Fx&&empty=#f", "/x/../\\evil.example"
	for path, want := range map[string]string{local: local, hostile: "/"} {
		query := url.QueryEscape(path)
		b := a.Browser(t)
		a.Expect("/login", b.Get(b.CallbackURL("/login?return_to="+query)), http.StatusSeeOther, want)
		startAt = path
		a.Expect("StartLogin", b.Get(b.CallbackURL("/start")), http.StatusSeeOther, want)
		failed := b.Clone().Get("/login?provider=unknown&return_to=" + query)
		if links := failed.Links(); len(links) != 1 || links[0] != "/login?return_to="+url.QueryEscape(want) {
			t.Errorf("error page for %q: links %q", path, links)
		}
		out := b.Post("/logout", url.Values{"return_to": {path}})
		a.Expect("/logout, by the provider", b.Get(b.Get(out.Location()).Location()), http.StatusSeeOther, want)
		a.Expect("/logout", b.Post("/logout?return_to="+query, nil), http.StatusSeeOther, want)
	}
}

// The browser comes back to what it asked for, through the gate and a login.
func TestReturnPathsThatAreKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, path, want string }{
		{"a backslash in the query", `/dashboard?dir=C:\temp\x`, `/dashboard?dir=C:%5Ctemp%5Cx`},
		{"an encoded backslash in the query", "/dashboard?dir=C:%5Ctemp", "/dashboard?dir=C:%5Ctemp"},
		{"an encoded backslash in the path", "/files/C:%5Ctemp%5c?x=1", "/files/C:%5Ctemp%5c?x=1"},
		{"a long filter", "/dashboard?filter=" + strings.Repeat("region%3Deu%26", 270), "/dashboard?filter=" + strings.Repeat("region%3Deu%26", 270)},
	} {
		a := apptest.New(t, apptest.Config{})
		a.Guard("/files/", func(http.ResponseWriter, *http.Request) {})
		b := a.Browser(t)
		path, query, _ := strings.Cut(tt.path, "?")
		r := b.Request(http.MethodGet, path, nil)
		r.URL.RawQuery = query
		gate := b.Do(r)
		if want := "/login?return_to=" + url.QueryEscape(tt.want); gate.Location() != want {
			t.Errorf("%s: the gate leads to %.300q", tt.name, gate.Location())
		}
		callback := b.FollowOn(gate, "/auth/callback").Location()
		if resp := b.Get(callback); resp.Location() != tt.want {
			t.Errorf("%s: the login leads to %.300q", tt.name, resp.Location())
		}
	}
}

// A return path that is dropped leaves a line in the log, without what may be secret and
// without an attacker's words.
func TestDroppedReturnPathsAreLogged(t *testing.T) {
	t.Parallel()
	const random = "vK3hmc9dQ2"
	for _, tt := range []struct {
		name, returnTo string
		shown          string // in the log; "": nothing is dropped
	}{
		{"too long", "/report?token=" + random + strings.Repeat("x", 4000), "path=/report "},
		{"not compressible", "/report?token=" + random + apptest.Incompressible(2500), "path=/report "},
		{"the login path", "/login?token=" + random, "path=/login "},
		{"another origin", "https://" + random + ".test/x?token=" + random, "not a path of the application"},
		{"an address", "/confirm/" + random + "@example.com/" + strings.Repeat("x", 4000), "path=[redacted]"},
		{"kept", "/report?token=" + random, ""},
		{"the root", "/", ""},
		{"none", "", ""},
	} {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.StartLogin("/login?return_to=" + url.QueryEscape(tt.returnTo))
		var lines []string
		for line := range strings.Lines(a.Log.String()) {
			if strings.Contains(line, "return path dropped") {
				lines = append(lines, line)
			}
		}
		log := strings.Join(lines, "")
		if tt.shown == "" {
			if log != "" {
				t.Errorf("%s: %s", tt.name, log)
			}
			continue
		}
		if len(lines) != 1 || !strings.Contains(log, "level=DEBUG") || !strings.Contains(log, tt.shown) || strings.Contains(log, random) {
			t.Errorf("%s: %s", tt.name, log)
		}
	}
	for _, filler := range []string{strings.Repeat("x", 4000), strings.Repeat("(", 3500)} { // which is escaped
		a := apptest.New(t, apptest.Config{})
		resp := a.Browser(t).Get("/dashboard?token=" + random + filler)
		if log := a.Log.String(); resp.Location() != "/login?return_to=%2F" || !strings.Contains(log, "return path dropped") || !strings.Contains(log, "path=/dashboard ") || strings.Contains(log, random) {
			t.Errorf("at the gate: %.200s %s", resp.Location(), log)
		}
	}
}

// The paths of an application's own Options are guarded as the defaults are.
func TestReturnPathGuardsConfiguredPaths(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		o.LoginPath, o.LogoutPath = "/account/sign-in", "/account/sign-out/"
		second := apptest.PlainProvider("two", "https://app.test/auth/callback/two")
		o.Providers = append(o.Providers, second)
	}})
	b := a.Browser(t)
	for path, want := range map[string]string{
		"/account/sign-in": "/", "/account/sign-in/": "/", "/account//sign-in?x": "/", "/account/sign-out": "/", "/account/sign-out/": "/",
		"/auth/callback": "/", "/auth/callback/two": "/", "/auth/callback/two/": "/",
		"/login": "/login", "/account": "/account", "/auth/callback/three": "/auth/callback/three",
	} {
		a.Expect(path, b.Get(b.CallbackURL("/account/sign-in?provider=test&return_to="+url.QueryEscape(path))), http.StatusSeeOther, want)
	}
}

// OpenID Connect Core section 3.1.3.7, nextjs-auth0's #2707: what the request
// asked for is also verified. The rules are in internal/protocol.
func TestMaxAgeAndACRAreVerified(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { claims["auth_time"] = time.Now().Add(-d).Unix() }
	}
	for _, test := range []struct {
		name   string
		params url.Values // of the provider
		login  url.Values // of this login
		edit   func(header, claims map[string]any)
		ok     bool
	}{
		{"nothing requested, no claims", nil, nil, apptest.Without("auth_time"), true},
		{"an old sign-in", url.Values{"max_age": {"3600"}}, nil, ago(2 * time.Hour), false},
		{"no auth_time", url.Values{"max_age": {"3600"}}, nil, apptest.Without("auth_time"), false},
		{"a fresh sign-in when one is required", url.Values{"max_age": {"0"}}, nil, ago(0), true},
		{"an old sign-in when a fresh one is required", url.Values{"max_age": {"0"}}, nil, ago(10 * time.Minute), false},
		{"an age that only this login requests", nil, url.Values{"max_age": {"60"}}, ago(10 * time.Minute), false},
		{"a stricter age for this login", url.Values{"max_age": {"86400"}}, url.Values{"max_age": {"60"}}, ago(10 * time.Minute), false},
		{"one of the requested classes", url.Values{"acr_values": {"phr phrh"}}, nil, apptest.Claim("acr", "phrh"), true},
		{"another class", url.Values{"acr_values": {"phr phrh"}}, nil, apptest.Claim("acr", "0"), false},
		{"a class with the requested one as its prefix", url.Values{"acr_values": {"phr"}}, nil, apptest.Claim("acr", "phrh"), false},
		{"a list of classes in place of one", url.Values{"acr_values": {"phr phrh"}}, nil, apptest.Claim("acr", "phr phrh"), false},
		{"a class that only this login requests", nil, url.Values{"acr_values": {"phr"}}, apptest.Claim("acr", "0"), false},
		{"a class that only this login requests, met", nil, url.Values{"acr_values": {"phr"}}, apptest.Claim("acr", "phr"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AuthParams = test.params }})
			a.Provider.EditIDToken(test.edit)
			a.Routes = func(mux *http.ServeMux) {
				mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
					a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: "/dashboard", AuthParams: test.login})
				})
			}
			b := a.Browser(t)
			resp := b.Get(b.CallbackURL("/start"))
			if ok := resp.StatusCode == http.StatusSeeOther; ok != test.ok || b.SignedIn() != test.ok {
				t.Errorf("callback: %d; signed in: %t; want %t", resp.StatusCode, b.SignedIn(), test.ok)
			}
		})
	}
}

// nextjs-auth0's #2450, mod_auth_openidc's #331: the user has not clicked yet, so
// no login begins.
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

// RFC 9700 sections 4.2.4 and 4.12. A login does no more than redirect, and no
// method with a body starts one.
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
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		w := a.Serve(method, "/login", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || w.Header().Get("Set-Cookie") != "" ||
			w.Header().Get("Location") != "" || strings.Contains(fmt.Sprint(w.Header()), "Access-Control") {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

// LoginOptions.Scopes are requested beside those of the provider, each once, for one login.
func TestLoginScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		var opts oauthlogin.LoginOptions
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { a.Auth.StartLogin(w, r, opts) })
		}
		b := a.Browser(t)
		opts.Scopes = []string{"calendar", "email", "calendar", "https://api.test/mail.read"}
		resp, params := b.StartLogin("/start")
		if want := "openid profile email calendar https://api.test/mail.read"; params.Get("scope") != want {
			t.Errorf("asks for %q, want %q", params.Get("scope"), want)
		}
		// One that took too long asks for them again.
		time.Sleep(6 * time.Minute)
		anew := b.Get(b.CallbackURL(resp.Location()))
		if scope := apptest.QueryOf(anew.Location()).Get("scope"); scope != params.Get("scope") {
			t.Errorf("begun anew, it asks for %q", scope)
		}
		if _, params := b.StartLogin("/login?scopes=admin&scope=admin"); params.Get("scope") != "openid profile email" {
			t.Errorf("another login asks for %q", params.Get("scope"))
		}
		// Without a session, a login that is denied is one that was cancelled.
		a.AuthorizationResponse(func(query url.Values) { query.Set("error", "access_denied") })
		if resp := b.Follow("/start"); resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Text, "<h1>Sign-in was cancelled</h1>") {
			t.Errorf("denied: %d %s", resp.StatusCode, resp.Text)
		}
		for _, scope := range []string{"", "a b", "a\tb", `a"b`, `a\b`, "é", "a\x7f"} {
			opts.Scopes = []string{"calendar", scope}
			if resp := b.Get("/start"); resp.StatusCode != http.StatusInternalServerError || resp.Location() != "" || len(resp.Cookies()) > 0 {
				t.Errorf("%q: %d to %q", scope, resp.StatusCode, resp.Location())
			}
		}
	})
}

// Scopes are added to the session of their provider alone, and a provider that gives up is
// asked again although there is a session.
func TestLoginScopesWithASession(t *testing.T) {
	t.Parallel()
	a, two := apptest.NewTwoProviders(t, nil)
	provider := "one"
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{Provider: provider, Scopes: []string{"calendar"}})
		})
	}
	b := a.Browser(t)
	if resp := b.Follow("/login?provider=two&return_to=/dashboard"); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, resp.Text)
	}
	a.AuthorizationResponse(func(query url.Values) { query.Set("error", "access_denied") })
	if resp := b.Follow("/start"); resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Text, "<h1>Sign-in was cancelled</h1>") {
		t.Errorf("denied by another provider: %d %s", resp.StatusCode, resp.Text)
	}
	provider = "two"
	two.Intercept(oauthlogintest.Authorization, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		query := url.Values{"state": {r.URL.Query().Get("state")}, "iss": {two.Issuer()}, "error": {"temporarily_unavailable"}}
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+query.Encode(), http.StatusSeeOther)
	})
	resp := b.Get(b.CallbackURL("/start"))
	if scope := apptest.QueryOf(resp.Location()).Get("scope"); scope != "openid profile email calendar" {
		t.Errorf("begun anew: %d to %q", resp.StatusCode, resp.Location())
	}
	b.WantUser("/dashboard", "bob")
}
