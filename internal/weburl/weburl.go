// Package weburl decides what URLs, origins and return paths are safe to use. It
// is pure: it reads strings and requests, and writes nothing.
package weburl

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// IsRoutePath reports whether p is an absolute path as routers and browsers pass
// it on: clean, and without characters that need escaping.
func IsRoutePath(p string) bool {
	if len(p) < 2 || p[0] != '/' || path.Clean(p) != strings.TrimSuffix(p, "/") {
		return false
	}
	return (&url.URL{Path: p}).EscapedPath() == p
}

// Check parses an absolute URL that tokens, codes or sign-ins depend on. fault
// says what is wrong with it, as a predicate; it is "" if nothing is.
func Check(raw string) (u *url.URL, fault string) {
	u, fault = CheckAbsolute(raw)
	// RFC 8252 section 7.3, RFC 9700 section 2.6: http on loopback alone.
	if fault == "" && u.Scheme == "http" && !IsLoopback(u.Hostname()) {
		return nil, "is plain http on a host that is not loopback"
	}
	return u, fault
}

// CheckAbsolute is Check for a URL that may be plain http on any host.
func CheckAbsolute(raw string) (u *url.URL, fault string) {
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
	}
	return u, ""
}

// CheckOrigin says, as a predicate, why raw is not an http or https origin as browsers
// write it in Origin (RFC 6454 section 6.2); "" if it is one.
func CheckOrigin(raw string) (fault string) {
	u, fault := Check(raw)
	if fault != "" {
		return fault
	}
	host := u.Hostname()
	isHost := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("-._", c)
	}
	switch _, err := netip.ParseAddr(host); {
	case strings.Contains(host, "*"):
		return "has a wildcard"
	case err != nil && strings.ContainsFunc(strings.ToLower(host), func(c rune) bool { return !isHost(c) }):
		return "has a host that is not in ASCII letters, digits, '-', '.' and '_'"
	case !isPort(u.Port()):
		return "has a malformed port"
	case Origin(u) != raw:
		return `is not an origin as browsers write it, "` + Origin(u) + `"`
	}
	return ""
}

// isPort reports whether p is "" or a decimal port without leading zeros.
func isPort(p string) bool {
	n, err := strconv.ParseUint(p, 10, 16)
	return p == "" || err == nil && strconv.FormatUint(n, 10) == p
}

// Shown is a URL as an error may show it: user information may contain a secret.
func Shown(raw string) string {
	if strings.Contains(raw, "@") {
		return "[redacted]"
	}
	return raw
}

// IsHTTPS reports whether raw is a URL with the scheme https.
func IsHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https"
}

// ASCIIHost returns a host as browsers and certificates have it (RFC 3490), "" if it
// has no such form.
func ASCIIHost(host string) string {
	// The standard library has the conversion, but exports it only here.
	var sent bytes.Buffer
	if err := (&http.Request{Method: http.MethodGet, URL: &url.URL{Host: strings.ToLower(host)}}).Write(&sent); err != nil {
		return ""
	}
	r, err := http.ReadRequest(bufio.NewReader(&sent))
	if err != nil {
		return ""
	}
	return r.Host
}

// IsLoopback reports whether host is localhost or a loopback address.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}

// Encode encodes alternating names and values as a query or a form.
func Encode(params ...string) string {
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

// Origin returns scheme://host[:port] of u, in lower case and without a default
// port.
func Origin(u *url.URL) string {
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
