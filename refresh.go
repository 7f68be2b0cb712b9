package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// refreshes keeps the tokens of sessions fresh.
type refreshes struct {
	providers providers
	sessions  *activeSessions
	events    *reporter
	log       *slog.Logger
	before    time.Duration // Options.RefreshBefore
	flights   flight.Group[*record]
}

// noExpiryRefresh is how soon tokens are refreshed whose lifetime is not a positive
// number.
const noExpiryRefresh = time.Minute

// due reports whether it is time for a refresh: as long before the expiry as
// Options.RefreshBefore says, but never in the first three quarters of the lifetime.
func (f *refreshes) due(t *tokens, now time.Time) bool {
	return !t.refresh.IsZero() && !t.expiry.IsZero() && !now.Before(f.dueAt(t.issued, t.expiry))
}

func (f *refreshes) dueAt(issued, expiry time.Time) time.Time {
	lifetime := expiry.Sub(issued)
	if lifetime <= 0 {
		return issued.Add(noExpiryRefresh)
	}
	lead := min(f.before, lifetime/4)
	return issued.Add(max(lifetime-lead, time.Second))
}

// refreshIfDue refreshes the tokens of a session if it is time, and writes the
// session's new cookie. The request that it returns has the session with new tokens.
// Any error but errSessionEnded leaves the session as it is.
func (m *Middleware) refreshIfDue(w http.ResponseWriter, r *http.Request, s *Session) (*http.Request, error) {
	old := s.current()
	if old.tokens.refresh.IsZero() { // reading the clock takes time
		return r, nil
	}
	now := time.Now()
	if !m.refreshes.due(&old.tokens, now) || browser.IsFile(r) && old.tokens.valid(now) {
		return r, nil
	}
	if err := m.refreshes.refresh(r.Context(), s, old, false); err != nil {
		return r, err
	}
	m.renew(w, r, s.current())
	r, _ = m.carryOn(r, s)
	return r, nil
}

// refreshOrEnd is refreshIfDue for a request whose session may end with the refresh. It
// reports whether it has.
func (m *Middleware) refreshOrEnd(w http.ResponseWriter, r *http.Request, s *Session) (with *http.Request, ended bool, err error) {
	rec := s.current()
	with, err = m.refreshIfDue(w, r, s)
	switch {
	case errors.Is(err, errGrantEnded):
		m.sessions.vault.forget(r)
		if !m.sessions.grants.Replaced(rec) {
			m.cookies.ClearSession(w, r)
		}
		return with, true, err
	case errors.Is(err, errSessionEnded): // whose cookies the response to a logout clears
		return with, true, err
	}
	return with, false, err
}

// carryOn returns a request with the latest record of a session, in a Session of its own:
// other goroutines may read the one before.
func (m *Middleware) carryOn(r *http.Request, s *Session) (*http.Request, *Session) {
	ctx := &sessionContext{Context: r.Context()}
	ctx.session.init(m, s.request, s.current())
	ctx.session.over, ctx.session.refreshed, ctx.session.bound = s.over, true, s.bound
	return r.WithContext(ctx), &ctx.session
}

// maxWait is how long a request waits for a refresh, in the middleware and in its clients
// together. It is shorter than the timeouts of proxies; the refresh itself goes on.
const maxWait = 8 * time.Second

// waitAgain is when a request that goes on for long, a stream, may wait once more.
const waitAgain = time.Minute

var errLate = errors.New("the provider has not responded to the refresh yet")

// refresh gives s newer tokens than those of old. Of all requests that ask for the
// same, one sends the refresh token, and all get the response. That one does not
// stop when its client goes away: the provider may have rotated the token by then
// (RFC 9700 section 4.14.2), and the response is the only copy. rejected says that an
// API has rejected the access token.
func (f *refreshes) refresh(ctx context.Context, s *Session, old *record, rejected bool) error {
	if s.current().hasNewerToken(old) {
		return nil
	}
	if !s.mayWait(time.Now()) {
		return f.adoptLate(s, old)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, errLate)
	defer cancel()
	rec, err := f.flights.Do(ctx, old.successor(), func(ctx context.Context) (*record, error) {
		return f.refreshOnce(ctx, s.request, old, rejected)
	})
	switch {
	case context.Cause(ctx) == errLate && errors.Is(err, context.DeadlineExceeded):
		s.waitsNoMore(time.Now().Add(waitAgain))
		return errLate
	case err != nil:
		return err
	}
	s.adopt(rec)
	return nil
}

