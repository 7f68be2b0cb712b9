package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func newEnterpriseApp(t *testing.T) (*apptest.App, *apptest.FakeGitHub) {
	return apptest.NewGitHub(t, "git.test", "git.test", "/api/v3")
}

// GitHub.com, GHE.com and GitHub Enterprise Server have their APIs in different places.
func TestGitHub(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ authHost, apiHost, api string }{
		{"github.com", "api.github.com", ""},
		{"octocorp.ghe.com", "api.octocorp.ghe.com", ""},
		{"git.test", "git.test", "/api/v3"},
		{"git.test:8443", "git.test:8443", "/api/v3"},
		{"github.com.test", "github.com.test", "/api/v3"},
		{"notghe.com", "notghe.com", "/api/v3"},
	} {
		t.Run(tt.authHost, func(t *testing.T) {
			a, g := apptest.NewGitHub(t, tt.authHost, tt.apiHost, tt.api)
			b := a.Browser(t)
			user := apptest.UserOf(t, b.Login("/dashboard"))
			user.RawClaims = nil
			want := oauthlogin.User{
				Provider: "github", Issuer: "https://" + tt.authHost, Subject: "583231",
				Name: "The Octocat", Email: "octocat@example.com", EmailVerified: true,
			}
			if fmt.Sprint(user) != fmt.Sprint(want) {
				t.Errorf("user is %+v", user)
			}
			// Minimal scopes: RFC 9700 section 2.3.
			if scope := g.Requests["/login/oauth/authorize"][0].Form["scope"]; len(scope) != 1 || scope[0] != "user:email" {
				t.Errorf("scope is %q", scope)
			}
			tokens := g.Requests["/login/oauth/access_token"]
			if len(tokens) != 1 {
				t.Fatalf("%d token requests", len(tokens))
			}
			r := tokens[0]
			if r.Header.Get("Authorization") != "" || r.PostForm.Get("client_secret") != "s3cret-of-the-app" || r.PostForm.Get("client_id") != "app" {
				t.Errorf("token request has Authorization %q, form %v", r.Header.Get("Authorization"), r.PostForm)
			}
			if r.PostForm.Get("code_verifier") == "" || r.Header.Get("Accept") != "application/json" {
				t.Errorf("token request has form %v, Accept %q", r.PostForm, r.Header.Get("Accept"))
			}
			if n := len(g.Requests[tt.api+"/user"]) + len(g.Requests[tt.api+"/user/emails"]); n != 2 {
				t.Errorf("%d API requests", n)
			}
			// Tokens of OAuth apps do not expire.
			if got := b.Get("/token").Text; got != "unknown" {
				t.Errorf("token: %s", got)
			}
			if log := a.Log.String(); strings.Contains(log, apptest.GitHubToken) || strings.Contains(log, "c0de-of-github") || strings.Contains(log, "@example.com") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestGitHubUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                 string
		user, emails         http.HandlerFunc // nil: as usual
		subject, shown, mail string           // subject "": refused
	}{
		{"no name", apptest.JSON(200, `{"login":"octocat","id":1,"name":null}`), nil, "1", "octocat", "octocat@example.com"},
		{"an empty name", apptest.JSON(200, `{"login":"octocat","id":1,"name":""}`), nil, "1", "octocat", "octocat@example.com"},
		{"an id of 53 bits", apptest.JSON(200, `{"login":"octocat","id":9007199254740993}`), nil, "9007199254740993", "octocat", "octocat@example.com"},

		{"primary not verified", nil, apptest.JSON(200, `[{"email":"a@example.com","primary":true,"verified":false},{"email":"b@example.com","primary":false,"verified":true}]`), "583231", "The Octocat", ""},
		{"verified as a string", nil, apptest.JSON(200, `[{"email":"a@example.com","primary":true,"verified":"true"}]`), "", "", ""},
		{"no primary", nil, apptest.JSON(200, `[{"email":"b@example.com","primary":false,"verified":true}]`), "583231", "The Octocat", ""},
		{"no addresses", nil, apptest.JSON(200, `[]`), "583231", "The Octocat", ""},
		{"403 for addresses", nil, apptest.JSON(403, `{"message":"hostile"}`), "583231", "The Octocat", ""},
		{"404 for addresses", nil, apptest.JSON(404, `{"message":"hostile"}`), "583231", "The Octocat", ""},
		{"401 for addresses", nil, apptest.JSON(401, `{"message":"hostile"}`), "", "", ""},
		{"500 for addresses", nil, apptest.JSON(500, `{"message":"hostile"}`), "", "", ""},
		{"a redirect for addresses", nil, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/evil", http.StatusMovedPermanently)
		}, "", "", ""},
		{"addresses that are an object", nil, apptest.JSON(200, `{"message":"hostile"}`), "", "", ""},
		{"addresses that are a page", nil, apptest.JSON(200, apptest.Hostile), "", "", ""},

		{"no id", apptest.JSON(200, `{"login":"octocat"}`), nil, "", "", ""},
		{"id 0", apptest.JSON(200, `{"login":"octocat","id":0}`), nil, "", "", ""},
		{"a negative id", apptest.JSON(200, `{"login":"octocat","id":-1}`), nil, "", "", ""},
		{"an id that is a string", apptest.JSON(200, `{"login":"octocat","id":"583231"}`), nil, "", "", ""},
		{"an id past 64 bits", apptest.JSON(200, `{"login":"octocat","id":18446744073709551617}`), nil, "", "", ""},
		{"401 for the user", apptest.JSON(401, `{"message":"hostile"}`), nil, "", "", ""},
		{"500 for the user", apptest.JSON(500, `{"message":"hostile"}`), nil, "", "", ""},
		{"a redirect for the user", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/evil", http.StatusFound)
		}, nil, "", "", ""},
		{"a page for the user", apptest.JSON(200, apptest.Hostile), nil, "", "", ""},
		{"a list for the user", apptest.JSON(200, `[{"id":1}]`), nil, "", "", ""},
		{"2 MiB for the user", apptest.JSON(200, `{"id":1,"name":"`+strings.Repeat("a", 2<<20)+`"}`), nil, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, g := newEnterpriseApp(t)
			a.Net["evil.test"] = a.Count(func(http.ResponseWriter, *http.Request) {})
			if tt.user != nil {
				g.User = tt.user
			}
			if tt.emails != nil {
				g.Emails = tt.emails
			}
			b := a.Browser(t)
			if tt.subject == "" {
				a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_")
				g.User, g.Emails = apptest.JSON(200, apptest.GitHubUser), apptest.JSON(200, apptest.GitHubEmails)
				b.Login("/dashboard")
			} else {
				user := apptest.UserOf(t, b.Login("/dashboard"))
				if user.Subject != tt.subject || user.Name != tt.shown || user.Email != tt.mail || user.EmailVerified != (tt.mail != "") {
					t.Errorf("user is %+v", user)
				}
				var claims map[string]any
				if err := user.Claims(&claims); err != nil || claims["login"] != "octocat" {
					t.Errorf("claims are %s: %v", user.RawClaims, err)
				}
			}
			if a.Called("/evil") > 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// GitHub sends errors with status 200: CVE-2021-41580 of passport-oauth2.
func TestGitHubTokenErrors(t *testing.T) {
	t.Parallel()
	const text = "&error_description=hostile&error_uri=https%3A%2F%2Fevil.test"
	asForm := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name   string
		token  http.HandlerFunc
		status int
		code   string
	}{
		{"bad_verification_code in a form", asForm("error=bad_verification_code" + text), 400, "invalid_grant"},
		{"incorrect_client_credentials", apptest.JSON(200, `{"error":"incorrect_client_credentials","error_description":"hostile"}`), 502, "provider_rejected"},
		{"redirect_uri_mismatch in a form", asForm("error=redirect_uri_mismatch" + text), 502, "provider_rejected"},
		{"404", apptest.JSON(404, `{"error":"Not Found"}`), 502, "provider_rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, g := newEnterpriseApp(t)
			usual := g.Token
			g.Token = tt.token
			b := a.Browser(t)
			a.Refused(t, b, b.TryLogin(), tt.status, tt.code)
			if n := len(g.Requests["/login/oauth/access_token"]); n != 1 || len(g.Requests["/api/v3/user"]) > 0 {
				t.Errorf("%d token requests, %d API requests", n, len(g.Requests["/api/v3/user"]))
			}
			g.Token = usual
			b.Login("/dashboard")
		})
	}
	t.Run("tokens in a form", func(t *testing.T) {
		a, g := newEnterpriseApp(t)
		g.Token = asForm("access_token=" + apptest.GitHubToken + "&scope=user%3Aemail&token_type=bearer")
		b := a.Browser(t)
		b.Login("/dashboard")
		if got := b.Get("/token").Text; got != "unknown" {
			t.Errorf("token: %s", got)
		}
	})
	t.Run("tokens that expire, of a GitHub App", func(t *testing.T) {
		a, g := newEnterpriseApp(t)
		tokens, _ := json.Marshal(map[string]any{
			"access_token": apptest.GitHubToken, "expires_in": 28800, "refresh_token": "ghr_0123456789", "refresh_token_expires_in": 15897600,
			"scope": "", "token_type": "bearer",
		})
		g.Token = apptest.JSON(200, string(tokens))
		b := a.Browser(t)
		b.Login("/dashboard")
		if got := b.Get("/token").Text; !strings.HasPrefix(got, "7h59m") && got != "8h0m0s" {
			t.Errorf("token: %s", got)
		}
	})
}

