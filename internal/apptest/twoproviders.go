package apptest

import (
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// NewTwoProviders is New with a second provider, at https://two.test
// with its callback at /auth/callback/two, that signs in "bob".
func NewTwoProviders(t *testing.T, change func(*oauthlogin.Options)) (*App, *oauthlogintest.Provider) {
	t.Helper()
	const redirectURL = "https://app.test/auth/callback/two"
	two, err := oauthlogintest.New(oauthlogintest.Config{
		Issuer:  "https://two.test",
		Clients: []oauthlogintest.Client{{ID: "app", Secret: "s3cret-at-two", RedirectURIs: []string{redirectURL}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	two.SetKeyAlg("ES256")
	two.AutoApprove("bob")
	a := New(t, Config{Change: func(o *oauthlogin.Options) {
		o.Providers[0].Name = "one"
		o.Providers = append(o.Providers, oauthlogin.Provider{
			Name: "two", Issuer: "https://two.test",
			OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: "s3cret-at-two", RedirectURL: redirectURL, Scopes: []string{"profile", "email"}},
		})
		if change != nil {
			change(o)
		}
	}})
	a.Net["two.test"] = two
	return a, two
}
