package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// resourceTokens gets access tokens of sessions for one API each, and keeps them.
type resourceTokens struct {
	refreshes *refreshes
	sealer    *seal.Sealer // of what other instances read
	kept      memory.Lasting[*resourceToken]
	flights   flight.Group[*resourceToken]
}

// A resourceToken is an access token for one API, or why there is none now.
type resourceToken struct {
	access         string
	issued, expiry time.Time
	accepted       atomic.Bool // by the API

	err   error     // of the attempt to get this one or the next; nil: none
	again time.Time // when the next may be made
}

// Bytes makes a resourceToken a [memory.Sized].
func (t *resourceToken) Bytes() int { return 256 + len(t.access) }

// Format keeps the token out of whatever prints it.
func (t *resourceToken) Format(f fmt.State, _ rune) { fmt.Fprint(f, "oauthlogin.resourceToken") }

const (
	// unsaidLifetime is how long a token is used whose lifetime the provider does not say.
	unsaidLifetime = time.Hour
	// maxTurns is how often a call tries to get its turn: each time another call was faster.
	maxTurns = 16
)

var (
	errNoRefreshToken = errors.New("the session has no refresh token, without which there is none for a Resource; " +
		"request one in the login (the scope offline_access, or as the provider documents it)")
	errBornExpired = errors.New("the provider issues tokens for this Resource that have expired already")
	errContended   = errors.New("other calls send the refresh token all the time")
)

// token returns the token of a session for a target: the one that is kept, or a new one if
// it is time, or if an API has rejected that one. A new one that cannot be had now does not
// keep one that is still valid from being used.
func (x *resourceTokens) token(ctx context.Context, s *Session, rec *record, to *target, rejected *resourceToken) (*resourceToken, error) {
	now := time.Now()
	kept, ok := x.kept.Get(to.key, now)
	usable := ok && kept.isValid(now) && !kept.is(rejected)
	switch {
	case usable && (now.Before(x.dueAt(kept)) || now.Before(kept.again)):
		return kept, nil
	case ok && now.Before(kept.again):
		return nil, kept.err
	case !s.mayWait(now) && usable:
		return kept, nil
	case !s.mayWait(now):
		return nil, errLate
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, errLate)
	defer cancel()
	name := to.key
	if rejected != nil {
		name += rejected.access
	}
	fresh, err := x.flights.Do(ctx, name, func(ctx context.Context) (*resourceToken, error) {
		return x.fetch(ctx, s.request, rec, to, rejected)
	})
	if context.Cause(ctx) == errLate && errors.Is(err, context.DeadlineExceeded) {
		s.waitsNoMore(time.Now().Add(waitAgain))
		err = errLate
	}
	switch {
	case errors.Is(err, errSessionEnded):
		return nil, err
	case err != nil && usable && kept.isValid(time.Now()):
		return kept, nil
	case err != nil:
		return nil, err
	}
	if latest, ended := x.refreshes.sessions.grants.Latest(rec); !ended {
		s.adopt(latest)
	}
	return fresh, nil
}

func (t *resourceToken) isValid(now time.Time) bool { return t.access != "" && now.Before(t.expiry) }

func (t *resourceToken) is(other *resourceToken) bool {
	return other != nil && t.access == other.access
}

func (x *resourceTokens) dueAt(t *resourceToken) time.Time {
	return x.refreshes.dueAt(t.issued, t.expiry)
}

// serves reports whether a token can be used in place of a new one.
func (x *resourceTokens) serves(t, rejected *resourceToken) bool {
	now := time.Now()
	return t.isValid(now) && !t.is(rejected) && now.Before(x.dueAt(t))
}

// fetch returns a new token, from another instance or from the provider.
func (x *resourceTokens) fetch(ctx context.Context, r *http.Request, rec *record, to *target, rejected *resourceToken) (*resourceToken, error) {
	grants := x.refreshes.sessions.grants
	for range maxTurns {
		latest, ended := grants.Latest(rec)
		if ended {
			return nil, errSessionEnded
		}
		rec = latest
		if kept, ok := x.kept.Get(to.key, time.Now()); ok && x.serves(kept, rejected) {
			return kept, nil
		}
		if shared, _ := x.ofInstances(ctx, to, rejected); shared != nil {
			return shared, nil
		}
		if rec.tokens.refresh.IsZero() {
			return nil, errNoRefreshToken
		}
		if err := grants.Refusal(rec, time.Now()); err != nil {
			return nil, err
		}
		turn, _, err := grants.Turn(ctx, rec)
		switch {
		case errors.Is(err, instances.ErrEnded):
			return nil, errSessionEnded
		case err != nil:
			return nil, err
		case turn == nil: // the refresh token was rotated meanwhile
			continue
		}
		token, err := x.inTurn(ctx, turn, r, rec, to, rejected)
		if token != nil || err != nil {
			return token, err
		}
	}
	return nil, errContended
}

// inTurn sends the refresh token of a session for a target, unless that has become needless.
// It returns neither a token nor an error if the session has a later generation.
func (x *resourceTokens) inTurn(ctx context.Context, turn *instances.Turn[*record], r *http.Request, rec *record, to *target, rejected *resourceToken) (*resourceToken, error) {
	defer turn.Leave()
	f := x.refreshes
	shared, old := x.ofInstances(ctx, to, rejected)
	failed := f.sessions.grants.Refusal(rec, time.Now())
	if shared != nil || failed != nil {
		turn.GiveUp(ctx)
		return shared, failed
	}
	began := time.Now()
	p := f.providers.byTag(rec.provider)
	t, err := p.client.Refresh(protocol.WithFence(ctx, turn.Check), rec.tokens.refresh.Text(), rec.key(), to.params...)
	if err == nil {
		err = sameUser(rec, t)
	}
	if err != nil {
		return nil, x.failed(ctx, turn, p, rec, to, rejected, began, err)
	}
	token := &resourceToken{access: t.Access, issued: t.Issued, expiry: t.Expiry}
	if t.Expiry.IsZero() {
		token.expiry = t.Issued.Add(unsaidLifetime)
	}
	x.keep(ctx, rec, to, token, old)
	if err := x.rotate(ctx, turn, r, p, rec, t); err != nil {
		return nil, err
	}
	return token, token.err
}