// successor names the next generation of a session, of which there is one.
func (rec *record) successor() string {
	return string(rec.id[:]) + strconv.FormatUint(rec.generation, 36)
}

// hasNewerToken reports whether a refresh after old has brought the access token. A later
// generation may have it from before: see resourceTokens.
func (rec *record) hasNewerToken(old *record) bool {
	t, before := &rec.tokens, &old.tokens
	return rec.generation > old.generation && (t.access != before.access || t.issued.UnixMilli() != before.issued.UnixMilli())
}

// adoptLate gives s the tokens of a refresh that was late, if they have come.
func (f *refreshes) adoptLate(s *Session, old *record) error {
	latest, ended := f.sessions.grants.Latest(old)
	switch {
	case ended:
		return errSessionEnded
	case !latest.hasNewerToken(old):
		return errLate
	}
	s.adopt(latest)
	return nil
}

// refreshOnce returns a record with a newer access token, from memory or from the provider.
func (f *refreshes) refreshOnce(ctx context.Context, r *http.Request, old *record, rejected bool) (*record, error) {
	start := time.Now()
	for rec := old; ; {
		latest, err := f.refreshLatest(ctx, r, rec, rejected)
		if err != nil || latest.hasNewerToken(old) || !latest.tokens.issued.Before(start) {
			return latest, err
		}
		rec = latest // the refresh token was rotated for another one
	}
}

// refreshLatest returns a later generation of old, from memory or from the provider.
func (f *refreshes) refreshLatest(ctx context.Context, r *http.Request, old *record, rejected bool) (*record, error) {
	began := time.Now()
	grants := f.sessions.grants
	latest, ended := grants.Latest(old)
	if ended {
		return nil, errSessionEnded
	}
	if latest.generation > old.generation {
		return latest, nil
	}
	p := f.providers.byTag(old.provider)
	refused := grants.Refusal(old, time.Now())
	if refused != nil && !endsSession(refused, old, rejected) {
		return nil, refused
	}
	turn, latest, err := grants.Turn(ctx, old)
	switch {
	case errors.Is(err, instances.ErrEnded):
		return nil, errSessionEnded
	case errors.Is(err, instances.ErrPaused) && refused != nil: // by whom is known here
		return f.end(ctx, grants.TurnInPause(old), p, old, began, refused)
	case err != nil:
		return nil, err
	case turn == nil: // another call or instance was faster
		return latest, nil
	}
	defer turn.Leave()
	if refused != nil {
		return f.end(ctx, turn, p, old, began, refused)
	}
	fresh, err := p.refresh(protocol.WithFence(ctx, turn.Check), old)
	switch {
	case err != nil && endsSession(err, old, rejected):
		return f.end(ctx, turn, p, old, began, err)
	case errors.Is(err, instances.ErrNotOurTurn):
		turn.GiveUp(ctx)
		return nil, err
	case err != nil:
		turn.Failed(ctx, err, protocol.RetryAfter(err))
		f.events.report(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: old.user.Subject, Err: err, Duration: since(began)})
		return nil, err
	}
	revoke := func(ctx context.Context) { f.revoke(ctx, p, fresh) }
	latest, ended = turn.Keep(ctx, fresh, revoke)
	if ended { // signed out while the response was on its way: no request may use it
		revoke(ctx)
		return nil, errSessionEnded
	}
	fresh = latest
	f.sessions.persist(ctx, r, fresh)
	f.events.report(ctx, Event{Kind: EventRefresh, Provider: p.Name, Subject: old.user.Subject, Duration: since(began)})
	return fresh, nil
}

// revoke revokes the tokens of a session that has ended before they came.
func (f *refreshes) revoke(ctx context.Context, p *provider, rec *record) {
	if err := p.client.Revoke(ctx, rec.tokens.refresh.Text(), rec.key()); err != nil {
		f.log.WarnContext(ctx, "oauthlogin: tokens of an ended session not revoked", "provider", p.Name, "subject", rec.user.Subject, "error", err)
	}
}

// endsSession reports whether an error of a refresh ends the session (RFC 6749 section
// 5.2). A provider that refuses without saying that the grant has ended still vouches
// for its access token, until that is over.
func endsSession(err error, rec *record, rejected bool) bool {
	var other *identityError
	if errors.As(err, &other) {
		return true
	}
	switch protocol.RefusalOf(err) {
	case protocol.GrantEnded:
		return true
	case protocol.Refused:
		return rejected || rec.tokens.expiry.IsZero() || !rec.tokens.valid(time.Now())
	}
	return false
}

