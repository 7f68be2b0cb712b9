package oauthlogintest

import (
	"cmp"
	"crypto/subtle"
	"net/http"
	"net/url"
)

// An oauthError is an error response (RFC 6749 sections 4.1.2.1 and 5.2).
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`

	status int // 400 if zero
}

func invalidGrant(description string) *oauthError {
	return &oauthError{Code: "invalid_grant", Description: description}
}

func invalidClient(description string) *oauthError {
	return &oauthError{Code: "invalid_client", Description: description, status: http.StatusUnauthorized}
}

func writeOAuthError(w http.ResponseWriter, err *oauthError) {
	status := cmp.Or(err.status, http.StatusBadRequest)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauthlogintest", charset="UTF-8"`)
	}
	writeJSON(w, status, err)
}

// authenticatedForm parses the posted form and authenticates the client. It
// ignores query parameters.
func (p *Provider) authenticatedForm(r *http.Request) (*Client, url.Values, *oauthError) {
	if !isForm(r) {
		return nil, nil, &oauthError{Code: "invalid_request", Description: "the body is not application/x-www-form-urlencoded"}
	}
	if err := r.ParseForm(); err != nil {
		return nil, nil, &oauthError{Code: "invalid_request", Description: "the form is malformed"}
	}
	// RFC 6749 section 3.2: parameters must not be included more than once.
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, nil, &oauthError{Code: "invalid_request", Description: "parameter repeated: " + printable(name)}
		}
	}
	client, err := p.authenticateClient(r)
	return client, r.PostForm, err
}

// authenticateClient authenticates the client with client_secret_basic or
// client_secret_post but not both, with private_key_jwt if it has a public key, or with
// none if the client has neither (RFC 6749 section 2.3).
func (p *Provider) authenticateClient(r *http.Request) (*Client, *oauthError) {
	invalidClient := invalidClient("client authentication failed")
	if r.PostForm.Has("client_assertion") || r.PostForm.Has("client_assertion_type") {
		return p.clientByAssertion(r)
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		if secret != "" {
			return nil, &oauthError{Code: "invalid_request", Description: "the client used more than one authentication method"}
		}
		basicID, basicSecret, ok := r.BasicAuth()
		if !ok {
			return nil, invalidClient
		}
		// RFC 6749 section 2.3.1: ID and secret are form-urlencoded, then base64-encoded.
		decodedID, idErr := url.QueryUnescape(basicID)
		decodedSecret, secretErr := url.QueryUnescape(basicSecret)
		if idErr != nil || secretErr != nil || decodedSecret == "" || (id != "" && id != decodedID) {
			return nil, invalidClient
		}
		id, secret = decodedID, decodedSecret
	}
	client := p.client(id)
	if client == nil || client.PublicKey != nil || subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1 {
		return nil, invalidClient
	}
	return client, nil
}
