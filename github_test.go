package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// A fakeGitHub answers as GitHub does, wherever it is put.
type fakeGitHub struct {
	token, user, emails http.HandlerFunc // in place of the usual answers
	api                 string           // path of the API

	requests map[string][]*http.Request // by path, forms parsed
}

const gitHubToken = "gho_16C7e42F292c6912E7710c838347Ae178B4a"

func (g *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	g.requests[r.URL.Path] = append(g.requests[r.URL.Path], r)
	switch r.URL.Path {
	case "/login/oauth/authorize":
		answer := url.Values{"code": {"c0de-of-github"}, "state": {r.Form.Get("state")}}
		http.Redirect(w, r, r.Form.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	case "/login/oauth/access_token":
		g.token(w, r)
	case g.api + "/user":
		g.asBearer(w, r, g.user)
	case g.api + "/user/emails":
		g.asBearer(w, r, g.emails)
	default:
		http.NotFound(w, r)
	}
}

func (g *fakeGitHub) asBearer(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Header.Get("Authorization") != "Bearer "+gitHubToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	serve(w, r)
}

// says answers with a status and a body of JSON.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const (
	gitHubUser   = `{"login":"octocat","id":583231,"node_id":"MDQ6VXNlcjU4MzIzMQ==","name":"The Octocat","email":"public@example.com","type":"User"}`
	gitHubEmails = `[{"email":"old@example.com","primary":false,"verified":true,"visibility":null},{"email":"octocat@example.com","primary":true,"verified":true,"visibility":"private"}]`
)

// newGitHubApp is an application whose provider is GitHub at authHost, with the
// API at apiHost.
func newGitHubApp(t *testing.T, authHost, apiHost, api string) (*wiredApp, *fakeGitHub) {
	t.Helper()
	g := &fakeGitHub{
		token: says(200, `{"access_token":"`+gitHubToken+`","scope":"user:email","token_type":"bearer"}`),
		user:  says(200, gitHubUser), emails: says(200, gitHubEmails),
		api: api, requests: map[string][]*http.Request{},
	}
	a := newWiredApp(t, offline{change: func(opts *oauthlogin.Options) {
		client := *opts.Providers[0].OAuth2
		client.Scopes = nil
		if authHost != "github.com" {
			client.Endpoint = oauth2.Endpoint{
				AuthURL:  "https://" + authHost + "/login/oauth/authorize",
				TokenURL: "https://" + authHost + "/login/oauth/access_token",
			}
		}
		opts.Providers[0] = oauthlogin.GitHub(&client)
	}})
	a.net[authHost], a.net[apiHost] = g, g
	return a, g
}

func newEnterpriseApp(t *testing.T) (*wiredApp, *fakeGitHub) {
	return newGitHubApp(t, "git.test", "git.test", "/api/v3")
}

