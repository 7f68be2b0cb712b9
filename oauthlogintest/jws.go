package oauthlogintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// signJWT returns the JWS compact serialization (RFC 7515 section 7.1) of
// header and claims.
func signJWT(header, claims map[string]any, sign func(input []byte) []byte) string {
	input := encodeSegment(header) + "." + encodeSegment(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(input)))
}

func encodeSegment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: encode JWT: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func unsigned([]byte) []byte { return nil }

func signHS256(secret string) func([]byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(input)
		return mac.Sum(nil)
	}
}

// header returns a JOSE header for a JWT signed with k.
func (k *signingKey) header(typ string) map[string]any {
	return map[string]any{"alg": k.alg, "kid": k.id, "typ": typ}
}

// sign signs input with the key's algorithm (RFC 7518 section 3, RFC 8037
// section 3.1).
func (k *signingKey) sign(input []byte) []byte {
	digest := sha256.Sum256(input)
	var sig []byte
	var err error
	switch k.alg {
	case "RS256":
		sig, err = k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	case "PS256":
		sig, err = k.signer.Sign(rand.Reader, digest[:], pssOptions())
	case "ES256":
		r, s, signErr := ecdsa.Sign(rand.Reader, k.signer.(*ecdsa.PrivateKey), digest[:])
		if err = signErr; err == nil {
			// RFC 7518 section 3.4: R and S as two 32-octet sequences.
			sig = make([]byte, 64)
			r.FillBytes(sig[:32])
			s.FillBytes(sig[32:])
		}
	case "EdDSA":
		sig, err = k.signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: sign JWT: %v", err))
	}
	return sig
}

// verify reports whether sig is k's signature of input.
func (k *signingKey) verify(input, sig []byte) bool {
	digest := sha256.Sum256(input)
	switch public := k.signer.Public().(type) {
	case *rsa.PublicKey:
		if k.alg == "PS256" {
			return rsa.VerifyPSS(public, crypto.SHA256, digest[:], sig, pssOptions()) == nil
		}
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig) == nil
	case *ecdsa.PublicKey:
		if len(sig) != 64 {
			return false
		}
		r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		return ecdsa.Verify(public, digest[:], r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(public, input, sig)
	}
	return false
}

func pssOptions() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
}

// leftHalfHash returns the at_hash of an access token (OpenID Connect Core 1.0
// section 3.1.3.6). It uses the hash function of the signature algorithm, which
// is SHA-512 for Ed25519.
func (k *signingKey) leftHalfHash(token string) string {
	if k.alg == "EdDSA" {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// verifyJWT verifies the signature of a JWT with the current or a retired key and
// returns the claims. It does not check the claims.
func (r *keyring) verifyJWT(token string) (map[string]any, error) {
	errInvalid := errors.New("not a JWT from this provider")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errInvalid
	}
	var header struct{ Alg, Kid string }
	if decodeSegment(parts[0], &header) != nil {
		return nil, errInvalid
	}
	key := r.byID(header.Kid)
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || key == nil || header.Alg != key.alg || !key.verify([]byte(parts[0]+"."+parts[1]), sig) {
		return nil, errInvalid
	}
	var claims map[string]any
	if decodeSegment(parts[1], &claims) != nil {
		return nil, errInvalid
	}
	return claims, nil
}

func decodeSegment(s string, v any) error {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
