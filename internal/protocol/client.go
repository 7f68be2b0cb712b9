// Package protocol speaks the client's side of OAuth 2.0 and OpenID Connect with
// one provider: metadata and keys, the authorization request and its response, the
// token endpoint, ID tokens, user info, revocation and logout. It knows neither
// sessions nor browsers.
//
// Error texts contain no tokens, codes or secrets, and of a provider's response nothing
// but protocol error codes, the issuer that its metadata names, and the times and the
// untrusted audience of an ID token. Only the log shows more, at Debug: see [Description].
package protocol

import (
	"context"
	"log/slog"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/entra"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A Registration is one client at one provider. The caller has validated it and
// does not change it any more.
type Registration struct {
	// Issuer is the OpenID Connect issuer. If it is empty, the provider is a
	// plain OAuth 2.0 one, whose endpoints are in OAuth2.Endpoint.
	Issuer string
	// Tenants are those whose users Issuer stands for at Microsoft Entra ID: each has an
	// issuer of its own. nil: Issuer is the only one.
	Tenants *entra.Tenants
	OAuth2  *oauth2.Config
	// ClientAssertion makes the assertion that authenticates the client, in place of a
	// secret (RFC 7521 section 4.2). It gets the audience that the provider expects.
	ClientAssertion func(ctx context.Context, audience string) (string, error)
	// ClientSecret makes the client_secret of each request, which goes into the body. It
	// takes the place of that in OAuth2.
	ClientSecret func(ctx context.Context) (string, error)
	// AuthParams are additional parameters of every authorization request.
	AuthParams url.Values
	// TrustedAudiences are the audiences, besides the client ID, that an ID token
	// may have.
	TrustedAudiences      []string
	PostLogoutRedirectURL string
	// BackChannelLogoutURI is where the provider can send logout tokens, for the log.
	BackChannelLogoutURI string
	// LogoutParams are additional parameters of the provider's logout URL.
	LogoutParams url.Values
	// DPoP requests access tokens that are bound to a key of their own for each login.
	DPoP bool
	// FormPost requests responses by OAuth 2.0 Form Post Response Mode.
	FormPost bool
}

// A Client is a registration at work. It may be used concurrently.
type Client struct {
	Registration
	transport *Transport
	log       *slog.Logger

	authOrigin string               // of a plain OAuth 2.0 provider
	static     *metadata            // nil: read from the issuer
	published  *document[*metadata] // of an OpenID Connect provider
	keys       *document[*keySet]
}

// NewClient returns a Client that sends its requests through t. It performs no
// I/O: metadata and keys are read on first use, and again when they are a day
// old. log gets a line when the provider publishes something unusable, or cannot
// be asked again.
func NewClient(r Registration, t *Transport, log *slog.Logger) *Client {
	c := &Client{Registration: r, transport: t, log: log}
	if r.Issuer == "" {
		c.static = &metadata{AuthURL: r.OAuth2.Endpoint.AuthURL, TokenURL: r.OAuth2.Endpoint.TokenURL}
		if u, err := url.Parse(r.OAuth2.Endpoint.AuthURL); err == nil {
			c.authOrigin = weburl.Origin(u)
		}
		return c
	}
	c.log = log.With("issuer", r.Issuer)
	c.published = &document[*metadata]{name: "metadata", fetch: c.fetchMetadata, cooldown: discoveryCooldown, log: c.log}
	c.keys = &document[*keySet]{name: "keys", fetch: c.fetchKeys, log: c.log}
	return c
}

// knownMetadata returns the metadata without reading it, nil if it is not known.
func (c *Client) knownMetadata() *metadata {
	if c.static != nil {
		return c.static
	}
	return c.published.known().value
}

func (c *Client) metadata(ctx context.Context) (*metadata, error) {
	if c.static != nil {
		return c.static, nil
	}
	md, err := c.published.get(ctx)
	if err != nil {
		return nil, &metadataError{c.Issuer, err}
	}
	return md.value, nil
}
