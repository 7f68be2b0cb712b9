package oauthlogintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
)

// RotateKeys replaces the signing key by a new one of the same algorithm with
// a new key ID. The old one leaves the JWKS at once.
func (p *Provider) RotateKeys() {
	p.keys.rotate("")
}

// SetKeyAlg rotates to a new key of the algorithm: RS256, which is the default,
// PS256, ES256 or EdDSA. It panics at any other.
func (p *Provider) SetKeyAlg(alg string) {
	p.keys.rotate(alg)
}

// SigningKey returns the current signing key and its key ID.
func (p *Provider) SigningKey() (key crypto.Signer, kid string) {
	k := p.keys.current()
	return k.signer, k.id
}

// signingAlgs are the algorithms that a keyring knows.
var signingAlgs = []string{"RS256", "PS256", "ES256", "EdDSA"}

type signingKey struct {
	id     string
	alg    string
	signer crypto.Signer
}

// A keyring holds the keys of one Provider, the current one last. It makes the
// first key when that is asked for.
type keyring struct {
	mu   sync.Mutex
	keys []*signingKey
}

func (r *keyring) current() *signingKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) == 0 {
		r.keys = append(r.keys, newSigningKey("RS256"))
	}
	return r.keys[len(r.keys)-1]
}

// byID returns the key with the ID, current or retired, or nil.
func (r *keyring) byID(id string) *signingKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// rotate adds a key, of the current algorithm if alg is empty.
func (r *keyring) rotate(alg string) {
	if alg == "" {
		alg = r.current().alg
	}
	k := newSigningKey(alg)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, k)
}

func (r *keyring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.keys {
		if key, ok := k.signer.(*rsa.PrivateKey); ok {
			spareRSAKeys.put(key)
		}
	}
	r.keys = nil
}

func newSigningKey(alg string) *signingKey {
	k := &signingKey{id: rand.Text(), alg: alg}
	var err error
	switch alg {
	case "RS256", "PS256":
		k.signer, err = spareRSAKeys.take()
	case "ES256":
		k.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("no signing algorithm %q", alg)
	}
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: %v", err))
	}
	return k
}

// spareRSAKeys are the RSA keys of Providers that were closed. Generating one
// takes longer than most tests, and no two open Providers share one.
var spareRSAKeys rsaKeyPool

type rsaKeyPool struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

func (s *rsaKeyPool) take() (*rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.keys); n > 0 {
		key := s.keys[n-1]
		s.keys = s.keys[:n-1]
		return key, nil
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

func (s *rsaKeyPool) put(key *rsa.PrivateKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, key)
}
