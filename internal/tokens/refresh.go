// Package tokens keeps the tokens of sessions fresh, gets those for one API each, and sends
// requests to APIs with them.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/active"
	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/identity"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// Refreshes keeps the tokens of sessions fresh.
type Refreshes struct {
	source   func(record.ProviderTag) *identity.Source
	sessions *active.Sessions
	events   Reporter
	log      *slog.Logger
	before   time.Duration // Options.RefreshBefore
	flights  flight.Group[*record.Record]
}

// A Reporter tells the application of refreshes.
type Reporter interface {
	Refreshed(ctx context.Context, rec *record.Record, took time.Duration)
	RefreshFailed(ctx context.Context, rec *record.Record, err error, ended bool, took time.Duration)
}

// NewRefreshes returns the refreshes of an instance. before is Options.RefreshBefore.
func NewRefreshes(sessions *active.Sessions, source func(record.ProviderTag) *identity.Source, before time.Duration, events Reporter, log *slog.Logger) *Refreshes {
	return &Refreshes{source: source, sessions: sessions, events: events, log: log, before: before}
}

// Idle returns when no refresh is under way, or with the error of ctx.
func (f *Refreshes) Idle(ctx context.Context) error { return f.flights.Idle(ctx) }

// ErrGrantEnded means that the provider has ended the session.
var ErrGrantEnded = fmt.Errorf("%w: the provider refuses to refresh it", instances.ErrEnded)

// noExpiryRefresh is how soon tokens are refreshed whose lifetime is not a positive
// number.
const noExpiryRefresh = time.Minute

// Due reports whether it is time for a refresh: as long before the expiry as
// Options.RefreshBefore says, but never in the first three quarters of the lifetime.
func (f *Refreshes) Due(t *record.Tokens, now time.Time) bool {
	return !t.Refresh.IsZero() && !t.Expiry.IsZero() && !now.Before(f.dueAt(t.Issued, t.Expiry))
}

func (f *Refreshes) dueAt(issued, expiry time.Time) time.Time {
	lifetime := expiry.Sub(issued)
	if lifetime <= 0 {
		return issued.Add(noExpiryRefresh)
	}
	lead := min(f.before, lifetime/4)
	return issued.Add(max(lifetime-lead, time.Second))
}

// rejectedPause is how long a refreshed token that an API rejects is not refreshed again.
const rejectedPause = 10 * time.Second

// mayReplace reports whether a token that an API rejects is replaced. One that a refresh
// has just brought, and no API has accepted, is not: such an API rejects every token.
func (f *Refreshes) mayReplace(rec *record.Record) bool {
	return !rec.Tokens.Refresh.IsZero() &&
		(time.Since(rec.Tokens.Issued) >= rejectedPause || !f.sessions.Grants.Unproven(rec))
}

// overtook reports whether a refresh has replaced the tokens of rec, or is due to.
func (f *Refreshes) overtook(rec *record.Record) bool {
	latest, _ := f.sessions.Grants.Latest(rec)
	return latest.HasNewerToken(rec) || f.Due(&rec.Tokens, time.Now())
}

// maxWait is how long a request waits for a refresh, in the middleware and in its clients
// together. It is shorter than the timeouts of proxies; the refresh itself goes on.
const maxWait = 8 * time.Second

// waitAgain is when a request that goes on for long, a stream, may wait once more.
const waitAgain = time.Minute

var errLate = errors.New("the provider has not responded to the refresh yet")

// Refresh gives s newer tokens than those of old. Of all requests that ask for the
// same, one sends the refresh token, and all get the response. That one does not
// stop when its client goes away: the provider may have rotated the token by then
// (RFC 9700 section 4.14.2), and the response is the only copy. rejected says that an
// API has rejected the access token.
func (f *Refreshes) Refresh(ctx context.Context, s *Held, old *record.Record, rejected bool) error {
	if s.Current().HasNewerToken(old) {
		return nil
	}
	if !s.mayWait(time.Now()) {
		return f.adoptLate(s, old)
	}
	rec, err := waitFor(ctx, &f.flights, old.Successor(), func(ctx context.Context) (*record.Record, error) {
		return f.refreshOnce(ctx, s.Request, old, rejected)
	})
	switch {
	case err == errLate:
		s.waitsNoMore(time.Now().Add(waitAgain))
		return err
	case err != nil:
		return err
	}
	s.adopt(rec)
	return nil
}

// waitFor returns what a call brings that requests share, or errLate after maxWait. The call
// goes on then.
func waitFor[V any](ctx context.Context, calls *flight.Group[V], name string, call func(context.Context) (V, error)) (V, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, errLate)
	defer cancel()
	v, err := calls.Do(ctx, name, call)
	if context.Cause(ctx) == errLate && errors.Is(err, context.DeadlineExceeded) {
		err = errLate
	}
	return v, err
}

