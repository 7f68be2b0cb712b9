package oauthlogin

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/tokens"
)

// A Session is a signed-in user as one request sees it: who the user is, the access token, and
// when the session ends. [FromContext] and [Middleware.Session] return it. It belongs to that
// request: changes to it have no effect on later requests. Its methods are safe for concurrent
// use.
type Session struct {
	// User is who is signed in.
	User User

	owner     *Middleware
	refreshed bool        // for this request, whose response has the new tokens
	bound     bool        // the request has shown the session's bound cookie
	due       atomic.Bool // its cookie has to be renewed
	ended     atomic.Bool
	doubtful  atomic.Bool  // the provider has not vouched for it for too long
	over      *atomic.Bool // ended, of this or of the session of the same request before it

	held tokens.Held // what the request has

	shown  *record.Record // that User is of
	handed sync.Once
}

// FromContext returns the session of the request that ctx belongs to, and whether there is one.
// Behind [Middleware.RequireAuth] there always is, so that the handler need not check ok, and
// behind [Middleware.Handler] if the user is signed in.
//
// There is none after [Middleware.SignOut], and none while it is unknown whether the user
// is signed in: see [Middleware.Session]. Behind several Middlewares, it is the session of the
// innermost.
func FromContext(ctx context.Context) (*Session, bool) {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	if s == nil || s.over.Load() || s.doubtful.Load() {
		return nil, false
	}
	return s.handOut(), true
}

// Session returns the session of a request, or nil and no error if the user is not signed in.
// It is only the decision of [Middleware.RequireAuth]: it refreshes no token, writes nothing,
// and works with and without [Middleware.Handler] around the caller.
//
// An error means that it is unknown whether the user is signed in, because [Options.Store] or
// [Options.Coordinator] fails, or because the provider has been unreachable for too long:
// respond with 503.
func (m *Middleware) Session(r *http.Request) (*Session, error) {
	if !m.made() {
		return nil, errNotMade
	}
	s, known, err := m.known(r)
	if !known {
		var rec *record.Record
		if rec, _, err = m.sessions.Load(r); rec != nil {
			s = &Session{}
			s.init(m, r, rec)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("oauthlogin: load session: %w", err)
	case s != nil && !s.current().VouchedFor():
		return nil, fmt.Errorf("oauthlogin: %w", record.ErrNotVouchedFor)
	}
	return s.handOut(), nil
}

// init fills in a new Session, which must not be copied afterwards. The claims of its User
// are missing until handOut.
func (s *Session) init(m *Middleware, r *http.Request, rec *record.Record) {
	s.User, s.shown, s.owner, s.over = userOf(&rec.User), rec, m, &s.ended
	s.User.RawClaims = nil
	s.bound = len(rec.Extra.DeviceKey) > 0 && m.bindings != nil
	s.held.Init(r, rec)
}

// handOut returns s as the application gets it: with claims of its own, because those of the
// record are shared with other requests. Copying them takes a quarter of the time of a request
// with many claims, and a handler may never ask.
func (s *Session) handOut() *Session {
	if s != nil {
		s.handed.Do(func() { s.User.RawClaims = bytes.Clone(s.shown.User.RawClaims) })
	}
	return s
}

// Token returns a copy of the access token with its expiry, or nil if it has expired. It never
// has the refresh token. A zero Expiry means that the provider named none. A token with the
// TokenType "DPoP" is worthless without a proof, which [Middleware.Client] makes.
func (s *Session) Token() *oauth2.Token {
	t := &s.current().Tokens
	if !t.Valid(time.Now()) {
		return nil
	}
	return &oauth2.Token{AccessToken: t.Access, TokenType: cmp.Or(t.Type, "Bearer"), Expiry: t.Expiry}
}

// SignedInAt returns the time of the login that began the session. When the user authenticated
// at the provider is the claim auth_time.
func (s *Session) SignedInAt() time.Time { return s.current().Created }

// Expires returns when the session ends if it is not used again: the earliest of
// [Options.IdleTimeout] after its cookie was last renewed, [Options.MaxLifetime] after its
// login and, for a session that ends with its access token, the end of that. Let streams end at
// that time.
func (s *Session) Expires() time.Time { return s.owner.sessions.Limits.End(s.current()) }

// Bound reports whether the session is bound to a device, and the request has shown that it
// comes from there: see [Options.BindDevices]. A session is not bound yet in the first moments
// after its login, nor in a browser that cannot bind it.
func (s *Session) Bound() bool { return s.bound }

// Format keeps tokens and claims out of whatever prints a Session.
func (s *Session) Format(f fmt.State, _ rune) {
	if s == nil {
		fmt.Fprint(f, "oauthlogin.Session(nil)")
		return
	}
	fmt.Fprintf(f, "oauthlogin.Session{Provider:%q Subject:%q}", s.User.Provider, s.User.Subject)
}

// LogValue keeps tokens and claims out of logs: provider and subject identify a
// session.
func (s *Session) LogValue() slog.Value {
	if s == nil {
		return slog.StringValue("none")
	}
	return slog.GroupValue(slog.String("provider", s.User.Provider), slog.String("subject", s.User.Subject))
}

func (s *Session) current() *record.Record { return s.held.Current() }

// doubt hides the session from [FromContext] if the provider has not vouched for it for
// too long. RequireAuth does not need it: it refreshes such a session, or responds 503.
func (s *Session) doubt() {
	if s != nil && !s.current().VouchedFor() {
		s.doubtful.Store(true)
	}
}

type sessionKey struct{}

// An ownerKey finds the session of one Middleware also where another one is nested
// in it.
type ownerKey struct{ *Middleware }

// A sessionContext is context.WithValue and the value in one allocation.
type sessionContext struct {
	context.Context
	session Session
}

// Format keeps the session's tokens out of whatever prints a context.
func (c *sessionContext) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%v.WithValue(oauthlogin.Session)", c.Context)
}

func (c *sessionContext) Value(key any) any {
	if key == (sessionKey{}) || key == (ownerKey{c.session.owner}) {
		return &c.session
	}
	return c.Context.Value(key)
}

// An unavailableContext is that of a request for which it is unknown whether its
// user is signed in. It spares the handlers inside a second question to a store that
// fails, and keeps the session of an outer Middleware from them.
type unavailableContext struct {
	context.Context
	owner *Middleware
	err   error
}

func (c *unavailableContext) Value(key any) any {
	switch key {
	case sessionKey{}:
		return nil
	case ownerKey{c.owner}:
		return c.err
	}
	return c.Context.Value(key)
}

// known returns what a handler around this one has found out about the session of a
// request, if known.
func (m *Middleware) known(r *http.Request) (s *Session, known bool, err error) {
	switch v := r.Context().Value(ownerKey{m}).(type) {
	case *Session:
		if m.sessions.Grants.Ended(v.current()) { // by a handler in between
			return nil, true, nil
		}
		return v, true, nil
	case error:
		return nil, true, v
	}
	return nil, false, nil
}

// fromContext returns the session of m itself, nil if there is none.
func (m *Middleware) fromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(ownerKey{m}).(*Session)
	return s
}
