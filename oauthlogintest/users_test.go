package oauthlogintest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestSetUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site, _ := run(t, oauthlogintest.Config{Users: []oauthlogintest.User{
			{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: map[string]any{"groups": []string{"admin"}}},
		}})
		alice := site.SignIn("alice")
		wantPage(t, alice.Navigate("/admin"), appURL+"/admin", 200, "alice")
		wantPage(t, alice.Navigate("/api/profile"), appURL+"/api/profile", 200, "admin")

		groups := map[string]any{"groups": []string{"staff"}}
		site.Provider.SetUser(oauthlogintest.User{Subject: "alice", Name: "Alice Two", Email: "alice@example.com", Claims: groups})
		groups["groups"] = []string{"admin"} // no longer the provider's
		wantPage(t, alice.Navigate("/api/profile"), appURL+"/api/profile", 200, "Alice Two")
		wantPage(t, alice.Navigate("/admin"), appURL+"/admin", 200, "alice") // the session knows what the login said
		wantPage(t, site.SignIn("alice").Navigate("/admin"), appURL+"/admin", 403, "")
		time.Sleep(time.Hour) // until a refresh
		wantPage(t, alice.Navigate("/dashboard"), appURL+"/dashboard", 200, "Alice Two")
		wantPage(t, alice.Navigate("/admin"), appURL+"/admin", 403, "")

		site.Provider.SetUser(oauthlogintest.User{Subject: "zoe", Name: "Zoe Zimmer", Claims: map[string]any{"groups": "admin"}})
		zoe := site.Browser()
		wantPage(t, zoe.Navigate("/admin"), signInPage, 200, "Zoe Zimmer")
		wantPage(t, zoe.SignIn("zoe"), appURL+"/admin", 200, "zoe")
	})
}

func TestSetUserPanics(t *testing.T) {
	t.Parallel()
	p, err := oauthlogintest.New(oauthlogintest.Config{Issuer: "https://provider.test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"", "josé", strings.Repeat("x", 256)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for the subject %q", subject)
				}
			}()
			p.SetUser(oauthlogintest.User{Subject: subject})
		}()
	}
}
