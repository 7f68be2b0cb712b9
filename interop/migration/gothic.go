package migration

import (
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/openidConnect"
)

func newGothic(c config, key []byte) (http.Handler, error) {
	provider, err := openidConnect.New(c.clientID, c.clientSecret, c.base+"/auth/callback", c.issuer+"/.well-known/openid-configuration", "profile", "email")
	if err != nil {
		return nil, err
	}
	goth.UseProviders(provider)
	store := sessions.NewCookieStore(key)
	store.Options.HttpOnly, store.Options.SameSite = true, http.SameSiteLaxMode
	gothic.Store = store
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		gothic.BeginAuthHandler(w, gothic.GetContextWithProvider(r, provider.Name()))
	})
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, gothic.GetContextWithProvider(r, provider.Name()))
		if err != nil {
			http.Error(w, "sign-in failed", http.StatusBadGateway)
			return
		}
		session, _ := store.Get(r, "session")
		session.Values["sub"], session.Values["name"] = user.UserID, user.Name
		if err := session.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/dashboard", http.StatusFound)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	nameOf := func(r *http.Request) string {
		session, _ := store.Get(r, "session")
		name, _ := session.Values["name"].(string)
		return name
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { showHome(w, nameOf(r)) })
	mux.HandleFunc("GET /dashboard", func(w http.ResponseWriter, r *http.Request) {
		name := nameOf(r)
		if name == "" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		showDashboard(w, name)
	})
	return mux, nil
}
