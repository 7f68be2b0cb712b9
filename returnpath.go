package oauthlogin

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

const maxReturnPath = 2048

// safeReturnPath returns p if every browser resolves it to a page on our own
// origin, and "/" if there is any doubt. What is returned goes into a
// Location header byte for byte, and never through http.Redirect: that cleans
// paths after the check, and /./\evil.example becomes /\evil.example.
//
// RFC 9700 section 4.11; CVE-2020-5233, CVE-2020-11053, CVE-2020-4037 of
// oauth2-proxy, CVE-2021-32786 of mod_auth_openidc.
func safeReturnPath(p string) string {
	if len(p) > maxReturnPath || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
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
	// A server or proxy that cleans or decodes the path must not make an
	// off-origin one of it either.
	if strings.HasPrefix(path.Clean(u.Path), "//") || strings.Contains(u.Path, `\`) {
		return "/"
	}
	return p
}

// returnPath is [safeReturnPath] with a guard against loops: nobody wants
// to return to the login page, the callback or the logout.
func (m *Middleware) returnPath(p string) string {
	p = safeReturnPath(p)
	if p == "/" {
		return p
	}
	if u, err := url.ParseRequestURI(p); err != nil || m.isOwnPath(u.Path) {
		return "/"
	}
	return p
}

// isOwnPath sees through what routers clean away: /./login, //login, /login/.
func (m *Middleware) isOwnPath(p string) bool {
	page, _, _ := strings.Cut(p, "#")
	// As browsers resolve it, to whom an empty segment is one that .. takes away.
	resolved := (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: p}).Path
	cleaned := []string{path.Clean("/" + p), path.Clean("/" + page), path.Clean("/" + resolved)}
	return slices.ContainsFunc(m.ownPaths, func(own string) bool { return slices.Contains(cleaned, path.Clean(own)) })
}

// requestPath returns the path and query of a request, byte for byte, as a
// return path.
func (m *Middleware) requestPath(r *http.Request) string {
	// RequestURI is what the browser asked for, also below http.StripPrefix;
	// only proxies and attackers send an absolute form, and only tests none.
	if strings.HasPrefix(r.RequestURI, "/") {
		return m.returnPath(r.RequestURI)
	}
	return m.returnPath(r.URL.RequestURI())
}
