package adversarial_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// discoveryCooldown is how long metadata is not asked for after a failure.
const discoveryCooldown = 5 * time.Second

// New performs no I/O: an application starts without its provider, and outlives its
// outages. GHSA-8fpg-xm3f-6cx3 of next-auth: guarded paths stay closed meanwhile.
func TestProviderDownAtStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		asked := 0
		a.Wire.CutBy(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, errors.New("connection refused")
		})
		b := a.Browser(t)
		start := time.Now()
		for range 3 {
			resp := b.Get("/login?return_to=/dashboard")
			a.Refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
			if !slices.Contains(resp.Links(), "/login?return_to=%2Fdashboard") {
				t.Errorf("page leads to %q", resp.Links())
			}
		}
		if time.Since(start) > 0 || asked != 1 {
			t.Errorf("took %v, asked %d times", time.Since(start), asked)
		}
		if resp := b.Get("/"); resp.Text != "home of nobody" {
			t.Errorf("public path: %d %s", resp.StatusCode, resp.Text)
		}
		if resp := b.Get("/dashboard"); !strings.HasPrefix(resp.Location(), "/login?") {
			t.Errorf("guarded path: %d to %q", resp.StatusCode, resp.Location())
		}

		a.Wire.CutBy(nil)
		time.Sleep(discoveryCooldown - time.Millisecond)
		if resp := b.Get("/login"); resp.StatusCode != http.StatusBadGateway || a.Provider.Count(oauthlogintest.Discovery) > 0 {
			t.Errorf("during the cool-down: %d", resp.StatusCode)
		}
		time.Sleep(time.Millisecond)
		a.Recovers(t, b)
		b.Login("/dashboard")
		if n := a.Provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
		// From now on discovery has nothing to fail at.
		a.Provider.Intercept(oauthlogintest.Discovery, apptest.RespondWith(500, ""))
		time.Sleep(24 * time.Hour)
		b.Login("/dashboard")
	})
}

// CVE-2026-28789 of OliveTin: two logins at once broke the server. Here they share one
// discovery, and a client that hangs up does not cancel it for the others.
func TestParallelLoginsShareDiscovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Provider.Intercept(oauthlogintest.Discovery, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			time.Sleep(2 * time.Second)
			next(w, r)
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/login", nil))
			if took := time.Since(start); took != time.Second {
				t.Errorf("the client that hung up was served for %v", took)
			}
		})
		time.Sleep(500 * time.Millisecond)
		for range 50 {
			b := a.Browser(t)
			wg.Go(func() {
				if resp := b.Get("/login"); resp.StatusCode != http.StatusSeeOther {
					t.Errorf("response is %d: %s", resp.StatusCode, resp.Text)
				}
			})
		}
		wg.Wait()
		if n := a.Provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
		a.Provider.Intercept(oauthlogintest.Discovery, nil)
		a.Recovers(t, a.Browser(t))
	})
}

// OpenID Connect Discovery section 4.3, RFC 8414 section 3.3: a login stops before
// authorization. internal/protocol has the table of metadata.
func TestDiscoveryRefused(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any) {
		return func(doc map[string]any) { doc[name] = value }
	}
	for _, tt := range []struct {
		name    string
		edit    func(doc map[string]any)
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	}{
		// oidcc-client-test-discovery-issuer-mismatch,
		// fapi2-security-profile-final-client-test-discovery-issuer-mismatch.
		{name: "another issuer", edit: set("issuer", "https://evil.test/other")},
		{name: "307 elsewhere", respond: apptest.RespondWith(307, "", "Location", "https://evil.test/evil")},
		{name: "a page", respond: apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html; hostile=hostile")},
		{name: "2 MiB", edit: set("padding", strings.Repeat("a", 2<<20))},
		{name: "no token endpoint", edit: func(doc map[string]any) { delete(doc, "token_endpoint") }},
		{name: "a token endpoint over http", edit: set("token_endpoint", "http://provider.test/token")},
		{name: "an authorization endpoint that is a script", edit: set("authorization_endpoint", "javascript:alert('hostile')//")},
		{name: "HS256 alone", edit: set("id_token_signing_alg_values_supported", []string{"HS256"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Net["evil.test"] = a.Count(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/.well-known/openid-configuration"
					a.Provider.ServeHTTP(w, r)
				})
				a.Provider.EditDiscovery(tt.edit)
				a.Provider.Intercept(oauthlogintest.Discovery, tt.respond)
				b := a.Browser(t)
				resp := b.Get("/login?return_to=/dashboard")
				a.Refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
				if a.Called("/evil") > 0 || a.Provider.Count(oauthlogintest.Discovery) != 1 {
					t.Errorf("%d discoveries, %d elsewhere", a.Provider.Count(oauthlogintest.Discovery), a.Called("/evil"))
				}
				a.Provider.EditDiscovery(nil)
				a.Provider.Intercept(oauthlogintest.Discovery, nil)
				time.Sleep(discoveryCooldown)
				a.Recovers(t, b)
			})
		})
	}
}

