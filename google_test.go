package oauthlogin_test

import (
	"net/http"
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

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
