package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/active"
	"github.com/oauthlogin/oauthlogin/internal/binding"
	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/hints"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
	"github.com/oauthlogin/oauthlogin/internal/tokens"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A Middleware signs users in, guards routes and calls APIs for users. Make one with [New]; it
// is safe for concurrent use. The zero Middleware and a nil one refuse every request with 500.
//
// No option changes what it guarantees: the authorization code flow with PKCE S256 and state,
// and a nonce with OpenID Connect (RFC 9700 section 2.1); a new session at every login; cookies
// that are HttpOnly, SameSite=Lax and, except for http on loopback, Secure with the prefix
// __Host-; and return paths on the application's own origin.
//
// A stolen cookie stays valid until a limit ends the session, even after a logout, unless
// [Options.Store] keeps the sessions, [Options.Coordinator] tells of those that have ended, or
// [Options.BindDevices] binds them in the user's browser.
type Middleware struct {
	opts       Options
	log        *slog.Logger
	providers  providers
	paths      *weburl.Paths
	cookies    *cookies.Scheme
	sessions   *active.Sessions
	refreshes  *tokens.Refreshes
	resources  *tokens.Resources
	calls      *tokens.Calls     // of users' APIs
	bindings   *binding.Bindings // nil: Options.BindDevices is off
	flows      *flow.Flows
	events     *reporter
	responses  *responder
	hints      *hints.Hints
	returns    *returnPaths
	shortLived *seal.Sealer // of what lives minutes: flows, step-ups, logout states
	origins    *weburl.Origins
	serving    atomic.Bool // a request has come in
	silent     silentLogins
	// logoutTokens are those of BackChannelLogout.
	logoutTokens logoutTokens
}

// New returns a Middleware for opts, or an error that joins every fault of opts, each with the
// field's name. It performs no I/O, so the application starts even if a provider is down, and
// it copies opts.
func New(opts Options) (*Middleware, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	sessionSealer, err := seal.New(opts.Keys, "session", 0)
	if err != nil {
		return nil, fmt.Errorf("oauthlogin: %w", err)
	}
	shortLived, err := seal.New(opts.Keys, "flow", maxShortLived)
	if err != nil {
		return nil, fmt.Errorf("oauthlogin: %w", err)
	}
	shared, err := seal.New(opts.Keys, "coordinator", 0)
	if err != nil {
		return nil, fmt.Errorf("oauthlogin: %w", err)
	}
	scheme := cookies.NewScheme(opts.CookieName, weburl.IsHTTPS(opts.Providers[0].OAuth2.RedirectURL))
	events := &reporter{opts.OnEvent, opts.Logger}
	var bindings *binding.Bindings
	if opts.BindDevices {
		if bindings, err = binding.New(opts.Keys, scheme, opts.devicePath(), opts.MaxLifetime, events, opts.Logger); err != nil {
			return nil, fmt.Errorf("oauthlogin: %w", err)
		}
	}
	opts.Keys = nil // the sealers have what they need

	m := &Middleware{
		opts:       opts,
		log:        opts.Logger,
		cookies:    scheme,
		events:     events,
		bindings:   bindings,
		responses:  &responder{handler: opts.ErrorHandler, log: opts.Logger, alarms: memory.Recent{MaxAge: time.Minute}, texts: newTranslations(opts.Texts, opts.Logger)},
		shortLived: shortLived,
	}
	transport := protocol.NewTransport(opts.HTTPClient)
	bounded := protocol.NewBounded(transport, opts.HTTPClient)
	m.logoutTokens = logoutTokens{accepted: memory.Recent{MaxAge: protocol.LogoutTokenLifetime, Max: maxLogoutTokens}}
	for _, config := range opts.Providers {
		m.providers = append(m.providers, newProvider(config, opts.HomePath, opts.backChannelPath(), bounded, opts.Logger))
	}
	m.paths = opts.paths()
	m.origins = weburl.NewOrigins(m.paths, opts.TrustedOrigins)
	m.returns = &returnPaths{paths: m.paths, log: opts.Logger}
	m.responses.paths = m.paths
	m.silent.cookies = m.cookies
	m.hints = hints.New(m.paths, opts.Logger)
	m.cookies.OnLarge = m.hints.LargeCookies
	var callbacks []string
	for _, p := range m.providers {
		callbacks = append(callbacks, p.OAuth2.RedirectURL)
		if p.postLogoutPath != "" {
			m.paths.AfterLogout = append(m.paths.AfterLogout, p.postLogoutPath)
		}
	}
	m.sessions = active.New(active.Config{
		Limits:  record.Limits{Idle: opts.IdleTimeout, Lifetime: opts.MaxLifetime, OutliveTokens: opts.SessionsOutliveTokens},
		Cookies: scheme, Store: opts.Store, Engine: engineOf(opts.Store), Coordinator: opts.Coordinator,
		Sealer: sessionSealer, Shared: shared, Bindings: bindings, Source: m.providers.source, Log: opts.Logger,
	})
	m.refreshes = tokens.NewRefreshes(m.sessions, m.providers.source, opts.RefreshBefore, m.events, opts.Logger)
	m.resources = tokens.NewResources(m.refreshes, shared)
	m.calls = &tokens.Calls{
		Sessions: m.sessions, Refreshes: m.refreshes, Resources: m.resources,
		Transport: transport, Nonces: bounded.Nonces, NoSession: ErrNoSession, NoToken: ErrNoToken, Asks: challengeOf,
	}
	m.flows = flow.NewFlows(m.cookies, shortLived, m.providers.has, m.sessions.Grants, shared, m.paths.Home)
	m.log.Debug("oauthlogin: ready", "login_path", opts.LoginPath, "logout_path", opts.LogoutPath, "callbacks", callbacks)
	return m, nil
}

