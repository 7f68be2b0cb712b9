package migration

import (
	"net/http"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

func newOauthlogin(c config, key []byte) (http.Handler, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{key},
		Providers: []oauthlogin.Provider{{
			Issuer: c.issuer,
			OAuth2: &oauth2.Config{
				ClientID: c.clientID, ClientSecret: c.clientSecret,
				RedirectURL: c.base + "/auth/callback",
				Scopes:      []string{"openid", "profile", "email"},
			},
		}},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		name := ""
		if session, ok := oauthlogin.FromContext(r.Context()); ok {
			name = session.User.Name
		}
		showHome(w, name)
	})
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		showDashboard(w, session.User.Name)
	})))
	return auth.Handler(mux), nil
}
