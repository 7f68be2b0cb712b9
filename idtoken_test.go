package oauthlogin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// fromNow is a claim whose value is a time.
func fromNow(name string, d time.Duration) func(header, claims map[string]any) {
	return func(_, claims map[string]any) { claims[name] = time.Now().Add(d).Unix() }
}

// An idTokenCase is a login in which the provider issues an unusual ID token.
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
			t.Errorf("answer is %d after %d user info requests: %s\n%s", resp.StatusCode, userInfo, resp.Text, a.Log)
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

// OpenID Connect Core section 3.1.3.7, and the OpenID Foundation's tests of
// relying parties, by their names.
func TestIDTokenRefused(t *testing.T) {
	t.Parallel()
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serialized := func(f func(a *apptest.App, signed string) string) func(*apptest.App, map[string]any, map[string]any) string {
		return func(a *apptest.App, header, claims map[string]any) string {
			key, _ := a.Provider.SigningKey()
			return f(a, apptest.Compact(header, claims, apptest.RS256(key)))
		}
	}
	constant := func(token string) func(*apptest.App, map[string]any, map[string]any) string {
		return func(*apptest.App, map[string]any, map[string]any) string { return token }
	}
	byAttacker := func(set func(header map[string]any)) func(*apptest.App, map[string]any, map[string]any) string {
		return func(_ *apptest.App, header, claims map[string]any) string {
			header["alg"] = "ES256"
			set(header)
			return apptest.Compact(header, claims, apptest.ES256(attacker))
		}
	}
	none := func(alg string) func(*apptest.App, map[string]any, map[string]any) string {
		return func(_ *apptest.App, header, claims map[string]any) string {
			header["alg"] = alg
			return apptest.Compact(header, claims, apptest.Unsigned)
		}
	}
	hs := func(key func(a *apptest.App) []byte) func(*apptest.App, map[string]any, map[string]any) string {
		return func(a *apptest.App, header, claims map[string]any) string {
			header["alg"] = "HS256"
			return apptest.Compact(header, claims, apptest.HS256(key(a)))
		}
	}
	// encoding/json takes any case of a name, and the last of several.
	endingWith := func(member string) func(*apptest.App, map[string]any, map[string]any) string {
		return func(a *apptest.App, header, claims map[string]any) string {
			key, _ := a.Provider.SigningKey()
			b, _ := json.Marshal(claims)
			input := apptest.Segment(header) + "." + base64.RawURLEncoding.EncodeToString(append(b[:len(b)-1], ","+member+"}"...))
			return input + "." + base64.RawURLEncoding.EncodeToString(apptest.RS256(key)(input))
		}
	}
	ours := []any{"app"}

	for _, tt := range []idTokenCase{
		// iss
		// oidcc-client-test-invalid-iss, fapi2-security-profile-final-client-test-invalid-iss.
		{name: "iss of another issuer", edit: apptest.Claim("iss", "https://evil.test/hostile")},
		{name: "iss with a slash more", edit: apptest.Claim("iss", "https://provider.test/")},
		{name: "iss in other case", edit: apptest.Claim("iss", "https://Provider.test")},
		// fapi2-security-profile-final-client-test-invalid-missing-iss.
		{name: "no iss", edit: apptest.Without("iss")},
		{name: "empty iss", edit: apptest.Claim("iss", "")},
		{name: "iss that is a list", edit: apptest.Claim("iss", []any{"https://provider.test"})},
		{name: "iss by the name ISS", edit: func(_, claims map[string]any) { claims["ISS"] = claims["iss"]; delete(claims, "iss") }},
		{name: "iss of another issuer, then ours by the name Iss", edit: apptest.Claim("iss", "https://evil.test"), sign: endingWith(`"Iss":"https://provider.test"`)},

		// sub
		// oidcc-client-test-missing-sub.
		{name: "no sub", edit: apptest.Without("sub")},
		{name: "empty sub", edit: apptest.Claim("sub", "")},
		{name: "sub that is a number", edit: apptest.Claim("sub", 12345)},
		{name: "sub that is null", edit: apptest.Claim("sub", nil)},
		{name: "sub that is an object", edit: apptest.Claim("sub", map[string]any{"id": "alice"})},
		{name: "sub of 256 characters", edit: apptest.Claim("sub", strings.Repeat("a", 256))},
		{name: "sub outside ASCII", edit: apptest.Claim("sub", "älice")},
		{name: "sub with a control character", edit: apptest.Claim("sub", "alice\n")},
		{name: "sub by the name SUB", edit: func(_, claims map[string]any) { claims["SUB"] = claims["sub"]; delete(claims, "sub") }},

		// aud, azp
		// oidcc-client-test-invalid-aud, fapi2-security-profile-final-client-test-invalid-aud.
		{name: "aud of another client", edit: apptest.Claim("aud", "hostile")},
		// oidcc-client-test-missing-aud, fapi2-security-profile-final-client-test-invalid-missing-aud.
		{name: "no aud", edit: apptest.Without("aud")},
		{name: "empty aud", edit: apptest.Claim("aud", "")},
		{name: "aud that is an empty list", edit: apptest.Claim("aud", []any{})},
		{name: "aud that is null", edit: apptest.Claim("aud", nil)},
		{name: "aud that is a number", edit: apptest.Claim("aud", 1)},
		{name: "aud in other case", edit: apptest.Claim("aud", "APP")},
		{name: "aud that begins like us", edit: apptest.Claim("aud", "app2")},
		{name: "aud by the name AUD", edit: func(_, claims map[string]any) { claims["AUD"] = claims["aud"]; delete(claims, "aud") }},
		{name: "aud of another client, then ours by the name Aud", edit: apptest.Claim("aud", "other"), sign: endingWith(`"Aud":"app"`)},
		{name: "aud a list without us", edit: apptest.Claim("aud", []any{"hostile", "other"})},
		// fapi2-security-profile-final-client-test-invalid-secondary-aud.
		{name: "aud with another client, azp ours", edit: apptest.Claim("aud", append(ours, "hostile"))},
		{name: "aud with another client, no azp", edit: func(_, claims map[string]any) { claims["aud"] = append(ours, "hostile"); delete(claims, "azp") }},
		{name: "azp of another client", edit: apptest.Claim("azp", "hostile")},
		{name: "empty azp", edit: apptest.Claim("azp", "")},
		{name: "azp that is a list", edit: apptest.Claim("azp", ours)},

		// alg and keys: RFC 8725 section 3.1, CVE-2016-9122, CVE-2026-33322
		// oidcc-client-test-idtoken-sig-none, fapi2-security-profile-final-client-test-invalid-null-alg.
		{name: "alg none", sign: none("none")},
		{name: "alg None", sign: none("None")},
		{name: "alg nOnE", sign: none("nOnE")},
		{name: "no alg", edit: func(header, _ map[string]any) { delete(header, "alg") }},
		{name: "empty alg", edit: apptest.JOSE("alg", "")},
		{name: "alg none with a signature", sign: func(a *apptest.App, header, claims map[string]any) string {
			key, _ := a.Provider.SigningKey()
			header["alg"] = "none"
			return apptest.Compact(header, claims, apptest.RS256(key))
		}},
		{name: "alg RS256 without a signature", sign: func(_ *apptest.App, header, claims map[string]any) string {
			return apptest.Compact(header, claims, apptest.Unsigned)
		}},
		{name: "alg HS256 by the public key as PEM", sign: hs(func(a *apptest.App) []byte { return apptest.PublicKeyPEM(a.Provider) })},
		// oidcc-client-test-invalid-sig-hs256.
		{name: "alg HS256 by the client secret", sign: hs(func(*apptest.App) []byte { return []byte("s3cret-of-the-app") })},
		{name: "alg HS256 by an empty key", sign: hs(func(*apptest.App) []byte { return nil })},
		{name: "alg RS512 over a signature of RS256", edit: apptest.JOSE("alg", "RS512")},
		// oidcc-client-test-invalid-sig-es256.
		{name: "alg ES256 over a signature of RS256", edit: apptest.JOSE("alg", "ES256")},
		// oidcc-client-test-invalid-sig-rs256.
		{name: "signature of another token", sign: serialized(func(_ *apptest.App, signed string) string {
			head, signature := signed[:strings.LastIndex(signed, ".")], signed[strings.LastIndex(signed, "."):]
			header, _, _ := strings.Cut(head, ".")
			return header + "." + apptest.Segment(map[string]any{"sub": "mallory"}) + signature
		})},
		{name: "signature cut short", sign: serialized(func(_ *apptest.App, signed string) string { return signed[:len(signed)-4] })},
		{name: "kid unknown", edit: apptest.JOSE("kid", "hostile")},
		{name: "kid that is a number", edit: apptest.JOSE("kid", 1)},
		{name: "attacker's key with our kid", sign: byAttacker(func(map[string]any) {})},
		// CVE-2026-27962.
		{name: "attacker's key in jwk with our kid", sign: byAttacker(func(header map[string]any) { header["jwk"] = apptest.ECJWK(attacker, header["kid"].(string)) })},
		{name: "attacker's key in jwk with no kid", sign: byAttacker(func(header map[string]any) { delete(header, "kid"); header["jwk"] = apptest.ECJWK(attacker, "") })},
		{name: "attacker's key in jwk with its own kid", sign: byAttacker(func(header map[string]any) { header["kid"] = "k"; header["jwk"] = apptest.ECJWK(attacker, "k") })},
		{name: "attacker's keys at jku", sign: byAttacker(func(header map[string]any) { header["kid"] = "k"; header["jku"] = "https://evil.test/evil" })},
		{name: "attacker's certificate at x5u", sign: byAttacker(func(header map[string]any) { header["kid"] = "k"; header["x5u"] = "https://evil.test/evil" })},
		{name: "attacker's certificate in x5c", sign: byAttacker(func(header map[string]any) { header["x5c"] = []string{"AAAA"} })},
		{name: "a critical header that nobody knows: RFC 7515 section 4.1.11", edit: func(header, _ map[string]any) { header["crit"], header["hostile"] = []string{"hostile"}, true }},
		{name: "critical headers that are no list", edit: apptest.JOSE("crit", "exp")},

		// serialization
		{name: "JSON serialization with one signature", sign: serialized(func(_ *apptest.App, signed string) string {
			part := strings.Split(signed, ".")
			return `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`
		})},
		{name: "JSON serialization with two dots in it", sign: serialized(func(_ *apptest.App, signed string) string {
			part := strings.Split(signed, ".")
			return `{"a":"..","payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`
		})},
		{name: "JSON serialization with two signatures", sign: serialized(func(_ *apptest.App, signed string) string {
			part := strings.Split(signed, ".")
			one := `{"protected":"` + part[0] + `","signature":"` + part[2] + `"}`
			return `{"a":"..","payload":"` + part[1] + `","signatures":[` + one + `,` + one + `]}`
		})},
		{name: "compact serialization with white space", sign: serialized(func(_ *apptest.App, signed string) string {
			return " " + strings.ReplaceAll(signed, ".", " .\n")
		})},
		{name: "compact serialization with padding", sign: serialized(func(_ *apptest.App, signed string) string { return signed + "==" })},
		// go-jose CVE-2024-28180, GHSA-2c7c-3mj9-8fqh, CVE-2026-34986.
		{name: "JWE of five parts", sign: constant(apptest.Segment(map[string]any{"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}) + ".AAAA.AAAA.AAAA.AAAA")},
		{name: "JWE by a password", sign: constant(apptest.Segment(map[string]any{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA")},
		// CVE-2025-22868, CVE-2025-30204, CVE-2025-27144.
		{name: "nothing but a million dots", sign: constant(strings.Repeat(".", 1_000_000))},
		{name: "two dots", sign: constant("..")},
		{name: "one dot", sign: constant("a.b")},
		{name: "no dot", sign: constant("hostile")},
		{name: "no base64", sign: constant("<hostile>.<hostile>.<hostile>")},
		{name: "a header that is no object", sign: constant(apptest.Segment([]string{"hostile"}) + ".e30.AAAA")},
		{name: "claims that are a list", sign: func(a *apptest.App, header, claims map[string]any) string {
			key, _ := a.Provider.SigningKey()
			input := apptest.Segment(header) + "." + apptest.Segment([]any{claims})
			return input + "." + base64.RawURLEncoding.EncodeToString(apptest.RS256(key)(input))
		}},
		{name: "a token of over 128 KiB", edit: apptest.Claim("padding", strings.Repeat("a", 128<<10))},
		{name: "an empty token", sign: constant("")},

		// times
		// oidcc-client-test-missing-iat.
		{name: "no iat", edit: apptest.Without("iat")},
		{name: "iat in two minutes", edit: fromNow("iat", 2*time.Minute)},
		{name: "iat that is a string", edit: apptest.Claim("iat", "1700000000")},
		{name: "iat that is null", edit: apptest.Claim("iat", nil)},
		// fapi2-security-profile-final-client-test-invalid-missing-exp.
		{name: "no exp", edit: apptest.Without("exp")},
		{name: "exp two minutes ago", edit: fromNow("exp", -2*time.Minute)},
		// fapi2-security-profile-final-client-test-invalid-expired-exp.
		{name: "exp six minutes ago", edit: fromNow("exp", -6*time.Minute)},
		{name: "exp that is a string", edit: func(_, claims map[string]any) { claims["exp"] = "99999999999" }},
		{name: "exp that is huge", edit: apptest.Claim("exp", json.RawMessage("1e300"))},
		{name: "exp that is past all numbers", edit: apptest.Claim("exp", json.RawMessage("1e400"))},
		{name: "exp that wraps 64 bits", edit: apptest.Claim("exp", json.RawMessage("18446744073709551617"))},
		{name: "negative exp", edit: apptest.Claim("exp", -1)},
		{name: "exp 0", edit: apptest.Claim("exp", 0)},
		{name: "exp NaN", edit: apptest.Claim("exp", "NaN")},
		{name: "exp null", edit: apptest.Claim("exp", nil)},
		{name: "exp that is an object", edit: apptest.Claim("exp", map[string]any{})},
		{name: "exp by the name EXP", edit: func(_, claims map[string]any) { claims["EXP"] = claims["exp"]; delete(claims, "exp") }},
		{name: "nbf in two minutes", edit: fromNow("nbf", 2*time.Minute)},
		{name: "nbf that is a string", edit: apptest.Claim("nbf", "0")},

		// nonce
		// oidcc-client-test-nonce-invalid, fapi2-security-profile-final-client-test-invalid-nonce.
		{name: "nonce of another login", edit: apptest.Claim("nonce", "hostile")},
		// fapi2-security-profile-final-client-test-invalid-missing-nonce.
		{name: "no nonce", edit: apptest.Without("nonce")},
		{name: "empty nonce", edit: apptest.Claim("nonce", "")},
		{name: "nonce that is a list", edit: func(_, claims map[string]any) { claims["nonce"] = []any{claims["nonce"]} }},
		{name: "nonce and more", edit: func(_, claims map[string]any) { claims["nonce"] = claims["nonce"].(string) + "A" }},
		{name: "nonce by the name Nonce", edit: func(_, claims map[string]any) { claims["Nonce"] = claims["nonce"]; delete(claims, "nonce") }},

		// at_hash: section 3.1.3.8
		// oidcc-client-test-invalid-athash.
		{name: "at_hash of another token", edit: apptest.Claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},
		{name: "empty at_hash", edit: apptest.Claim("at_hash", "")},
		{name: "at_hash that is null", edit: apptest.Claim("at_hash", nil)},
		{name: "at_hash that is a number", edit: apptest.Claim("at_hash", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signInWith(t, apptest.New(t, apptest.Config{KeyAlg: "RS256"}), tt, http.StatusBadGateway, "provider_rejected")
		})
	}
}

func TestIDTokenAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []idTokenCase{
		// oidcc-client-test, oidcc-client-test-idtoken-sig-rs256.
		{name: "as it is"},
		// fapi2-security-profile-final-client-test-valid-aud-as-array.
		{name: "aud a list of us alone", edit: apptest.Claim("aud", []any{"app"})},
		{name: "no azp", edit: apptest.Without("azp")},
		// oidcc-client-test-kid-absent-single-jwks.
		{name: "no kid and one key", edit: func(header, _ map[string]any) { delete(header, "kid") }},
		{name: "no typ", edit: func(header, _ map[string]any) { delete(header, "typ") }},
		{name: "iat within the leeway", edit: fromNow("iat", 30*time.Second)},
		{name: "iat a week ago", edit: fromNow("iat", -7*24*time.Hour)},
		{name: "exp within the leeway", edit: fromNow("exp", -30*time.Second)},
		{name: "exp with a fraction", edit: func(_, claims map[string]any) { claims["exp"] = float64(time.Now().Add(time.Hour).Unix()) + 0.5 }},
		{name: "nbf within the leeway", edit: fromNow("nbf", 30*time.Second)},
		// oidcc-client-test-missing-athash, which is for other flows.
		{name: "no at_hash", edit: apptest.Without("at_hash")},
		// fapi2-security-profile-final-client-test-invalid-openbanking-intent-id.
		{name: "claims that nobody knows", edit: apptest.Claim("hostile", map[string]any{"hostile": []any{1}})},
		// Aggregated and distributed claims are never fetched.
		{name: "claims that are elsewhere", edit: func(_, claims map[string]any) {
			claims["_claim_names"] = map[string]any{"age": "src1"}
			claims["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": "https://evil.test/evil", "access_token": "x"}}
			claims["picture"] = "https://evil.test/evil"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signInWith(t, apptest.New(t, apptest.Config{KeyAlg: "RS256"}), tt, http.StatusOK, "")
		})
	}
}

// A subject is up to 255 ASCII characters, and case counts (OpenID Connect Core
// section 2).
func TestSubjects(t *testing.T) {
	t.Parallel()
	for _, sub := range []string{strings.Repeat("a", 255), "Alice", "a b", `"<alice>" & 'co' \ %s %d`, "auth0|1", "~"} {
		t.Run(sub, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Provider.AutoApprove(sub)
			var user oauthlogin.User
			if err := json.Unmarshal([]byte(a.Browser(t).Login("/dashboard").Text), &user); err != nil {
				t.Fatal(err)
			}
			if user.Subject != sub || user.Issuer != "https://provider.test" || user.Provider != "test" {
				t.Errorf("user is %+v", user)
			}
		})
	}
}

// OpenID Connect Core section 3.1.3.7, 3 to 5: what TrustedAudiences allows.
func TestTrustedAudiences(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		aud any
		azp string // "": none
		ok  bool
	}{
		{[]any{"app", "api"}, "app", true},
		{[]any{"api", "app"}, "app", true},
		{[]any{"app", "api", "api2"}, "app", true},
		{[]any{"app"}, "", true},
		{[]any{"app", "api"}, "", false}, // several audiences, no azp
		{[]any{"app", "api"}, "api", false},
		{[]any{"app", "api"}, "hostile", false},
		{[]any{"app", "hostile"}, "app", false},
		{[]any{"app", "api", "hostile"}, "app", false},
		{[]any{"app", "API"}, "app", false},
		{[]any{"app", ""}, "app", false},
		{[]any{"app", 1}, "app", false},
		{"api", "app", false}, // trusted, but not for us
		{[]any{"api"}, "app", false},
	} {
		t.Run(fmt.Sprint(tt.aud, " azp ", tt.azp), func(t *testing.T) {
			status, code := http.StatusOK, ""
			if !tt.ok {
				status, code = http.StatusBadGateway, "provider_rejected"
			}
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256", Change: func(opts *oauthlogin.Options) {
				opts.Providers[0].TrustedAudiences = []string{"api", "api2"}
			}})
			signInWith(t, a, idTokenCase{edit: func(_, claims map[string]any) {
				claims["aud"], claims["azp"] = tt.aud, tt.azp
				if tt.azp == "" {
					delete(claims, "azp")
				}
			}}, status, code)
		})
	}
}

// RFC 8725 section 3.1: an algorithm is good if the provider's metadata has it
// and it is asymmetric. oidcc-client-test-idtoken-sig-rs256;
// fapi2-security-profile-final-client-test-invalid-alternate-alg is RS256 where
// that is not among them.
func TestSigningAlgorithms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		alg        string
		advertised any // nil: nothing, which means RS256
		ok         bool
	}{
		{"RS256", []string{"RS256"}, true},
		{"RS256", nil, true},
		{"RS256", []string{}, true},
		{"RS256", []string{"none", "HS256", "RS256"}, true},
		{"PS256", []string{"RS256", "PS256"}, true},
		{"ES256", []string{"RS256", "ES256"}, true},
		{"EdDSA", []string{"EdDSA"}, true},
		{"ES256", []string{"RS256"}, false},
		{"ES256", nil, false},
		{"PS256", []string{"RS256", "ES256"}, false},
		{"EdDSA", []string{"RS256"}, false},
		{"RS256", []string{"ES256"}, false},
	} {
		t.Run(fmt.Sprint(tt.alg, " of ", tt.advertised), func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Provider.SetKeyAlg(tt.alg)
			a.Provider.EditDiscovery(func(doc map[string]any) {
				doc["id_token_signing_alg_values_supported"] = tt.advertised
			})
			if tt.ok {
				a.Recovers(t, a.Browser(t))
				return
			}
			b := a.Browser(t)
			a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
			if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 {
				t.Errorf("%d user info requests", n)
			}
		})
	}
}

