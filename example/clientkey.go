package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/go-jose/go-jose/v4"
)

// readClientKey reads a private key from a PEM file: PKCS #8, SEC 1 or PKCS #1. Errors
// contain nothing of the key.
func readClientKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, fmt.Errorf("%s has no private key in PEM", path)
		}
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default: // such as the EC PARAMETERS that openssl ecparam writes first
			continue
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, fmt.Errorf("the key in %s cannot be read", path)
		}
		return signer, nil
	}
}

// jwks returns the JWK Set (RFC 7517) by which the provider knows the public key.
func jwks(key crypto.Signer, keyID string) (string, error) {
	jwk := jose.JSONWebKey{Key: key.Public(), KeyID: keyID, Use: "sig"}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		jwk.Algorithm = string(jose.PS256)
	case ed25519.PublicKey:
		jwk.Algorithm = string(jose.EdDSA)
	case *ecdsa.PublicKey:
		jwk.Algorithm = string(map[elliptic.Curve]jose.SignatureAlgorithm{
			elliptic.P256(): jose.ES256, elliptic.P384(): jose.ES384, elliptic.P521(): jose.ES512,
		}[public.Curve])
	}
	if jwk.Algorithm == "" {
		return "", errors.New("the key is none of EC (P-256, P-384, P-521), Ed25519 and RSA")
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}})
	return string(text), err
}
