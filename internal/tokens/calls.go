package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/active"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/roundtrip"
)

// Calls sends requests to APIs with the tokens of sessions.
type Calls struct {
	Sessions  *active.Sessions
	Refreshes *Refreshes
	Resources *Resources
	Transport http.RoundTripper
	Nonces    *dpop.Nonces // of all servers that get proofs
	// NoSession and NoToken are the errors of calls for which there is no token to send.
	NoSession, NoToken error
	// Asks returns the error that stands for a response that asks for more than the token
	// shows, nil if it does not.
	Asks func(*http.Response) error
}

// Client returns a client for one session, or for one API if to is not nil. Its calls end with
// ctx.
func (c *Calls) Client(ctx context.Context, session *Held, to *Target) *http.Client {
	return &http.Client{Transport: &transport{Calls: c, ctx: ctx, session: session, to: to}}
}

// A transport sends requests with the access token of a session, or with one that the
// session has for a resource.
type transport struct {
	*Calls
	ctx     context.Context
	session *Held
	to      *Target // nil: the session's own token
}

// RoundTrip ends with the context of the session's request as well as with that of r.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundtrip.Until(t.ctx, r, func(ctx context.Context) (*http.Response, error) {
		resp, err := t.roundTrip(ctx, r)
		if err != nil || !roundtrip.SameOriginAsAsked(r) {
			return resp, err
		}
		if err := t.Asks(resp); err != nil {
			roundtrip.Drain(resp)
			return nil, err
		}
		return resp, nil
	})
}

func (t *transport) roundTrip(ctx context.Context, r *http.Request) (*http.Response, error) {
	if err := t.ctx.Err(); err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	rec, err := t.latest(ctx)
	if err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	if !roundtrip.SameOriginAsAsked(r) {
		return t.Transport.RoundTrip(r.Clone(ctx))
	}
	token, err := t.token(ctx, r, rec)
	if ctx.Err() != nil {
		return roundtrip.Failing{Err: context.Cause(ctx)}.RoundTrip(r)
	}
	if err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	resp, err := t.send(ctx, r, token)
	if err != nil || !t.mayReplace(token, resp) {
		return resp, err
	}
	again, ok := roundtrip.Replay(r)
	if !ok {
		return resp, nil // it says what there is to say
	}
	if token, err = t.inPlaceOf(ctx, token, resp); err != nil {
		if again.Body != nil {
			again.Body.Close()
		}
		return resp, nil
	}
	roundtrip.Drain(resp)
	return t.send(ctx, again, token)
}

// latest returns the session's latest record: a stream may outlive its session, and
// another instance may have refreshed its tokens.
func (t *transport) latest(ctx context.Context) (*record.Record, error) {
	rec := t.session.Current()
	latest, ended, err := t.Sessions.Grants.Check(ctx, rec, time.Now())
	switch {
	case err != nil:
		return nil, t.noToken(err)
	case ended || time.Since(rec.Created) >= t.Sessions.Lifetime:
		return nil, t.NoSession
	}
	t.session.adopt(latest)
	return t.session.Current(), nil
}

// An apiToken is what a request to an API carries: the access token of a record, or one for
// a resource.
type apiToken struct {
	access string
	rec    *record.Record
	of     *resourceToken // nil: it is the record's own
}

// token returns the token for a request, a new one if that is due.
func (t *transport) token(ctx context.Context, r *http.Request, rec *record.Record) (apiToken, error) {
	if t.to != nil {
		if err := t.to.mayGetToken(r); err != nil {
			return apiToken{}, err
		}
		return t.resourceToken(ctx, rec, nil)
	}
	var failed error
	if t.Refreshes.Due(&rec.Tokens, time.Now()) {
		failed = t.Refreshes.Refresh(ctx, t.session, rec, false)
		rec = t.session.Current()
	}
	if errors.Is(failed, instances.ErrEnded) || !rec.Tokens.Valid(time.Now()) {
		return apiToken{}, t.noToken(failed)
	}
	return apiToken{access: rec.Tokens.Access, rec: rec}, nil
}

// inPlaceOf returns another token than one that an API has responded to.
func (t *transport) inPlaceOf(ctx context.Context, sent apiToken, resp *http.Response) (apiToken, error) {
	if t.to != nil {
		return t.resourceToken(ctx, t.session.Current(), sent.of)
	}
	if err := t.Refreshes.Refresh(ctx, t.session, sent.rec, resp.StatusCode == http.StatusUnauthorized); err != nil {
		return apiToken{}, err
	}
	rec := t.session.Current()
	return apiToken{access: rec.Tokens.Access, rec: rec}, nil
}

func (t *transport) resourceToken(ctx context.Context, rec *record.Record, rejected *resourceToken) (apiToken, error) {
	token, err := t.Resources.token(ctx, t.session, rec, t.to, rejected)
	if err != nil {
		return apiToken{}, t.noToken(err)
	}
	return apiToken{access: token.access, rec: rec, of: token}, nil
}

// mayReplace reports whether a request is sent again with another token. It is not if the
// response is about the proof alone, or about what the user may do: that would not help.
func (t *transport) mayReplace(token apiToken, resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return false
	}
	if _, ok := protocol.NeedsOf(resp); ok {
		return false
	}
	switch {
	case resp.StatusCode == http.StatusForbidden:
		// Some providers revoke the token that a refresh replaces, and respond to it with 403.
		return token.of == nil && t.Refreshes.overtook(token.rec)
	case len(token.rec.Extra.DPoPKey) != 0 && aboutProof(resp):
		return false
	case token.of != nil:
		return token.of.mayReplace()
	}
	return t.Refreshes.mayReplace(token.rec)
}

func aboutProof(resp *http.Response) bool {
	code := dpop.ChallengeError(resp)
	return code == dpop.UseNonce || code == dpop.InvalidProof
}

// send sends a copy of r with an access token, and once more if the API asks for a nonce in
// the proof of a bound one.
func (t *transport) send(ctx context.Context, r *http.Request, token apiToken) (*http.Response, error) {
	resp, err := dpop.Send(r.Clone(ctx), token.access, token.rec.Key(), t.Nonces, t.Transport.RoundTrip)
	switch {
	case err != nil || resp.StatusCode == http.StatusUnauthorized:
	case token.of != nil:
		token.of.accept()
	default:
		t.Sessions.Grants.Accepted(token.rec)
	}
	return resp, err
}

func (c *Calls) noToken(cause error) error {
	if cause == nil {
		return c.NoToken
	}
	return fmt.Errorf("%w: %w", c.NoToken, cause)
}
