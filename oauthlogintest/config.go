package oauthlogintest

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Config describes a [Provider]. The zero value of every field but Issuer
// stands for a default, and [Start] supplies the Issuer.
type Config struct {
	// Issuer is the issuer URL: http or https, without query and fragment. It
	// may have a path, which then precedes the path of every endpoint.
	Issuer string

	// Clients are the registered clients. All others are refused.
	Clients []Client

	// Users are offered on the sign-in page. Nil stands for alice, bob and
	// carol. A name typed by hand that is not the Subject of any of them signs
	// in as a user with that name as its Subject.
	Users []User

	// Lifetimes: one hour, one hour, one minute and 30 days if zero. A
	// negative one issues what has already expired.
	AccessTokenTTL  time.Duration
	IDTokenTTL      time.Duration
	CodeTTL         time.Duration
	RefreshTokenTTL time.Duration

	// JWTAccessTokens issues access tokens as JWTs (RFC 9068), signed like the
	// ID tokens, instead of opaque strings.
	JWTAccessTokens bool

	// NoRefreshTokens issues no refresh tokens. Otherwise each code exchange
	// issues one, whether or not offline_access was asked for.
	NoRefreshTokens bool

	// Now is the clock. Nil stands for time.Now.
	Now func() time.Time
}

// A Client is a relying party registered with a [Provider].
type Client struct {
	// ID is the client_id.
	ID string

	// Secret authenticates the client with client_secret_basic or
	// client_secret_post. A client without one is public and authenticates
	// with the method none.
	Secret string

	// RedirectURIs and PostLogoutRedirectURIs are compared exactly with the
	// redirect_uri and post_logout_redirect_uri of requests.
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
}

// A User is someone who can sign in at a [Provider].
type User struct {
	// Subject is the sub claim, and the name to sign in with.
	Subject string

	// Name is released with the scope profile.
	Name string

	// Email and EmailVerified are released with the scope email.
	Email         string
	EmailVerified bool

	// Claims are further claims, released with the scope profile or email.
	// They do not replace the claims that the provider itself makes.
	Claims map[string]any
}

func demoUsers() []User {
	return []User{
		{Subject: "alice", Name: "Alice Archer", Email: "alice@example.com", EmailVerified: true},
		{Subject: "bob", Name: "Bob Baker", Email: "bob@example.com", EmailVerified: true},
		{Subject: "carol", Name: "Carol Carpenter", Email: "carol@example.com", EmailVerified: true},
	}
}

// withDefaults returns a copy of c that shares no slice with it.
func (c Config) withDefaults() Config {
	c.Clients = slices.Clone(c.Clients)
	for i := range c.Clients {
		c.Clients[i].RedirectURIs = slices.Clone(c.Clients[i].RedirectURIs)
		c.Clients[i].PostLogoutRedirectURIs = slices.Clone(c.Clients[i].PostLogoutRedirectURIs)
	}
	c.Users = slices.Clone(c.Users)
	if c.Users == nil {
		c.Users = demoUsers()
	}
	c.AccessTokenTTL = cmp.Or(c.AccessTokenTTL, time.Hour)
	c.IDTokenTTL = cmp.Or(c.IDTokenTTL, time.Hour)
	c.CodeTTL = cmp.Or(c.CodeTTL, time.Minute)
	c.RefreshTokenTTL = cmp.Or(c.RefreshTokenTTL, 30*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// validate reports every fault at once.
func (c Config) validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("oauthlogintest: Config."+format, args...))
	}
	if u, err := url.Parse(c.Issuer); err != nil {
		fault("Issuer: %w", err)
	} else if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		fault("Issuer %q is not an http or https URL without query and fragment", c.Issuer)
	}
	seen := map[string]bool{}
	for i, client := range c.Clients {
		if client.ID == "" || seen[client.ID] {
			fault("Clients[%d].ID %q is empty or taken", i, client.ID)
		}
		seen[client.ID] = true
		for _, uri := range slices.Concat(client.RedirectURIs, client.PostLogoutRedirectURIs) {
			// RFC 6749 section 3.1.2: absolute, without a fragment.
			if u, err := url.Parse(uri); err != nil || !u.IsAbs() || u.Fragment != "" {
				fault("Clients[%d]: redirect URI %q is not an absolute URI without a fragment", i, uri)
			}
		}
	}
	for i, user := range c.Users {
		if !validSubject(user.Subject) {
			fault("Users[%d].Subject %q is not 1 to 255 printable ASCII characters", i, user.Subject)
		}
	}
	return errors.Join(errs...)
}

// client returns the client with the given ID, or nil.
func (c Config) client(id string) *Client {
	i := slices.IndexFunc(c.Clients, func(client Client) bool { return client.ID == id })
	if i < 0 {
		return nil
	}
	return &c.Clients[i]
}

// user returns the listed user with the given subject, or one who has nothing
// but it.
func (c Config) user(subject string) User {
	i := slices.IndexFunc(c.Users, func(user User) bool { return user.Subject == subject })
	if i < 0 {
		return User{Subject: subject, Name: subject}
	}
	return c.Users[i]
}

// OpenID Connect Core 1.0 section 2: sub has at most 255 ASCII characters.
func validSubject(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return s != "" && len(s) <= 255
}
