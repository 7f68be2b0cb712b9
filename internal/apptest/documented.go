package apptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A Fixture is what the public documentation of a provider says about it, in a file. A
// member that is null is one that the provider leaves out.
type Fixture struct {
	Source             []string                 // where
	Metadata           map[string]any           `json:"metadata"`
	IDToken            map[string]any           `json:"id_token"`
	UserInfo           map[string]any           `json:"userinfo"`
	Token              map[string]any           `json:"token"`
	Profile            json.RawMessage          `json:"profile"` // of plain OAuth 2.0, at profileURL of NewDocumented
	NoNewRefreshToken  bool                     `json:"no_new_refresh_token"`
	NoIDTokenAtRefresh bool                     `json:"no_id_token_at_refresh"`
	Endpoint           func(name string) string `json:"-"` // of the metadata
}

// endpointPaths are those of an oauthlogintest.Provider below its issuer.
var endpointPaths = map[string]string{
	"authorization_endpoint": "/authorize", "token_endpoint": "/token", "userinfo_endpoint": "/userinfo", "jwks_uri": "/jwks",
	"revocation_endpoint": "/revoke", "end_session_endpoint": "/end_session",
}

// NewDocumented is New with a provider that has the endpoints, and says what a file of
// testdata/providers has. change gets the application's options and the fixture. profileURL is
// where a plain OAuth 2.0 provider has the profile, "" with OpenID Connect.
func NewDocumented(t *testing.T, name, profileURL string, change func(*oauthlogin.Options)) (*App, *Fixture) {
	t.Helper()
	text, err := os.ReadFile("testdata/providers/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	d := &Fixture{}
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatal(err)
	}
	if len(d.Source) == 0 {
		t.Fatalf("%s has no source", name)
	}
	d.Endpoint = func(name string) string { endpoint, _ := d.Metadata[name].(string); return endpoint }
	issuer := d.Endpoint("issuer")
	if profileURL != "" {
		issuer = originOf(d.Endpoint("authorization_endpoint"))
	}
	a := New(t, Config{KeyAlg: "RS256", Provider: oauthlogintest.Config{Issuer: issuer}, Change: func(opts *oauthlogin.Options) {
		p := &opts.Providers[0]
		p.Name, p.Issuer = name, d.Endpoint("issuer")
		if profileURL != "" {
			p.OAuth2.Endpoint = oauth2.Endpoint{AuthURL: d.Endpoint("authorization_endpoint"), TokenURL: d.Endpoint("token_endpoint")}
		}
		change(opts)
	}})
	path := strings.TrimSuffix(mustParse(t, issuer).Path, "/")
	routes := map[string]http.Handler{}
	serve := func(endpoint string, h http.Handler) {
		u := mustParse(t, endpoint)
		routes[u.Host+u.Path] = h
		a.Net[u.Host] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h := routes[u.Host+r.URL.Path]; h != nil {
				h.ServeHTTP(w, r)
				return
			}
			http.NotFound(w, r)
		})
	}
	at := func(to string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = path + to
			a.Provider.ServeHTTP(w, r)
		})
	}
	for member, to := range endpointPaths {
		if endpoint := d.Endpoint(member); endpoint != "" {
			serve(endpoint, at(to))
		}
	}
	if profileURL != "" {
		serve(profileURL, JSON(http.StatusOK, string(d.Profile)))
	} else {
		document, _ := json.Marshal(d.Metadata)
		serve(strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", JSON(http.StatusOK, string(document)))
	}
	a.Provider.EditAuthorizationResponse(func(params url.Values) { params.Del("iss") })
	a.Provider.EditIDToken(func(_, claims map[string]any) {
		delete(claims, "sid")
		overlay(claims, d.IDToken)
	})
	a.Provider.EditUserInfo(func(claims map[string]any) {
		overlay(claims, d.UserInfo)
		if sub, ok := d.IDToken["sub"]; ok {
			claims["sub"] = sub
		}
	})
	issued := 0
	a.Provider.EditTokenResponse(func(tokens map[string]any) {
		overlay(tokens, d.Token)
		if issued++; issued == 1 {
			return
		}
		if d.NoNewRefreshToken {
			delete(tokens, "refresh_token")
		}
		if d.NoIDTokenAtRefresh {
			delete(tokens, "id_token")
		}
	})
	return a, d
}

// overlay copies members, and deletes those that are null.
func overlay(to, from map[string]any) {
	maps.Copy(to, from)
	maps.DeleteFunc(to, func(_ string, value any) bool { return value == nil })
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func originOf(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
