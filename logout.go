package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

const (
	// maxLogoutBody bounds the form of a logout request, in bytes.
	maxLogoutBody = 16 << 10
	// logoutTimeout bounds what a logout waits for the provider.
	logoutTimeout = 3 * time.Second
	// maxLogoutReturn bounds the return path in the provider's logout URL, in bytes:
	// servers refuse request lines over 8 KiB.
	maxLogoutReturn = 512
	// maxAfterLogout bounds the query of a browser that comes back from the provider's
	// logout, in bytes.
	maxAfterLogout = 8 << 10
)

// Logout ends the session, for a form that a user sends:
//
//	<form method="post" action="/logout"><button>Sign out</button></form>
//
// It expires all of the package's cookies, including ones that cannot be decrypted, and
// redirects to the provider's logout, or else to the local path that return_to names, in the
// query or the form, or to [Options.HomePath]. [Middleware.Handler] serves it; otherwise mount
// it at [Options.LogoutPath].
//
// With everywhere=1 in the form, it ends all sessions of the user that have begun so far: see
// [Middleware.SignOutUser].
//
// Logout accepts POST only, and refuses pages of other origins, those of
// [Options.TrustedOrigins] included: see [http.CrossOriginProtection]. The origin that counts as the application's own
// is that of RedirectURL, whatever Host says. A page with a Content-Security-Policy has to
// allow the provider in form-action, which browsers apply to redirects as well.
//
// The session ends here whether or not the provider can be reached. The refresh token is
// revoked if the provider's metadata has a revocation_endpoint (RFC 7009), and the user goes
// through its end_session_endpoint if the metadata has one (OpenID Connect RP-Initiated Logout
// 1.0), comes back to [Provider.PostLogoutRedirectURL], and from there to return_to if Handler
// or RequireAuth is around that page. The response clears the browser's cache of this origin,
// so that the back button does not show protected pages.
func (m *Middleware) Logout(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	if r.Method != http.MethodPost {
		m.responses.methodNotAllowed(w, r, "POST")
		return
	}
	if err := m.origins.Check(r); err != nil { // Options.TrustedOrigins do not sign users out
		m.responses.fail(w, r, crossOriginError(err))
		return
	}
	form := readLogoutForm(w, r)
	page.NoReferrer(w)
	page.Redirect(w, m.endSession(w, r, m.returns.returnPath(r, form.returnTo), form.everywhere))
}

// SignOut ends the session of a request from within a handler, for example when an account was
// deleted. It does what [Middleware.Logout] does, but does not send the user to the provider.
// Call it before the handler writes its response. After it, [FromContext] finds no session.
func (m *Middleware) SignOut(w http.ResponseWriter, r *http.Request) {
	if m.made() {
		m.endSession(w, r, "", false)
	}
}

// SignOutUser ends all sessions of a user that have begun so far, of any browser: for
// administrators, and for a password that has leaked. issuer and subject are [User.Issuer] and
// [User.Subject]. It revokes no token. A login right after it stands, but not one that
// [Options.OnSignIn] was asked about before.
//
// With [Options.Coordinator] it works at all instances. The error says that the Coordinator has
// not taken it: this instance has ended the sessions, and the others will when the Coordinator
// responds again. An empty issuer or subject is an error, too.
//
// Without a Coordinator it works on this instance alone, until it restarts. This instance then
// also refuses sessions that begin at other instances in the next five minutes, because clocks
// may differ.
func (m *Middleware) SignOutUser(ctx context.Context, issuer, subject string) error {
	switch {
	case !m.made():
		return errNotMade
	case issuer == "" || subject == "":
		return errors.New("oauthlogin: SignOutUser needs an issuer and a subject: see User.Issuer and User.Subject")
	}
	if err := m.sessions.EndAll(ctx, memory.OwnerOf(memory.OfUser, issuer, subject)); err != nil {
		return fmt.Errorf("oauthlogin: sign out user: %w", err)
	}
	name := ""
	if i := slices.IndexFunc(m.providers, func(p *provider) bool { return p.UserIssuer() == issuer || p.Client.Issues(issuer) }); i >= 0 {
		name = m.providers[i].Name
	}
	m.events.report(ctx, Event{Kind: EventLogout, Provider: name, Subject: subject, Ended: true})
	return nil
}