// Metadata may advertise what is no good, and the token may use it: HS256 and
// none stay refused.
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

// The OpenID Foundation's oidcc-client-test-kid-absent-multiple-jwks: either
// outcome passes; ours is to try all of the provider's keys.
func TestNoKeyIDAndSeveralKeys(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(a *apptest.App, edit func(keys []map[string]any) []map[string]any) {
		a.Provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			rec := httptest.NewRecorder()
			next(rec, r)
			var set struct{ Keys []map[string]any }
			if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil {
				t.Error(err)
			}
			json.NewEncoder(w).Encode(map[string]any{"keys": edit(set.Keys)})
		})
	}
	beside := func(keys []map[string]any) []map[string]any {
		return append([]map[string]any{apptest.ECJWK(other, "other"), {"kty": "OKP", "crv": "Ed448", "x": "AAAA"}, {"kty": "hostile"}}, keys...)
	}
	noKID := func(header, _ map[string]any) { delete(header, "kid") }
	t.Run("signed with one of them", func(t *testing.T) {
		a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
		serve(a, beside)
		signInWith(t, a, idTokenCase{edit: noKID}, http.StatusOK, "")
	})
	// As that test has them: for the same algorithm, and without ids.
	t.Run("signed with one of those that have no id either", func(t *testing.T) {
		a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
		serve(a, func(keys []map[string]any) []map[string]any {
			delete(keys[0], "kid")
			return []map[string]any{
				{"kty": "RSA", "use": "sig", "alg": "RS256", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(stranger.N.Bytes())},
				keys[0],
			}
		})
		signInWith(t, a, idTokenCase{edit: noKID}, http.StatusOK, "")
	})
	t.Run("signed with another", func(t *testing.T) {
		a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
		serve(a, beside)
		signInWith(t, a, idTokenCase{edit: noKID, sign: func(_ *apptest.App, header, claims map[string]any) string {
			return apptest.Compact(header, claims, apptest.RS256(stranger))
		}}, http.StatusBadGateway, "provider_rejected")
	})
}

