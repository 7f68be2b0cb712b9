package protocol

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"

	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A Response is an authorization response (RFC 6749 section 4.1.2, RFC 9207).
type Response struct {
	State, Code, Issuer string
	Error               string // as the provider wrote it; see [ErrorCode]
	Description         string // of the error, as the provider wrote it; see [Description]
	HasIssuer, HasError bool
	User                string // a form field of Sign in with Apple, which nothing signs
}

// maxParam bounds, in bytes, each parameter that is read.
const maxParam = 8 << 10

// maxQuery bounds the query, in bytes, before it is parsed.
const maxQuery = 64 << 10

// ParseResponse reads an authorization response. It refuses parameters that occur
// twice (RFC 6749 section 3.1) and ignores unknown ones (section 4.1.2).
func ParseResponse(rawQuery string) (Response, error) {
	if len(rawQuery) > maxQuery {
		return Response{}, errors.New("query is too long")
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Response{}, errors.New("malformed query")
	}
	return ResponseOf(query)
}

// ResponseOf is [ParseResponse] for parameters that have been parsed.
func ResponseOf(params url.Values) (Response, error) {
	for _, name := range []string{"state", "code", "iss", "error", "error_description", "error_uri"} {
		switch values := params[name]; {
		case len(values) > 1:
			return Response{}, fmt.Errorf("parameter %s occurs more than once", name)
		case len(values) == 1 && len(values[0]) > maxParam:
			return Response{}, fmt.Errorf("parameter %s is too long", name)
		}
	}
	return Response{
		Description: params.Get("error_description"),
		State:       params.Get("state"), Code: params.Get("code"), Issuer: params.Get("iss"), Error: params.Get("error"),
		HasIssuer: params.Has("iss"), HasError: params.Has("error"),
	}, nil
}

// CheckIssuer compares iss whenever the response has it, and requires it if the
// metadata says so, in error responses too (RFC 9207 section 2.4). It returns an
// [ErrMixUp], or an error of reading the metadata, for which [Unavailable] is true.
func (c *Client) CheckIssuer(ctx context.Context, resp Response) error {
	md, err := c.metadata(ctx)
	if err != nil {
		return err
	}
	switch {
	case !resp.HasIssuer && !md.IssInResponse:
		return nil
	case !resp.HasIssuer:
		return fmt.Errorf("%w: no iss, which the provider's metadata promises", ErrMixUp)
	case c.Issuer == "":
		// Without metadata the issuer's exact name is not known, but its host is.
		if u, err := url.Parse(resp.Issuer); err != nil || weburl.Origin(u) != c.authOrigin {
			return ErrMixUp
		}
		return nil
	case c.Tenants != nil && (resp.Issuer == md.Issuer || c.Tenants.Has(resp.Issuer)):
		return nil // CheckIssuerOf sees whose tenant it is
	case subtle.ConstantTimeCompare([]byte(resp.Issuer), []byte(c.Issuer)) != 1:
		return ErrMixUp
	}
	return nil
}

// CheckIssuerOf compares the issuer of a response that [Client.CheckIssuer] has accepted
// with that of the user: at Microsoft Entra ID it can be the issuer of another tenant.
func (c *Client) CheckIssuerOf(resp Response, issuer string) error {
	if c.Tenants != nil && c.Tenants.Has(resp.Issuer) && resp.Issuer != issuer {
		return ErrMixUp
	}
	return nil
}
