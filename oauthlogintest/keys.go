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

// RotateKeys replaces the signing key with a new key of the same algorithm and a
// new key ID. The old key disappears from the JWKS immediately, but the Provider
// still accepts an id_token_hint signed with it.
func (p *Provider) RotateKeys() {
	p.keys.rotate("")
}

// SetKeyAlg rotates to a new key for alg: RS256 (the default), PS256, ES256 or
// EdDSA (with Ed25519). It panics if alg is anything else.
func (p *Provider) SetKeyAlg(alg string) {
	p.keys.rotate(alg)
}

// SigningKey returns the current signing key and its key ID.
func (p *Provider) SigningKey() (key crypto.Signer, kid string) {
	k := p.keys.current()
	return k.signer, k.id
}

// signingAlgs are the supported signature algorithms.
var signingAlgs = []string{"RS256", "PS256", "ES256", "EdDSA"}

type signingKey struct {
	id     string
	alg    string
	signer crypto.Signer
}

// A keyring holds the keys of one Provider; the last one is current. It generates
// the first key on first use.
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

// byID returns the current or retired key with the ID, or nil.
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

// rotate makes a new key current. An empty alg keeps the algorithm.
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
		err = fmt.Errorf("unsupported signing algorithm %q", alg)
	}
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: %v", err))
	}
	return k
}

// spareRSAKeys holds the RSA keys of closed Providers for reuse, because
// generating a key takes longer than most tests. Open Providers never share a key.
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
