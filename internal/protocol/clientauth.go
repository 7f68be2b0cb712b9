package protocol

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A response is that of an endpoint at which the client authenticates.
type response struct {
	status  int
	header  http.Header
	body    []byte
	secrets []string // values in the request that must not be shown
}

func (r *response) contentType() string { return r.header.Get("Content-Type") }

// post sends a form, of alternating names and values, to an endpoint at which the client
// authenticates, with a proof if there is a key. If the server asks for a nonce, the form is
// sent once more, with another proof and another credential: the server has refused to look
// at the first one (RFC 9449 section 8). All of that together takes no longer than one
// request may. A response with an error is one whose body cannot be read.
func (c *Client) post(ctx context.Context, t *Transport, md *metadata, endpoint string, key *dpop.Key, params ...string) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	resp, nonce, err := c.postOnce(ctx, t, md, endpoint, key, "", params)
	if nonce != "" && err == nil && resp.asksForNonce() {
		// With this nonce: other requests may have learned another one meanwhile.
		resp, _, err = c.postOnce(ctx, t, md, endpoint, key, nonce, params)
	}
	return resp, err
}

// asksForNonce reports whether an authorization server wants a nonce in the proof.
func (r *response) asksForNonce() bool {
	if r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized {
		return false
	}
	o, err := claims.Parse(r.body)
	return err == nil && o.String("error") == dpop.UseNonce
}

