// Package roundtrip has what an http.RoundTripper that sends a request twice, or ends it
// with a second context, needs.
package roundtrip

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// Failing is a RoundTripper that fails every request.
type Failing struct{ Err error }

func (t Failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, t.Err
}

// Until calls send with a context that ends with that of r and with a second one. The
// context lives until the response's body is closed.
func Until(second context.Context, r *http.Request, send func(context.Context) (*http.Response, error)) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(second, func() { cancel(context.Cause(second)) })
	release := func() { stop(); cancel(nil) }
	resp, err := send(ctx)
	if err != nil {
		release()
		return nil, err
	}
	resp.Request = r // which SameOriginAsAsked walks over
	resp.Body = &releasingBody{resp.Body, release}
	return resp, nil
}

type releasingBody struct {
	io.ReadCloser
	release func()
}

func (b *releasingBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// Write serves protocols that a response with status 101 switches to.
func (b *releasingBody) Write(p []byte) (int, error) {
	if w, ok := b.ReadCloser.(io.Writer); ok {
		return w.Write(p)
	}
	return 0, errors.ErrUnsupported
}

// Replay returns r with its body from the start; ok is false if it cannot be had again.
func Replay(r *http.Request) (again *http.Request, ok bool) {
	again = r.Clone(r.Context())
	if r.Body == nil || r.Body == http.NoBody {
		return again, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, false
	}
	again.Body = body
	return again, true
}

// Drain closes a response that is not passed on, and reads a little of its body before, so that
// the connection can be used again.
func Drain(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
}

// SameOriginAsAsked reports whether a request goes to the origin that was asked. It
// walks back over the redirects that led to the request: to where a redirect once left
// the first origin, no token may follow.
func SameOriginAsAsked(r *http.Request) bool {
	origin := weburl.Origin(r.URL)
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
		if weburl.Origin(r.URL) != origin {
			return false
		}
	}
	return true
}
