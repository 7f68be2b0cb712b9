package oauthlogin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// errSessionEnded says that the provider has ended the grant, or somebody the
// session.
var errSessionEnded = errors.New("session has ended")

// noExpiryRefresh is how soon tokens are refreshed whose lifetime the provider
// gave as something that is not a positive number.
const noExpiryRefresh = time.Minute

// refreshDue reports whether it is time for a refresh: that long before the
// tokens expire, but never before three quarters of their lifetime.
func (t *tokens) refreshDue(before time.Duration, now time.Time) bool {
	if t.refresh.isZero() || t.expiry.IsZero() {
		return false
	}
	lifetime := t.expiry.Sub(t.issued)
	if lifetime <= 0 {
		return !now.Before(t.issued.Add(noExpiryRefresh))
	}
	lead := min(before, lifetime/4)
	return !now.Before(t.issued.Add(max(lifetime-lead, time.Second)))
}

// freshen refreshes the tokens of a session if that is due, and writes the
// session's new cookie. It returns errSessionEnded if there is no session any
// more; any other failure is the provider's, and leaves the session as it is.
func (m *Middleware) freshen(w http.ResponseWriter, r *http.Request, s *Session) error {
	old := s.current()
	if old.tokens.refresh.isZero() || !old.tokens.refreshDue(m.opts.RefreshBefore, time.Now()) { // reading the clock takes time
		return nil
	}
	if err := m.refresh(r.Context(), s, old); err != nil {
		return err
	}
	rec := s.current()
	s.User = rec.ownUser()
	if err := m.save(w, r, rec); err != nil {
		m.log.WarnContext(r.Context(), "oauthlogin: refreshed session not written", "error", err)
	}
	return nil
}

// refresh gives s tokens newer than those of old. Of all who ask for the same,
// one sends the refresh token, and all get the answer. That one does not stop
// when its client goes away: the provider may have rotated the token by then
// (RFC 9700 section 4.14.2), and the answer is the only copy.
func (m *Middleware) refresh(ctx context.Context, s *Session, old *record) error {
	if s.current().generation > old.generation {
		return nil
	}
	flight := string(old.id[:]) + strconv.FormatUint(old.generation, 36)
	result := m.flights.DoChan(flight, func() (_ any, err error) {
		defer recovered(&err)
		return m.refreshOnce(context.WithoutCancel(ctx), old)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case done := <-result:
		if done.Err != nil {
			return done.Err
		}
		s.adopt(done.Val.(*record))
		return nil
	}
}

// refreshOnce returns a record with newer tokens, from memory or from the
// provider.
func (m *Middleware) refreshOnce(ctx context.Context, old *record) (*record, error) {
	latest, ended := m.memory.latest(old)
	if ended {
		return nil, errSessionEnded
	}
	if latest.generation > old.generation {
		return latest, nil
	}
	if err := m.memory.refusal(old.id, time.Now()); err != nil {
		return nil, err
	}
	p := m.providerByTag(old.provider)
	fresh, err := p.refresh(ctx, old)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		// draft-ietf-oauth-browser-based-apps section 6.1.2.2.
		m.memory.end(old)
		m.event(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: old.user.Subject, Err: err})
		return nil, errSessionEnded
	case err != nil:
		m.memory.failed(old, err, time.Now())
		m.event(ctx, Event{Kind: EventRefreshFailed, Provider: p.Name, Subject: old.user.Subject, Err: err})
		return nil, err
	}
	if !m.memory.refreshed(fresh, time.Now()) {
		// Signed out while the answer was on its way: nobody may use it.
		if err := p.revoke(ctx, fresh.tokens.refresh.text()); err != nil {
			m.log.WarnContext(ctx, "oauthlogin: tokens of an ended session not revoked", "provider", p.Name, "error", err)
		}
		return nil, errSessionEnded
	}
	m.event(ctx, Event{Kind: EventRefresh, Provider: p.Name, Subject: old.user.Subject})
	return fresh, nil
}

