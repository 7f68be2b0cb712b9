package device

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"
)

// RSA keys of 2,048 to 4,096 bits and P-256 keys alone can be registered: signatures of
// others are weak, or slow to verify. All of them fit an identifier.
func TestKeysThatAreOffered(t *testing.T) {
	modulus := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits)
		return &rsa.PublicKey{N: n.Sub(n, big.NewInt(1)), E: 65537}
	}
	curve := func(c elliptic.Curve) *ecdsa.PublicKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return &key.PublicKey
	}
	s, err := NewSealer([][]byte{bytes.Repeat([]byte{1, 2}, 16)}, "app.device")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		key  any
		ok   bool
	}{
		{"1,024 bits", modulus(1024), false},
		{"2,047 bits", modulus(2047), false},
		{"2,048 bits", modulus(2048), true},
		{"4,096 bits", modulus(4096), true},
		{"4,097 bits", modulus(4097), false},
		{"P-256", curve(elliptic.P256()), true},
		{"P-384", curve(elliptic.P384()), false},
		{"Ed25519", ed25519.PublicKey(make([]byte, 32)), false},
		{"a symmetric key", []byte("secret"), false},
		{"none", nil, false},
	} {
		key, err := newKey(tt.key)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !tt.ok {
			continue
		}
		longest := Binding{Session{Reference: make([]byte, maxReference)}, key}
		rand.Read(longest.Reference)
		identifier, err := s.Identifier(longest)
		if err != nil || len(identifier) > maxIdentifier {
			t.Errorf("%s: identifier of %d bytes, %v", tt.name, len(identifier), err)
		}
		if same, ok := s.Identify(identifier); !ok || same.Key.Thumbprint != key.Thumbprint || same.Key.alg != key.alg {
			t.Errorf("%s: another key came back", tt.name)
		}
	}
}