// A login asks for offline access, and for no consent page beyond the first.
func TestGoogle(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{
		Provider: oauthlogintest.Config{Issuer: "https://accounts.google.com"},
		Change: func(opts *oauthlogin.Options) {
			client := *opts.Providers[0].OAuth2
			client.Scopes = nil
			opts.Providers[0] = oauthlogin.Google(&client)
		},
	})
	a.Net["accounts.google.com"] = a.Provider
	b := a.Browser(t)
	resp, _ := b.StartLogin("/login?return_to=/dashboard")
	query := apptest.QueryOf(resp.Location())
	if query.Get("access_type") != "offline" || query.Has("prompt") || query.Get("scope") != "openid profile email" {
		t.Errorf("asks Google %v", query)
	}
	user := apptest.UserOf(t, b.Login("/dashboard"))
	if user.Provider != "google" || user.Issuer != "https://accounts.google.com" || user.Subject != "alice" {
		t.Errorf("user is %+v", user)
	}
}

func TestGoogleLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	client := &oauth2.Config{ClientID: "app", Scopes: []string{"openid"}, RedirectURL: "https://app.test/auth/callback"}
	p := oauthlogin.Google(client)
	p.OAuth2.Scopes[0], p.OAuth2.ClientID = "changed", "changed"
	if client.ClientID != "app" || !slices.Equal(client.Scopes, []string{"openid"}) {
		t.Errorf("the argument became %+v", client)
	}
	_, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{apptest.Key(1)}, Providers: []oauthlogin.Provider{oauthlogin.Google(nil)}})
	if err == nil {
		t.Error("a provider without a client is accepted")
	}
	auth, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{apptest.Key(1)}, Providers: []oauthlogin.Provider{oauthlogin.Google(client)}})
	if err != nil || auth.Handler(http.NotFoundHandler()) == nil {
		t.Error(err)
	}
}
