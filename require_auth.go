package oauthlogin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/tokens"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// RequireAuth passes a request to next only if the user is signed in, with the session in its
// context: see [FromContext]. Without a session, a page navigation is redirected to the login
// and comes back, and any other request gets 401. It works with and without
// [Middleware.Handler] around it.
//
// Without a session next does not run and no cookie is written. A navigation comes back to its
// path and query; so does one that a service worker fetches again. A form that was sent, and
// every other request whose Accept prefers text/html to JSON, gets a page that leads to the
// login and back to the page with the form. The rest (fetch and XMLHttpRequest, server-sent
// events, WebSocket, prefetching) gets the login page's URL in a JSON object, and htmx also in
// the header HX-Redirect:
//
//	{"error":"unauthenticated","login_url":"/login?return_to=%2Fdashboard"}
//
// docs/scripts.md has all of it, and docs/scripts.js a client for fetch, event streams and
// htmx.
//
// A request with a method other than GET, HEAD and OPTIONS that a page of another origin sends,
// a sibling subdomain's included, gets 403 whether or not the user is signed in: a page for a
// form, and {"error":"cross_origin"} otherwise. RedirectURL's origin is the application's own,
// whatever Host says; [Options.TrustedOrigins] names others. Browsers say in Sec-Fetch-Site
// where a request comes from, and in Origin if they do not send that header; a request with
// neither is not a browser's, and goes on. See [http.CrossOriginProtection]. Safe methods are
// not checked, so they must not change anything. A WebSocket handshake is a GET with the user's
// cookies: the application has to check its Origin.
//
// If it is unknown whether the user is signed in, because [Options.Store] or
// [Options.Coordinator] fails, the response is 503 with Retry-After: a page where a user sees
// it, and {"error":"unavailable"} otherwise. The session stays, and works again when the store
// does.
//
// An access token that is about to expire is refreshed before next runs: see
// [Options.RefreshBefore]. A request waits for that eight seconds at most. If the provider says
// that the grant has ended, the session ends; if it refuses for any other reason, the session
// ends with its access token. If the provider cannot be reached, the session goes on, and
// [Session.Token] returns nil once the old token has expired; a day later the response is 503
// until a refresh works.
//
// Browsers say in Sec-Fetch-Mode whether a request is a navigation. Without that header (curl,
// other programs, plain http that is not on loopback) a GET or HEAD is a navigation if its
// Accept names text/html, is exactly */* or is missing, unless it has Upgrade, HX-Request or
// X-Requested-With: XMLHttpRequest.
//
// Around the package's own paths RequireAuth serves these itself, and they check origins by
// their own rules.
func (m *Middleware) RequireAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) || !m.admit(w, r) {
			return
		}
		s, r, err := m.withSession(w, r, isNoFile)
		switch {
		case err != nil:
			m.responses.unavailable(w, r, err)
			return
		case s == nil:
			m.unauthenticated(w, r)
			return
		}
		rec := s.current()
		r, ended, err := m.refreshOrEnd(w, r, s)
		switch {
		case ended:
			m.unauthenticated(w, r)
			return
		case err != nil && r.Context().Err() != nil: // the provider may still refuse
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case errors.Is(err, instances.ErrAway) && !s.current().Tokens.Valid(time.Now()):
			m.responses.unavailable(w, r, err)
			return
		case err != nil && !rec.VouchedFor():
			m.responses.unavailable(w, r, fmt.Errorf("%w: %w", record.ErrNotVouchedFor, err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit reports whether RequireAuth goes on with a request. If it does not, it has
// responded.
func (m *Middleware) admit(w http.ResponseWriter, r *http.Request) bool {
	err := m.origins.Check(r)
	if err == nil || m.origins.Trusts(r) {
		return true
	}
	m.responses.refuse(w, r, crossOriginError(err))
	return false
}

func crossOriginError(err error) *Error {
	return &Error{Code: "cross_origin", Status: http.StatusForbidden, err: err}
}

// refreshIfDue refreshes the tokens of a session if it is time, and writes the
// session's new cookie. The request that it returns has the session with new tokens.
// Any error but [instances.ErrEnded] leaves the session as it is.
func (m *Middleware) refreshIfDue(w http.ResponseWriter, r *http.Request, s *Session) (*http.Request, error) {
	old := s.current()
	if old.Tokens.Refresh.IsZero() { // reading the clock takes time
		return r, nil
	}
	now := time.Now()
	if !m.refreshes.Due(&old.Tokens, now) || browser.IsFile(r) && old.Tokens.Valid(now) {
		return r, nil
	}
	if err := m.refreshes.Refresh(r.Context(), &s.held, old, false); err != nil {
		return r, err
	}
	m.renew(w, r, s.current())
	r, _ = m.carryOn(r, s)
	return r, nil
}

// refreshOrEnd is refreshIfDue for a request whose session may end with the refresh. It
// reports whether it has.
func (m *Middleware) refreshOrEnd(w http.ResponseWriter, r *http.Request, s *Session) (with *http.Request, ended bool, err error) {
	rec := s.current()
	with, err = m.refreshIfDue(w, r, s)
	switch {
	case errors.Is(err, tokens.ErrGrantEnded):
		m.sessions.Delete(r)
		if !m.sessions.Grants.Replaced(rec) {
			m.cookies.ClearSession(w, r)
		}
		return with, true, err
	case errors.Is(err, instances.ErrEnded): // whose cookies the response to a logout clears
		return with, true, err
	}
	return with, false, err
}

// carryOn returns a request with the latest record of a session, in a Session of its own:
// other goroutines may read the one before.
func (m *Middleware) carryOn(r *http.Request, s *Session) (*http.Request, *Session) {
	ctx := &sessionContext{Context: r.Context()}
	ctx.session.init(m, s.held.Request, s.current())
	ctx.session.over, ctx.session.refreshed, ctx.session.bound = s.over, true, s.bound
	return r.WithContext(ctx), &ctx.session
}

// isNoFile reports whether a response may set a cookie: handlers may mark files public.
func isNoFile(r *http.Request) bool { return !browser.IsFile(r) }

// unauthenticated responds to a request without a session.
func (m *Middleware) unauthenticated(w http.ResponseWriter, r *http.Request) {
	if !browser.IsNavigation(r) && !browser.IsRefetch(r) {
		m.responses.challenge(w, r, "unauthenticated", m.paths.LoginURL("", m.returns.callerPath(r)))
		return
	}
	// Without __Host-, a cookie of a longer path survives every login: the browser would
	// go round.
	if !m.cookies.Secure && m.cookies.IsAmbiguous(r) {
		m.responses.fail(w, r, &Error{Code: "cookies_lost", Status: http.StatusBadRequest, err: errors.New("the request has the session cookie twice, with two values")})
		return
	}
	if m.paths.WithoutPrefix(r) {
		m.responses.fail(w, r, &Error{Code: "internal", Status: http.StatusInternalServerError, err: errPrefixStripped})
		return
	}
	m.hints.RedirectedToLogin(r)
	page.NoStore(w)
	w.Header().Set("Location", m.returns.gateURL(r))
	w.WriteHeader(http.StatusFound)
}

// errPrefixStripped is the error of a redirect to the login path that would lead to
// itself.
var errPrefixStripped = errors.New("a proxy strips a prefix off the path of Options.LoginPath or RedirectURL, so that the login page redirects to itself; " +
	"have it pass the path on as it is, or put the prefix back in front of Middleware.Handler (docs/reverse-proxies.md, Below a prefix)")

// returnPaths are where logins lead back to, and a log of those that are dropped.
type returnPaths struct {
	paths *weburl.Paths
	log   *slog.Logger
}

// maxLoginURL is the length, in bytes, of a login URL that servers take: most refuse
// request lines over 8 KiB.
const maxLoginURL = 8000

// gateURL is the URL of a login that leads back to what was asked for. Escapes can make
// it three times as long.
func (b *returnPaths) gateURL(r *http.Request) string {
	path := b.requestPath(r)
	if loginURL := b.paths.LoginURL("", path); len(loginURL) <= maxLoginURL {
		return loginURL
	}
	b.logDropped(r, path)
	return b.paths.LoginURL("", b.paths.Home)
}

// callerPath is the return path of a login that a script has to ask for.
func (b *returnPaths) callerPath(r *http.Request) string {
	path := b.paths.Caller(r)
	switch {
	case len(b.paths.LoginURL("", path)) > maxLoginURL:
		b.logDropped(r, path)
		return b.paths.Home
	case path == b.paths.Home && b.paths.Page(r) == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		b.logDropped(r, weburl.Target(r))
	}
	return path
}

// requestPath is the return path of a request.
func (b *returnPaths) requestPath(r *http.Request) string {
	path := b.paths.Request(r)
	if path == b.paths.Home {
		b.logDropped(r, weburl.Target(r))
	}
	return path
}

// logDropped says that a return path was not kept. A query may contain secrets, and
// what is not a path of the application is an attacker's text.
func (b *returnPaths) logDropped(r *http.Request, given string) {
	if given == "" || given == b.paths.Home {
		return
	}
	path, _, _ := strings.Cut(given, "?")
	path, _, _ = strings.Cut(path, "#")
	if path = path[:min(len(path), 64)]; weburl.ReturnPath(path) != path {
		path = "[not a path of the application]"
	}
	b.log.DebugContext(r.Context(), "oauthlogin: return path dropped", "path", browser.Printable(weburl.Shown(path)), "bytes", len(given))
}

// challenge responds to a request that cannot follow a redirect to the login page, with 401
// and the way there: a redirected fetch fails without saying why, a redirected
// WebSocket or event stream dies silently, and a redirected form is lost.
func (p *responder) challenge(w http.ResponseWriter, r *http.Request, code, loginURL string) {
	page.NoStore(w)
	// RFC 9110 section 15.5.2 wants a challenge. Browsers do not prompt for this one.
	scheme := `Cookie realm="oauthlogin"`
	if code != "unauthenticated" {
		scheme += `, error="` + code + `"` // RFC 9470 section 3
	}
	w.Header().Set("WWW-Authenticate", scheme)
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", loginURL)
	}
	if browser.ShowsPage(r) {
		p.fail(w, r, &Error{Code: code, Status: http.StatusUnauthorized, RetryURL: loginURL, err: errors.New("the request cannot go through a login")})
		return
	}
	page.JSON(w, http.StatusUnauthorized, map[string]string{"error": code, "login_url": loginURL})
}

// unavailable responds to a request if it is unknown whether its user is signed
// in. It sets no cookie and expires none.
func (p *responder) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", page.RetryAfter)
	e := &Error{Code: "unavailable", Status: http.StatusServiceUnavailable, err: err}
	if path := p.paths.Request(r); path != p.paths.Home || weburl.Target(r) == path {
		e.RetryURL = path
	}
	p.refuse(w, r, e)
}
