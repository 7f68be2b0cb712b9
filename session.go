package oauthlogin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A Session is a signed-in user as one request sees it. It belongs to that
// request: changing it changes nothing else. Its methods are safe for
// concurrent use.
type Session struct {
	User User

	owner *Middleware

	mu     sync.Mutex
	record *record // never changed, only replaced
}

// A User is who signed in. Key accounts on Issuer and Subject, never on Email:
// addresses change hands (OpenID Connect Core section 5.7).
type User struct {
	// Provider is the Name of the [Provider].
	Provider string
	// Issuer is the OpenID Connect issuer or, for plain OAuth 2.0, the origin of
	// the authorization endpoint. It is never empty.
	Issuer string
	// Subject is the provider's identifier for the user. It is never empty.
	Subject string
	// Name and Email are what the provider says, "" if it does not.
	Name, Email string
	// EmailVerified is true only if the provider says so, with the JSON value true.
	EmailVerified bool
	// RawClaims is a JSON object with everything the provider said of the
	// user: the claims of the ID token, joined by those of user info, which is
	// asked only if the ID token lacks name or e-mail; or what Identify put there.
	RawClaims json.RawMessage
}

// Claims unmarshals RawClaims into v, a pointer to a struct of the caller's.
func (u *User) Claims(v any) error {
	if len(u.RawClaims) == 0 {
		return errors.New("oauthlogin: user has no claims")
	}
	if err := json.Unmarshal(u.RawClaims, v); err != nil {
		return fmt.Errorf("oauthlogin: read claims: %w", err)
	}
	return nil
}

type sessionKey struct{}

// A sessionContext is context.WithValue and the value in one piece.
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

// An ownerKey finds the session of one Middleware also where another one is
// nested in it.
type ownerKey struct{ *Middleware }

// fromContext returns m's own session, nil if there is none.
func (m *Middleware) fromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(ownerKey{m}).(*Session)
	return s
}

// FromContext returns the session of the request that ctx belongs to, of the
// innermost Middleware if there are several around the handler. There
// is always one behind [Middleware.RequireAuth], and behind
// [Middleware.Handler] when the user is signed in.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(sessionKey{}).(*Session)
	return s, ok
}

// Token returns a copy of the access token with its expiry, and never the
// refresh token. It returns nil when the access token has expired. An Expiry of
// zero means that the provider named none.
func (s *Session) Token() *oauth2.Token {
	t := &s.current().tokens
	if !t.valid(time.Now()) {
		return nil
	}
	return &oauth2.Token{AccessToken: t.access, TokenType: "Bearer", Expiry: t.expiry}
}

// Format keeps tokens and claims out of whatever prints a Session.
func (s *Session) Format(f fmt.State, _ rune) {
	if s == nil {
		fmt.Fprint(f, "oauthlogin.Session(nil)")
		return
	}
	fmt.Fprintf(f, "oauthlogin.Session{Provider:%q Subject:%q}", s.User.Provider, s.User.Subject)
}

// LogValue keeps tokens and claims out of logs: provider and subject name a
// session.
func (s *Session) LogValue() slog.Value {
	if s == nil {
		return slog.StringValue("none")
	}
	return slog.GroupValue(slog.String("provider", s.User.Provider), slog.String("subject", s.User.Subject))
}

func (s *Session) current() *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record
}

// adopt takes over tokens of a later generation.
func (s *Session) adopt(rec *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.generation > s.record.generation {
		s.record = rec
	}
}
