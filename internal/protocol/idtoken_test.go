package protocol

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// RFC 8725 sections 3.1 and 3.11, RFC 7515 section 4.1.
func TestHeaders(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s, attacker := newSigner(t, "k", "ES256"), newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk(), newSigner(t, "other", "ES256").jwk(), with(newSigner(t, "r", "RS256").jwk(), object{"alg": "PS256"})}
	c := p.client()
	for _, tt := range []struct {
		name   string
		header object // nil removes one
		ok     bool
	}{
		{"as it is", object{}, true},
		{"no kid", object{"kid": nil}, true},
		{"an empty kid", object{"kid": ""}, true},
		{"an unknown kid", object{"kid": "hostile"}, false},
		{"another kid", object{"kid": "other"}, false},
		{"a kid in other case", object{"kid": "K"}, false},
		{"a kid that is a number", object{"kid": 1}, false},
		{"no typ", object{"typ": nil}, true},
		{"typ jwt", object{"typ": "jwt"}, true},
		{"typ application/jwt", object{"typ": "application/jwt"}, true},
		{"typ Application/JWT", object{"typ": "Application/JWT"}, true},
		{"an empty typ", object{"typ": ""}, false},
		{"typ null", object{"typ": json.RawMessage("null")}, false},
		{"typ a number", object{"typ": 5}, false},
		{"typ application/", object{"typ": "application/"}, false},
		{"typ application/application/jwt", object{"typ": "application/application/jwt"}, false},
		{"an access token", object{"typ": "at+jwt"}, false},
		{"an access token in full", object{"typ": "application/AT+JWT"}, false},
		{"a logout token", object{"typ": "logout+jwt"}, false},
		{"a DPoP proof", object{"typ": "dpop+jwt"}, false},
		{"an introspection response", object{"typ": "token-introspection+jwt"}, false},
		{"typ JOSE", object{"typ": "JOSE"}, false},
		{"alg none", object{"alg": "none"}, false},
		{"alg None", object{"alg": "None"}, false},
		{"alg nOnE", object{"alg": "nOnE"}, false},
		{"no alg", object{"alg": nil}, false},
		{"an empty alg", object{"alg": ""}, false},
		{"alg by the name ALG", object{"alg": nil, "ALG": "ES256"}, false},
		{"alg that is a list", object{"alg": []string{"ES256"}}, false},
		{"alg HS256", object{"alg": "HS256"}, false},
		// oidcc-client-test-invalid-sig-es256 has it the other way round.
		{"alg RS256 over a signature of ES256", object{"alg": "RS256"}, false},
		{"alg ES384", object{"alg": "ES384"}, false},
		{"alg es256", object{"alg": "es256"}, false},
		{"crit", object{"crit": []string{"hostile"}, "hostile": true}, false},
		{"an empty crit", object{"crit": []string{}}, false},
		{"crit that is not a list", object{"crit": "exp"}, false},
		{"crit of twenty thousand", object{"crit": strings.Split(strings.Repeat("x ", 20_000), " ")}, false},
		{"crit b64", object{"crit": []string{"b64"}, "b64": true}, false},
		{"b64 alone", object{"b64": true}, false},
		{"b64 false", object{"b64": false}, false},
		{"an attacker's jwk beside our kid", object{"jwk": attacker.jwk()}, true}, // the signature is good
		{"a jku", object{"jku": "https://evil.test/"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := s.idToken(func(header, _ object) {
				for name, value := range tt.header {
					if header[name] = value; value == nil {
						delete(header, name)
					}
				}
			})
			if err := verify(c, raw); (err == nil) != tt.ok {
				t.Error(err)
			}
		})
	}
	if len(p.asked) != 2 {
		t.Errorf("asked %v", p.asked)
	}
}

