package oauthlogin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/page"
)

// RequireAuth passes a request to next only if the user is signed in, with the session
// in its context: see [FromContext]. It works with and without [Middleware.Handler]
// around it.
//
// Without a session next does not run and no cookie is written. A page navigation is
// redirected to the login page, and comes back to its path and query. Every other
// request (fetch and XMLHttpRequest, server-sent events, WebSocket, prefetching,
// methods other than GET and HEAD) gets a 401 response with the login page's URL in a
// JSON object:
//
//	{"error":"unauthenticated","login_url":"/login?return_to=%2Fdashboard"}
//
// If it cannot be told whether the user is signed in, because Options.Store fails, the
// response is 503 with Retry-After: a page for navigations, and {"error":"unavailable"}
// otherwise. The session stays, and works again when the store does.
//
// An access token that is about to expire is refreshed before next runs: see
// Options.RefreshBefore. A request waits for that eight seconds at most. If the provider
// says that the grant has ended, the session ends; if it refuses for any other reason,
// the session ends with its access token. If the provider cannot be reached, the session
// goes on, and [Session.Token] returns nil once the old token has expired; a day later
// the response is 503 until a refresh works.
//
// Browsers say in Sec-Fetch-Mode whether a request is a navigation. Without that header
// (curl, other programs, plain http that is not on loopback) a GET or HEAD is a
// navigation unless it has X-Requested-With or Upgrade, or its Accept allows neither
// text/html nor */*.
//
// Around the login, callback and logout paths RequireAuth serves these itself.
func (m *Middleware) RequireAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) {
			return
		}
		s, r, err := m.enter(w, r, isNoFile)
		switch {
		case err != nil:
			m.unavailable(w, r, err)
			return
		case s == nil:
			m.unauthenticated(w, r)
			return
		}
		rec := s.current()
		switch r, err = m.refreshIfDue(w, r, s); {
		case errors.Is(err, errGrantEnded):
			m.sessions.vault.forget(r)
			if !m.sessions.grants.Replaced(rec) {
				m.cookies.Clear(w, r)
			}
			m.unauthenticated(w, r)
			return
		case errors.Is(err, errSessionEnded): // whose cookies the response to a logout clears
			m.unauthenticated(w, r)
			return
		case err != nil && r.Context().Err() != nil: // the provider may still refuse
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case err != nil && !rec.vouchedFor(time.Now()):
			m.unavailable(w, r, fmt.Errorf("%w: %w", errNotVouchedFor, err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isNoFile reports whether a response may set a cookie: handlers may mark files public.
func isNoFile(r *http.Request) bool { return !browser.IsFile(r) }

// unauthenticated answers a request without a session.
func (m *Middleware) unauthenticated(w http.ResponseWriter, r *http.Request) {
	if !browser.IsNavigation(r) {
		m.unauthorized(w, m.paths.Caller(r))
		return
	}
	// Without __Host-, a cookie of a longer path survives every login: the browser would
	// go round.
	if !m.cookies.Secure && m.cookies.SentTwice(r) {
		m.responses.fail(w, r, &Error{Code: "cookies_lost", Status: http.StatusBadRequest, err: errors.New("the request has the session cookie twice, with two values")})
		return
	}
	page.NoStore(w)
	w.Header().Set("Location", m.paths.LoginURL("", m.paths.Request(r)))
	w.WriteHeader(http.StatusFound)
}

// unauthorized answers requests that cannot follow a redirect to a page: a redirected
// fetch fails without saying why, and a redirected WebSocket or event stream dies
// silently.
func (m *Middleware) unauthorized(w http.ResponseWriter, returnTo string) {
	page.NoStore(w)
	// RFC 9110 section 15.5.2 wants a challenge. Browsers do not prompt for this one.
	w.Header().Set("WWW-Authenticate", `Cookie realm="oauthlogin"`)
	page.JSON(w, http.StatusUnauthorized, map[string]string{"error": "unauthenticated", "login_url": m.paths.LoginURL("", returnTo)})
}

// retryAfter is how many seconds a client waits before it asks again.
const retryAfter = "5"

// unavailable answers a request of which it cannot be told whether its user is signed
// in. It sets no cookie and expires none.
func (m *Middleware) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", retryAfter)
	e := &Error{Code: "unavailable", Status: http.StatusServiceUnavailable, err: err}
	if path := m.paths.Request(r); path != "/" || r.URL.Path == "/" {
		e.RetryURL = path
	}
	m.responses.refuse(w, r, e)
}
