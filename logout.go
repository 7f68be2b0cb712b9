package oauthlogin

import (
	"net/http"
	"net/url"
)

// maxLogoutBody bounds the form of a logout request.
const maxLogoutBody = 16 << 10

// Logout ends the session and expires every cookie of ours, also those that do
// not open, and redirects to the local path that return_to names, in the query
// or a form, or to "/".
//
// It answers POST alone, and not to other sites: see
// [http.CrossOriginProtection].
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
	if rec, _ := m.load(r); rec != nil {
		m.log.InfoContext(r.Context(), "oauthlogin: signed out", "provider", rec.user.Provider, "subject", rec.user.Subject)
	}
	returnTo := m.returnPath(logoutReturnTo(w, r))
	m.forget(r)
	m.clearCookies(w, r)
	w.Header().Set("Referrer-Policy", "no-referrer")
	redirect(w, returnTo)
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
