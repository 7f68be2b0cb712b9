package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// writeClientKey writes a private key for OAUTH_CLIENT_KEY, and returns its path and the JWK Set of the public key.
func writeClientKey(t *testing.T) (path, jwks string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256", "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return path, string(set)
}

// TestProfiles signs in, refreshes over several rotations, calls an API and signs out at providers that require what careful
// ones do.
func TestProfiles(t *testing.T) {
	path, jwks := writeClientKey(t)
	withKey := []string{"OAUTH_CLIENT_SECRET=", "OAUTH_CLIENT_KEY=" + path, "OAUTH_CLIENT_KEY_ID=k1"}
	for _, profile := range []struct {
		name     string
		provider []string
		app      []string
	}{
		{"pushed authorization requests", []string{"REQUIRE_PAR=1"}, nil},
		{"private_key_jwt", []string{"CLIENT_JWKS=" + jwks}, withKey},
		{"DPoP with nonces", []string{"REQUIRE_DPOP=1"}, []string{"OAUTH_DPOP=1"}},
		{"form_post", nil, []string{"OAUTH_FORM_POST=1"}},
		{
			"FAPI 2.0",
			[]string{"FAPI=1", "REQUIRE_PAR=1", "REQUIRE_DPOP=1", "CLIENT_JWKS=" + jwks},
			append([]string{"OAUTH_DPOP=1"}, withKey...),
		},
	} {
		t.Run(profile.name, func(t *testing.T) {
			a, p := newAppAt(t, newPanva)
			strict := p.(*panva)
			strict.env = append(strict.env, profile.provider...)
			a.env = append(append(a.env, "OAUTH_SCOPES=openid profile email offline_access"), profile.app...)
			p.shortTokens()
			p.start(t)
			a.start(t)
			v := newVisitor(t)
			landed := p.signIn(v.open(a.url + "/dashboard"))
			if landed.url.Host != v.parse(a.url).Host { // a page that posts the response, without a script here
				landed = landed.submit(nil)
			}
			landed.want(http.StatusOK, a.url+"/dashboard")
			whoSignedInAs(t, v, a, p)

			for range 3 {
				before := p.tokenCalls(t)
				eventually(t, patience, "the token to be refreshed", func() bool {
					v.fetch(http.MethodGet, a.url, a.url+"/api/profile").want(http.StatusOK, a.url+"/api/profile")
					return p.tokenCalls(t) > before
				})
			}
			if pushes := strict.calls(t)["POST /request"]; pushes == 0 {
				t.Error("nothing was pushed")
			}
			dashboard := v.open(a.url+"/dashboard").want(http.StatusOK, a.url+"/dashboard")
			p.signOut(dashboard.submit(nil)).want(http.StatusOK, a.url+"/")
			if p.revocations(t) == 0 {
				t.Error("no refresh token was revoked")
			}
			v.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")
		})
	}
}

// whoSignedInAs checks who the application and, through Client, the provider's user info endpoint say that the visitor is.
func whoSignedInAs(t *testing.T, v *visitor, a *app, p provider) {
	t.Helper()
	var me, profile identity
	v.fetch(http.MethodGet, a.url, a.url+"/api/me").want(http.StatusOK, a.url+"/api/me").json(&me)
	v.fetch(http.MethodGet, a.url, a.url+"/api/profile").want(http.StatusOK, a.url+"/api/profile").json(&profile)
	if want := p.wants(); me.Subject != want.Subject || me.Name != want.Name || profile.Subject != want.Subject {
		t.Errorf("/api/me: %+v, /api/profile: %+v; want %+v", me, profile, want)
	}
}

// TestProfilesAreRequired shows that the providers of TestProfiles refuse a client that does none of it.
func TestProfilesAreRequired(t *testing.T) {
	_, jwks := writeClientKey(t)
	for name, env := range map[string]string{"private_key_jwt": "CLIENT_JWKS=" + jwks, "DPoP": "REQUIRE_DPOP=1"} {
		t.Run(name, func(t *testing.T) {
			a, p := newAppAt(t, newPanva)
			p.(*panva).env = append(p.(*panva).env, env)
			p.start(t)
			a.start(t)
			v := newVisitor(t)
			landed := v.open(a.url + "/dashboard")
			if landed.url.Host != v.parse(a.url).Host {
				landed = p.signIn(landed)
			}
			if landed.status != http.StatusBadGateway && landed.status != http.StatusBadRequest {
				t.Errorf("ended at %s with status %d; want an error", landed.url, landed.status)
			}
			v.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")
		})
	}
}
