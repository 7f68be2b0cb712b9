package oauthlogin

import (
	"net/http"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/page"
)

// SessionInfo responds to GET and HEAD with JSON for scripts: whether the user is signed in,
// who the user is, and when the session ends if it is not used again. A page may poll it,
// because it never extends a session: it refreshes no token and writes nothing.
//
//	{"signed_in":true,"user":{"provider":"github","sub":"1","name":"Alice","email":"a@example.com"},
//	 "expires_at":"2026-01-02T15:04:05Z","refreshable":true,"bound":false,"logout_url":"/logout"}
//	{"signed_in":false,"login_url":"/login?return_to=%2Fdashboard"}
//
// expires_at is [Session.Expires] in UTC and whole seconds (RFC 3339). refreshable says whether
// the session has a refresh token, and bound is [Session.Bound]. The login_url leads back to
// the page that asked, by Referer, and never to this JSON. If it is unknown whether the
// user is signed in, the response is 503 with Retry-After and {"error":"unavailable"}.
//
// Mount it at a path of the application's own, behind [Middleware.Handler] or alone.
// [Middleware.RequireAuth] around it counts each request as a use of the session. So does
// Handler, with [Options.Store], for a user who opens its URL as a page.
func (m *Middleware) SessionInfo(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	s, err := m.Session(r)
	// What Handler has renewed is taken back. Without the cookie of a refresh the rotated
	// refresh token would be lost (RFC 9700 section 4.14.2).
	if s == nil || !s.refreshed {
		m.cookies.UnsetAll(w)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		m.responses.methodNotAllowed(w, r, "GET, HEAD")
		return
	}
	page.NoStore(w)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", page.RetryAfter)
		page.JSON(w, http.StatusServiceUnavailable, map[string]string{"error": "unavailable"})
	case s == nil:
		page.JSON(w, http.StatusOK, signedOut{LoginURL: m.paths.LoginURL("", m.returns.pageOf(r))})
	default:
		rec := s.current()
		page.JSON(w, http.StatusOK, signedIn{
			SignedIn:    true,
			User:        namedUser{rec.User.Provider, rec.User.Subject, rec.User.Name, rec.User.Email},
			ExpiresAt:   s.Expires().UTC().Truncate(time.Second),
			Refreshable: !rec.Tokens.Refresh.IsZero(),
			Bound:       s.Bound(),
			LogoutURL:   m.paths.Logout,
		})
	}
}

// pageOf is the return path of the page that asks for JSON, and never the path of the JSON.
func (b *returnPaths) pageOf(r *http.Request) string {
	asking := b.paths.Page(r)
	own, _, _ := strings.Cut(b.paths.Request(r), "?")
	if path, _, _ := strings.Cut(asking, "?"); asking == "" || path == own {
		return b.paths.Home
	}
	return asking
}

type signedOut struct {
	SignedIn bool   `json:"signed_in"`
	LoginURL string `json:"login_url"`
}

type signedIn struct {
	SignedIn    bool      `json:"signed_in"`
	User        namedUser `json:"user"`
	ExpiresAt   time.Time `json:"expires_at"`
	Refreshable bool      `json:"refreshable"`
	Bound       bool      `json:"bound"`
	LogoutURL   string    `json:"logout_url"`
}

type namedUser struct {
	Provider string `json:"provider"`
	Subject  string `json:"sub"`
	Name     string `json:"name"`
	Email    string `json:"email"`
}
