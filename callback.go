package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apple"
	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/identity"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/vault"
)

// callbackTimeout bounds all calls to the provider that a callback makes together.
const callbackTimeout = 30 * time.Second

// Callback takes the provider's authorization response (RFC 6749 section 4.1.2): it redeems the
// code, verifies who signed in, asks [Options.OnSignIn], starts a new session and redirects to
// the login's return path. [Middleware.Handler] serves it; otherwise mount it at the path of
// each RedirectURL. A failure is an [Error] page.
//
// It accepts GET only, with [Provider.FormPost] also POST, and from browsers only navigations.
// The form of a provider on another site comes without cookies: the response is a page that
// posts it again, with them. A callback that does not belong to a login pending in this browser
// leads on if the user is signed in (a back button, a second tab), and is refused otherwise. A
// login that took over five minutes here, or too long for the provider, signs no user in: it
// starts anew by itself, once, with its return path, parameters and scopes.
func (m *Middleware) Callback(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	// RFC 9700 section 4.2.4: the URL contains a code.
	page.NoStore(w)
	page.NoReferrer(w)
	takesForm := m.providers.byForm(r.URL.Path) != nil
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodPost && takesForm:
	case takesForm:
		m.responses.methodNotAllowed(w, r, "GET, POST")
		return
	default:
		m.responses.methodNotAllowed(w, r, "GET")
		return
	}
	if !browser.MayBeResponse(r) {
		m.responses.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, err: errors.New("a script, an element of a page or a prefetch asks for the callback, and not a navigation")})
		return
	}
	response, done, err := m.response(w, r)
	if done {
		return
	}
	if err != nil {
		m.responses.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, RetryURL: m.paths.LoginURL("", m.paths.Home), err: err})
		return
	}

	// RFC 6749 section 10.12: bound to this browser before anything else.
	name := m.flows.CookieName(response.State)
	f := m.flows.Find(r, name, response.State)
	if f == nil {
		m.alarmAbout(r, response)
		m.staleCallback(w, r, response.State, nil, "flow_not_found")
		return
	}
	m.cookies.Expire(w, name)
	p := m.providers.byTag(f.Provider)
	if p.apple != nil && response.Error == apple.Cancelled {
		response.Error = "access_denied"
	}
	switch {
	case f.Expired(time.Now()):
		denied := response.Error == "access_denied"
		if denied && m.scopesDenied(w, r, p, f) {
			return
		}
		f.Again = f.Again || denied // the user has said no
		m.staleCallback(w, r, f.State, f, "flow_expired")
		return
	case !m.flows.Finish(r.Context(), f):
		m.staleCallback(w, r, f.State, f, "flow_used")
		return
	case f.Silent && m.hasSession(r):
		page.Redirect(w, p.landing(m.paths.ReturnPath(f.ReturnPath)))
		return
	}

	ctx, cancel := context.WithTimeoutCause(r.Context(), callbackTimeout, identity.ErrTimeout)
	defer cancel()
	granted, failed := m.complete(ctx, p, f, response, r.URL.Path)
	if failed == nil && p.apple != nil {
		m.addName(r, granted, response.User)
	}
	rec, returnPath := granted, f.ReturnPath
	if failed == nil && m.opts.OnSignIn != nil {
		rec, returnPath, failed = m.onSignIn(ctx, r, p, f, granted)
	}
	if failed == nil {
		failed = m.startSession(w, r, p, f, rec)
	}
	if failed != nil {
		m.revokeUnused(r, p, granted)
		if errors.Is(r.Context().Err(), context.Canceled) { // which says nothing of the provider
			m.log.InfoContext(r.Context(), "oauthlogin: the browser left during a login", "code", failed.Code, "provider", p.Name)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		m.loginFailed(w, r, p, f, failed)
		return
	}
	m.hints.LoginServed() // here, or by another instance
	page.Redirect(w, p.landing(returnPath))
}

