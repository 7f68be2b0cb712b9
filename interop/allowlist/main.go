// Command allowlist is an application on chi for the users of one e-mail domain. It is written after README.md alone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/go-chi/chi/v5"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

func main() {
	app, err := newApp(os.Getenv("SESSION_SECRET"), oauthlogin.Provider{
		Issuer: os.Getenv("ISSUER"),
		OAuth2: &oauth2.Config{
			ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
			RedirectURL: "http://localhost:3000/auth/callback",
			Scopes:      []string{"openid", "profile", "email"},
		},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:3000", app))
}

func newApp(secret string, provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:       [][]byte{[]byte(secret)},
		Providers:  []oauthlogin.Provider{provider},
		OnSignIn:   allow,
		HTTPClient: client,
	})
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(auth.Handler)
	r.Get("/", home)
	r.Get("/session", auth.SessionInfo)
	r.Group(func(r chi.Router) {
		r.Use(auth.RequireAuth)
		r.Get("/dashboard", dashboard)
		r.Get("/api/me", me)
	})
	r.With(auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})).Get("/admin", admin)
	return r, nil
}

func allow(_ context.Context, in *oauthlogin.SignIn) error {
	if !in.User.EmailVerified || !strings.HasSuffix(in.User.Email, "@example.com") {
		return errors.New("e-mail domain is not allowed")
	}
	return nil
}

func home(w http.ResponseWriter, r *http.Request) {
	if session, ok := oauthlogin.FromContext(r.Context()); ok {
		fmt.Fprintf(w, "<p>Hello, %s</p>", html.EscapeString(session.User.Name))
		return
	}
	fmt.Fprint(w, `<a href="/dashboard">Sign in</a>`)
}

func dashboard(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	fmt.Fprintf(w, `<p>Hello, %s</p> <form method="post" action="/logout"><button>Sign out</button></form>`, html.EscapeString(session.User.Name))
}

func admin(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Administration") }

func me(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"sub": session.User.Subject, "email": session.User.Email})
}
