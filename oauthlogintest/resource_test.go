package oauthlogintest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RFC 8707 section 2.2: a refresh narrows the access token to one API, and a refusal spends
// no refresh token.
func TestResources(t *testing.T) {
	const orders = "https://orders.test/v1"
	p := start(t, func(c *oauthlogintest.Config) {
		c.JWTAccessTokens = true
		c.Resources = []string{orders, "audit-log"}
	})
	p.AutoApprove("alice")
	b := newBrowser(t)
	tokens := b.signIn(p)
	for _, params := range [][]string{
		{"resource", "https://other.test/"},
		{"resource", orders + "#x"},
		{"resource", "/v1"},
		{"audience", "other"},
		{"audience", "audit-log", "resource", orders},
	} {
		wantError(t, b.refresh(p, tokens["refresh_token"], params...), http.StatusBadRequest, "invalid_target")
	}
	for _, tt := range []struct {
		params    []string
		aud, want string // want: the scope
	}{
		{[]string{"resource", orders, "scope", "email"}, orders, "email"},
		{[]string{"audience", "audit-log", "scope", "openid email"}, "audit-log", "openid email"},
	} {
		tokens = b.refresh(p, tokens["refresh_token"], tt.params...).json(t)
		access := tokens["access_token"].(string)
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct{ Aud, Scope string }
		if json.Unmarshal(payload, &claims); claims.Aud != tt.aud || claims.Scope != tt.want || tokens["scope"] != tt.want {
			t.Errorf("%v: %s, scope %v", tt.params, payload, tokens["scope"])
		}
		if a := b.userInfo(p, access); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v: user info responds %d", tt.params, a.StatusCode)
		}
	}
	tokens = b.refresh(p, tokens["refresh_token"]).json(t)
	if a := b.userInfo(p, tokens["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("without a resource: user info responds %d", a.StatusCode)
	}
}