// An algorithm works with the keys that fit it alone, and each signature is
// verified. oidcc-client-test-idtoken-sig-rs256, oidcc-client-test-invalid-sig-rs256,
// oidcc-client-test-invalid-sig-es256.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		p := newFakeProvider()
		p.doc["id_token_signing_alg_values_supported"] = []string{alg}
		s := newSigner(t, "k", alg)
		p.jwks = []any{with(newSigner(t, "k", "ES256").jwk(), object{"alg": "ES256"}), with(s.jwk(), object{"alg": alg})}
		c, good, other := p.client(), s.idToken(nil), s.idToken(func(_, claims object) { claims["sub"] = "mallory" })
		if err := verify(c, good); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		signed, signature := good[:strings.LastIndex(good, ".")+1], good[strings.LastIndex(good, ".")+1:]
		flipped, _ := base64.RawURLEncoding.DecodeString(signature)
		flipped[len(flipped)/2] ^= 1
		for what, raw := range map[string]string{
			"a flipped bit": signed + b64(flipped), "the signature of another token": signed + other[strings.LastIndex(other, ".")+1:],
			"no signature": signed, "a signature cut short": good[:len(good)-4],
		} {
			if err := verify(c, raw); !errors.Is(err, errSignature) {
				t.Errorf("%s with %s: %v", alg, what, err)
			}
		}
		if alg == "RS256" {
			// Providers sign by another algorithm of the same kind of key: the metadata says
			// by which.
			p.jwks = []any{with(s.jwk(), object{"alg": "PS256"}), newSigner(t, "e", "ES256").jwk()}
			if err := verify(p.client(), s.idToken(nil)); err != nil {
				t.Errorf("a key that is said to be for PS256: %v", err)
			}
		}
	}
}

// RFC 8725 section 3.1: an algorithm is good if the metadata has it and it is
// asymmetric. Without one in the metadata it is RS256.
// fapi2-security-profile-final-client-test-invalid-alternate-alg.
func TestAdvertisedAlgorithms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		alg        string
		advertised []string
		ok         bool
	}{
		{"RS256", nil, true},
		{"RS256", []string{}, true},
		{"RS256", []string{"none", "HS256", "RS256"}, true},
		{"PS256", []string{"RS256", "PS256"}, true},
		{"ES256", []string{"RS256", "ES256"}, true},
		{"ES256", []string{"RS256"}, false},
		{"ES256", nil, false},
		{"PS256", []string{"RS256", "ES256"}, false},
		{"EdDSA", []string{"RS256"}, false},
		{"RS256", []string{"ES256"}, false},
	} {
		p, s := newFakeProvider(), newSigner(t, "k", tt.alg)
		p.jwks = []any{s.jwk()}
		if p.doc["id_token_signing_alg_values_supported"] = tt.advertised; tt.advertised == nil {
			delete(p.doc, "id_token_signing_alg_values_supported")
		}
		if err := verify(p.client(), s.idToken(nil)); (err == nil) != tt.ok || Unavailable(err) {
			t.Errorf("%s of %q: %v", tt.alg, tt.advertised, err)
		}
	}
}

// oidcc-client-test-kid-absent-single-jwks. For
// oidcc-client-test-kid-absent-multiple-jwks either outcome passes: all of the
// provider's keys are tried.
func TestNoKeyID(t *testing.T) {
	t.Parallel()
	s, twin, stranger := newSigner(t, "k", "RS256"), newSigner(t, "k2", "RS256"), newSigner(t, "k3", "RS256")
	unnamed := func(s *signer) object { return with(s.jwk(), object{"kid": nil}) }
	for _, tt := range []struct {
		name string
		keys []any
		ok   bool
	}{
		{"one key", []any{s.jwk()}, true},
		{"one of several keys", []any{twin.jwk(), newSigner(t, "e", "ES256").jwk(), object{"kty": "OKP", "crv": "Ed448", "x": "AAAA"}, s.jwk()}, true},
		{"one of several keys without IDs", []any{unnamed(twin), unnamed(s)}, true},
		{"none of several keys", []any{twin.jwk(), stranger.jwk()}, false},
		{"none of several keys without IDs", []any{unnamed(twin), unnamed(stranger)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider()
			p.doc["id_token_signing_alg_values_supported"] = []string{"RS256"}
			p.jwks = tt.keys
			if err := verify(p.client(), s.idToken(func(header, _ object) { delete(header, "kid") })); (err == nil) != tt.ok {
				t.Error(err)
			}
		})
	}
}

