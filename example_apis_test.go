package oauthlogin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Calling an API as the user, from a handler behind RequireAuth.
func ExampleMiddleware_Client() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			resp, err := auth.Client(r.Context()).Get("https://provider.test/userinfo")
			switch {
			case errors.Is(err, oauthlogin.ErrNoToken):
				http.Error(w, "please sign in again", http.StatusBadGateway)
				return
			case err != nil:
				http.Error(w, "the API cannot be reached", http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			io.Copy(w, resp.Body)
		})))
	})
	defer end()

	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	// Output: {"email":"alice@example.com","email_verified":true,"name":"Alice Archer","sub":"alice"}
}

// Each API gets a token of its own. The login has to be granted it: many providers want the
// resource in the authorization request, too.
func ExampleMiddleware_ClientFor() {
	orders := oauthlogin.Resource{URL: "https://app.test/api/orders"} // at a host of its own, in an application
	cfg := oauthlogintest.Config{Resources: []string{orders.URL}}
	site, end := exampleSite(cfg, func(opts oauthlogin.Options) http.Handler {
		opts.Providers[0].AuthParams = url.Values{"resource": {orders.URL}}
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.Handle("GET /orders", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			resp, err := auth.ClientFor(r.Context(), orders).Get(orders.URL)
			if err != nil {
				http.Error(w, "orders are not available", http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			session, _ := oauthlogin.FromContext(r.Context())
			own := resp.Header.Get("Saw") != session.Token().AccessToken
			fmt.Fprintln(w, "a token of its own:", own)
		})))
		mux.HandleFunc("GET /api/orders", func(w http.ResponseWriter, r *http.Request) { // the API
			w.Header().Set("Saw", r.Header.Get("Authorization")[len("Bearer "):])
		})
		return auth.Handler(mux)
	})
	defer end()

	fmt.Print(site.SignIn("alice").Navigate("/orders").Body)
	// Output: a token of its own: true
}

// An API that asks for more sends the user to the provider and back here.
func ExampleMiddleware_Challenge() {
	granted := false
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.Handle("GET /payments", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			resp, err := auth.Client(r.Context()).Get("https://app.test/api/payments")
			if err == nil {
				defer resp.Body.Close()
			}
			switch {
			case auth.Challenge(w, r, err): // has written the response
			case err != nil:
				http.Error(w, "payments are not available", http.StatusBadGateway)
			default:
				io.Copy(w, resp.Body)
			}
		})))
		mux.HandleFunc("GET /api/payments", func(w http.ResponseWriter, r *http.Request) { // the API
			if !granted {
				granted = true
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="payments"`)
				w.WriteHeader(http.StatusForbidden)
				return
			}
			fmt.Fprint(w, "12.00 EUR")
		})
		return auth.Handler(mux)
	})
	defer end()

	alice := site.Browser()
	site.Provider.AutoApprove("alice")
	page := alice.Navigate("/payments") // twice through the provider
	fmt.Println(page.URL, page.Body)
	for _, request := range site.Provider.Requests(oauthlogintest.Authorization) {
		fmt.Println(request.Query.Get("scope"))
	}
	// Output:
	// https://app.test/payments 12.00 EUR
	// openid profile email
	// openid profile email payments
}

// The access token, for a library that takes a token source. Unlike Client, it is not refreshed.
func ExampleSession_Token() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := oauthlogin.FromContext(r.Context())
			token := session.Token()
			if token == nil {
				http.Error(w, "the provider is away, and the access token has expired", http.StatusBadGateway)
				return
			}
			source := oauth2.StaticTokenSource(token)
			_ = source // option.WithTokenSource(source)
			fmt.Fprint(w, token.Type(), " ", token.RefreshToken == "")
		})))
	})
	defer end()

	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	// Output: Bearer true
}
