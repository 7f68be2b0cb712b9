// Package jwt signs JWTs (RFC 7519) with keys that may be in hardware: all it needs of a
// key is [crypto.Signer].
package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// A Header has the members of a JOSE header beside alg, which follows from the key.
type Header struct {
	Type  string `json:"typ,omitempty"`
	KeyID string `json:"kid,omitempty"`
	JWK   any    `json:"jwk,omitempty"` // the public key; nil: not sent
}

// An algorithm of JWS (RFC 7518 section 3, RFC 8037 section 3.1).
type algorithm struct {
	name string
	hash crypto.Hash // 0: the key signs the text and not its hash
	half int         // of an ECDSA signature, in bytes
}

// algorithmOf returns the algorithm that a key signs with: PS256, ES256, ES384, ES512 or
// EdDSA. RS256 is not among them: RFC 8725 section 3.2 prefers PSS.
func algorithmOf(public crypto.PublicKey) (algorithm, error) {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return algorithm{"ES256", crypto.SHA256, 32}, nil
		case elliptic.P384():
			return algorithm{"ES384", crypto.SHA384, 48}, nil
		case elliptic.P521():
			return algorithm{"ES512", crypto.SHA512, 66}, nil
		}
		return algorithm{}, errors.New("the key's curve is none of P-256, P-384 and P-521")
	case ed25519.PublicKey:
		return algorithm{name: "EdDSA"}, nil
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits {
			return algorithm{}, fmt.Errorf("the RSA key has %d bits; at least %d are required", bits, minRSABits)
		}
		return algorithm{name: "PS256", hash: crypto.SHA256}, nil
	}
	return algorithm{}, fmt.Errorf("keys of the type %T cannot sign JWTs", public)
}

const minRSABits = 2048 // RFC 7518 section 3.5

// Sign returns claims as a JWT in compact serialization (RFC 7515 section 7.1), signed
// with the algorithm of the key.
func Sign(key crypto.Signer, header Header, claims any) (string, error) {
	if key == nil {
		return "", errors.New("the key is nil")
	}
	alg, err := algorithmOf(key.Public())
	if err != nil {
		return "", err
	}
	first, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		Header
	}{alg.name, header})
	if err != nil {
		return "", err
	}
	second, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(first) + "." + base64.RawURLEncoding.EncodeToString(second)
	signature, err := alg.sign(key, []byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (alg *algorithm) sign(key crypto.Signer, text []byte) ([]byte, error) {
	var opts crypto.SignerOpts = alg.hash
	if alg.hash != 0 {
		h := alg.hash.New()
		h.Write(text)
		text = h.Sum(nil)
	}
	if alg.name == "PS256" { // RFC 7518 section 3.5: a salt as long as the hash
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.hash}
	}
	signature, err := key.Sign(rand.Reader, text, opts)
	if err != nil || alg.half == 0 {
		return signature, err
	}
	return fixedWidth(signature, alg.half)
}

// fixedWidth turns the DER of a [crypto.Signer] into r and s of equal width, as RFC 7518
// section 3.4 requires.
func fixedWidth(der []byte, half int) ([]byte, error) {
	var signature struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &signature)
	if err != nil || len(rest) > 0 {
		return nil, errMalformed
	}
	fixed := make([]byte, 2*half)
	for i, n := range []*big.Int{signature.R, signature.S} {
		if n.Sign() <= 0 || n.BitLen() > 8*half {
			return nil, errMalformed
		}
		n.FillBytes(fixed[i*half : (i+1)*half])
	}
	return fixed, nil
}

var errMalformed = errors.New("the key returned a signature that is not ECDSA in DER")
