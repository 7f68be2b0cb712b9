package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/roundtrip"
)

var (
	// ErrNoSession is the error of calls through [Middleware.Client] with a context
	// that has no session.
	ErrNoSession = errors.New("oauthlogin: no session in the context; is the handler behind RequireAuth?")
	// ErrNoToken is the error of calls through [Middleware.Client] when the session has
	// no access token that is still valid.
	ErrNoToken = errors.New("oauthlogin: the session has no valid access token")
)

// Client returns a client that calls APIs as the signed-in user. ctx is the context
// of a request behind [Middleware.RequireAuth]. Several goroutines may use the
// client.
//
// It sends the access token to the host that is asked, and removes it when a
// redirect leads to another origin. It does not check which host is asked: call only
// hosts that may have the token. A token that is about to expire is refreshed first.
// After a 401 response the token is refreshed once and the request sent once more, if
// its body can be replayed (see [http.Request].GetBody). Tokens that are refreshed
// this way are saved in Options.Store at once; without a store they reach the cookie
// with the next request that this instance serves, or any with Options.Coordinator. A token that a refresh has just
// brought, and that no API has accepted yet, is not refreshed again for ten seconds.
//
// The tokens of a login with [Provider].DPoP are sent as such, with a proof for each
// request (RFC 9449 section 7.1). A request that an API rejects to ask for a nonce is sent
// once more, if its body can be replayed; that causes no refresh.
//
// Requests fail with [ErrNoSession] or [ErrNoToken] when there is no token to send.
// The client has no timeout; requests end with their own contexts and with ctx.
func (m *Middleware) Client(ctx context.Context) *http.Client {
	s := m.fromContext(ctx)
	if s == nil {
		return &http.Client{Transport: roundtrip.Failing{Err: ErrNoSession}}
	}
	return &http.Client{Transport: &sessionTransport{ctx: ctx, session: s}}
}

type sessionTransport struct {
	ctx     context.Context
	session *Session
}

// RoundTrip ends with the context of the session's request as well as with that of r.
func (t *sessionTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundtrip.Until(t.ctx, r, func(ctx context.Context) (*http.Response, error) { return t.roundTrip(ctx, r) })
}

func (t *sessionTransport) roundTrip(ctx context.Context, r *http.Request) (*http.Response, error) {
	m := t.session.owner
	if err := t.ctx.Err(); err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	rec, err := t.latest(ctx)
	if err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	if !roundtrip.SameOriginAsAsked(r) {
		return m.transport.RoundTrip(r.Clone(ctx))
	}
	var failed error
	if m.refreshes.due(&rec.tokens, time.Now()) {
		failed = m.refreshes.refresh(ctx, t.session, rec, false)
		rec = t.session.current()
	}
	if ctx.Err() != nil {
		return roundtrip.Failing{Err: context.Cause(ctx)}.RoundTrip(r)
	}
	if errors.Is(failed, errSessionEnded) || !rec.tokens.valid(time.Now()) {
		return roundtrip.Failing{Err: noToken(failed)}.RoundTrip(r)
	}
	resp, err := t.send(ctx, r, rec)
	if err == nil && resp.StatusCode != http.StatusUnauthorized {
		m.sessions.grants.Accepted(rec)
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized || refusesProof(rec, resp) || !t.mayRefresh(rec) {
		return resp, err
	}
	again, ok := roundtrip.Replay(r)
	if !ok {
		return resp, nil // the 401 says what there is to say
	}
	if m.refreshes.refresh(ctx, t.session, rec, true) != nil {
		if again.Body != nil {
			again.Body.Close()
		}
		return resp, nil
	}
	io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	resp.Body.Close()
	fresh := t.session.current()
	resp, err = t.send(ctx, again, fresh)
	if err == nil && resp.StatusCode != http.StatusUnauthorized {
		m.sessions.grants.Accepted(fresh)
	}
	return resp, err
}

// latest returns the session's latest record: a stream may outlive its session, and
// another instance may have refreshed its tokens.
func (t *sessionTransport) latest(ctx context.Context) (*record, error) {
	sessions := t.session.owner.sessions
	rec := t.session.current()
	latest, ended, err := sessions.grants.Check(ctx, rec, time.Now())
	switch {
	case err != nil:
		return nil, noToken(err)
	case ended || time.Since(rec.created) >= sessions.limits.lifetime:
		return nil, ErrNoSession
	}
	t.session.adopt(latest)
	return t.session.current(), nil
}

// rejectedPause is how long a refreshed token that an API rejects is not refreshed again.
const rejectedPause = 10 * time.Second

// mayRefresh reports whether a token that an API rejects is refreshed. One that a refresh
// has just brought, and no API has accepted, is not: such an API rejects every token.
func (t *sessionTransport) mayRefresh(rec *record) bool {
	return !rec.tokens.refresh.IsZero() &&
		(time.Since(rec.tokens.issued) >= rejectedPause || !t.session.owner.sessions.grants.Unproven(rec))
}

// refusesProof reports whether a 401 response is about the proof alone. Another access
// token would not help.
func refusesProof(rec *record, resp *http.Response) bool {
	code := dpop.ChallengeError(resp)
	return len(rec.extra.dpopKey) > 0 && (code == dpop.UseNonce || code == dpop.InvalidProof)
}

// send sends a copy of r with the access token of a record, and once more if the API asks
// for a nonce in the proof of a bound one.
func (t *sessionTransport) send(ctx context.Context, r *http.Request, rec *record) (*http.Response, error) {
	m := t.session.owner
	return dpop.Send(r.Clone(ctx), rec.tokens.access, rec.key(), m.nonces, m.transport.RoundTrip)
}

func noToken(cause error) error {
	if cause == nil {
		return ErrNoToken
	}
	return fmt.Errorf("%w: %w", ErrNoToken, cause)
}
