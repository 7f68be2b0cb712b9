package oauthlogin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

// LoginOptions say how one login of [Middleware.StartLogin] differs from others. The zero value
// is a login at the only provider, or with a choice among several, that leads to
// [Options.HomePath].
type LoginOptions struct {
	_ [0]func() // keyed literals only

	// Provider is the [Provider.Name] of the provider. "" is the only one, or lets the user
	// choose among several: Scopes and AuthParams are lost then, so name the provider with
	// them. A name that no provider has is the error "unknown_provider".
	Provider string
	// ReturnTo is the local path to go to after the login. "", and every path that could
	// lead elsewhere, is [Options.HomePath].
	ReturnTo string
	// Scopes are requested in addition to the Scopes of [Provider.OAuth2], for this login only
	// (incremental authorization). If the provider does not say which scopes it granted, they
	// count as granted (RFC 6749 section 5.1). If the user is signed in and denies them, the
	// response is a 403 page with the code "forbidden", and the session stays. What is not a
	// scope-token (RFC 6749 section 3.3) is the error "internal", as are AuthParams that the
	// package sets itself.
	Scopes []string
	// AuthParams are parameters of the authorization request for this login, such as
	// login_hint, prompt or max_age, in place of those of the same name in
	// [Provider.AuthParams]. Do not take them from the request unchecked. A login that took too
	// long starts anew with the same ones, unless they are longer than 512 bytes as a query.
	AuthParams url.Values
}

// maxLoginQuery bounds the query of a login in bytes, several times what a return path
// and a step-up need.
const maxLoginQuery = 32 << 10

// Login starts a login: GET /login?return_to=/inbox redirects to the provider, and comes back
// to /inbox. [Middleware.Handler] serves it; mount it at [Options.LoginPath] if a router mounts
// the paths one by one.
//
// The query parameter return_to is a local path; the browser goes to [Options.HomePath] if it
// is missing or leads elsewhere. The parameter provider is a [Provider.Name]. With several
// providers, the response to a request without it, and to a link on another site, is a page on
// which the user chooses one. The only other parameter is step_up, which the package seals into
// the URLs that it hands out.
//
// Only GET starts a login; HEAD and prefetching do not. The server keeps no state: what the
// callback needs is sealed in a cookie of its own for each login, of which a browser keeps at
// most twelve. If the provider's metadata has an endpoint for it, the authorization request is
// pushed there first (RFC 9126), and the browser carries nothing but a reference. If that
// fails, the response is an error page, and no login is pending.
func (m *Middleware) Login(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	page.NoStore(w)
	m.hints.LoginServed()
	m.hints.LoginBegins(r)
	switch {
	case r.Method == http.MethodHead:
		return
	case r.Method != http.MethodGet:
		m.responses.methodNotAllowed(w, r, "GET, HEAD")
		return
	case browser.IsPrefetch(r):
		m.responses.challenge(w, r, "unauthenticated", m.paths.LoginURL("", m.paths.Home))
		return
	}
	invalid := func(retryURL string, err error) {
		m.responses.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, RetryURL: retryURL, err: err})
	}
	query, err := url.ParseQuery(r.URL.RawQuery[:min(len(r.URL.RawQuery), maxLoginQuery)])
	if len(r.URL.RawQuery) > maxLoginQuery || err != nil || len(query["provider"]) > 1 {
		invalid(m.paths.Login, errors.New("malformed query"))
		return
	}
	opts := LoginOptions{Provider: query.Get("provider")}
	if returnTo := query["return_to"]; len(returnTo) == 1 {
		opts.ReturnTo = returnTo[0]
	}
	p := m.providers.byName(opts.Provider)
	if len(m.providers) > 1 && browser.IsFromElsewhere(r) {
		// A link must not sign the user in at a provider where an attacker has signed in.
		opts.Provider = ""
	} else if p != nil && query.Has(flow.StepUpParam) {
		if opts.AuthParams, opts.Scopes, err = m.flows.OpenStepUp(p.Tag, query.Get(flow.StepUpParam)); err != nil {
			invalid(m.paths.ReturnPath(opts.ReturnTo), fmt.Errorf("step_up: %w", err)) // which asks for it again
			return
		}
	}
	m.StartLogin(w, r, opts)
}

