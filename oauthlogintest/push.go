package oauthlogintest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	requestURIPrefix = "urn:ietf:params:oauth:request_uri:" // RFC 9126 section 2.2
	requestURITTL    = time.Minute
)

// A pushedRequest waits for the browser that brings its request_uri.
type pushedRequest struct {
	params  url.Values
	client  *Client
	expires time.Time
}

// servePush takes an authorization request from the client (RFC 9126 section 2).
func (p *Provider) servePush(w http.ResponseWriter, r *http.Request) {
	client, form, err := p.authenticatedForm(r)
	jkt := ""
	if err == nil {
		jkt, err = p.clientProof(w, r)
	}
	if err == nil {
		err = p.checkPushed(client, form)
	}
	if err == nil && jkt != "" && jkt != form.Get("dpop_jkt") { // RFC 9449 section 10.1
		err = &oauthError{Code: "invalid_dpop_proof", Description: "the proof is of another key than dpop_jkt"}
	}
	if err != nil {
		writeOAuthError(w, err)
		return
	}
	params := maps.Clone(form)
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		delete(params, name)
	}
	uri, now := requestURIPrefix+rand.Text(), p.config.Now()
	p.store.update(now, func() {
		p.store.pushed[uri] = pushedRequest{params, client, now.Add(requestURITTL)}
	})
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int(requestURITTL.Seconds())})
}

// checkPushed validates a request as the authorization endpoint would.
func (p *Provider) checkPushed(client *Client, form url.Values) *oauthError {
	invalid := func(description string) *oauthError {
		return &oauthError{Code: "invalid_request", Description: description}
	}
	switch {
	case form.Has("request_uri"):
		return invalid("request_uri must not be pushed")
	case form.Get("client_id") != client.ID:
		return invalid("client_id is missing or another")
	}
	req, fault := p.authorizationTarget(form)
	if fault != "" {
		return invalid(strings.TrimSuffix(fault, "."))
	}
	return p.validateAuthorization(req)
}

// requested returns the parameters of an authorization request, and the request_uri if
// they were pushed. fault says why there are none.
func (p *Provider) requested(form url.Values) (params url.Values, uri, fault string) {
	if !p.config.RequirePAR {
		return form, "", ""
	}
	uri = form.Get("request_uri")
	if uri == "" {
		return nil, "", "The client has not pushed its authorization request, which this provider requires."
	}
	for name, values := range form {
		if len(values) > 1 || !slices.Contains([]string{"client_id", "request_uri", "login", "other", "action"}, name) {
			return nil, "", "A pushed authorization request takes no parameters but client_id and request_uri, each once."
		}
	}
	now := p.config.Now()
	p.store.update(now, func() {
		pushed, ok := p.store.pushed[uri]
		if ok && now.Before(pushed.expires) && pushed.client.ID == form.Get("client_id") {
			params = pushed.params
		}
	})
	if params == nil {
		return nil, "", "The request_uri is unknown, expired, of another client, or was used before."
	}
	return params, uri, ""
}

// spendPushed ends the use of a request_uri: with the response, so that a user can load the
// page again (RFC 9126 section 7.3).
func (p *Provider) spendPushed(req *authorizationRequest) {
	if req.pushed != "" {
		p.store.update(p.config.Now(), func() { delete(p.store.pushed, req.pushed) })
	}
}
