package oauthlogin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// stepUp sends a user to a login that asks for more than the session shows.
func (m *Middleware) stepUp(w http.ResponseWriter, r *http.Request, rec *record.Record, code string, opts LoginOptions) {
	m.events.report(r.Context(), Event{Kind: EventStepUp, Provider: rec.User.Provider, Subject: rec.User.Subject})
	if isPageOfItsOwn(r) {
		opts.ReturnTo = m.returns.requestPath(r)
		m.StartLogin(w, r, opts)
		return
	}
	m.responses.challenge(w, r, code, m.loginURLWith(opts, m.returns.callerPath(r)))
}

// isPageOfItsOwn reports whether a login can lead back to what a request asks for.
func isPageOfItsOwn(r *http.Request) bool {
	return (browser.IsNavigation(r) || browser.IsRefetch(r)) && r.Method == http.MethodGet
}

// wayBack is the return path of a login that a page asks for in place of a request.
func (b *returnPaths) wayBack(r *http.Request) string {
	if isPageOfItsOwn(r) {
		if path := b.requestPath(r); len(b.paths.LoginURL("", path)) <= maxLoginURL {
			return path
		}
	}
	return b.callerPath(r)
}

// otherAccountURL is the URL of a login at which the provider lets the user choose the
// account (OpenID Connect Core section 3.1.2.1): without it, it would sign in the same
// user again. Without a provider it is that of the choice.
func (m *Middleware) otherAccountURL(provider, returnTo string) string {
	if provider == "" {
		return m.paths.LoginURL("", returnTo)
	}
	return m.loginURLWith(LoginOptions{Provider: provider, AuthParams: url.Values{"prompt": {"select_account"}}}, returnTo)
}

// loginURLWith is the URL of a login with parameters and scopes of its own. They are sealed,
// so that a link cannot ask for others than those of the package.
func (m *Middleware) loginURLWith(opts LoginOptions, returnTo string) string {
	loginURL := m.paths.LoginURL(opts.Provider, returnTo)
	if sealed, err := m.flows.SealStepUp(m.providers.byName(opts.Provider).Tag, opts.AuthParams, opts.Scopes); err == nil {
		loginURL += "&" + flow.StepUpParam + "=" + url.QueryEscape(sealed)
	}
	return loginURL
}

// forbid refuses a session, with a way to another account at a provider; without one, to the
// choice among providers.
func (m *Middleware) forbid(w http.ResponseWriter, r *http.Request, rec *record.Record, provider, returnTo string, cause error) {
	p := m.providers.byTag(rec.Provider)
	leadsTo := slices.DeleteFunc(p.Client.LogoutOrigins(), func(origin string) bool { return origin == m.paths.Origin })
	e := &Error{
		Code: "forbidden", Status: http.StatusForbidden, Provider: rec.User.Provider, Reference: newReference(), err: cause,
		RetryURL: m.otherAccountURL(provider, returnTo), otherAccount: true,
		signOut: &page.SignOut{Action: m.paths.Logout, LeadsTo: leadsTo},
	}
	m.events.denied(r, rec, e)
	m.responses.refuse(w, r, e)
}

// denied reports an error without its RetryURL, as audit logs must not have the query
// of a request.
func (p *reporter) denied(r *http.Request, rec *record.Record, e *Error) {
	reported := *e
	reported.RetryURL = ""
	p.report(r.Context(), Event{Kind: EventDenied, Provider: rec.User.Provider, Subject: rec.User.Subject, Err: &reported})
}

// missingScopes returns the scopes of the policy that were not granted.
func (p *Policy) missingScopes(rec *record.Record) (missing []string) {
	if len(p.Scopes) == 0 {
		return nil
	}
	granted := rec.GrantedScopes()
	for _, scope := range p.Scopes {
		if !slices.Contains(granted, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// refusedScope returns one of the missing scopes that a login has requested in vain.
func refusedScope(rec *record.Record, missing []string) (scope string, ok bool) {
	asked := rec.AskedScopes()
	i := slices.IndexFunc(missing, func(scope string) bool { return slices.Contains(asked, scope) })
	if i < 0 {
		return "", false
	}
	return missing[i], true
}

// refuseScopes responds to a request whose scopes a login has requested in vain. A page gets no
// second login by itself, and a script the way to one that the user may want.
func (m *Middleware) refuseScopes(w http.ResponseWriter, r *http.Request, rec *record.Record, opts LoginOptions, cause error) {
	if browser.ShowsPage(r) {
		m.forbid(w, r, rec, rec.User.Provider, m.returns.wayBack(r), cause)
		return
	}
	e := &Error{
		Code: "insufficient_scope", Status: http.StatusForbidden, Provider: rec.User.Provider, Reference: newReference(),
		RetryURL: m.loginURLWith(opts, m.returns.callerPath(r)), err: cause,
	}
	m.events.denied(r, rec, e)
	m.responses.logFailure(r, e)
	page.NoStore(w)
	page.JSON(w, e.Status, map[string]string{"error": e.Code, "login_url": e.RetryURL})
}

// scopesDenied responds to a login that requested additional scopes and was denied, and reports
// whether it has: the session stays, and remembers that it was asked. Without a session
// there is nothing to add to.
func (m *Middleware) scopesDenied(w http.ResponseWriter, r *http.Request, p *provider, f *flow.Flow) bool {
	if len(f.Scopes) == 0 {
		return false
	}
	rec, _, err := m.sessions.Load(r)
	if err != nil || rec == nil || rec.Provider != f.Provider {
		return false
	}
	asked := *rec
	asked.Ask(f.Scopes)
	if err := m.sessions.Save(w, r, &asked); err != nil {
		m.log.WarnContext(r.Context(), "oauthlogin: remembering denied scopes failed; the next request asks for them again",
			"provider", rec.User.Provider, "subject", rec.User.Subject, "error", err)
	}
	m.events.report(r.Context(), Event{
		Kind: EventLogin, Provider: p.Name, Duration: since(f.Started),
		Err: m.responses.loginError(p, f.ReturnPath, "access_denied", http.StatusBadRequest, nil),
	})
	m.forbid(w, r, rec, rec.User.Provider, m.paths.ReturnPath(f.ReturnPath), fmt.Errorf("the user or the provider denied the scopes %q", f.Scopes))
	return true
}
