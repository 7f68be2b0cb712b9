package oauthlogintest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// newBoundSite is an application that says whether its sessions are bound.
func newBoundSite(t *testing.T) *oauthlogintest.Site {
	t.Helper()
	return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys: [][]byte{[]byte("a key for the tests of 32 bytes.")}, HTTPClient: p.HTTPClient(),
			Providers: []oauthlogin.Provider{p.Registration(base)}, BindDevices: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			fmt.Fprint(w, s.User.Subject, " ", s.Bound())
		})))
		return auth.Handler(mux)
	})
}

func TestBindDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newBoundSite(t)
		alice, bob := site.Browser(), site.SignIn("bob")
		alice.BindDevice()
		alice.SignIn("alice")
		for range 3 {
			alice.BindDevice() // changes nothing any more
			if got := alice.Navigate("/").Body; got != "alice true" {
				t.Errorf("page: %q", got)
			}
			if got := alice.Fetch("/").Body; got != "alice true" {
				t.Errorf("script: %q", got)
			}
			if got := bob.Navigate("/").Body; got != "bob false" {
				t.Errorf("another browser: %q", got)
			}
			time.Sleep(11 * time.Minute)
		}
	})
}

func TestThief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newBoundSite(t)
		alice := site.Browser()
		alice.BindDevice()
		alice.SignIn("alice")
		alice.Navigate("/")
		thief := alice.Thief()
		if got := thief.Fetch("/"); got.Body != "alice true" {
			t.Errorf("at once: %q", got.Body)
		}
		time.Sleep(13 * time.Minute)
		if got := thief.Fetch("/"); got.Status != http.StatusUnauthorized {
			t.Errorf("13 minutes later: %d %s", got.Status, got.Body)
		}
		if got := alice.Fetch("/"); got.Body != "alice true" {
			t.Errorf("the user: %d %q", got.Status, got.Body)
		}
		bob := site.SignIn("bob")
		if got := bob.Thief().Fetch("/"); !strings.HasPrefix(got.Body, "bob") {
			t.Errorf("a session that is not bound: %q", got.Body)
		}
	})
}
