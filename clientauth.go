package oauthlogin

import (
	"context"
	"crypto"
	"fmt"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

// PrivateKeyJWT returns a [Provider.ClientAssertion] that signs with a private key
// (private_key_jwt: RFC 7523 section 2.2, OpenID Connect Core section 9). clientID is the
// ClientID of [Provider.OAuth2], and keyID the kid under which the provider knows the public
// key, "" if it knows only one.
//
// The algorithm follows from the key: ES256, ES384 or ES512, EdDSA with Ed25519, and PS256 with
// RSA of at least 2048 bits. The key may be in hardware: only its methods Public and Sign are
// called, concurrently. Each assertion is good for a minute and for one request. Its aud is the
// provider's issuer and nothing else, as RFC 10070 requires. For a provider that documents
// another algorithm or audience, such as RS256, write a function of your own.
//
// Errors, for a key that cannot sign too, come from the function that is returned.
func PrivateKeyJWT(clientID, keyID string, key crypto.Signer) func(ctx context.Context, audience string) (string, error) {
	return func(_ context.Context, audience string) (string, error) {
		assertion, err := protocol.PrivateKeyJWT(clientID, keyID, key, audience)
		if err != nil {
			return "", fmt.Errorf("oauthlogin: sign client assertion: %w", err)
		}
		return assertion, nil
	}
}

// AssertionFile returns a [Provider.ClientAssertion] that sends a token which the platform
// issues and rotates, such as the service account token that Kubernetes projects into a file.
// The provider has to trust the platform's issuer; the audience in the token is the platform's
// to set.
//
// The file is read for each request, and need not exist before. The function returns an error,
// which contains nothing of the file, if the file cannot be read, has over 64 KiB, or has
// anything but one line with a JWT in compact form.
func AssertionFile(path string) func(ctx context.Context, audience string) (string, error) {
	return func(context.Context, string) (string, error) {
		assertion, err := protocol.AssertionFile(path)
		if err != nil {
			return "", fmt.Errorf("oauthlogin: read client assertion: %w", err)
		}
		return assertion, nil
	}
}
