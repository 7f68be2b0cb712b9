package oauthlogin

import (
	"net/url"
	"slices"

	"golang.org/x/oauth2"
)

// Google returns the provider "google", OpenID Connect at accounts.google.com. Without
// Scopes it requests "openid", "profile" and "email".
//
// Google returns a refresh token only to a user's first login here, when the user
// consents to offline access (access_type=offline, which Google requests). Sessions of
// later logins end with their access token, after an hour. An application that only wants
// to know who its users are sets Options.SessionsOutliveTokens. One that calls Google's
// APIs for longer than an hour sets AuthParams["prompt"] to "consent", for a refresh token
// and a consent page at every login.
//
// The claim hd is the user's Workspace domain: ask for it in a [Policy], since the
// parameter of that name only chooses among accounts.
func Google(client *oauth2.Config) Provider {
	p := Provider{
		Name: "google", Label: "Google",
		Issuer:     "https://accounts.google.com",
		AuthParams: url.Values{"access_type": {"offline"}},
	}
	if client == nil {
		return p
	}
	config := *client
	if config.Scopes == nil {
		config.Scopes = []string{"openid", "profile", "email"}
	}
	config.Scopes = slices.Clone(config.Scopes)
	p.OAuth2 = &config
	return p
}