// The issuer is compared as it is written: OpenID Connect Discovery section 4.3,
// and section 4.1 for where its metadata is; oidcc-client-test-discovery-openid-config.
func TestIssuers(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{
		"https://provider.test", "https://provider.test/", "https://provider.test/tenant", "https://provider.test/tenant/",
		"https://provider.test/a/b.c/v2.0",
	} {
		t.Run(issuer, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Issuer: issuer}})
			if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.Issuer != issuer || user.Subject != "alice" {
				t.Errorf("user is %q of %q", user.Subject, user.Issuer)
			}
		})
	}
	for configured, said := range map[string]string{"https://provider.test": "https://provider.test/", "https://provider.test/": "https://provider.test"} {
		t.Run(configured+" is not "+said, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{
				Provider: oauthlogintest.Config{Issuer: said},
				Change:   func(opts *oauthlogin.Options) { opts.Providers[0].Issuer = configured },
			})
			b := a.Browser(t)
			a.Refused(t, b, b.Get("/login"), http.StatusBadGateway, "provider_unavailable")
		})
	}
}

// An issuer on loopback needs no certificate.
func TestIssuerOnLoopback(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Issuer: "http://127.0.0.1:9000"}})
	a.Net["127.0.0.1:9000"] = a.Provider
	a.Browser(t).Login("/dashboard")
}

// RFC 9207 section 2.4: without metadata the issuer's host is known, and a response of
// another is refused before the code goes anywhere.
func TestPlainOAuthIss(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		iss  []string
		ok   bool
	}{
		{"none", nil, true},
		{"below the origin", []string{"https://provider.test/login/oauth"}, true},
		{"another host", []string{"https://evil.test/hostile"}, false},
		{"another scheme", []string{"http://provider.test"}, false},
		{"two", []string{"https://provider.test", "https://provider.test"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: apptest.PlainOAuth})
			b := a.Browser(t)
			resp := b.Get(apptest.Edited(t, b.CallbackURL("/login?return_to=/dashboard"), func(query url.Values) {
				if query["iss"] = tt.iss; tt.iss == nil {
					delete(query, "iss")
				}
			}))
			if tt.ok {
				if resp.Location() != "/dashboard#" || !b.SignedIn() {
					t.Errorf("response is %d: %s", resp.StatusCode, resp.Text)
				}
				return
			}
			if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || b.SignedIn() || a.Provider.Count(oauthlogintest.Token) > 0 {
				t.Errorf("response is %d after %d token requests", resp.StatusCode, a.Provider.Count(oauthlogintest.Token))
			}
			a.Leaks(t, resp.Text)
			a.Recovers(t, b)
		})
	}
}

