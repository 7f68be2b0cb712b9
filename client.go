package oauthlogin

import (
	"context"
	"errors"
	"net/http"
)

var (
	// ErrNoSession is the error of calls through [Middleware.Client] with a
	// context in which nobody is signed in.
	ErrNoSession = errors.New("oauthlogin: no session in the context; is the handler behind RequireAuth?")
	// ErrNoToken is the error of calls through [Middleware.Client] when the
	// session has no access token that is still valid.
	ErrNoToken = errors.New("oauthlogin: the session has no valid access token")
)

// Client returns a client that calls APIs as the user who is signed in, with
// the context of a request behind [Middleware.RequireAuth].
//
// It sends the access token to the host that is asked, and takes it off when a
// redirect leads to another one. Requests fail with [ErrNoSession] or
// [ErrNoToken] when there is nothing to send; the errors of the client wrap
// them. There is no timeout but that of the requests' contexts.
func (m *Middleware) Client(ctx context.Context) *http.Client {
	s, ok := FromContext(ctx)
	if !ok || m == nil || s.owner != m {
		return &http.Client{Transport: failing{ErrNoSession}}
	}
	return &http.Client{Transport: sessionTransport{s}}
}

// failing answers every request with an error.
type failing struct{ err error }

func (t failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, t.err
}

type sessionTransport struct{ session *Session }

func (t sessionTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	token := t.session.Token()
	if token == nil {
		return failing{ErrNoToken}.RoundTrip(r)
	}
	return (&bearer{token: token.AccessToken, base: t.session.owner.transport}).RoundTrip(r)
}
