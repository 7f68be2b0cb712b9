package oauthlogin

import (
	"fmt"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/binding"
	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// Device registers keys of browsers for [Options.BindDevices] and renews bound cookies (Device
// Bound Session Credentials, a W3C draft). [Middleware.Handler] serves it; otherwise mount it
// at [Options.LoginPath] + "/device". Without BindDevices it responds 404.
//
// It accepts POST only, and needs no cookie, because browsers send none behind a provider or a
// link on another site: challenges and identifiers name the session. It refuses callers on
// other origins and sets no CORS headers. A proof of a challenge that is too old gets 403 with
// the next challenge, and any other wrong proof 400. For a session that is over, the response is
// {"continue":false}, and if it is unknown whether it is over, 503. Renewals do not extend the
// session.
func (m *Middleware) Device(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	page.NoStore(w)
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	if m.bindings == nil {
		http.NotFound(w, r)
		return
	}
	m.bindings.Serve(w, r, m.sessions, func() error { return m.origins.CheckOwn(r) })
}

// requireBound refuses a session that is not bound to a device. The registration of a key
// may still be under way, after which the same request goes on.
func (m *Middleware) requireBound(w http.ResponseWriter, r *http.Request, rec *record.Record) {
	if age := time.Since(rec.Extra.BoundAt); age < binding.RegistrationTime && browser.IsNavigation(r) && r.Method == http.MethodGet {
		w.Header().Set("Refresh", "1")
	}
	e := &Error{
		Code: "device_not_bound", Status: http.StatusForbidden, Provider: rec.User.Provider, RetryURL: m.returns.wayBack(r),
		err: fmt.Errorf("the session of subject %q is not bound to a device, as the policy requires", rec.User.Subject),
	}
	m.events.denied(r, rec, e)
	m.responses.refuse(w, r, e)
}
