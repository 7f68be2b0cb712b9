package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// A Policy is what [Middleware.Require] asks of a session. All of it has to hold. The zero
// Policy asks only for a session.
type Policy struct {
	_ [0]func() // keyed literals only

	// Providers are names of providers ([Provider.Name]), of which one has to be the session's.
	// Empty means any.
	Providers []string

	// Claims names claims of [User.RawClaims] and, for each, the accepted values: one of them
	// has to be the claim, or an element of it if the claim is a list. With several providers,
	// Providers has to say whose claims are believed.
	//
	// A name with dots is a path into objects, such as "realm_access.roles", unless a claim has
	// that whole name. Claims that are numbers or booleans are compared as they are written in
	// JSON. The claim "email" counts only if the provider has verified it: see
	// [User.EmailVerified]. If the session has no such claim and its login did not read user
	// info, it is read then, once for each session: some providers have groups only there. If
	// that takes over eight seconds, or [Options.Coordinator] does not respond, the response is
	// 503.
	Claims map[string][]string

	// Scopes all have to be granted. If the provider did not say which scopes it granted,
	// they are the ones that were requested (RFC 6749 section 5.1). A user whose session
	// lacks one is asked for it in a login, once: see [Middleware.Require]. One that is not
	// a scope-token (RFC 6749 section 3.3) cannot be requested or granted.
	Scopes []string

	// MaxAge is the maximum time since the user authenticated (auth_time), plus one minute for
	// clock skew. Zero means no limit. A user who authenticated earlier is sent to sign in
	// again, with max_age in whole seconds, or with that of [Provider.AuthParams] if it is
	// less.
	MaxAge time.Duration

	// ACR are authentication context class references, of which the ID token has to have one
	// (OpenID Connect Core section 2). A user whose sign-in has another is sent to sign in
	// again. One that is empty or contains a space cannot be requested, and no ID token counts
	// as having it.
	ACR []string

	// Bound asks for a session that is bound to the user's device, as [Session.Bound] says.
	// [Options.BindDevices] has to be set. A session that is not gets 403 with the code
	// "device_not_bound". Its page tries again by itself for the first seconds after the login,
	// while the browser registers its key.
	Bound bool

	// Allow, if set, is asked last, about sessions that satisfy everything else. An error
	// refuses the session as lacking claims does: it is in the [Error] that ErrorHandler and
	// the [Event] get, and on no page. Requests call Allow concurrently, and each request
	// behind the policy calls it once. [FromContext] finds the session in ctx too.
	Allow func(ctx context.Context, s *Session) error

	never bool // no sign-in can show one of ACR
}

