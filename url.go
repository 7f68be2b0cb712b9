package oauthlogin

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// isRoutePath reports whether p is an absolute path in the form in which
// routers and browsers hand it over.
func isRoutePath(p string) bool {
	if len(p) < 2 || p[0] != '/' || path.Clean(p) != strings.TrimSuffix(p, "/") {
		return false
	}
	return (&url.URL{Path: p}).EscapedPath() == p
}

// checkURL says what is wrong with an absolute URL that tokens, codes or
// sign-ins depend on; "" if nothing is.
func checkURL(raw string) (u *url.URL, fault string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, "is not a URL"
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Hostname() == "":
		return nil, "is not an absolute http or https URL"
	case u.User != nil:
		return nil, "has user information"
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, "has a fragment"
	// RFC 8252 section 7.3, RFC 9700 section 2.6: http on loopback alone.
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, "is plain http on a host that is not loopback"
	}
	return u, ""
}

// shownURL is a URL for an error text: with user information, it may have a
// secret in it.
func shownURL(raw string) string {
	if strings.Contains(raw, "@") {
		return "[redacted]"
	}
	return raw
}

func isHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https"
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}

// encodeParams encodes names and values, which take turns, as a query or a form.
func encodeParams(params ...string) string {
	size := 0
	for _, text := range params {
		size += len(text) + 8 // some need escapes
	}
	var b strings.Builder
	b.Grow(size)
	for i, text := range params {
		switch {
		case i%2 == 1:
			b.WriteByte('=')
		case i > 0:
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(text))
	}
	return b.String()
}

// originOf returns scheme://host[:port], lower case and without a default port.
func originOf(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		port = ""
	}
	if port != "" {
		return u.Scheme + "://" + net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return u.Scheme + "://" + host
}
