package oauthlogin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// RequireAuth lets a request through to next if the user is signed in, with the
// session in its context: see [FromContext]. It works with and without
// [Middleware.Handler] around it.
//
// Without a session next does not run and no cookie is written. A page
// navigation is redirected to the login page, and comes back to its path and
// query. Everything else (fetch and XMLHttpRequest, server-sent events,
// WebSocket, prefetching, methods other than GET and HEAD) gets a 401
// answer with the login page's URL in a JSON object:
//
//	{"error":"unauthenticated","login_url":"/login?return_to=%2Fdashboard"}
//
// An access token that is about to expire is refreshed before next runs: see
// Options.RefreshBefore. When the provider refuses because the grant has ended,
// so does the session; when it cannot be reached, the session goes on, and
// [Session.Token] returns nil once the old token has expired.
//
// Browsers say which it is in Sec-Fetch-Mode. Without that header (curl, other
// programs, plain http that is not on loopback) a GET or HEAD is a navigation
// unless it has X-Requested-With or Upgrade, or its Accept allows neither
// text/html nor */*.
//
// Around the login, callback and logout paths RequireAuth serves these itself.
func (m *Middleware) RequireAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) {
			return
		}
		s, r := m.enter(w, r)
		if s == nil {
			m.unauthenticated(w, r)
			return
		}
		switch err := m.freshen(w, r, s); {
		case errors.Is(err, errSessionEnded):
			m.forget(r)
			m.clearCookies(w, r)
			m.unauthenticated(w, r)
			return
		case err != nil && r.Context().Err() != nil: // the answer may yet be no
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (m *Middleware) unauthenticated(w http.ResponseWriter, r *http.Request) {
	if isNavigation(r) {
		// Without __Host-, a cookie of a longer path survives every login: the
		// browser would go round.
		if !m.cookies.secure && m.cookies.sentTwice(r) {
			m.fail(w, r, &Error{Code: "cookies_lost", Status: http.StatusBadRequest, err: errors.New("the session cookie is there twice, with two values")})
			return
		}
		noStore(w)
		w.Header().Set("Location", m.loginURL("", m.requestPath(r)))
		w.WriteHeader(http.StatusFound)
		return
	}
	m.unauthorized(w, m.callerPath(r))
}

// unauthorized is the answer to requests that cannot follow a redirect to a
// page: a redirected fetch fails without saying why, and a redirected
// WebSocket or event stream dies silently.
func (m *Middleware) unauthorized(w http.ResponseWriter, returnTo string) {
	noStore(w)
	// RFC 9110 section 15.5.2 wants a challenge; no browser prompts for this one.
	w.Header().Set("WWW-Authenticate", `Cookie realm="oauthlogin"`)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "unauthenticated", "login_url": m.loginURL("", returnTo)})
}

func writeJSON(w http.ResponseWriter, status int, v map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// callerPath is where to return to after a login that a script has to ask
// for: the page it runs on if the browser says, and the request's own path.
func (m *Middleware) callerPath(r *http.Request) string {
	if page, err := url.Parse(r.Referer()); err == nil && page.Host != "" && page.Host == r.Host {
		return m.returnPath(page.RequestURI())
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return m.requestPath(r)
	}
	return "/"
}

// isNavigation reports whether a request loads a page that a user looks at.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || isPrefetch(r) {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if r.Header.Get("X-Requested-With") != "" || r.Header.Get("Upgrade") != "" {
		return false
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
}

// isPrefetch reports whether a browser asks before its user does.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(r.Header.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}