// An OpenID Connect login without an ID token is none, whatever else is there.
func TestNoIDToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func(resp map[string]any)
	}{
		{"missing", func(resp map[string]any) { delete(resp, "id_token") }},
		{"empty", func(resp map[string]any) { resp["id_token"] = "" }},
		{"null", func(resp map[string]any) { resp["id_token"] = nil }},
		{"a number", func(resp map[string]any) { resp["id_token"] = 1 }},
		{"an object", func(resp map[string]any) { resp["id_token"] = map[string]any{"sub": "hostile"} }},
		{"by another name", func(resp map[string]any) { resp["ID_TOKEN"] = resp["id_token"]; delete(resp, "id_token") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			b := a.Browser(t)
			a.Provider.EditTokenResponse(tt.edit)
			resp := b.TryLogin()
			a.Refused(t, b, resp, http.StatusBadGateway, "provider_rejected")
			if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 {
				t.Errorf("%d user info requests", n)
			}
			a.Provider.EditTokenResponse(nil)
			a.Recovers(t, b)
		})
	}
}

// OpenID Connect Core sections 3.1.2.1 and 3.1.3.7, 11 and 12: who asks for a
// recent sign-in, or for one of a kind, looks whether it was.
func TestRequestedAuthentication(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		params url.Values
		edit   func(header, claims map[string]any)
		ok     bool
	}{
		{"max_age and signed in just now", url.Values{"max_age": {"60"}}, nil, true},
		{"max_age 0 and signed in just now", url.Values{"max_age": {"0"}}, nil, true},
		{"max_age and within the leeway", url.Values{"max_age": {"60"}}, fromNow("auth_time", -90*time.Second), true},
		{"max_age and too long ago", url.Values{"max_age": {"60"}}, fromNow("auth_time", -150*time.Second), false},
		{"max_age 0 and too long ago", url.Values{"max_age": {"0"}}, fromNow("auth_time", -90*time.Second), false},
		{"max_age and no auth_time", url.Values{"max_age": {"60"}}, apptest.Without("auth_time"), false},
		{"max_age and an auth_time that is a string", url.Values{"max_age": {"60"}}, apptest.Claim("auth_time", "9999999999"), false},
		{"no max_age and no auth_time", nil, apptest.Without("auth_time"), true},
		{"no max_age and long ago", nil, fromNow("auth_time", -1000*time.Hour), true},
		{"acr_values and the one", url.Values{"acr_values": {"phr"}}, nil, true},
		{"acr_values and one of them", url.Values{"acr_values": {"phr phrh"}}, apptest.Claim("acr", "phrh"), true},
		{"acr_values and another", url.Values{"acr_values": {"phr phrh"}}, apptest.Claim("acr", "0"), false},
		{"acr_values and both in one", url.Values{"acr_values": {"phr phrh"}}, apptest.Claim("acr", "phr phrh"), false},
		{"acr_values and none", url.Values{"acr_values": {"phr"}}, apptest.Without("acr"), false},
		{"acr_values and an empty one", url.Values{"acr_values": {"phr"}}, apptest.Claim("acr", ""), false},
		{"no acr_values and no acr", nil, apptest.Without("acr"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, code := http.StatusOK, ""
			if !tt.ok {
				status, code = http.StatusForbidden, "step_up_failed"
			}
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256", Change: func(opts *oauthlogin.Options) { opts.Providers[0].AuthParams = tt.params }})
			signInWith(t, a, idTokenCase{edit: tt.edit}, status, code)
		})
	}
}
