package demo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestProvider(t *testing.T) {
	t.Setenv("OAUTH_ISSUER", "")
	login, stop := demo.Provider("http://localhost:3000", oauthlogintest.Config{})
	defer stop()
	if login.OAuth2.RedirectURL != "http://localhost:3000/auth/callback" || login.PostLogoutRedirectURL != "http://localhost:3000/" {
		t.Errorf("registered are %s and %s", login.OAuth2.RedirectURL, login.PostLogoutRedirectURL)
	}
	metadata := login.Issuer + "/.well-known/openid-configuration"
	resp, err := http.Get(metadata)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(login.Issuer, "http://127.0.0.1:") {
		t.Errorf("%s: status %d", metadata, resp.StatusCode)
	}
	stop()
	if _, err := http.Get(metadata); err == nil {
		t.Error("the provider still runs after stop")
	}
}

func TestProviderFromEnvironment(t *testing.T) {
	t.Setenv("OAUTH_ISSUER", "https://login.example.com")
	t.Setenv("OAUTH_CLIENT_ID", "app")
	t.Setenv("OAUTH_CLIENT_SECRET", "a secret")
	login, stop := demo.Provider("http://localhost:3000", oauthlogintest.Config{})
	defer stop()
	if login.Issuer != "https://login.example.com" || login.OAuth2.ClientID != "app" || login.OAuth2.ClientSecret != "a secret" ||
		login.OAuth2.RedirectURL != "http://localhost:3000/auth/callback" {
		t.Errorf("the provider is %s, with the client %s and the redirect URI %s", login.Issuer, login.OAuth2.ClientID, login.OAuth2.RedirectURL)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	for _, user := range demo.Users() {
		if user.Name == "" || !user.EmailVerified || user.Email != user.Subject+"@example.com" || user.Claims["groups"] == nil {
			t.Errorf("%+v", user)
		}
	}
}
