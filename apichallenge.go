package oauthlogin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// A ChallengeError is an API's response that asks for more than the access token shows: for
// scopes (RFC 6750 section 3.1) or for another sign-in (RFC 9470). It is the error of such a
// call through [Middleware.Client] and [Middleware.ClientFor]; [errors.As] finds it.
// [Middleware.Challenge] sends the user where it leads.
//
// Its fields are what the API wrote, at most 32 scopes or ACR values and 1,024 bytes of each;
// what cannot be requested from a provider is left out.
type ChallengeError struct {
	_ [0]func() // keyed literals only

	// Code is "insufficient_scope" or "insufficient_user_authentication".
	Code string
	// Scopes are the scopes that insufficient_scope names, if it names any.
	Scopes []string
	// ACR are the authentication context class references that
	// insufficient_user_authentication names, the preferred ones first.
	ACR []string
	// MaxAge is the maximum time since the user authenticated, in whole seconds. Zero means
	// that the API names none. A max_age of 0, a new sign-in, is one nanosecond, so that
	// [Policy.MaxAge] takes the value as it is.
	MaxAge time.Duration
}

// Error returns the code, and nothing that the API can choose.
func (e *ChallengeError) Error() string {
	return "oauthlogin: the API responded with error \"" + protocol.ErrorCode(e.Code) + "\""
}

// challengeOf returns a [*ChallengeError] if an API's response is one: status 403 with
// insufficient_scope, or 401 with insufficient_user_authentication, in a challenge of the
// scheme Bearer or DPoP in WWW-Authenticate.
func challengeOf(resp *http.Response) error {
	needs, ok := protocol.NeedsOf(resp)
	if !ok {
		return nil
	}
	return &ChallengeError{Code: needs.Code, Scopes: needs.Scopes, ACR: needs.ACR, MaxAge: needs.MaxAge}
}

// Challenge responds to a request whose handler has called an API that asks for more, with the
// way to a login that brings it, and returns true. If err neither is nor wraps a
// [*ChallengeError], it writes nothing and returns false. Call it before anything is written:
//
//	resp, err := auth.Client(r.Context()).Get("https://payments.example.com/v1/payments")
//	if auth.Challenge(w, r, err) {
//		return
//	}
//
// The response is that of [Middleware.Require] for the same [Policy]: a page navigation is
// redirected to the session's provider, to ask for the missing scopes in addition to those that
// it has, or for a new sign-in, whose effect is verified; every other request gets 401 with the
// login's URL, in a page or in JSON. What the API asks for is taken as data, for a login at the
// session's own provider.
//
// The response is 403, without a way to a login, if the login would bring nothing new: if the
// scopes were granted, or a login has requested them in vain, if the user has just
// authenticated as the API wants it, if the challenge does not say what it wants, or if it is
// insufficient_user_authentication and the session's provider is not OpenID Connect.
func (m *Middleware) Challenge(w http.ResponseWriter, r *http.Request, err error) bool {
	var asked *ChallengeError
	if !errors.As(err, &asked) || asked == nil {
		return false
	}
	if !m.ready(w) {
		return true
	}
	s, loadErr := m.Session(r)
	switch {
	case loadErr != nil:
		m.responses.unavailable(w, r, loadErr)
		return true
	case s == nil:
		m.unauthenticated(w, r)
		return true
	}
	rec := s.current()
	switch asked.Code {
	case protocol.InsufficientScope:
		m.challengeScopes(w, r, rec, Policy{Scopes: asked.Scopes})
	default:
		policy := Policy{ACR: asked.ACR, MaxAge: asked.MaxAge}
		m.challengeSignIn(w, r, rec, policy.prepared())
	}
	return true
}

var errNothingNew = errors.New("an API asks for what a login would not bring")

func (m *Middleware) challengeScopes(w http.ResponseWriter, r *http.Request, rec *record.Record, policy Policy) {
	missing := policy.missingScopes(rec)
	refused, denied := refusedScope(rec, missing)
	switch {
	case len(missing) == 0 || slices.ContainsFunc(missing, protocol.NoScopeToken):
		m.forbid(w, r, rec, rec.User.Provider, m.returns.wayBack(r), fmt.Errorf("%w: the scopes %q", errNothingNew, policy.Scopes))
	case denied:
		m.refuseScopes(w, r, rec, policy.login(rec, nil), fmt.Errorf("%w: a login has requested the scope %q before", errNothingNew, refused))
	default:
		m.stepUp(w, r, rec, protocol.InsufficientScope, policy.login(rec, nil))
	}
}

func (m *Middleware) challengeSignIn(w http.ResponseWriter, r *http.Request, rec *record.Record, policy Policy) {
	if rec.Tokens.ID.IsZero() || policy.MaxAge <= 0 && len(policy.ACR) == 0 || policy.metBy(rec, time.Now()) {
		m.forbid(w, r, rec, rec.User.Provider, m.returns.wayBack(r), fmt.Errorf("%w: max_age %v, acr_values %q", errNothingNew, policy.MaxAge, strings.Join(policy.ACR, " ")))
		return
	}
	p := m.providers.byTag(rec.Provider)
	m.stepUp(w, r, rec, protocol.InsufficientAuthentication, policy.login(rec, policy.authParams(p.AuthParams)))
}

// recentLogin is how long after a login a challenge does not lead to another one that the same
// user authentication would satisfy.
const recentLogin = 30 * time.Second

// metBy reports whether a session already is what a challenge asks for. An authentication ages
// on its way to the API, so that of a login a moment ago counts with its age at that login:
// otherwise one login would follow another.
func (p *Policy) metBy(rec *record.Record, now time.Time) bool {
	known, err := claims.Parse(rec.User.RawClaims)
	if err != nil {
		return false
	}
	if p.MaxAge > 0 {
		authTime, ok := known.AuthTime(now)
		recent := now.Sub(rec.Created) < recentLogin && rec.Created.Sub(authTime) <= p.MaxAge+claims.ClockLeeway
		if !ok || now.Sub(authTime) > p.MaxAge && !recent {
			return false
		}
	}
	return len(p.ACR) == 0 || slices.Contains(p.ACR, known.String("acr"))
}
