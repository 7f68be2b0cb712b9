// Command spa is an application of one page, whose scripts use fetch, an EventSource and
// htmx, and whose session runs out while the page is open. From the root of the repository:
//
//	go run ./example/spa
//
// Open http://localhost:3000, sign in as alice, and press the buttons. Then leave the page
// alone until the session has ended, after 30 seconds here. The second button shows the
// response that scripts get now, a 401 with JSON. The others go through the login by
// scripts.js, and are back at this page: docs/scripts.md has the rules.
package main

import (
	"cmp"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// scripts.js is the file of that name in docs, and htmx.min.js that of htmx 4 (Zero-Clause BSD).
//
//go:embed index.html app.js scripts.js htmx.min.js
var files embed.FS

func main() {
	addr := cmp.Or(os.Getenv("ADDR"), "localhost:3000")
	// In your application: oauthlogin.Google(…), or any other issuer.
	provider, _ := demo.Provider("http://"+addr, oauthlogintest.Config{})
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	app, err := newApp(secret, provider, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://", addr)
	log.Fatal(http.ListenAndServe(addr, app))
}

func newApp(secret string, provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:        [][]byte{[]byte(secret)},
		Providers:   []oauthlogin.Provider{provider},
		HTTPClient:  client,
		IdleTimeout: 30 * time.Second, // to see a session end; the default is a day
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	// The page is public and the same for everyone. What it shows of a user comes from the
	// routes below. The policy has no form-action, as the logout redirects to the provider.
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		http.FileServerFS(files).ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /api/session", auth.SessionInfo)
	mux.Handle("GET /api/me", auth.RequireAuth(http.HandlerFunc(me)))
	mux.Handle("GET /events", auth.RequireAuth(http.HandlerFunc(events)))
	// RequireAuth refuses pages of other origins, so the form needs no token against them.
	mux.Handle("POST /notes", auth.RequireAuth(http.HandlerFunc(saveNote)))
	return auth.Handler(mux), nil
}

// me is what fetch asks for.
func me(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context()) // RequireAuth is around it, so there is one
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"sub": session.User.Subject, "name": session.User.Name})
}

// saveNote is what htmx asks for: HTML for a part of the page.
func saveNote(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "%s has saved <q>%s</q>.", html.EscapeString(session.User.Name), html.EscapeString(r.PostFormValue("note")))
}

// events is a stream that ends with the session, which an open stream does not prolong. The
// browser then connects again: the response is 401 if the session was not used meanwhile.
func events(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	ended := time.After(time.Until(session.Expires()))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for now := time.Now(); ; {
		fmt.Fprintf(w, "data: It is %s at the server.\n\n", now.Format(time.TimeOnly))
		if stream.Flush() != nil {
			return
		}
		select {
		case now = <-tick.C:
		case <-ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}
