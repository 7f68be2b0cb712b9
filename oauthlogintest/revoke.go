package oauthlogintest

import "net/http"

// serveRevocation revokes an access token, or a refresh token with its whole
// family (RFC 7009 section 2). For an unknown token the response is 200 as well.
func (p *Provider) serveRevocation(w http.ResponseWriter, r *http.Request) {
	client, form, err := p.authenticatedForm(r)
	if err == nil && r.Header.Get("DPoP") != "" {
		_, err = p.clientProof(w, r)
	}
	if err == nil && form.Get("token") == "" {
		err = &oauthError{Code: "invalid_request", Description: "token is missing"}
	}
	if err == nil && !p.store.revoke(p.config.Now(), client, form.Get("token")) {
		err = invalidGrant("the token belongs to another client")
	}
	if err != nil {
		writeOAuthError(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}
