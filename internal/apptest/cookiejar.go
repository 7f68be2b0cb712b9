package apptest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A cookieJar keeps and sends cookies as RFC 6265bis says and, where that
// leaves a choice, as Chromium 156 was seen to do. It knows no partitioned
// cookies, no Priority, no blocking of third parties and no limit over all
// sites; its public suffixes are the names without a dot.
type cookieJar struct {
	mu      sync.Mutex
	cookies []*keptCookie // the oldest first
	skew    time.Duration // of the browser's clock
}

type keptCookie struct {
	name, value, domain, path  string
	hostOnly, secure, httpOnly bool
	sameSite                   string // strict, lax, none; "": not said
	created, used              time.Time
	expires                    time.Time // zero: with the browser
}

const (
	maxPairBytes      = 4096 // of name and value
	maxAttributeBytes = 1024
	maxCookieLife     = 400 * 24 * time.Hour
	// Chromium's: over 180 cookies of a registrable domain, all but 150 go.
	maxDomainCookies, keptDomainCookies = 180, 150
	// AccessThreshold is how long Chromium takes a cookie for as recently
	// used as it was.
	AccessThreshold = time.Minute
	// unsafeLaxAge is how long Chromium sends a cookie that says nothing of
	// SameSite along with a POST from another site ("Lax-allowing-unsafe").
	unsafeLaxAge = 2 * time.Minute
)

// set takes one Set-Cookie line of a response from u, or what a script on that
// page assigns to document.cookie, and reports whether the cookie was kept.
func (s *cookieJar) set(u *url.URL, line string, why cause, script bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(s.skew)
	if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f }) { // Chromium: tabs too
		return false
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", pair
	}
	host := strings.ToLower(u.Hostname())
	c := &keptCookie{name: trim(name), value: trim(value), domain: host, hostOnly: true, path: defaultPath(u), created: now, used: now}
	if c.name+c.value == "" || len(c.name)+len(c.value) > maxPairBytes || c.name == "" && strings.Contains(c.value, "=") {
		return false
	}
	domain, rawPath, maxAge, expires := "", "", "", time.Time{}
	for attribute := range strings.SplitSeq(attributes, ";") {
		key, value, _ := strings.Cut(attribute, "=")
		key, value = strings.ToLower(trim(key)), trim(value)
		if len(value) > maxAttributeBytes {
			continue
		}
		switch key {
		case "expires":
			for _, layout := range []string{time.RFC1123, "Mon, 02-Jan-2006 15:04:05 MST"} { // of the many forms of dates
				if at, err := time.Parse(layout, value); err == nil {
					expires = at
				}
			}
		case "max-age":
			if digits := strings.TrimPrefix(value, "-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
				maxAge = value
			}
		case "domain":
			domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case "path":
			if rawPath, c.path = value, defaultPath(u); strings.HasPrefix(value, "/") {
				c.path = value
			}
		case "secure":
			c.secure = true
		case "httponly":
			c.httpOnly = true
		case "samesite":
			c.sameSite = ""
			if value = strings.ToLower(value); value == "strict" || value == "lax" || value == "none" {
				c.sameSite = value
			}
		}
	}
	if maxAge != "" {
		seconds, _ := strconv.ParseInt(maxAge, 10, 64) // of too many digits, the largest or the smallest
		expires = now.Add(time.Duration(max(0, min(seconds, int64(maxCookieLife/time.Second)))) * time.Second)
	}
	if c.expires = expires; expires.After(now.Add(maxCookieLife)) {
		c.expires = now.Add(maxCookieLife)
	}

	if isPublicSuffix(domain) { // and addresses, which have no subdomains
		if domain != host {
			return false
		}
		domain = ""
	}
	if domain != "" {
		if !domainMatch(host, domain) {
			return false
		}
		c.domain, c.hostOnly = domain, false
	}
	switch secure := isTrustworthy(u); {
	case c.secure && !secure, script && c.httpOnly, c.sameSite == "none" && !c.secure:
		return false
	// Cookies with SameSite come with their own site or a new page.
	case c.sameSite != "none" && !why.isSameSite(u) && !why.isTopLevel():
		return false
	case !obeysPrefix(c, rawPath):
		return false
	// "Leave secure cookies alone."
	case !c.secure && !secure && slices.ContainsFunc(s.cookies, func(old *keptCookie) bool {
		return old.name == c.name && old.secure && pathMatch(c.path, old.path) &&
			(domainMatch(old.domain, c.domain) || domainMatch(c.domain, old.domain))
	}):
		return false
	}

	return s.put(c, script, now)
}

