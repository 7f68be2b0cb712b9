package device

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/flight"
)

const (
	proofType  = "dbsc+jwt"
	minRSABits = 2048 // RFC 7518 section 3.3
	maxRSABits = 4096
)

// algs are the algorithms that registrations offer.
var algs = []jose.SignatureAlgorithm{jose.ES256, jose.RS256}

var (
	errProof      = errors.New("the proof is not a JWT of a device bound session")
	errKey        = errors.New("the proof has no key that fits its algorithm")
	errForeignKey = errors.New("the proof of a renewal brings a key of its own")
	errAlgorithm  = errors.New("the proof is signed with an algorithm that is not the key's")
	errSignature  = errors.New("the signature does not verify with the key")
)

// A Key is the public half of a key pair in a browser.
type Key struct {
	Thumbprint [32]byte // RFC 7638

	public crypto.PublicKey
	alg    jose.SignatureAlgorithm
	der    []byte // PKIX
}

// newKey returns a key that one of algs can be verified with.
func newKey(public crypto.PublicKey) (k Key, err error) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return Key{}, errKey
		}
		k.alg = jose.ES256
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return Key{}, errKey
		}
		k.alg = jose.RS256
	default:
		return Key{}, errKey
	}
	k.public = public
	jwk := jose.JSONWebKey{Key: public}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, errKey
	}
	copy(k.Thumbprint[:], thumbprint)
	if k.der, err = x509.MarshalPKIXPublicKey(public); err != nil {
		return Key{}, errKey
	}
	return k, nil
}

func unpackKey(der []byte) (Key, error) {
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return Key{}, errKey
	}
	return newKey(public)
}

// A proof is the JWT of a browser, parsed and not verified.
type proof struct {
	jws    *jose.JSONWebSignature
	alg    jose.SignatureAlgorithm
	key    any // of the header
	hasKey bool
}

// parseProof reads a JWT that is a JWS in compact serialization.
func parseProof(raw string) (p *proof, err error) {
	defer flight.Recover(&err)
	if len(raw) > maxProof || strings.Count(raw, ".") != 2 {
		return nil, errProof
	}
	encoded, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errProof
	}
	header, err := claims.Parse(text)
	// RFC 8725 section 3.11: tokens of one kind do not pass for another.
	if err != nil || header.String("typ") != proofType {
		return nil, errProof
	}
	jws, err := jose.ParseSignedCompact(raw, algs)
	if err != nil {
		return nil, errProof
	}
	p = &proof{jws: jws, hasKey: header.Has("jwk")}
	signed := jws.Signatures[0].Protected
	p.alg = jose.SignatureAlgorithm(signed.Algorithm)
	if signed.JSONWebKey != nil {
		p.key, p.hasKey = signed.JSONWebKey.Key, true
	}
	return p, nil
}

// embeddedKey returns the key that the header brings along.
func (p *proof) embeddedKey() (Key, error) {
	if !p.hasKey {
		return Key{}, errKey
	}
	return newKey(p.key)
}

// challenge returns the challenge that the proof signs with key.
func (p *proof) challenge(key Key) (_ string, err error) {
	defer flight.Recover(&err)
	if p.alg != key.alg || !slices.Contains(algs, p.alg) {
		return "", errAlgorithm
	}
	payload, err := p.jws.Verify(key.public)
	if err != nil {
		return "", errSignature
	}
	body, err := claims.Parse(payload)
	if err != nil || body.String("jti") == "" {
		return "", errProof
	}
	return body.String("jti"), nil
}
