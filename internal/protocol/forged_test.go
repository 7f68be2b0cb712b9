package protocol

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// wantForged fails the test unless an ID token is refused for what it is, with a
// short error.
func wantForged(t *testing.T, c *Client, what, raw string) {
	t.Helper()
	if err := verify(c, raw); err == nil || Unavailable(err) || len(err.Error()) > 250 {
		t.Errorf("%s: %v", what, err)
	}
}

// forge is a JWS of claims that are good, with a signature of any kind.
func forge(good *signer, header object, signature func(input string) []byte) string {
	_, rest, _ := strings.Cut(good.idToken(nil), ".")
	payload, _, _ := strings.Cut(rest, ".")
	input := b64(mustJSON(header)) + "." + payload
	return input + "." + b64(signature(input))
}

// CVE-2016-9122 of square/go-jose, CVE-2026-33322 of MinIO: an HMAC by what is public
// is not a signature, whatever alg says. oidcc-client-test-invalid-sig-hs256,
// oidcc-client-test-idtoken-sig-none,
// fapi2-security-profile-final-client-test-invalid-null-alg.
func TestSymmetricSignatures(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.doc["id_token_signing_alg_values_supported"] = []string{"RS256", "HS256", "none"}
	s := newSigner(t, "k", "RS256")
	p.jwks = []any{s.jwk(), object{"kty": "oct", "k": b64([]byte("public secret")), "kid": "oct", "alg": "HS256"}}
	c := p.client()
	der, _ := x509.MarshalPKIXPublicKey(s.key.Public())
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for what, key := range map[string][]byte{
		"the public key as PEM": block, "the public key as PEM, trimmed": bytes.TrimSpace(block), "the public key as DER": der, "the JWK": mustJSON(s.jwk()),
		"the client secret": []byte("s3cret"), "nothing": nil, "a key of the set": []byte("public secret"),
	} {
		for _, alg := range []string{"HS256", "RS256", "none"} {
			for _, kid := range []string{"k", "oct"} {
				wantForged(t, c, "alg "+alg+", kid "+kid+", HMAC by "+what, forge(s, object{"alg": alg, "kid": kid}, func(input string) []byte {
					h := hmac.New(sha256.New, key)
					h.Write([]byte(input))
					return h.Sum(nil)
				}))
			}
		}
	}
	for _, alg := range []string{"none", "None", "nOnE", "", "HS256", "RS256"} {
		wantForged(t, c, "alg "+alg+" without a signature", forge(s, object{"alg": alg, "kid": "k"}, func(string) []byte { return nil }))
	}
	if err := verify(c, s.idToken(nil)); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// CVE-2026-27962 of Authlib: a token does not bring its own key.
func TestKeysInHeaders(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s, attacker := newSigner(t, "k", "ES256"), newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	der, _ := x509.MarshalPKIXPublicKey(attacker.key.Public())
	sum := b64([]byte("hostile"))
	for name, value := range map[string]any{
		"none of these": nil, "jwk": attacker.jwk(), "jku": "https://evil.test/", "x5u": "https://evil.test/", "x5c": []string{b64(der)}, "x5t": sum, "x5t#S256": sum, "zip": "DEF", "cty": "JWT", "p2c": -1,
	} {
		for _, kid := range []any{nil, "", "k", "attacker"} {
			wantForged(t, c, fmt.Sprint(name, " with kid ", kid), attacker.idToken(func(header, _ object) {
				if header[name], header["kid"] = value, kid; kid == nil {
					delete(header, "kid")
				}
			}))
		}
	}
	if n := p.count(keysPath); n != 2 || len(p.asked) != 2 {
		t.Errorf("asked %v", p.asked)
	}
}

// Serialization: three segments, and nothing else (RFC 7515 section 7.1).
// CVE-2025-22868 of x/oauth2, CVE-2025-30204 of golang-jwt and CVE-2025-27144 of
// go-jose are the million dots.
func TestSerializations(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s := newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	good := s.idToken(nil)
	part := strings.Split(good, ".")
	inJSON := strings.NewReplacer("{h}", part[0], "{p}", part[1], "{s}", part[2]).Replace
	nested := good
	for range 3 {
		nested = s.compact(object{"alg": "ES256", "cty": "JWT", "kid": "k"}, []byte(nested))
	}
	for what, raw := range map[string]string{
		"nothing": "", "one dot": "a.b", "two dots": "..", "a million dots": strings.Repeat(".", 1_000_000), "an opaque token": "opaque-as-an-access-token",
		"four segments": good + ".AAAA", "a dot more": good + ".", "no signature": part[0] + "." + part[1] + ".", "no payload": part[0] + ".." + part[2], "no header": "." + part[1] + "." + part[2],
		"padding": good + "==", "white space": " " + good, "white space within": inJSON("{h}. {p}.{s}"), "a line break": good + "\n", "standard base64": good[:len(good)-1] + "+",
		"another payload":         part[0] + "." + b64([]byte(`{"sub":"mallory"}`)) + "." + part[2],
		"a header that is a list": b64([]byte("[]")) + "." + part[1] + "." + part[2], "a header that is a number": "MQ.AAAA.AAAA",
		"claims that are a list": s.sign(object{"alg": "ES256", "kid": "k"}, []any{1}), "claims that are null": s.sign(object{"alg": "ES256", "kid": "k"}, nil),
		"a JWS in a JWS": nested, "JSON, 10,000 deep": strings.Repeat("[", 10_000),
		"a header 5,000 deep": b64([]byte(`{"alg":"ES256","x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}")) + ".AAAA.AAAA",
		"over 128 KiB":        s.idToken(func(_, claims object) { claims["padding"] = strings.Repeat("a", 128<<10) }),
	} {
		wantForged(t, c, what, raw)
	}
	// RFC 7515 section 7.2.
	for _, layout := range []string{
		`{"payload":"{p}","protected":"{h}","signature":"{s}"}`, `{"a":"..","payload":"{p}","protected":"{h}","signature":"{s}"}`,
		`{"payload":"{p}","signatures":[{"protected":"{h}","signature":"{s}"}]}`, `{"a":"..","payload":"{p}","signatures":[{"protected":"{h}","signature":"{s}"},{"protected":"{h}","signature":"{s}"}]}`,
		`{"payload":"{p}","signatures":[{"protected":"{h}","signature":"AAAA"},{"protected":"{h}","signature":"{s}"}]}`, `{"payload":"{p}","signatures":[{}]}`, `{"payload":"{p}","signatures":[null]}`,
		`{"payload":"{p}"}`, `{"signature":""}`, `{"payload":"{p}","header":{"alg":"none"},"signature":""}`,
	} {
		wantForged(t, c, layout, inJSON(layout))
	}
	o, payload, err := c.VerifyIDToken(t.Context(), good, "at")
	if err != nil || o.String("sub") != "alice" || b64(payload) != part[1] {
		t.Errorf("a good one: %s, %v", payload, err)
	}
}

// CVE-2024-28180 GHSA-2c7c-3mj9-8fqh CVE-2026-34986 of go-jose, CVE-2024-28122
// CVE-2023-49290 CVE-2024-21664 of jwx, GHSA-g7f3-828f-7h7m of Authlib: what is
// encrypted costs neither time nor memory.
func TestEncryptedTokens(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.jwks = []any{newSigner(t, "k", "ES256").jwk()}
	c := p.client()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	for _, tt := range []struct {
		name   string
		header object
		rest   string
	}{
		{"JWE of five parts", object{"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}, "AAAA.AAAA.AAAA.AAAA"},
		{"JWE by a password", object{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA.AAAA.AAAA.AAAA"},
		{"a password in three parts", object{"alg": "PBES2-HS512+A256KW", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA.AAAA"},
		{"a zip bomb", object{"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, ".AAAAAAAAAAAAAAAA." + b64(bomb.Bytes()) + ".AAAAAAAAAAAAAAAAAAAAAA"},
		{"a key wrap of nothing", object{"alg": "A128KW", "enc": "A128GCM"}, ".AAAA.AAAA.AAAA"},
		{"an ephemeral key off the curve", object{"alg": "ECDH-ES", "enc": "A128GCM", "epk": object{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, ".AAAA.AAAA.AAAA"},
		{"RSA1_5", object{"alg": "RSA1_5", "enc": "A128CBC-HS256"}, strings.Repeat("A", 342) + ".AAAA.AAAA.AAAA"},
		{"four parts", object{"alg": "ES256"}, "AAAA.AAAA.AAAA"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantForged(t, c, tt.name, b64(mustJSON(tt.header))+"."+tt.rest) })
	}
	wantForged(t, c, "JSON with recipients", `{"ciphertext":"AAAA","recipients":[{}],"tag":"AAAA"}`)
	if len(p.asked) > 1 {
		t.Errorf("asked %v", p.asked)
	}
}
