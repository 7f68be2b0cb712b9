// Package demo provides what the examples sign users in with, so that they run with Go
// alone. An application has its own provider in its configuration and needs none of this.
package demo

import (
	"os"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"golang.org/x/oauth2"
)

// Users returns the users of the demo provider: alice of the groups admin and staff, bob of
// admin, and carol of staff. Any other name signs in too.
func Users() []oauthlogintest.User {
	return []oauthlogintest.User{
		User("alice", "Alice Archer", "admin", "staff"),
		User("bob", "Bob Baker", "admin"),
		User("carol", "Carol Carpenter", "staff"),
	}
}

// User returns a user with a verified address at example.com and the claim groups.
func User(subject, name string, groups ...string) oauthlogintest.User {
	return oauthlogintest.User{
		Subject: subject, Name: name, Email: subject + "@example.com", EmailVerified: true,
		Claims: map[string]any{"groups": groups},
	}
}

// Provider returns the configuration of a provider for an application at base, an origin.
// The redirect URI is base + "/auth/callback".
//
// The environment variables OAUTH_ISSUER, OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET name a
// registration at any OpenID provider. Without OAUTH_ISSUER, Provider starts a demo provider
// as cfg says on a free port of 127.0.0.1, with Users unless cfg names others. It runs until
// stop, and panics if it cannot start.
func Provider(base string, cfg oauthlogintest.Config) (login oauthlogin.Provider, stop func()) {
	if issuer := os.Getenv("OAUTH_ISSUER"); issuer != "" {
		return oauthlogin.Provider{
			Issuer: issuer,
			OAuth2: &oauth2.Config{
				ClientID:     os.Getenv("OAUTH_CLIENT_ID"),
				ClientSecret: os.Getenv("OAUTH_CLIENT_SECRET"),
				RedirectURL:  base + "/auth/callback",
				Scopes:       []string{"openid", "profile", "email"},
			},
		}, func() {}
	}
	if cfg.Users == nil {
		cfg.Users = Users()
	}
	provider := oauthlogintest.Start(cfg)
	return provider.Registration(base), provider.Close
}