// end ends a session that the provider has refused to refresh, unless it has a later
// generation (draft-ietf-oauth-browser-based-apps section 6.1.2.2).
func (f *refreshes) end(ctx context.Context, turn *instances.Turn[*record], p *provider, old *record, began time.Time, err error) (*record, error) {
	latest, ended, doubt := turn.Refused(ctx)
	switch {
	case doubt != nil:
		return nil, doubt
	case !ended:
		return latest, nil
	}
	f.events.report(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: old.user.Subject, Err: err, Ended: true, Duration: since(began)})
	return nil, errGrantEnded
}

// An identityError is a refresh that brought the tokens of another user, an ID token that
// does not verify, or claims that are too large for a login.
type identityError struct{ err error }

func (e *identityError) Error() string { return e.err.Error() }

func (e *identityError) Unwrap() error { return e.err }

// refresh redeems the refresh token (RFC 6749 section 6) and returns a record of the
// next generation. A response without a refresh token leaves the old one in force.
func (p *provider) refresh(ctx context.Context, old *record) (*record, error) {
	t, err := p.client.Refresh(ctx, old.tokens.refresh.Text(), old.key())
	if err != nil {
		return nil, err
	}
	fresh := *old
	fresh.generation++
	fresh.tokens = newTokens(t)
	if t.Refresh == "" {
		fresh.tokens.refresh = old.tokens.refresh
	}
	if !t.HasScope {
		fresh.tokens.scope = old.tokens.scope
	}
	if p.Issuer == "" {
		return &fresh, nil
	}
	user, err := p.refreshedUser(ctx, old, t)
	switch {
	case protocol.KeysUnavailable(err):
		// The refresh token is spent: giving up its successor because keys cannot be read
		// now would end the session for the provider's fault. But no token of another user.
		if iss, sub, ok := protocol.ClaimedUser(t.ID); ok && (sub != old.user.Subject || iss != old.user.Issuer) {
			return nil, &identityError{fmt.Errorf("verify ID token: another iss or sub, and %w", err)}
		}
		fresh.tokens.id = seal.Token{}
	case err != nil:
		return nil, &identityError{err}
	default:
		fresh.extra.settled = old.extra.settled || user.lacksClaimOf(&old.user)
		fresh.user = user
		if fresh.user, err = fresh.withAppClaims(); err != nil {
			return nil, &identityError{fmt.Errorf("claims of Options.OnSignIn: %w", err)}
		}
	}
	if fresh.tokens.id.IsZero() {
		fresh.tokens.id = old.tokens.id
	}
	return &fresh, nil
}

// refreshedUser returns the user of a session after a refresh. It reads the new ID
// token, if there is one, and user info if the login has read it, so that all claims are
// of one age.
func (p *provider) refreshedUser(ctx context.Context, old *record, t *protocol.Tokens) (User, error) {
	readInfo := p.AlwaysUserInfo || old.extra.userInfo
	if t.ID == "" && !readInfo {
		return old.user, nil
	}
	known, err := claims.Parse(old.user.RawClaims) // with those of the first ID token
	if err != nil {
		return User{}, fmt.Errorf("read claims: %w", err)
	}
	last, _ := claims.Parse(old.tokens.id.Payload())
	updated := known
	if t.ID != "" {
		fresh, _, err := p.client.VerifyIDToken(ctx, t.ID, t.Access)
		if err == nil {
			err = protocol.CheckRefreshed(known, old.user.Subject, fresh)
		}
		if err != nil {
			return User{}, fmt.Errorf("verify ID token: %w", err)
		}
		updated, last = claims.Updated(known, last, fresh), fresh
	}
	if readInfo {
		info, err := p.client.UserInfo(ctx, t.Access, old.user.Subject, old.key())
		switch {
		case errors.Is(err, protocol.ErrSubject):
			return User{}, fmt.Errorf("read user info: %w", err)
		case err != nil:
			p.log.WarnContext(ctx, "oauthlogin: reading user info failed; the claims stay as they were", "subject", old.user.Subject, "error", err)
		default:
			updated, _ = claims.Merge(claims.OfLogin(last, known), info)
		}
	}
	return p.later(old, updated) // what is too large for a login ends the session: old claims must not stay
}
