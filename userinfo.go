package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
)

// needsUserInfo reports whether user info may have a claim that the policy names and the
// session lacks.
func (p *Policy) needsUserInfo(rec *record) bool {
	if len(p.Claims) == 0 || rec.extra.userInfo || rec.extra.settled || rec.tokens.id.IsZero() {
		return false
	}
	return rec.facts(p).absent
}

// lacksClaimOf reports whether u has lost a claim of the user before a refresh.
func (u *User) lacksClaimOf(before *User) bool {
	known, _ := claims.Parse(before.RawClaims)
	now, _ := claims.Parse(u.RawClaims)
	for name := range known {
		if !now.Has(name) && !claims.IsProtocol(name) {
			return true
		}
	}
	return false
}

// withUserInfo adds what user info says to a session whose login has not read it. It asks
// once for each session, whatever comes of it, and returns the request that carries the
// session on. An error means that it could not ask yet.
func (m *Middleware) withUserInfo(w http.ResponseWriter, r *http.Request, s *Session) (*http.Request, *Session, error) {
	switch err := m.refreshes.readUserInfo(r.Context(), s, s.current()); {
	case errors.Is(err, errSessionEnded):
		return r, s, nil
	case err != nil:
		return r, s, err
	}
	if isNoFile(r) {
		m.renew(w, r, s.current())
	}
	r, s = m.carryOn(r, s)
	return r, s, nil
}

// readUserInfo gives s the claims of user info, as a generation of its own. It takes a turn:
// of two calls that make the next generation one would be lost, and a rotated refresh token
// with it.
func (f *refreshes) readUserInfo(ctx context.Context, s *Session, old *record) error {
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, errLate)
	defer cancel()
	rec, err := f.flights.Do(ctx, "user info "+old.successor(), func(ctx context.Context) (*record, error) {
		rec := old
		for range maxTurns {
			turn, latest, err := f.sessions.grants.Turn(ctx, rec)
			switch {
			case errors.Is(err, instances.ErrEnded):
				return nil, errSessionEnded
			case err != nil:
				return nil, err
			case turn != nil:
				return f.readInTurn(ctx, turn, s.request, rec)
			case latest.extra.userInfo, latest.extra.settled:
				return latest, nil
			}
			rec = latest // a refresh was quicker
		}
		return nil, errContended
	})
	switch {
	case context.Cause(ctx) == errLate && errors.Is(err, context.DeadlineExceeded):
		return errLate
	case err != nil:
		return err
	}
	s.adopt(rec)
	return nil
}

// readInTurn returns the next generation of old, with the claims of user info if they can be
// read.
func (f *refreshes) readInTurn(ctx context.Context, turn *instances.Turn[*record], r *http.Request, old *record) (*record, error) {
	defer turn.Leave()
	fresh := *old
	fresh.generation++
	fresh.extra.userInfo = true
	later, err := f.providers.byTag(old.provider).laterUser(ctx, old)
	if err == nil {
		fresh.user = later
		err = f.sessions.checkSize(&fresh)
	}
	if err != nil {
		if errors.Is(err, cookies.ErrTooLarge) || errors.Is(err, errClaimsTooLarge) { // for a refresh, too
			fresh.extra.userInfo, fresh.extra.settled = false, true
		}
		fresh.user = old.user
		f.log.WarnContext(ctx, "oauthlogin: reading user info for a policy failed; the claims stay as they were", "provider", old.user.Provider, "subject", old.user.Subject, "error", err)
	}
	latest, ended := turn.Keep(ctx, &fresh, func(context.Context) {}) // the refresh token is the one before
	if ended {
		return nil, errSessionEnded
	}
	f.sessions.grants.Accepted(latest) // as the access token of the login
	f.sessions.persist(ctx, r, latest)
	return latest, nil
}

// laterUser returns the user of a session with the claims of user info, which never go
// before what is signed.
func (p *provider) laterUser(ctx context.Context, rec *record) (User, error) {
	known, err := claims.Parse(rec.user.RawClaims)
	if err != nil {
		return User{}, fmt.Errorf("read claims: %w", err)
	}
	info, err := p.client.UserInfo(ctx, rec.tokens.access, rec.user.Subject, rec.key())
	if err != nil {
		return User{}, err
	}
	merged, _ := claims.Merge(known, info)
	later := *rec
	if later.user, err = p.later(rec, merged); err != nil {
		return User{}, err
	}
	return later.withAppClaims()
}
