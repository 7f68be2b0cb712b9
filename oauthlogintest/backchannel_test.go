package oauthlogintest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func wantSignedIn(t *testing.T, name string, b *oauthlogintest.Browser, want bool) {
	t.Helper()
	if got := b.Fetch("/dashboard").Status == http.StatusOK; got != want {
		t.Errorf("%s: signed in %t, want %t", name, got, want)
	}
}

// A provider ends one session of a user who has two, and then all.
func TestLogOutOfAnApplication(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site := runShop(t)
		phone, laptop, bob := site.SignIn("alice"), site.SignIn("alice"), site.SignIn("bob")
		phone.SignOutAtProvider()
		wantSignedIn(t, "phone", phone, false)
		wantSignedIn(t, "laptop", laptop, true)
		phone.SignIn("alice")
		wantSignedIn(t, "phone again", phone, true)
		time.Sleep(30 * time.Minute)
		if err := site.Provider.LogOut("alice"); err != nil {
			t.Fatal(err)
		}
		wantSignedIn(t, "phone", phone, false)
		wantSignedIn(t, "laptop", laptop, false)
		wantSignedIn(t, "bob", bob, true)
		laptop.SignIn("alice")
		wantSignedIn(t, "laptop again", laptop, true)
	})
}

// LogOut ends the sessions at the provider itself, too, and says what goes wrong.
func TestLogOut(t *testing.T) {
	t.Parallel()
	site := runShop(t)
	p := site.Provider
	p.RememberUsers(true)
	alice, bob := site.SignIn("alice"), site.SignIn("bob")
	if err := p.LogOut("alice"); err != nil {
		t.Fatal(err)
	}
	if resp := alice.Navigate("/dashboard"); strings.HasPrefix(resp.URL, site.URL) {
		t.Errorf("alice came to %s", resp.URL)
	}
	p.EditLogoutToken(func(_, claims map[string]any) { delete(claims, "jti") })
	if err := p.LogOut("bob"); err == nil || !strings.Contains(err.Error(), "https://app.test/logout/backchannel responds to the logout token with 400") || !strings.Contains(err.Error(), "invalid_request") {
		t.Errorf("a token without a jti: %v", err)
	}
	wantSignedIn(t, "bob", bob, true)
	p.EditLogoutToken(func(header, _ map[string]any) { header["alg"] = "none" })
	if err := p.LogOut("bob"); err == nil {
		t.Error("a token without a signature is accepted")
	}
	p.EditLogoutToken(nil)
	wantSignedIn(t, "bob", bob, true)

	wantFatal(t, func(t testing.TB) { runShop(t).Browser().SignOutAtProvider() }, "no session at the provider")
	wantFatal(t, func(t testing.TB) {
		site := runShop(t)
		b := site.SignIn("alice")
		site.Provider.EditLogoutToken(func(_, claims map[string]any) { claims["nonce"] = "n" })
		b.SignOutAtProvider()
	}, "responds to the logout token with 400")
	if err := start(t).LogOut("alice"); err == nil || !strings.Contains(err.Error(), "no client has a BackChannelLogoutURI") {
		t.Errorf("without an application: %v", err)
	}
}

// OpenID Connect Back-Channel Logout section 2.4, to each client that wants it.
func TestLogoutToken(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	var tokens []string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || len(r.URL.RawQuery) > 0 || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		tokens = append(tokens, r.PostFormValue("logout_token"))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer app.Close()
	p := start(t, func(c *oauthlogintest.Config) {
		c.Clients[0].BackChannelLogoutURI = app.URL + "/one"
		c.Clients[1].BackChannelLogoutURI = app.URL + "/two"
	})
	for _, tt := range []struct {
		status int
		ok     bool
	}{{http.StatusOK, true}, {http.StatusNoContent, true}, {http.StatusFound, false}, {http.StatusBadRequest, false}, {http.StatusServiceUnavailable, false}} {
		status = tt.status
		if err := p.LogOut("alice"); (err == nil) != tt.ok {
			t.Errorf("%d: %v", tt.status, err)
		}
	}
	if len(tokens) != 10 {
		t.Fatalf("%d tokens", len(tokens))
	}
	seen := map[any]bool{}
	for i, token := range tokens {
		claims := logoutClaims(t, p, token)
		wantKeys(t, claims, "iss", "aud", "iat", "exp", "jti", "events", "sub")
		if claims["iss"] != p.Issuer() || claims["sub"] != "alice" || claims["aud"] != []string{clientID, publicID}[i%2] || seen[claims["jti"]] {
			t.Errorf("%v", claims)
		}
		seen[claims["jti"]] = true
	}
	wantKeys(t, logoutClaims(t, p, p.LogoutToken(clientID, "", "s-1")), "iss", "aud", "iat", "exp", "jti", "events", "sid")
	app.Close()
	if p.LogOut("alice") == nil {
		t.Error("no error without a connection")
	}
}

// logoutClaims verifies the signature and typ of a logout token.
func logoutClaims(t *testing.T, p *oauthlogintest.Provider, token string) (claims map[string]any) {
	t.Helper()
	_, payload, err := verifySignature(t, discover(t, p.Issuer()), token)
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	header, _, _ := strings.Cut(token, ".")
	if text, _ := base64.RawURLEncoding.DecodeString(header); err != nil || !strings.Contains(string(text), `"typ":"logout+jwt"`) {
		t.Fatalf("header %s, %v", text, err)
	}
	return claims
}