// at_hash is the left half of the access token's hash, by the signature's
// algorithm (OpenID Connect Core section 3.1.3.8).
func TestATHash(t *testing.T) {
	t.Parallel()
	// Of the access token "at", computed elsewhere.
	const sha256, sha384, sha512 = "sda5G2fCr6XjIpiNlGJjjQ", "4hulEO2T04y86FsZK2pA8fxDcRCCi6uc", "dTR5nNqNrsxqjWP_lCTH2ESWpeTv9f1yZraJ_wsSjjE"
	for alg, hash := range map[string]string{
		"RS256": sha256, "PS256": sha256, "ES256": sha256, "RS384": sha384, "PS384": sha384, "ES384": sha384, "RS512": sha512, "PS512": sha512, "ES512": sha512, "EdDSA": sha512,
	} {
		p := newFakeProvider()
		p.doc["id_token_signing_alg_values_supported"] = []string{alg}
		s := newSigner(t, "k", alg)
		p.jwks = []any{s.jwk()}
		c := p.client()
		for _, said := range []string{sha256, sha384, sha512} {
			raw := s.idToken(func(_, claims object) { claims["at_hash"] = said })
			if err := verify(c, raw); (err == nil) != (said == hash) {
				t.Errorf("%s with %s: %v", alg, said, err)
			}
			if _, _, err := c.VerifyIDToken(t.Context(), raw, "other"); err == nil {
				t.Errorf("%s with another access token", alg)
			}
		}
	}
}

