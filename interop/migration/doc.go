// Package migration has one small application three times: signing in by hand with x/oauth2,
// with gothic, and with oauthlogin. One test runs all of them, and another one counts their
// lines. docs/migrating.md shows what becomes of each part.
package migration

import (
	"fmt"
	"html"
	"net/http"
)

// A config is what the application is told about its provider.
type config struct{ issuer, clientID, clientSecret, base string }

func showHome(w http.ResponseWriter, name string) {
	if name == "" {
		fmt.Fprint(w, `<a href="/dashboard">Sign in</a>`)
		return
	}
	fmt.Fprintf(w, "<p>Home of %s</p>", html.EscapeString(name))
}

func showDashboard(w http.ResponseWriter, name string) {
	fmt.Fprintf(w, `<p>Hello, %s</p> <form method="post" action="/logout"><button>Sign out</button></form>`, html.EscapeString(name))
}
