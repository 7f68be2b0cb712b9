package oauthlogintest

import (
	"net/http"
	"strings"
)

// serveUserInfo returns the claims that the scopes of the access token release
// (OpenID Connect Core 1.0 section 5.3). It does not require the scope openid, so
// it can also be the user API of a plain OAuth 2.0 provider.
func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		// RFC 6750 section 3.1: without credentials, no error code.
		unauthorized(w, `Bearer realm="oauthlogintest"`)
		return
	}
	token, ok := p.store.accessToken(p.config.Now(), strings.TrimSpace(credentials))
	if !ok {
		unauthorized(w, `Bearer realm="oauthlogintest", error="invalid_token", error_description="the access token is unknown, expired or revoked"`)
		return
	}
	claims := userClaims(p.user(token.session.subject), token.scopes)
	edit(p.hook().mapUserInfo, claims)
	writeJSON(w, http.StatusOK, claims)
}

func unauthorized(w http.ResponseWriter, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
}
