package oauthlogintest

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Config configures a [Provider]. [New] requires an Issuer; [Start] and [Run] do not. All other
// fields are optional, and the zero value is a provider with the users alice, bob and carol.
type Config struct {
	// Issuer is the issuer URL: http or https, without a query or fragment. If it has a path,
	// all endpoints are below that path. [Run] uses https://provider.test by default, and
	// [Start] a free port of 127.0.0.1.
	Issuer string

	// Clients are the registered clients. Requests from other clients fail. Without
	// any, [Provider.Registration] registers one.
	Clients []Client

	// Users are the users on the sign-in page, until [Provider.SetUser] changes them. Nil means
	// alice (Alice Archer), bob (Bob Baker) and carol (Carol Carpenter), with verified e-mail
	// addresses at example.com. The page accepts any other name too, and signs in a user with
	// that name as Subject and Name, and without an e-mail address.
	Users []User

	// Lifetimes of what the provider issues. Zero means the default. A negative
	// lifetime issues tokens that have already expired.
	AccessTokenTTL  time.Duration // default: 1 hour
	IDTokenTTL      time.Duration // default: 1 hour
	CodeTTL         time.Duration // default: 1 minute
	RefreshTokenTTL time.Duration // default: 30 days

	// JWTAccessTokens makes access tokens JWTs (RFC 9068), signed with the same
	// key as ID tokens. By default they are opaque.
	JWTAccessTokens bool

	// NoRefreshTokens turns refresh tokens off. By default every code exchange
	// issues one, with or without the scope offline_access.
	NoRefreshTokens bool

	// RequireFormPost refuses authorization requests without response_mode=form_post,
	// which the provider supports in any case.
	RequireFormPost bool

	// RequireDPoP binds all tokens to keys of the client (RFC 9449). Requests to the token,
	// pushed authorization request and user info endpoints then need a proof with a nonce
	// of the Provider, which it renews every five minutes and offers with each response;
	// those to the revocation endpoint may have one. Authorization requests need dpop_jkt.
	RequireDPoP bool

	// RequirePAR has authorization requests pushed (RFC 9126). The authorization endpoint
	// then takes a client_id and a request_uri and nothing else, and each request_uri once,
	// within a minute.
	RequirePAR bool

	// Resources are the APIs, as resource (RFC 8707) or audience, that clients may request
	// access tokens for in the refresh grant. A request for another one gets invalid_target. A
	// token for one is of no use at the userinfo endpoint, and has the API as its aud with
	// JWTAccessTokens.
	Resources []string

	// Now is the clock for all timestamps and expiry checks. Nil means time.Now.
	// It must be safe for concurrent use.
	Now func() time.Time
}

// A Client is an application registered with a [Provider]. ID is required.
type Client struct {
	// ID is the client_id.
	ID string

	// Secret authenticates the client, by client_secret_basic or
	// client_secret_post. A client with neither Secret nor PublicKey is public and uses
	// the method none.
	Secret string

	// PublicKey authenticates the client by private_key_jwt, in place of a Secret: an
	// *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey. The Provider takes an
	// assertion only with its own issuer as the single audience, the type
	// client-authentication+jwt, a lifetime of five minutes at most, and a jti that it has
	// not seen before.
	PublicKey crypto.PublicKey

	// RedirectURIs and PostLogoutRedirectURIs are the values allowed for
	// redirect_uri and post_logout_redirect_uri, compared as strings. Each must
	// be an absolute URI without a fragment.
	RedirectURIs, PostLogoutRedirectURIs []string

	// BackChannelLogoutURI is where [Provider.LogOut] and [Browser.SignOutAtProvider] send
	// logout tokens. "" is nowhere.
	BackChannelLogoutURI string
}

// A User is a user who can sign in at a [Provider].
type User struct {
	// Subject is the sub claim and the name to sign in with: 1 to 255 printable
	// ASCII characters.
	Subject string

	// Name is the name claim, released by the scope profile.
	Name string

	// Email is the email claim, released by the scope email unless it is empty.
	Email string

	// EmailVerified is the email_verified claim, released with Email.
	EmailVerified bool

	// Claims are additional claims, released by the scope profile or email. A
	// claim that the provider sets itself takes precedence.
	Claims map[string]any
}

func demoUsers() []User {
	return []User{
		{Subject: "alice", Name: "Alice Archer", Email: "alice@example.com", EmailVerified: true},
		{Subject: "bob", Name: "Bob Baker", Email: "bob@example.com", EmailVerified: true},
		{Subject: "carol", Name: "Carol Carpenter", Email: "carol@example.com", EmailVerified: true},
	}
}

// withDefaults returns a copy of c with defaults filled in. It shares no slice
// with c.
func (c Config) withDefaults() Config {
	c.Clients = slices.Clone(c.Clients)
	for i := range c.Clients {
		c.Clients[i].RedirectURIs = slices.Clone(c.Clients[i].RedirectURIs)
		c.Clients[i].PostLogoutRedirectURIs = slices.Clone(c.Clients[i].PostLogoutRedirectURIs)
	}
	c.Resources = slices.Clone(c.Resources)
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

// validate returns all faults, joined.
func (c Config) validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("oauthlogintest: Config."+format, args...))
	}
	if u, err := url.Parse(c.Issuer); err != nil {
		fault("Issuer: %w", err)
	} else if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		fault("Issuer %q must be an http or https URL without a query or fragment", c.Issuer)
	}
	seen := map[string]bool{}
	for i, client := range c.Clients {
		if client.ID == "" || seen[client.ID] {
			fault("Clients[%d].ID %q is empty or a duplicate", i, client.ID)
		}
		seen[client.ID] = true
		if client.PublicKey != nil && client.Secret != "" {
			fault("Clients[%d] has a Secret and a PublicKey; a client authenticates in one way", i)
		}
		uris := slices.Concat(client.RedirectURIs, client.PostLogoutRedirectURIs)
		if client.BackChannelLogoutURI != "" {
			uris = append(uris, client.BackChannelLogoutURI)
		}
		for _, uri := range uris {
			// RFC 6749 section 3.1.2: absolute, without a fragment.
			if u, err := url.Parse(uri); err != nil || !u.IsAbs() || u.Fragment != "" {
				fault("Clients[%d]: URI %q must be an absolute URI without a fragment", i, uri)
			}
		}
	}
	for i, user := range c.Users {
		if !validSubject(user.Subject) {
			fault("Users[%d].Subject %q must be 1 to 255 printable ASCII characters", i, user.Subject)
		}
	}
	return errors.Join(errs...)
}

// validSubject reports whether s can be a sub: at most 255 ASCII characters
// (OpenID Connect Core 1.0 section 2).
func validSubject(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return s != "" && len(s) <= 255
}
