package oauthlogintest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// newShop is the application under test: it takes what differs between a test and
// production.
func newShop(provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers:  []oauthlogin.Provider{provider},
		Keys:       [][]byte{[]byte("32 random bytes, from a secret store")},
		HTTPClient: client,
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(dashboard)))
	return auth.Handler(mux), nil
}

func dashboard(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	fmt.Fprintf(w, "Hello, %s!", session.User.Name)
}

// runShop is what the tests of the application share.
func runShop(t testing.TB) *oauthlogintest.Site {
	return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		shop, err := newShop(p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return shop
	})
}

// The provider ends a session, and then all sessions of a user.
func ExampleProvider_LogOut() {
	t := new(apptest.Example) // the *testing.T of a test
	defer t.End()

	site := runShop(t)
	phone, laptop := site.SignIn("alice"), site.SignIn("alice")
	phone.SignOutAtProvider()
	fmt.Println(phone.Fetch("/dashboard").Status, laptop.Fetch("/dashboard").Status)
	if err := site.Provider.LogOut("alice"); err != nil {
		t.Fatal(err)
	}
	fmt.Println(laptop.Fetch("/dashboard").Status)
	// Output:
	// 401 200
	// 401
}

// A test signs users in and looks at pages.
func Example() {
	t := new(apptest.Example) // the *testing.T of a test
	defer t.End()

	site := runShop(t)
	alice := site.SignIn("alice")
	fmt.Println(alice.Navigate("/dashboard").Body)

	visitor := site.Browser()
	fmt.Println(visitor.Fetch("/dashboard").Status)
	// Output:
	// Hello, Alice Archer!
	// 401
}

// A user changes at the provider.
func ExampleProvider_SetUser() {
	t := new(apptest.Example)
	defer t.End()

	site := runShop(t)
	site.Provider.SetUser(oauthlogintest.User{Subject: "alice", Name: "Alice Baker"})
	fmt.Println(site.SignIn("alice").Navigate("/dashboard").Body)
	// Output: Hello, Alice Baker!
}

// The token endpoint is down when the user comes back from the provider's page.
func ExampleBrowser_Navigate_fault() {
	t := new(apptest.Example)
	defer t.End()

	site := runShop(t)
	site.Provider.AutoApprove("alice") // no sign-in page: Navigate goes all the way
	site.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
	})
	resp := site.Browser().Navigate("/dashboard")
	fmt.Println(resp.Status, site.Provider.Count(oauthlogintest.Token))
	// Output: 502 1
}

// A login starts where the user wanted to go.
func ExampleBrowser_SignIn() {
	t := new(apptest.Example)
	defer t.End()

	b := runShop(t).Browser()
	b.Navigate("/dashboard?tab=2") // ends at the provider's page
	fmt.Println(b.SignIn("bob").URL)
	// Output: https://app.test/dashboard?tab=2
}

// A handler is tested alone: there is no provider.
func ExampleWithUser() {
	t := new(apptest.Example)
	defer t.End()
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{ClientID: "app", RedirectURL: "https://app.test/auth/callback"})},
		Keys:      [][]byte{[]byte("32 random bytes, from a secret store")},
	})
	if err != nil {
		t.Fatal(err)
	}

	r := oauthlogintest.WithUser(t, auth, httptest.NewRequest("GET", "/dashboard", nil), oauthlogin.User{Subject: "1", Name: "Alice"})
	w := httptest.NewRecorder()
	auth.RequireAuth(http.HandlerFunc(dashboard)).ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 Hello, Alice!
}