// StartLogin responds to any request with the start of a login, for handlers that decide
// themselves when and how. The response is a redirect to the provider, the page on which the
// user chooses one, or an error page through [Options.ErrorHandler]; the handler writes nothing
// else. HEAD and prefetching start nothing: they get a redirect to [Options.LoginPath].
func (m *Middleware) StartLogin(w http.ResponseWriter, r *http.Request, opts LoginOptions) {
	if !m.ready(w) {
		return
	}
	page.NoStore(w)
	page.NoReferrer(w)
	m.hints.LoginServed()
	opts.ReturnTo = m.returns.returnPath(r, opts.ReturnTo)
	p := m.providers.byName(opts.Provider)
	switch {
	case p == nil && opts.Provider != "":
		m.responses.fail(w, r, &Error{
			Code: "unknown_provider", Status: http.StatusBadRequest,
			RetryURL: m.paths.LoginURL("", opts.ReturnTo), err: errors.New("no provider has this name"),
		})
		return
	case p == nil:
		m.choose(w, r, opts.ReturnTo)
		return
	}
	if r.Method == http.MethodHead || browser.IsPrefetch(r) {
		page.Redirect(w, m.loginURLWith(opts, opts.ReturnTo))
		return
	}
	if m.flows.Rounds(r) >= flow.MaxRounds {
		// A session that may be there is as good as one: it did not get lost.
		if rec, _, err := m.sessions.Load(r); rec == nil && err == nil {
			m.cookies.Expire(w, m.cookies.Rounds)
			m.responses.fail(w, r, m.responses.loginError(p, opts.ReturnTo, "cookies_lost", http.StatusBadRequest, errors.New("login after login, and no session")))
			return
		}
	}
	m.redirectToProvider(w, r, p, opts, flow.Asked)
}

// redirectToProvider responds with the start of a login, or with a page that says why
// there is none.
func (m *Middleware) redirectToProvider(w http.ResponseWriter, r *http.Request, p *provider, opts LoginOptions, kind flow.Kind) {
	began := time.Now()
	location, err := m.beginFlow(w, r, p, opts, kind)
	if err != nil {
		failed := m.notBegun(p, opts, err)
		if failed.Status == http.StatusBadGateway {
			m.events.report(r.Context(), Event{Kind: EventLogin, Provider: p.Name, Err: failed, Duration: since(began)})
		}
		m.responses.fail(w, r, failed)
		return
	}
	m.leave(w, r, location)
}

// notBegun is the error of a login that could not begin.
func (m *Middleware) notBegun(p *provider, opts LoginOptions, err error) *Error {
	failed := m.responses.loginError(p, opts.ReturnTo, "internal", http.StatusInternalServerError, err)
	var refused *protocol.PushError
	switch {
	case protocol.Unavailable(err):
		failed.Code, failed.Status = "provider_unavailable", http.StatusBadGateway
	case errors.As(err, &refused):
		failed.Code, failed.Status = "provider_rejected", http.StatusBadGateway
	default:
		return failed
	}
	failed.RetryURL = m.paths.LoginURL("", opts.ReturnTo) // another provider may work
	return failed
}

// beginFlow sets the cookie of a new flow and returns the URL of its authorization
// request.
func (m *Middleware) beginFlow(w http.ResponseWriter, r *http.Request, p *provider, opts LoginOptions, kind flow.Kind) (location string, err error) {
	m.hints.LoginBegins(r)
	request, err := p.Client.AuthorizationRequest(r.Context(), opts.AuthParams, opts.Scopes...)
	if err != nil {
		return "", err
	}
	f := flow.New(p.Tag, request, flow.Wanted{ReturnPath: opts.ReturnTo, Scopes: opts.Scopes, Params: opts.AuthParams}, kind)
	if err := m.flows.Write(w, r, f); err != nil {
		return "", err
	}
	if f.ReturnPath != opts.ReturnTo {
		m.returns.logDropped(r, opts.ReturnTo)
	}
	return request.URL, nil
}

// returnPath is the return path that an application or a link asks for.
func (b *returnPaths) returnPath(r *http.Request, given string) string {
	path := b.paths.ReturnPath(given)
	if path == b.paths.Home {
		b.logDropped(r, given)
	}
	return path
}

// loginError is an error of a login that can be started again.
func (p *responder) loginError(at *provider, returnTo, code string, status int, err error) *Error {
	return &Error{Code: code, Status: status, Provider: at.Name, RetryURL: p.paths.LoginURL(at.Name, returnTo), Reference: newReference(), err: err}
}

func (p *responder) methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	p.fail(w, r, &Error{Code: "method_not_allowed", Status: http.StatusMethodNotAllowed, err: fmt.Errorf("method %q; allowed: %s", browser.Printable(r.Method), allow)})
}
