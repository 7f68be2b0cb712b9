package oauthlogin

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/oauthlogin/oauthlogin/internal/apple"
	"github.com/oauthlogin/oauthlogin/internal/entra"
	"github.com/oauthlogin/oauthlogin/internal/github"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// Google returns the provider "google", OpenID Connect at accounts.google.com, for the
// ClientID, ClientSecret and RedirectURL of client. Without Scopes it requests "openid",
// "profile" and "email".
//
// Google returns a refresh token only to a user's first login here, when the user consents to
// offline access (access_type=offline, which the provider requests). Sessions of later logins
// end with their access token, after an hour. An application that only wants to know who its
// users are sets [Options.SessionsOutliveTokens]. One that calls Google's APIs for longer than
// an hour sets AuthParams["prompt"] to "consent", for a refresh token and a consent page at
// every login.
//
// The claim hd is the user's Workspace domain: ask for it in a [Policy], since the parameter of
// that name only chooses among accounts.
func Google(client *oauth2.Config) Provider {
	return Provider{
		Name: "google", Label: "Google",
		Issuer:     "https://accounts.google.com",
		AuthParams: url.Values{"access_type": {"offline"}},
		OAuth2:     registered(client, "openid", "profile", "email"),
	}
}

// Microsoft returns the provider "microsoft", Microsoft Entra ID, for an application that is
// registered there. tenant says whose users sign in: "common" is everyone with an account,
// "organizations" everyone with one at work or school, "consumers" everyone with a personal
// one, and a tenant's ID or domain its users and guests. Without Scopes it requests "openid",
// "profile", "email" and, for a refresh token, "offline_access".
//
// With "common" and "organizations", users of any tenant in the world sign in, and their
// administrators decide what names and e-mail addresses the tokens have. Let in only the
// tenants that you mean, by a [Policy] on the claim tid or in [Options.OnSignIn], as the example
// does.
//
// [User.Issuer] is that of the user's tenant, also with "common": the template in Microsoft's
// metadata with the ID token's tid, compared exactly. A key that is published for one tenant
// signs only for that one. Key accounts on Issuer and Subject: email, preferred_username and
// upn are not verified and change hands, and one person is another user in each tenant. ID
// tokens of version 1.0 are refused.
//
// [New] refuses a tenant that is not 1 to 253 letters, digits, dots and hyphens. For a national
// cloud, set the provider's Issuer to the same path on that cloud's host.
func Microsoft(tenant string, client *oauth2.Config) Provider {
	name := strings.ToLower(tenant) // as Microsoft writes IDs in issuers
	p := Provider{Name: "microsoft", Label: "Microsoft", Issuer: entra.Issuer(name), tenant: name}
	if !entra.Valid(tenant) {
		p.Issuer, p.tenant = entra.Issuer("common"), "" // for one fault, not two
		p.faults = []error{fmt.Errorf("Microsoft: tenant %q is not a word of 1 to 253 letters, digits, dots and hyphens", weburl.Shown(tenant))}
	}
	p.OAuth2 = registered(client, "openid", "profile", "email", "offline_access")
	return p
}

// Apple returns the provider "apple", Sign in with Apple, for a Services ID as ClientID. key is
// the .p8 file that Apple gives out once, keyID its name, and teamID the developer's team.
// Without Scopes it requests "openid", "name" and "email", and FormPost is set, because Apple
// requires it for the latter two. RedirectURL has to be https, on a host other than localhost.
//
// The client secret is a JWT that key signs. It is made anew for each request and is good for
// an hour; ClientSecret of client is not used. [New] refuses an empty ID, and a key that is not
// on the curve P-256.
//
// Apple gives the name of a user once, to the user's first login here, in a form field that
// passes through the browser and that nothing signs. It becomes [User.Name], in one line of at
// most 1,024 bytes, if the ID token has no name: OnSignIn gets it, for the application to keep,
// and the session keeps it as long as it lasts. Trust it no more than a name that users type.
// Email is in the ID token, and may be an address at privaterelay.appleid.com, which only takes
// mail from senders that are registered with Apple.
//
// Apple has neither user info nor a logout page, and its access tokens are of no use.
func Apple(teamID, keyID string, key *ecdsa.PrivateKey, client *oauth2.Config) Provider {
	p := Provider{
		Name: "apple", Label: "Apple", Issuer: apple.Issuer, FormPost: true,
		apple: &apple.Key{TeamID: teamID, KeyID: keyID, Private: key},
	}
	for _, fault := range p.apple.Faults() {
		p.faults = append(p.faults, fmt.Errorf("Apple: %w", fault))
	}
	if p.OAuth2 = registered(client, "openid", "name", "email"); p.OAuth2 != nil {
		p.OAuth2.ClientSecret = ""
	}
	return p
}

// GitHub returns the provider "github" for an OAuth app or GitHub App, with the ClientID,
// ClientSecret and RedirectURL of client. Without Scopes it requests "user:email" only, which
// together with the public profile is all that it reads.
//
// The user's Subject is the numeric id, which unlike the login name never changes hands. Email
// is the primary address if GitHub has verified it. Tokens of OAuth apps do not expire.
//
// Without an Endpoint the provider is github.com. With that of a GitHub Enterprise server, the
// API is at /api/v3 on the same host, and with that of octocorp.ghe.com at api.octocorp.ghe.com.
func GitHub(client *oauth2.Config) Provider {
	p := Provider{Name: "github", Label: "GitHub", OAuth2: registered(client, "user:email")}
	if p.OAuth2 == nil {
		p.Identify = identifyGitHub("")
		return p
	}
	endpoint := &p.OAuth2.Endpoint
	if endpoint.AuthURL == "" && endpoint.TokenURL == "" {
		endpoint.AuthURL, endpoint.TokenURL = endpoints.GitHub.AuthURL, endpoints.GitHub.TokenURL
	}
	if endpoint.AuthStyle == oauth2.AuthStyleAutoDetect {
		endpoint.AuthStyle = oauth2.AuthStyleInParams // as GitHub documents it
	}
	p.Identify = identifyGitHub(github.API(endpoint.AuthURL))
	return p
}

func identifyGitHub(api string) func(context.Context, *http.Client) (User, error) {
	return func(ctx context.Context, client *http.Client) (User, error) {
		profile, err := github.Read(ctx, client, api)
		if err != nil {
			return User{}, err
		}
		return User{
			Subject: profile.ID, Name: profile.Name, Email: profile.Email,
			EmailVerified: profile.Email != "", RawClaims: profile.Raw,
		}, nil
	}
}

// registered returns a copy of client, with scopes if it has none; nil for nil, which [New]
// refuses.
func registered(client *oauth2.Config, scopes ...string) *oauth2.Config {
	if client == nil {
		return nil
	}
	config := *client
	if config.Scopes == nil {
		config.Scopes = scopes
	}
	config.Scopes = slices.Clone(config.Scopes)
	return &config
}
