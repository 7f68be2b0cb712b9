package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func run(t *testing.T) *oauthlogintest.Site {
	t.Helper()
	cfg := oauthlogintest.Config{JWTAccessTokens: true, Resources: []string{"https://app.test/api/"}}
	return oauthlogintest.Run(t, cfg, func(base string, p *oauthlogintest.Provider) http.Handler {
		app, err := newApp(base, "a secret of the tests, over 32 bytes long", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return app
	})
}

func want(t *testing.T, resp *oauthlogintest.Response, status int, path, text string) {
	t.Helper()
	if resp.Status != status || resp.URL != "https://app.test"+path || !strings.Contains(resp.Body, text) {
		t.Fatalf("at %s with status %d; want %s with status %d and %q:\n%s", resp.URL, resp.Status, path, status, text, resp.Body)
	}
}

// asked returns the parameters with which the browser has come to the sign-in page.
func asked(t *testing.T, p *oauthlogintest.Provider, resp *oauthlogintest.Response) url.Values {
	t.Helper()
	u, err := url.Parse(resp.URL)
	if err != nil || !strings.HasPrefix(resp.URL, p.Issuer()) {
		t.Fatalf("at %s with status %d, not at the sign-in page:\n%s", resp.URL, resp.Status, resp.Body)
	}
	return u.Query()
}

func TestAPIWantsAScope(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site := run(t)
		alice := site.SignIn("alice")
		script := alice.Fetch("/address")
		want(t, script, 401, "/address", `"error":"insufficient_scope"`)
		if got := asked(t, site.Provider, alice.Navigate("/address")).Get("scope"); got != "openid profile email" {
			t.Errorf("the provider is asked for the scopes %q", got)
		}
		want(t, alice.SignIn("alice"), 200, "/address", "Letters to alice")
		want(t, alice.Navigate("/address"), 200, "/address", "Letters to alice")
	})
}

func TestAPIWantsAnotherSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site := run(t)
		alice := site.SignIn("alice")
		want(t, alice.Fetch("/payments"), 401, "/payments", `"error":"insufficient_user_authentication"`)
		params := asked(t, site.Provider, alice.Navigate("/payments"))
		if params.Get("acr_values") != "phr" || params.Get("max_age") != "300" {
			t.Errorf("the provider is asked for %v", params)
		}
		want(t, alice.SignIn("alice"), 200, "/payments", "alice has paid")
		time.Sleep(4 * time.Minute)
		want(t, alice.Navigate("/payments"), 200, "/payments", "alice has paid")
		time.Sleep(2 * time.Minute)
		asked(t, site.Provider, alice.Navigate("/payments"))
	})
}

func TestDeletingWantsARecentSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site := run(t)
		alice := site.SignIn("alice")
		want(t, alice.Navigate("/delete"), 200, "/delete", `<form method="post">`)
		time.Sleep(3 * time.Minute)
		want(t, alice.PostForm("/delete", nil), 401, "/delete", "/login?")
		if got := asked(t, site.Provider, alice.Navigate("/delete")).Get("max_age"); got != "60" {
			t.Errorf("the provider is asked for max_age %q", got)
		}
		want(t, alice.SignIn("alice"), 200, "/delete", `<form method="post">`)
		want(t, alice.PostForm("/delete", nil), 200, "/delete", "deleted")
		want(t, alice.Fetch("/address"), 401, "/address", `"error":"unauthenticated"`)
	})
}

// The API takes no token but those for itself.
func TestAPIWantsItsOwnTokens(t *testing.T) {
	t.Parallel()
	site := run(t)
	var issued string // the login's, which is for the provider's own user info
	site.Provider.EditTokenResponse(func(resp map[string]any) { issued, _ = resp["access_token"].(string) })
	alice := site.SignIn("alice")
	if issued == "" {
		t.Fatal("the login brought no access token")
	}
	for _, token := range []string{"", issued} {
		r, _ := http.NewRequest(http.MethodGet, "/api/address", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		resp := alice.Do(r)
		want(t, resp, 401, "/api/address", "invalid_token")
		if got := resp.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
			t.Errorf("WWW-Authenticate: %s", got)
		}
	}
}
