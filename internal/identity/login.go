package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// ErrTimeout is the cause of a context that ended while the browser still waits. A login then
// goes on without user info.
var ErrTimeout = errors.New("the callback took too long")

// Authenticate returns the user that the tokens belong to, by the ID token of an OpenID
// Connect provider and by Identify otherwise, and whether user info was read. The ID
// token has to show what the authorization request asked for. key is what the access token
// is bound to, if it is.
func (s *Source) Authenticate(ctx context.Context, t *protocol.Tokens, want protocol.Authentication, key *dpop.Key) (user record.User, readInfo bool, err error) {
	if !s.config.OpenID {
		if user, err = s.identify(ctx, t.Access, key); err != nil {
			return record.User{}, false, fmt.Errorf("identify user: %w", err)
		}
		user.Issuer = s.config.Issuer
	} else {
		signed, payload, err := s.Client.VerifyIDToken(ctx, t.ID, t.Access)
		if err == nil {
			err = protocol.CheckAuthentication(signed, want)
		}
		if err != nil {
			return record.User{}, false, fmt.Errorf("verify ID token: %w", err)
		}
		if user, readInfo, err = s.withUserInfo(ctx, signed, payload, t.Access, key); err != nil {
			return record.User{}, false, err
		}
		user.Issuer = signed.String("iss")
	}
	if size := len(user.RawClaims) + len(t.ID) + len(t.Access); size > record.MaxClaims {
		return record.User{}, false, fmt.Errorf("%w: %d bytes, at most %d", record.ErrClaimsTooLarge, size, record.MaxClaims)
	}
	return user, readInfo, nil
}

// withUserInfo returns the user of an ID token. It reads user info too if the provider
// has it and name or e-mail are missing, or Provider.AlwaysUserInfo says so. User info
// that cannot be read does not fail a login whose ID token is good.
func (s *Source) withUserInfo(ctx context.Context, signed claims.Object, payload json.RawMessage, accessToken string, key *dpop.Key) (user record.User, read bool, err error) {
	if !s.config.AlwaysUserInfo && signed.String("name") != "" && signed.String("email") != "" {
		return s.newUser(signed, payload), false, nil
	}
	info, err := s.Client.UserInfo(ctx, accessToken, signed.String("sub"), key)
	switch {
	case errors.Is(err, protocol.ErrSubject):
		return record.User{}, false, fmt.Errorf("read user info: %w", err)
	case err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrTimeout): // the browser has gone
		return record.User{}, false, fmt.Errorf("read user info: %w", err)
	case err != nil:
		s.config.Log.WarnContext(ctx, "oauthlogin: reading user info failed; the login goes on with the ID token", "subject", signed.String("sub"), "error", err)
		return s.newUser(signed, payload), true, nil
	}
	merged, changed := claims.Merge(signed, info)
	if changed {
		if payload, err = json.Marshal(merged); err != nil {
			return record.User{}, false, err
		}
	}
	return s.newUser(merged, payload), info != nil, nil
}

// errNoSubject refuses a user without an identifier.
var errNoSubject = errors.New("the provider named no subject")

// identify asks Identify whose access token it is.
func (s *Source) identify(ctx context.Context, accessToken string, key *dpop.Key) (record.User, error) {
	user, err := s.config.Identify(ctx, s.ClientWith(accessToken, key))
	switch {
	case err != nil:
		return record.User{}, protocol.CallFailed(err)
	case user.Subject == "":
		return record.User{}, errNoSubject
	case strings.ContainsFunc(user.Subject, unicode.IsControl):
		return record.User{}, errors.New("the provider named a subject with control characters")
	}
	return user, nil
}

// newUser is [record.NewUser] for claims as the provider writes them: Apple may write true
// as "true".
func (s *Source) newUser(c claims.Object, raw json.RawMessage) record.User {
	user := record.NewUser(c, raw)
	if s.config.Apple && user.Email != "" && c.String("email_verified") == "true" {
		user.EmailVerified = true
	}
	return user
}
