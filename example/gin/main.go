// Command gin shows sign-in in an application with gin. Three lines matter: they are marked
// with (1), (2) and (3). From the root of the repository:
//
//	go run ./example/gin
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
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func main() {
	// In your application: oauthlogin.Google(…), or any other issuer.
	provider, _ := demo.Provider("http://localhost:3000", oauthlogintest.Config{})
	// With a random secret, all users sign in again after a restart.
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	gin.SetMode(gin.ReleaseMode)
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

	router := gin.New()
	router.Use(gin.Logger(), gin.Recovery())
	router.SetHTMLTemplate(page)
	router.GET("/", show("Welcome"))

	private := router.Group("/my", wrap(auth.RequireAuth)) // (1)
	private.GET("/dashboard", dashboard())
	private.GET("/countdown", countdown)

	admins := oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}
	router.GET("/admin", wrap(auth.Require(admins)), show("Administration"))

	// Around the whole router: /login, /auth/callback and /logout are no routes of gin, and
	// gin's logger does not write down the authorization code in the callback's URL.
	return auth.Handler(router), nil // (2)
}

// wrap makes a middleware of gin from one of net/http.
//
// gin.WrapH and gin.WrapF do not: gin goes on to the next handler when they return, also
// if the middleware has refused the request.
//
// The writer that a middleware passes on is not used, so wrap is for those that pass on
// their own, as oauthlogin's do: event streams and hijacking work as without them.
func wrap(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // with the session in its context
			c.Next()
		})
		middleware(next).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

func show(title string) gin.HandlerFunc {
	return func(c *gin.Context) {
		// c itself has the session only if the router's ContextWithFallback is set.
		session, _ := oauthlogin.FromContext(c.Request.Context()) // (3)
		c.HTML(http.StatusOK, "page", gin.H{"Title": title, "Session": session})
	}
}

// dashboard counts its requests: a refused one does not get here.
func dashboard() gin.HandlerFunc {
	var requests atomic.Int64
	return func(c *gin.Context) {
		show(fmt.Sprintf("Dashboard, request %d", requests.Add(1)))(c)
	}
}

// countdown is an event stream.
func countdown(c *gin.Context) {
	session, _ := oauthlogin.FromContext(c.Request.Context())
	for n := 3; n > 0; n-- {
		c.SSEvent("message", fmt.Sprintf("%s: %d", session.User.Name, n))
		c.Writer.Flush()
		select {
		case <-time.After(time.Second):
		case <-c.Request.Context().Done():
			return
		}
	}
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
