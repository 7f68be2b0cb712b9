package protocol

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// An AuthorizationRequest begins a login at a provider. Everything but the URL is
// to be kept until the response, bound to the browser.
type AuthorizationRequest struct {
	URL      string // leads the browser to the provider
	State    string
	Verifier string         // for PKCE
	Key      *dpop.Key      // that the code and its tokens are bound to; nil: none
	Want     Authentication // what the ID token must show; Nonce is "" without OpenID Connect
}

// AuthorizationRequest returns a new authorization request (RFC 6749 section 4.1.1, OpenID
// Connect Core section 3.1.2.1). If the metadata has an endpoint for that, it pushes the
// request there, and the URL only names what was pushed: see [PushError].
//
// params take the place of parameters of the same name in Registration.AuthParams, and scopes
// are requested beside those of Registration.OAuth2. Parameters that this package sets itself
// are refused, and so is what is not a scope-token. If there is no usable metadata,
// [Unavailable] is true for the error.
func (c *Client) AuthorizationRequest(ctx context.Context, params url.Values, scopes ...string) (*AuthorizationRequest, error) {
	if err := CheckParams(params); err != nil {
		return nil, fmt.Errorf("AuthParams %w", err)
	}
	if i := slices.IndexFunc(scopes, NoScopeToken); i >= 0 {
		return nil, fmt.Errorf("%q is not a scope-token", scopes[i])
	}
	md, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(md.AuthURL)
	if err != nil {
		return nil, err
	}
	fromEndpoint := u.Query() // RFC 6749 section 3.1: the endpoint's own query stays
	maps.DeleteFunc(fromEndpoint, func(name string, _ []string) bool { return isOwnParam(name) })
	others := maps.Clone(fromEndpoint)
	maps.Copy(others, c.AuthParams)
	maps.Copy(others, params)
	// RFC 9700 section 2.1.1: values that are specific to the transaction.
	r := &AuthorizationRequest{
		State: RandomToken(), Verifier: RandomToken(),
		Want: Authentication{MaxAge: -1, ACRValues: strings.Join(others["acr_values"], " ")},
	}
	if others.Has("max_age") {
		if r.Want.MaxAge, err = ParseMaxAge(others.Get("max_age")); err != nil {
			return nil, err
		}
	}
	// RFC 9700 section 2.1.1: PKCE whatever the provider advertises, and RFC 7636
	// section 4.2: S256 and no other method.
	own := []string{
		"client_id", c.OAuth2.ClientID, "redirect_uri", c.OAuth2.RedirectURL, "response_type", "code", "state", r.State,
		"code_challenge", oauth2.S256ChallengeFromVerifier(r.Verifier), "code_challenge_method", "S256",
	}
	if scope := c.Scope(scopes...); scope != "" {
		own = append(own, "scope", scope)
	}
	if c.Issuer != "" {
		r.Want.Nonce = RandomToken()
		own = append(own, "nonce", r.Want.Nonce)
	}
	if c.FormPost {
		own = append(own, "response_mode", "form_post")
	}
	if c.DPoP {
		if len(md.ProofAlgs) > 0 && !slices.Contains(md.ProofAlgs, "ES256") {
			return nil, &metadataError{c.Issuer, errNoProofAlg}
		}
		// RFC 9449 section 10. It protects the code because the key is fresh.
		if r.Key, err = dpop.NewKey(); err != nil {
			return nil, err
		}
		thumbprint, err := r.Key.Thumbprint()
		if err != nil {
			return nil, err
		}
		own = append(own, "dpop_jkt", thumbprint)
	}
	own = append(own, flat(others)...)
	switch {
	case md.PushURL != "":
		requestURI, err := c.push(ctx, md, r.Key, own)
		if err != nil {
			return nil, fmt.Errorf("push authorization request: %w", err)
		}
		// RFC 9126 section 4, and no parameter besides: what was pushed is all that counts.
		own = append(flat(fromEndpoint), "client_id", c.OAuth2.ClientID, "request_uri", requestURI)
	case md.MustPush:
		return nil, &metadataError{c.Issuer, errNoPushEndpoint}
	}
	u.RawQuery = weburl.Encode(own...)
	r.URL = u.String() // not as metadata writes it, which may need escapes
	return r, nil
}

var errNoProofAlg = errors.New("dpop_signing_alg_values_supported does not have ES256")

// flat returns parameters as alternating names and values, in a fixed order.
func flat(params url.Values) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		for _, value := range params[name] {
			list = append(list, name, value)
		}
	}
	return list
}

// Scope is what the scope parameter of an authorization request has with more scopes
// beside those of Registration.OAuth2.
func (c *Client) Scope(more ...string) string {
	scopes := slices.Clip(c.OAuth2.Scopes)
	for _, scope := range more {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return strings.Join(scopes, " ")
}

// NoScopeToken reports whether scope is not a scope-token (RFC 6749 section 3.3).
func NoScopeToken(scope string) bool {
	return scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// ownParams are the parameters of the authorization request that carry its
// security, or that would change how its response arrives.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "dpop_jkt",
}

func isOwnParam(name string) bool { return slices.Contains(ownParams, strings.ToLower(name)) }

// CheckParams refuses parameters that would override those that this package sets:
// see CVE-2025-67716 of nextjs-auth0. The error is a predicate.
func CheckParams(params url.Values) error {
	var own []string
	for name := range params {
		if isOwnParam(name) {
			own = append(own, name)
		}
	}
	if len(own) > 0 {
		return fmt.Errorf("sets %q, which the package sets itself", slices.Min(own))
	}
	return nil
}

// ParseMaxAge reads a max_age parameter, which is in seconds.
func ParseMaxAge(s string) (time.Duration, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("max_age %q is not a number of seconds", s)
	}
	return time.Duration(n) * time.Second, nil
}

// RandomToken returns 256 random bits in the alphabet of RFC 7636 section 4.1.
func RandomToken() string {
	var b [32]byte
	rand.Read(b[:])
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], b[:])
	return string(text[:])
}