// postOnce sends one request, with a nonce in its proof, or without one with the latest of
// the server. learned is the nonce in the response, "" if there is none.
func (c *Client) postOnce(ctx context.Context, t *Transport, md *metadata, endpoint string, key *dpop.Key, nonce string, params []string) (_ *response, learned string, err error) {
	credential, err := c.authenticate(ctx, t.timeout, md)
	if err != nil {
		return nil, "", err
	}
	params = append(slices.Clip(params), credential.params...)
	if !credential.basic && !hasParam(params, "client_id") {
		params = append(params, "client_id", c.OAuth2.ClientID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(weburl.Encode(params...)))
	if err != nil {
		return nil, "", errMalformed // the error would quote the URL
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if credential.basic {
		req.SetBasicAuth(url.QueryEscape(c.OAuth2.ClientID), url.QueryEscape(c.OAuth2.ClientSecret))
	}
	if key != nil {
		proof, err := key.Proof(req, "", cmp.Or(nonce, t.Nonces.Of(req)))
		if err != nil {
			return nil, "", err
		}
		req.Header.Set("DPoP", proof)
	}
	if err := passFence(ctx); err != nil { // after the credential, which may have taken time
		return nil, "", err
	}
	resp, err := t.do(req)
	if err != nil {
		return nil, "", err
	}
	if key != nil {
		learned = t.Nonces.Learn(req, resp.Header)
	}
	var body []byte
	if resp.StatusCode == http.StatusOK && endpoint == md.RevocationURL && endpoint != md.TokenURL {
		resp.Body.Close() // RFC 7009 section 2.2: it says nothing, and a logout must not wait for it
	} else {
		body, err = ReadBody(resp)
	}
	return &response{resp.StatusCode, resp.Header, body, secretsOf(params)}, learned, err
}

// secretParams are the parameters whose values must not be shown.
var secretParams = []string{
	"code", "code_verifier", "refresh_token", "token", "client_secret", "client_assertion",
	"state", "nonce", "code_challenge", "login_hint", "id_token_hint",
}

// hasParam reports whether a list of alternating names and values has a name.
func hasParam(params []string, name string) bool {
	for i := 0; i < len(params); i += 2 {
		if params[i] == name {
			return true
		}
	}
	return false
}

func secretsOf(params []string) (values []string) {
	for i := 1; i < len(params); i += 2 {
		if slices.Contains(secretParams, params[i-1]) {
			values = append(values, params[i])
		}
	}
	return values
}

// A credential is how one request authenticates the client, in one way alone (RFC 6749
// section 2.3).
type credential struct {
	params []string // in the body
	basic  bool     // with the secret of Registration.OAuth2
}

// authenticate returns a credential for one request: assertions are not used twice.
func (c *Client) authenticate(ctx context.Context, timeout time.Duration, md *metadata) (credential, error) {
	switch {
	case c.ClientAssertion != nil:
		assertion, err := callBounded(ctx, timeout, func(ctx context.Context) (string, error) { return c.ClientAssertion(ctx, c.audience(md)) })
		if err != nil {
			return credential{}, credentialFault(ctx, "assertion", err)
		}
		// RFC 7521 section 4.2. post adds the client_id, which has to be there, because the
		// sub of an assertion that a platform has issued is not the client.
		return credential{params: []string{"client_assertion_type", assertionType, "client_assertion", assertion}}, nil
	case c.ClientSecret != nil:
		secret, err := callBounded(ctx, timeout, c.ClientSecret)
		if err != nil {
			return credential{}, credentialFault(ctx, "secret", err)
		}
		return credential{params: []string{"client_secret", secret}}, nil
	case md.authStyle(c.OAuth2) != oauth2.AuthStyleInParams:
		return credential{basic: true}, nil
	case c.OAuth2.ClientSecret != "":
		return credential{params: []string{"client_secret", c.OAuth2.ClientSecret}}, nil
	}
	return credential{}, nil
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 section 2.2

// audience returns what names the provider in a client assertion: its issuer, as RFC
// 10070 requires. A token endpoint as the audience would let a provider name the endpoint
// of another one in its metadata and use the assertion there (CVE-2025-27370). It stands
// in where there is no issuer, or only a template of issuers.
func (c *Client) audience(md *metadata) string {
	switch {
	case c.Issuer == "" || strings.Contains(c.Issuer+md.Issuer, "{"):
		return md.TokenURL
	case c.Tenants != nil:
		return md.Issuer
	}
	return c.Issuer
}

// authStyle decides how the client authenticates at the token endpoint. The
// detection of x/oauth2 would send a code twice.
func (md *metadata) authStyle(config *oauth2.Config) oauth2.AuthStyle {
	switch {
	case config.ClientSecret == "":
		return oauth2.AuthStyleInParams
	case config.Endpoint.AuthStyle != oauth2.AuthStyleAutoDetect:
		return config.Endpoint.AuthStyle
	case len(md.AuthMethods) > 0 && !slices.Contains(md.AuthMethods, "client_secret_basic") &&
		slices.Contains(md.AuthMethods, "client_secret_post"):
		return oauth2.AuthStyleInParams
	}
	// RFC 8414 section 2: client_secret_basic unless metadata says otherwise.
	return oauth2.AuthStyleInHeader
}

// A CredentialError is a failure to make the client's own credential. It says nothing
// about the provider, the grant or the user.
type CredentialError struct {
	kind string
	err  error
}

func (e *CredentialError) Error() string { return "make client " + e.kind + ": " + e.err.Error() }

// Is looks into the cause. There is no Unwrap: what failed is the application's, and its
// error must not pass for one of the provider's.
func (e *CredentialError) Is(target error) bool { return errors.Is(e.err, target) }

// credentialFault is the error of a credential that is not there: a [CallError] if that is
// because the caller has gone.
func credentialFault(ctx context.Context, kind string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &CallError{ctx.Err()}
	}
	return &CredentialError{kind, err}
}

// maxCredential bounds a credential that an application makes, in bytes.
const maxCredential = 64 << 10

// callBounded calls a function of the application, which may take as long as a request
// to the provider. It does not wait for one that ignores its context.
func callBounded(ctx context.Context, timeout time.Duration, f func(context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type outcome struct {
		text string
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		result := outcome{err: errors.New("the function ended its goroutine")}
		defer func() { done <- result }()
		result.text, result.err = func() (text string, err error) {
			defer flight.Recover(&err)
			return f(ctx)
		}()
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case result := <-done:
		switch {
		case result.err != nil:
			return "", CallFailed(result.err) // whose text has no URL
		case result.text == "":
			return "", errors.New("the function returned nothing")
		case len(result.text) > maxCredential:
			return "", errors.New("the function returned over 64 KiB")
		}
		return result.text, nil
	}
}
