package apptest

import (
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// A FakeGitHub responds as GitHub does, wherever it is put.
type FakeGitHub struct {
	Token, User, Emails http.HandlerFunc // in place of the usual responses
	API                 string           // path of the API

	Requests map[string][]*http.Request // by path, forms parsed
}

// GitHubToken is the access token of a FakeGitHub.
const GitHubToken = "gho_16C7e42F292c6912E7710c838347Ae178B4a"

// ServeHTTP serves GitHub and its API.
func (g *FakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	g.Requests[r.URL.Path] = append(g.Requests[r.URL.Path], r)
	switch r.URL.Path {
	case "/login/oauth/authorize":
		query := url.Values{"code": {"c0de-of-github"}, "state": {r.Form.Get("state")}}
		http.Redirect(w, r, r.Form.Get("redirect_uri")+"?"+query.Encode(), http.StatusFound)
	case "/login/oauth/access_token":
		g.Token(w, r)
	case g.API + "/user":
		g.asBearer(w, r, g.User)
	case g.API + "/user/emails":
		g.asBearer(w, r, g.Emails)
	default:
		http.NotFound(w, r)
	}
}

func (g *FakeGitHub) asBearer(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Header.Get("Authorization") != "Bearer "+GitHubToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	serve(w, r)
}

// What a FakeGitHub responds with unless told otherwise.
const (
	GitHubUser   = `{"login":"octocat","id":583231,"node_id":"MDQ6VXNlcjU4MzIzMQ==","name":"The Octocat","email":"public@example.com","type":"User"}`
	GitHubEmails = `[{"email":"old@example.com","primary":false,"verified":true,"visibility":null},{"email":"octocat@example.com","primary":true,"verified":true,"visibility":"private"}]`
)

// NewGitHub is an application whose provider is GitHub at authHost, with the
// API at apiHost.
func NewGitHub(t *testing.T, authHost, apiHost, api string) (*App, *FakeGitHub) {
	t.Helper()
	g := &FakeGitHub{
		Token: JSON(200, `{"access_token":"`+GitHubToken+`","scope":"user:email","token_type":"bearer"}`),
		User:  JSON(200, GitHubUser), Emails: JSON(200, GitHubEmails),
		API: api, Requests: map[string][]*http.Request{},
	}
	a := New(t, Config{Change: func(opts *oauthlogin.Options) {
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
	a.Net[authHost], a.Net[apiHost] = g, g
	return a, g
}
