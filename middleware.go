package oauthlogin

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gorilla/sessions"
	"golang.org/x/sync/singleflight"
)

// A Middleware signs users in. It is safe for concurrent use. Make one with
// [New]: the zero Middleware lets nobody through.
//
// What it promises does not depend on options: the authorization code flow
// with PKCE S256 and state, and a nonce with OpenID Connect (RFC 9700 section
// 2.1), a new session at every login, cookies that are HttpOnly, SameSite=Lax
// and, but for http on loopback, Secure with the prefix __Host-, and return
// paths on our own origin.
//
// What it does not do: a cookie that was stolen stays valid until a limit
// ends it, also after a logout, unless sessions are kept in Options.Store.
type Middleware struct {
	opts          Options
	log           *slog.Logger
	providers     []*provider
	ownPaths      []string // login, logout, callbacks
	cookies       *cookieScheme
	store         sessions.Store // Options.Store, or chunks
	chunks        *cookieStore   // nil: Options.Store
	opened        *cache         // sealed sessions
	sessionSealer *sealer
	flowSealer    *sealer
	finished      recent // states, with return paths
	signedIn      recent // provider and subject
	memory        memory
	flights       singleflight.Group // of refreshes
	silent        atomic.Bool        // SilentLogin is in use
	crossOrigin   *http.CrossOriginProtection
	transport     http.RoundTripper // of calls to users' APIs
}

// New makes a Middleware. It does no input or output: providers may be down
// when the application starts. The error joins every fault of opts.
func New(opts Options) (*Middleware, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	m := &Middleware{
		opts:        opts,
		log:         opts.Logger,
		ownPaths:    []string{opts.LoginPath, opts.LogoutPath},
		cookies:     newCookieScheme(opts.CookieName, isHTTPS(opts.Providers[0].OAuth2.RedirectURL)),
		store:       opts.Store,
		memory:      memory{maxAge: opts.IdleTimeout},
		finished:    recent{maxAge: flowLifetime},
		signedIn:    recent{maxAge: roundsAge},
		crossOrigin: http.NewCrossOriginProtection(),
	}
	if m.store == nil {
		m.chunks = &cookieStore{m.cookies}
		m.store = m.chunks
	}
	m.opened = &cache{}
	var err error
	if m.sessionSealer, err = newSealer(opts.Keys, "session"); err != nil {
		return nil, err
	}
	if m.flowSealer, err = newSealer(opts.Keys, "flow"); err != nil {
		return nil, err
	}
	m.transport = newTransport(opts.HTTPClient)
	m.opts.Keys = nil // the sealers have what they need
	bounded := newBoundedTransport(m.transport, opts.HTTPClient)
	for _, config := range opts.Providers {
		p := newProvider(config, bounded)
		m.providers = append(m.providers, p)
		m.ownPaths = append(m.ownPaths, p.callbackPath)
	}
	return m, nil
}

// Format keeps keys and sessions out of whatever prints a Middleware.
func (m *Middleware) Format(f fmt.State, _ rune) {
	if m == nil {
		fmt.Fprint(f, "oauthlogin.Middleware(nil)")
		return
	}
	fmt.Fprintf(f, "oauthlogin.Middleware{%v}", m.opts)
}

// LogValue keeps keys and sessions out of logs.
func (m *Middleware) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

// Handler serves the login, callback and logout paths and the way back from the
// provider's logout, and gives every other request to next, with the session in its context if the user is signed in:
// see [FromContext]. It turns nobody away; [Middleware.RequireAuth] does.
//
// A response to a request with a session gets "Cache-Control: private" and
// "Vary: Cookie", and "no-store" if it sets a cookie, before next runs; next
// may set something else. No ResponseWriter is wrapped.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) {
			return
		}
		_, r = m.enter(w, r)
		next.ServeHTTP(w, r)
	})
}

// serveOwn answers requests to our own paths, and all requests if m was not
// made by New.
func (m *Middleware) serveOwn(w http.ResponseWriter, r *http.Request) bool {
	if !m.ready(w) {
		return true
	}
	switch {
	case r.URL.Path == m.opts.LoginPath:
		m.Login(w, r)
	case r.URL.Path == m.opts.LogoutPath:
		m.Logout(w, r)
	case slices.Contains(m.ownPaths, r.URL.Path): // the rest of them are callbacks
		m.Callback(w, r)
	default:
		return m.afterLogout(w, r)
	}
	return true
}

// ready closes everything behind a Middleware that New did not make.
func (m *Middleware) ready(w http.ResponseWriter) bool {
	if m != nil && m.providers != nil {
		return true
	}
	http.Error(w, "sign-in is not configured", http.StatusInternalServerError)
	return false
}

func (m *Middleware) providerByTag(tag providerTag) *provider {
	for _, p := range m.providers {
		if p.tag == tag {
			return p
		}
	}
	return nil
}
