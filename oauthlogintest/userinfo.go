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
	if p.config.RequireDPoP {
		p.serveBoundUserInfo(w, r, scheme, strings.TrimSpace(credentials))
		return
	}
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
	p.writeUserInfo(w, token)
}

// serveBoundUserInfo is serveUserInfo with access tokens that are bound to keys (RFC 9449
// section 7).
func (p *Provider) serveBoundUserInfo(w http.ResponseWriter, r *http.Request, scheme, credentials string) {
	p.offerNonce(w)
	challenge := dpopScheme + ` realm="oauthlogintest", algs="ES256"`
	if scheme == "" {
		unauthorized(w, challenge)
		return
	}
	if !strings.EqualFold(scheme, dpopScheme) {
		unauthorized(w, challenge+`, error="invalid_token", error_description="access tokens are bound to keys here"`)
		return
	}
	jkt, fault := p.checkProof(r, credentials)
	token, ok := p.store.accessToken(p.config.Now(), credentials)
	switch {
	case fault != nil:
		unauthorized(w, challenge+`, error="`+fault.code+`", error_description="`+fault.description+`"`)
	case !ok || token.jkt != jkt:
		unauthorized(w, challenge+`, error="invalid_token", error_description="the access token is unknown, expired, revoked or bound to another key"`)
	default:
		p.writeUserInfo(w, token)
	}
}

func (p *Provider) writeUserInfo(w http.ResponseWriter, token accessToken) {
	claims := userClaims(p.user(token.session.subject), token.scopes)
	edit(p.hook().editUserInfo, claims)
	writeJSON(w, http.StatusOK, claims)
}

func unauthorized(w http.ResponseWriter, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
}