// GitHub.com, GHE.com and a server of one's own have their APIs in different
// places.
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
			a, g := newGitHubApp(t, tt.authHost, tt.apiHost, tt.api)
			b := a.browser(t)
			user := userOf(t, b.login("/dashboard"))
			user.RawClaims = nil
			want := oauthlogin.User{
				Provider: "github", Issuer: "https://" + tt.authHost, Subject: "583231",
				Name: "The Octocat", Email: "octocat@example.com", EmailVerified: true,
			}
			if fmt.Sprint(user) != fmt.Sprint(want) {
				t.Errorf("user is %+v", user)
			}
			// Minimal scopes: RFC 9700 section 2.3.
			if scope := g.requests["/login/oauth/authorize"][0].Form["scope"]; len(scope) != 1 || scope[0] != "user:email" {
				t.Errorf("scope is %q", scope)
			}
			tokens := g.requests["/login/oauth/access_token"]
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
			if n := len(g.requests[tt.api+"/user"]) + len(g.requests[tt.api+"/user/emails"]); n != 2 {
				t.Errorf("%d API requests", n)
			}
			// Tokens of OAuth apps do not expire.
			if got := b.get("/token").body; got != "unknown" {
				t.Errorf("token: %s", got)
			}
			if log := a.log.String(); strings.Contains(log, gitHubToken) || strings.Contains(log, "c0de-of-github") || strings.Contains(log, "@example.com") {
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
		{"no name", says(200, `{"login":"octocat","id":1,"name":null}`), nil, "1", "octocat", "octocat@example.com"},
		{"an empty name", says(200, `{"login":"octocat","id":1,"name":""}`), nil, "1", "octocat", "octocat@example.com"},
		{"an id of 53 bits", says(200, `{"login":"octocat","id":9007199254740993}`), nil, "9007199254740993", "octocat", "octocat@example.com"},

		{"primary not verified", nil, says(200, `[{"email":"a@example.com","primary":true,"verified":false},{"email":"b@example.com","primary":false,"verified":true}]`), "583231", "The Octocat", ""},
		{"verified as a string", nil, says(200, `[{"email":"a@example.com","primary":true,"verified":"true"}]`), "", "", ""},
		{"no primary", nil, says(200, `[{"email":"b@example.com","primary":false,"verified":true}]`), "583231", "The Octocat", ""},
		{"no addresses", nil, says(200, `[]`), "583231", "The Octocat", ""},
		{"403 for addresses", nil, says(403, `{"message":"hostile"}`), "583231", "The Octocat", ""},
		{"404 for addresses", nil, says(404, `{"message":"hostile"}`), "583231", "The Octocat", ""},
		{"401 for addresses", nil, says(401, `{"message":"hostile"}`), "", "", ""},
		{"500 for addresses", nil, says(500, `{"message":"hostile"}`), "", "", ""},
		{"a redirect for addresses", nil, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/evil", http.StatusMovedPermanently)
		}, "", "", ""},
		{"addresses that are an object", nil, says(200, `{"message":"hostile"}`), "", "", ""},
		{"addresses that are a page", nil, says(200, hostile), "", "", ""},

		{"no id", says(200, `{"login":"octocat"}`), nil, "", "", ""},
		{"id 0", says(200, `{"login":"octocat","id":0}`), nil, "", "", ""},
		{"a negative id", says(200, `{"login":"octocat","id":-1}`), nil, "", "", ""},
		{"an id that is a string", says(200, `{"login":"octocat","id":"583231"}`), nil, "", "", ""},
		{"an id past 64 bits", says(200, `{"login":"octocat","id":18446744073709551617}`), nil, "", "", ""},
		{"401 for the user", says(401, `{"message":"hostile"}`), nil, "", "", ""},
		{"500 for the user", says(500, `{"message":"hostile"}`), nil, "", "", ""},
		{"a redirect for the user", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/evil", http.StatusFound)
		}, nil, "", "", ""},
		{"a page for the user", says(200, hostile), nil, "", "", ""},
		{"a list for the user", says(200, `[{"id":1}]`), nil, "", "", ""},
		{"2 MiB for the user", says(200, `{"id":1,"name":"`+strings.Repeat("a", 2<<20)+`"}`), nil, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, g := newEnterpriseApp(t)
			a.net["evil.test"] = a.count(func(http.ResponseWriter, *http.Request) {})
			if tt.user != nil {
				g.user = tt.user
			}
			if tt.emails != nil {
				g.emails = tt.emails
			}
			b := a.browser(t)
			if tt.subject == "" {
				a.refused(t, b, failingLogin(b), http.StatusBadGateway, "provider_")
				g.user, g.emails = says(200, gitHubUser), says(200, gitHubEmails)
				b.login("/dashboard")
			} else {
				user := userOf(t, b.login("/dashboard"))
				if user.Subject != tt.subject || user.Name != tt.shown || user.Email != tt.mail || user.EmailVerified != (tt.mail != "") {
					t.Errorf("user is %+v", user)
				}
				var claims object
				if err := user.Claims(&claims); err != nil || claims["login"] != "octocat" {
					t.Errorf("claims are %s: %v", user.RawClaims, err)
				}
			}
			if a.called("/evil") > 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// GitHub answers errors with status 200: passport-oauth2 CVE-2021-41580.
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
		{"bad_verification_code", says(200, `{"error":"bad_verification_code","error_description":"hostile"}`), 400, "invalid_grant"},
		{"bad_verification_code in a form", asForm("error=bad_verification_code" + text), 400, "invalid_grant"},
		{"incorrect_client_credentials", says(200, `{"error":"incorrect_client_credentials","error_description":"hostile"}`), 502, "provider_rejected"},
		{"redirect_uri_mismatch in a form", asForm("error=redirect_uri_mismatch" + text), 502, "provider_rejected"},
		{"404", says(404, `{"error":"Not Found"}`), 502, "provider_rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, g := newEnterpriseApp(t)
			usual := g.token
			g.token = tt.token
			b := a.browser(t)
			a.refused(t, b, failingLogin(b), tt.status, tt.code)
			if n := len(g.requests["/login/oauth/access_token"]); n != 1 || len(g.requests["/api/v3/user"]) > 0 {
				t.Errorf("%d token requests, %d API requests", n, len(g.requests["/api/v3/user"]))
			}
			g.token = usual
			b.login("/dashboard")
		})
	}
	t.Run("tokens in a form", func(t *testing.T) {
		a, g := newEnterpriseApp(t)
		g.token = asForm("access_token=" + gitHubToken + "&scope=user%3Aemail&token_type=bearer")
		b := a.browser(t)
		b.login("/dashboard")
		if got := b.get("/token").body; got != "unknown" {
			t.Errorf("token: %s", got)
		}
	})
	t.Run("tokens that expire, of a GitHub App", func(t *testing.T) {
		a, g := newEnterpriseApp(t)
		answer, _ := json.Marshal(object{
			"access_token": gitHubToken, "expires_in": 28800, "refresh_token": "ghr_0123456789", "refresh_token_expires_in": 15897600,
			"scope": "", "token_type": "bearer",
		})
		g.token = says(200, string(answer))
		b := a.browser(t)
		b.login("/dashboard")
		if got := b.get("/token").body; !strings.HasPrefix(got, "7h59m") && got != "8h0m0s" {
			t.Errorf("token: %s", got)
		}
	})
}
