package adversarial_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// fromNow is a claim whose value is a time.
func fromNow(name string, d time.Duration) func(header, claims map[string]any) {
	return func(_, claims map[string]any) { claims[name] = time.Now().Add(d).Unix() }
}

// An idTokenCase is a login whose ID token is unusual.
type idTokenCase struct {
	name string
	edit func(header, claims map[string]any)
	sign func(a *apptest.App, header, claims map[string]any) string // nil: as the provider signs
}

// signInWith tries the login, and afterwards a clean one. Name and e-mail are
// left out of the ID token, so that user info is asked for as soon as the
// token is trusted. An empty code is of a login that works.
func signInWith(t *testing.T, a *apptest.App, tt idTokenCase, status int, code string) {
	t.Helper()
	a.Net["evil.test"] = a.Count(func(http.ResponseWriter, *http.Request) {})
	a.Provider.EditIDToken(func(header, claims map[string]any) {
		delete(claims, "name")
		if tt.edit != nil {
			tt.edit(header, claims)
		}
	})
	if tt.sign != nil {
		a.Provider.SignWith(func(header, claims map[string]any) string { return tt.sign(a, header, claims) })
	}
	b := a.Browser(t)
	resp := b.TryLogin()
	if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
		t.Errorf("%d token requests", n)
	}
	userInfo := a.Provider.Count(oauthlogintest.UserInfo)
	if code == "" {
		if resp.StatusCode != status || a.Called("/dashboard") != 1 || userInfo != 1 {
			t.Errorf("response is %d after %d user info requests: %s\n%s", resp.StatusCode, userInfo, resp.Text, a.Log)
		}
	} else {
		// RFC 9700 section 4.5.3.2: until the ID token is verified, all tokens
		// are disregarded.
		if userInfo > 0 {
			t.Error("user info was asked for")
		}
		a.Refused(t, b, resp, status, code)
		a.Provider.EditIDToken(nil)
		a.Provider.SignWith(nil)
		a.Recovers(t, a.Browser(t))
	}
	if a.Called("/evil") > 0 {
		t.Error("a URL out of the token was asked")
	}
}

// What makes an ID token good is in the tables of internal/protocol. Here is one row
// for each of its checks: a login that fails it ends without a session (OpenID Connect
// Core section 3.1.3.7).
func TestIDTokenRefused(t *testing.T) {
	t.Parallel()
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []idTokenCase{
		{name: "iss of another issuer", edit: apptest.Claim("iss", "https://evil.test/hostile")},
		{name: "no sub", edit: apptest.Without("sub")},
		{name: "no claims", edit: func(_, claims map[string]any) { clear(claims) }},
		{name: "aud of another client", edit: apptest.Claim("aud", "hostile")},
		{name: "aud with another client, azp ours", edit: apptest.Claim("aud", []any{"app", "hostile"})},
		{name: "azp of another client", edit: apptest.Claim("azp", "hostile")},
		{name: "exp two minutes ago", edit: fromNow("exp", -2*time.Minute)},
		{name: "no iat", edit: apptest.Without("iat")},
		{name: "nonce of another login", edit: apptest.Claim("nonce", "hostile")},
		{name: "no nonce", edit: apptest.Without("nonce")},
		{name: "at_hash of another token", edit: apptest.Claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},

		{name: "alg none", sign: func(_ *apptest.App, header, claims map[string]any) string {
			header["alg"] = "none"
			return apptest.Compact(header, claims, apptest.Unsigned)
		}},
		{name: "alg HS256 by the client secret", sign: func(_ *apptest.App, header, claims map[string]any) string {
			header["alg"] = "HS256"
			return apptest.Compact(header, claims, apptest.HS256([]byte("s3cret-of-the-app")))
		}},
		{name: "signature of another token", sign: func(a *apptest.App, header, claims map[string]any) string {
			key, _ := a.Provider.SigningKey()
			part := strings.Split(apptest.Compact(header, claims, apptest.RS256(key)), ".")
			return part[0] + "." + apptest.Segment(map[string]any{"sub": "mallory"}) + "." + part[2]
		}},
		// CVE-2026-27962 of Authlib.
		{name: "attacker's key in jwk with our kid", sign: func(_ *apptest.App, header, claims map[string]any) string {
			header["alg"], header["jwk"], header["jku"] = "ES256", apptest.ECJWK(attacker, header["kid"].(string)), "https://evil.test/evil"
			return apptest.Compact(header, claims, apptest.ES256(attacker))
		}},
		{name: "JWE of five parts", sign: func(*apptest.App, map[string]any, map[string]any) string {
			return apptest.Segment(map[string]any{"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}) + ".AAAA.AAAA.AAAA.AAAA"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signInWith(t, apptest.New(t, apptest.Config{KeyAlg: "RS256"}), tt, http.StatusBadGateway, "provider_rejected")
		})
	}
}

// oidcc-client-test, oidcc-client-test-idtoken-sig-rs256.
func TestIDTokenAccepted(t *testing.T) {
	t.Parallel()
	signInWith(t, apptest.New(t, apptest.Config{KeyAlg: "RS256"}), idTokenCase{}, http.StatusOK, "")
}

// CVE-2026-40946 of Oxia, CVE-2026-55689 of OpenFGA, CVE-2026-44428 of MCP registry: a
// relying party without a client ID checked no audience.
func TestNoClientID(t *testing.T) {
	t.Parallel()
	opts := apptest.ValidOptions()
	opts.Providers[0].OAuth2.ClientID = ""
	if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
		t.Error("no client ID, and no error")
	}
}

// OpenID Connect Core section 3.1.3.7, 3 to 5: what TrustedAudiences allows.
func TestTrustedAudiences(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		aud    []any
		status int
		code   string
	}{
		{"trusted", []any{"app", "api"}, http.StatusOK, ""},
		{"not trusted", []any{"app", "api", "hostile"}, http.StatusBadGateway, "provider_rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256", Change: func(opts *oauthlogin.Options) {
				opts.Providers[0].TrustedAudiences = []string{"api", "api2"}
			}})
			signInWith(t, a, idTokenCase{edit: apptest.Claim("aud", tt.aud)}, tt.status, tt.code)
		})
	}
}

