package migration

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gorilla/sessions"
	"golang.org/x/oauth2"
)

func newByHand(c config, key []byte) (http.Handler, error) {
	endpoints, err := discover(c.issuer)
	if err != nil {
		return nil, err
	}
	store := sessions.NewCookieStore(key)
	store.Options.HttpOnly, store.Options.SameSite = true, http.SameSiteLaxMode
	client := &oauth2.Config{
		ClientID: c.clientID, ClientSecret: c.clientSecret,
		RedirectURL: c.base + "/auth/callback",
		Scopes:      []string{"openid", "profile", "email"},
		Endpoint:    oauth2.Endpoint{AuthURL: endpoints.Authorization, TokenURL: endpoints.Token},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "login")
		state, verifier := rand.Text(), oauth2.GenerateVerifier()
		session.Values["state"], session.Values["verifier"] = state, verifier
		if err := session.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, client.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), http.StatusFound)
	})
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		login, _ := store.Get(r, "login")
		state, _ := login.Values["state"].(string)
		verifier, _ := login.Values["verifier"].(string)
		if state == "" || r.FormValue("state") != state {
			http.Error(w, "state does not match", http.StatusBadRequest)
			return
		}
		login.Options.MaxAge = -1
		if err := login.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		token, err := client.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			http.Error(w, "sign-in failed", http.StatusBadGateway)
			return
		}
		user, err := userInfo(r.Context(), client.Client(r.Context(), token), endpoints.UserInfo)
		if err != nil {
			http.Error(w, "sign-in failed", http.StatusBadGateway)
			return
		}
		session, _ := store.Get(r, "session")
		session.Values["sub"], session.Values["name"] = user.Subject, user.Name
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

type metadata struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
}

func discover(issuer string) (found metadata, err error) {
	resp, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		return found, err
	}
	defer resp.Body.Close()
	return found, json.NewDecoder(resp.Body).Decode(&found)
}

type profile struct {
	Subject string `json:"sub"`
	Name    string `json:"name"`
}

func userInfo(ctx context.Context, client *http.Client, endpoint string) (user profile, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return user, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return user, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&user); err != nil || user.Subject == "" {
		return user, errors.New("user info has no sub")
	}
	return user, nil
}