// adoptLate gives s the tokens of a refresh that was late, if they have come.
func (f *Refreshes) adoptLate(s *Held, old *record.Record) error {
	latest, ended := f.sessions.Grants.Latest(old)
	switch {
	case ended:
		return instances.ErrEnded
	case !latest.HasNewerToken(old):
		return errLate
	}
	s.adopt(latest)
	return nil
}

// refreshOnce returns a record with a newer access token, from memory or from the provider.
func (f *Refreshes) refreshOnce(ctx context.Context, r *http.Request, old *record.Record, rejected bool) (*record.Record, error) {
	start := time.Now()
	for rec := old; ; {
		latest, err := f.refreshLatest(ctx, r, rec, rejected)
		if err != nil || latest.HasNewerToken(old) || !latest.Tokens.Issued.Before(start) {
			return latest, err
		}
		rec = latest // the refresh token was rotated for another one
	}
}

// refreshLatest returns a later generation of old, from memory or from the provider.
func (f *Refreshes) refreshLatest(ctx context.Context, r *http.Request, old *record.Record, rejected bool) (*record.Record, error) {
	began := time.Now()
	grants := f.sessions.Grants
	latest, ended := grants.Latest(old)
	if ended {
		return nil, instances.ErrEnded
	}
	if latest.Generation() > old.Generation() {
		return latest, nil
	}
	refused := grants.Refusal(old, time.Now())
	if refused != nil && !endsSession(refused, old, rejected) {
		return nil, refused
	}
	turn, latest, err := grants.Turn(ctx, old)
	switch {
	case errors.Is(err, instances.ErrPaused) && refused != nil: // by whom is known here
		return f.end(ctx, grants.TurnInPause(old), old, began, refused)
	case err != nil:
		return nil, err
	case turn == nil: // another call or instance was faster
		return latest, nil
	}
	defer turn.Leave()
	if refused != nil {
		return f.end(ctx, turn, old, began, refused)
	}
	fresh, err := f.source(old.Provider).Refresh(protocol.WithFence(ctx, turn.Check), old)
	switch {
	case err != nil && endsSession(err, old, rejected):
		return f.end(ctx, turn, old, began, err)
	case errors.Is(err, instances.ErrNotOurTurn):
		turn.GiveUp(ctx)
		return nil, err
	case err != nil:
		turn.Failed(ctx, err, protocol.RetryAfter(err))
		f.events.RefreshFailed(ctx, old, err, false, time.Since(began))
		return nil, err
	}
	revoke := func(ctx context.Context) { f.revoke(ctx, fresh) }
	latest, ended = turn.Keep(ctx, fresh, revoke)
	if ended { // signed out while the response was on its way: no request may use it
		revoke(ctx)
		return nil, instances.ErrEnded
	}
	fresh = latest
	f.sessions.Persist(ctx, r, fresh)
	f.events.Refreshed(ctx, old, time.Since(began))
	return fresh, nil
}

// revoke revokes the tokens of a session that has ended before they came.
func (f *Refreshes) revoke(ctx context.Context, rec *record.Record) {
	if err := f.source(rec.Provider).Client.Revoke(ctx, rec.Tokens.Refresh.Text(), rec.Key()); err != nil {
		f.log.WarnContext(ctx, "oauthlogin: tokens of an ended session not revoked", "provider", rec.User.Provider, "subject", rec.User.Subject, "error", err)
	}
}

// endsSession reports whether an error of a refresh ends the session (RFC 6749 section
// 5.2). A provider that refuses without saying that the grant has ended still vouches
// for its access token, until that is over.
func endsSession(err error, rec *record.Record, rejected bool) bool {
	var other *identity.Error
	if errors.As(err, &other) {
		return true
	}
	switch protocol.RefusalOf(err) {
	case protocol.GrantEnded:
		return true
	case protocol.Refused:
		return rejected || rec.Tokens.Expiry.IsZero() || !rec.Tokens.Valid(time.Now())
	}
	return false
}

// end ends a session that the provider has refused to refresh, unless it has a later
// generation (draft-ietf-oauth-browser-based-apps section 6.1.2.2).
func (f *Refreshes) end(ctx context.Context, turn *instances.Turn[*record.Record], old *record.Record, began time.Time, err error) (*record.Record, error) {
	latest, ended, doubt := turn.Refused(ctx)
	switch {
	case doubt != nil:
		return nil, doubt
	case !ended:
		return latest, nil
	}
	f.events.RefreshFailed(ctx, old, err, true, time.Since(began))
	return nil, ErrGrantEnded
}
