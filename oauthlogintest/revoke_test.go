package oauthlogintest_test

import (
	"net/http"
	"net/url"
	"testing"
)

func TestRevocation(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	endpoint := p.Issuer() + "/revoke"
	revoke := func(token any) response { return b.post(endpoint, url.Values{"token": {token.(string)}}, basic()...) }
	resp := b.signIn(p)

	wantError(t, b.post(endpoint, url.Values{"token": {resp["access_token"].(string)}}), http.StatusUnauthorized, "invalid_client")
	wantError(t, b.post(endpoint, url.Values{"token": {resp["access_token"].(string)}, "client_id": {publicID}}), http.StatusBadRequest, "invalid_grant")
	wantError(t, revoke(""), http.StatusBadRequest, "invalid_request")
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("access token before it was revoked: %d", a.StatusCode)
	}

	for _, token := range []any{resp["access_token"], resp["access_token"], "unknown"} {
		if a := revoke(token); a.StatusCode != http.StatusOK || a.body != "" {
			t.Errorf("revoke %q: %d %s", token, a.StatusCode, a.body)
		}
	}
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("revoked access token: %d, want 401", a.StatusCode)
	}

	again := b.refresh(p, resp["refresh_token"]).json(t)
	revoke(again["refresh_token"])
	wantError(t, b.refresh(p, again["refresh_token"]), http.StatusBadRequest, "invalid_grant")
	if a := b.userInfo(p, again["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token of a revoked refresh token: %d, want 401", a.StatusCode)
	}
}
