package oauthlogin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An object is a JOSE header or a set of claims.
type object = map[string]any

// claim puts one claim into an ID token.
func claim(name string, value any) func(header, claims object) {
	return func(_, claims object) { claims[name] = value }
}

// without takes claims out of an ID token.
func without(names ...string) func(header, claims object) {
	return func(_, claims object) {
		for _, name := range names {
			delete(claims, name)
		}
	}
}

// fromNow is a claim whose value is a time.
func fromNow(name string, d time.Duration) func(header, claims object) {
	return func(_, claims object) { claims[name] = time.Now().Add(d).Unix() }
}

// in is a value of the JOSE header.
func in(name string, value any) func(header, claims object) {
	return func(header, _ object) { header[name] = value }
}

func segment(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

// compact is the JWS compact serialization.
func compact(header, claims object, sign func(input string) []byte) string {
	input := segment(header) + "." + segment(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(sign(input))
}

func rs256(key crypto.Signer) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		signature, _ := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		return signature
	}
}

func es256(key *ecdsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, s, _ := ecdsa.Sign(rand.Reader, key, sum[:])
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func hs256(key []byte) func(string) []byte {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

func unsigned(string) []byte { return nil }

// ecJWK is the JSON Web Key of a public key on P-256.
func ecJWK(key *ecdsa.PrivateKey, kid string) object {
	point, _ := key.PublicKey.Bytes()
	return object{
		"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
}

// An idTokenCase is a login in which the provider issues an unusual ID token.
type idTokenCase struct {
	name string
	edit func(header, claims object)
	sign func(a *wiredApp, header, claims object) string // nil: as the provider signs
}

// signInWith tries the login, and afterwards a clean one. Name and e-mail are
// left out of the ID token, so that user info is asked for as soon as the
// token is trusted. An empty code is of a login that works.
func signInWith(t *testing.T, a *wiredApp, tt idTokenCase, status int, code string) {
	t.Helper()
	a.net["evil.test"] = a.count(func(http.ResponseWriter, *http.Request) {})
	a.provider.EditIDToken(func(header, claims object) {
		delete(claims, "name")
		if tt.edit != nil {
			tt.edit(header, claims)
		}
	})
	if tt.sign != nil {
		a.provider.SignWith(func(header, claims object) string { return tt.sign(a, header, claims) })
	}
	b := a.browser(t)
	resp := failingLogin(b)
	if n := a.provider.Count(oauthlogintest.Token); n != 1 {
		t.Errorf("%d token requests", n)
	}
	userInfo := a.provider.Count(oauthlogintest.UserInfo)
	if code == "" {
		if resp.StatusCode != status || a.called("/dashboard") != 1 || userInfo != 1 {
			t.Errorf("answer is %d after %d user info requests: %s\n%s", resp.StatusCode, userInfo, resp.body, a.log)
		}
	} else {
		// RFC 9700 section 4.5.3.2: until the ID token is verified, all tokens
		// are disregarded.
		if userInfo > 0 {
			t.Error("user info was asked for")
		}
		a.refused(t, b, resp, status, code)
		a.provider.EditIDToken(nil)
		a.provider.SignWith(nil)
		a.recovers(t, a.browser(t))
	}
	if a.called("/evil") > 0 {
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
	serialized := func(f func(a *wiredApp, signed string) string) func(*wiredApp, object, object) string {
		return func(a *wiredApp, header, claims object) string {
			key, _ := a.provider.SigningKey()
			return f(a, compact(header, claims, rs256(key)))
		}
	}
	constant := func(token string) func(*wiredApp, object, object) string {
		return func(*wiredApp, object, object) string { return token }
	}
	byAttacker := func(set func(header object)) func(*wiredApp, object, object) string {
		return func(_ *wiredApp, header, claims object) string {
			header["alg"] = "ES256"
			set(header)
			return compact(header, claims, es256(attacker))
		}
	}
	none := func(alg string) func(*wiredApp, object, object) string {
		return func(_ *wiredApp, header, claims object) string {
			header["alg"] = alg
			return compact(header, claims, unsigned)
		}
	}
	hs := func(key func(a *wiredApp) []byte) func(*wiredApp, object, object) string {
		return func(a *wiredApp, header, claims object) string {
			header["alg"] = "HS256"
			return compact(header, claims, hs256(key(a)))
		}
	}
	// encoding/json takes any case of a name, and the last of several.
	endingWith := func(member string) func(*wiredApp, object, object) string {
		return func(a *wiredApp, header, claims object) string {
			key, _ := a.provider.SigningKey()
			b, _ := json.Marshal(claims)
			input := segment(header) + "." + base64.RawURLEncoding.EncodeToString(append(b[:len(b)-1], ","+member+"}"...))
			return input + "." + base64.RawURLEncoding.EncodeToString(rs256(key)(input))
		}
	}
	ours := []any{"app"}

	for _, tt := range []idTokenCase{
		// iss
		// oidcc-client-test-invalid-iss, fapi2-security-profile-final-client-test-invalid-iss.
		{name: "iss of another issuer", edit: claim("iss", "https://evil.test/hostile")},
		{name: "iss with a slash more", edit: claim("iss", "https://provider.test/")},
		{name: "iss in other case", edit: claim("iss", "https://Provider.test")},
		// fapi2-security-profile-final-client-test-invalid-missing-iss.
		{name: "no iss", edit: without("iss")},
		{name: "empty iss", edit: claim("iss", "")},
		{name: "iss that is a list", edit: claim("iss", []any{"https://provider.test"})},
		{name: "iss by the name ISS", edit: func(_, claims object) { claims["ISS"] = claims["iss"]; delete(claims, "iss") }},
		{name: "iss of another issuer, then ours by the name Iss", edit: claim("iss", "https://evil.test"), sign: endingWith(`"Iss":"https://provider.test"`)},

		// sub
		// oidcc-client-test-missing-sub.
		{name: "no sub", edit: without("sub")},
		{name: "empty sub", edit: claim("sub", "")},
		{name: "sub that is a number", edit: claim("sub", 12345)},
		{name: "sub that is null", edit: claim("sub", nil)},
		{name: "sub that is an object", edit: claim("sub", object{"id": "alice"})},
		{name: "sub of 256 characters", edit: claim("sub", strings.Repeat("a", 256))},
		{name: "sub outside ASCII", edit: claim("sub", "älice")},
		{name: "sub with a control character", edit: claim("sub", "alice\n")},
		{name: "sub by the name SUB", edit: func(_, claims object) { claims["SUB"] = claims["sub"]; delete(claims, "sub") }},

		// aud, azp
		// oidcc-client-test-invalid-aud, fapi2-security-profile-final-client-test-invalid-aud.
		{name: "aud of another client", edit: claim("aud", "hostile")},
		// oidcc-client-test-missing-aud, fapi2-security-profile-final-client-test-invalid-missing-aud.
		{name: "no aud", edit: without("aud")},
		{name: "empty aud", edit: claim("aud", "")},
		{name: "aud that is an empty list", edit: claim("aud", []any{})},
		{name: "aud that is null", edit: claim("aud", nil)},
		{name: "aud that is a number", edit: claim("aud", 1)},
		{name: "aud in other case", edit: claim("aud", "APP")},
		{name: "aud that begins like us", edit: claim("aud", "app2")},
		{name: "aud by the name AUD", edit: func(_, claims object) { claims["AUD"] = claims["aud"]; delete(claims, "aud") }},
		{name: "aud of another client, then ours by the name Aud", edit: claim("aud", "other"), sign: endingWith(`"Aud":"app"`)},
		{name: "aud a list without us", edit: claim("aud", []any{"hostile", "other"})},
		// fapi2-security-profile-final-client-test-invalid-secondary-aud.
		{name: "aud with another client, azp ours", edit: claim("aud", append(ours, "hostile"))},
		{name: "aud with another client, no azp", edit: func(_, claims object) { claims["aud"] = append(ours, "hostile"); delete(claims, "azp") }},
		{name: "azp of another client", edit: claim("azp", "hostile")},
		{name: "empty azp", edit: claim("azp", "")},
		{name: "azp that is a list", edit: claim("azp", ours)},

		// alg and keys: RFC 8725 section 3.1, CVE-2016-9122, CVE-2026-33322
		// oidcc-client-test-idtoken-sig-none, fapi2-security-profile-final-client-test-invalid-null-alg.
		{name: "alg none", sign: none("none")},
		{name: "alg None", sign: none("None")},
		{name: "alg nOnE", sign: none("nOnE")},
		{name: "no alg", edit: func(header, _ object) { delete(header, "alg") }},
		{name: "empty alg", edit: in("alg", "")},
		{name: "alg none with a signature", sign: func(a *wiredApp, header, claims object) string {
			key, _ := a.provider.SigningKey()
			header["alg"] = "none"
			return compact(header, claims, rs256(key))
		}},
		{name: "alg RS256 without a signature", sign: func(_ *wiredApp, header, claims object) string { return compact(header, claims, unsigned) }},
		{name: "alg HS256 by the public key as PEM", sign: hs(func(a *wiredApp) []byte { return publicKeyPEM(a.provider) })},
		// oidcc-client-test-invalid-sig-hs256.
		{name: "alg HS256 by the client secret", sign: hs(func(*wiredApp) []byte { return []byte("s3cret-of-the-app") })},
		{name: "alg HS256 by an empty key", sign: hs(func(*wiredApp) []byte { return nil })},
		{name: "alg RS512 over a signature of RS256", edit: in("alg", "RS512")},
		// oidcc-client-test-invalid-sig-es256.
		{name: "alg ES256 over a signature of RS256", edit: in("alg", "ES256")},
		// oidcc-client-test-invalid-sig-rs256.
		{name: "signature of another token", sign: serialized(func(_ *wiredApp, signed string) string {
			head, signature := signed[:strings.LastIndex(signed, ".")], signed[strings.LastIndex(signed, "."):]
			header, _, _ := strings.Cut(head, ".")
			return header + "." + segment(object{"sub": "mallory"}) + signature
		})},
		{name: "signature cut short", sign: serialized(func(_ *wiredApp, signed string) string { return signed[:len(signed)-4] })},
		{name: "kid unknown", edit: in("kid", "hostile")},
		{name: "kid that is a number", edit: in("kid", 1)},
		{name: "attacker's key with our kid", sign: byAttacker(func(object) {})},
		// CVE-2026-27962.
		{name: "attacker's key in jwk with our kid", sign: byAttacker(func(header object) { header["jwk"] = ecJWK(attacker, header["kid"].(string)) })},
		{name: "attacker's key in jwk with no kid", sign: byAttacker(func(header object) { delete(header, "kid"); header["jwk"] = ecJWK(attacker, "") })},
		{name: "attacker's key in jwk with its own kid", sign: byAttacker(func(header object) { header["kid"] = "k"; header["jwk"] = ecJWK(attacker, "k") })},
		{name: "attacker's keys at jku", sign: byAttacker(func(header object) { header["kid"] = "k"; header["jku"] = "https://evil.test/evil" })},
		{name: "attacker's certificate at x5u", sign: byAttacker(func(header object) { header["kid"] = "k"; header["x5u"] = "https://evil.test/evil" })},
		{name: "attacker's certificate in x5c", sign: byAttacker(func(header object) { header["x5c"] = []string{"AAAA"} })},
		{name: "a critical header that nobody knows: RFC 7515 section 4.1.11", edit: func(header, _ object) { header["crit"], header["hostile"] = []string{"hostile"}, true }},
		{name: "critical headers that are no list", edit: in("crit", "exp")},

		// serialization
		{name: "JSON serialization with one signature", sign: serialized(func(_ *wiredApp, signed string) string {
			part := strings.Split(signed, ".")
			return `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`
		})},
		{name: "JSON serialization with two dots in it", sign: serialized(func(_ *wiredApp, signed string) string {
			part := strings.Split(signed, ".")
			return `{"a":"..","payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`
		})},
		{name: "JSON serialization with two signatures", sign: serialized(func(_ *wiredApp, signed string) string {
			part := strings.Split(signed, ".")
			one := `{"protected":"` + part[0] + `","signature":"` + part[2] + `"}`
			return `{"a":"..","payload":"` + part[1] + `","signatures":[` + one + `,` + one + `]}`
		})},
		{name: "compact serialization with white space", sign: serialized(func(_ *wiredApp, signed string) string {
			return " " + strings.ReplaceAll(signed, ".", " .\n")
		})},
		{name: "compact serialization with padding", sign: serialized(func(_ *wiredApp, signed string) string { return signed + "==" })},
		// go-jose CVE-2024-28180, GHSA-2c7c-3mj9-8fqh, CVE-2026-34986.
		{name: "JWE of five parts", sign: constant(segment(object{"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}) + ".AAAA.AAAA.AAAA.AAAA")},
		{name: "JWE by a password", sign: constant(segment(object{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA")},
		// CVE-2025-22868, CVE-2025-30204, CVE-2025-27144.
		{name: "nothing but a million dots", sign: constant(strings.Repeat(".", 1_000_000))},
		{name: "two dots", sign: constant("..")},
		{name: "one dot", sign: constant("a.b")},
		{name: "no dot", sign: constant("hostile")},
		{name: "no base64", sign: constant("<hostile>.<hostile>.<hostile>")},
		{name: "a header that is no object", sign: constant(segment([]string{"hostile"}) + ".e30.AAAA")},
		{name: "claims that are a list", sign: func(a *wiredApp, header, claims object) string {
			key, _ := a.provider.SigningKey()
			input := segment(header) + "." + segment([]any{claims})
			return input + "." + base64.RawURLEncoding.EncodeToString(rs256(key)(input))
		}},
		{name: "a token of over 128 KiB", edit: claim("padding", strings.Repeat("a", 128<<10))},
		{name: "an empty token", sign: constant("")},

		// times
		// oidcc-client-test-missing-iat.
		{name: "no iat", edit: without("iat")},
		{name: "iat in two minutes", edit: fromNow("iat", 2*time.Minute)},
		{name: "iat that is a string", edit: claim("iat", "1700000000")},
		{name: "iat that is null", edit: claim("iat", nil)},
		// fapi2-security-profile-final-client-test-invalid-missing-exp.
		{name: "no exp", edit: without("exp")},
		{name: "exp two minutes ago", edit: fromNow("exp", -2*time.Minute)},
		// fapi2-security-profile-final-client-test-invalid-expired-exp.
		{name: "exp six minutes ago", edit: fromNow("exp", -6*time.Minute)},
		{name: "exp that is a string", edit: func(_, claims object) { claims["exp"] = "99999999999" }},
		{name: "exp that is huge", edit: claim("exp", json.RawMessage("1e300"))},
		{name: "exp that is past all numbers", edit: claim("exp", json.RawMessage("1e400"))},
		{name: "exp that wraps 64 bits", edit: claim("exp", json.RawMessage("18446744073709551617"))},
		{name: "negative exp", edit: claim("exp", -1)},
		{name: "exp 0", edit: claim("exp", 0)},
		{name: "exp NaN", edit: claim("exp", "NaN")},
		{name: "exp null", edit: claim("exp", nil)},
		{name: "exp that is an object", edit: claim("exp", object{})},
		{name: "exp by the name EXP", edit: func(_, claims object) { claims["EXP"] = claims["exp"]; delete(claims, "exp") }},
		{name: "nbf in two minutes", edit: fromNow("nbf", 2*time.Minute)},
		{name: "nbf that is a string", edit: claim("nbf", "0")},

		// nonce
		// oidcc-client-test-nonce-invalid, fapi2-security-profile-final-client-test-invalid-nonce.
		{name: "nonce of another login", edit: claim("nonce", "hostile")},
		// fapi2-security-profile-final-client-test-invalid-missing-nonce.
		{name: "no nonce", edit: without("nonce")},
		{name: "empty nonce", edit: claim("nonce", "")},
		{name: "nonce that is a list", edit: func(_, claims object) { claims["nonce"] = []any{claims["nonce"]} }},
		{name: "nonce and more", edit: func(_, claims object) { claims["nonce"] = claims["nonce"].(string) + "A" }},
		{name: "nonce by the name Nonce", edit: func(_, claims object) { claims["Nonce"] = claims["nonce"]; delete(claims, "nonce") }},

		// at_hash: section 3.1.3.8
		// oidcc-client-test-invalid-athash.
		{name: "at_hash of another token", edit: claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},
		{name: "empty at_hash", edit: claim("at_hash", "")},
		{name: "at_hash that is null", edit: claim("at_hash", nil)},
		{name: "at_hash that is a number", edit: claim("at_hash", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signInWith(t, newWiredApp(t, offline{}), tt, http.StatusBadGateway, "provider_rejected")
		})
	}
}

func TestIDTokenAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []idTokenCase{
		// oidcc-client-test, oidcc-client-test-idtoken-sig-rs256.
		{name: "as it is"},
		// fapi2-security-profile-final-client-test-valid-aud-as-array.
		{name: "aud a list of us alone", edit: claim("aud", []any{"app"})},
		{name: "no azp", edit: without("azp")},
		// oidcc-client-test-kid-absent-single-jwks.
		{name: "no kid and one key", edit: func(header, _ object) { delete(header, "kid") }},
		{name: "no typ", edit: func(header, _ object) { delete(header, "typ") }},
		{name: "iat within the leeway", edit: fromNow("iat", 30*time.Second)},
		{name: "iat a week ago", edit: fromNow("iat", -7*24*time.Hour)},
		{name: "exp within the leeway", edit: fromNow("exp", -30*time.Second)},
		{name: "exp with a fraction", edit: func(_, claims object) { claims["exp"] = float64(time.Now().Add(time.Hour).Unix()) + 0.5 }},
		{name: "nbf within the leeway", edit: fromNow("nbf", 30*time.Second)},
		// oidcc-client-test-missing-athash, which is for other flows.
		{name: "no at_hash", edit: without("at_hash")},
		// fapi2-security-profile-final-client-test-invalid-openbanking-intent-id.
		{name: "claims that nobody knows", edit: claim("hostile", object{"hostile": []any{1}})},
		// Aggregated and distributed claims are never fetched.
		{name: "claims that are elsewhere", edit: func(_, claims object) {
			claims["_claim_names"] = object{"age": "src1"}
			claims["_claim_sources"] = object{"src1": object{"endpoint": "https://evil.test/evil", "access_token": "x"}}
			claims["picture"] = "https://evil.test/evil"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signInWith(t, newWiredApp(t, offline{}), tt, http.StatusOK, "")
		})
	}
}

// A subject is up to 255 ASCII characters, and case counts (OpenID Connect Core
// section 2).
func TestSubjects(t *testing.T) {
	t.Parallel()
	for _, sub := range []string{strings.Repeat("a", 255), "Alice", "a b", `"<alice>" & 'co' \ %s %d`, "auth0|1", "~"} {
		t.Run(sub, func(t *testing.T) {
			a := newWiredApp(t, offline{})
			a.provider.AutoApprove(sub)
			var user oauthlogin.User
			if err := json.Unmarshal([]byte(a.browser(t).login("/dashboard").body), &user); err != nil {
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
			a := newWiredApp(t, offline{change: func(opts *oauthlogin.Options) {
				opts.Providers[0].TrustedAudiences = []string{"api", "api2"}
			}})
			signInWith(t, a, idTokenCase{edit: func(_, claims object) {
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
			a := newWiredApp(t, offline{})
			a.provider.SetKeyAlg(tt.alg)
			a.provider.EditDiscovery(func(doc object) {
				doc["id_token_signing_alg_values_supported"] = tt.advertised
			})
			if tt.ok {
				a.recovers(t, a.browser(t))
				return
			}
			b := a.browser(t)
			a.refused(t, b, failingLogin(b), http.StatusBadGateway, "provider_rejected")
			if n := a.provider.Count(oauthlogintest.UserInfo); n > 0 {
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
			a := newWiredApp(t, offline{})
			a.provider.EditDiscovery(func(doc object) {
				doc["id_token_signing_alg_values_supported"] = []string{"RS256", "HS256", "none"}
			})
			signInWith(t, a, idTokenCase{edit: in("alg", alg)}, http.StatusBadGateway, "provider_rejected")
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
	serve := func(a *wiredApp, edit func(keys []object) []object) {
		a.provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			rec := httptest.NewRecorder()
			next(rec, r)
			var set struct{ Keys []object }
			if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil {
				t.Error(err)
			}
			json.NewEncoder(w).Encode(object{"keys": edit(set.Keys)})
		})
	}
	beside := func(keys []object) []object {
		return append([]object{ecJWK(other, "other"), {"kty": "OKP", "crv": "Ed448", "x": "AAAA"}, {"kty": "hostile"}}, keys...)
	}
	noKID := func(header, _ object) { delete(header, "kid") }
	t.Run("signed with one of them", func(t *testing.T) {
		a := newWiredApp(t, offline{})
		serve(a, beside)
		signInWith(t, a, idTokenCase{edit: noKID}, http.StatusOK, "")
	})
	// As that test has them: for the same algorithm, and without ids.
	t.Run("signed with one of those that have no id either", func(t *testing.T) {
		a := newWiredApp(t, offline{})
		serve(a, func(keys []object) []object {
			delete(keys[0], "kid")
			return []object{
				{"kty": "RSA", "use": "sig", "alg": "RS256", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(stranger.N.Bytes())},
				keys[0],
			}
		})
		signInWith(t, a, idTokenCase{edit: noKID}, http.StatusOK, "")
	})
	t.Run("signed with another", func(t *testing.T) {
		a := newWiredApp(t, offline{})
		serve(a, beside)
		signInWith(t, a, idTokenCase{edit: noKID, sign: func(_ *wiredApp, header, claims object) string {
			return compact(header, claims, rs256(stranger))
		}}, http.StatusBadGateway, "provider_rejected")
	})
}

// An OpenID Connect login without an ID token is none, whatever else is there.
func TestNoIDToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func(resp object)
	}{
		{"missing", func(resp object) { delete(resp, "id_token") }},
		{"empty", func(resp object) { resp["id_token"] = "" }},
		{"null", func(resp object) { resp["id_token"] = nil }},
		{"a number", func(resp object) { resp["id_token"] = 1 }},
		{"an object", func(resp object) { resp["id_token"] = object{"sub": "hostile"} }},
		{"by another name", func(resp object) { resp["ID_TOKEN"] = resp["id_token"]; delete(resp, "id_token") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newWiredApp(t, offline{})
			b := a.browser(t)
			a.provider.EditTokenResponse(tt.edit)
			resp := failingLogin(b)
			a.refused(t, b, resp, http.StatusBadGateway, "provider_rejected")
			if n := a.provider.Count(oauthlogintest.UserInfo); n > 0 {
				t.Errorf("%d user info requests", n)
			}
			a.provider.EditTokenResponse(nil)
			a.recovers(t, b)
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
		edit   func(header, claims object)
		ok     bool
	}{
		{"max_age and signed in just now", url.Values{"max_age": {"60"}}, nil, true},
		{"max_age 0 and signed in just now", url.Values{"max_age": {"0"}}, nil, true},
		{"max_age and within the leeway", url.Values{"max_age": {"60"}}, fromNow("auth_time", -90*time.Second), true},
		{"max_age and too long ago", url.Values{"max_age": {"60"}}, fromNow("auth_time", -150*time.Second), false},
		{"max_age 0 and too long ago", url.Values{"max_age": {"0"}}, fromNow("auth_time", -90*time.Second), false},
		{"max_age and no auth_time", url.Values{"max_age": {"60"}}, without("auth_time"), false},
		{"max_age and an auth_time that is a string", url.Values{"max_age": {"60"}}, claim("auth_time", "9999999999"), false},
		{"no max_age and no auth_time", nil, without("auth_time"), true},
		{"no max_age and long ago", nil, fromNow("auth_time", -1000*time.Hour), true},
		{"acr_values and the one", url.Values{"acr_values": {"phr"}}, nil, true},
		{"acr_values and one of them", url.Values{"acr_values": {"phr phrh"}}, claim("acr", "phrh"), true},
		{"acr_values and another", url.Values{"acr_values": {"phr phrh"}}, claim("acr", "0"), false},
		{"acr_values and both in one", url.Values{"acr_values": {"phr phrh"}}, claim("acr", "phr phrh"), false},
		{"acr_values and none", url.Values{"acr_values": {"phr"}}, without("acr"), false},
		{"acr_values and an empty one", url.Values{"acr_values": {"phr"}}, claim("acr", ""), false},
		{"no acr_values and no acr", nil, without("acr"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, code := http.StatusOK, ""
			if !tt.ok {
				status, code = http.StatusForbidden, "step_up_failed"
			}
			a := newWiredApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Providers[0].AuthParams = tt.params }})
			signInWith(t, a, idTokenCase{edit: tt.edit}, status, code)
		})
	}
}

// publicKeyPEM is what a relying party that confuses HS256 with RS256 would take
// for the shared secret.
func publicKeyPEM(p *oauthlogintest.Provider) []byte {
	key, _ := p.SigningKey()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
