package oauthlogin_test

import (
	"io"
	"net/http"
	"net/url"

	"github.com/oauthlogin/oauthlogin"
)

// Each API gets a token of its own. The login has to be granted it: many providers want the
// resource in the authorization request, too.
func ExampleMiddleware_ClientFor() {
	opts := exampleOptions()
	opts.Providers[0].AuthParams = url.Values{"resource": {"https://orders.example.com/", "https://invoices.example.com/"}}
	auth := mustNew(opts)
	orders := oauthlogin.Resource{URL: "https://orders.example.com/", Scopes: []string{"orders.read"}}
	page := func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.ClientFor(r.Context(), orders).Get("https://orders.example.com/v1/orders")
		if err != nil {
			http.Error(w, "orders are not available", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	}
	show(auth.RequireAuth(http.HandlerFunc(page)), "/orders")
	// Output: 302 /login?return_to=%2Forders
}

// An API that asks for more sends the user to the provider and back here.
func ExampleMiddleware_Challenge() {
	auth := mustNew(exampleOptions())
	page := func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.Client(r.Context()).Get("https://payments.example.com/v1/payments")
		if err == nil {
			defer resp.Body.Close()
		}
		switch {
		case auth.Challenge(w, r, err):
		case err != nil:
			http.Error(w, "payments are not available", http.StatusBadGateway)
		default:
			io.Copy(w, resp.Body)
		}
	}
	show(auth.RequireAuth(http.HandlerFunc(page)), "/payments")
	// Output: 302 /login?return_to=%2Fpayments
}
