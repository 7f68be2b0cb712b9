package oauthlogin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// stepUp sends a user to a login that asks for more than the session shows.
func (m *Middleware) stepUp(w http.ResponseWriter, r *http.Request, rec *record, code string, opts LoginOptions) {
	m.events.report(r.Context(), Event{Kind: EventStepUp, Provider: rec.user.Provider, Subject: rec.user.Subject})
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

// stepUpParam carries the parameters of a login from loginURLWith to Login, and its scopes
// among them.
const stepUpParam = "step_up"

// stepUpAge is how long a URL of loginURLWith starts its login.
const stepUpAge = 24 * time.Hour

// loginURLWith is the URL of a login with parameters and scopes of its own.
func (m *Middleware) loginURLWith(opts LoginOptions, returnTo string) string {
	params := url.Values{}
	maps.Copy(params, opts.AuthParams)
	if len(opts.Scopes) > 0 {
		params.Set("scope", strings.Join(opts.Scopes, " "))
	}
	loginURL := m.paths.LoginURL(opts.Provider, returnTo)
	// Sealed, so that a link cannot ask for parameters other than those of the package, of
	// another provider, or for long.
	packer := seal.NewPacker()
	packer.Time(time.Now())
	packer.String(params.Encode())
	if sealed, err := m.shortLived.Seal(m.providers.byName(opts.Provider).stepUpName(), packer.Pack()); err == nil {
		loginURL += "&" + stepUpParam + "=" + url.QueryEscape(sealed)
	}
	return loginURL
}

// stepUpName is the name that the step-ups of a provider are sealed under.
func (p *provider) stepUpName() string {
	return stepUpParam + "." + base64.RawURLEncoding.EncodeToString(p.tag[:])
}

var errStepUpOld = errors.New("it is more than a day old")

func (m *Middleware) openStepUp(p *provider, sealed string) (params url.Values, scopes []string, err error) {
	query := ""
	if packed, _, err := m.shortLived.Open(p.stepUpName(), sealed); err == nil {
		u, err := seal.Unpack(packed)
		if err != nil {
			return nil, nil, err
		}
		at := u.Time()
		if query = u.String(); u.Err() == nil && time.Since(at) > stepUpAge {
			return nil, nil, errStepUpOld
		}
		if u.Err() != nil {
			return nil, nil, u.Err()
		}
	} else if query, err = m.openOldStepUp(sealed); err != nil {
		return nil, nil, err
	}
	if params, err = url.ParseQuery(query); err != nil {
		return nil, nil, err
	}
	scopes = strings.Fields(params.Get("scope"))
	delete(params, "scope")
	return params, scopes, nil
}

// openOldStepUp opens what the version before sealed, for any provider and any time.
func (m *Middleware) openOldStepUp(sealed string) (query string, err error) {
	packed, _, err := m.shortLived.Open(stepUpParam, sealed)
	if err != nil {
		return "", err
	}
	return seal.UnpackText(packed)
}

// authParams returns the parameters that the login of a flow asks for in addition to those
// of every login at the provider.
func (f *flow) authParams(p *provider) url.Values {
	if len(f.params) > 0 {
		return f.params
	}
	return f.stepUp(p)
}

// stepUp returns the parameters of a flow that a [Policy] has asked for, nil if none
// has.
func (f *flow) stepUp(p *provider) url.Values {
	if f.params.Has("max_age") || f.params.Has("acr_values") {
		return f.params
	}
	// The version before kept no parameters, and long ones are not kept.
	params := url.Values{}
	if maxAge := strconv.FormatInt(int64(f.want.MaxAge/time.Second), 10); f.want.MaxAge >= 0 && maxAge != p.AuthParams.Get("max_age") {
		params.Set("max_age", maxAge)
	}
	if f.want.ACRValues != "" && f.want.ACRValues != strings.Join(p.AuthParams["acr_values"], " ") {
		params.Set("acr_values", f.want.ACRValues)
	}
	if len(params) == 0 {
		return nil
	}
	params.Set("prompt", "login")
	return params
}

// addsTo reports whether a session alone is not what the flow is for.
func (f *flow) addsTo(p *provider) bool { return len(f.scopes) > 0 || f.stepUp(p) != nil }

// grantedScopes are those that the provider has granted. RFC 6749 section 3.3 separates
// them by spaces, GitHub by commas.
func (rec *record) grantedScopes() []string {
	return strings.FieldsFunc(rec.tokens.scope, func(r rune) bool { return r == ' ' || r == ',' })
}

// askedScopes are those that logins of the session have requested in addition to
// Provider.OAuth2.Scopes, whether they were granted or not.
func (rec *record) askedScopes() []string { return strings.Fields(rec.extra.asked) }

// ask notes that scopes were requested.
func (rec *record) ask(scopes []string) {
	rec.extra.asked = strings.Join(union(rec.askedScopes(), scopes), " ")
}

// additionalScopes are those that the next login of the session has to request again, so
// that they are not lost. A provider may also grant what it does not let a client request.
func (rec *record) additionalScopes() []string {
	granted := rec.grantedScopes()
	return slices.DeleteFunc(rec.askedScopes(), func(scope string) bool { return !slices.Contains(granted, scope) })
}

// union returns the scopes of both, each once, in their order.
func union(a, b []string) (scopes []string) {
	for _, scope := range slices.Concat(a, b) {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// missingScopes returns the scopes of the policy that were not granted.
func (p *Policy) missingScopes(rec *record) (missing []string) {
	if len(p.Scopes) == 0 {
		return nil
	}
	granted := rec.grantedScopes()
	for _, scope := range p.Scopes {
		if !slices.Contains(granted, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// refusedScope returns one of the missing scopes that a login has requested in vain.
func refusedScope(rec *record, missing []string) (scope string, ok bool) {
	asked := rec.askedScopes()
	i := slices.IndexFunc(missing, func(scope string) bool { return slices.Contains(asked, scope) })
	if i < 0 {
		return "", false
	}
	return missing[i], true
}

// refuseScopes answers a request whose scopes a login has requested in vain. A page gets no
// second login by itself, and a script the way to one that the user may want.
func (m *Middleware) refuseScopes(w http.ResponseWriter, r *http.Request, rec *record, opts LoginOptions, cause error) {
	if browser.ShowsPage(r) {
		m.forbid(w, r, rec, rec.user.Provider, m.returns.wayBack(r), cause)
		return
	}
	e := &Error{
		Code: "insufficient_scope", Status: http.StatusForbidden, Provider: rec.user.Provider, Reference: newReference(),
		RetryURL: m.loginURLWith(opts, m.returns.callerPath(r)), err: cause,
	}
	m.events.denied(r, rec, e)
	m.responses.logFailure(r, e)
	page.NoStore(w)
	page.JSON(w, e.Status, map[string]string{"error": e.Code, "login_url": e.RetryURL})
}

// scopesDenied answers a login that requested additional scopes and was denied, and reports
// whether it has: the session stays, and remembers that it was asked. Without a session
// there is nothing to add to.
func (m *Middleware) scopesDenied(w http.ResponseWriter, r *http.Request, p *provider, f *flow) bool {
	if len(f.scopes) == 0 {
		return false
	}
	rec, _, err := m.sessions.load(r)
	if err != nil || rec == nil || rec.provider != f.provider {
		return false
	}
	asked := *rec
	asked.ask(f.scopes)
	if err := m.sessions.save(w, r, &asked); err != nil {
		m.log.WarnContext(r.Context(), "oauthlogin: remembering denied scopes failed; the next request asks for them again",
			"provider", rec.user.Provider, "subject", rec.user.Subject, "error", err)
	}
	m.events.report(r.Context(), Event{
		Kind: EventLogin, Provider: p.Name, Duration: since(f.started),
		Err: m.responses.loginError(p, f.returnPath, "access_denied", http.StatusBadRequest, nil),
	})
	m.forbid(w, r, rec, rec.user.Provider, m.paths.ReturnPath(f.returnPath), fmt.Errorf("the user or the provider denied the scopes %q", f.scopes))
	return true
}
