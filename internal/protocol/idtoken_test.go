package protocol

import (
	"encoding/json"
	"errors"
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
		{"no alg", object{"alg": nil}, false},
		{"alg HS256", object{"alg": "HS256"}, false},
		{"alg RS256", object{"alg": "RS256"}, false},
		{"alg ES384", object{"alg": "ES384"}, false},
		{"alg es256", object{"alg": "es256"}, false},
		{"crit", object{"crit": []string{"hostile"}, "hostile": true}, false},
		{"an empty crit", object{"crit": []string{}}, false},
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
	for name, header := range map[string]object{
		"jwk with our kid": {"jwk": attacker.jwk()}, "jwk without a kid": {"kid": nil, "jwk": attacker.jwk()}, "jku": {"jku": "https://evil.test/"}, "none of these": {},
	} {
		if err := verify(c, attacker.idToken(func(h, _ object) {
			for name, value := range header {
				if h[name] = value; value == nil {
					delete(h, name)
				}
			}
		})); err == nil {
			t.Errorf("an attacker's key passes with %s", name)
		}
	}
	if len(p.asked) != 2 {
		t.Errorf("asked %v", p.asked)
	}
}

// An algorithm works with the keys that fit it alone.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		p := newFakeProvider()
		p.doc["id_token_signing_alg_values_supported"] = []string{alg}
		s := newSigner(t, "k", alg)
		p.jwks = []any{with(newSigner(t, "k", "ES256").jwk(), object{"alg": "ES256"}), with(s.jwk(), object{"alg": alg})}
		if err := verify(p.client(), s.idToken(nil)); err != nil {
			t.Errorf("%s: %v", alg, err)
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

// at_hash is the left half of the access token's hash, by the signature's
// algorithm (OpenID Connect Core section 3.1.3.8).
func TestATHash(t *testing.T) {
	t.Parallel()
	// Of the access token "at", computed elsewhere.
	const sha256, sha384, sha512 = "sda5G2fCr6XjIpiNlGJjjQ", "4hulEO2T04y86FsZK2pA8fxDcRCCi6uc", "dTR5nNqNrsxqjWP_lCTH2ESWpeTv9f1yZraJ_wsSjjE"
	for alg, hash := range map[string]string{"ES256": sha256, "RS256": sha256, "PS384": sha384, "ES384": sha384, "RS512": sha512, "ES512": sha512, "EdDSA": sha512} {
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

// Serialization: three segments, and nothing else.
func TestSerializations(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s := newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	good := s.idToken(nil)
	part := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"nothing": "", "one dot": "a.b", "two dots": "..", "a million dots": strings.Repeat(".", 1_000_000),
		"four segments": good + ".AAAA", "a JWE": "e30.AAAA.AAAA.AAAA.AAAA", "no signature": part[0] + "." + part[1] + ".",
		"no payload": part[0] + ".." + part[2], "padding": good + "==", "white space": " " + good, "a line break": good + "\n", "standard base64": good[:len(good)-1] + "+",
		"JSON":               `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		"JSON with two dots": `{"a":"..","payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		"another payload":    part[0] + "." + b64([]byte(`{"sub":"mallory"}`)) + "." + part[2], "a header that is a list": b64([]byte("[]")) + "." + part[1] + "." + part[2],
		"claims that are a list": s.sign(object{"alg": "ES256", "kid": "k"}, []any{1}), "claims that are null": s.sign(object{"alg": "ES256", "kid": "k"}, nil),
		"over 128 KiB": s.idToken(func(_, claims object) { claims["padding"] = strings.Repeat("a", 128<<10) }),
	} {
		if err := verify(c, raw); err == nil || Unavailable(err) || len(err.Error()) > 250 {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, payload, err := c.VerifyIDToken(t.Context(), good, "at")
	if err != nil || o.String("sub") != "alice" || b64(payload) != part[1] {
		t.Errorf("a good one: %s, %v", payload, err)
	}
}

// OpenID Connect Core sections 2 and 3.1.3.7.
func TestClaims(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s := newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	c.TrustedAudiences = []string{"api"}
	now := time.Now().Unix()
	for _, tt := range []struct {
		name   string
		claims object // nil removes one
		ok     bool
	}{
		{"as they are", object{}, true},
		{"another iss", object{"iss": "https://evil.test"}, false},
		{"iss with a slash more", object{"iss": testIssuer + "/"}, false},
		{"no iss", object{"iss": nil}, false},
		{"iss that is a list", object{"iss": []string{testIssuer}}, false},
		{"ISS", object{"iss": nil, "ISS": testIssuer}, false},
		{"iss without the scheme", object{"iss": "provider.test"}, false},
		{"no sub", object{"sub": nil}, false},
		{"an empty sub", object{"sub": ""}, false},
		{"sub that is a number", object{"sub": 1}, false},
		{"sub of 255 bytes", object{"sub": strings.Repeat("a", 255)}, true},
		{"sub of 256 bytes", object{"sub": strings.Repeat("a", 256)}, false},
		{"sub outside ASCII", object{"sub": "é"}, false},
		{"sub with a line break", object{"sub": "a\n"}, false},
		{"aud a list", object{"aud": []string{"app"}}, true},
		{"another aud", object{"aud": "other"}, false},
		{"no aud", object{"aud": nil}, false},
		{"aud with a number", object{"aud": []any{"app", 1}}, false},
		{"aud trusted, azp", object{"aud": []string{"api", "app"}, "azp": "app"}, true},
		{"aud trusted, no azp", object{"aud": []string{"api", "app"}}, false},
		{"aud trusted alone", object{"aud": "api"}, false},
		{"aud untrusted, azp", object{"aud": []string{"app", "other"}, "azp": "app"}, false},
		{"another azp", object{"azp": "other"}, false},
		{"azp that is a list", object{"azp": []string{"app"}}, false},
		{"no exp", object{"exp": nil}, false},
		{"exp that is a string", object{"exp": "99999999999"}, false},
		{"exp 90 seconds ago", object{"exp": now - 90}, false},
		{"exp 30 seconds ago", object{"exp": now - 30}, true},
		{"exp 1e300", object{"exp": json.RawMessage("1e300")}, false},
		{"no iat", object{"iat": nil}, false},
		{"iat in 30 seconds", object{"iat": now + 30}, true},
		{"iat in 90 seconds", object{"iat": now + 90}, false},
		{"nbf in 30 seconds", object{"nbf": now + 30}, true},
		{"nbf in 90 seconds", object{"nbf": now + 90}, false},
		{"nbf that is a string", object{"nbf": "0"}, false},
		{"the at_hash of the token", object{"at_hash": "sda5G2fCr6XjIpiNlGJjjQ"}, true},
		{"an at_hash of another", object{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, false},
		{"an at_hash with padding", object{"at_hash": "sda5G2fCr6XjIpiNlGJjjQ=="}, false},
		{"an empty at_hash", object{"at_hash": ""}, false},
		{"an at_hash that is null", object{"at_hash": json.RawMessage("null")}, false},
		{"an at_hash that is a number", object{"at_hash": 1}, false},
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
		{"another nonce", at(0), Authentication{"m", -1, ""}, false, false},
		{"no nonce", object{}, Authentication{"n", -1, ""}, false, false},
		{"a nonce that is a list", object{"nonce": []string{"n"}}, Authentication{"n", -1, ""}, false, false},
		{"no nonce asked for", object{"nonce": ""}, Authentication{"", -1, ""}, false, false},
		{"another nonce and too long ago", at(time.Hour), Authentication{"m", 0, ""}, false, false},
		{"recent", at(10 * time.Second), Authentication{"n", 0, ""}, true, false},
		{"within the leeway", at(90 * time.Second), Authentication{"n", time.Minute, ""}, true, false},
		{"too long ago", at(150 * time.Second), Authentication{"n", time.Minute, ""}, false, true},
		{"in the future", at(-2 * time.Minute), Authentication{"n", time.Minute, ""}, false, true},
		{"no auth_time", object{"nonce": "n"}, Authentication{"n", time.Hour, ""}, false, true},
		{"the acr", at(0), Authentication{"n", -1, "phrh phr"}, true, false},
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