// OpenID Connect Core sections 2 and 3.1.3.7.
func TestClaims(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s := newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	c.TrustedAudiences = []string{"api", "api2"}
	now, null := time.Now().Unix(), json.RawMessage("null")
	for _, tt := range []struct {
		name   string
		claims object // nil removes one
		ok     bool
	}{
		{"as they are", object{}, true}, // oidcc-client-test

		// oidcc-client-test-invalid-iss, fapi2-security-profile-final-client-test-invalid-iss.
		{"another iss", object{"iss": "https://evil.test"}, false},
		{"iss with a slash more", object{"iss": testIssuer + "/"}, false},
		{"iss in other case", object{"iss": "https://Provider.test"}, false},
		// fapi2-security-profile-final-client-test-invalid-missing-iss.
		{"no iss", object{"iss": nil}, false},
		{"an empty iss", object{"iss": ""}, false},
		{"iss that is a list", object{"iss": []string{testIssuer}}, false},
		{"ISS", object{"iss": nil, "ISS": testIssuer}, false},
		{"iss without the scheme", object{"iss": "provider.test"}, false},

		// oidcc-client-test-missing-sub.
		{"no sub", object{"sub": nil}, false},
		{"an empty sub", object{"sub": ""}, false},
		{"sub that is a number", object{"sub": 1}, false},
		{"sub that is null", object{"sub": null}, false},
		{"sub that is an object", object{"sub": object{"id": "alice"}}, false},
		{"sub of 255 bytes", object{"sub": strings.Repeat("a", 255)}, true},
		{"sub of 256 bytes", object{"sub": strings.Repeat("a", 256)}, false},
		{"sub outside ASCII", object{"sub": "é"}, false},
		{"sub with a line break", object{"sub": "a\n"}, false},
		{"sub with a zero", object{"sub": "alice\x00"}, false},
		{"SUB", object{"sub": nil, "SUB": "alice"}, false},
		{"no claims but iss and aud", object{"sub": nil, "exp": nil, "iat": nil, "nonce": nil}, false},

		{"aud a list", object{"aud": []string{"app"}}, true}, // fapi2-security-profile-final-client-test-valid-aud-as-array
		// oidcc-client-test-invalid-aud, fapi2-security-profile-final-client-test-invalid-aud.
		{"another aud", object{"aud": "other"}, false},
		// oidcc-client-test-missing-aud, fapi2-security-profile-final-client-test-invalid-missing-aud.
		{"no aud", object{"aud": nil}, false},
		{"no aud, and azp", object{"aud": nil, "azp": "app"}, false},
		{"an empty aud", object{"aud": ""}, false},
		{"aud that is an empty list", object{"aud": []string{}}, false},
		{"aud a list of nothing", object{"aud": []string{""}}, false},
		{"aud that is null", object{"aud": null}, false},
		{"aud that is a number", object{"aud": 1}, false},
		{"aud that is a boolean", object{"aud": true}, false},
		{"aud that is an object", object{"aud": object{"app": true}}, false},
		{"aud a list of lists", object{"aud": []any{[]any{"app"}}}, false},
		{"aud in other case", object{"aud": "APP"}, false},
		{"aud that begins like the client ID", object{"aud": "app2"}, false},
		{"aud with a space more", object{"aud": "app "}, false},
		{"aud for everyone", object{"aud": "*"}, false},
		{"aud of the application", object{"aud": "https://app.test"}, false},
		{"AUD", object{"aud": nil, "AUD": "app"}, false},
		{"aud with a number", object{"aud": []any{"app", 1}}, false},
		{"aud a list without the client", object{"aud": []string{"other", "api"}, "azp": "app"}, false},
		{"aud trusted, azp", object{"aud": []string{"api", "app"}, "azp": "app"}, true},
		{"two aud trusted, azp", object{"aud": []string{"app", "api", "api2"}, "azp": "app"}, true},
		{"aud trusted, no azp", object{"aud": []string{"api", "app"}}, false},
		{"aud trusted, another azp", object{"aud": []string{"app", "api"}, "azp": "api"}, false},
		{"aud trusted alone", object{"aud": "api", "azp": "app"}, false},
		{"aud trusted in other case", object{"aud": []string{"app", "API"}, "azp": "app"}, false},
		// fapi2-security-profile-final-client-test-invalid-secondary-aud.
		{"aud untrusted, azp", object{"aud": []string{"app", "other"}, "azp": "app"}, false},
		{"aud untrusted and first, azp", object{"aud": []string{"other", "app"}, "azp": "app"}, false},
		{"aud untrusted, no azp", object{"aud": []string{"app", "other"}}, false},
		{"aud untrusted beside a trusted one", object{"aud": []string{"app", "api", "other"}, "azp": "app"}, false},
		{"aud empty beside ours", object{"aud": []string{"app", ""}, "azp": "app"}, false},
		{"azp", object{"azp": "app"}, true},
		{"another azp", object{"azp": "other"}, false},
		{"an empty azp", object{"azp": ""}, false},
		{"azp that is a list", object{"azp": []string{"app"}}, false},

		// fapi2-security-profile-final-client-test-invalid-missing-exp.
		{"no exp", object{"exp": nil}, false},
		{"exp that is a string", object{"exp": "99999999999"}, false},
		// fapi2-security-profile-final-client-test-invalid-expired-exp.
		{"exp six minutes ago", object{"exp": now - 360}, false},
		{"exp 90 seconds ago", object{"exp": now - 90}, false},
		{"exp within the leeway", object{"exp": now - 30}, true},
		{"exp with a fraction", object{"exp": float64(now) + 3600.5}, true},
		{"exp 1e300", object{"exp": json.RawMessage("1e300")}, false},
		{"exp past all numbers", object{"exp": json.RawMessage("1e400")}, false},
		{"exp that wraps 64 bits", object{"exp": json.RawMessage("18446744073709551617")}, false},
		{"a negative exp", object{"exp": -1}, false},
		{"exp 0", object{"exp": 0}, false},
		{"exp NaN", object{"exp": "NaN"}, false},
		{"exp null", object{"exp": null}, false},
		{"exp that is an object", object{"exp": object{}}, false},
		{"EXP", object{"exp": nil, "EXP": now + 3600}, false},
		// oidcc-client-test-missing-iat.
		{"no iat", object{"iat": nil}, false},
		{"iat that is a string", object{"iat": "1700000000"}, false},
		{"iat that is null", object{"iat": null}, false},
		{"iat a week ago", object{"iat": now - 7*24*3600}, true},
		{"iat within the leeway", object{"iat": now + 30}, true},
		{"iat in 90 seconds", object{"iat": now + 90}, false},
		{"nbf within the leeway", object{"nbf": now + 30}, true},
		{"nbf in 90 seconds", object{"nbf": now + 90}, false},
		{"nbf that is a string", object{"nbf": "0"}, false},

		// oidcc-client-test-missing-athash, which is for other flows.
		{"no at_hash", object{"at_hash": nil}, true},
		{"the at_hash of the token", object{"at_hash": "sda5G2fCr6XjIpiNlGJjjQ"}, true},
		// oidcc-client-test-invalid-athash.
		{"an at_hash of another", object{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, false},
		{"an at_hash with padding", object{"at_hash": "sda5G2fCr6XjIpiNlGJjjQ=="}, false},
		{"an empty at_hash", object{"at_hash": ""}, false},
		{"an at_hash that is null", object{"at_hash": null}, false},
		{"an at_hash that is a number", object{"at_hash": 1}, false},
		// fapi2-security-profile-final-client-test-invalid-openbanking-intent-id.
		{"an unknown claim", object{"hostile": object{"hostile": []any{1}}}, true},
		{"distributed claims of any kind", object{"_claim_names": 5, "_claim_sources": "x"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := s.idToken(func(_, claims object) {
				for name, value := range tt.claims {
					if claims[name] = value; value == nil {
						delete(claims, name)
					}
				}
			})
			if err := verify(c, raw); (err == nil) != tt.ok || Unavailable(err) {
				t.Error(err)
			}
		})
	}
	// The last member of a name counts, by its exact spelling: encoding/json would take
	// any case.
	for members, ok := range map[string]bool{
		`"iss":"https://evil.test","Iss":"` + testIssuer + `","aud":"app"`: false, `"iss":"` + testIssuer + `","Iss":"https://evil.test","aud":"app"`: true,
		`"iss":"` + testIssuer + `","aud":"other","Aud":"app"`: false, `"iss":"` + testIssuer + `","aud":"other","aud":"app"`: true,
	} {
		raw := s.sign(object{"alg": "ES256", "kid": "k"}, json.RawMessage(fmt.Sprintf(`{%s,"sub":"alice","iat":%d,"exp":%d}`, members, now, now+60)))
		if err := verify(c, raw); (err == nil) != ok {
			t.Errorf("%s: %v", members, err)
		}
	}
}

// OpenID Connect Core sections 3.1.2.1, 3.1.3.7 and 15.5.2.
func TestCheckAuthentication(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(ago time.Duration) object {
		return object{"nonce": "n", "auth_time": now.Add(-ago).Unix(), "acr": "phr"}
	}
	for _, tt := range []struct {
		name         string
		claims       object
		want         Authentication
		ok           bool
		insufficient bool
	}{
		{"nothing asked", at(1000 * time.Hour), Authentication{"n", -1, ""}, true, false},
		// oidcc-client-test-nonce-invalid, fapi2-security-profile-final-client-test-invalid-nonce.
		{"another nonce", at(0), Authentication{"m", -1, ""}, false, false},
		// fapi2-security-profile-final-client-test-invalid-missing-nonce.
		{"no nonce", object{}, Authentication{"n", -1, ""}, false, false},
		{"an empty nonce", object{"nonce": ""}, Authentication{"n", -1, ""}, false, false},
		{"a nonce and more", object{"nonce": "nA"}, Authentication{"n", -1, ""}, false, false},
		{"a nonce by the name Nonce", object{"Nonce": "n"}, Authentication{"n", -1, ""}, false, false},
		{"a nonce that is a list", object{"nonce": []string{"n"}}, Authentication{"n", -1, ""}, false, false},
		{"no nonce asked for", object{"nonce": ""}, Authentication{"", -1, ""}, false, false},
		{"no nonce asked for, and one that is a number", object{"nonce": 5}, Authentication{"", -1, ""}, false, false},
		{"another nonce and too long ago", at(time.Hour), Authentication{"m", 0, ""}, false, false},
		{"recent", at(10 * time.Second), Authentication{"n", 0, ""}, true, false},
		{"within the leeway", at(90 * time.Second), Authentication{"n", time.Minute, ""}, true, false},
		{"too long ago", at(150 * time.Second), Authentication{"n", time.Minute, ""}, false, true},
		{"in the future", at(-2 * time.Minute), Authentication{"n", time.Minute, ""}, false, true},
		{"max_age 0 and too long ago", at(90 * time.Second), Authentication{"n", 0, ""}, false, true},
		{"no auth_time", object{"nonce": "n"}, Authentication{"n", time.Hour, ""}, false, true},
		{"an auth_time that is a string", object{"nonce": "n", "auth_time": "9999999999"}, Authentication{"n", time.Hour, ""}, false, true},
		{"the acr", at(0), Authentication{"n", -1, "phrh phr"}, true, false},
		{"both acr in one", object{"nonce": "n", "acr": "phrh phr"}, Authentication{"n", -1, "phrh phr"}, false, true},
		{"an empty acr", object{"nonce": "n", "acr": ""}, Authentication{"n", -1, "phr"}, false, true},
		{"another acr", at(0), Authentication{"n", -1, "phrh"}, false, true},
		{"no acr", object{"nonce": "n"}, Authentication{"n", -1, "phr"}, false, true},
	} {
		o, err := claims.Parse(mustJSON(tt.claims))
		if err != nil {
			t.Fatal(err)
		}
		err = CheckAuthentication(o, tt.want)
		if (err == nil) != tt.ok || errors.Is(err, ErrInsufficient) != tt.insufficient {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// OpenID Connect Core section 12.2.
func TestCheckRefreshed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		before, fresh string
		ok            bool
	}{
		{`{"sub":"alice","aud":["a","b"],"nonce":"n"}`, `{"sub":"alice","aud":["b","a"]}`, true},
		{`{"sub":"alice","aud":"a","nonce":"n"}`, `{"sub":"alice","aud":["a"],"nonce":"n"}`, true},
		{`{"sub":"alice","aud":"a","nonce":"n"}`, `{"sub":"alice","aud":"a","nonce":"m"}`, false},
		{`{"sub":"alice","aud":"a"}`, `{"sub":"alice","aud":"a","nonce":"m"}`, false},
		{`{"sub":"alice","aud":"a"}`, `{"sub":"bob","aud":"a"}`, false},
		{`{"sub":"alice","aud":"a"}`, `{"sub":"Alice","aud":"a"}`, false},
		{`{"sub":"alice","aud":"a","nonce":"n"}`, `{"sub":"alice","aud":"a","nonce":""}`, false},
		{`{"sub":"alice","aud":["a","b"]}`, `{"sub":"alice","aud":"a"}`, false},
		{`{"sub":"alice","aud":"a"}`, `{"aud":"a"}`, false},
		{`{"sub":"alice","aud":"a"}`, `{"sub":"alice","aud":["a","b"]}`, false},
	} {
		before, _ := claims.Parse([]byte(tt.before))
		fresh, _ := claims.Parse([]byte(tt.fresh))
		if err := CheckRefreshed(before, "alice", fresh); (err == nil) != tt.ok {
			t.Errorf("%s after %s: %v", tt.fresh, tt.before, err)
		}
	}
}

// The log names the audience of a token for another client, unless it may be an address.
func TestRefusedAudienceIsNamed(t *testing.T) {
	t.Parallel()
	c := newFakeProvider().client()
	for _, tt := range []struct {
		aud   any
		shows string
	}{
		{"other-client", `the audience "other-client"`},
		{[]string{"other-client"}, `the audience "other-client"`},
		{[]string{"app", "https://api.test"}, `the audience "https://api.test"`},
		{"alice@example.com", `the audience "?"`},
		{[]string{"app", "alice@example.com"}, `the audience "?"`},
		{[]string{}, `the audience "?"`},
	} {
		o, _ := claims.Parse(mustJSON(object{"iss": testIssuer, "sub": "alice", "aud": tt.aud, "azp": "app"}))
		if err := c.checkIssued("ID token", o, time.Now()); err == nil || !strings.Contains(err.Error(), tt.shows) || !strings.Contains(err.Error(), "TrustedAudiences") || strings.Contains(err.Error(), "@") {
			t.Errorf("%v: %v", tt.aud, err)
		}
	}
}
