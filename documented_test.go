package oauthlogin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Each provider of docs/providers.md signs users in as that page says, with what its public
// documentation says that it sends. The providers themselves were not asked.
func TestDocumentedProviders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		provider, profileURL string
		configure            func(p *oauthlogin.Provider)
		want                 oauthlogin.User
		scope                string // that is requested
		inBody               bool   // the client's secret
		policy               map[string][]string
		userInfo             int    // how often it is read at the login
		logout               string // the beginning of where a logout leads to
		expires              string // the access token; "unknown": not said
	}{
		{
			provider: "auth0",
			configure: func(p *oauthlogin.Provider) {
				p.OAuth2.Scopes = []string{"openid", "profile", "email", "offline_access"}
			},
			want:   oauthlogin.User{Issuer: "https://acme.eu.auth0.com/", Subject: "auth0|5f7c8ec7c33c6c004bbafe82", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			scope:  "openid profile email offline_access",
			policy: map[string][]string{"https://acme.example/roles": {"admin"}},
			logout: "https://acme.eu.auth0.com/oidc/logout?", expires: "59m59s",
		},
		{
			provider: "cognito",
			configure: func(p *oauthlogin.Provider) {
				p.LogoutParams = url.Values{"logout_uri": {"https://app.test/"}}
			},
			want:     oauthlogin.User{Issuer: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE", Subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			scope:    "openid profile email",
			policy:   map[string][]string{"cognito:groups": {"test-group-a"}},
			userInfo: 1,
			logout:   "https://mydomain.auth.us-east-1.amazoncognito.com/logout?", expires: "59m59s",
		},
		{
			provider: "okta",
			configure: func(p *oauthlogin.Provider) {
				p.OAuth2.Scopes = []string{"openid", "profile", "email", "groups", "offline_access"}
			},
			want:     oauthlogin.User{Issuer: "https://dev-1.okta.com/oauth2/default", Subject: "00uid4BxXw6I6TV4m0g3", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			scope:    "openid profile email groups offline_access",
			policy:   map[string][]string{"groups": {"Admins"}},
			userInfo: 1,
			logout:   "https://dev-1.okta.com/oauth2/default/v1/logout?", expires: "59m59s",
		},
		{
			provider:  "gitlab",
			configure: func(*oauthlogin.Provider) {},
			want:      oauthlogin.User{Issuer: "https://gitlab.com", Subject: "1", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			scope:     "openid profile email",
			policy:    map[string][]string{"groups": {"acme"}},
			userInfo:  1,
			logout:    "/", expires: "59m59s",
		},
		{
			provider:  "slack",
			configure: func(*oauthlogin.Provider) {},
			want:      oauthlogin.User{Issuer: "https://slack.com", Subject: "U0R7MFMJM", Name: "ada", Email: "ada@example.com", EmailVerified: true},
			scope:     "openid profile email",
			policy:    map[string][]string{"https://slack.com/team_id": {"T0RR"}},
			logout:    "/", expires: "unknown",
		},
		{
			provider: "twitch",
			configure: func(p *oauthlogin.Provider) {
				p.OAuth2.Scopes = []string{"openid", "user:read:email"}
				p.AuthParams = url.Values{"claims": {`{"id_token":{"email":null,"email_verified":null,"preferred_username":null}}`}}
			},
			want:   oauthlogin.User{Issuer: "https://id.twitch.tv/oauth2", Subject: "713936733", Name: "ada", Email: "ada@example.com", EmailVerified: true},
			scope:  "openid user:read:email",
			inBody: true, userInfo: 1,
			policy: map[string][]string{"preferred_username": {"ada"}},
			logout: "/", expires: "59m59s",
		},
		{
			provider: "salesforce",
			configure: func(p *oauthlogin.Provider) {
				p.OAuth2.Scopes = []string{"openid", "profile", "email", "refresh_token"}
			},
			want:     oauthlogin.User{Issuer: "https://login.salesforce.com", Subject: "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			scope:    "openid profile email refresh_token",
			policy:   map[string][]string{"organization_id": {"00Dx0000000BV7z"}},
			userInfo: 1,
			logout:   "/", expires: "unknown",
		},
		{
			provider: "discord", profileURL: "https://discord.com/api/users/@me",
			configure: func(p *oauthlogin.Provider) {
				p.OAuth2.Scopes, p.Identify = []string{"identify", "email"}, identifyDiscord
			},
			want:   oauthlogin.User{Issuer: "https://discord.com", Subject: "80351110224678912", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			scope:  "identify email",
			policy: map[string][]string{"mfa_enabled": {"true"}},
			logout: "/", expires: "167h59m59s",
		},
		{
			provider: "line", profileURL: "https://api.line.me/oauth2/v2.1/userinfo",
			configure: func(p *oauthlogin.Provider) {
				p.OAuth2.Scopes, p.Identify = []string{"openid", "profile"}, identifyLINE
				p.OAuth2.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			},
			want:   oauthlogin.User{Issuer: "https://access.line.me", Subject: "U1234567890abcdef1234567890abcdef", Name: "Taro Line"},
			scope:  "openid profile",
			inBody: true,
			policy: map[string][]string{"picture": {"https://sample_line.me/aBcdefg123456"}},
			logout: "/", expires: "719h59m59s",
		},
	} {
		t.Run(tt.provider, func(t *testing.T) {
			t.Parallel()
			a, _ := apptest.NewDocumented(t, tt.provider, tt.profileURL, func(opts *oauthlogin.Options) { tt.configure(&opts.Providers[0]) })
			a.GuardBy(oauthlogin.Policy{Claims: tt.policy})
			b := a.Browser(t)
			user := apptest.UserOf(t, b.Follow("/dashboard"))
			reads := a.Provider.Count(oauthlogintest.UserInfo)
			same := user.Issuer == tt.want.Issuer && user.Subject == tt.want.Subject && user.Name == tt.want.Name &&
				user.Email == tt.want.Email && user.EmailVerified == tt.want.EmailVerified && user.Provider == tt.provider
			if !same || reads != tt.userInfo {
				t.Errorf("user is %+v, with user info read %d times", user, reads)
			}
			if scope := a.Provider.Requests(oauthlogintest.Authorization)[0].Query.Get("scope"); scope != tt.scope {
				t.Errorf("scope is %q", scope)
			}
			token := a.Provider.Requests(oauthlogintest.Token)
			if len(token) != 1 || token[0].Form.Has("client_secret") != tt.inBody {
				t.Errorf("%d token requests, a client secret in the body: %v", len(token), token[0].Form.Has("client_secret"))
			}
			if resp := b.Get("/guarded"); resp.StatusCode != http.StatusOK {
				t.Errorf("the policy %v: %d %s", tt.policy, resp.StatusCode, user.RawClaims)
			}
			if got := b.Get("/token").Text; got != tt.expires && !almost(got, tt.expires) {
				t.Errorf("the access token expires in %s", got)
			}
			out := b.LogOut("/")
			if !strings.HasPrefix(out.Location(), tt.logout) || tt.logout == "/" && out.Location() != "/" {
				t.Errorf("logout leads to %s", out.Location())
			}
			a.Leaks(t, "")
		})
	}
}

// almost reports whether two durations differ by seconds.
func almost(a, b string) bool {
	one, err := time.ParseDuration(a)
	two, err2 := time.ParseDuration(b)
	return err == nil && err2 == nil && (one-two).Abs() < time.Minute
}

// Sessions go on through refreshes whatever the provider leaves out of them.
func TestDocumentedRefreshes(t *testing.T) {
	t.Parallel()
	for provider, refreshes := range map[string]int{
		"auth0": 3, "okta": 3, "gitlab": 3, "twitch": 3, "salesforce": 0, "slack": 0, // without expires_in there is nothing to refresh for
		"cognito": 1, // which keeps its refresh token, that the test provider takes once
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, _ := apptest.NewDocumented(t, provider, "", func(*oauthlogin.Options) {})
				b := a.Browser(t)
				before := apptest.UserOf(t, b.Follow("/dashboard"))
				for range max(refreshes, 1) {
					time.Sleep(time.Hour)
					if after := apptest.UserOf(t, b.Get("/dashboard")); after.Subject != before.Subject || after.Name != before.Name || after.Email != before.Email {
						t.Errorf("after a refresh: %+v", after)
					}
				}
				if n := a.Provider.Count(oauthlogintest.Token) - 1; n != refreshes {
					t.Errorf("%d refreshes", n)
				}
			})
		})
	}
}

// The logout at Okta needs the ID token, that of Cognito a parameter of its own, and Auth0
// either.
func TestDocumentedLogouts(t *testing.T) {
	t.Parallel()
	for provider, params := range map[string][]string{
		"auth0": {"id_token_hint", "client_id", "post_logout_redirect_uri"}, "okta": {"id_token_hint", "post_logout_redirect_uri"}, "cognito": {"client_id", "logout_uri"},
	} {
		a, _ := apptest.NewDocumented(t, provider, "", func(opts *oauthlogin.Options) {
			if provider == "cognito" {
				opts.Providers[0].LogoutParams = url.Values{"logout_uri": {"https://app.test/"}}
			}
		})
		b := a.Browser(t)
		b.Follow("/dashboard")
		query := apptest.QueryOf(b.LogOut("/").Location())
		if i := slices.IndexFunc(params, func(name string) bool { return query.Get(name) == "" }); i >= 0 {
			t.Errorf("%s: the logout has no %s: %v", provider, params[i], query)
		}
	}
}

// Slack reports errors with status 200, and a code that is used up in words of its own.
func TestSlackErrors(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"invalid_code": "invalid_grant", "code_already_used": "invalid_grant", "bad_client_secret": "provider_rejected", "oauth_authorization_url_mismatch": "provider_rejected"} {
		a, _ := apptest.NewDocumented(t, "slack", "", func(*oauthlogin.Options) {})
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			apptest.JSON(http.StatusOK, `{"ok":false,"error":"`+code+`"}`)(w, r)
		})
		b := a.Browser(t)
		if resp := b.Follow("/login"); resp.StatusCode < 400 || !strings.Contains(a.Log.String(), "code="+want) {
			t.Errorf("%s: %d %s", code, resp.StatusCode, a.Log)
		}
	}
}

