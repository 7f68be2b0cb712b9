package oauthlogintest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// The client of a Provider without Config.Clients.
const (
	defaultClientID     = "app"
	defaultClientSecret = "secret"
	callbackPath        = "/auth/callback"
	backChannelPath     = "/logout/backchannel"
)

// Registration returns the Provider as an application at base configures it. base
// is an origin, such as "https://app.test", and for an application below a prefix
// the prefix as well: "https://app.test/app".
//
// Without [Config.Clients], it registers base first: the client is "app" with the
// secret "secret", the redirect URI is base + "/auth/callback", the post-logout
// redirect URI is base + "/", and logout tokens go to base + "/logout/backchannel".
// Otherwise it returns the first of [Config.Clients] with a redirect URI at base. The
// scopes are openid, profile and email. With [Config.RequireFormPost], FormPost is set.
//
// Registration panics if base is not registered and cannot be: only one base
// gets a registration of its own.
func (p *Provider) Registration(base string) oauthlogin.Provider {
	base = strings.TrimSuffix(base, "/")
	client := p.clientAt(base)
	if client == nil {
		panic(fmt.Sprintf("oauthlogintest: no client is registered with a redirect URI at %q; add one to Config.Clients", base))
	}
	return oauthlogin.Provider{
		Issuer:   p.config.Issuer,
		FormPost: p.config.RequireFormPost,
		OAuth2: &oauth2.Config{
			ClientID:     client.ID,
			ClientSecret: client.Secret,
			RedirectURL:  firstAt(base, client.RedirectURIs),
			Scopes:       []string{"openid", "profile", "email"},
		},
		DPoP:                  p.config.RequireDPoP,
		PostLogoutRedirectURL: firstAt(base, client.PostLogoutRedirectURIs),
	}
}

// clientAt returns the first client with a redirect URI at base, and registers one
// if there are no clients. It returns nil if all clients are elsewhere.
func (p *Provider) clientAt(base string) *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.clients) == 0 && base != "" {
		p.clients = []*Client{{
			ID: defaultClientID, Secret: defaultClientSecret,
			RedirectURIs: []string{base + callbackPath}, PostLogoutRedirectURIs: []string{base + "/"},
			BackChannelLogoutURI: base + backChannelPath,
		}}
	}
	i := slices.IndexFunc(p.clients, func(c *Client) bool { return firstAt(base, c.RedirectURIs) != "" })
	if i < 0 {
		return nil
	}
	return p.clients[i]
}

// client returns the client with the given ID, or nil.
func (p *Provider) client(id string) *Client {
	p.mu.RLock()
	defer p.mu.RUnlock()
	i := slices.IndexFunc(p.clients, func(c *Client) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return p.clients[i]
}

// firstAt returns the first URI at base, or "".
func firstAt(base string, uris []string) string {
	i := slices.IndexFunc(uris, func(uri string) bool { return strings.HasPrefix(uri, base+"/") })
	if i < 0 {
		return ""
	}
	return uris[i]
}
