// Package dpop has the client's side of DPoP (RFC 9449): keys, proofs that a request comes
// from the holder of a key, and the nonces that servers want in them.
package dpop

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// SeedBytes is the length of a seed.
const SeedBytes = 32

// A Key is a private key on P-256, for ES256. A nil *Key stands for none.
type Key struct{ seed []byte }

// NewKey returns a new key.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make DPoP key: %w", err)
	}
	seed, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make DPoP key: %w", err)
	}
	return &Key{seed}, nil
}

// KeyOf returns the key of a seed, nil without one. A seed that [Key.Seed] did not return
// makes a key whose proofs fail.
func KeyOf(seed []byte) *Key {
	if len(seed) == 0 {
		return nil
	}
	return &Key{seed}
}

// Seed returns what [KeyOf] makes the key of. It is secret.
func (k *Key) Seed() []byte {
	if k == nil {
		return nil
	}
	return bytes.Clone(k.seed)
}

// Thumbprint returns the JWK thumbprint (RFC 7638), to which servers bind tokens and codes.
func (k *Key) Thumbprint() (string, error) {
	private, err := k.private()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(jwkOf(&private.PublicKey))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// Format keeps the key out of whatever prints it.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "dpop.Key") }

func (k *Key) private() (*ecdsa.PrivateKey, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), k.seed)
	if err != nil {
		return nil, fmt.Errorf("read DPoP key: %w", err)
	}
	return private, nil
}

// A publicJWK is a public key with its members in the order of RFC 7638 section 3.3.
type publicJWK struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

func jwkOf(public *ecdsa.PublicKey) publicJWK {
	point, _ := public.Bytes() // 4, x and y: a key on P-256 is always on its curve
	half := (len(point) - 1) / 2
	encode := base64.RawURLEncoding.EncodeToString
	return publicJWK{"P-256", "EC", encode(point[1 : 1+half]), encode(point[1+half:])}
}
