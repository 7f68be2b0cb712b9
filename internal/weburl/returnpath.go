package weburl

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// maxReturnPath is the length, in bytes, above which a return path is dropped.
// Whether a shorter one fits a cookie depends on how far it can be compressed.
const maxReturnPath = 4000

// ReturnPath returns p if every browser resolves it to a page on the
// application's own origin, and "/" if there is any doubt. The result goes into
// a Location header byte for byte, and never through http.Redirect, which cleans
// the path after the check: /./\evil.example becomes /\evil.example. A backslash
// behind the path, which browsers leave in a query, becomes %5C.
//
// RFC 9700 section 4.11; CVE-2020-5233, CVE-2020-11053, CVE-2020-4037 of
// oauth2-proxy, CVE-2021-32786 of mod_auth_openidc.
func ReturnPath(p string) string {
	if path, ok := local(p); ok {
		return path
	}
	return "/"
}

// local returns p as it goes into a Location header, and whether that is safe.
func local(p string) (path string, ok bool) {
	if len(p) > maxReturnPath || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
		return "", false
	}
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		p = p[:i] + strings.ReplaceAll(p[i:], `\`, "%5C")
	}
	for i := range len(p) {
		// WHATWG URL: a backslash is a slash, and tabs and newlines vanish.
		if p[i] < 0x21 || p[i] > 0x7e || p[i] == '\\' {
			return "", false
		}
	}
	u, err := url.ParseRequestURI(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || len(p) > maxReturnPath || isOffOriginDecoded(u.Path) {
		return "", false
	}
	return p, true
}

// isOffOriginDecoded reports whether a server or proxy that cleans or decodes the
// path can make an off-origin one of it.
func isOffOriginDecoded(decoded string) bool {
	cleaned := path.Clean(decoded)
	if strings.HasPrefix(cleaned, "//") || strings.HasPrefix(cleaned, `/\`) {
		return true
	}
	if !strings.Contains(decoded, `\`) {
		return false
	}
	// Where a backslash is a slash, dots could remove what stands before an empty segment.
	segments := strings.Split(strings.ReplaceAll(decoded, `\`, "/"), "/")
	return slices.Contains(segments, ".") || slices.Contains(segments, "..")
}

// resolves reports whether p leads to own, which is a clean path, once a router
// or a browser has cleaned it: /./login, //login and /login/ all lead to /login.
func resolves(p, own string) bool {
	page, _, _ := strings.Cut(p, "#")
	// To a browser an empty segment is one that .. removes.
	resolved := (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: p}).Path
	cleaned := []string{path.Clean("/" + p), path.Clean("/" + page), path.Clean("/" + resolved)}
	return slices.Contains(cleaned, path.Clean(own))
}
