package apptest

import (
	"slices"
	"strings"
)

// BrowserOrigin returns the origin that a browser at https://app.test goes to
// when it is told Location, or the scheme alone: the basic URL parser of the
// WHATWG URL standard, without net/url, which parses otherwise.
func BrowserOrigin(location string) string {
	const home = "https://app.test"
	rest := strings.TrimFunc(location, func(c rune) bool { return c <= ' ' })
	rest = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(rest)
	scheme, relative := "https", true
	if i := strings.IndexAny(rest, ":/?#"); i > 0 && rest[i] == ':' {
		scheme, rest = strings.ToLower(rest[:i]), rest[i+1:]
		relative = scheme == "https"
	}
	switch {
	case !slices.Contains([]string{"https", "http", "ws", "wss", "ftp"}, scheme):
		return scheme + ":"
	case relative && !strings.HasPrefix(rest, "//"):
		return home
	}
	host := strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return scheme + "://" + strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
}