// complete makes a session of the provider's response.
func (m *Middleware) complete(ctx context.Context, p *provider, f *flow.Flow, response protocol.Response, path string) (*record.Record, *Error) {
	fail := func(code string, status int, err error) (*record.Record, *Error) {
		failed := m.responses.loginError(p, f.ReturnPath, code, status, err)
		if code != "access_denied" { // the user's choice, and no failure of the provider
			failed.RetryURL = m.paths.LoginURL("", f.ReturnPath)
		}
		return nil, failed
	}
	// RFC 9700 section 4.4.2.2: a response at another provider's redirect URI is a
	// mix-up. A router may have cut the path; that matters with several providers only.
	if path != p.callbackPath && len(m.providers) > 1 {
		return fail("issuer_mismatch", http.StatusBadRequest, protocol.ErrMixUp)
	}
	if err := p.Client.CheckIssuer(ctx, response); err != nil {
		if protocol.Unavailable(err) {
			return fail("provider_unavailable", http.StatusBadGateway, err)
		}
		return fail("issuer_mismatch", http.StatusBadRequest, err)
	}
	if response.HasError {
		m.events.logDescription(ctx, p.Name, response)
	}
	switch {
	case response.Error == "access_denied":
		return fail("access_denied", http.StatusBadRequest, nil)
	case response.Error == "temporarily_unavailable" || response.Error == "authentication_expired":
		return fail("authorization_failed", http.StatusBadRequest, fmt.Errorf("%w: authorization endpoint responded with error %q", errTookTooLong, response.Error))
	case response.HasError:
		return fail("authorization_failed", http.StatusBadRequest, authorizationError(response.Error))
	case response.Code == "":
		return fail("invalid_request", http.StatusBadRequest, errors.New("callback has neither code nor error"))
	}
	// Before the provider says who signs in: what it ends from now on ends this login as well.
	moment := m.sessions.Grants.Moment()
	t, err := p.Client.Exchange(ctx, response.Code, f.Verifier, dpop.KeyOf(f.DPoPKey))
	if err != nil {
		code, status := classify(err)
		return fail(code, status, fmt.Errorf("exchange code: %w", err))
	}
	user, readInfo, err := p.Authenticate(ctx, t, f.Want, dpop.KeyOf(f.DPoPKey))
	if errors.Is(err, protocol.ErrInsufficient) {
		failed := m.responses.loginError(p, f.ReturnPath, "step_up_failed", http.StatusForbidden, err)
		failed.RetryURL = f.ReturnPath // which asks for the step-up again
		return nil, failed
	}
	if errors.Is(err, record.ErrClaimsTooLarge) {
		_, failed := fail("session_too_large", http.StatusInternalServerError, err)
		failed.RetryURL = "" // it would be as large again
		return nil, failed
	}
	if err != nil {
		code, status := classify(err)
		return fail(code, status, err)
	}
	if err := p.Client.CheckIssuerOf(response, user.Issuer); err != nil {
		return fail("issuer_mismatch", http.StatusBadRequest, err)
	}
	if !t.HasScope {
		t.Scope = p.Client.Scope(f.Scopes...) // RFC 6749 section 5.1
	}
	rec := p.NewRecord(user, t)
	rec.Ask(f.Scopes)
	rec.Extra.UserInfo = readInfo
	rec.Extra.DPoPKey = f.DPoPKey
	if signed, err := claims.Parse(rec.Tokens.ID.Payload()); err == nil { // verified
		rec.Extra.SID = signed.String("sid")
	}
	m.sessions.Grants.Begin(ctx, rec, time.Now())
	rec.MarkAt(moment, m.sessions.Grants.MarkOf)
	return rec, nil
}

// startSession writes the new session.
func (m *Middleware) startSession(w http.ResponseWriter, r *http.Request, p *provider, f *flow.Flow, rec *record.Record) *Error {
	old := m.sessionBefore(r, rec) // from which the new one takes over lineage and scopes
	sameUser := old != nil && old.IsOf(rec)
	if sameUser {
		rec.Extra.Lineage = old.Lineage()
		m.sessions.Grants.Follows(rec)
	}
	if sameUser && f.AddsTo(p.AuthParams) {
		rec.Ask(old.AskedScopes())
	}
	if m.bindings != nil {
		rec.Extra.BoundAt = time.Now() // the time of the offer
	}
	if err := m.sessions.Start(w, r, rec); err != nil {
		failed := m.responses.loginError(p, f.ReturnPath, "internal", http.StatusInternalServerError, err)
		switch {
		case errors.Is(err, cookies.ErrTooLarge), errors.Is(err, vault.ErrTooLarge):
			failed.Code, failed.RetryURL = "session_too_large", "" // it would be as large again
		case errors.Is(err, instances.ErrAway):
			w.Header().Set("Retry-After", page.RetryAfter)
			failed.Code, failed.Status = "unavailable", http.StatusServiceUnavailable
		}
		return failed
	}
	m.bindings.OfferAtLogin(w, r, rec)
	m.flows.CountRound(w, r, rec, old != nil)
	if !f.Silent {
		m.silent.resume(w, r)
	}
	switch {
	case sameUser && m.bindings != nil: // as below, and no instance renews its bound cookie
		m.sessions.Grants.TellReplaced(r.Context(), old, time.Now())
	case sameUser: // it ends with this one
		m.sessions.Grants.Replace(old, time.Now())
	case old != nil: // a slow response that carries its cookie must not bring it back
		m.sessions.Grants.End(r.Context(), old, time.Now())
	}
	m.sessions.Forget(r, rec) // last: whoever saves it after this sees that it is over
	m.events.report(r.Context(), Event{Kind: EventLogin, Provider: rec.User.Provider, Subject: rec.User.Subject, Duration: since(f.Started)})
	return nil
}

// sessionBefore returns the session of a request that the new one replaces or ends; nil if there
// is none.
func (m *Middleware) sessionBefore(r *http.Request, rec *record.Record) *record.Record {
	old, _, err := m.sessions.Load(r)
	if err != nil { // another user's session ends also if it is unknown whether it goes on
		carried, proven := m.sessions.Carried(r)
		if carried == nil || !proven || carried.IsOf(rec) {
			return nil
		}
		return carried
	}
	if old != nil {
		return old
	}
	// A copy of the cookies must not sign another user out.
	if unproven := m.sessions.Unproven(r); unproven != nil && unproven.IsOf(rec) {
		return unproven
	}
	return nil
}

// landing is the Location that ends a login. Some plain OAuth 2.0 providers end their
// redirects in a fragment (Facebook in #_=_), which browsers keep unless Location has one
// of its own.
func (p *provider) landing(returnPath string) string {
	if p.Issuer == "" && !strings.Contains(returnPath, "#") {
		return returnPath + "#"
	}
	return returnPath
}
