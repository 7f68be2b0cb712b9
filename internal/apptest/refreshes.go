package apptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Refreshes returns the refresh tokens that were sent, and fails the test if
// one was sent again after the provider had accepted it.
func (a *App) Refreshes(t *testing.T) (sent []string) {
	t.Helper()
	spent := map[string]bool{}
	for _, r := range a.Provider.Requests(oauthlogintest.Token) {
		if r.Form.Get("grant_type") != "refresh_token" {
			continue
		}
		token := r.Form.Get("refresh_token")
		if spent[token] {
			t.Errorf("refresh token %d was sent again after it was spent", len(sent))
		}
		spent[token] = r.Status == http.StatusOK
		sent = append(sent, token)
	}
	return sent
}

// WantRefreshes fails the test if there were not n refreshes so far.
func (a *App) WantRefreshes(t *testing.T, n int) {
	t.Helper()
	if got := len(a.Refreshes(t)); got != n {
		t.Errorf("%d refreshes, want %d", got, n)
	}
}

// Issued returns the refresh tokens that the token endpoint gave out.
func (a *App) Issued() (tokens []string) {
	for _, body := range a.Wire.Responses() {
		var resp struct {
			Token string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(body), &resp) == nil && resp.Token != "" {
			tokens = append(tokens, resp.Token)
		}
	}
	return tokens
}

// RespondToRefreshes has respond in place of the token endpoint, for refreshes and
// not for logins. nil restores the endpoint.
func (a *App) RespondToRefreshes(respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)) {
	a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if respond == nil || r.FormValue("grant_type") != "refresh_token" {
			next(w, r)
			return
		}
		respond(w, r, next)
	})
}

// SlowTokens has the provider take d over each response to a refresh. The
// rotation is done at once.
func (a *App) SlowTokens(d time.Duration) {
	a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(w, r)
		time.Sleep(d)
	})
}

// LastIssued returns the last token of this name that the token endpoint gave.
func (a *App) LastIssued(name string) string {
	for _, body := range slices.Backward(a.Wire.Responses()) {
		var tokens map[string]any
		if json.Unmarshal([]byte(body), &tokens) == nil && tokens[name] != nil {
			return fmt.Sprint(tokens[name])
		}
	}
	return ""
}
