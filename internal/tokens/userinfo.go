package tokens

import (
	"context"
	"errors"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// ReadUserInfo gives s the claims of user info, as a generation of its own. It takes a turn:
// of two calls that make the next generation one would be lost, and a rotated refresh token
// with it.
func (f *Refreshes) ReadUserInfo(ctx context.Context, s *Held, old *record.Record) error {
	rec, err := waitFor(ctx, &f.flights, "user info "+old.Successor(), func(ctx context.Context) (*record.Record, error) {
		rec := old
		for range maxTurns {
			turn, latest, err := f.sessions.Grants.Turn(ctx, rec)
			switch {
			case err != nil:
				return nil, err
			case turn != nil:
				return f.readInTurn(ctx, turn, s.Request, rec)
			case latest.Extra.UserInfo, latest.Extra.Settled:
				return latest, nil
			}
			rec = latest // a refresh was quicker
		}
		return nil, errContended
	})
	if err != nil {
		return err
	}
	s.adopt(rec)
	return nil
}

// readInTurn returns the next generation of old, with the claims of user info if they can be
// read.
func (f *Refreshes) readInTurn(ctx context.Context, turn *instances.Turn[*record.Record], r *http.Request, old *record.Record) (*record.Record, error) {
	defer turn.Leave()
	fresh := old.Next()
	fresh.Extra.UserInfo = true
	later, err := f.source(old.Provider).LaterUser(ctx, old)
	if err == nil {
		fresh.User = later
		err = f.sessions.CheckSize(fresh)
	}
	if err != nil {
		if errors.Is(err, cookies.ErrTooLarge) || errors.Is(err, record.ErrClaimsTooLarge) { // for a refresh, too
			fresh.Extra.UserInfo, fresh.Extra.Settled = false, true
		}
		fresh.User = old.User
		f.log.WarnContext(ctx, "oauthlogin: reading user info for a policy failed; the claims stay as they were", "provider", old.User.Provider, "subject", old.User.Subject, "error", err)
	}
	latest, ended := turn.Keep(ctx, fresh, func(context.Context) {}) // the refresh token is the one before
	if ended {
		return nil, instances.ErrEnded
	}
	f.sessions.Grants.Accepted(latest) // as the access token of the login
	f.sessions.Persist(ctx, r, latest)
	return latest, nil
}
