package oauthlogin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

const (
	// silentPause is how long a browser is not sent to the provider again.
	silentPause = 10 * time.Minute
	// silentCookieAge is how long a browser remembers the pause.
	silentCookieAge = 30 * 24 * time.Hour
	// silentOffAge is how long it remembers a logout: as long as browsers keep a cookie
	// (RFC 6265bis section 5.5).
	silentOffAge = 400 * 24 * time.Hour
	// silentWait bounds what a page waits for the provider: for its metadata and, where it
	// takes pushed authorization requests, for its response to one.
	silentWait = 2 * time.Second
	// maxSilentReturn is the length of a return path that fits a flow cookie whatever it
	// contains.
	maxSilentReturn = 1024
)

// SilentLogin signs users in on public pages without asking them anything. A page navigation
// without a session goes to the provider with prompt=none once, and comes back signed in if the
// user is signed in there (OpenID Connect Core section 3.1.2.1). Otherwise next runs without a
// session: see [FromContext]. A session that a login on purpose has begun meanwhile stays.
//
// next also runs without a session when the provider cannot be reached, when the browser was
// sent there in the last ten minutes, and when it is unknown whether the user is signed in.
// An access token that is about to expire is refreshed as by [Middleware.RequireAuth]; if the
// provider cannot be reached, next runs with the old one.
//
// A browser that signs out stays signed out until its user signs in on purpose. For a browser
// that has not been on such a page before, that holds only if SilentLogin was called before the
// Middleware served its first request.
//
// A browser that keeps no cookies, and a crawler, gets an error page instead of the page: do
// not use SilentLogin on pages that are for those as well. It does nothing where the user would
// have to choose: with several providers, or with one that is not OpenID Connect.
func (m *Middleware) SilentLogin(next http.Handler) http.Handler {
	// What a logout does must not change under the requests that are running.
	if m.made() && !m.serving.Load() {
		m.silent.inUse.Store(true)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) {
			return
		}
		s, r, err := m.withSession(w, r, isNoFile)
		if s != nil {
			var ended bool
			var failed error
			r, ended, failed = m.refreshOrEnd(w, r, s)
			switch {
			case ended:
				s.over.Store(true)
				s = nil
			case errors.Is(failed, instances.ErrAway) && !s.current().Tokens.Valid(time.Now()): // as for RequireAuth
				s.doubtful.Store(true)
			}
		}
		if s == nil && err == nil && m.startSilentLogin(w, r) {
			return
		}
		s.doubt()
		next.ServeHTTP(w, r)
	})
}

// startSilentLogin sends a page navigation to the provider if that can sign the user in without
// asking. It reports whether it has responded.
func (m *Middleware) startSilentLogin(w http.ResponseWriter, r *http.Request) bool {
	p := m.providers[0]
	if len(m.providers) > 1 || p.Issuer == "" || r.Method != http.MethodGet || !browser.IsNavigation(r) {
		return false
	}
	// A frame would lead through the provider, which no provider allows.
	if !browser.IsDocument(r) || m.silent.paused(r) {
		return false
	}
	returnTo := m.paths.Request(r)
	if len(returnTo) > maxSilentReturn || returnTo == m.paths.Home && weburl.Target(r) != returnTo {
		return false // the way back would lead elsewhere
	}
	// Discovery goes on after the wait; this page does not wait for it.
	ctx, cancel := context.WithTimeout(r.Context(), silentWait)
	defer cancel()
	opts := LoginOptions{ReturnTo: returnTo, AuthParams: url.Values{"prompt": {"none"}}}
	location, err := m.beginFlow(w, r.WithContext(ctx), p, opts, flow.Silent)
	if err != nil {
		failed := m.notBegun(p, opts, err)
		m.log.Log(r.Context(), m.levelOf(failed), "oauthlogin: no silent sign-in", failed.attrs()...)
		return false
	}
	// Before it is known how it ends: a browser that never comes back from the provider
	// is not sent there again at once.
	m.silent.set(w, strconv.FormatInt(time.Now().Add(silentPause).Unix(), 10))
	page.NoReferrer(w)
	page.Redirect(w, location)
	return true
}

// hasSession reports whether a silent login must not begin a session, as the user has one by
// now, perhaps of another account and on purpose, or may have one.
func (m *Middleware) hasSession(r *http.Request) bool {
	rec, _, err := m.sessions.Load(r)
	return rec != nil || err != nil
}

// silentLogins say when a browser is not sent to the provider.
type silentLogins struct {
	cookies *cookies.Scheme
	inUse   atomic.Bool // SilentLogin is
}

// silentOff is the value of the cookie after a logout. Any other is the time, in
// seconds since 1970, until which silent logins pause.
const silentOff = "off"

func (s *silentLogins) paused(r *http.Request) bool {
	cookie, err := r.Cookie(s.cookies.Silent)
	if err != nil {
		return false
	}
	until, err := strconv.ParseInt(cookie.Value, 10, 64)
	return cookie.Value == silentOff || err == nil && time.Now().Unix() < until
}

// pause keeps SilentLogin from signing a browser in again after its logout, also one that
// has not been on such a page yet. Without SilentLogin there is no cookie.
func (s *silentLogins) pause(w http.ResponseWriter, r *http.Request) {
	known := false
	if cookie, err := r.Cookie(s.cookies.Silent); err == nil {
		_, err := strconv.ParseInt(cookie.Value, 10, 64)
		known = err == nil || cookie.Value == silentOff
	}
	if known || s.inUse.Load() {
		s.cookies.Set(w, s.cookies.Silent, silentOff, int(silentOffAge/time.Second))
	}
}

// resume ends the pause when the user signs in on purpose.
func (s *silentLogins) resume(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(s.cookies.Silent); err == nil && cookie.Value == silentOff {
		s.set(w, "0")
	}
}

func (s *silentLogins) set(w http.ResponseWriter, value string) {
	s.cookies.Set(w, s.cookies.Silent, value, int(silentCookieAge/time.Second))
}
