package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

// callbackTimeout bounds all calls to the provider that a callback makes together.
const callbackTimeout = 30 * time.Second

// Callback takes the provider's authorization response, redeems the code, verifies
// who signed in, starts a new session and redirects to the login's return path. Mount
// it at the path of the provider's RedirectURL.
//
// It accepts GET only. A callback that does not belong to a login pending in this
// browser leads on if the user is signed in (a back button, a second tab), and is
// refused otherwise.
func (m *Middleware) Callback(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	// RFC 9700 section 4.2.4: the URL contains a code.
	page.NoStore(w)
	page.NoReferrer(w)
	if r.Method != http.MethodGet {
		m.methodNotAllowed(w, r, "GET")
		return
	}
	response, err := protocol.ParseResponse(r.URL.RawQuery)
	if err != nil {
		m.responses.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, RetryURL: m.paths.LoginURL("", "/"), err: err})
		return
	}

	// RFC 6749 section 10.12: bound to this browser before anything else.
	name := m.flows.cookieName(response.State)
	f := m.flows.find(r, name, response.State)
	if f == nil {
		m.alarmAbout(r, response)
		m.staleCallback(w, r, response.State, nil, "flow_not_found")
		return
	}
	m.cookies.Expire(w, name)
	switch {
	case f.expired(time.Now()):
		m.staleCallback(w, r, f.state, f, "flow_expired")
		return
	case !m.flows.finish(f):
		m.staleCallback(w, r, f.state, f, "flow_used")
		return
	}

	p := m.providers.byTag(f.provider)
	ctx, cancel := context.WithTimeout(r.Context(), callbackTimeout)
	defer cancel()
	rec, failed := m.complete(ctx, p, f, response, r.URL.Path)
	if failed == nil {
		failed = m.startSession(w, r, p, f, rec)
	}
	if failed != nil {
		m.loginFailed(w, r, p, f, failed)
		return
	}
	page.Redirect(w, f.returnPath)
}

func (m *Middleware) loginFailed(w http.ResponseWriter, r *http.Request, p *provider, f *flow, failed *Error) {
	if f.isQuiet(failed) {
		m.log.DebugContext(r.Context(), "oauthlogin: no silent sign-in", "code", failed.Code, "provider", p.Name, "error", failed.err)
		page.Redirect(w, f.returnPath)
		return
	}
	m.events.event(r.Context(), Event{Kind: EventLogin, Provider: p.Name, Err: failed})
	m.responses.fail(w, r, failed)
}

// startSession writes the new session.
func (m *Middleware) startSession(w http.ResponseWriter, r *http.Request, p *provider, f *flow, rec *record) *Error {
	old, _, _ := m.sessions.load(r) // before start, which deletes it from a store
	sameUser := old != nil && old.user.Subject == rec.user.Subject && old.provider == rec.provider
	if sameUser {
		rec.extra.lineage = old.Lineage()
	}
	if err := m.sessions.start(w, r, rec); err != nil {
		failed := m.loginError(p, f.returnPath, "internal", http.StatusInternalServerError, err)
		if errors.Is(err, cookies.ErrTooLarge) || errors.Is(err, errTooLargeForStore) {
			failed.Code, failed.RetryURL = "session_too_large", "" // it would be as large again
		}
		return failed
	}
	m.flows.countRound(w, r, rec, old != nil)
	if !f.silent {
		m.resumeSilentLogin(w, r)
	}
	switch {
	case sameUser: // it ends with this one
		m.sessions.grants.Replace(old, time.Now())
	case old != nil: // a slow response that carries its cookie must not bring it back
		m.sessions.grants.End(old, time.Now())
	}
	m.events.event(r.Context(), Event{Kind: EventLogin, Provider: rec.user.Provider, Subject: rec.user.Subject})
	return nil
}

