package oauthlogin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	// silentCookieAge is how long a browser is not asked again.
	silentCookieAge = 10 * time.Minute
	// silentWait bounds what a page waits for the provider's metadata.
	silentWait = 2 * time.Second
	// maxSilentReturn is a return path that fits into a flow cookie whatever
	// is in it.
	maxSilentReturn = 1024
)

// SilentLogin signs users in without asking them anything, on pages that are public:
// a page navigation without a session goes to the provider with prompt=none
// once, and comes back signed in if the user is signed in there (OpenID Connect
// Core section 3.1.2.1). Otherwise, and when the provider cannot be reached or
// the browser was sent there in the last ten minutes, next runs without a
// session.
//
// A browser that keeps no cookies, and a crawler, meets an error page instead of
// the page: keep SilentLogin off pages that are for those as well.
//
// It does nothing where the user would have to choose: with several providers,
// or with one that is not OpenID Connect.
func (m *Middleware) SilentLogin(next http.Handler) http.Handler {
	if m != nil {
		m.silent.Store(true)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) {
			return
		}
		s, r := m.enter(w, r)
		if s == nil && m.startSilent(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// startSilent reports whether it has answered the request.
func (m *Middleware) startSilent(w http.ResponseWriter, r *http.Request) bool {
	p := m.providers[0]
	if len(m.providers) > 1 || p.Issuer == "" || r.Method != http.MethodGet || !isNavigation(r) {
		return false
	}
	// A frame would lead through the provider, which no provider allows.
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return false
	}
	returnTo := m.requestPath(r)
	if len(returnTo) > maxSilentReturn || returnTo == "/" && r.URL.RequestURI() != "/" {
		return false // the way back would lead elsewhere
	}
	if _, err := r.Cookie(m.cookies.silent); err == nil {
		return false
	}
	// Discovery goes on without us; this page does not wait for it.
	ctx, cancel := context.WithTimeout(r.Context(), silentWait)
	defer cancel()
	md, err := p.endpoints.metadata(ctx)
	if err != nil {
		return false
	}
	f, location, err := p.authorizationRequest(md, LoginOptions{
		ReturnTo:   returnTo,
		AuthParams: url.Values{"prompt": {"none"}},
	})
	if err != nil {
		return false
	}
	f.silent = true
	if err := m.writeFlow(w, r, f); err != nil {
		return false
	}
	// Before it is known how it ends: a browser that never comes back from the
	// provider is not sent there again at once.
	m.pauseSilent(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	redirect(w, location)
	return true
}

// pauseSilent keeps the browser from being sent to the provider for a while.
func (m *Middleware) pauseSilent(w http.ResponseWriter) {
	m.cookies.set(w, m.cookies.silent, "1", int(silentCookieAge/time.Second))
}

// isQuiet reports whether a failed login is to be passed over: the user did
// not ask for it, and gets the page as it is for everybody.
func (f *flow) isQuiet(e *Error) bool {
	return f.silent && !errors.Is(e.err, errMixUp)
}
