package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// A User is who signed in.
type User struct {
	Provider, Issuer, Subject string // which are never empty
	Name, Email               string
	EmailVerified             bool
	RawClaims                 json.RawMessage // an object
}

// NewUser reads the standard claims (OpenID Connect Core section 5.1).
func NewUser(c claims.Object, raw json.RawMessage) User {
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

// With returns u with other claims. As JSON escapes them they can be six times as long as
// the provider wrote them.
func (u User) With(c claims.Object) (User, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return User{}, err
	}
	if len(raw) > MaxClaims {
		return User{}, fmt.Errorf("%w: %d bytes, at most %d", ErrClaimsTooLarge, len(raw), MaxClaims)
	}
	user := NewUser(c, raw)
	user.Provider, user.Issuer = u.Provider, u.Issuer
	return user, nil
}

// MaxClaims bounds what a provider says about a user, in bytes: each request carries it.
const MaxClaims = 64 << 10

// ErrClaimsTooLarge is the error of claims over MaxClaims.
var ErrClaimsTooLarge = errors.New("the provider says too much about the user")

// WithAppClaims returns the user of a record with what the application has set. An error
// means that there is no such user: without it, the provider's word would stand.
func (rec *Record) WithAppClaims() (User, error) {
	if len(rec.Extra.AppClaims) == 0 {
		return rec.User, nil
	}
	set, err := claims.Parse(rec.Extra.AppClaims)
	if err != nil {
		return User{}, err
	}
	known, err := claims.Parse(rec.User.RawClaims)
	if err != nil { // Identify may have written none
		known = claims.Object{}
	}
	user, err := rec.User.With(claims.Overlay(known, set))
	if err != nil {
		return User{}, err
	}
	user.Subject = rec.User.Subject // of Identify, which need not be in the claims
	if !slices.ContainsFunc([]string{"name", "preferred_username"}, set.Has) {
		user.Name = rec.User.Name
	}
	if !slices.ContainsFunc([]string{"email", "email_verified"}, set.Has) {
		user.Email, user.EmailVerified = rec.User.Email, rec.User.EmailVerified
	}
	return user, nil
}

// verifiedEmail returns, of e-mail addresses among the claims, the one that the
// provider has verified: anyone can give an address of others as their own.
func (u *User) verifiedEmail(claimed []string) []string {
	if !u.EmailVerified || !slices.Contains(claimed, u.Email) {
		return nil
	}
	return []string{u.Email}
}

// LacksClaimOf reports whether u has lost a claim of the user before a refresh.
func (u *User) LacksClaimOf(before *User) bool {
	known, _ := claims.Parse(before.RawClaims)
	now, _ := claims.Parse(u.RawClaims)
	for name := range known {
		if !now.Has(name) && !claims.IsProtocol(name) {
			return true
		}
	}
	return false
}
