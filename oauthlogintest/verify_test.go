package oauthlogintest_test

import (
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// verify verifies the ID token of a token response as a relying party does and
// returns all its claims.
func verify(t *testing.T, p *oauthlogintest.Provider, resp map[string]any) map[string]any {
	t.Helper()
	claims, err := tryVerify(t, p, resp)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// tryVerify checks the signature against the published keys, and the claims as
// OpenID Connect Core 1.0 sections 3.1.3.7 and 3.1.3.8 require.
func tryVerify(t *testing.T, p *oauthlogintest.Provider, resp map[string]any) (map[string]any, error) {
	t.Helper()
	metadata := discover(t, p.Issuer())
	idToken, _ := resp["id_token"].(string)
	alg, payload, err := verifySignature(t, metadata, idToken)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, err
	}
	if claims["iss"] != p.Issuer() {
		return nil, fmt.Errorf("iss = %v, want %s", claims["iss"], p.Issuer())
	}
	audiences, isList := claims["aud"].([]any)
	if !isList {
		audiences = []any{claims["aud"]}
	}
	if !slices.Contains(audiences, any(clientID)) {
		return nil, fmt.Errorf("aud = %v, want %s", claims["aud"], clientID)
	}
	if sub, _ := claims["sub"].(string); sub == "" {
		return nil, fmt.Errorf("sub = %v, want a name", claims["sub"])
	}
	exp, _ := claims["exp"].(float64)
	if iat, _ := claims["iat"].(float64); exp == 0 || iat == 0 {
		return nil, fmt.Errorf("exp = %v and iat = %v, want times", claims["exp"], claims["iat"])
	}
	if expiry := time.Unix(int64(exp), 0); time.Now().After(expiry) {
		return nil, fmt.Errorf("the ID token expired at %v", expiry)
	}
	return claims, verifyAccessTokenHash(alg, resp["access_token"].(string), claims["at_hash"])
}

// verifySignature returns the algorithm and the payload of a JWS that one of
// the provider's published keys signed.
func verifySignature(t *testing.T, metadata map[string]any, token string) (jose.SignatureAlgorithm, []byte, error) {
	t.Helper()
	var algs []jose.SignatureAlgorithm
	for _, alg := range metadata["id_token_signing_alg_values_supported"].([]any) {
		algs = append(algs, jose.SignatureAlgorithm(alg.(string)))
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		return "", nil, err
	}
	header := jws.Signatures[0].Protected
	var set jose.JSONWebKeySet
	getJSON(t, metadata["jwks_uri"].(string), &set)
	keys := set.Key(header.KeyID)
	if len(keys) != 1 {
		return "", nil, fmt.Errorf("the JWKS has %d keys with the ID %q, want 1", len(keys), header.KeyID)
	}
	if !keys[0].IsPublic() || keys[0].Use != "sig" || keys[0].Algorithm != header.Algorithm {
		return "", nil, fmt.Errorf("key %q is for %s %s, want a public key for sig %s", header.KeyID, keys[0].Use, keys[0].Algorithm, header.Algorithm)
	}
	payload, err := jws.Verify(keys[0])
	return jose.SignatureAlgorithm(header.Algorithm), payload, err
}

func verifyAccessTokenHash(alg jose.SignatureAlgorithm, accessToken string, want any) error {
	hash := crypto.SHA256
	if alg == jose.EdDSA { // Ed25519 hashes with SHA-512
		hash = crypto.SHA512
	}
	h := hash.New()
	io.WriteString(h, accessToken)
	if base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:hash.Size()/2]) != want {
		return errors.New("at_hash does not match the access token")
	}
	return nil
}

// discover returns the metadata of an issuer, which must name the issuer
// (OpenID Connect Discovery 1.0 section 4).
func discover(t *testing.T, issuer string) map[string]any {
	t.Helper()
	var metadata map[string]any
	getJSON(t, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &metadata)
	if metadata["issuer"] != issuer {
		t.Fatalf("the metadata of %s names the issuer %v", issuer, metadata["issuer"])
	}
	return metadata
}

func getJSON(t *testing.T, uri string, v any) {
	t.Helper()
	resp := newBrowser(t).get(uri)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d with Content-Type %q", uri, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if err := json.Unmarshal([]byte(resp.body), v); err != nil {
		t.Fatal(err)
	}
}