// RFC 8725 section 3.1: the provider's metadata decides.
// oidcc-client-test-idtoken-sig-rs256;
// fapi2-security-profile-final-client-test-invalid-alternate-alg is RS256 where that is
// not listed.
func TestSigningAlgorithms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		alg        string
		advertised any // nil: nothing, which means RS256
		ok         bool
	}{
		{"RS256", nil, true},
		{"EdDSA", []string{"EdDSA"}, true},
		{"RS256", []string{"ES256"}, false},
	} {
		t.Run(fmt.Sprint(tt.alg, " of ", tt.advertised), func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: tt.alg})
			a.Provider.EditDiscovery(func(doc map[string]any) {
				doc["id_token_signing_alg_values_supported"] = tt.advertised
			})
			b := a.Browser(t)
			if tt.ok {
				a.Recovers(t, b)
				return
			}
			a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
		})
	}
}

// Metadata may list HS256 and none, and the token may use them: they stay refused.
func TestSymmetricAlgorithmsAdvertised(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "none"} {
		t.Run(alg, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Provider.EditDiscovery(func(doc map[string]any) {
				doc["id_token_signing_alg_values_supported"] = []string{"RS256", "HS256", "none"}
			})
			signInWith(t, a, idTokenCase{edit: apptest.JOSE("alg", alg)}, http.StatusBadGateway, "provider_rejected")
		})
	}
}

// An OpenID Connect login without an ID token fails, whatever else is there.
func TestNoIDToken(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(resp map[string]any){
		"missing":         func(resp map[string]any) { delete(resp, "id_token") },
		"empty":           func(resp map[string]any) { resp["id_token"] = "" },
		"null":            func(resp map[string]any) { resp["id_token"] = nil },
		"an object":       func(resp map[string]any) { resp["id_token"] = map[string]any{"sub": "hostile"} },
		"by another name": func(resp map[string]any) { resp["ID_TOKEN"] = resp["id_token"]; delete(resp, "id_token") },
	} {
		t.Run(name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			a.Provider.EditTokenResponse(edit)
			a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
			if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 {
				t.Errorf("%d user info requests", n)
			}
			a.Provider.EditTokenResponse(nil)
			a.Recovers(t, b)
		})
	}
}

// CVE-2026-55076 and CVE-2026-55075 of Coder, CVE-2024-38351 of PocketBase,
// CVE-2026-41574 of Nhost, CVE-2026-23990 of Flux: any email_verified was true, and
// whoever had the address was the user.
func TestCoercedClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		values := []any{"true", "false", 1, "1", nil, []any{true}, map[string]any{}, "yes", false}
		for _, verified := range values {
			a.Provider.EditIDToken(apptest.Claim("email_verified", verified))
			if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.EmailVerified || user.Email != "alice@example.com" {
				t.Errorf("email_verified %#v: %+v", verified, user)
			}
		}
		// The same address, verified, at the same provider: another user.
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["email"], claims["email_verified"] = "alice@example.com", true })
		a.Provider.AutoApprove("mallory")
		b := a.Browser(t)
		if user := apptest.UserOf(t, b.Login("/dashboard")); user.Subject != "mallory" || user.Issuer != "https://provider.test" {
			t.Errorf("mallory with alice's address is %+v", user)
		}
		a.Leaves(b, apptest.Aftermath{User: "mallory", Codes: len(values) + 1, Runs: len(values) + 1})
	})
}

