package oauthlogin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxLogoutBody bounds the form of a logout request.
	maxLogoutBody = 16 << 10
	// logoutTimeout bounds what a logout waits for the provider.
	logoutTimeout = 3 * time.Second
	// maxHintBytes bounds the ID token in the provider's logout URL, and
	// maxLogoutReturn the return path: servers refuse request lines over 8 KiB.
	maxHintBytes    = 4 << 10
	maxLogoutReturn = 512
)

// Logout ends the session: it revokes the refresh token if the provider's
// metadata has a revocation_endpoint (RFC 7009), expires every cookie of ours, also those that do not open, and redirects to the
// provider's end_session_endpoint if its metadata has one (OpenID Connect
// RP-Initiated Logout), and otherwise to the local path that return_to names,
// in the query or a form, or to "/". From the provider the user comes back to
// [Provider].PostLogoutRedirectURL, and from there to return_to,
// if [Middleware.Handler] or RequireAuth is around that page.
//
// The session ends here whether or not the provider can be reached.
//
// Logout answers POST alone, and not to other sites: see
// [http.CrossOriginProtection]. A page with a Content-Security-Policy has to
// allow the provider in form-action: browsers apply it to redirects as well.
func (m *Middleware) Logout(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	if r.Method != http.MethodPost {
		m.methodNotAllowed(w, r, "POST")
		return
	}
	if err := m.crossOrigin.Check(r); err != nil {
		m.fail(w, r, &Error{Code: "cross_origin", Status: http.StatusForbidden, err: err})
		return
	}
	returnTo := m.returnPath(logoutReturnTo(w, r))
	w.Header().Set("Referrer-Policy", "no-referrer")
	redirect(w, m.endSession(w, r, returnTo))
}

// SignOut ends the session of a request from within a handler, for example
// when an account was deleted: as [Middleware.Logout] does, but without
// sending the user to the provider. It has to be called before the handler
// writes its answer.
func (m *Middleware) SignOut(w http.ResponseWriter, r *http.Request) {
	if m == nil || m.providers == nil {
		return
	}
	m.endSession(w, r, "")
}

// endSession returns where to go: through the provider to returnTo, or
// returnTo itself when there is no provider to tell, or no way to come back.
func (m *Middleware) endSession(w http.ResponseWriter, r *http.Request, returnTo string) string {
	var rec *record
	if s := m.fromContext(r.Context()); s != nil {
		rec = s.current()
	} else {
		rec, _ = m.load(r)
	}
	if rec != nil {
		// First of all, so that a refresh under way cannot bring it back.
		rec = m.memory.end(rec)
	}
	m.forget(r)
	m.clearCookies(w, r)
	if m.silent.Load() {
		m.pauseSilent(w) // or the next page would sign the user in again
	}
	if rec == nil {
		return returnTo
	}
	p := m.providerByTag(rec.provider)
	m.event(r.Context(), Event{Kind: EventLogout, Provider: p.Name, Subject: rec.user.Subject})

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), logoutTimeout)
	defer cancel()
	if err := p.revoke(ctx, rec.tokens.refresh.text()); err != nil {
		m.log.WarnContext(ctx, "oauthlogin: refresh token not revoked", "provider", p.Name, "subject", rec.user.Subject, "error", err)
	}
	md, err := p.endpoints.metadata(ctx)
	if err != nil || md.EndSessionURL == "" || returnTo == "" {
		return returnTo
	}
	if location, err := m.endSessionURL(p, md, rec.tokens.id.text(), returnTo); err == nil {
		return location
	}
	return returnTo
}

// endSessionURL is OpenID Connect RP-Initiated Logout section 2. Its state
// is the return path, sealed: the browser keeps nothing after a logout.
func (m *Middleware) endSessionURL(p *provider, md *metadata, idToken, returnTo string) (string, error) {
	u, err := url.Parse(md.EndSessionURL)
	if err != nil {
		return "", err
	}
	if len(returnTo) > maxLogoutReturn {
		returnTo = "/"
	}
	state, err := m.flowSealer.seal(logoutState, []byte(returnTo))
	if err != nil {
		return "", err
	}
	query := u.Query()
	if idToken != "" && len(idToken) <= maxHintBytes {
		query.Set("id_token_hint", idToken)
	}
	query.Set("client_id", p.OAuth2.ClientID)
	query.Set("post_logout_redirect_uri", p.PostLogoutRedirectURL)
	query.Set("state", state)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// logoutState is what the state of a logout is sealed as.
const logoutState = "logout_state"

// revoke is RFC 7009 section 2.1. Revoking a refresh token is to revoke the
// access tokens of the same grant with it.
func (p *provider) revoke(ctx context.Context, refreshToken string) error {
	if refreshToken == "" {
		return nil
	}
	md, err := p.endpoints.metadata(ctx)
	if err != nil || md.RevocationURL == "" {
		return err
	}
	resp, err := p.clientRequest(ctx, md, md.RevocationURL,
		"token", refreshToken,
		"token_type_hint", "refresh_token",
	)
	if err != nil {
		return fmt.Errorf("revoke refresh token: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke refresh token: %w", statusError(resp.StatusCode))
	}
	return nil
}

// afterLogout leads on who comes back from the provider's logout. A state that
// is missing, or is not ours, leaves the request to the page that is there.
// One that is replayed leads to a local path, as any link does.
func (m *Middleware) afterLogout(w http.ResponseWriter, r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, "state=") || r.Method != http.MethodGet || !m.isPostLogoutPath(r.URL.Path) {
		return false
	}
	returnTo, _, err := m.flowSealer.open(logoutState, r.URL.Query().Get("state"))
	if err != nil {
		return false
	}
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	redirect(w, m.returnPath(string(returnTo)))
	return true
}

func (m *Middleware) isPostLogoutPath(path string) bool {
	for _, p := range m.providers {
		if p.postLogoutPath == path {
			return true
		}
	}
	return false
}

// logoutReturnTo returns the only return_to there is. A form that cannot be
// read never keeps anybody signed in.
func logoutReturnTo(w http.ResponseWriter, r *http.Request) string {
	query, _ := url.ParseQuery(r.URL.RawQuery)
	values := query["return_to"]
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if r.ParseForm() == nil {
		values = append(values, r.PostForm["return_to"]...)
	}
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
