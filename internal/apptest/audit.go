package apptest

import (
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
)

// Audited checks on each response of each test what holds for all cookies of
// ours, and that nothing panicked.
func Audited(t *testing.T, secure bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				t.Errorf("%s %s: panic: %v\n%s", r.Method, r.URL.Path, p, debug.Stack())
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
		for _, fault := range CookieFaults(w.Header(), secure) {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, fault)
		}
	})
}

// CookieFaults returns what is wrong with the Set-Cookie headers of a response
// (OAuth 2.0 for Browser-Based Applications section 6.1.3.2, RFC 6265bis).
func CookieFaults(h http.Header, secure bool) (faults []string) {
	seen := map[string]bool{}
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			return append(faults, "malformed Set-Cookie")
		}
		for _, check := range []struct {
			ok    bool
			fault string
		}{
			{!seen[c.Name], "is set twice"},
			{c.HttpOnly, "is not HttpOnly"},
			{c.SameSite == http.SameSiteLaxMode, "is not SameSite=Lax"},
			{c.Path == "/", "has another path than /"},
			{c.Domain == "", "has a domain"},
			{c.Secure == secure, "is Secure over http, or not over https"},
			{strings.HasPrefix(c.Name, "__Host-") == secure, "has __Host- over http, or not over https"},
			{len(c.Name)+len(c.Value) <= 3900, "is larger than browsers keep"},
			{c.MaxAge != 0, "has no Max-Age"},
			{c.MaxAge > 0 || c.Value == "", "is expired with a value"},
			{h.Get("Cache-Control") == "no-store" || h.Get("Expires") == "0" && h.Get("Cache-Control") == "", "is in a response that may be cached"},
		} {
			if !check.ok {
				faults = append(faults, "cookie "+c.Name+" "+check.fault)
			}
		}
		seen[c.Name] = true
	}
	return faults
}
