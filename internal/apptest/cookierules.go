package apptest

import (
	"net/netip"
	"net/url"
	"strings"
)

// obeysPrefix knows "__Host-", "__Secure-", and "__Http-" of layered-cookies. Upper and lower
// case are the same, for servers to which they are.
func obeysPrefix(c *keptCookie, rawPath string) bool {
	name := strings.ToLower(c.name)
	if name == "" { // or it would be sent as if it had a name
		name = strings.ToLower(c.value)
		return !strings.HasPrefix(name, "__host-") && !strings.HasPrefix(name, "__secure-") && !strings.HasPrefix(name, "__http-")
	}
	ofHost := c.secure && c.hostOnly && c.path == "/" && rawPath == "/"
	switch {
	case strings.HasPrefix(name, "__host-http-"):
		return ofHost && c.httpOnly
	case strings.HasPrefix(name, "__host-"):
		return ofHost
	case strings.HasPrefix(name, "__http-"):
		return c.secure && c.httpOnly
	case strings.HasPrefix(name, "__secure-"):
		return c.secure
	}
	return true
}

// isTrustworthy reports whether cookies with Secure come from u and go there.
// Chromium and Firefox count http on loopback in; Safari does not.
func isTrustworthy(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	return u.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// siteOf is scheme and registrable domain ("schemeful same-site").
func siteOf(u *url.URL) string {
	return u.Scheme + "://" + registrableDomain(strings.ToLower(u.Hostname()))
}

func webOrigin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

func registrableDomain(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

func isPublicSuffix(domain string) bool {
	_, err := netip.ParseAddr(domain)
	return domain != "" && (err == nil || !strings.Contains(domain, "."))
}

func domainMatch(host, domain string) bool {
	_, err := netip.ParseAddr(host)
	return host == domain || err != nil && strings.HasSuffix(host, "."+domain)
}

func defaultPath(u *url.URL) string {
	if i := strings.LastIndexByte(u.Path, '/'); i > 0 {
		return u.Path[:i]
	}
	return "/"
}

func pathMatch(path, cookie string) bool {
	if path == "" {
		path = "/"
	}
	rest, ok := strings.CutPrefix(path, cookie)
	return ok && (rest == "" || strings.HasSuffix(cookie, "/") || rest[0] == '/')
}