// endSession returns where to go: through the provider to returnTo, or returnTo itself
// when there is no provider to tell, or no way to come back.
func (m *Middleware) endSession(w http.ResponseWriter, r *http.Request, returnTo string, everywhere bool) string {
	ended := m.endHere(r)
	var ranOut *record.Record
	if len(ended) == 0 {
		ranOut, _ = m.sessions.Carried(r) // before the store forgets it
	}
	m.sessions.Forget(r, nil)
	m.cookies.Clear(w, r)
	// The back button must not show what the user saw (W3C Clear Site Data section 3.1).
	w.Header().Set("Clear-Site-Data", `"cache"`)
	m.silent.pause(w, r) // or the next page would sign the user in again

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), logoutTimeout)
	defer cancel()
	if everywhere && len(ended) > 0 {
		user, _, _ := ended[0].Owner(memory.OfUser)
		if err := m.sessions.EndAll(ctx, user); err != nil {
			m.log.WarnContext(ctx, "oauthlogin: other instances do not know yet that a user has signed out everywhere",
				"provider", ended[0].User.Provider, "subject", ended[0].User.Subject, "error", err)
		}
	}
	for i, rec := range ended {
		p := m.providers.byTag(rec.Provider)
		if i == 0 { // the others are the same user's, from before
			m.events.report(ctx, Event{Kind: EventLogout, Provider: p.Name, Subject: rec.User.Subject, Ended: true})
		}
		m.revoke(ctx, p, rec)
	}
	last := ranOut // the session at the provider may go on
	if len(ended) > 0 {
		last = ended[0]
	}
	if last == nil || returnTo == "" {
		return returnTo
	}
	idToken := ""
	if len(ended) > 0 || !m.sessions.IsPast(last, time.Now()) { // what an old cookie has sealed stays sealed
		idToken = last.Tokens.ID.Text()
	}
	if location := m.endSessionURL(ctx, m.providers.byTag(last.Provider), idToken, returnTo); location != "" {
		return location
	}
	return returnTo
}

// revoke revokes the refresh token of a record as best it can.
func (m *Middleware) revoke(ctx context.Context, p *provider, rec *record.Record) {
	if err := p.Client.Revoke(ctx, rec.Tokens.Refresh.Text(), rec.Key()); err != nil {
		m.log.WarnContext(ctx, "oauthlogin: refresh token not revoked", "provider", p.Name, "subject", rec.User.Subject, "error", err)
	}
}

// endHere ends the session of a request in memory, before anything else, so that a
// refresh under way cannot bring it back. It returns the latest record and those of the
// sessions that it replaced; none if there is no session, or it was over before.
func (m *Middleware) endHere(r *http.Request) []*record.Record {
	var rec *record.Record
	if s := m.fromContext(r.Context()); s != nil {
		s.over.Store(true)
		rec = s.current()
	} else {
		var err error
		proven := true
		if rec, _, err = m.sessions.Load(r); err != nil { // the others learn of it later
			rec, proven = m.sessions.Carried(r)
		}
		if rec == nil || !proven {
			return nil
		}
	}
	return m.sessions.Grants.End(r.Context(), rec, time.Now())
}

// logoutState is the name that the state of a logout is sealed under.
const logoutState = "logout_state"

// endSessionURL returns the URL of OpenID Connect RP-Initiated Logout section 2, "" if
// the provider has none. Its state is the return path, sealed: the browser keeps
// nothing after a logout.
func (m *Middleware) endSessionURL(ctx context.Context, p *provider, idToken, returnTo string) string {
	if len(returnTo) > maxLogoutReturn {
		returnTo = m.paths.Home
	}
	state, err := m.shortLived.Seal(logoutState, seal.PackText(returnTo))
	if err != nil {
		return ""
	}
	location, err := p.Client.EndSessionURL(ctx, idToken, state)
	if err != nil {
		return ""
	}
	return location
}

// afterLogout leads on a browser that comes back from the provider's logout. A request
// whose state is missing, or was not sealed here, is left to the page that is there. A
// state that is replayed leads to a local path, as any link does.
func (m *Middleware) afterLogout(w http.ResponseWriter, r *http.Request) bool {
	if len(r.URL.RawQuery) > maxAfterLogout || !strings.Contains(r.URL.RawQuery, "state=") || r.Method != http.MethodGet || !slices.Contains(m.paths.AfterLogout, r.URL.Path) {
		return false
	}
	packed, _, err := m.shortLived.Open(logoutState, r.URL.Query().Get("state"))
	if err != nil {
		return false
	}
	returnTo, err := seal.UnpackText(packed)
	if err != nil {
		return false
	}
	page.NoStore(w)
	page.NoReferrer(w)
	page.Redirect(w, m.paths.ReturnPath(returnTo))
	return true
}

// A logoutForm is what a logout request may say.
type logoutForm struct {
	returnTo   string
	everywhere bool
}

// readLogoutForm takes return_to if there is exactly one, in the query or the body. A form
// that cannot be read does not keep the user signed in.
func readLogoutForm(w http.ResponseWriter, r *http.Request) (form logoutForm) {
	query, _ := url.ParseQuery(r.URL.RawQuery[:min(len(r.URL.RawQuery), maxLogoutBody)])
	values := query["return_to"]
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if r.ParseForm() == nil {
		values = append(values, r.PostForm["return_to"]...)
		form.everywhere = slices.Contains(r.PostForm["everywhere"], "1")
	}
	if len(values) == 1 {
		form.returnTo = values[0]
	}
	return form
}
