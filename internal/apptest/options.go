package apptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// PlainOAuth makes the provider of opts one without OpenID Connect.
func PlainOAuth(opts *oauthlogin.Options) {
	p := &opts.Providers[0]
	p.OAuth2.Endpoint = oauth2.Endpoint{AuthURL: p.Issuer + "/authorize", TokenURL: p.Issuer + "/token"}
	p.OAuth2.Scopes = []string{"profile"}
	p.Issuer = ""
	p.Identify = func(context.Context, *http.Client) (oauthlogin.User, error) {
		return oauthlogin.User{
			Subject: "12345678", Name: "Alice Archer", Email: "alice@example.com", EmailVerified: true,
			RawClaims: json.RawMessage(`{"login":"alice","id":12345678,"name":"Alice Archer","email":"alice@example.com"}`),
		}, nil
	}
}

// TestSecret is the client secret of ValidOptions and PlainProvider.
const TestSecret = "s3cret-of-the-client"

// ValidOptions are those of an application that nothing serves.
func ValidOptions() oauthlogin.Options {
	return oauthlogin.Options{
		Providers: []oauthlogin.Provider{{
			Name:   "test",
			Issuer: "https://op.example",
			OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: TestSecret, RedirectURL: "https://app.example/auth/callback"},
		}},
		Keys: [][]byte{Key(1)},
	}
}

// PlainProvider is one without OpenID Connect.
func PlainProvider(name, redirectURL string) oauthlogin.Provider {
	return oauthlogin.Provider{
		Name: name,
		OAuth2: &oauth2.Config{
			ClientID: "app", ClientSecret: TestSecret, RedirectURL: redirectURL,
			Endpoint: oauth2.Endpoint{AuthURL: "https://plain.example/authorize", TokenURL: "https://plain.example/token"},
		},
		Identify: func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{}, errors.New("nobody")
		},
	}
}

// ByUserInfo identifies users as an application would.
func ByUserInfo(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
	body, err := Read(ctx, client, "https://provider.test/userinfo")
	if err != nil {
		return oauthlogin.User{}, err
	}
	var claims struct{ Sub, Name string }
	err = json.Unmarshal(body, &claims)
	return oauthlogin.User{Subject: claims.Sub, Name: claims.Name, RawClaims: body}, err
}

func Read(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return body, err
}

// Key is as good as 32 random bytes for a test, and the same every time.
func Key(seed byte) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = seed + byte(i*7)
	}
	return key
}

// NewAuth is oauthlogin.New, which has to succeed.
func NewAuth(t *testing.T, opts oauthlogin.Options) *oauthlogin.Middleware {
	t.Helper()
	auth, err := oauthlogin.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}
