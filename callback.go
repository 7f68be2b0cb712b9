package oauthlogin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// callbackTimeout bounds all the calls to the provider that a callback makes.
const callbackTimeout = 30 * time.Second

// Callback takes the provider's answer, redeems the code, verifies who signed
// in, starts a new session and redirects to the login's return path. It is to
// be mounted at the path of the provider's RedirectURL.
//
// It answers GET alone. A callback that does not belong to a login pending in
// this browser leads on if the user is signed in (a back button, a second tab),
// and is refused otherwise.
func (m *Middleware) Callback(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	// RFC 9700 section 4.2.4: the URL has a code in it.
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet {
		m.methodNotAllowed(w, r, "GET")
		return
	}
	answer, err := parseAuthorizationResponse(r.URL.RawQuery)
	if err != nil {
		m.fail(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, RetryURL: m.loginURL("", "/"), err: err})
		return
	}

	// Bound to this browser before anything else: RFC 6749 section 10.12.
	name := m.flowCookie(answer.state)
	f := m.findFlow(r, name, answer.state)
	if f == nil {
		m.staleCallback(w, r, answer.state, nil, "flow_not_found")
		return
	}
	m.cookies.expire(w, name)
	switch {
	case f.expired(time.Now()):
		m.staleCallback(w, r, f.state, f, "flow_expired")
		return
	case !m.finished.add(f.state, shortPath(f.returnPath)):
		m.staleCallback(w, r, f.state, f, "flow_used")
		return
	}

	p := m.providerByTag(f.provider)
	ctx, cancel := context.WithTimeout(r.Context(), callbackTimeout)
	defer cancel()
	rec, failed := m.complete(ctx, p, f, answer, r.URL.Path)
	if failed == nil {
		failed = m.signIn(w, r, p, f, rec)
	}
	if failed != nil {
		if f.isQuiet(failed) {
			m.log.DebugContext(ctx, "oauthlogin: no silent sign-in", "code", failed.Code, "provider", p.Name, "error", failed.err)
			redirect(w, f.returnPath)
			return
		}
		m.event(ctx, Event{Kind: EventLogin, Provider: p.Name, Err: failed})
		m.fail(w, r, failed)
		return
	}
	redirect(w, f.returnPath)
}

// signIn writes the new session.
func (m *Middleware) signIn(w http.ResponseWriter, r *http.Request, p *provider, f *flow, rec *record) *Error {
	old, _ := m.load(r) // before start, which deletes it from a store
	if err := m.start(w, r, rec); err != nil {
		failed := m.loginError(p, f.returnPath, "internal", http.StatusInternalServerError, err)
		if errors.Is(err, errTooLargeForCookies) || errors.Is(err, errTooLargeForStore) {
			failed.Code, failed.RetryURL = "session_too_large", "" // it would be as large again
		}
		return failed
	}
	m.countRound(w, r, rec, old != nil)
	if old != nil {
		if old.user.Subject != rec.user.Subject || old.provider != rec.provider {
			// A slow response that carries its cookie must not bring it back.
			m.memory.end(old)
		}
	}
	m.event(r.Context(), Event{Kind: EventLogin, Provider: rec.user.Provider, Subject: rec.user.Subject})
	return nil
}

// complete makes a session of the provider's answer.
func (m *Middleware) complete(ctx context.Context, p *provider, f *flow, answer authorizationResponse, path string) (*record, *Error) {
	fail := func(code string, status int, err error) (*record, *Error) {
		return nil, m.loginError(p, f.returnPath, code, status, err)
	}
	// RFC 9700 section 4.4.2.2: an answer at another provider's redirect URI is
	// a mix-up. A router may have cut the path; then there can be no other.
	if path != p.callbackPath && len(m.providers) > 1 {
		return fail("issuer_mismatch", http.StatusBadRequest, errMixUp)
	}
	md, err := p.endpoints.metadata(ctx)
	if err != nil {
		return fail("provider_unavailable", http.StatusBadGateway, err)
	}
	if err := p.checkIssuer(md, answer); err != nil {
		return fail("issuer_mismatch", http.StatusBadRequest, err)
	}
	switch {
	case answer.errorCode == "access_denied":
		return fail("access_denied", http.StatusBadRequest, nil)
	case answer.hasError:
		return fail("authorization_failed", http.StatusBadRequest, fmt.Errorf("authorization endpoint answered with error %q", errorCode(answer.errorCode)))
	case answer.code == "":
		return fail("invalid_request", http.StatusBadRequest, errors.New("callback has neither code nor error"))
	}
	t, err := p.exchange(ctx, md, answer.code, f.verifier)
	if err != nil {
		code, status := classify(err)
		return fail(code, status, fmt.Errorf("exchange code: %w", err))
	}
	user, err := p.authenticate(ctx, md, f, t)
	if errors.Is(err, errInsufficient) {
		failed := m.loginError(p, f.returnPath, "step_up_failed", http.StatusForbidden, err)
		failed.RetryURL = f.returnPath // which asks for the step-up again
		return nil, failed
	}
	if err != nil {
		code, status := classify(err)
		return fail(code, status, err)
	}
	if !t.hasScope {
		t.scope = strings.Join(p.OAuth2.Scopes, " ") // RFC 6749 section 5.1
	}
	return newRecord(p, user, t), nil
}

