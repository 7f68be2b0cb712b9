package oauthlogin

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Policy is what [Middleware.Require] asks of a session. All of it has to
// hold; the zero Policy asks for nothing but a session.
type Policy struct {
	_ [0]func() // keyed literals only

	// Claims names claims of [User].RawClaims and, for each, the values of which
	// one has to be the claim's, or one of its elements if it is a list. Values
	// are strings; those of claims that are numbers or booleans are written as in
	// JSON. Without any value a claim is never satisfied.
	Claims map[string][]string

	// Scopes all have to be granted. Where the provider did not say which it
	// granted, they are those that were asked for (RFC 6749 section 5.1).
	Scopes []string

	// MaxAge is how long ago the user may have signed in at the provider
	// (auth_time of the ID token), give or take a minute for clocks; 0: any
	// time. Longer ago, the user is sent to sign in again.
	MaxAge time.Duration

	// ACR are authentication context class references, of which the ID token
	// has to have one. With another, the user is sent to sign in again.
	ACR []string

	never bool // no sign-in can satisfy MaxAge and ACR
}

// Require is [Middleware.RequireAuth] for sessions that satisfy a policy:
//
//	r.With(auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}))
//
// A session without the claims or scopes gets 403, through Options.ErrorHandler
// with the code "forbidden" if it is a page. When the user signed in too long
// ago or by other means than required, a page navigation goes to the provider
// with max_age, acr_values and prompt=login, whose effect is verified in the
// new ID token (RFC 9470); everything else gets 401 with the URL to go to.
//
// MaxAge and ACR need an OpenID Connect provider: nothing else says when and how
// a user signed in, and sessions of others are refused.
func (m *Middleware) Require(policy Policy) func(http.Handler) http.Handler {
	policy.Scopes = slices.Clone(policy.Scopes)
	// acr_values is separated by spaces: what has one in it cannot be asked for.
	asked := slices.DeleteFunc(slices.Clone(policy.ACR), func(acr string) bool { return acr == "" || len(strings.Fields("a"+acr+"z")) > 1 })
	policy.never = policy.MaxAge < 0 || len(policy.ACR) > 0 && len(asked) == 0
	policy.ACR = asked
	claims := map[string][]string{}
	for name, values := range policy.Claims {
		claims[name] = slices.Clone(values)
	}
	policy.Claims = claims
	return func(next http.Handler) http.Handler {
		return m.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := m.fromContext(r.Context()).current()
			switch verdict, lacks := policy.check(rec, time.Now()); verdict {
			case allowed:
				next.ServeHTTP(w, r)
			case forbidden:
				m.forbid(w, r, rec, lacks)
			case stale:
				m.stepUp(w, r, rec, policy.authParams())
			}
		}))
	}
}

type verdict int

const (
	forbidden verdict = iota
	stale
	allowed
)

// check says, of a session that is forbidden, what it lacks.
func (p *Policy) check(rec *record, now time.Time) (v verdict, lacks string) {
	claims, err := parseObject(rec.user.RawClaims)
	if err != nil {
		claims = object{}
	}
	for name, values := range p.Claims {
		if !slices.ContainsFunc(claims.values(name), func(v string) bool { return slices.Contains(values, v) }) {
			return forbidden, "claim " + strconv.Quote(name)
		}
	}
	// GitHub separates granted scopes with commas.
	var granted []string
	if len(p.Scopes) > 0 {
		granted = strings.FieldsFunc(rec.tokens.scope, func(r rune) bool { return r == ' ' || r == ',' })
	}
	for _, scope := range p.Scopes {
		if !slices.Contains(granted, scope) {
			return forbidden, "scope " + strconv.Quote(scope)
		}
	}
	switch {
	case p.never:
		return forbidden, "sign-in"
	case p.MaxAge == 0 && len(p.ACR) == 0:
		return allowed, ""
	case rec.tokens.id.isZero():
		return forbidden, "ID token"
	}
	if p.MaxAge > 0 {
		authTime, ok := claims.authTime(now)
		if !ok || now.Sub(authTime)-clockLeeway > p.MaxAge {
			return stale, ""
		}
	}
	if len(p.ACR) > 0 && !slices.Contains(p.ACR, claims.str("acr")) {
		return stale, ""
	}
	return allowed, ""
}

// authParams ask the provider for what the policy wants to see.
func (p *Policy) authParams() url.Values {
	params := url.Values{"prompt": {"login"}}
	if p.MaxAge > 0 {
		params.Set("max_age", strconv.FormatInt(int64(min(p.MaxAge/time.Second, math.MaxInt32)), 10))
	}
	if len(p.ACR) > 0 {
		params.Set("acr_values", strings.Join(p.ACR, " "))
	}
	return params
}

func (m *Middleware) forbid(w http.ResponseWriter, r *http.Request, rec *record, lacks string) {
	e := &Error{
		Code: "forbidden", Status: http.StatusForbidden, Provider: rec.user.Provider,
		err: fmt.Errorf("subject %q lacks the %s that the policy asks for", rec.user.Subject, lacks),
	}
	m.event(r.Context(), Event{Kind: EventDenied, Provider: rec.user.Provider, Subject: rec.user.Subject, Err: e})
	if isNavigation(r) {
		m.fail(w, r, e)
		return
	}
	m.logFailure(r, e)
	noStore(w)
	writeJSON(w, http.StatusForbidden, map[string]string{"error": "forbidden"})
}

func (m *Middleware) stepUp(w http.ResponseWriter, r *http.Request, rec *record, params url.Values) {
	m.event(r.Context(), Event{Kind: EventStepUp, Provider: rec.user.Provider, Subject: rec.user.Subject})
	if isNavigation(r) && r.Method == http.MethodGet {
		m.StartLogin(w, r, LoginOptions{Provider: rec.user.Provider, ReturnTo: m.requestPath(r), AuthParams: params})
		return
	}
	loginURL := m.loginURL(rec.user.Provider, m.callerPath(r))
	// Sealed, so that a link can ask for no parameters but those of a policy.
	if sealed, err := m.flowSealer.seal(stepUpParam, []byte(params.Encode())); err == nil {
		loginURL += "&" + stepUpParam + "=" + url.QueryEscape(sealed)
	}
	noStore(w)
	// RFC 9470 section 3.
	w.Header().Set("WWW-Authenticate", `Cookie realm="oauthlogin", error="insufficient_user_authentication"`)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "insufficient_user_authentication", "login_url": loginURL})
}

// stepUpParam carries the parameters of a policy from stepUp to Login.
const stepUpParam = "step_up"

func (m *Middleware) openStepUp(sealed string) (url.Values, error) {
	query, _, err := m.flowSealer.open(stepUpParam, sealed)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(query))
}
