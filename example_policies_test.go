package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// showTo asks a handler for a page as a user with these claims.
func showTo(auth *oauthlogin.Middleware, h http.Handler, claims string) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = oauthlogintest.WithUser(new(apptest.Example), auth, r, oauthlogin.User{Subject: "1", Name: "Alice", RawClaims: json.RawMessage(claims)})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code)
}

// A route for some users alone, by claims of the provider or of OnSignIn.
func ExampleMiddleware_Require() {
	auth := mustNew(exampleOptions())
	admins := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin", "ops"}}})
	page := admins(http.HandlerFunc(hello)) // r.With(admins).Get("/admin", hello)

	show(page, "/admin")
	showTo(auth, page, `{"sub": "1", "groups": ["staff", "ops"]}`)
	showTo(auth, page, `{"sub": "1", "groups": ["staff"]}`)
	// Output:
	// 302 /login?return_to=%2Fadmin
	// 200
	// 403
}

// Roles of Keycloak are a path into the claims.
func ExamplePolicy_path() {
	auth := mustNew(exampleOptions())
	editors := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"realm_access.roles": {"editor"}}})
	page := editors(http.HandlerFunc(hello))

	showTo(auth, page, `{"sub": "1", "realm_access": {"roles": ["viewer", "editor"]}}`)
	// Output: 200
}

// A page for users who have signed in during the last ten minutes, with two factors. Others are
// sent to the provider, and come back.
func ExamplePolicy_stepUp() {
	auth := mustNew(exampleOptions())
	secure := auth.Require(oauthlogin.Policy{MaxAge: 10 * time.Minute, ACR: []string{"https://login.example.com/acr/mfa"}})
	page := secure(http.HandlerFunc(hello))

	showTo(auth, page, fmt.Sprintf(`{"sub": "1", "auth_time": %d, "acr": "https://login.example.com/acr/mfa"}`, time.Now().Unix()))
	show(page, "/change-password")
	// Output:
	// 200
	// 302 /login?return_to=%2Fchange-password
}

// A decision of the application's own.
func ExamplePolicy_allow() {
	suspended := func(ctx context.Context, issuer, subject string) (bool, error) { return subject == "1", nil }
	auth := mustNew(exampleOptions())
	active := auth.Require(oauthlogin.Policy{Allow: func(ctx context.Context, s *oauthlogin.Session) error {
		switch is, err := suspended(ctx, s.User.Issuer, s.User.Subject); {
		case err != nil:
			return err
		case is:
			return errors.New("suspended")
		}
		return nil
	}})
	showTo(auth, active(http.HandlerFunc(hello)), `{"sub": "1"}`)
	// Output: 403
}

// A page that needs a scope which logins do not ask for: the user grants it there, once.
func ExamplePolicy_scopes() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /", hello)
		mux.Handle("GET /calendar", auth.Require(oauthlogin.Policy{Scopes: []string{"calendar.read"}})(http.HandlerFunc(hello)))
		return auth.Handler(mux)
	})
	defer end()

	alice := site.SignIn("alice")
	alice.Navigate("/calendar") // ends at the provider
	fmt.Println(alice.SignIn("alice").URL)
	for _, request := range site.Provider.Requests(oauthlogintest.Authorization) {
		if request.Method == http.MethodGet {
			fmt.Println(request.Query.Get("scope"))
		}
	}
	// Output:
	// https://app.test/calendar
	// openid profile email
	// openid profile email calendar.read
}

// Claims beyond name and e-mail address.
func ExampleUser_Claims() {
	user := oauthlogin.User{RawClaims: json.RawMessage(`{"sub": "1", "locale": "de", "realm_access": {"roles": ["editor"]}}`)}
	var claims struct {
		Locale string                   `json:"locale"`
		Realm  struct{ Roles []string } `json:"realm_access"`
	}
	if err := user.Claims(&claims); err != nil {
		fmt.Println(err)
	}
	fmt.Println(claims.Locale, claims.Realm.Roles)
	// Output: de [editor]
}

// What the protocol says about the user cannot be set.
func ExampleUser_SetClaim() {
	user := oauthlogin.User{Subject: "1", RawClaims: json.RawMessage(`{"sub": "1"}`)}
	fmt.Println(user.SetClaim("role", "admin"), string(user.RawClaims))
	fmt.Println(user.SetClaim("sub", "2"))
	// Output:
	// <nil> {"role":"admin","sub":"1"}
	// oauthlogin: claim "sub" cannot be set
}
