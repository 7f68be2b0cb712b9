package adversarial_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const keysCooldown = 30 * time.Second

// The OpenID Foundation's oidcc-client-test-discovery-jwks-uri-keys,
// oidcc-client-test-signing-key-rotation and
// oidcc-client-test-signing-key-rotation-just-before-signing: the keys are fetched
// again at the first unknown key ID, and then not for a while (OpenID Connect Core
// section 10.1.1). internal/protocol has more of it.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		login := func(what string, ok bool, fetches int) {
			t.Helper()
			synctest.Wait() // for the end of the fetch before
			b.Post("/logout", nil)
			resp := b.TryLogin()
			if got := resp.StatusCode == http.StatusOK; got != ok || b.SignedIn() != ok {
				t.Errorf("%s: response is %d: %s", what, resp.StatusCode, a.Log)
			}
			if !ok && resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%s: response is %d", what, resp.StatusCode)
			}
			if n := a.Provider.Count(oauthlogintest.JWKS); n != fetches {
				t.Errorf("%s: %d fetches of keys, want %d", what, n, fetches)
			}
		}
		login("first login", true, 1)
		login("another", true, 1)
		a.Provider.RotateKeys()
		login("rotated at once", true, 2)
		login("another", true, 2)
		a.Provider.RotateKeys()
		login("rotated again", false, 2)
		time.Sleep(keysCooldown - time.Millisecond)
		login("still within the cool-down", false, 2)
		time.Sleep(time.Millisecond)
		login("after the cool-down", true, 3)
		time.Sleep(keysCooldown)

		a.Provider.EditIDToken(apptest.JOSE("kid", "hostile"))
		login("unknown kid", false, 4)
		for range 10 {
			login("unknown kid again", false, 4)
		}
		a.Provider.EditIDToken(nil)
		login("the good key meanwhile", true, 4)
		time.Sleep(keysCooldown)

		// Between authorization and token request.
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			a.Provider.RotateKeys()
			next(w, r)
		})
		login("rotated just before signing", true, 5)
		a.Leaks(t, "")
	})
}

// Keys that cannot be read are the provider's fault: a 502 page, and no session. As
// soon as they can be read, logins work.
func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		code    string
	}{
		{"500", apptest.RespondWith(500, apptest.Hostile), "provider_unavailable"},
		{"302 elsewhere", apptest.RespondWith(302, "", "Location", "https://evil.test/evil"), "provider_unavailable"},
		{"keys that are a string", apptest.RespondWith(200, `{"keys":"hostile"}`), "provider_unavailable"},
		{"2 MiB", apptest.RespondWith(200, `{"keys":[],"hostile":"`+strings.Repeat("a", 2<<20)+`"}`), "provider_unavailable"},
		// A set without the key that signed is a wrong response, and not an outage.
		{"an empty set", apptest.RespondWith(200, `{"keys":[]}`), "provider_rejected"},
		{"no usable key", apptest.RespondWith(200, `{"keys":[{"kty":"oct","kid":"x","k":"AAAA"},{"kty":"hostile"}]}`), "provider_rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Net["evil.test"] = a.Count(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/jwks"
					a.Provider.ServeHTTP(w, r)
				})
				a.Provider.Intercept(oauthlogintest.JWKS, tt.respond)
				b := a.Browser(t)
				for range 2 {
					a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, tt.code)
					synctest.Wait() // for the end of the fetch
				}
				if n := a.Provider.Count(oauthlogintest.JWKS); n != 2 || a.Called("/evil") > 0 {
					t.Errorf("%d fetches, %d elsewhere", n, a.Called("/evil"))
				}
				if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 {
					t.Errorf("%d user info requests", n)
				}
				a.Provider.Intercept(oauthlogintest.JWKS, nil)
				a.Recovers(t, b)
			})
		})
	}
}

// Keys that were good stay good while the provider cannot be asked for others.
func TestKeysFailWhileKnown(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(500, ""))
	b.Login("/dashboard")
	a.Provider.EditIDToken(apptest.JOSE("kid", "hostile"))
	b.Post("/logout", nil)
	if resp := b.TryLogin(); resp.StatusCode != http.StatusBadGateway || b.SignedIn() {
		t.Errorf("response is %d: %s", resp.StatusCode, resp.Text)
	}
	a.Provider.EditIDToken(nil)
	b.Login("/dashboard")
}
