package oauthlogin

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/record"
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
	// Name and Email are what the provider says, "" if it says nothing. The name that Apple
	// gives is not signed: see [Apple].
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

// userOf returns the User of a record, with the same claims, which requests share.
func userOf(u *record.User) User {
	return User{
		Provider: u.Provider, Issuer: u.Issuer, Subject: u.Subject, Name: u.Name, Email: u.Email,
		EmailVerified: u.EmailVerified, RawClaims: u.RawClaims,
	}
}

// recorded returns u as a record keeps it.
func (u *User) recorded() record.User {
	return record.User{
		Provider: u.Provider, Issuer: u.Issuer, Subject: u.Subject, Name: u.Name, Email: u.Email,
		EmailVerified: u.EmailVerified, RawClaims: u.RawClaims,
	}
}