// OpenID Connect Core section 5.3.2: internal/protocol has the table of responses.
func TestUserInfoRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		edit    func(map[string]any)
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		code    string // "": the login works without user info
	}{
		{"another subject", func(info map[string]any) { info["sub"] = "hostile" }, nil, "provider_rejected"}, // oidcc-client-test-userinfo-invalid-sub
		{"401 with claims", nil, apptest.RespondWith(401, `{"sub":"hostile","name":"hostile"}`), ""},
		{"503 with claims", nil, apptest.RespondWith(503, `{"sub":"alice","name":"hostile"}`), ""},
		{"a page", nil, apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html"), ""},
		{"2 MiB", nil, apptest.RespondWith(200, `{"sub":"alice","name":"`+strings.Repeat("a", 2<<20)+`"}`), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Provider.EditIDToken(apptest.Without("name"))
			a.Provider.EditUserInfo(tt.edit)
			a.Provider.Intercept(oauthlogintest.UserInfo, tt.respond)
			b := a.Browser(t)
			if tt.code == "" {
				user := apptest.UserOf(t, b.Login("/dashboard"))
				if user.Subject != "alice" || user.Name != "" || user.Email != "alice@example.com" || !user.EmailVerified {
					t.Errorf("user is %+v", user)
				}
			} else {
				a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, tt.code)
			}
			if n := a.Provider.Count(oauthlogintest.UserInfo); n != 1 {
				t.Errorf("%d user info requests", n)
			}
			a.Provider.EditUserInfo(nil)
			a.Provider.Intercept(oauthlogintest.UserInfo, nil)
			a.Recovers(t, b)
		})
	}
}

// OpenID Connect Core section 5.6.2: claims of other sources stay as they are. None is
// fetched, and none becomes the user's. The OpenID Foundation's
// oidcc-client-test-aggregated-claims and oidcc-client-test-distributed-claims.
func TestAggregatedAndDistributedClaims(t *testing.T) {
	t.Parallel()
	names := map[string]any{"email": "aggregated", "email_verified": "aggregated", "name": "aggregated", "credit_score": "distributed", "sub": "distributed"}
	from := map[string]any{
		"aggregated":  map[string]any{"JWT": apptest.Compact(map[string]any{"alg": "none"}, map[string]any{"email": "mallory@evil.test", "email_verified": true, "name": "Mallory", "sub": "mallory"}, apptest.Unsigned)},
		"distributed": map[string]any{"endpoint": "https://evil.test/claims", "access_token": "a-token-of-others"},
	}
	bare := func(claims map[string]any) {
		for _, name := range []string{"name", "email", "email_verified"} {
			delete(claims, name)
		}
	}
	add := func(claims map[string]any) {
		bare(claims)
		claims["_claim_names"], claims["_claim_sources"] = names, from
	}
	for _, tt := range []struct {
		name              string
		idToken, userInfo func(map[string]any)
	}{
		{"in the ID token", add, bare},
		{"in user info", bare, add},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Net["evil.test"] = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) })
			a.Provider.EditIDToken(func(_, claims map[string]any) { tt.idToken(claims) })
			a.Provider.EditUserInfo(tt.userInfo)
			user := apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
			if user.Subject != "alice" || user.Name != "" || user.Email != "" || user.EmailVerified {
				t.Errorf("user is %+v", user)
			}
			var claims, want map[string]any
			if err := user.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			b, _ := json.Marshal(map[string]any{"_claim_names": names, "_claim_sources": from})
			json.Unmarshal(b, &want)
			for name := range want {
				if fmt.Sprint(claims[name]) != fmt.Sprint(want[name]) {
					t.Errorf("%s is %v; want %v", name, claims[name], want[name])
				}
			}
			if claims["credit_score"] != nil {
				t.Error("a claim was fetched")
			}
		})
	}
}

// RFC 6749 section 10.10, CVE-2022-31034 of Argo CD: state and verifier cannot be
// guessed. Each bit is set half the time.
func TestRandomValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		const n = 600
		names := [...]string{"state", "nonce", "code_challenge"}
		seen := map[string]bool{}
		var ones [len(names)][256]int
		for range n {
			params := apptest.QueryOf(a.Serve(http.MethodGet, "/login").Header().Get("Location"))
			for i, name := range names {
				value, err := base64.RawURLEncoding.DecodeString(params.Get(name))
				if err != nil || len(value) != 32 || seen[string(value)] {
					t.Fatalf("%s %x, %v", name, value, err)
				}
				seen[string(value)] = true
				for bit := range ones[i] {
					ones[i][bit] += int(value[bit/8] >> (bit % 8) & 1)
				}
			}
		}
		for i, name := range names {
			for bit, count := range ones[i] {
				if count < n/3 || count > n*2/3 { // eight standard deviations away
					t.Errorf("%s: bit %d is set %d times in %d", name, bit, count, n)
				}
			}
		}
		a.Leaves(a.Browser(t), apptest.Aftermath{})
	})
}
