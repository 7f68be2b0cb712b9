package apptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// Claim puts one claim into an ID token.
func Claim(name string, value any) func(header, claims map[string]any) {
	return func(_, claims map[string]any) { claims[name] = value }
}

// Without takes claims out of an ID token.
func Without(names ...string) func(header, claims map[string]any) {
	return func(_, claims map[string]any) {
		for _, name := range names {
			delete(claims, name)
		}
	}
}

// JOSE is a value of the JOSE header.
func JOSE(name string, value any) func(header, claims map[string]any) {
	return func(header, _ map[string]any) { header[name] = value }
}

// Segment is a part of a JWT: base64url of JSON.
func Segment(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Compact is the JWS compact serialization.
func Compact(header, claims map[string]any, sign func(input string) []byte) string {
	input := Segment(header) + "." + Segment(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(sign(input))
}

// RS256 signs for Compact with RSASSA-PKCS1-v1_5 and SHA-256 (RFC 7518 section 3.3).
func RS256(key crypto.Signer) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		signature, _ := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		return signature
	}
}

// ES256 signs for Compact with ECDSA on P-256 and SHA-256.
func ES256(key *ecdsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, s, _ := ecdsa.Sign(rand.Reader, key, sum[:])
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

// HS256 is the HMAC with SHA-256, for Compact.
func HS256(key []byte) func(string) []byte {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

// Unsigned is the signature of "alg":"none", for Compact.
func Unsigned(string) []byte { return nil }

// ECJWK is the JSON Web Key of a public key on P-256.
func ECJWK(key *ecdsa.PrivateKey, kid string) map[string]any {
	point, _ := key.PublicKey.Bytes()
	return map[string]any{
		"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
}
