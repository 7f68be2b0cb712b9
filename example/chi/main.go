// Command chi shows sign-in on a chi router: the order of the middlewares, groups of routes
// with rules of their own, a mounted router and the logout form. From the root of the
// repository:
//
//	go run ./example/chi
//
// Open http://localhost:3000 and follow the links. alice may see all pages. carol is not in
// the group admin: /admin refuses her and offers to sign in with another account.
package main

import (
	"cmp"
	"crypto/rand"
	"html/template"
	"log"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
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

	r := chi.NewRouter()
	// At the top of the outermost router: /login, /auth/callback and /logout are no routes,
	// and chi runs the middlewares of a group for the group's routes only. Before the logger,
	// which would write down the authorization code in the callback's URL.
	r.Use(auth.Handler)
	r.Use(middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.Default(), NoColor: true}))
	r.Use(middleware.Recoverer)

	// For everyone. The page knows who is signed in, if anyone.
	r.Get("/", home)

	// For signed-in users: auth.RequireAuth for a group, or for one route with
	// r.With(auth.RequireAuth).Get(…).
	r.Group(func(r chi.Router) {
		r.Use(auth.RequireAuth)
		r.Get("/dashboard", show("Dashboard"))
		r.Get("/orders/{id}", order)
	})

	// For administrators. Require also does what RequireAuth does. In a Route, it is around
	// the 404 responses below /admin as well.
	r.Route("/admin", func(r chi.Router) {
		r.Use(auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}))
		r.Get("/", show("Administration"))
	})

	// A router from elsewhere. auth.Handler is not repeated in there, and users still come
	// back to the whole path after the login.
	r.With(auth.RequireAuth).Mount("/account", accountRoutes())
	return r, nil
}

func accountRoutes() http.Handler {
	r := chi.NewRouter()
	r.Get("/settings", show("Settings"))
	return r
}

func home(w http.ResponseWriter, r *http.Request) {
	session, ok := oauthlogin.FromContext(r.Context())
	if !ok {
		render(w, "Welcome", nil)
		return
	}
	render(w, "Welcome back", session)
}

func order(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context()) // RequireAuth is around it, so there is one
	render(w, "Order "+chi.URLParam(r, "id"), session)
}

func show(title string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		render(w, title, session)
	}
}

// A link cannot sign out: any website could have one that signs your users out.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Session}}<p>You are signed in as <strong>{{.User.Name}}</strong>.</p>
<form method="post" action="/logout"><button>Sign out</button></form>
{{else}}<p><a href="/login?return_to=/dashboard">Sign in</a></p>
{{end}}<p><a href="/">Home</a> <a href="/dashboard">Dashboard</a> <a href="/orders/7">Order 7</a>
<a href="/account/settings">Settings</a> <a href="/admin">Administration</a></p>
`))

func render(w http.ResponseWriter, title string, session *oauthlogin.Session) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, struct {
		Title   string
		Session *oauthlogin.Session
	}{title, session}) // an error means that the browser has disconnected
}
