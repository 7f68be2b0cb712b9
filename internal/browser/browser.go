// Package browser reads off a request's headers what a browser is doing. It is pure.
package browser

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// IsNavigation reports whether a GET or HEAD request loads a page that a user looks
// at. Sec-Fetch-Mode decides where a browser sends it. Elsewhere Accept has to name
// text/html, to be exactly */* or to be missing: images, style sheets and scripts
// accept anything as well, and name first what they want.
func IsNavigation(r *http.Request) bool {
	if !isRead(r) || IsPrefetch(r) {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if isScript(r) {
		return false
	}
	accept := strings.TrimSpace(accepted(r))
	return accept == "" || accept == "*/*" || quality(accept, "text/html", true) > 0
}

// IsRefetch reports whether a service worker fetches a navigation again, and shows
// the response in the window.
func IsRefetch(r *http.Request) bool {
	return isRead(r) && !IsPrefetch(r) && !isScript(r) && r.Header.Get("Sec-Fetch-Mode") == "same-origin" && PrefersHTML(r)
}

// ShowsPage reports whether the response is one that a user looks at: a navigation,
// a form that was sent, or what asks for HTML rather than for JSON.
func ShowsPage(r *http.Request) bool {
	switch {
	case IsPrefetch(r) || isScript(r):
		return false
	case IsNavigation(r):
		return true
	case !isRead(r) && r.Header.Get("Sec-Fetch-Mode") == "navigate":
		return true
	}
	return PrefersHTML(r)
}

// PrefersHTML reports whether Accept names text/html, and prefers it to JSON (RFC 9110
// section 12.5.1).
func PrefersHTML(r *http.Request) bool {
	accept := accepted(r)
	html := quality(accept, "text/html", true)
	return html > 0 && html > quality(accept, "application/json", false)
}

// MayBeResponse reports whether a request to a redirect URI can be an authorization
// response, which browsers deliver by a navigation that their users wait for. Where a
// browser does not say what it is doing, it can.
func MayBeResponse(r *http.Request) bool {
	if IsPrefetch(r) {
		return false
	}
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "" || mode == "navigate" || mode == "same-origin" && PrefersHTML(r)
}

// files are the destinations of subresources (Fetch, section 2.2.5), which many
// applications let every cache keep.
var files = []string{
	"audio", "audioworklet", "font", "image", "json", "manifest", "paintworklet", "script", "serviceworker",
	"sharedworker", "style", "track", "video", "worker", "xslt",
}

// IsFile reports whether a request loads a part of a page: an image, a style sheet, a
// script, a font. Without Sec-Fetch-Dest that is unknown, and it counts as none.
func IsFile(r *http.Request) bool { return slices.Contains(files, r.Header.Get("Sec-Fetch-Dest")) }

// maxPurpose bounds how much of a purpose is read, in bytes.
const maxPurpose = 256

// IsPrefetch reports whether a browser loads a page before its user asks for it.
func IsPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := r.Header.Get(name)
		value = strings.ToLower(value[:min(len(value), maxPurpose)])
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// IsDocument reports whether a navigation loads the top-level page, and not a frame.
// Without Sec-Fetch-Dest that is unknown, and it counts as one.
func IsDocument(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

// IsFromElsewhere reports whether a page of another origin has led here.
func IsFromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
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

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// isScript reports whether a request says, in a header other than Sec-Fetch-Mode, that a
// script sends it. Web views on Android put their package's name into X-Requested-With.
func isScript(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest") ||
		r.Header.Get("HX-Request") != "" || r.Header.Get("Upgrade") != ""
}

// maxAccept bounds what is read of Accept, in bytes: browsers send a few hundred.
const maxAccept = 4 << 10

func accepted(r *http.Request) string {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return accept[:min(len(accept), maxAccept)]
}

// quality returns how much Accept wants a media type, from 0 to 1, by the range that
// is closest to it: with named, only by its own name.
func quality(accept, mediaType string, named bool) float64 {
	ranges := []string{mediaType}
	if !named {
		kind, _, _ := strings.Cut(mediaType, "/")
		ranges = append(ranges, kind+"/*", "*/*")
	}
	closest, best := len(ranges), 0.0
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		at := slices.Index(ranges, strings.ToLower(strings.TrimSpace(name)))
		if at < 0 || at > closest {
			continue
		}
		if q := weight(params); at < closest || q > best {
			closest, best = at, q
		}
	}
	return best
}

// weight returns the q among the parameters of an element of Accept or Accept-Language
// (RFC 9110 section 12.4.2).
func weight(params string) float64 {
	q := 1.0
	for param := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(param), "="); strings.EqualFold(name, "q") {
			q, _ = strconv.ParseFloat(value, 64)
		}
	}
	return q
}