// Require is [Middleware.RequireAuth] for sessions that satisfy a policy. Other sessions get
// 403, or are sent to the provider if another sign-in or more scopes can satisfy it. It panics
// if the policy is a mistake, so call it where routes are set up:
//
//	r.With(auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}))
//
// A session of another provider, or without the claims, gets 403: a page through
// [Options.ErrorHandler] with the code "forbidden" where a user sees it, and
// {"error":"forbidden"} otherwise. The page has a link that lets the user sign in with another
// account, of a provider that the policy names, and a form that signs out at
// [Options.LogoutPath].
//
// If the user authenticated too long ago or by other means than required, a page navigation
// goes to the provider with max_age, acr_values and prompt=login, whose effect is verified in
// the new ID token (RFC 9470). Every other request gets 401 with the URL to go to, in a page or
// in JSON as from RequireAuth, and with the code "insufficient_user_authentication". MaxAge and
// ACR need an OpenID Connect provider: nothing else says when and how a user authenticated, and
// sessions of other providers are refused.
//
// If a session lacks only Scopes, a page navigation goes to the session's provider to request
// them in addition to those that logins of the session have added. Every other request gets 401
// as above, with the code "insufficient_scope" (RFC 6750 section 3.1). A session is asked for a
// scope once: if the provider did not grant it, or the user denied it, the session stays, and a
// page is the 403 page at once. A script gets 403 with {"error":"insufficient_scope"} and a
// login_url, for a user who wants to think again.
//
// A mistake is a provider that [Options.Providers] does not have, a claim without values, a
// negative MaxAge, or Bound without [Options.BindDevices]; and, with several providers, Claims
// without Providers: what one provider vouches for, users of another may write themselves.
func (m *Middleware) Require(policy Policy) func(http.Handler) http.Handler {
	policy = policy.prepared()
	if err := policy.check(m); err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		return m.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := m.fromContext(r.Context())
			if policy.needsUserInfo(s.current()) && s.Token() != nil {
				var err error
				r, s, err = m.withUserInfo(w, r, s)
				switch {
				case err != nil && r.Context().Err() != nil:
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				case err != nil:
					m.responses.unavailable(w, r, err)
					return
				}
			}
			rec := s.current()
			p := m.providers.byTag(rec.Provider)
			verdict, lacks := policy.judge(rec, time.Now())
			switch {
			case policy.Bound && !s.Bound() && verdict != forbidden:
				m.requireBound(w, r, rec)
				return
			case verdict == stale:
				m.stepUp(w, r, rec, "insufficient_user_authentication", policy.login(rec, policy.authParams(p.AuthParams)))
				return
			case verdict == narrow:
				m.stepUp(w, r, rec, "insufficient_scope", policy.login(rec, nil))
				return
			case verdict == denied:
				m.refuseScopes(w, r, rec, policy.login(rec, nil), fmt.Errorf("subject %q was not granted the %s that the policy requires", rec.User.Subject, lacks))
				return
			case verdict == forbidden:
				m.forbid(w, r, rec, policy.providerFor(rec), m.returns.wayBack(r), fmt.Errorf("subject %q lacks the %s that the policy requires", rec.User.Subject, lacks))
				return
			case policy.Allow != nil:
				if err := policy.Allow(r.Context(), s.handOut()); err != nil {
					m.forbid(w, r, rec, policy.providerFor(rec), m.returns.wayBack(r), fmt.Errorf("Policy.Allow refuses subject %q: %w", rec.User.Subject, err))
					return
				}
			}
			next.ServeHTTP(w, r)
		}))
	}
}

// prepared returns a deep copy. It leaves out of ACR what cannot be requested:
// acr_values is separated by spaces.
func (p Policy) prepared() Policy {
	p.Providers = slices.Clone(p.Providers)
	p.Scopes = slices.Clone(p.Scopes)
	p.Claims = maps.Clone(p.Claims)
	for name, values := range p.Claims {
		p.Claims[name] = slices.Clone(values)
	}
	acr := slices.DeleteFunc(slices.Clone(p.ACR), func(acr string) bool { return acr == "" || len(strings.Fields("a"+acr+"z")) > 1 })
	p.ACR, p.never = acr, len(p.ACR) > 0 && len(acr) == 0
	return p
}

// check returns why p is a mistake, mostly that no session of m can ever satisfy it; nil
// if it is none.
func (p *Policy) check(m *Middleware) error {
	for _, name := range p.Providers {
		if m.made() && (name == "" || m.providers.byName(name) == nil) {
			return fmt.Errorf("oauthlogin: Policy.Providers has %q, which Options.Providers does not have", name)
		}
	}
	for name, values := range p.Claims {
		if len(values) == 0 {
			return fmt.Errorf("oauthlogin: Policy.Claims[%q] has no values, so no session satisfies it", name)
		}
	}
	if m.made() && len(m.providers) > 1 && len(p.Claims) > 0 && len(p.Providers) == 0 {
		return errors.New("oauthlogin: Policy.Claims is set, and Policy.Providers does not say which of the providers may claim it")
	}
	if p.Bound && m.made() && m.bindings == nil {
		return errors.New("oauthlogin: Policy.Bound is set, and Options.BindDevices is not, so no session satisfies it")
	}
	if p.MaxAge < 0 {
		return fmt.Errorf("oauthlogin: Policy.MaxAge is %v; it must not be negative", p.MaxAge)
	}
	return nil
}

type verdict int

const (
	forbidden verdict = iota
	denied            // scopes are missing that a login has requested
	stale             // and maybe narrow
	narrow            // only scopes are missing
	allowed
)

