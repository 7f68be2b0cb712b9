package oauthlogintest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestUserInfo(t *testing.T) {
	now := time.Now()
	p := start(t, func(c *oauthlogintest.Config) {
		c.Now = func() time.Time { return now }
		c.JWTAccessTokens = true
		c.Users = []oauthlogintest.User{{Subject: "erin", Name: "Erin", Claims: map[string]any{"groups": []string{"staff"}, "sub": "other"}}}
	})
	p.AutoApprove("erin")
	b := newBrowser(t)
	resp := b.signIn(p, "scope", "openid profile")
	token := resp["access_token"].(string)
	if strings.Count(token, ".") != 2 {
		t.Errorf("access token %q is not a JWT", token)
	}
	info := b.post(p.Issuer()+"/userinfo", nil, "Authorization", "bearer "+token).json(t)
	wantKeys(t, info, "sub", "name", "groups")
	if info["sub"] != "erin" {
		t.Errorf("sub = %v", info["sub"])
	}
	wantKeys(t, b.userInfo(p, b.signIn(p, "scope", "openid")["access_token"]).json(t), "sub")

	for _, test := range []struct{ name, authorization, want string }{
		{"no token", "", `Bearer realm="oauthlogintest"`},
		{"basic", basic()[1], `Bearer realm="oauthlogintest"`},
		{"unknown token", "Bearer x", `error="invalid_token"`},
		{"refresh token", "Bearer " + resp["refresh_token"].(string), `error="invalid_token"`},
	} {
		a := b.get(p.Issuer()+"/userinfo?access_token="+token, "Authorization", test.authorization)
		if got := a.Header.Get("WWW-Authenticate"); a.StatusCode != http.StatusUnauthorized || !strings.Contains(got, test.want) {
			t.Errorf("%s: %d, WWW-Authenticate %q", test.name, a.StatusCode, got)
		}
	}
	now = now.Add(time.Hour)
	if a := b.userInfo(p, token); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("expired token: %d, want 401", a.StatusCode)
	}
}
