package oauthlogin

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
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

// A record is a session as it is sealed. Records are shared between requests:
// whoever wants another one makes a copy.
type record struct {
	id         sessionID
	generation uint64 // how often its tokens were refreshed
	provider   providerTag
	created    time.Time // at login
	written    time.Time // when it was last sealed
	user       User      // Provider and Issuer follow from provider
	tokens     tokens
}

func newRecord(p *provider, user User, t *tokens) *record {
	rec := &record{provider: p.tag, created: time.Now(), user: user, tokens: *t}
	rec.user.Provider, rec.user.Issuer = p.Name, p.issuer
	rand.Read(rec.id[:])
	return rec
}

// pack returns the record as it is sealed at the time written.
func (rec *record) pack(written time.Time) []byte {
	var p packer
	p.raw(rec.provider[:])
	p.raw(rec.id[:])
	p.uint(rec.generation)
	p.time(rec.created)
	p.timeFrom(rec.created, written)
	p.token(rec.tokens.id)
	fromIDToken := bytes.Equal(rec.user.RawClaims, payloadOf(rec.tokens.id))
	p.bool(fromIDToken)
	if !fromIDToken {
		p.bytes(rec.user.RawClaims)
	}
	p.stringIn(rec.user.RawClaims, rec.user.Subject)
	p.stringIn(rec.user.RawClaims, rec.user.Name)
	p.stringIn(rec.user.RawClaims, rec.user.Email)
	p.bool(rec.user.EmailVerified)
	p.token(rec.tokens.access)
	p.token(rec.tokens.refresh)
	p.string(rec.tokens.scope)
	p.timeFrom(rec.created, rec.tokens.issued)
	p.bool(!rec.tokens.expiry.IsZero())
	if !rec.tokens.expiry.IsZero() {
		p.timeFrom(rec.tokens.issued, rec.tokens.expiry)
	}
	return p.pack()
}

func unpackRecord(packed []byte) (*record, error) {
	u, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	rec := &record{}
	copy(rec.provider[:], u.take(uint64(len(rec.provider))))
	copy(rec.id[:], u.take(uint64(len(rec.id))))
	rec.generation = u.uint()
	rec.created = u.time()
	rec.written = u.timeFrom(rec.created)
	rec.tokens.id = u.token()
	if u.bool() {
		rec.user.RawClaims = payloadOf(rec.tokens.id)
	} else {
		rec.user.RawClaims = u.bytes()
	}
	rec.user.Subject = u.stringIn(rec.user.RawClaims)
	rec.user.Name = u.stringIn(rec.user.RawClaims)
	rec.user.Email = u.stringIn(rec.user.RawClaims)
	rec.user.EmailVerified = u.bool()
	rec.tokens.access = u.token()
	rec.tokens.refresh = u.token()
	rec.tokens.scope = u.string()
	rec.tokens.issued = u.timeFrom(rec.created)
	if u.bool() {
		rec.tokens.expiry = u.timeFrom(rec.tokens.issued)
	}
	return rec, u.err()
}

// payloadOf returns the payload of a JWT that was verified before, nil if it is
// none.
func payloadOf(jwt string) []byte {
	_, rest, _ := strings.Cut(jwt, ".")
	segment, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil || len(payload) == 0 {
		return nil
	}
	return payload
}

// expired reports whether a limit of opts has ended the session.
func (rec *record) expired(opts *Options, now time.Time) bool {
	if !now.Before(rec.created.Add(opts.MaxLifetime)) || !now.Before(rec.written.Add(opts.IdleTimeout)) {
		return true
	}
	// Without a refresh token, the provider's word is as good as its last token.
	t := &rec.tokens
	return t.refresh == "" && t.expiry.After(t.issued) && !t.valid(now) && !opts.InsecureOutliveTokens
}

// ownUser returns a user that a handler may do with as it likes.
func (rec *record) ownUser() User {
	user := rec.user
	user.RawClaims = bytes.Clone(user.RawClaims)
	return user
}

// enter returns the session of a request and the request that carries it on;
// without a session nil and the request unchanged. It sets headers and, when
// the session has to be sealed anew, cookies: before any handler runs.
func (m *Middleware) enter(w http.ResponseWriter, r *http.Request) (*Session, *http.Request) {
	if s := m.fromContext(r.Context()); s != nil {
		if other, _ := FromContext(r.Context()); other != s { // of a Middleware in between
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, s))
		}
		return s, r
	}
	rec, reseal := m.load(r)
	if rec == nil {
		return nil, r
	}
	setPrivate(w.Header())
	if reseal {
		if err := m.save(w, r, rec); err != nil {
			m.log.WarnContext(r.Context(), "oauthlogin: session not written anew", "error", err)
		}
	}
	ctx := &sessionContext{Context: r.Context(), session: Session{User: rec.ownUser(), owner: m, record: rec}}
	return &ctx.session, r.WithContext(ctx)
}

// setPrivate keeps shared caches from giving one user's page to another.
func setPrivate(h http.Header) {
	values := [...]string{"private", "Cookie"} // one allocation for both
	if !strings.Contains(h.Get("Cache-Control"), "no-store") {
		h["Cache-Control"] = values[0:1:1]
	}
	if vary := h["Vary"]; len(vary) > 0 {
		h["Vary"] = append(vary, "Cookie")
	} else {
		h["Vary"] = values[1:2:2]
	}
}