// closeTimeout bounds what Close waits for.
const closeTimeout = 3 * time.Second

// Close ends what runs in the background for [Options.Coordinator]. Call it after the server's
// Shutdown. Without a Coordinator nothing runs in the background, and Close may be left out.
//
// Close first lets refreshes of tokens that are under way end and be saved, and what the
// Coordinator has not taken yet be sent, for three seconds at most. The error says that a
// refresh was still under way then.
func (m *Middleware) Close() error {
	if !m.made() {
		return errNotMade
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := errors.Join(m.refreshes.Idle(ctx), m.resources.Idle(ctx))
	m.sessions.Grants.Close(ctx)
	if err != nil {
		return fmt.Errorf("oauthlogin: close: a refresh of tokens is still under way after %v", closeTimeout)
	}
	return nil
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

// Handler serves the package's own paths, and passes every other request on to next, with the
// session in its context if the user is signed in: see [FromContext]. Put it around the
// application's router. It never rejects a request; [Middleware.RequireAuth] does.
//
// Its paths are [Options.LoginPath], the path of each RedirectURL, [Options.LogoutPath], those
// of [Middleware.BackChannelLogout] and [Middleware.Device] below them, and the way back from
// the provider's logout. A router without Handler mounts [Middleware.Login],
// [Middleware.Callback] and [Middleware.Logout] itself.
//
// A response to a request with a session gets "Cache-Control: private" and "Vary: Cookie", and
// "no-store" if it sets a cookie, before next runs; next may set something else. Handler does
// not wrap the ResponseWriter.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serveOwn(w, r) {
			return
		}
		s, r, err := m.withSession(w, r, opensPage)
		if err != nil && m.responses.loudly("store") {
			m.log.WarnContext(r.Context(), "oauthlogin: it is unknown whether users are signed in; requests go on without a session", "error", err)
		}
		s.doubt()
		next.ServeHTTP(w, r)
	})
}

// opensPage reports whether a request is a use of the session on a page that anyone may
// see. Scripts of browsers without Sec-Fetch-Mode accept */*, and a page that polls must
// not extend its session.
func opensPage(r *http.Request) bool { return browser.IsNavigation(r) && browser.PrefersHTML(r) }

// serveOwn responds to requests to the package's own paths, and to every request if New did
// not make m. It reports whether it has responded.
func (m *Middleware) serveOwn(w http.ResponseWriter, r *http.Request) bool {
	if !m.ready(w) {
		return true
	}
	switch path := r.URL.Path; {
	case path == m.paths.Login:
		m.Login(w, r)
	case path == m.paths.Logout:
		m.Logout(w, r)
	case path == m.paths.BackChannel:
		m.BackChannelLogout(w, r)
	case slices.Contains(m.paths.Callbacks, path):
		m.Callback(w, r)
	case m.bindings != nil && path == m.paths.Device:
		m.Device(w, r)
	default:
		return m.afterLogout(w, r)
	}
	return true
}

// made reports whether New made m.
func (m *Middleware) made() bool { return m != nil && m.providers != nil }

// ready closes everything behind a Middleware that New did not make.
func (m *Middleware) ready(w http.ResponseWriter) bool {
	if !m.made() {
		http.Error(w, "sign-in is not configured", http.StatusInternalServerError)
		return false
	}
	if !m.serving.Load() { // a store by every request would keep the cores waiting
		m.serving.Store(true)
	}
	return true
}

// maxShortLived bounds the sealed text of flows, step-ups and logout states, in bytes.
const maxShortLived = 8 << 10

var errNotMade = errors.New("oauthlogin: the Middleware was not made by New")

// withSession returns the session of a request, nil if there is none, and the request that
// carries on what was found out. An error means that it is unknown whether there is a session.
// withSession sets headers and, when the session has to be sealed again and mayRenew says so,
// cookies, before any handler runs.
func (m *Middleware) withSession(w http.ResponseWriter, r *http.Request, mayRenew func(*http.Request) bool) (*Session, *http.Request, error) {
	s, known, err := m.known(r)
	if known {
		if other, _ := r.Context().Value(sessionKey{}).(*Session); other != s { // of a Middleware in between
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, s))
		}
	} else if s, r, err = m.load(w, r); err != nil {
		return nil, r, err
	}
	if s != nil && s.due.Load() && mayRenew(r) {
		s.due.Store(false)
		m.renew(w, r, s.current())
	}
	if s != nil && m.bindings != nil && !s.bound && m.bindings.MayOffer(s.current()) && mayRenew(r) {
		m.bindings.Offer(w, r, s.current())
	}
	return s, r, err
}

// load loads the session of a request and puts it into its context.
func (m *Middleware) load(w http.ResponseWriter, r *http.Request) (*Session, *http.Request, error) {
	rec, reseal, err := m.sessions.Load(r)
	if err != nil {
		return nil, r.WithContext(&unavailableContext{r.Context(), m, err}), err
	}
	if rec == nil {
		if _, ok := FromContext(r.Context()); ok { // of an outer Middleware
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, (*Session)(nil)))
		}
		return nil, r, nil
	}
	page.Private(w)
	ctx := &sessionContext{Context: r.Context()}
	ctx.session.init(m, r, rec)
	ctx.session.due.Store(reseal)
	return &ctx.session, r.WithContext(ctx), nil
}

// renew seals the session of a request again and writes its cookie, unless the session
// has ended.
func (m *Middleware) renew(w http.ResponseWriter, r *http.Request, rec *record.Record) {
	if err := m.sessions.Save(w, r, rec); err != nil && !errors.Is(err, instances.ErrEnded) {
		m.log.WarnContext(r.Context(), "oauthlogin: renewing the session failed", "provider", rec.User.Provider, "subject", rec.User.Subject, "error", err)
	}
}
