package oauthlogin

import (
	"cmp"
	"log/slog"
	"net/url"

	"github.com/oauthlogin/oauthlogin/internal/entra"
	"github.com/oauthlogin/oauthlogin/internal/identity"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A provider is a [Provider] at work.
type provider struct {
	Provider
	*identity.Source
	callbackPath string
	// postLogoutPath is the path of PostLogoutRedirectURL, "" if it is elsewhere.
	postLogoutPath string
}

func newProvider(config Provider, homePath, backChannelPath string, transport *protocol.Transport, log *slog.Logger) *provider {
	p := &provider{Provider: config}
	log = log.With("provider", config.Name)
	redirect, _ := url.Parse(config.OAuth2.RedirectURL) // validated
	p.callbackPath = redirect.Path
	if p.PostLogoutRedirectURL == "" {
		p.PostLogoutRedirectURL = weburl.Origin(redirect) + homePath
	}
	if u, _ := url.Parse(p.PostLogoutRedirectURL); weburl.Origin(u) == weburl.Origin(redirect) {
		p.postLogoutPath = cmp.Or(u.Path, "/")
	}
	registration := protocol.Registration{
		Issuer: p.Issuer, OAuth2: p.OAuth2, ClientAssertion: p.ClientAssertion, AuthParams: p.AuthParams, DPoP: p.DPoP, FormPost: p.FormPost,
		TrustedAudiences: p.TrustedAudiences, PostLogoutRedirectURL: p.PostLogoutRedirectURL, LogoutParams: p.LogoutParams,
		BackChannelLogoutURI: weburl.Origin(redirect) + backChannelPath,
	}
	if p.tenant != "" {
		registration.Tenants, _ = entra.Of(p.Issuer, p.tenant) // validated
	}
	if p.apple != nil {
		key := *p.apple
		key.ClientID = p.OAuth2.ClientID
		registration.ClientSecret = key.Secret
	}
	p.Source = identity.New(protocol.NewClient(registration, transport, log), identity.Config{
		Name: p.Name, Issuer: config.userIssuer(), ClientID: p.OAuth2.ClientID,
		OpenID: p.Issuer != "", Identify: config.identify, AlwaysUserInfo: p.AlwaysUserInfo, Apple: p.apple != nil,
		Transport: transport, Log: log,
	})
	return p
}

// providers are the providers of a Middleware, in the order of Options.Providers.
type providers []*provider

func (ps providers) byTag(tag record.ProviderTag) *provider {
	for _, p := range ps {
		if p.Tag == tag {
			return p
		}
	}
	return nil
}

func (ps providers) has(tag record.ProviderTag) bool { return ps.byTag(tag) != nil }

// source returns nil if no provider has the tag.
func (ps providers) source(tag record.ProviderTag) *identity.Source {
	if p := ps.byTag(tag); p != nil {
		return p.Source
	}
	return nil
}

// byName returns the only provider for "", and nil if none has the name.
func (ps providers) byName(name string) *provider {
	if name == "" && len(ps) == 1 {
		return ps[0]
	}
	for _, p := range ps {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// byCallback returns the provider whose callback has a path. A router may have cut the
// path: then it is the first.
func (ps providers) byCallback(path string) *provider {
	for _, p := range ps {
		if p.callbackPath == path {
			return p
		}
	}
	return ps[0]
}