// errMixUp is RFC 9700 section 4.4.
var errMixUp = errors.New("answer of another provider")

// authenticate says who the tokens belong to: by the ID token of an OpenID
// Connect provider, by Identify otherwise.
func (p *provider) authenticate(ctx context.Context, md *metadata, f *flow, t *tokens) (User, error) {
	if p.Issuer == "" {
		user, err := p.identify(ctx, t.access)
		if err != nil {
			return User{}, fmt.Errorf("identify user: %w", err)
		}
		return user, nil
	}
	payload, claims, err := p.verifyIDToken(ctx, md, t.id.whole, t.access)
	if err == nil {
		err = checkNonce(claims, f.nonce)
	}
	if err == nil {
		err = checkAuthentication(claims, f)
	}
	if err != nil {
		return User{}, fmt.Errorf("verify ID token: %w", err)
	}
	return p.userFromClaims(ctx, md, payload, claims, t.access)
}

// classify tells a provider that cannot be reached from one whose answer is
// wrong, and both from a code that nobody should have sent.
func classify(err error) (code string, status int) {
	var (
		refused    *tokenError
		badStatus  statusError
		noKeys     *keysError
		noAnswer   *callError
		noResponse *url.Error // of a client of Identify's own
	)
	switch {
	case errors.As(err, &refused):
		if refused.code == "invalid_grant" || refused.code == "bad_verification_code" {
			return "invalid_grant", http.StatusBadRequest
		}
	case errors.As(err, &badStatus), errors.As(err, &noKeys), errors.As(err, &noAnswer), errors.As(err, &noResponse):
		return "provider_unavailable", http.StatusBadGateway
	}
	return "provider_rejected", http.StatusBadGateway
}

// staleCallback answers a callback that starts nothing. Without a session it
// redirects only for a silent flow whose cookie came back: a browser without
// cookies would go round for ever.
func (m *Middleware) staleCallback(w http.ResponseWriter, r *http.Request, state string, f *flow, code string) {
	returnPath := m.finished.value(state)
	if f != nil {
		returnPath = f.returnPath
	}
	if rec, _ := m.load(r); rec != nil || f != nil && f.silent {
		redirect(w, m.returnPath(returnPath))
		return
	}
	e := &Error{Code: code, Status: http.StatusBadRequest, RetryURL: m.loginURL("", "/"), err: errors.New("no pending login of this browser has the state")}
	if f != nil {
		p := m.providerByTag(f.provider)
		e.Provider, e.RetryURL, e.err = p.Name, m.loginURL(p.Name, f.returnPath), nil
		if code == "flow_used" {
			e.RetryURL = f.returnPath
		}
	}
	m.fail(w, r, e)
}

// An authorizationResponse is RFC 6749 section 4.1.2 with RFC 9207.
type authorizationResponse struct {
	state, code, iss, errorCode string
	hasISS, hasError            bool
}

// maxParam bounds each parameter that we read.
const maxParam = 8 << 10

// parseAuthorizationResponse refuses parameters that occur twice (RFC 6749
// section 3.1) and ignores those that it does not know (section 4.1.2).
func parseAuthorizationResponse(rawQuery string) (answer authorizationResponse, err error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return answer, errors.New("malformed query")
	}
	for _, name := range []string{"state", "code", "iss", "error", "error_description", "error_uri"} {
		switch values := query[name]; {
		case len(values) > 1:
			return answer, fmt.Errorf("parameter %s occurs more than once", name)
		case len(values) == 1 && len(values[0]) > maxParam:
			return answer, fmt.Errorf("parameter %s is too long", name)
		}
	}
	return authorizationResponse{
		state: query.Get("state"), code: query.Get("code"), iss: query.Get("iss"), errorCode: query.Get("error"),
		hasISS: query.Has("iss"), hasError: query.Has("error"),
	}, nil
}

// checkIssuer is RFC 9207 section 2.4: iss is compared whenever it is there,
// and has to be there when metadata says so, in error responses too.
func (p *provider) checkIssuer(md *metadata, answer authorizationResponse) error {
	switch {
	case !answer.hasISS && !md.IssInResponse:
		return nil
	case !answer.hasISS:
		return fmt.Errorf("%w: no iss, which the provider said it sends", errMixUp)
	case p.Issuer == "":
		// Without metadata the issuer's exact name is not known, but its host is.
		if u, err := url.Parse(answer.iss); err != nil || originOf(u) != p.issuer {
			return errMixUp
		}
		return nil
	case subtle.ConstantTimeCompare([]byte(answer.iss), []byte(p.Issuer)) != 1:
		return errMixUp
	}
	return nil
}
