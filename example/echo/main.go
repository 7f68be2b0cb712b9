// Command echo shows sign-in in an application with echo. Three lines matter: they are
// marked with (1), (2) and (3). From the root of the repository:
//
//	go run ./example/echo
//
// Open http://localhost:3000 and follow the links. alice may see all pages. carol is not in
// the group admin: /admin refuses her.
package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func main() {
	// In your application: oauthlogin.Google(…), or any other issuer.
	provider, _ := demo.Provider("http://localhost:3000", oauthlogintest.Config{})
	// With a random secret, all users sign in again after a restart.
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	app, err := newApp(secret, provider, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://localhost:3000")
	log.Fatal(http.ListenAndServe("localhost:3000", app))
}

func newApp(secret string, provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:       [][]byte{[]byte(secret)},
		Providers:  []oauthlogin.Provider{provider},
		HTTPClient: client,
	})
	if err != nil {
		return nil, err
	}

	router := echo.New()
	router.Logger = slog.Default() // where oauthlogin logs too
	router.Use(middleware.RequestLogger(), middleware.Recover())
	router.Renderer = &echo.TemplateRenderer{Template: page}
	router.GET("/", show("Welcome"))

	// echo.WrapMiddleware hands the request with the session to the handlers, and stops if
	// the middleware has refused the request. Give the group a prefix: echo makes a group
	// with middlewares responsible for all paths below its prefix, so that without one,
	// every path that does not exist would ask visitors to sign in.
	private := router.Group("/my", echo.WrapMiddleware(auth.RequireAuth)) // (1)
	private.GET("/dashboard", dashboard())
	private.GET("/countdown", countdown)

	admins := oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}
	router.GET("/admin", show("Administration"), echo.WrapMiddleware(auth.Require(admins)))

	// Around the whole router: /login, /auth/callback and /logout are no routes of echo, and
	// echo's logger does not write down the authorization code in the callback's URL.
	return auth.Handler(router), nil // (2)
}

func show(title string) echo.HandlerFunc {
	return func(c *echo.Context) error {
		session, _ := oauthlogin.FromContext(c.Request().Context()) // (3)
		return c.Render(http.StatusOK, "page", map[string]any{"Title": title, "Session": session})
	}
}

// dashboard counts its requests: a refused one does not get here.
func dashboard() echo.HandlerFunc {
	var requests atomic.Int64
	return func(c *echo.Context) error {
		return show(fmt.Sprintf("Dashboard, request %d", requests.Add(1)))(c)
	}
}

// countdown is an event stream. echo wraps the writer, and oauthlogin does not:
// http.ResponseController finds what it needs in there.
func countdown(c *echo.Context) error {
	session, _ := oauthlogin.FromContext(c.Request().Context())
	w := c.Response()
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 3; n > 0; n-- {
		fmt.Fprintf(w, "data: %s: %d\n\n", session.User.Name, n)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-c.Request().Context().Done():
			return nil
		}
	}
	return nil
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Session}}<p>You are signed in as <strong>{{.User.Name}}</strong>.</p>
<form method="post" action="/logout"><button>Sign out</button></form>
{{else}}<p><a href="/login?return_to=/my/dashboard">Sign in</a></p>
{{end}}<p><a href="/">Home</a> <a href="/my/dashboard">Dashboard</a> <a href="/my/countdown">Countdown</a>
<a href="/admin">Administration</a></p>
`))
