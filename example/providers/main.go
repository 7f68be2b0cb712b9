// Command providers shows sign-in with two providers: the page where users choose one, what
// handlers see of the choice, rules for the users of one provider, and switching accounts.
// From the root of the repository:
//
//	go run ./example/providers
//
// Open http://localhost:3000 and follow the links. Each provider has a user alice in the group
// admin: /admin lets in the one of the staff and refuses the one of the partner.
package main

import (
	"cmp"
	"crypto/rand"
	"html/template"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func main() {
	base := "http://localhost:3000"
	// In your application: oauthlogin.Google(…), oauthlogin.GitHub(…), or any other issuer.
	staff, _ := demo.Provider(base, oauthlogintest.Config{})
	partner := oauthlogintest.Start(oauthlogintest.Config{
		Users:   []oauthlogintest.User{{Subject: "alice", Name: "Alice Adler", Claims: map[string]any{"groups": []string{"admin"}}}, {Subject: "dave", Name: "Dave Draper"}},
		Clients: []oauthlogintest.Client{{ID: "app", Secret: rand.Text(), RedirectURIs: []string{base + "/auth/partner"}, PostLogoutRedirectURIs: []string{base + "/"}}},
	}).Registration(base)
	// With a random secret, all users sign in again after a restart.
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	app, err := newApp(secret, staff, partner, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open ", base)
	log.Fatal(http.ListenAndServe("localhost:3000", app))
}

// newApp needs providers with a RedirectURL each: a response is then known to be from the
// provider that was asked.
func newApp(secret string, staff, partner oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	staff.Name, staff.Label = "staff", "Staff of Example" // Name is in sessions and links: keep it
	partner.Name, partner.Label = "partner", "Partner of Example"
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:       [][]byte{[]byte(secret)},
		Providers:  []oauthlogin.Provider{staff, partner}, // in the order of the page
		HTTPClient: client,
	})
	if err != nil {
		return nil, err
	}
	a := &app{auth: auth, visits: map[account]int{}}

	// Both need the staff's provider. A policy with Claims has to say whose claims it believes:
	// a partner may call its users what it likes.
	staffOnly := auth.Require(oauthlogin.Policy{Providers: []string{"staff"}})
	admins := auth.Require(oauthlogin.Policy{Providers: []string{"staff"}, Claims: map[string][]string{"groups": {"admin"}}})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(a.dashboard))) // of any provider
	mux.Handle("GET /intranet", staffOnly(show("Intranet")))
	mux.Handle("GET /admin", admins(show("Administration")))
	mux.Handle("GET /switch", auth.RequireAuth(http.HandlerFunc(a.switchAccount)))
	return auth.Handler(mux), nil
}

type app struct {
	auth *oauthlogin.Middleware

	mu     sync.Mutex
	visits map[account]int // in your application: a table of accounts
}

// An account is of one person. Subject alone is not enough: it is unique within an issuer.
// Email is of no use, because addresses change hands.
type account struct{ issuer, subject string }

func (a *app) dashboard(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context()) // RequireAuth is around it, so there is one
	key := account{session.User.Issuer, session.User.Subject}
	a.mu.Lock()
	a.visits[key]++
	visits := a.visits[key]
	a.mu.Unlock()
	render(w, content{Title: "Dashboard", Session: session, Visits: visits})
}

// switchAccount has the provider of the session ask which account to use. To switch to the
// other provider, a link to /login?provider=NAME does. The new login replaces the session.
func (a *app) switchAccount(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	a.auth.StartLogin(w, r, oauthlogin.LoginOptions{
		Provider:   session.User.Provider,
		ReturnTo:   "/dashboard",
		AuthParams: url.Values{"prompt": {"select_account"}},
	})
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context()) // nil: not signed in
	render(w, content{Title: "Welcome", Session: session})
}

func show(title string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		render(w, content{Title: title, Session: session})
	})
}

type content struct {
	Title   string
	Session *oauthlogin.Session
	Visits  int
}

// /login shows the page where users choose. /login?provider=NAME skips it.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Session}}<p>You are <strong>{{.User.Name}}</strong>, subject <code>{{.User.Subject}}</code> of
<code>{{.User.Provider}}</code> (issuer <code>{{.User.Issuer}}</code>).</p>
{{with $.Visits}}<p>Visit {{.}} of this account.</p>
{{end}}<p>Switch to <a href="/switch">another account there</a>, <a href="/login?provider=staff&amp;return_to=/dashboard">the staff</a>
or <a href="/login?provider=partner&amp;return_to=/dashboard">the partner</a>.</p>
<form method="post" action="/logout"><button>Sign out</button></form>
{{else}}<p><a href="/login?return_to=/dashboard">Sign in</a></p>
{{end}}<p><a href="/">Home</a> <a href="/dashboard">Dashboard</a> <a href="/intranet">Intranet</a> <a href="/admin">Administration</a></p>
`))

func render(w http.ResponseWriter, c content) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, c) // an error means that the browser has disconnected
}
