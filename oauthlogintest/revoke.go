package oauthlogintest

import "net/http"

// serveRevocation revokes an access token alone, or a refresh token with its
// whole family (RFC 7009 section 2). A token that does not exist is revoked.
func (p *Provider) serveRevocation(w http.ResponseWriter, r *http.Request) {
	client, form, err := p.authenticatedForm(r)
	if err == nil && form.Get("token") == "" {
		err = &oauthError{Code: "invalid_request", Description: "token is missing"}
	}
	if err == nil && !p.store.revoke(p.config.Now(), client, form.Get("token")) {
		err = invalidGrant("the token is another client's")
	}
	if err != nil {
		writeOAuthError(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}
