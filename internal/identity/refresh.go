package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// Refresh redeems the refresh token (RFC 6749 section 6) and returns a record of the
// next generation. A response without a refresh token leaves the old one in force.
func (s *Source) Refresh(ctx context.Context, old *record.Record) (*record.Record, error) {
	t, err := s.Client.Refresh(ctx, old.Tokens.Refresh.Text(), old.Key())
	if err != nil {
		return nil, err
	}
	fresh := old.Next()
	fresh.Tokens = record.NewTokens(t)
	if t.Refresh == "" {
		fresh.Tokens.Refresh = old.Tokens.Refresh
	}
	if !t.HasScope {
		fresh.Tokens.Scope = old.Tokens.Scope
	}
	if !s.config.OpenID {
		return fresh, nil
	}
	user, err := s.refreshedUser(ctx, old, t)
	switch {
	case protocol.KeysUnavailable(err):
		// The refresh token is spent: giving up its successor because keys cannot be read
		// now would end the session for the provider's fault. But no token of another user.
		if iss, sub, ok := protocol.ClaimedUser(t.ID); ok && (sub != old.User.Subject || iss != old.User.Issuer) {
			return nil, &Error{fmt.Errorf("verify ID token: another iss or sub, and %w", err)}
		}
		fresh.Tokens.ID = seal.Token{}
	case err != nil:
		return nil, &Error{err}
	default:
		fresh.Extra.Settled = old.Extra.Settled || user.LacksClaimOf(&old.User)
		fresh.User = user
		if fresh.User, err = fresh.WithAppClaims(); err != nil {
			return nil, &Error{fmt.Errorf("claims of Options.OnSignIn: %w", err)}
		}
	}
	if fresh.Tokens.ID.IsZero() {
		fresh.Tokens.ID = old.Tokens.ID
	}
	return fresh, nil
}

// refreshedUser returns the user of a session after a refresh. It reads the new ID
// token, if there is one, and user info if the login has read it, so that all claims are
// of one age.
func (s *Source) refreshedUser(ctx context.Context, old *record.Record, t *protocol.Tokens) (record.User, error) {
	readInfo := s.config.AlwaysUserInfo || old.Extra.UserInfo
	if t.ID == "" && !readInfo {
		return old.User, nil
	}
	known, err := claims.Parse(old.User.RawClaims) // with those of the first ID token
	if err != nil {
		return record.User{}, fmt.Errorf("read claims: %w", err)
	}
	last, _ := claims.Parse(old.Tokens.ID.Payload())
	updated := known
	if t.ID != "" {
		fresh, _, err := s.Client.VerifyIDToken(ctx, t.ID, t.Access)
		if err == nil {
			err = protocol.CheckRefreshed(known, old.User.Subject, fresh)
		}
		if err != nil {
			return record.User{}, fmt.Errorf("verify ID token: %w", err)
		}
		updated, last = claims.Updated(known, last, fresh), fresh
	}
	if readInfo {
		info, err := s.Client.UserInfo(ctx, t.Access, old.User.Subject, old.Key())
		switch {
		case errors.Is(err, protocol.ErrSubject):
			return record.User{}, fmt.Errorf("read user info: %w", err)
		case err != nil:
			s.config.Log.WarnContext(ctx, "oauthlogin: reading user info failed; the claims stay as they were", "subject", old.User.Subject, "error", err)
		default:
			updated, _ = claims.Merge(claims.OfLogin(last, known), info)
		}
	}
	return s.later(old, updated) // what is too large for a login ends the session: old claims must not stay
}

// later returns the user of a session with later claims.
func (s *Source) later(rec *record.Record, c claims.Object) (record.User, error) {
	user, err := rec.User.With(c)
	if err != nil {
		return record.User{}, err
	}
	user.EmailVerified = s.newUser(c, nil).EmailVerified
	user.Name = cmp.Or(user.Name, rec.Extra.FormName)
	return user, nil
}

// LaterUser returns the user of a session with the claims of user info, which never go
// before what is signed.
func (s *Source) LaterUser(ctx context.Context, rec *record.Record) (record.User, error) {
	known, err := claims.Parse(rec.User.RawClaims)
	if err != nil {
		return record.User{}, fmt.Errorf("read claims: %w", err)
	}
	info, err := s.Client.UserInfo(ctx, rec.Tokens.Access, rec.User.Subject, rec.Key())
	if err != nil {
		return record.User{}, err
	}
	merged, _ := claims.Merge(known, info)
	later := *rec
	if later.User, err = s.later(rec, merged); err != nil {
		return record.User{}, err
	}
	return later.WithAppClaims()
}

// An Error is a refresh that brought the tokens of another user, an ID token that
// does not verify, or claims that are too large for a login.
type Error struct{ err error }

func (e *Error) Error() string { return e.err.Error() }

func (e *Error) Unwrap() error { return e.err }

// CheckUser refuses tokens whose ID token claims another user (OpenID Connect Core section
// 12.2). The session goes on with its own ID token, so this one is not verified.
func CheckUser(rec *record.Record, t *protocol.Tokens) error {
	if iss, sub, ok := protocol.ClaimedUser(t.ID); ok && (sub != rec.User.Subject || iss != rec.User.Issuer) {
		return &Error{errors.New("ID token of another iss or sub")}
	}
	return nil
}
