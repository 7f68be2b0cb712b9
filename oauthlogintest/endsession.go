package oauthlogintest

import (
	"net/http"
	"net/url"
	"slices"
)

// serveEndSession ends the browser's session at the provider and redirects back
// (OpenID Connect RP-Initiated Logout 1.0). It does not ask for confirmation and
// does not revoke tokens.
func (p *Provider) serveEndSession(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.messagePage(w, http.StatusBadRequest, "Malformed request", "The request parameters cannot be parsed.")
		return
	}
	target, fault := p.postLogoutTarget(r.Form)
	if fault != "" {
		p.messagePage(w, http.StatusBadRequest, "Invalid request", fault)
		return
	}
	p.forgetSession(r)
	http.SetCookie(w, p.sessionCookie("", -1))
	if target == "" {
		p.messagePage(w, http.StatusOK, "You are signed out", "This browser is no longer signed in to the demo provider.")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// postLogoutTarget returns the URI to redirect to, or "" if the request has none.
// fault says what is wrong with the request.
func (p *Provider) postLogoutTarget(params url.Values) (target, fault string) {
	for _, values := range params {
		if len(values) > 1 {
			return "", "A parameter is repeated."
		}
	}
	clientID := params.Get("client_id")
	if hint := params.Get("id_token_hint"); hint != "" {
		// RP-Initiated Logout 1.0 section 2: an expired ID token is accepted.
		claims, err := p.keys.verifyJWT(hint)
		if err != nil || claims["iss"] != p.config.Issuer {
			return "", "This provider did not issue the id_token_hint."
		}
		azp, _ := claims["azp"].(string)
		if clientID != "" && clientID != azp {
			return "", "The id_token_hint was issued to another client."
		}
		clientID = azp
	}
	uri := params.Get("post_logout_redirect_uri")
	if uri == "" {
		return "", ""
	}
	client := p.client(clientID)
	if client == nil || !slices.Contains(client.PostLogoutRedirectURIs, uri) {
		return "", "The post_logout_redirect_uri is not registered for this client."
	}
	if state := params.Get("state"); state != "" {
		uri = withQuery(uri, url.Values{"state": {state}})
	}
	return uri, ""
}