// put stores a cookie that no rule refuses, but the one that scripts do not
// change what they cannot read.
func (s *cookieJar) put(c *keptCookie, script bool, now time.Time) bool {
	i := slices.IndexFunc(s.cookies, func(old *keptCookie) bool {
		return old.name == c.name && old.domain == c.domain && old.hostOnly == c.hostOnly && old.path == c.path
	})
	switch {
	case i >= 0 && script && s.cookies[i].httpOnly:
		return false
	case i >= 0 && s.cookies[i].value == c.value:
		c.created = s.cookies[i].created
		s.cookies[i] = c
	default: // Chromium: a new value is a new cookie
		if i >= 0 {
			s.cookies = slices.Delete(s.cookies, i, i+1)
		}
		s.cookies = append(s.cookies, c)
	}
	s.dropExpired(now)
	s.evict(registrableDomain(c.domain))
	return slices.Contains(s.cookies, c)
}

// trim knows no Unicode: what is a space to others is part of a name here.
func trim(s string) string { return strings.Trim(s, " \t") }

func (s *cookieJar) dropExpired(now time.Time) {
	s.cookies = slices.DeleteFunc(s.cookies, func(c *keptCookie) bool { return !c.expires.IsZero() && !c.expires.After(now) })
}

// evict removes excess cookies of a registrable domain: those without Secure
// first, and of these the least recently used.
func (s *cookieJar) evict(domain string) {
	var of []*keptCookie
	for _, c := range s.cookies {
		if registrableDomain(c.domain) == domain {
			of = append(of, c)
		}
	}
	if len(of) <= maxDomainCookies {
		return
	}
	slices.SortStableFunc(of, func(a, b *keptCookie) int {
		if a.secure != b.secure {
			if b.secure {
				return -1
			}
			return 1
		}
		return a.used.Compare(b.used)
	})
	excess := of[:len(of)-keptDomainCookies]
	s.cookies = slices.DeleteFunc(s.cookies, func(c *keptCookie) bool { return slices.Contains(excess, c) })
}

// header is what a request to u sends as Cookie, or what a script
// on that page reads from document.cookie.
func (s *cookieJar) header(u *url.URL, method string, why cause, script bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(s.skew)
	var pairs []string
	for _, c := range s.matching(u, method, why, script) {
		if now.Sub(c.used) >= AccessThreshold {
			c.used = now
		}
		pairs = append(pairs, c.pair())
	}
	return strings.Join(pairs, "; ")
}

func (c *keptCookie) pair() string {
	if c.name == "" {
		return c.value
	}
	return c.name + "=" + c.value
}

func (s *cookieJar) matching(u *url.URL, method string, why cause, script bool) (sent []*keptCookie) {
	now := time.Now().Add(s.skew)
	s.dropExpired(now)
	host := strings.ToLower(u.Hostname())
	for _, c := range s.cookies {
		switch {
		case why.anonymous, host != c.domain && (c.hostOnly || !domainMatch(host, c.domain)), !pathMatch(u.Path, c.path):
		case c.secure && !isTrustworthy(u), script && c.httpOnly:
		case !why.isSameSite(u) && !c.crossesSites(method, why, now):
		default:
			sent = append(sent, c)
		}
	}
	slices.SortStableFunc(sent, func(a, b *keptCookie) int { return len(b.path) - len(a.path) })
	return sent
}

func (c *keptCookie) crossesSites(method string, why cause, now time.Time) bool {
	switch c.sameSite {
	case "none":
		return true
	case "lax":
		return why.isTopLevel() && isSafe(method)
	case "":
		return why.isTopLevel() && (isSafe(method) || now.Sub(c.created) < unsafeLaxAge)
	}
	return false
}

// SetCookies and Cookies make a cookieJar the jar of an http.Client, for
// requests that do not go through Browser.Do: as if their address was typed.
func (s *cookieJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		s.set(u, c.Raw, cause{}, false)
	}
}

func (s *cookieJar) Cookies(u *url.URL) (cookies []*http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.matching(u, http.MethodGet, cause{}, false) {
		cookies = append(cookies, &http.Cookie{Name: c.name, Value: c.value})
	}
	return cookies
}