// LINE signs the ID tokens of web logins with the channel secret, which its metadata does not
// say: as OpenID Connect its logins are refused, and docs/providers.md shows the other way.
func TestLINEAsOpenIDConnect(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(apptest.JOSE("alg", "HS256"))
	b := a.Browser(t)
	a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
}

// An issuer is compared exactly, and the log shows both.
func TestDocumentedIssuers(t *testing.T) {
	t.Parallel()
	for provider, wrong := range map[string]string{"auth0": "https://acme.eu.auth0.com", "salesforce": "https://login.salesforce.com/"} {
		a, _ := apptest.NewDocumented(t, provider, "", func(opts *oauthlogin.Options) { opts.Providers[0].Issuer = wrong })
		b := a.Browser(t)
		if resp := b.Follow("/login"); resp.StatusCode != http.StatusBadGateway || !strings.Contains(a.Log.String(), "trailing slash") {
			t.Errorf("%s: %d %s", provider, resp.StatusCode, a.Log)
		}
	}
}

// identifyDiscord reads the user from Discord's API.
func identifyDiscord(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
	var profile struct {
		ID, Username, Email string
		GlobalName          string `json:"global_name"`
		Verified            bool
	}
	raw, err := readProfile(ctx, client, "https://discord.com/api/users/@me", &profile)
	if err != nil {
		return oauthlogin.User{}, err
	}
	name := profile.GlobalName
	if name == "" {
		name = profile.Username
	}
	return oauthlogin.User{Subject: profile.ID, Name: name, Email: profile.Email, EmailVerified: profile.Verified, RawClaims: raw}, nil
}

// identifyLINE reads the user from LINE's API.
func identifyLINE(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
	var profile struct{ Sub, Name string }
	raw, err := readProfile(ctx, client, "https://api.line.me/oauth2/v2.1/userinfo", &profile)
	return oauthlogin.User{Subject: profile.Sub, Name: profile.Name, RawClaims: raw}, err
}

func readProfile(ctx context.Context, client *http.Client, endpoint string, profile any) (json.RawMessage, error) {
	body, err := apptest.Read(ctx, client, endpoint)
	if err != nil {
		return nil, err
	}
	return body, json.Unmarshal(body, profile)
}
