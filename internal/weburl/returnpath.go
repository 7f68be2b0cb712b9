package weburl

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// MaxReturnPath is the length, in bytes, above which a return path is dropped.
const MaxReturnPath = 2048

// ReturnPath returns p if every browser resolves it to a page on the
// application's own origin, and "/" if there is any doubt. The result goes into
// a Location header byte for byte, and never through http.Redirect, which cleans
// the path after the check: /./\evil.example becomes /\evil.example.
//
// RFC 9700 section 4.11; CVE-2020-5233, CVE-2020-11053, CVE-2020-4037 of
// oauth2-proxy, CVE-2021-32786 of mod_auth_openidc.
func ReturnPath(p string) string {
	if len(p) > MaxReturnPath || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
		return "/"
	}
	for i := range len(p) {
		// WHATWG URL: a backslash is a slash, and tabs and newlines vanish.
		if p[i] < 0x21 || p[i] > 0x7e || p[i] == '\\' {
			return "/"
		}
	}
	u, err := url.ParseRequestURI(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return "/"
	}
	// A server or proxy that cleans or decodes the path must not turn it into an
	// off-origin one either.
	if strings.HasPrefix(path.Clean(u.Path), "//") || strings.Contains(u.Path, `\`) {
		return "/"
	}
	return p
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
