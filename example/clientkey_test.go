package main_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// writeKey writes a new private key, in PEM blocks of a type, and returns the path.
func writeKey(t *testing.T, blockType string) string {
	t.Helper()
	var key crypto.Signer
	var der []byte
	var err error
	if blockType == "RSA PRIVATE KEY" {
		rsaKey, generateErr := rsa.GenerateKey(rand.Reader, 2048)
		key, err = rsaKey, generateErr
		der = x509.MarshalPKCS1PrivateKey(rsaKey)
	} else {
		ecKey, generateErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if generateErr != nil {
			t.Fatal(generateErr)
		}
		key = ecKey
		der, err = x509.MarshalECPrivateKey(ecKey)
	}
	if err == nil && blockType == "PRIVATE KEY" {
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "client.pem")
	// openssl ecparam writes the parameters in front.
	text := append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6}}), pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The example prints the public key, and signs in at a provider that knows it by that.
func TestClientKey(t *testing.T) {
	t.Parallel()
	for _, blockType := range []string{"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"} {
		t.Run(blockType, func(t *testing.T) {
			t.Parallel()
			addr := freeAddr(t)
			env := map[string]string{
				"ADDR": addr, "OAUTH_CLIENT_ID": "app", "OAUTH_CLIENT_KEY": writeKey(t, blockType), "OAUTH_CLIENT_KEY_ID": "k1",
				"OAUTH_ISSUER": "http://127.0.0.1:1",
			}
			first := start(t, env)
			first.stop(os.Interrupt)
			_, printed, _ := strings.Cut(first.stderr.String(), "at the provider: ")
			printed, _, _ = strings.Cut(printed, "\n")
			var set jose.JSONWebKeySet
			if err := json.Unmarshal([]byte(printed), &set); err != nil || len(set.Keys) != 1 || set.Keys[0].KeyID != "k1" || !set.Keys[0].IsPublic() {
				t.Fatalf("printed %q: %v", printed, err)
			}

			provider := oauthlogintest.Start(oauthlogintest.Config{Clients: []oauthlogintest.Client{{
				ID: "app", PublicKey: set.Keys[0].Key, RedirectURIs: []string{fmt.Sprintf("http://%s/auth/callback", addr)},
			}}})
			t.Cleanup(provider.Close)
			env["OAUTH_ISSUER"] = provider.Issuer()
			b := newBrowser(t, start(t, env))
			b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard", "Alice Archer")
		})
	}
}

// TestDPoP has the demo provider bind tokens, and a restart between a login and a call.
func TestDPoP(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	provider := oauthlogintest.Start(oauthlogintest.Config{RequireDPoP: true, RequirePAR: true, Clients: []oauthlogintest.Client{{
		ID: "app", Secret: "secret of the app", RedirectURIs: []string{fmt.Sprintf("http://%s/auth/callback", addr)},
	}}})
	t.Cleanup(provider.Close)
	for name, env := range map[string]map[string]string{
		"the demo provider": {"OAUTH_DPOP": "1", "ADDR": freeAddr(t)},
		"another one":       {"OAUTH_DPOP": "1", "ADDR": addr, "OAUTH_ISSUER": provider.Issuer(), "OAUTH_CLIENT_ID": "app", "OAUTH_CLIENT_SECRET": "secret of the app"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, env)
			b := newBrowser(t, p)
			b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard", "Alice Archer")
			b.fetch("/api/profile").want(http.StatusOK, "/api/profile", `"sub":"alice"`)
			if name == "another one" { // which remembers its tokens
				p.stop(os.Interrupt)
				start(t, env)
				b.fetch("/api/profile").want(http.StatusOK, "/api/profile", `"sub":"alice"`)
			}
		})
	}
}
