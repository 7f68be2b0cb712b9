package interop_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// TestChi mounts the middleware on a chi router in each supported way.
func TestChi(t *testing.T) {
	for name, routes := range map[string]func(chi.Router, *oauthlogin.Middleware){
		"as a middleware": func(r chi.Router, auth *oauthlogin.Middleware) {
			r.Use(auth.Handler)
			r.With(auth.RequireAuth).Get("/dashboard", greet)
		},
		"path by path": func(r chi.Router, auth *oauthlogin.Middleware) {
			r.Get("/login", auth.Login)
			r.Get("/auth/callback", auth.Callback)
			r.Post("/logout", auth.Logout)
			r.With(auth.RequireAuth).Get("/dashboard", greet)
		},
		"a group of routes": func(r chi.Router, auth *oauthlogin.Middleware) {
			r.Use(auth.Handler)
			r.Group(func(r chi.Router) {
				r.Use(auth.RequireAuth)
				r.Get("/dashboard", greet)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(nil)
			base := "http://" + server.Listener.Addr().String()
			provider := oauthlogintest.Start(oauthlogintest.Config{
				Issuer: "http://localhost:0",
				Clients: []oauthlogintest.Client{{
					ID: clientID, Secret: clientSecret, RedirectURIs: []string{base + "/auth/callback"},
				}},
			})
			t.Cleanup(provider.Close)
			key := make([]byte, 32)
			_, _ = rand.Read(key)
			auth, err := oauthlogin.New(oauthlogin.Options{
				Providers: []oauthlogin.Provider{{
					Name:   "demo",
					Issuer: provider.Issuer(),
					OAuth2: &oauth2.Config{
						ClientID: clientID, ClientSecret: clientSecret,
						RedirectURL: base + "/auth/callback",
						Scopes:      []string{"openid", "profile"},
					},
				}},
				Keys:   [][]byte{key},
				Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			})
			if err != nil {
				t.Fatal(err)
			}

			router := chi.NewRouter()
			routes(router, auth)
			router.Get("/public", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") })
			server.Config.Handler = router
			server.Start()
			t.Cleanup(server.Close)

			v := newVisitor(t)
			v.open(base+"/public").want(http.StatusOK, base+"/public")
			signIn := v.open(base + "/dashboard?tab=1")
			landed := signIn.submit(map[string]string{"login": "alice", "action": "approve"})
			if landed.want(http.StatusOK, base+"/dashboard?tab=1"); landed.body != "hello Alice Archer" {
				t.Errorf("the dashboard says %q", landed.body)
			}

			out := v.fetch(http.MethodPost, base, base+"/logout")
			if out.status < 200 || out.status > 399 {
				t.Errorf("POST /logout: status %d:\n%s", out.status, out.body)
			}
			v.get(base+"/dashboard", "application/json").want(http.StatusUnauthorized, base+"/dashboard")
		})
	}
}

func greet(w http.ResponseWriter, r *http.Request) {
	session, ok := oauthlogin.FromContext(r.Context())
	if !ok {
		http.Error(w, "no session", http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "hello %s", session.User.Name)
}
