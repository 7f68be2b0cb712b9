package oauthlogin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"github.com/oauthlogin/oauthlogin/internal/apple"
	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

// A User is who signed in. Key accounts on Issuer and Subject, never on Email: addresses change
// hands (OpenID Connect Core section 5.7).
type User struct {
	// Provider is the [Provider.Name] of the provider.
	Provider string
	// Issuer is the OpenID Connect issuer or, for plain OAuth 2.0, the origin of the
	// authorization endpoint. It is never empty.
	Issuer string
	// Subject is the provider's identifier for the user. It is never empty.
	Subject string
	// Name and Email are as the provider says, "" if it does not. The name that Apple gives
	// is not signed: see [Apple].
	Name, Email string
	// EmailVerified is true only if the provider says so, with the JSON value true. That of
	// [Apple] may be the string "true".
	EmailVerified bool
	// RawClaims is a JSON object of at most 64 KiB with everything that the provider says about
	// the user, which [User.Claims] reads: the claims of the ID token, joined by those of user
	// info, which is read only if the ID token lacks name or e-mail, or
	// [Provider.AlwaysUserInfo] is set; or what [Provider.Identify] put there. Claims of
	// [User.SetClaim] are in it, too.
	RawClaims json.RawMessage

	set claims.Object // by SetClaim
}

// LogValue keeps names, addresses and claims out of logs: provider, issuer and subject
// identify a user.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(slog.String("provider", u.Provider), slog.String("issuer", u.Issuer), slog.String("subject", u.Subject))
}

// Claims unmarshals RawClaims into v, which is a pointer as for [json.Unmarshal]: to a struct
// with the claims that the application needs, for example. It returns an error if there are no
// claims, or if they do not fit v.
func (u *User) Claims(v any) error {
	if len(u.RawClaims) == 0 {
		return errors.New("oauthlogin: user has no claims")
	}
	if err := json.Unmarshal(u.RawClaims, v); err != nil {
		return fmt.Errorf("oauthlogin: read claims: %w", err)
	}
	return nil
}

// authenticate returns the user that the tokens belong to, by the ID token of an OpenID
// Connect provider and by Identify otherwise, and whether user info was read. The ID
// token has to show what the authorization request asked for. key is what the access token
// is bound to, if it is.
func (p *provider) authenticate(ctx context.Context, t *protocol.Tokens, want protocol.Authentication, key *dpop.Key) (user User, readInfo bool, err error) {
	if p.Issuer == "" {
		if user, err = p.identify(ctx, t.Access, key); err != nil {
			return User{}, false, fmt.Errorf("identify user: %w", err)
		}
		user.Issuer = p.issuer
	} else {
		signed, payload, err := p.client.VerifyIDToken(ctx, t.ID, t.Access)
		if err == nil {
			err = protocol.CheckAuthentication(signed, want)
		}
		if err != nil {
			return User{}, false, fmt.Errorf("verify ID token: %w", err)
		}
		if user, readInfo, err = p.withUserInfo(ctx, signed, payload, t.Access, key); err != nil {
			return User{}, false, err
		}
		user.Issuer = signed.String("iss")
	}
	if size := len(user.RawClaims) + len(t.ID) + len(t.Access); size > maxClaims {
		return User{}, false, fmt.Errorf("%w: %d bytes, at most %d", errClaimsTooLarge, size, maxClaims)
	}
	return user, readInfo, nil
}

// maxClaims bounds what a provider says about a user, in bytes: each request carries it.
const maxClaims = 64 << 10

var errClaimsTooLarge = errors.New("the provider says too much about the user")

// withUserInfo returns the user of an ID token. It reads user info too if the provider
// has it and name or e-mail are missing, or Provider.AlwaysUserInfo says so. User info
// that cannot be read does not fail a login whose ID token is good.
func (p *provider) withUserInfo(ctx context.Context, signed claims.Object, payload json.RawMessage, accessToken string, key *dpop.Key) (user User, read bool, err error) {
	if !p.AlwaysUserInfo && signed.String("name") != "" && signed.String("email") != "" {
		return p.newUser(signed, payload), false, nil
	}
	info, err := p.client.UserInfo(ctx, accessToken, signed.String("sub"), key)
	switch {
	case errors.Is(err, protocol.ErrSubject):
		return User{}, false, fmt.Errorf("read user info: %w", err)
	case err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCallbackTimeout): // the browser has gone
		return User{}, false, fmt.Errorf("read user info: %w", err)
	case err != nil:
		p.log.WarnContext(ctx, "oauthlogin: reading user info failed; the login goes on with the ID token", "subject", signed.String("sub"), "error", err)
		return p.newUser(signed, payload), true, nil
	}
	merged, changed := claims.Merge(signed, info)
	if changed {
		if payload, err = json.Marshal(merged); err != nil {
			return User{}, false, err
		}
	}
	return p.newUser(merged, payload), info != nil, nil
}

// errNoSubject refuses a user without an identifier.
var errNoSubject = errors.New("the provider named no subject")

// identify asks Identify whose access token it is.
func (p *provider) identify(ctx context.Context, accessToken string, key *dpop.Key) (User, error) {
	user, err := p.Identify(ctx, &http.Client{Transport: p.transport.WithToken(accessToken, key)})
	switch {
	case err != nil:
		return User{}, protocol.CallFailed(err)
	case user.Subject == "":
		return User{}, errNoSubject
	case strings.ContainsFunc(user.Subject, unicode.IsControl):
		return User{}, errors.New("the provider named a subject with control characters")
	}
	return user, nil
}

// newUser reads the standard claims (OpenID Connect Core section 5.1).
func newUser(c claims.Object, raw json.RawMessage) User {
	name := c.String("name")
	if name == "" {
		name = c.String("preferred_username")
	}
	return User{
		Subject:       c.String("sub"),
		Name:          name,
		Email:         c.String("email"),
		EmailVerified: c.String("email") != "" && c.IsTrue("email_verified"),
		RawClaims:     raw,
	}
}

// newUser is the function of that name, for what the provider writes in its own way: Apple
// may write true as "true".
func (p *provider) newUser(c claims.Object, raw json.RawMessage) User {
	user := newUser(c, raw)
	if p.apple != nil && user.Email != "" && c.String("email_verified") == "true" {
		user.EmailVerified = true
	}
	return user
}

// later returns the user of a session with later claims.
func (p *provider) later(rec *record, c claims.Object) (User, error) {
	user, err := rec.user.with(c)
	if err != nil {
		return User{}, err
	}
	user.EmailVerified = p.newUser(c, nil).EmailVerified
	user.Name = cmp.Or(user.Name, rec.extra.formName)
	return user, nil
}

// addName gives a user without a name that of the form, which nothing signs. Apple sends it
// to the first login alone: a session of the same user here passes it on.
func (m *Middleware) addName(r *http.Request, rec *record, field string) {
	if rec.user.Name != "" {
		return
	}
	name := apple.Name(field)
	if old, _ := m.sessions.ofSameUser(r, rec); name == "" && old != nil {
		name = old.extra.formName
	}
	rec.user.Name, rec.extra.formName = name, name
}

// with returns u with other claims. As JSON escapes them they can be six times as long as
// the provider wrote them.
func (u User) with(c claims.Object) (User, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return User{}, err
	}
	if len(raw) > maxClaims {
		return User{}, fmt.Errorf("%w: %d bytes, at most %d", errClaimsTooLarge, len(raw), maxClaims)
	}
	user := newUser(c, raw)
	user.Provider, user.Issuer = u.Provider, u.Issuer
	return user, nil
}
