package oauthlogin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// LoginOptions is how one login differs from others.
type LoginOptions struct {
	_ [0]func() // keyed literals only

	// Provider is the name of the provider; "" is the only one, or lets the user
	// choose among several.
	Provider string
	// ReturnTo is the local path to go to after the login; "" is "/", and so
	// is everything that could lead elsewhere.
	ReturnTo string
	// AuthParams are parameters of the authorization request for this login,
	// in place of those of the same name in [Provider].AuthParams: login_hint,
	// prompt, max_age. Fill them from values of your own, not from the request.
	AuthParams url.Values
}

// Login starts a login: it redirects to the provider that the query parameter
// provider names, or lets the user choose, and comes back to the local path
// that return_to names, "/" if it is missing or leads anywhere else. The only
// other parameter is step_up, which [Middleware.Require] seals into the URLs that
// it hands out.
//
// GET alone starts a login; HEAD and prefetching do not. No state is kept on the
// server: what the callback needs is sealed in a cookie of its own for each login,
// of which a browser keeps at most five.
func (m *Middleware) Login(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	noStore(w)
	switch {
	case r.Method == http.MethodHead:
		return
	case r.Method != http.MethodGet:
		m.methodNotAllowed(w, r, "GET, HEAD")
		return
	case isPrefetch(r):
		m.unauthorized(w, "/")
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["provider"]) > 1 {
		m.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, RetryURL: m.opts.LoginPath, err: errors.New("malformed query")})
		return
	}
	opts := LoginOptions{Provider: query.Get("provider")}
	if query.Has(stepUpParam) {
		if opts.AuthParams, err = m.openStepUp(query.Get(stepUpParam)); err != nil {
			m.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, RetryURL: m.opts.LoginPath, err: fmt.Errorf("step_up: %w", err)})
			return
		}
	}
	if returnTo := query["return_to"]; len(returnTo) == 1 {
		opts.ReturnTo = returnTo[0]
	}
	m.StartLogin(w, r, opts)
}

// StartLogin answers any request with the start of a login, for handlers that
// decide themselves when and how. The answer is a redirect, the choice of
// a provider or an error page.
func (m *Middleware) StartLogin(w http.ResponseWriter, r *http.Request, opts LoginOptions) {
	if !m.ready(w) {
		return
	}
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	opts.ReturnTo = m.returnPath(opts.ReturnTo)
	p := m.providerByName(opts.Provider)
	switch {
	case p == nil && opts.Provider != "":
		m.fail(w, r, &Error{
			Code: "unknown_provider", Status: http.StatusBadRequest,
			RetryURL: m.loginURL("", opts.ReturnTo), err: errors.New("no provider has this name"),
		})
		return
	case p == nil:
		m.choose(w, opts.ReturnTo)
		return
	}
	if m.roundsOf(r) >= maxRounds {
		if rec, _ := m.load(r); rec == nil {
			m.cookies.expire(w, m.cookies.rounds)
			m.fail(w, r, m.loginError(p, opts.ReturnTo, "cookies_lost", http.StatusBadRequest, errors.New("login after login, and no session")))
			return
		}
	}
	md, err := p.endpoints.metadata(r.Context())
	if err != nil {
		failed := m.loginError(p, opts.ReturnTo, "provider_unavailable", http.StatusBadGateway, err)
		m.event(r.Context(), Event{Kind: EventLogin, Provider: p.Name, Err: failed})
		m.fail(w, r, failed)
		return
	}
	f, location, err := p.authorizationRequest(md, opts)
	if err == nil {
		err = m.writeFlow(w, r, f)
	}
	if err != nil {
		m.fail(w, r, m.loginError(p, opts.ReturnTo, "internal", http.StatusInternalServerError, err))
		return
	}
	redirect(w, location)
}

// authorizationRequest makes a new flow and the URL that it begins with (RFC
// 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1).
func (p *provider) authorizationRequest(md *metadata, opts LoginOptions) (*flow, string, error) {
	if err := checkAuthParams(opts.AuthParams); err != nil {
		return nil, "", fmt.Errorf("LoginOptions.AuthParams %w", err)
	}
	u, err := url.Parse(md.AuthURL)
	if err != nil {
		return nil, "", err
	}
	others := u.Query()
	maps.DeleteFunc(others, func(name string, _ []string) bool { return isOwnParam(name) })
	maps.Copy(others, p.AuthParams)
	maps.Copy(others, opts.AuthParams)
	// Values of their own for each flow: RFC 9700 section 2.1.1.
	f := &flow{
		provider: p.tag, state: randomToken(), verifier: randomToken(),
		started: time.Now(), returnPath: opts.ReturnTo, maxAge: -1,
		acrValues: strings.Join(others["acr_values"], " "),
	}
	if others.Has("max_age") {
		if f.maxAge, err = parseMaxAge(others.Get("max_age")); err != nil {
			return nil, "", err
		}
	}
	// RFC 9700 section 2.1.1: PKCE whatever the provider advertises, and
	// RFC 7636 section 4.2: S256 and no other method.
	params := []string{
		"client_id", p.OAuth2.ClientID, "redirect_uri", p.OAuth2.RedirectURL, "response_type", "code", "state", f.state,
		"code_challenge", oauth2.S256ChallengeFromVerifier(f.verifier), "code_challenge_method", "S256",
	}
	if len(p.OAuth2.Scopes) > 0 {
		params = append(params, "scope", strings.Join(p.OAuth2.Scopes, " "))
	}
	if p.Issuer != "" {
		f.nonce = randomToken()
		params = append(params, "nonce", f.nonce)
	}
	u.RawQuery = encodeParams(params...)
	if more := others.Encode(); more != "" {
		u.RawQuery += "&" + more
	}
	return f, u.String(), nil // not as it came: it may need escapes
}

func parseMaxAge(s string) (time.Duration, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("max_age %q is no number of seconds", s)
	}
	return time.Duration(n) * time.Second, nil
}

// providerByName returns the only provider for "".
func (m *Middleware) providerByName(name string) *provider {
	if name == "" && len(m.providers) == 1 {
		return m.providers[0]
	}
	i := slices.IndexFunc(m.providers, func(p *provider) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return m.providers[i]
}

// loginURL is the local URL that starts a login.
func (m *Middleware) loginURL(provider, returnTo string) string {
	query := ""
	if provider != "" && len(m.providers) > 1 {
		query = "provider=" + url.QueryEscape(provider) + "&"
	}
	return m.opts.LoginPath + "?" + query + "return_to=" + url.QueryEscape(returnTo)
}

// loginError is an error of a login that can be started again.
func (m *Middleware) loginError(p *provider, returnTo, code string, status int, err error) *Error {
	return &Error{Code: code, Status: status, Provider: p.Name, RetryURL: m.loginURL(p.Name, returnTo), err: err}
}

func (m *Middleware) methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	m.fail(w, r, &Error{Code: "method_not_allowed", Status: http.StatusMethodNotAllowed, err: fmt.Errorf("method %q; allowed: %s", printable(r.Method), allow)})
}

// printable makes a word of a request fit for a log line: ASCII, and not much of it.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}

// redirect writes Location as it is: http.Redirect would clean it.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	// RFC 9700 section 4.12: 303, after which no browser repeats a body.
	w.WriteHeader(http.StatusSeeOther)
}
