package oauthlogintest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
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

func TestRegistration(t *testing.T) {
	t.Parallel()
	p, err := oauthlogintest.New(oauthlogintest.Config{Issuer: "https://login.example", Clients: []oauthlogintest.Client{
		{ID: "other", RedirectURIs: []string{"https://other.example/cb"}},
		{ID: "shop", Secret: "s", RedirectURIs: []string{"com.example:/cb", "https://shop.example/in"}, PostLogoutRedirectURIs: []string{"https://shop.example/out"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Registration("https://shop.example")
	if got.Issuer != "https://login.example" || got.OAuth2.ClientID != "shop" || got.OAuth2.ClientSecret != "s" ||
		got.OAuth2.RedirectURL != "https://shop.example/in" || got.PostLogoutRedirectURL != "https://shop.example/out" {
		t.Errorf("registration %+v", got.OAuth2)
	}
	defer func() {
		if s := fmt.Sprint(recover()); !strings.Contains(s, `"https://shop.exam"`) {
			t.Errorf("panic %q", s)
		}
	}()
	p.Registration("https://shop.exam")
}

func TestDefaultRegistration(t *testing.T) {
	t.Parallel()
	p, err := oauthlogintest.New(oauthlogintest.Config{Issuer: "https://login.example"})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Registration("https://app.test/")
	if got.OAuth2.ClientID != "app" || got.OAuth2.ClientSecret != "secret" || got.OAuth2.RedirectURL != "https://app.test/auth/callback" ||
		got.PostLogoutRedirectURL != "https://app.test/" || strings.Join(got.OAuth2.Scopes, " ") != "openid profile email" {
		t.Errorf("registration %+v", got.OAuth2)
	}
	if again := p.Registration("https://app.test"); again.OAuth2.RedirectURL != got.OAuth2.RedirectURL {
		t.Errorf("registration %+v", again.OAuth2)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second origin is registered")
		}
	}()
	p.Registration("https://two.test")
}

// Registration and HTTPClient work with a provider on a socket, too.
func TestStartedProviderRegisters(t *testing.T) {
	t.Parallel()
	p := oauthlogintest.Start(oauthlogintest.Config{})
	t.Cleanup(p.Close)
	p.AutoApprove("alice")
	app := httptest.NewUnstartedServer(nil)
	base := "http://" + app.Listener.Addr().String()
	auth, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), Providers: []oauthlogin.Provider{p.Registration(base)}})
	if err != nil {
		t.Fatal(err)
	}
	app.Config.Handler = auth.RequireAuth(http.HandlerFunc(showUser))
	app.Start()
	t.Cleanup(app.Close)
	b := newBrowser(t)
	b.CheckRedirect = nil
	if resp := b.get(base + "/dashboard"); !strings.Contains(resp.body, `"Subject":"alice"`) {
		t.Errorf("%d %s", resp.StatusCode, resp.body)
	}
}