// CVE-2026-40574 GHSA-c5c4-8r6x-56w3 of oauth2-proxy, GHSA-7rqj-j65f-68wh of next-auth,
// CVE-2024-27918 of Coder: half of an e-mail address was compared. The address is for
// the application to compare; claims are compared whole.
func TestEmailAddressesAreComparedWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		gate := a.Recorded(a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"email": {"alice@example.com", "@example.com", "*"}}})(a.Gate()))
		var b *apptest.Browser
		addresses := []string{
			"mallory@evil.test@example.com", "mallory@evil.test\uff20example.com", "alice@example.com@evil.test", "alice@example.com.evil.test", "Alice@example.com", "alice@EXAMPLE.com", " alice@example.com", "alice@example.com ", "alice@example.com\x00", "alice@example.com,mallory@evil.test",
			"alic\u0435@example.com", "alice+x@example.com", "*@example.com", "\"alice@example.com\"@evil.test", "alice@\uff45xample.com",
		}
		a.Provider.AutoApprove("mallory")
		for _, address := range addresses {
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims["email"], claims["email_verified"] = address, true })
			b = a.Browser(t)
			if user := apptest.UserOf(t, b.Login("/dashboard")); user.Email != address || user.Subject != "mallory" {
				t.Errorf("%q became %+v", address, user)
			}
			if resp := a.Raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%q: %d", address, resp.StatusCode)
			}
		}
		a.Leaves(b, apptest.Aftermath{User: "mallory", Codes: len(addresses), Runs: len(addresses)})
		if resp := a.Raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusOK {
			t.Errorf("alice: %d", resp.StatusCode)
		}
	})
}

// RFC 6750 section 5.3, OAuth 2.1 section 5.1: over a life with everything in it,
// no token, verifier or secret is in a URL or Referer, of the application or of the provider.
// The exception is the ID token on its way back to its issuer (OpenID Connect
// RP-Initiated Logout section 2).
func TestTokensInNoURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{JWTAccessTokens: true}})
		refusals := 1
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if refusals--; refusals >= 0 {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
			resp, err := a.Auth.Client(r.Context()).Get("https://api.test/things?q=1")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("response of the API: %v, %v", resp, err)
				return
			}
			resp.Body.Close()
		})
		a.Provider.EditIDToken(apptest.Without("name")) // so that user info is asked
		var mu sync.Mutex
		var urls []string
		for host, h := range a.Net {
			a.Net[host] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				urls = append(urls, r.URL.String(), r.Referer())
				mu.Unlock()
				h.ServeHTTP(w, r)
				mu.Lock()
				urls = append(urls, w.Header().Get("Location"))
				mu.Unlock()
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Get("/call") // with a refresh, because the API says no once
		time.Sleep(time.Hour)
		b.Get("/access") // with another
		b.Follow(b.LogOut("/left").Location())
		b.Follow("/login?return_to=%2Fdashboard")
		a.WantRefreshes(t, 2)

		tokens := map[string]string{"client secret": "s3cret-of-the-app"}
		for i, r := range a.Provider.Requests(oauthlogintest.Token) {
			tokens[fmt.Sprint("verifier ", i)] = r.Form.Get("code_verifier")
		}
		for i, body := range a.Wire.Responses() {
			var resp map[string]any
			if json.Unmarshal([]byte(body), &resp) != nil {
				continue // of the revocation
			}
			for _, name := range []string{"access_token", "refresh_token", "id_token"} {
				tokens[fmt.Sprint(name, " ", i)], _ = resp[name].(string)
			}
		}
		maps.DeleteFunc(tokens, func(_, token string) bool { return token == "" })
		hints := 0
		for _, u := range urls {
			for name, token := range tokens {
				switch {
				case !strings.Contains(u, token) && !strings.Contains(u, url.QueryEscape(token)):
				case strings.HasPrefix(name, "id_token") && strings.HasPrefix(u, "https://provider.test/end_session?id_token_hint="), strings.HasPrefix(name, "id_token") && apptest.QueryOf(u).Get("id_token_hint") == token:
					hints++
				default:
					t.Errorf("%s is in %.60s...", name, u)
				}
			}
		}
		if len(tokens) < 14 || len(urls) < 50 || hints != 2 { // asked for, and followed
			t.Errorf("%d tokens, %d URLs, %d hints", len(tokens), len(urls), hints)
		}
	})
}
