package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// loginFailed responds to a login that begins no session.
func (m *Middleware) loginFailed(w http.ResponseWriter, r *http.Request, p *provider, f *flow.Flow, failed *Error) {
	if f.Silent && failed.refused {
		m.events.report(r.Context(), Event{Kind: EventLogin, Provider: p.Name, Subject: failed.subject, Err: failed, Duration: since(f.Started)})
		m.silent.pause(w, r) // until the user asks for it
	}
	if f.Silent && !errors.Is(failed.err, protocol.ErrMixUp) { // the user did not ask for it, and gets the page as a visitor does
		m.log.Log(r.Context(), m.levelOf(failed), "oauthlogin: no silent sign-in", failed.attrs()...)
		page.Redirect(w, f.ReturnPath)
		return
	}
	if failed.Code == "access_denied" && !failed.refused && m.scopesDenied(w, r, p, f) {
		return
	}
	if errors.Is(failed, errTookTooLong) && !f.Again {
		if rec, _, err := m.sessions.Load(r); rec != nil && err == nil && !f.AddsTo(p.AuthParams) && len(f.Params) == 0 {
			page.Redirect(w, p.landing(m.paths.ReturnPath(f.ReturnPath))) // signed in in another tab
			return
		}
		m.startAnew(w, r, p, f, failed.Code)
		return
	}
	m.events.report(r.Context(), Event{Kind: EventLogin, Provider: p.Name, Subject: failed.subject, Err: failed, Duration: since(f.Started)})
	m.responses.fail(w, r, failed)
}

// errTookTooLong is the error of a response that says that the user took too long at
// the provider.
var errTookTooLong = errors.New("the provider has given the login up")

// levelOf is the level at which the failure of a silent login is logged. That the provider
// does not sign the user in is not worth a line.
func (m *Middleware) levelOf(failed *Error) slog.Level {
	ours := errors.Is(failed, errMisconfigured) || protocol.Misconfigured(failed) || failed.Status == http.StatusInternalServerError
	switch {
	case ours && m.responses.loudly(failed.Code):
		return slog.LevelError
	case ours || failed.refused:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// revokeUnused revokes the refresh token of a login that begins no session. It leaves that
// of a user who is signed in already: a provider may revoke related tokens and the grant
// with it (RFC 7009 section 2.1).
func (m *Middleware) revokeUnused(r *http.Request, p *provider, rec *record.Record) {
	if rec == nil || rec.Tokens.Refresh.IsZero() {
		return
	}
	if old, err := m.sessions.OfSameUser(r, rec); err != nil || old != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), logoutTimeout)
	defer cancel()
	m.revoke(ctx, p, rec)
}

// startAnew begins a login in place of one that took too long, once.
func (m *Middleware) startAnew(w http.ResponseWriter, r *http.Request, p *provider, f *flow.Flow, code string) {
	m.log.InfoContext(r.Context(), "oauthlogin: a login took too long and starts anew", "code", code, "provider", p.Name)
	opts := LoginOptions{ReturnTo: m.paths.ReturnPath(f.ReturnPath), Scopes: f.Scopes, AuthParams: f.AuthParams(p.AuthParams)}
	m.redirectToProvider(w, r, p, opts, flow.Restarted)
}

// staleCallback responds to a callback that signs no user in. Without a session it redirects
// only for a silent flow whose cookie came back: a browser without cookies would go
// round forever.
func (m *Middleware) staleCallback(w http.ResponseWriter, r *http.Request, state string, f *flow.Flow, code string) {
	p, returnPath := m.providers.byCallback(r.URL.Path), m.flows.ReturnPathOf(r.Context(), state)
	if f != nil {
		p, returnPath = m.providers.byTag(f.Provider), f.ReturnPath
	}
	returnPath = m.paths.ReturnPath(returnPath)
	rec, _, err := m.sessions.Load(r)
	if err != nil {
		m.responses.unavailable(w, r, err)
		return
	}
	switch {
	case rec != nil || f != nil && f.Silent:
		page.Redirect(w, p.landing(returnPath))
	case f == nil:
		m.responses.fail(w, r, &Error{
			Code: code, Status: http.StatusBadRequest, RetryURL: m.paths.LoginURL("", returnPath),
			err: fmt.Errorf("this browser has no pending login with the state: the login began under another host or scheme than %s, "+
				"the browser keeps no cookies, or the callback is old", m.paths.Origin),
		})
	case code == "flow_expired" && !f.Again:
		m.startAnew(w, r, p, f, code)
	case code == "flow_used":
		m.responses.fail(w, r, &Error{Code: code, Status: http.StatusBadRequest, Provider: p.Name, RetryURL: returnPath})
	default:
		m.responses.fail(w, r, m.responses.loginError(p, returnPath, code, http.StatusBadRequest, nil))
	}
}

// alarmAbout logs an error of every login that a provider sends without the state, if the
// request comes from a browser with a pending login.
func (m *Middleware) alarmAbout(r *http.Request, response protocol.Response) {
	err := authorizationError(response.Error)
	if response.State != "" || !errors.Is(err, errMisconfigured) || !m.flows.HasPending(r) || !m.responses.loudly("authorization") {
		return
	}
	m.log.ErrorContext(r.Context(), "oauthlogin: every login may fail", "error", err)
	m.events.logDescription(r.Context(), "", response)
}

// logDescription logs how an authorization response describes an error, only at Debug:
// it may be a stranger's text.
func (p *reporter) logDescription(ctx context.Context, provider string, response protocol.Response) {
	p.log.DebugContext(ctx, "oauthlogin: the provider describes an error", "endpoint", "authorization", "provider", provider,
		"provider_code", protocol.ErrorCode(response.Error), "description", protocol.Description(response.Description))
}