// sameUser refuses tokens whose ID token claims another user (OpenID Connect Core section
// 12.2). The session goes on with its own ID token, so this one is not verified.
func sameUser(rec *record, t *protocol.Tokens) error {
	if iss, sub, ok := protocol.ClaimedUser(t.ID); ok && (sub != rec.user.Subject || iss != rec.user.Issuer) {
		return &identityError{errors.New("ID token of another iss or sub")}
	}
	return nil
}

// keep keeps a token here and for other instances, as long as the session can last. old is
// what they have.
func (x *resourceTokens) keep(ctx context.Context, rec *record, to *target, token *resourceToken, old []byte) {
	now := time.Now()
	until := token.expiry
	if end := rec.created.Add(x.refreshes.sessions.lifetime); end.Before(until) {
		until = end
	}
	if !token.isValid(now) {
		token.err, token.again = errBornExpired, now.Add(noExpiryRefresh)
		x.kept.Put(to.key, token, token.again, now)
		return
	}
	x.kept.Put(to.key, token, until, now)
	sealed, err := x.sealer.Seal(to.key, token.pack())
	if err == nil {
		x.refreshes.sessions.grants.Put(ctx, to.key, old, []byte(sealed), until.Sub(now))
	}
}

// rotate makes the next generation of a session if its refresh token was rotated. The access
// token stays.
func (x *resourceTokens) rotate(ctx context.Context, turn *instances.Turn[*record], r *http.Request, p *provider, rec *record, t *protocol.Tokens) error {
	if t.Refresh == "" || t.Refresh == rec.tokens.refresh.Text() {
		turn.GiveUp(ctx)
		return nil
	}
	fresh := *rec
	fresh.generation++
	fresh.tokens.refresh = seal.NewToken(t.Refresh)
	revoke := func(ctx context.Context) { x.refreshes.revoke(ctx, p, &fresh) }
	latest, ended := turn.Keep(ctx, &fresh, revoke)
	if ended {
		revoke(ctx)
		return errSessionEnded
	}
	x.refreshes.sessions.persist(ctx, r, latest)
	return nil
}

// failed notes why there is no token. It returns nil if the session has a later generation.
func (x *resourceTokens) failed(ctx context.Context, turn *instances.Turn[*record], p *provider, rec *record, to *target, rejected *resourceToken, began time.Time, err error) error {
	var other *identityError
	refusal := protocol.RefusalOf(err)
	switch {
	case refusal == protocol.GrantEnded || errors.As(err, &other):
		_, err := x.refreshes.end(ctx, turn, p, rec, began, err)
		return err
	case errors.Is(err, instances.ErrNotOurTurn):
		turn.GiveUp(ctx)
		return err
	case refusal == protocol.Refused || protocol.Misconfigured(err): // the resource
		turn.GiveUp(ctx)
		x.pause(to, rejected, err)
		return err
	}
	turn.Failed(ctx, err, protocol.RetryAfter(err))
	x.refreshes.events.report(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: rec.user.Subject, Err: err, Duration: since(began)})
	return err
}

// pause keeps a token from being requested again for a while, and goes on with the one
// before.
func (x *resourceTokens) pause(to *target, rejected *resourceToken, err error) {
	now := time.Now()
	paused := &resourceToken{err: err, again: now.Add(rejectedPause)}
	until := paused.again
	if before, ok := x.kept.Get(to.key, now); ok && before.isValid(now) && !before.is(rejected) {
		paused.access, paused.issued, paused.expiry = before.access, before.issued, before.expiry
		paused.accepted.Store(before.accepted.Load())
		until = before.expiry
	}
	x.kept.Put(to.key, paused, until, now)
}

// ofInstances returns the token that other instances know, nil if there is none that can be
// used, and the value of its key.
func (x *resourceTokens) ofInstances(ctx context.Context, to *target, rejected *resourceToken) (token *resourceToken, value []byte) {
	value, err := x.refreshes.sessions.grants.Value(ctx, to.key)
	if err != nil || value == nil { // without the Coordinator, there is no Turn either
		return nil, nil
	}
	packed, _, err := x.sealer.Open(to.key, string(value))
	if err != nil {
		return nil, value
	}
	token, err = unpackResourceToken(packed)
	if err != nil || !x.serves(token, rejected) {
		return nil, value
	}
	x.kept.Put(to.key, token, token.expiry, time.Now())
	return token, value
}

func (t *resourceToken) pack() []byte {
	p := seal.NewPacker()
	access := seal.NewToken(t.access)
	p.Token(&access)
	p.Time(t.issued)
	p.TimeFrom(t.issued, t.expiry)
	return p.Pack()
}

func unpackResourceToken(packed []byte) (*resourceToken, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	t := &resourceToken{}
	access := u.Token()
	t.access = access.Text()
	t.issued = u.Time()
	t.expiry = u.TimeFrom(t.issued)
	return t, u.Err()
}
