package oauthlogintest_test

import (
	"net/http"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"golang.org/x/oauth2"
)

// An application below a prefix is registered there, with all that the provider sends or leads to.
func TestRegistrationBelowAPrefix(t *testing.T) {
	t.Parallel()
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		registered := p.Registration(base + "/app")
		if registered.OAuth2.RedirectURL != "https://app.test/app/auth/callback" || registered.PostLogoutRedirectURL != "https://app.test/app/" {
			t.Errorf("registered are %s and %s", registered.OAuth2.RedirectURL, registered.PostLogoutRedirectURL)
		}
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), Providers: []oauthlogin.Provider{registered},
			HomePath: "/app/", LoginPath: "/app/login", LogoutPath: "/app/logout",
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/app/me", auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		mux.HandleFunc("/app/{$}", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("POST /app/logout/backchannel", auth.BackChannelLogout)
		return auth.Handler(mux)
	})
	b := site.Browser()
	b.Navigate("/app/me")
	if resp := b.SignIn("alice"); resp.Status != http.StatusOK || resp.URL != site.URL+"/app/me" {
		t.Errorf("the login leads to %s, status %d", resp.URL, resp.Status)
	}
	if resp := b.PostForm("/app/logout", nil); resp.Status != http.StatusOK || resp.URL != site.URL+"/app/" {
		t.Errorf("the logout leads to %s, status %d", resp.URL, resp.Status)
	}
	b.Navigate("/app/me")
	b.SignIn("alice")
	site.Provider.LogOut("alice")
	if resp := b.Fetch("/app/me"); resp.Status != http.StatusUnauthorized {
		t.Errorf("status %d after a logout at the provider", resp.Status)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second base is registered")
		}
	}()
	site.Provider.Registration(site.URL + "/other")
}

// An application that writes its registration out, as production does, is registered at its origin.
func TestRegistrationWrittenOut(t *testing.T) {
	t.Parallel()
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), Providers: []oauthlogin.Provider{{
				Issuer: p.Issuer(),
				OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: "secret", RedirectURL: base + "/auth/callback"},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	})
	if resp := site.SignIn("alice").Fetch("/"); resp.Status != http.StatusOK {
		t.Errorf("status %d", resp.Status)
	}
}
