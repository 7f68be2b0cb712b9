package oauthlogintest

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A cookieJar keeps the cookies of one browser by the rules of RFC 6265bis: Domain,
// Path, Expires, Max-Age, Secure, SameSite (Lax by default) and the prefixes
// __Host- and __Secure-.
type cookieJar struct {
	mu      sync.Mutex
	cookies []*cookie // the oldest first
}

type cookie struct {
	*http.Cookie
	host     string // or domain
	hostOnly bool
	expires  time.Time // zero: with the browser
}

// maxCookieBytes bounds the name and value of a cookie.
const maxCookieBytes = 4096

// keep takes the cookies of a response from u. A response to a request by a page of
// another site keeps none with SameSite unless it is a navigation, as all requests
// of a [Browser] across sites are.
func (j *cookieJar) keep(u *url.URL, h http.Header) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range h.Values("Set-Cookie") {
		parsed, err := http.ParseSetCookie(line)
		if err != nil || len(parsed.Name)+len(parsed.Value) > maxCookieBytes {
			continue
		}
		c := &cookie{Cookie: parsed, host: u.Hostname(), hostOnly: true}
		if !c.accepted(u) {
			continue
		}
		j.put(c)
	}
}

// accepted completes a cookie that u sets, and reports whether browsers keep it.
func (c *cookie) accepted(u *url.URL) bool {
	if domain := strings.ToLower(strings.TrimPrefix(c.Domain, ".")); domain != "" && domain != c.host {
		// A name without a dot is a public suffix.
		if !domainMatch(c.host, domain) || !strings.Contains(domain, ".") {
			return false
		}
		c.host, c.hostOnly = domain, false
	} else if domain != "" {
		c.hostOnly = false
	}
	rawPath := c.Path
	if !strings.HasPrefix(c.Path, "/") {
		c.Path = defaultPath(u)
	}
	switch now := time.Now(); {
	case c.MaxAge < 0:
		c.expires = now
	case c.MaxAge > 0:
		c.expires = now.Add(time.Duration(c.MaxAge) * time.Second)
	default:
		c.expires = c.Expires
	}
	name := strings.ToLower(c.Name)
	switch {
	case c.Secure && !isTrustworthy(u), c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return false
	case strings.HasPrefix(name, "__host-"):
		return c.Secure && c.Domain == "" && rawPath == "/"
	case strings.HasPrefix(name, "__secure-"):
		return c.Secure
	}
	return true
}

// put needs the lock. A cookie that replaces another is as old as that one.
func (j *cookieJar) put(c *cookie) {
	i := slices.IndexFunc(j.cookies, func(old *cookie) bool {
		return old.Name == c.Name && old.host == c.host && old.hostOnly == c.hostOnly && old.Path == c.Path
	})
	if i >= 0 {
		j.cookies[i] = c
		return
	}
	j.cookies = append(j.cookies, c)
}

// header returns the Cookie header of a request. crossSite says that a page of
// another site caused it.
func (j *cookieJar) header(r *http.Request, crossSite bool) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	j.cookies = slices.DeleteFunc(j.cookies, func(c *cookie) bool { return !c.expires.IsZero() && !c.expires.After(now) })
	var sent []*cookie
	for _, c := range j.cookies {
		if c.goesTo(r.URL) && (!crossSite || c.crossesSites(r.Method)) {
			sent = append(sent, c)
		}
	}
	slices.SortStableFunc(sent, func(a, b *cookie) int { return len(b.Path) - len(a.Path) })
	var pairs []string
	for _, c := range sent {
		value := c.Value
		if c.Quoted {
			value = `"` + value + `"`
		}
		pairs = append(pairs, c.Name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

func (c *cookie) goesTo(u *url.URL) bool {
	host := u.Hostname()
	return (host == c.host || !c.hostOnly && domainMatch(host, c.host)) &&
		pathMatch(u.Path, c.Path) && (!c.Secure || isTrustworthy(u))
}

// crossesSites reports whether a navigation from another site sends the cookie.
func (c *cookie) crossesSites(method string) bool {
	switch c.SameSite {
	case http.SameSiteNoneMode:
		return true
	case http.SameSiteStrictMode:
		return false
	}
	return method == http.MethodGet || method == http.MethodHead
}

// drop deletes the cookies of a host.
func (j *cookieJar) drop(host string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cookies = slices.DeleteFunc(j.cookies, func(c *cookie) bool { return c.host == host })
}

// isTrustworthy reports whether cookies with Secure come from u and go there.
func isTrustworthy(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
}

func domainMatch(host, domain string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && strings.HasSuffix(host, "."+domain)
}

// defaultPath is that of RFC 6265 section 5.1.4.
func defaultPath(u *url.URL) string {
	if i := strings.LastIndexByte(u.Path, '/'); i > 0 {
		return u.Path[:i]
	}
	return "/"
}

func pathMatch(path, of string) bool {
	if path == "" {
		path = "/"
	}
	rest, ok := strings.CutPrefix(path, of)
	return ok && (rest == "" || strings.HasSuffix(of, "/") || rest[0] == '/')
}