// A refusedError is an answer to a refresh that ends the session.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

func (e *refusedError) Unwrap() error { return e.err }

// refresh redeems the refresh token (RFC 6749 section 6) and returns a record
// of the next generation. An answer without a refresh token leaves the old one
// in force.
func (p *provider) refresh(ctx context.Context, old *record) (*record, error) {
	md, err := p.endpoints.metadata(ctx)
	if err != nil {
		return nil, err
	}
	t, err := p.tokenRequest(ctx, md,
		"grant_type", "refresh_token",
		"refresh_token", old.tokens.refresh.text(),
	)
	var refused *tokenError
	if errors.As(err, &refused) && (refused.code == "invalid_grant" || refused.code == "bad_refresh_token") { // the latter is GitHub's
		return nil, &refusedError{err}
	}
	if err != nil {
		return nil, err
	}
	fresh := *old
	fresh.generation++
	if t.refresh.isZero() {
		t.refresh = old.tokens.refresh
	}
	if !t.hasScope {
		t.scope = old.tokens.scope
	}
	if p.Issuer != "" && !t.id.isZero() {
		_, claims, err := p.verifyIDToken(ctx, md, t.id.whole, t.access)
		var noKeys *keysError
		switch {
		case errors.As(err, &noKeys):
			// The refresh token is spent: giving up its successor because keys
			// cannot be read now would end the session for the provider's fault.
			t.id = token{}
		case err != nil:
			return nil, &refusedError{fmt.Errorf("verify ID token: %w", err)}
		default:
			if err := checkSameUser(old, claims); err != nil {
				return nil, &refusedError{fmt.Errorf("verify ID token: %w", err)}
			}
			fresh.user = old.user.updated(&old.tokens.id, claims)
		}
	}
	if t.id.isZero() {
		t.id = old.tokens.id
	}
	fresh.tokens = *t
	return &fresh, nil
}

// checkSameUser is OpenID Connect Core section 12.2; verifyIDToken has
// compared iss.
func checkSameUser(old *record, claims object) error {
	if claims.str("sub") != old.user.Subject {
		return errors.New("refreshed ID token has another sub")
	}
	before, err := parseObject(old.user.RawClaims) // with those of the first ID token
	if err != nil {
		return err
	}
	if !slices.Equal(claims.audience(), before.audience()) {
		return errors.New("refreshed ID token has another aud")
	}
	if _, ok := claims["nonce"]; ok && claims.str("nonce") != before.str("nonce") {
		return errors.New("refreshed ID token has another nonce")
	}
	return nil
}

var profileClaims = []string{"name", "preferred_username", "email", "email_verified"}

// updated returns u with the claims of a refreshed ID token. When and how the
// user signed in stays as it was: a refresh is no sign-in.
func (u User) updated(lastIDToken *token, claims object) User {
	known, err := parseObject(u.RawClaims)
	if err != nil {
		known = object{}
	}
	// What the last ID token said and this one does not is so no more, but for
	// the profile, which many providers leave out of refreshed ID tokens.
	last, _ := parseObject(lastIDToken.payload())
	for name := range last {
		if _, still := claims[name]; !still && !slices.Contains(authenticationClaims, name) && !slices.Contains(profileClaims, name) {
			delete(known, name)
		}
	}
	claims = maps.Clone(claims)
	for _, name := range authenticationClaims {
		delete(claims, name)
	}
	if claims.str("email") != "" {
		delete(known, "email_verified")
	} else {
		delete(claims, "email")
		delete(claims, "email_verified")
	}
	if claims.str("name") == "" {
		delete(claims, "name")
	}
	maps.Copy(known, claims)
	raw, err := json.Marshal(known)
	if err != nil {
		return u
	}
	fresh := userOf(known, raw)
	fresh.Provider, fresh.Issuer = u.Provider, u.Issuer
	return fresh
}