// complete makes a session of the provider's response.
func (m *Middleware) complete(ctx context.Context, p *provider, f *flow, response protocol.Response, path string) (*record, *Error) {
	fail := func(code string, status int, err error) (*record, *Error) {
		return nil, m.loginError(p, f.returnPath, code, status, err)
	}
	// RFC 9700 section 4.4.2.2: a response at another provider's redirect URI is a
	// mix-up. A router may have cut the path; that matters with several providers only.
	if path != p.callbackPath && len(m.providers) > 1 {
		return fail("issuer_mismatch", http.StatusBadRequest, protocol.ErrMixUp)
	}
	if err := p.client.CheckIssuer(ctx, response); err != nil {
		if protocol.Unavailable(err) {
			return fail("provider_unavailable", http.StatusBadGateway, err)
		}
		return fail("issuer_mismatch", http.StatusBadRequest, err)
	}
	switch {
	case response.Error == "access_denied":
		return fail("access_denied", http.StatusBadRequest, nil)
	case response.HasError:
		m.log.DebugContext(ctx, "oauthlogin: the provider describes an error", "endpoint", "authorization", "provider", p.Name,
			"error", protocol.ErrorCode(response.Error), "description", protocol.Description(response.Description))
		return fail("authorization_failed", http.StatusBadRequest, authorizationError(response.Error))
	case response.Code == "":
		return fail("invalid_request", http.StatusBadRequest, errors.New("callback has neither code nor error"))
	}
	t, err := p.client.Exchange(ctx, response.Code, f.verifier)
	if err != nil {
		code, status := classify(err)
		return fail(code, status, fmt.Errorf("exchange code: %w", err))
	}
	user, readInfo, err := p.authenticate(ctx, t, f.want)
	if errors.Is(err, protocol.ErrInsufficient) {
		failed := m.loginError(p, f.returnPath, "step_up_failed", http.StatusForbidden, err)
		failed.RetryURL = f.returnPath // which asks for the step-up again
		return nil, failed
	}
	if errors.Is(err, errClaimsTooLarge) {
		_, failed := fail("session_too_large", http.StatusInternalServerError, err)
		failed.RetryURL = "" // it would be as large again
		return nil, failed
	}
	if err != nil {
		code, status := classify(err)
		return fail(code, status, err)
	}
	if !t.HasScope {
		t.Scope = strings.Join(p.OAuth2.Scopes, " ") // RFC 6749 section 5.1
	}
	rec := newRecord(p, user, t)
	rec.extra.userInfo = readInfo
	return rec, nil
}

// alarmAbout logs an error of every login that a provider sends without the state, if the
// request comes from a browser with a pending login.
func (m *Middleware) alarmAbout(r *http.Request, response protocol.Response) {
	err := authorizationError(response.Error)
	isPending := func(p pendingFlow) bool { return !p.started.IsZero() }
	if response.State != "" || !errors.Is(err, errMisconfigured) || !slices.ContainsFunc(m.flows.pending(r), isPending) || !m.responses.loudly("authorization") {
		return
	}
	m.log.ErrorContext(r.Context(), "oauthlogin: every login may fail", "error", err, "description", protocol.Description(response.Description))
}

// authorizationError is the error of an authorization response (RFC 6749 section 4.1.2.1).
func authorizationError(code string) error {
	err := fmt.Errorf("authorization endpoint responded with error %q", protocol.ErrorCode(code))
	if slices.Contains([]string{"invalid_scope", "unauthorized_client", "invalid_client"}, code) {
		return fmt.Errorf("%w: %w", err, errMisconfigured)
	}
	return err
}

// classify tells a provider that cannot be reached from one whose response is wrong,
// and both from a code that should not have been sent.
func classify(err error) (code string, status int) {
	switch {
	case protocol.RefusesCode(err):
		return "invalid_grant", http.StatusBadRequest
	case protocol.Unavailable(err):
		return "provider_unavailable", http.StatusBadGateway
	}
	return "provider_rejected", http.StatusBadGateway
}

// staleCallback answers a callback that starts nothing. Without a session it redirects
// only for a silent flow whose cookie came back: a browser without cookies would go
// round for ever.
func (m *Middleware) staleCallback(w http.ResponseWriter, r *http.Request, state string, f *flow, code string) {
	returnPath := m.flows.finished.Value(state)
	if f != nil {
		returnPath = f.returnPath
	}
	rec, _, err := m.sessions.load(r)
	if err != nil {
		m.unavailable(w, r, err)
		return
	}
	if rec != nil || f != nil && f.silent {
		page.Redirect(w, m.paths.ReturnPath(returnPath))
		return
	}
	e := &Error{Code: code, Status: http.StatusBadRequest, RetryURL: m.paths.LoginURL("", "/"), err: errors.New("this browser has no pending login with the state")}
	if f != nil {
		p := m.providers.byTag(f.provider)
		e.Provider, e.RetryURL, e.err = p.Name, m.paths.LoginURL(p.Name, f.returnPath), nil
		if code == "flow_used" {
			e.RetryURL = f.returnPath
		}
	}
	m.responses.fail(w, r, e)
}
