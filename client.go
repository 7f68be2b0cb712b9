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
// are refreshed this way reach the cookie with the next request that this
// instance serves. Ask only hosts that may have the token: which one is asked is
// not checked.
//
// Requests fail with [ErrNoSession] or [ErrNoToken] when there is nothing to
// send. There is no timeout but that of the requests' contexts and of ctx.
func (m *Middleware) Client(ctx context.Context) *http.Client {
	s := m.fromContext(ctx)
	if s == nil {
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

// RoundTrip ends with the context of the session's request as well as with
// that of r.
func (t *sessionTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	release := func() { stop(); cancel(nil) }
	resp, err := t.roundTrip(ctx, r)
	if err != nil {
		release()
		return nil, err
	}
	resp.Request = r // what sameHostAsAsked walks over
	resp.Body = &releasingBody{resp.Body, release}
	return resp, nil
}

func (t *sessionTransport) roundTrip(ctx context.Context, r *http.Request) (*http.Response, error) {
	m := t.session.owner
	if err := t.ctx.Err(); err != nil {
		return failing{err}.RoundTrip(r)
	}
	if !sameHostAsAsked(r) {
		return t.send(ctx, r, "")
	}
	rec := t.session.current()
	var failed error
	if rec.tokens.refreshDue(m.opts.RefreshBefore, time.Now()) {
		failed = m.refresh(ctx, t.session, rec)
		rec = t.session.current()
	}
	if ctx.Err() != nil {
		return failing{context.Cause(ctx)}.RoundTrip(r)
	}
	if errors.Is(failed, errSessionEnded) || !rec.tokens.valid(time.Now()) {
		return failing{noToken(failed)}.RoundTrip(r)
	}
	resp, err := t.send(ctx, r, rec.tokens.access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || rec.tokens.refresh.isZero() {
		return resp, err
	}
	again, ok := replay(r)
	if !ok {
		return resp, nil // the 401 says what there is to say
	}
	if m.refresh(ctx, t.session, rec) != nil {
		if again.Body != nil {
			again.Body.Close()
		}
		return resp, nil
	}
	io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	resp.Body.Close()
	return t.send(ctx, again, t.session.current().tokens.access)
}

// send sends a copy of r, with a token if there is one.
func (t *sessionTransport) send(ctx context.Context, r *http.Request, token string) (*http.Response, error) {
	r = r.Clone(ctx)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return t.session.owner.transport.RoundTrip(r)
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
