package oauthlogintest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// The tests of a package that implements Coordinator. newCoordinator returns a new client of its
// server; server.stop and server.start kill and start that.
func ExampleCheckCoordinator() {
	newCoordinator := func() oauthlogin.Coordinator { return oauthlogintest.NewCoordinator() }
	var server struct{ stop, start func() }

	_ = func(t *testing.T) { // TestCoordinator
		oauthlogintest.CheckCoordinator(t, newCoordinator)
		oauthlogintest.CheckCoordinatorOutage(t, newCoordinator, server.stop, server.start)
	}
	// Output:
}

// What users of an application meet while its Coordinator is unreachable.
func ExampleCoordinator_SetDown() {
	t := new(apptest.Example) // the *testing.T of a test
	defer t.End()

	coordinator := oauthlogintest.NewCoordinator()
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Providers:  []oauthlogin.Provider{p.Registration(base)},
			Keys:       [][]byte{[]byte("32 random bytes, from a secret store")},
			HTTPClient: p.HTTPClient(),
			Store:      oauthlogin.NewStore(coordinator),
			Logger:     slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(dashboard)))
	})
	alice := site.SignIn("alice")
	fmt.Println(alice.Fetch("/dashboard").Status)
	coordinator.SetDown(true)
	resp := alice.Fetch("/dashboard")
	fmt.Println(resp.Status, len(resp.Header["Set-Cookie"])) // she is not signed out

	coordinator.Clear() // as a server that comes back empty: with NewStore, its sessions are lost
	coordinator.SetDown(false)
	// Output:
	// 200
	// 503 0
}

// A session that is bound to a device: a copy of its cookies works for minutes only.
func ExampleBrowser_BindDevice() {
	t := new(apptest.Example)
	defer t.End()

	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Providers:   []oauthlogin.Provider{p.Registration(base)},
			Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
			HTTPClient:  p.HTTPClient(),
			BindDevices: true,
			Logger:      slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := oauthlogin.FromContext(r.Context())
			fmt.Fprint(w, "bound: ", session.Bound())
		})))
	})
	alice := site.Browser()
	alice.BindDevice()
	alice.SignIn("alice")
	fmt.Println(alice.Navigate("/").Body)
	_ = alice.Thief() // in a testing/synctest bubble, it gets 401 after time.Sleep(13*time.Minute)
	// Output: bound: true
}
