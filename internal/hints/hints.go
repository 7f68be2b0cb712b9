// Package hints names common mistakes of a deployment in the log, where they show.
package hints

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// Hints are what one Middleware has noticed.
type Hints struct {
	paths *weburl.Paths
	log   *slog.Logger

	elsewhere  sync.Once    // a login began under another origin
	served     atomic.Bool  // something serves the login path
	redirected atomic.Int32 // to the login path, before anything has served it
	large      atomic.Int64 // when cookies were last too large, in Unix seconds
}

// New returns hints for the application at the origin of paths.
func New(paths *weburl.Paths, log *slog.Logger) *Hints { return &Hints{paths: paths, log: log} }

// LoginBegins says when a login begins under another host or scheme than the one that
// the provider leads back to. The browser would not send the flow's cookie there.
func (h *Hints) LoginBegins(r *http.Request) {
	host, hostFits := h.hostOf(r)
	scheme, schemeFits := h.schemeOf(r)
	if hostFits && schemeFits {
		return
	}
	h.elsewhere.Do(func() {
		h.log.WarnContext(r.Context(), "oauthlogin: a login began under another host or scheme than RedirectURL's, so its cookie may be missing at the callback; "+
			"open the application at RedirectURL's origin, or have the proxy pass Host on or set X-Forwarded-Host and X-Forwarded-Proto",
			"began_at", browser.Printable(scheme+"://"+host), "redirect_url", h.paths.Origin)
	})
}

// maxForwarded bounds, in bytes, what is read of a header that proxies add, and that may
// be a stranger's.
const maxForwarded = 1 << 10

func forwarded(r *http.Request, name string) string {
	value := r.Header.Get(name)
	return value[:min(len(value), maxForwarded)]
}

// hostOf returns the host that a request was sent to, and whether it is the public one.
func (h *Hints) hostOf(r *http.Request) (host string, fits bool) {
	public := h.paths.PublicHost()
	for host := range strings.SplitSeq(forwarded(r, "X-Forwarded-Host"), ",") {
		if h.isPublic(host) {
			return public, true
		}
	}
	return r.Host, h.isPublic(r.Host)
}

// isPublic leaves ports out: cookies know none (RFC 6265 section 8.5), and proxies drop
// them from Host.
func (h *Hints) isPublic(host string) bool {
	return strings.EqualFold(hostname(strings.TrimSpace(host)), hostname(h.paths.PublicHost()))
}

func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

// schemeOf returns the scheme that a request was sent with, and whether it can be the
// public one. Without TLS or X-Forwarded-Proto that is unknown: a proxy may have
// ended TLS.
func (h *Hints) schemeOf(r *http.Request) (scheme string, fits bool) {
	public, _, _ := strings.Cut(h.paths.Origin, ":")
	if protos := forwarded(r, "X-Forwarded-Proto"); protos != "" {
		first, _, _ := strings.Cut(protos, ",")
		scheme = strings.ToLower(strings.TrimSpace(first))
		return scheme, scheme == public
	}
	if r.TLS != nil {
		return "https", public == "https"
	}
	return public, true
}

// LoginServed notes that something serves the login path.
func (h *Hints) LoginServed() {
	if !h.served.Load() {
		h.served.Store(true)
	}
}

// RedirectedToLogin says when redirects lead to a login path that nothing serves.
func (h *Hints) RedirectedToLogin(r *http.Request) {
	if h.served.Load() || h.redirected.Add(1) != 3 {
		return
	}
	h.log.WarnContext(r.Context(), "oauthlogin: RequireAuth has redirected three times, and no request has reached the login path; "+
		"put Middleware.Handler around the router, or serve the path by Middleware.Login (with several instances, another one may serve it)",
		"login_path", h.paths.Login)
}

// LargeCookies says, at most once a minute, that cookies are larger than common proxies
// let pass.
func (h *Hints) LargeCookies(r *http.Request, set, sent int) {
	now, last := time.Now().Unix(), h.large.Load()
	if now-last < 60 && last != 0 || !h.large.CompareAndSwap(last, now) {
		return
	}
	h.log.WarnContext(r.Context(), "oauthlogin: cookies are larger than proxies let pass by default (nginx: 4,096 bytes of response headers, 8,192 of one request header); "+
		"set Options.Store, or ask the provider for smaller tokens", "response_bytes", set, "request_bytes", sent)
}
