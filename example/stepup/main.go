// Command stepup calls an API as the user. The API and a route ask for more than the first
// sign-in has shown: see docs/tokens-and-apis.md. From the root of the repository:
//
//	go run ./example/stepup
//
// Open http://localhost:3000 and follow the links. "Address" goes to the provider for the scope
// email, which the demo grants at once, "Payments" for a phishing-resistant sign-in, and "Delete"
// for a new sign-in once yours is over two minutes old. Each comes back to its page.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func main() {
	const base = "http://localhost:3000"
	// In your application: an issuer that knows the resource base + "/api/" and has JWTs for it (RFC 9068).
	provider, _ := demo.Provider(base, oauthlogintest.Config{JWTAccessTokens: true, Resources: []string{base + "/api/"}})
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	app, err := newApp(base, secret, provider, &http.Client{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open ", base)
	log.Fatal(http.ListenAndServe("localhost:3000", app))
}

// newApp returns the application, and the API at /api/, which would be a service elsewhere.
func newApp(base, secret string, provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	provider.OAuth2.Scopes = []string{"openid", "profile"} // the least: what needs more asks for it
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:       [][]byte{[]byte(secret)},
		Providers:  []oauthlogin.Provider{provider},
		HTTPClient: client,
	})
	if err != nil {
		return nil, err
	}
	to := oauthlogin.Resource{URL: base + "/api/"}
	api, err := newAPI(provider.Issuer, to.URL, client)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", api))
	mux.Handle("GET /{$}", show("home"))
	mux.Handle("GET /address", auth.RequireAuth(call(auth, to, "address")))
	mux.Handle("GET /payments", auth.RequireAuth(call(auth, to, "payments")))

	// A policy of the application's own. The page with the form has it too, so that the user
	// signs in before there is a form to lose. A minute for clocks comes on top.
	recent := auth.Require(oauthlogin.Policy{MaxAge: time.Minute})
	mux.Handle("GET /delete", recent(show("delete")))
	mux.Handle("POST /delete", recent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth.SignOut(w, r) // after what deletes the account
		show("deleted").ServeHTTP(w, r)
	})))
	return auth.Handler(mux), nil
}

// call shows what the API says. ClientFor sends a token that is for this API alone;
// auth.Client sends that of the login, where one token is for all APIs.
func call(auth *oauthlogin.Middleware, to oauthlogin.Resource, path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.ClientFor(r.Context(), to).Get(to.URL + path)
		if auth.Challenge(w, r, err) {
			return // to the provider, and back to this page
		}
		if err != nil {
			log.Println(err)
			http.Error(w, "The API cannot be asked.", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		pages.ExecuteTemplate(w, "said", string(said))
	})
}

// newAPI returns an API that takes access tokens for one audience (RFC 9068), and says what a
// token lacks: a scope (RFC 6750 section 3.1), or a newer or stronger sign-in (RFC 9470).
func newAPI(issuer, audience string, client *http.Client) (http.Handler, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), client), issuer)
	if err != nil {
		return nil, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: audience})
	type access struct {
		Subject  string `json:"sub"`
		Scope    string `json:"scope"`
		ACR      string `json:"acr"`
		AuthTime int64  `json:"auth_time"`
	}
	mux := http.NewServeMux()
	// route serves what says returns: a text, or the status and challenge of what is missing.
	route := func(pattern string, says func(access) (status int, text string)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var a access
			status, text := http.StatusUnauthorized, `error="invalid_token"`
			token, err := verifier.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			if err == nil && token.Claims(&a) == nil {
				status, text = says(a)
			}
			if status != http.StatusOK {
				w.Header().Set("WWW-Authenticate", "Bearer "+text)
			}
			w.WriteHeader(status)
			io.WriteString(w, text)
		})
	}
	route("GET /address", func(a access) (int, string) {
		if !slices.Contains(strings.Fields(a.Scope), "email") {
			return http.StatusForbidden, `error="insufficient_scope", scope="email"`
		}
		return http.StatusOK, "Letters to " + a.Subject + " go to 1 Main Street."
	})
	route("GET /payments", func(a access) (int, string) {
		if a.ACR != "phr" || time.Since(time.Unix(a.AuthTime, 0)) > 5*time.Minute {
			return http.StatusUnauthorized, `error="insufficient_user_authentication", acr_values="phr", max_age="300"`
		}
		return http.StatusOK, a.Subject + " has paid 12.50."
	})
	return mux, nil
}

func show(page string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { pages.ExecuteTemplate(w, page, nil) })
}

var pages = template.Must(template.New("home").Parse(`<!doctype html><title>Step-up</title>
<p>The API: <a href="/address">Address</a> <a href="/payments">Payments</a><p>The application: <a href="/delete">Delete</a>
{{define "said"}}<!doctype html><title>Step-up</title><p>{{.}}<p><a href="/">Back</a>{{end}}
{{define "delete"}}<!doctype html><title>Step-up</title><form method="post">Your account? <button>Delete</button></form>{{end}}
{{define "deleted"}}<!doctype html><title>Step-up</title><p>Your account is deleted.{{end}}`))
