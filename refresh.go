package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/flight"
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
	if t.refresh.IsZero() || t.expiry.IsZero() {
		return false
	}
	lifetime := t.expiry.Sub(t.issued)
	if lifetime <= 0 {
		return !now.Before(t.issued.Add(noExpiryRefresh))
	}
	lead := min(f.before, lifetime/4)
	return !now.Before(t.issued.Add(max(lifetime-lead, time.Second)))
}

// refreshIfDue refreshes the tokens of a session if it is time, and writes the
// session's new cookie. It returns errSessionEnded if the session has ended. Any
// other error is a fault of the provider and leaves the session as it is.
func (m *Middleware) refreshIfDue(w http.ResponseWriter, r *http.Request, s *Session) error {
	old := s.current()
	if old.tokens.refresh.IsZero() || !m.refreshes.due(&old.tokens, time.Now()) { // reading the clock takes time
		return nil
	}
	if err := m.refreshes.refresh(r.Context(), s, old); err != nil {
		return err
	}
	rec := s.current()
	s.User = rec.ownUser()
	m.renew(w, r, rec)
	return nil
}

// refresh gives s newer tokens than those of old. Of all requests that ask for the
// same, one sends the refresh token, and all get the response. That one does not
// stop when its client goes away: the provider may have rotated the token by then
// (RFC 9700 section 4.14.2), and the response is the only copy.
func (f *refreshes) refresh(ctx context.Context, s *Session, old *record) error {
	if s.current().generation > old.generation {
		return nil
	}
	key := string(old.id[:]) + strconv.FormatUint(old.generation, 36)
	rec, err := f.flights.Do(ctx, key, func(ctx context.Context) (*record, error) {
		return f.refreshOnce(ctx, s.request, old)
	})
	if err != nil {
		return err
	}
	s.adopt(rec)
	return nil
}

// refreshOnce returns a record with newer tokens, from memory or from the provider.
func (f *refreshes) refreshOnce(ctx context.Context, r *http.Request, old *record) (*record, error) {
	grants := f.sessions.grants
	latest, ended := grants.Latest(old)
	if ended {
		return nil, errSessionEnded
	}
	if latest.generation > old.generation {
		return latest, nil
	}
	if err := grants.Refusal(old.id, time.Now()); err != nil {
		return nil, err
	}
	p := f.providers.byTag(old.provider)
	fresh, err := p.refresh(ctx, old)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		// draft-ietf-oauth-browser-based-apps section 6.1.2.2.
		grants.End(old)
		f.events.event(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: old.user.Subject, Err: err})
		return nil, errSessionEnded
	case err != nil:
		grants.Failed(old, err, time.Now())
		f.events.event(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: old.user.Subject, Err: err})
		return nil, err
	}
	if !grants.Refreshed(fresh, time.Now()) {
		// Signed out while the response was on its way: no request may use it.
		if err := p.client.Revoke(ctx, fresh.tokens.refresh.Text()); err != nil {
			f.log.WarnContext(ctx, "oauthlogin: tokens of an ended session not revoked", "provider", p.Name, "error", err)
		}
		return nil, errSessionEnded
	}
	f.sessions.persist(ctx, r, fresh)
	f.events.event(ctx, Event{Kind: EventRefresh, Provider: p.Name, Subject: old.user.Subject})
	return fresh, nil
}

// A refusedError is a response to a refresh that ends the session.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

func (e *refusedError) Unwrap() error { return e.err }

// refresh redeems the refresh token (RFC 6749 section 6) and returns a record of the
// next generation. A response without a refresh token leaves the old one in force.
func (p *provider) refresh(ctx context.Context, old *record) (*record, error) {
	t, err := p.client.Refresh(ctx, old.tokens.refresh.Text())
	if protocol.EndsGrant(err) {
		return nil, &refusedError{err}
	}
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
	if p.Issuer != "" && t.ID != "" {
		user, err := p.refreshedUser(ctx, old, t)
		switch {
		case protocol.KeysUnavailable(err):
			// The refresh token is spent: giving up its successor because keys cannot be read
			// now would end the session for the provider's fault.
			fresh.tokens.id = seal.Token{}
		case err != nil:
			return nil, &refusedError{fmt.Errorf("verify ID token: %w", err)}
		default:
			fresh.user = user
		}
	}
	if fresh.tokens.id.IsZero() {
		fresh.tokens.id = old.tokens.id
	}
	return &fresh, nil
}

// refreshedUser returns the user of a session after a refresh that brought an ID
// token.
func (p *provider) refreshedUser(ctx context.Context, old *record, t *protocol.Tokens) (User, error) {
	fresh, _, err := p.client.VerifyIDToken(ctx, t.ID, t.Access)
	if err != nil {
		return User{}, err
	}
	before, err := claims.Parse(old.user.RawClaims) // with those of the first ID token
	if err != nil {
		return User{}, err
	}
	if err := protocol.CheckRefreshed(before, old.user.Subject, fresh); err != nil {
		return User{}, err
	}
	return old.user.updated(before, &old.tokens.id, fresh), nil
}
