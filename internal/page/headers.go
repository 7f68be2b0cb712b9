// Package page writes responses to browsers: caching headers, redirects, JSON and
// the package's own pages.
package page

import (
	"encoding/json"
	"net/http"
	"strings"
)

// NoStore keeps a response out of every cache. It sets Expires too, because
// http.FileServer and http.ServeContent remove Cache-Control from their error
// responses and leave Set-Cookie.
func NoStore(w http.ResponseWriter) {
	h := w.Header()
	if h.Get("Cache-Control") == "no-store" && h.Get("Expires") == "0" {
		return
	}
	values := [...]string{"no-store", "0"} // one allocation for both
	h["Cache-Control"], h["Expires"] = values[0:1:1], values[1:2:2]
}

// Private keeps shared caches from giving one user's page to another.
func Private(w http.ResponseWriter) {
	h := w.Header()
	values := [...]string{"private", "Cookie"} // one allocation for both
	if set := h["Cache-Control"]; len(set) == 0 || !strings.Contains(set[0], "no-store") {
		h["Cache-Control"] = values[0:1:1]
	}
	if vary := h["Vary"]; len(vary) > 0 {
		h["Vary"] = append(vary, "Cookie")
	} else {
		h["Vary"] = values[1:2:2]
	}
}

// NoReferrer keeps the URL of a page, which may contain a code, from other sites.
func NoReferrer(w http.ResponseWriter) { w.Header().Set("Referrer-Policy", "no-referrer") }

// SameOriginReferrer keeps the URL of a page from other sites, and lets browsers name its
// origin when it posts a form: with no-referrer they send "Origin: null".
func SameOriginReferrer(w http.ResponseWriter) { w.Header().Set("Referrer-Policy", "same-origin") }

// Redirect responds with 303 and writes Location as it is: http.Redirect would clean it
// after it was checked.
func Redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	// RFC 9700 section 4.12: after a 303 no browser repeats a request body.
	w.WriteHeader(http.StatusSeeOther)
}

// JSON writes a JSON object for scripts. The caller has set caching headers.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// Discard is a ResponseWriter for what must not reach the response.
type Discard struct{}

func (Discard) Header() http.Header { return http.Header{} }

func (Discard) Write(b []byte) (int, error) { return len(b), nil }

func (Discard) WriteHeader(int) {}

// RetryAfter is the value of Retry-After: how many seconds a client waits before it asks
// again.
const RetryAfter = "5"
