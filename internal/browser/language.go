package browser

import (
	"net/http"
	"strings"
)

// maxLanguages bounds what is read of Accept-Language, in bytes.
const maxLanguages = 512

// Language returns the index of the language tag that a browser prefers, and 0 if it
// prefers none of them. A tag serves a language range if it is the range, or the range
// without its last subtags (RFC 4647 section 3.4), or begins with the range.
func Language(r *http.Request, tags []string) int {
	accept := strings.Join(r.Header.Values("Accept-Language"), ",")
	preferred, best := 0, 0.0
	for part := range strings.SplitSeq(accept[:min(len(accept), maxLanguages)], ",") {
		name, params, _ := strings.Cut(part, ";")
		if q := weight(params); q > best {
			if at := lookUp(strings.ToLower(strings.TrimSpace(name)), tags); at >= 0 {
				preferred, best = at, q
			}
		}
	}
	return preferred
}

// lookUp returns the index of the tag that serves a range, -1 if none does.
func lookUp(wanted string, tags []string) int {
	if wanted == "*" {
		return 0
	}
	for rest := wanted; rest != ""; rest = rest[:max(strings.LastIndexByte(rest, '-'), 0)] {
		for i, tag := range tags {
			if strings.EqualFold(tag, rest) {
				return i
			}
		}
	}
	for i, tag := range tags {
		if wanted != "" && strings.HasPrefix(strings.ToLower(tag), wanted+"-") {
			return i
		}
	}
	return -1
}
