package oauthlogin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// checkOrigin returns an error if a page of another origin, a sibling subdomain's
// included, sent a request whose method is not safe. It is [http.CrossOriginProtection]
// with RedirectURL's origin as the application's own, and it compares schemes too.
func (m *Middleware) checkOrigin(r *http.Request) error {
	switch r.Method { // before the request is copied
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	// Host as the browser has it: proxies rewrite it.
	public := *r
	public.Host = m.paths.PublicHost()
	err := m.crossOrigin.Check(&public)
	origin := r.Header.Get("Origin")
	if err == nil && r.Header.Get("Sec-Fetch-Site") == "" && origin != "" && origin != m.paths.Origin {
		err = errOtherOrigin
	}
	if err != nil {
		return fmt.Errorf("the request is not from a page of %s: %w", m.paths.Origin, err)
	}
	return nil
}

var errOtherOrigin = errors.New("Sec-Fetch-Site is missing, and Origin is another than RedirectURL's")

// isTrusted reports whether a request comes from a page of Options.TrustedOrigins.
func (m *Middleware) isTrusted(r *http.Request) bool {
	return slices.Contains(m.opts.TrustedOrigins, r.Header.Get("Origin"))
}

// admit reports whether RequireAuth goes on with a request. If it does not, it has
// answered it.
func (m *Middleware) admit(w http.ResponseWriter, r *http.Request) bool {
	err := m.checkOrigin(r)
	if err == nil || m.isTrusted(r) {
		return true
	}
	m.responses.refuse(w, r, crossOriginError(err))
	return false
}

func crossOriginError(err error) *Error {
	return &Error{Code: "cross_origin", Status: http.StatusForbidden, err: err}
}

func (o *Options) validateTrustedOrigins(faults *faultList) {
	for i, origin := range o.TrustedOrigins {
		if wrong := weburl.CheckOrigin(origin); wrong != "" {
			faults.add("TrustedOrigins[%d] %q %s", i, weburl.Shown(origin), wrong)
		}
	}
}