// judge returns the verdict on a session and, if that is forbidden or denied, what the session
// lacks.
func (p *Policy) judge(rec *record.Record, now time.Time) (v verdict, lacks string) {
	if len(p.Providers) > 0 && !slices.Contains(p.Providers, rec.User.Provider) {
		return forbidden, "provider"
	}
	known := rec.Facts(p, p.Claims)
	if known.Lacks != "" {
		return forbidden, known.Lacks
	}
	missing := p.missingScopes(rec)
	if i := slices.IndexFunc(missing, protocol.NoScopeToken); i >= 0 {
		return forbidden, "scope " + strconv.Quote(missing[i])
	}
	switch {
	case p.never:
		return forbidden, "sign-in"
	case (p.MaxAge > 0 || len(p.ACR) > 0) && rec.Tokens.ID.IsZero():
		return forbidden, "ID token"
	}
	if scope, ok := refusedScope(rec, missing); ok {
		return denied, "scope " + strconv.Quote(scope)
	}
	if p.MaxAge > 0 {
		authenticated := known.AuthTime
		if authenticated.IsZero() || authenticated.After(now.Add(claims.ClockLeeway)) || now.Sub(authenticated)-claims.ClockLeeway > p.MaxAge {
			return stale, ""
		}
	}
	if len(p.ACR) > 0 && !slices.Contains(p.ACR, known.ACR) {
		return stale, ""
	}
	if len(missing) > 0 {
		return narrow, ""
	}
	return allowed, ""
}

// providerFor returns the provider at which another account may satisfy p, "" if there are
// several that p names and the session's is none of them.
func (p *Policy) providerFor(rec *record.Record) string {
	switch {
	case len(p.Providers) == 0 || slices.Contains(p.Providers, rec.User.Provider):
		return rec.User.Provider
	case len(p.Providers) == 1:
		return p.Providers[0]
	}
	return ""
}

// authParams request from the provider what the policy wants to see. Of two limits of the
// time since the user authenticated, the provider's own and the policy's, the stricter
// counts.
func (p *Policy) authParams(ofEveryLogin url.Values) url.Values {
	params := url.Values{"prompt": {"login"}}
	if p.MaxAge > 0 {
		maxAge := p.MaxAge
		if own, err := protocol.ParseMaxAge(ofEveryLogin.Get("max_age")); err == nil {
			maxAge = min(maxAge, own)
		}
		params.Set("max_age", strconv.FormatInt(int64(min(maxAge/time.Second, math.MaxInt32)), 10))
	}
	if len(p.ACR) > 0 {
		params.Set("acr_values", strings.Join(p.ACR, " "))
	}
	return params
}

// login is what leads from a session to one that satisfies the policy.
func (p *Policy) login(rec *record.Record, params url.Values) LoginOptions {
	return LoginOptions{
		Provider: rec.User.Provider, AuthParams: params,
		Scopes: record.Union(rec.AdditionalScopes(), p.Scopes),
	}
}

// needsUserInfo reports whether user info may have a claim that the policy names and the
// session lacks.
func (p *Policy) needsUserInfo(rec *record.Record) bool {
	if len(p.Claims) == 0 || rec.Extra.UserInfo || rec.Extra.Settled || rec.Tokens.ID.IsZero() {
		return false
	}
	return rec.Facts(p, p.Claims).Absent
}

// withUserInfo adds what user info says to a session whose login has not read it. It asks
// once for each session, whatever comes of it, and returns the request that carries the
// session on. An error means that it could not ask yet.
func (m *Middleware) withUserInfo(w http.ResponseWriter, r *http.Request, s *Session) (*http.Request, *Session, error) {
	switch err := m.refreshes.ReadUserInfo(r.Context(), &s.held, s.current()); {
	case errors.Is(err, instances.ErrEnded):
		return r, s, nil
	case err != nil:
		return r, s, err
	}
	if isNoFile(r) {
		m.renew(w, r, s.current())
	}
	r, s = m.carryOn(r, s)
	return r, s, nil
}
