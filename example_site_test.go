package oauthlogin_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// exampleKey stands for 32 bytes from a random source, kept secret.
var exampleKey = []byte("not random, but good for examples")

func exampleOptions() oauthlogin.Options {
	return oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{{
			Issuer: "https://login.example.com",
			OAuth2: &oauth2.Config{
				ClientID:     "my-app",
				ClientSecret: "secret of my-app",
				RedirectURL:  "https://app.example.com/auth/callback",
				Scopes:       []string{"openid", "profile", "email"},
			},
		}},
		Logger: slog.New(slog.DiscardHandler), // slog.Default() in an application
	}
}

func mustNew(opts oauthlogin.Options) *oauthlogin.Middleware {
	auth, err := oauthlogin.New(opts)
	if err != nil {
		panic(err)
	}
	return auth
}

// show asks a handler for a page, as a browser without cookies would.
func show(h http.Handler, path string, header ...string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(strings.TrimSpace(fmt.Sprintf("%d %s%s", w.Code, w.Header().Get("Location"), w.Body)))
}

// hello is a page that says who is signed in.
func hello(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	fmt.Fprintf(w, "Hello, %s", session.User.Name)
}

// exampleSite runs an application, with a provider at which alice, bob and carol sign in, in the process:
// see package oauthlogintest. end stops both.
func exampleSite(cfg oauthlogintest.Config, newApp func(opts oauthlogin.Options) http.Handler) (site *oauthlogintest.Site, end func()) {
	t := new(apptest.Example)
	return oauthlogintest.Run(t, cfg, func(base string, p *oauthlogintest.Provider) http.Handler {
		return newApp(oauthlogin.Options{
			Keys:       [][]byte{exampleKey},
			Providers:  []oauthlogin.Provider{p.Registration(base)},
			HTTPClient: p.HTTPClient(), // of the network in the process
			Logger:     slog.New(slog.DiscardHandler),
		})
	}), t.End
}
