package oauthlogintest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveAuthorization handles authorization requests (RFC 6749 section 4.1.1,
// OpenID Connect Core 1.0 section 3.1.2) and the sign-in form.
func (p *Provider) serveAuthorization(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.messagePage(w, http.StatusBadRequest, "Malformed request", "The request parameters cannot be parsed.")
		return
	}
	params, pushed, fault := p.requested(r.Form)
	if fault != "" {
		p.messagePage(w, http.StatusBadRequest, "Invalid request", fault)
		return
	}
	req, fault := p.authorizationTarget(params)
	if fault != "" {
		// RFC 6749 section 4.1.2.1: never redirect to an unregistered URI.
		p.messagePage(w, http.StatusBadRequest, "Invalid request", fault)
		return
	}
	req.shown, req.pushed = r.Form, pushed
	if err := p.validateAuthorization(req); err != nil {
		p.authorizationError(w, r, req, err)
		return
	}
	if r.Method == http.MethodPost && r.PostForm.Has("action") {
		p.serveSignInForm(w, r, req)
		return
	}
	now := p.config.Now()
	if subject := p.hook().autoApprove; subject != "" {
		p.authorizationResponse(w, r, req, p.signIn(w, r, req, subject))
		return
	}
	if session, ok := p.currentSession(r); ok && !p.hook().forgetUsers && req.satisfiedBy(session, now) {
		p.authorizationResponse(w, r, req, session)
		return
	}
	if slices.Contains(req.prompt, "none") {
		p.authorizationError(w, r, req, &oauthError{Code: "login_required", Description: "no session satisfies the request"})
		return
	}
	p.signInPage(w, http.StatusOK, req, "")
}

// authorizationResponse responds with a new code (RFC 6749 section 4.1.2).
func (p *Provider) authorizationResponse(w http.ResponseWriter, r *http.Request, req *authorizationRequest, s session) {
	p.spendPushed(req)
	code, now := rand.Text(), p.config.Now()
	p.store.update(now, func() {
		p.store.codes[code] = &authorizationCode{
			grant:       &grant{client: req.client, session: s, scopes: req.scopes, nonce: req.nonce, jkt: req.jkt},
			redirectURI: req.redirectURI,
			challenge:   req.challenge,
			expires:     now.Add(p.config.CodeTTL),
		}
	})
	p.respond(w, r, req, url.Values{"code": {code}})
}

// authorizationError responds with an error (RFC 6749 section 4.1.2.1).
func (p *Provider) authorizationError(w http.ResponseWriter, r *http.Request, req *authorizationRequest, err *oauthError) {
	p.spendPushed(req)
	params := url.Values{"error": {err.Code}}
	if err.Description != "" {
		params.Set("error_description", err.Description)
	}
	p.respond(w, r, req, params)
}

// respond sends the response by a redirect, or by a form (OAuth 2.0 Form Post Response Mode
// section 2).
func (p *Provider) respond(w http.ResponseWriter, r *http.Request, req *authorizationRequest, params url.Values) {
	params.Set("iss", p.config.Issuer) // RFC 9207 section 2
	if req.state != "" {
		params.Set("state", req.state)
	}
	if edit := p.hook().editResponse; edit != nil {
		edit(params)
	}
	if req.formPost() {
		p.formPage(w, req.redirectURI, params)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	// RFC 9700 section 4.12: 303 keeps the browser from repeating a POST.
	http.Redirect(w, r, withQuery(req.redirectURI, params), http.StatusSeeOther)
}

// withQuery appends params to the URI and keeps its query (RFC 6749 section
// 3.1.2).
func withQuery(uri string, params url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + params.Encode()
}
