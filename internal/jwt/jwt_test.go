package jwt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/jwt"
)

// hardware is a key that shows no more than crypto.Signer, as one in a token does.
type hardware struct{ crypto.Signer }

func key(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch alg {
	case "ES256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	case "PS256":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// RFC 7515 section 5.1: what is signed verifies with the public key, by another
// implementation.
func TestSign(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "PS256"} {
		k := key(t, alg)
		for range 3 {
			text, err := jwt.Sign(hardware{k}, jwt.Header{Type: "x+jwt", KeyID: "k1"}, map[string]any{"iss": "app"})
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			payload, err := parsed.Verify(k.Public())
			if err != nil || string(payload) != `{"iss":"app"}` {
				t.Fatalf("%s: %s, %v", alg, payload, err)
			}
			header := parsed.Signatures[0].Protected
			if header.KeyID != "k1" || header.ExtraHeaders[jose.HeaderType] != "x+jwt" {
				t.Fatalf("%s: header %+v", alg, header)
			}
		}
	}
}

// RFC 7518 section 3.4: r and s keep their leading zeros, which DER leaves out.
func TestFixedWidth(t *testing.T) {
	t.Parallel()
	der, err := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(0x0203)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Sign(scripted{public: key(t, "ES384").Public(), signature: der}, jwt.Header{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[2])
	want := make([]byte, 96)
	want[47], want[94], want[95] = 1, 2, 3
	if err != nil || !bytes.Equal(signature, want) {
		t.Errorf("%x, %v", signature, err)
	}
}

// RFC 7518 section 3.5: go-jose verifies a salt of any length, and some servers do not.
func TestSaltLength(t *testing.T) {
	t.Parallel()
	watched := &watchedSigner{Signer: key(t, "PS256")}
	if _, err := jwt.Sign(watched, jwt.Header{}, nil); err != nil {
		t.Fatal(err)
	}
	if opts, ok := watched.opts.(*rsa.PSSOptions); !ok || opts.SaltLength != rsa.PSSSaltLengthEqualsHash || opts.Hash != crypto.SHA256 {
		t.Errorf("signs with %+v", watched.opts)
	}
}

type watchedSigner struct {
	crypto.Signer
	opts crypto.SignerOpts
}

func (s *watchedSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.opts = opts
	return s.Signer.Sign(random, digest, opts)
}

// A scripted key returns what it is told to.
type scripted struct {
	public    crypto.PublicKey
	signature []byte
	err       error
}

func (s scripted) Public() crypto.PublicKey { return s.public }

func (s scripted) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, s.err
}

func TestKeysThatCannotSign(t *testing.T) {
	t.Parallel()
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, long := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 256)
	public := key(t, "ES256").Public()
	broken := errors.New("no token in the slot")
	for name, k := range map[string]crypto.Signer{
		"none":                       nil,
		"a curve that JWS lacks":     p224,
		"a short RSA key":            scripted{public: &rsa.PublicKey{N: new(big.Int).Lsh(one, 2046), E: 65537}},
		"no public key":              scripted{},
		"a public key of bytes":      scripted{public: []byte("x")},
		"one that fails":             scripted{public: public, err: broken},
		"a signature that is no DER": scripted{public: public, signature: make([]byte, 64)},
		"a byte behind it":           scripted{public: public, signature: append(der(one, one), 0)},
		"a long r":                   scripted{public: public, signature: der(long, one)},
		"a long s":                   scripted{public: public, signature: der(one, long)},
		"a negative s":               scripted{public: public, signature: der(one, big.NewInt(-1))},
		"a zero r":                   scripted{public: public, signature: der(big.NewInt(0), one)},
		"nothing":                    scripted{public: public},
	} {
		text, err := jwt.Sign(k, jwt.Header{}, map[string]any{})
		if err == nil || text != "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := jwt.Sign(key(t, "ES256"), jwt.Header{}, make(chan int)); err == nil {
		t.Error("claims that are not JSON are signed")
	}
}
