package oauthlogintest

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An authorizationRequest names a registered client and one of its redirect
// URIs. validateAuthorization sets the fields from nonce on.
type authorizationRequest struct {
	params      url.Values
	shown       url.Values // those in the browser, if they were pushed
	pushed      string     // the request_uri, "": none
	client      *Client
	redirectURI string
	state       string
	nonce       string
	jkt         string // dpop_jkt
	challenge   string
	scopes      []string
	acrValues   []string
	prompt      []string
	maxAge      time.Duration // negative: no limit
	hint        string        // sub in the id_token_hint
}

// authorizationTarget identifies the client and the redirect URI. fault says why
// the response must not be a redirect.
func (p *Provider) authorizationTarget(params url.Values) (req *authorizationRequest, fault string) {
	if len(params["client_id"]) > 1 || len(params["redirect_uri"]) > 1 {
		return nil, "client_id or redirect_uri is repeated."
	}
	client := p.client(params.Get("client_id"))
	if client == nil {
		return nil, "The client_id is not registered."
	}
	redirectURI := params.Get("redirect_uri")
	// RFC 9700 section 2.1: exact string matching.
	if !slices.Contains(client.RedirectURIs, redirectURI) {
		return nil, "The redirect_uri is not registered for this client."
	}
	req = &authorizationRequest{params: params, client: client, redirectURI: redirectURI, maxAge: -1}
	if len(params["state"]) == 1 {
		req.state = params.Get("state")
	}
	return req, ""
}

// validateAuthorization checks the remaining parameters and completes req.
func (p *Provider) validateAuthorization(req *authorizationRequest) *oauthError {
	params := req.params
	invalid := func(description string) *oauthError {
		return &oauthError{Code: "invalid_request", Description: description}
	}
	// RFC 6749 section 3.1: parameters must not be included more than once.
	for name, values := range params {
		if len(values) > 1 {
			return invalid("parameter repeated: " + printable(name))
		}
	}
	responseType, responseMode := params.Get("response_type"), params.Get("response_mode")
	switch {
	case params.Get("request") != "":
		return &oauthError{Code: "request_not_supported"}
	case params.Get("request_uri") != "":
		return &oauthError{Code: "request_uri_not_supported"}
	case responseType == "":
		return invalid("response_type is missing")
	case responseType != "code":
		return &oauthError{Code: "unsupported_response_type", Description: "response_type must be code"}
	case responseMode != "" && responseMode != "query" && !req.formPost():
		return invalid("response_mode must be query or form_post")
	case p.config.RequireFormPost && !req.formPost():
		return invalid("response_mode must be form_post")
	case params.Get("code_challenge") == "":
		return invalid("code_challenge is missing")
	case params.Get("code_challenge_method") != "S256":
		return invalid("code_challenge_method must be S256")
	case !isSHA256(params.Get("code_challenge")):
		return invalid("code_challenge is not the base64url form of a SHA-256 hash")
	}
	req.challenge = params.Get("code_challenge")
	if p.config.RequireDPoP {
		if req.jkt = params.Get("dpop_jkt"); !isSHA256(req.jkt) {
			return invalid("dpop_jkt is missing or not a thumbprint")
		}
	}
	req.nonce = params.Get("nonce")
	req.acrValues = strings.Fields(params.Get("acr_values"))
	req.prompt = strings.Fields(params.Get("prompt"))
	if slices.Contains(req.prompt, "none") && len(req.prompt) > 1 {
		return invalid("prompt=none cannot be combined with other values")
	}
	req.scopes = grantedScopes(params.Get("scope"))
	if s := params.Get("max_age"); s != "" {
		seconds, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return invalid("max_age is not a number of seconds")
		}
		req.maxAge = time.Duration(seconds) * time.Second
	}
	if hint := params.Get("id_token_hint"); hint != "" {
		claims, err := p.keys.verifyJWT(hint)
		if err != nil {
			return invalid("id_token_hint is " + err.Error())
		}
		req.hint, _ = claims["sub"].(string)
	}
	return nil
}

// formPost reports whether the client wants the response by OAuth 2.0 Form Post Response
// Mode.
func (req *authorizationRequest) formPost() bool {
	return req.params.Get("response_mode") == "form_post"
}

// satisfiedBy reports whether the session satisfies the request, so that the
// sign-in page is not needed.
func (req *authorizationRequest) satisfiedBy(s session, now time.Time) bool {
	for _, prompt := range []string{"login", "consent", "select_account"} {
		if slices.Contains(req.prompt, prompt) {
			return false
		}
	}
	fresh := req.maxAge < 0 || (req.maxAge > 0 && now.Sub(s.authTime) <= req.maxAge)
	strong := len(req.acrValues) == 0 || slices.Contains(req.acrValues, s.acr)
	same := req.hint == "" || req.hint == s.subject
	return fresh && strong && same
}

// grantedScopes returns the requested scopes that are supported, without
// duplicates.
func grantedScopes(requested string) []string {
	var granted []string
	for scope := range strings.FieldsSeq(requested) {
		if slices.Contains(supportedScopes, scope) && !slices.Contains(granted, scope) {
			granted = append(granted, scope)
		}
	}
	return granted
}

// isSHA256 reports whether s is the base64url encoding of 32 octets.
func isSHA256(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32 && len(s) == 43
}

// printable replaces the characters that RFC 6749 section 4.1.2.1 does not allow
// in an error_description.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '?'
		}
		return c
	}, s)
}
