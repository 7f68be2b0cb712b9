package apptest

import (
	"regexp"
	"slices"
	"strings"
)

// BrowserGoesTo returns the origin and the path that a browser at
// https://app.test goes to when it is told Location: the basic URL parser of the
// WHATWG URL standard, without net/url, which parses otherwise. A scheme that has
// no origin is returned as it is, with its colon. Percent-decoding and IDNA, which
// make app.test of much more, are left out.
func BrowserGoesTo(location string) (origin, path string) {
	// Leading and trailing C0 controls and spaces go, and tabs and newlines anywhere.
	rest := strings.TrimFunc(location, func(c rune) bool { return c <= ' ' })
	rest = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(rest)
	scheme := "https"
	if found := schemePattern.FindString(rest); found != "" {
		scheme, rest = strings.ToLower(strings.TrimSuffix(found, ":")), rest[len(found):]
	}
	if !slices.Contains([]string{"https", "http", "ws", "wss", "ftp"}, scheme) {
		return scheme + ":", ""
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = strings.ReplaceAll(rest, `\`, "/") // these schemes are special
	host := "app.test"
	// With our own scheme, and no slashes, it is a relative URL all the same.
	if scheme != "https" || strings.HasPrefix(rest, "//") {
		rest = strings.TrimLeft(rest, "/")
		authority, _, _ := strings.Cut(rest, "/")
		host, rest = strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:]), rest[len(authority):]
		if scheme == "https" {
			host = strings.TrimSuffix(host, ":443")
		}
	}
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(rest, "/"), "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, segment)
		}
	}
	return scheme + "://" + host, "/" + strings.Join(segments, "/")
}

// BrowserOrigin is the origin of BrowserGoesTo.
func BrowserOrigin(location string) string {
	origin, _ := BrowserGoesTo(location)
	return origin
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
