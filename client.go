package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/roundtrip"
)

var (
	// ErrNoSession is the error of calls through [Middleware.Client] and [Middleware.ClientFor]
	// with a context that has no session, or whose session has ended. [errors.Is] finds it in
	// the [url.Error].
	ErrNoSession = errors.New("oauthlogin: no session in the context; is the handler behind RequireAuth?")
	// ErrNoToken is the error of calls through [Middleware.Client] and [Middleware.ClientFor]
	// when the session has no access token that is still valid, and none could be had: the
	// provider is unreachable, or there is no refresh token. [errors.Is] finds it in the
	// [url.Error].
	ErrNoToken = errors.New("oauthlogin: the session has no valid access token")
)

// Client returns a client that calls APIs as the signed-in user: it adds the access token, and
// refreshes it when needed. ctx is the context of a request behind [Middleware.RequireAuth].
// Requests fail with [ErrNoSession] or [ErrNoToken] when there is no token to send, and with a
// [*ChallengeError] when the API asks for more than the token shows. Several goroutines may use
// the client.
//
// It sends the access token to the host that is asked, and removes it when a redirect leads to
// another origin. It does not check which host is asked: call only hosts that may have the
// token. The client has no timeout; requests end with their own contexts and with ctx.
//
// A token that is about to expire is refreshed first. After a 401 response the token is
// refreshed once and the request sent once more, if its body can be replayed (see
// [http.Request.GetBody]). A token that a refresh has just brought, and that no API has
// accepted yet, is not refreshed again for ten seconds. Refreshed tokens are saved in
// [Options.Store] at once; without a store they reach the cookie with the next request that
// this instance serves, or any with [Options.Coordinator].
//
// A response with insufficient_scope or insufficient_user_authentication causes no refresh and
// is not returned: [Middleware.Challenge] turns the error into the way to such a login.
//
// The tokens of a login with [Provider.DPoP] are sent as such, with a proof for each request
// (RFC 9449 section 7.1). A request that an API rejects to ask for a nonce is sent once more,
// if its body can be replayed; that causes no refresh.
func (m *Middleware) Client(ctx context.Context) *http.Client {
	s := m.fromContext(ctx)
	if s == nil {
		return &http.Client{Transport: roundtrip.Failing{Err: ErrNoSession}}
	}
	return &http.Client{Transport: &sessionTransport{ctx: ctx, session: s}}
}

// A sessionTransport sends requests with the access token of a session, or with one that the
// session has for a resource.
type sessionTransport struct {
	ctx     context.Context
	session *Session
	to      *target // nil: the session's own token
}

// RoundTrip ends with the context of the session's request as well as with that of r.
func (t *sessionTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundtrip.Until(t.ctx, r, func(ctx context.Context) (*http.Response, error) {
		resp, err := t.roundTrip(ctx, r)
		if err != nil || !roundtrip.SameOriginAsAsked(r) {
			return resp, err
		}
		if err := challengeOf(resp); err != nil {
			io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
			resp.Body.Close()
			return nil, err
		}
		return resp, nil
	})
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
	token, err := t.token(ctx, r, rec)
	if ctx.Err() != nil {
		return roundtrip.Failing{Err: context.Cause(ctx)}.RoundTrip(r)
	}
	if err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	resp, err := t.send(ctx, r, token)
	if err != nil || !rejects(token, resp) || !t.mayReplace(token) {
		return resp, err
	}
	again, ok := roundtrip.Replay(r)
	if !ok {
		return resp, nil // the 401 says what there is to say
	}
	if token, err = t.inPlaceOf(ctx, token); err != nil {
		if again.Body != nil {
			again.Body.Close()
		}
		return resp, nil
	}
	io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	resp.Body.Close()
	return t.send(ctx, again, token)
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

// An apiToken is what a request to an API carries: the access token of a record, or one for
// a resource.
type apiToken struct {
	access string
	rec    *record
	of     *resourceToken // nil: it is the record's own
}

// token returns the token for a request, a new one if that is due.
func (t *sessionTransport) token(ctx context.Context, r *http.Request, rec *record) (apiToken, error) {
	if t.to != nil {
		if err := t.to.mayGetToken(r); err != nil {
			return apiToken{}, err
		}
		return t.resourceToken(ctx, rec, nil)
	}
	m := t.session.owner
	var failed error
	if m.refreshes.due(&rec.tokens, time.Now()) {
		failed = m.refreshes.refresh(ctx, t.session, rec, false)
		rec = t.session.current()
	}
	if errors.Is(failed, errSessionEnded) || !rec.tokens.valid(time.Now()) {
		return apiToken{}, noToken(failed)
	}
	return apiToken{access: rec.tokens.access, rec: rec}, nil
}

// inPlaceOf returns another token than one that an API has rejected.
func (t *sessionTransport) inPlaceOf(ctx context.Context, rejected apiToken) (apiToken, error) {
	if t.to != nil {
		return t.resourceToken(ctx, t.session.current(), rejected.of)
	}
	if err := t.session.owner.refreshes.refresh(ctx, t.session, rejected.rec, true); err != nil {
		return apiToken{}, err
	}
	rec := t.session.current()
	return apiToken{access: rec.tokens.access, rec: rec}, nil
}

func (t *sessionTransport) resourceToken(ctx context.Context, rec *record, rejected *resourceToken) (apiToken, error) {
	token, err := t.session.owner.resources.token(ctx, t.session, rec, t.to, rejected)
	if err != nil {
		return apiToken{}, noToken(err)
	}
	return apiToken{access: token.access, rec: rec, of: token}, nil
}

// rejectedPause is how long a refreshed token that an API rejects is not refreshed again.
const rejectedPause = 10 * time.Second

// mayReplace reports whether a token that an API rejects is replaced. One that a refresh
// has just brought, and no API has accepted, is not: such an API rejects every token.
func (t *sessionTransport) mayReplace(token apiToken) bool {
	if token.of != nil {
		return time.Since(token.of.issued) >= rejectedPause || token.of.accepted.Load()
	}
	rec := token.rec
	return !rec.tokens.refresh.IsZero() &&
		(time.Since(rec.tokens.issued) >= rejectedPause || !t.session.owner.sessions.grants.Unproven(rec))
}

// rejects reports whether a response is about the access token. A 401 response that is about
// the proof alone, or about how the user signed in, is not: another token would not help.
func rejects(token apiToken, resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	if _, ok := protocol.NeedsOf(resp); ok {
		return false
	}
	code := dpop.ChallengeError(resp)
	return len(token.rec.extra.dpopKey) == 0 || code != dpop.UseNonce && code != dpop.InvalidProof
}

// send sends a copy of r with an access token, and once more if the API asks for a nonce in
// the proof of a bound one.
func (t *sessionTransport) send(ctx context.Context, r *http.Request, token apiToken) (*http.Response, error) {
	m := t.session.owner
	resp, err := dpop.Send(r.Clone(ctx), token.access, token.rec.key(), m.nonces, m.transport.RoundTrip)
	switch {
	case err != nil || resp.StatusCode == http.StatusUnauthorized:
	case token.of != nil:
		token.of.accepted.Store(true)
	default:
		m.sessions.grants.Accepted(token.rec)
	}
	return resp, err
}

func noToken(cause error) error {
	if cause == nil {
		return ErrNoToken
	}
	return fmt.Errorf("%w: %w", ErrNoToken, cause)
}
