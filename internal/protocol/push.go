package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

var errNoPushEndpoint = errors.New("require_pushed_authorization_requests is true, and there is no usable pushed_authorization_request_endpoint")

// push sends the parameters of an authorization request to the provider and returns the
// URI that stands for them (RFC 9126 section 2). Whatever fails, there is no other way for
// the request to go: one in the URL would not be what the provider asked for.
func (c *Client) push(ctx context.Context, md *metadata, key *dpop.Key, params []string) (requestURI string, err error) {
	resp, err := c.post(ctx, c.transport, md, md.PushURL, key, params...)
	switch {
	case err != nil && resp != nil && !Unavailable(err):
		return "", &PushError{resp.status, "", err.Error()} // too large
	case err != nil:
		return "", err
	}
	requestURI, err = parsePush(resp.status, resp.body)
	if err != nil {
		c.logDescription(ctx, "pushed_authorization_request", resp.contentType(), resp.body, resp.secrets...)
	}
	return requestURI, err
}

// maxRequestURI bounds what goes into the URL of the authorization request, in bytes.
const maxRequestURI = 8 << 10

// parsePush reads a response of the endpoint (RFC 9126 sections 2.2 and 2.3). Its lifetime
// does not matter: the browser uses the URI at once, and once.
func parsePush(status int, body []byte) (requestURI string, err error) {
	o, err := claims.Parse(body)
	code := o.String("error")
	requestURI = o.String("request_uri")
	fault := ""
	switch {
	case code != "":
	case o.Has("error"): // null as well: a success has no such member
		fault = "response has an error without a code"
	case status != http.StatusCreated && status != http.StatusOK:
		fault = "response has no error code"
	case err != nil:
		fault = err.Error()
	case requestURI == "":
		fault = "response has no request_uri"
	case len(requestURI) > maxRequestURI || strings.ContainsFunc(requestURI, unicode.IsControl):
		fault = "response has a request_uri that no URL can carry"
	default:
		return requestURI, nil
	}
	return "", &PushError{status, shownCode(code), fault}
}

// A PushError is a response of the pushed authorization request endpoint that is not a
// success.
type PushError struct {
	Status int
	Code   string // as [ErrorCode] returns it; "": none
	fault  string // of a response without an error code
}

func (e *PushError) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("pushed authorization request endpoint responded %d with error %q", e.Status, e.Code)
	}
	return fmt.Sprintf("pushed authorization request endpoint responded %d: %s", e.Status, e.fault)
}

// unavailable reports whether the response is that of a server that cannot serve now.
func (e *PushError) unavailable() bool {
	return e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests ||
		e.Code == "temporarily_unavailable" || e.Code == "server_error"
}
