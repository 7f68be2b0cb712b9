package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// me returns the signed-in user as JSON.
func (a *app) me(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	writeJSON(w, http.StatusOK, struct {
		Provider string `json:"provider"`
		Subject  string `json:"sub"`
		Name     string `json:"name"`
		Email    string `json:"email"`
	}{session.User.Provider, session.User.Subject, session.User.Name, session.User.Email})
}

// profile calls the provider's user info endpoint with the user's access token
// and passes on its status and JSON.
func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	status, body, err := a.fetchUserInfo(ctx)
	switch {
	case err != nil:
		slog.WarnContext(ctx, "reading user info failed", "error", err)
		writeError(w, http.StatusBadGateway, "could not read user info from the provider")
	case body == nil:
		writeError(w, status, fmt.Sprintf("the provider returned status %d", status))
	default:
		writeJSON(w, status, body)
	}
}

func (a *app) fetchUserInfo(ctx context.Context) (status int, body json.RawMessage, err error) {
	session, _ := oauthlogin.FromContext(ctx)
	url, err := a.providerOf(session).userInfoURL(ctx, a.metadata)
	if err != nil {
		return 0, nil, err
	}
	return getJSON(ctx, a.auth.Client(ctx), url)
}

// events sends the time once a second until the browser disconnects, the server
// stops or the session ends. The browser then connects again: if the session has
// been used elsewhere in the meantime, the stream goes on, and otherwise the
// response is 401.
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	stream := http.NewResponseController(w)
	session, _ := oauthlogin.FromContext(r.Context())
	expired := time.After(time.Until(session.Expires()))
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for now := time.Now(); ; {
		stream.SetWriteDeadline(now.Add(10 * time.Second)) // for a browser that stops reading
		fmt.Fprintf(w, "data: {\"now\":%q}\n\n", now.Format(time.RFC3339))
		if stream.Flush() != nil {
			return
		}
		select {
		case now = <-ticker.C:
		case <-r.Context().Done():
			return
		case <-expired:
			return
		case <-a.stopping:
			return
		}
	}
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
