package oauthlogintest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const (
	keyID  = "signer"
	keyURI = "http://127.0.0.1:9/keyed"
)

// signed returns a JWT.
func signed(t *testing.T, key any, alg jose.SignatureAlgorithm, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// RFC 7523 section 3, RFC 10070: what a server has to refuse.
func TestClientAssertions(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, func(c *oauthlogintest.Config) {
		c.Clients = append(c.Clients, oauthlogintest.Client{ID: keyID, PublicKey: key.Public(), RedirectURIs: []string{keyURI}})
	})
	b := newBrowser(t)
	now := time.Now()
	good := map[string]any{"iss": keyID, "sub": keyID, "aud": p.Issuer(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	with := func(name string, value any) map[string]any {
		claims := maps.Clone(good)
		claims["jti"] = rand.Text()
		claims[name] = value
		return claims
	}
	ask := func(assertion string, extra ...string) response {
		form := url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {"none"}, "client_id": {keyID}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		for i := 0; i < len(extra); i += 2 {
			form.Set(extra[i], extra[i+1])
		}
		return b.post(p.Issuer()+"/token", form)
	}
	const typ = "client-authentication+jwt"
	for name, assertion := range map[string]string{
		"another key":              signed(t, other, jose.ES256, typ, with("", nil)),
		"a secret":                 signed(t, []byte(strings.Repeat("s", 32)), jose.HS256, typ, with("", nil)),
		"another type":             signed(t, key, jose.ES256, "JWT", with("", nil)),
		"another issuer":           signed(t, key, jose.ES256, typ, with("iss", "x")),
		"another subject":          signed(t, key, jose.ES256, typ, with("sub", "x")),
		"a list as audience":       signed(t, key, jose.ES256, typ, with("aud", []string{p.Issuer()})),
		"the token endpoint":       signed(t, key, jose.ES256, typ, with("aud", p.Issuer()+"/token")),
		"no audience":              signed(t, key, jose.ES256, typ, with("aud", nil)),
		"an expired one":           signed(t, key, jose.ES256, typ, with("exp", now.Add(-time.Second).Unix())),
		"a long life":              signed(t, key, jose.ES256, typ, with("exp", now.Add(time.Hour).Unix())),
		"no end":                   signed(t, key, jose.ES256, typ, with("exp", nil)),
		"one from the future":      signed(t, key, jose.ES256, typ, with("iat", now.Add(time.Minute).Unix())),
		"no jti":                   signed(t, key, jose.ES256, typ, with("jti", nil)),
		"a short jti":              signed(t, key, jose.ES256, typ, with("jti", "1")),
		"a lifetime in a string":   signed(t, key, jose.ES256, typ, with("exp", "tomorrow")),
		"something that is no JWT": "x",
	} {
		t.Run(name, func(t *testing.T) { wantError(t, ask(assertion), http.StatusUnauthorized, "invalid_client") })
	}
	once := signed(t, key, jose.ES256, typ, with("", nil))
	wantError(t, ask(once), http.StatusBadRequest, "invalid_grant") // the client is known, its token is not
	wantError(t, ask(once), http.StatusUnauthorized, "invalid_client")
	again := func() string { return signed(t, key, jose.ES256, typ, with("", nil)) }
	wantError(t, ask(again(), "client_secret", "x"), http.StatusBadRequest, "invalid_request")
	wantError(t, ask(again(), "client_assertion_type", "x"), http.StatusUnauthorized, "invalid_client")
	wantError(t, ask(again(), "client_id", clientID), http.StatusUnauthorized, "invalid_client")
	wantError(t, b.post(p.Issuer()+"/token", url.Values{"client_id": {keyID}, "grant_type": {"refresh_token"}}), http.StatusUnauthorized, "invalid_client")

	made, err := oauthlogin.PrivateKeyJWT(keyID, "", key)(t.Context(), p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, ask(made), http.StatusBadRequest, "invalid_grant")

	doc := b.get(p.Issuer() + "/.well-known/openid-configuration").json(t)
	if methods, _ := doc["token_endpoint_auth_methods_supported"].([]any); !slices.Contains(methods, any("private_key_jwt")) || doc["token_endpoint_auth_signing_alg_values_supported"] == nil {
		t.Errorf("metadata %v", doc)
	}
	if reg := p.Registration("http://127.0.0.1:9"); reg.OAuth2.ClientID != clientID {
		t.Errorf("registration %v", reg)
	}
}
