package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
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
// the context of a request behind [Middleware.RequireAuth]. It may be used by
// several goroutines.
//
// It sends the access token to the host that is asked, and takes it off when a
// redirect leads to another one. A token that is about to expire is refreshed
// first. On a 401 answer the token is refreshed once and the request sent once
// more, if its body can be replayed (see [http.Request].GetBody). Tokens that
// are refreshed this way reach the cookie with the next request.
//
// Requests fail with [ErrNoSession] or [ErrNoToken] when there is nothing to
// send. There is no timeout but that of the requests' contexts and of ctx.
func (m *Middleware) Client(ctx context.Context) *http.Client {
	s, ok := FromContext(ctx)
	if !ok || m == nil || s.owner != m {
		return &http.Client{Transport: failing{ErrNoSession}}
	}
	return &http.Client{Transport: &sessionTransport{ctx: ctx, session: s}}
}

// failing answers every request with an error.
type failing struct{ err error }

func (t failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, t.err
}

type sessionTransport struct {
	ctx     context.Context
	session *Session
}

func (t *sessionTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	m := t.session.owner
	if err := t.ctx.Err(); err != nil {
		return failing{err}.RoundTrip(r)
	}
	if !sameHostAsAsked(r) {
		return t.send(r, "")
	}
	rec := t.session.current()
	var failed error
	if rec.tokens.refreshDue(m.opts.RefreshBefore, time.Now()) {
		failed = m.refresh(r.Context(), t.session, rec)
		rec = t.session.current()
	}
	if errors.Is(failed, errSessionEnded) || !rec.tokens.valid(time.Now()) {
		return failing{noToken(failed)}.RoundTrip(r)
	}
	resp, err := t.send(r, rec.tokens.access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || rec.tokens.refresh == "" {
		return resp, err
	}
	again, ok := replay(r)
	if !ok || m.refresh(r.Context(), t.session, rec) != nil {
		return resp, nil // the 401 says what there is to say
	}
	io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	resp.Body.Close()
	return t.send(again, t.session.current().tokens.access)
}

// send adds a token to a copy of r, and ends the request with t.ctx too.
func (t *sessionTransport) send(r *http.Request, token string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	r = r.Clone(ctx)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := t.session.owner.transport.RoundTrip(r)
	if err != nil {
		stop()
		cancel(nil)
		return nil, err
	}
	resp.Body = &releasingBody{resp.Body, func() { stop(); cancel(nil) }}
	return resp, nil
}

// releasingBody lets go of a request's context once its answer is read.
type releasingBody struct {
	io.ReadCloser
	release func()
}

func (b *releasingBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// Write serves protocols that an answer with status 101 switches to.
func (b *releasingBody) Write(p []byte) (int, error) {
	if w, ok := b.ReadCloser.(io.Writer); ok {
		return w.Write(p)
	}
	return 0, errors.ErrUnsupported
}

// replay returns r with its body from the start.
func replay(r *http.Request) (*http.Request, bool) {
	again := r.Clone(r.Context())
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

func noToken(cause error) error {
	if cause == nil {
		return ErrNoToken
	}
	return fmt.Errorf("%w: %w", ErrNoToken, cause)
}
