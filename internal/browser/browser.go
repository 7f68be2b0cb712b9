// Package browser reads off a request's headers what a browser is doing. It is pure.
package browser

import (
	"net/http"
	"strings"
)

// IsNavigation reports whether a GET or HEAD request loads a page that a user looks
// at. Sec-Fetch-Mode decides where a browser sends it.
func IsNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || IsPrefetch(r) {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if r.Header.Get("X-Requested-With") != "" || r.Header.Get("Upgrade") != "" {
		return false
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
}

// IsPrefetch reports whether a browser loads a page before its user asks for it.
func IsPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(r.Header.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// IsDocument reports whether a navigation loads the top-level page, and not a frame.
// Without Sec-Fetch-Dest it cannot be told, and counts as one.
func IsDocument(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

// Printable makes a word of a request fit for a log line: ASCII, and at most 64 bytes.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}
