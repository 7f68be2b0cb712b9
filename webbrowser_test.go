package oauthlogin_test

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A cookieStore keeps and sends cookies as RFC 6265bis says and, where that
// leaves a choice, as Chromium 156 was seen to do. It knows no partitioned
// cookies, no Priority, no blocking of third parties and no limit over all
// sites; its public suffixes are the names without a dot.
type cookieStore struct {
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
	// accessThreshold is how long Chromium takes a cookie for as recently
	// used as it was.
	accessThreshold = time.Minute
	// unsafeLaxAge is how long Chromium sends a cookie that says nothing of
	// SameSite along with a POST from another site ("Lax-allowing-unsafe").
	unsafeLaxAge = 2 * time.Minute
)

// A cause is how a request comes about. The zero cause is an address that the
// user typed.
type cause struct {
	page      string // origin of the page that asks, "null" of a sandboxed one; "": no page
	dest      string // Sec-Fetch-Dest; "": document, a top-level navigation
	mode      string // Sec-Fetch-Mode; "": navigate
	anonymous bool   // without credentials
	via       []*url.URL
}

func (c *cause) isTopLevel() bool { return c.dest == "" }

// isSameSite has no regard to redirects: RFC 6265bis wanted each URL of a chain
// to be same-site, and took it back because browsers could not do it without
// breaking sites (httpwg/http-extensions#2750); Chromium does not.
func (c *cause) isSameSite(target *url.URL) bool {
	if c.page == "" {
		return true
	}
	page, err := url.Parse(c.page)
	return err == nil && page.Host != "" && siteOf(page) == siteOf(target)
}

// fetchSite is Sec-Fetch-Site, which does take each redirect into account
// (Fetch Metadata).
func (c *cause) fetchSite(target *url.URL) string {
	if c.page == "" {
		return "none"
	}
	site := "same-origin"
	for _, u := range append(slices.Clip(c.via), target) {
		switch {
		case webOrigin(u) == c.page:
		case c.isSameSite(u):
			site = "same-site"
		default:
			return "cross-site"
		}
	}
	return site
}

// describe sets the headers with which a browser says how a request comes
// about, but for those that are there.
func (c *cause) describe(r *http.Request) {
	set := func(name, value string) {
		if r.Header.Get(name) == "" && value != "" {
			r.Header.Set(name, value)
		}
	}
	mode, dest := "navigate", "document"
	if c.mode != "" {
		mode = c.mode
	}
	if c.dest != "" {
		dest = c.dest
	}
	// Fetch's Origin header: with methods that change something, and with CORS.
	if c.page != "" && (!isSafe(r.Method) || mode == "cors" && c.page != webOrigin(r.URL)) {
		origin := c.page
		if slices.ContainsFunc(c.via, func(u *url.URL) bool { return webOrigin(u) != c.page }) {
			origin = "null"
		}
		set("Origin", origin)
	}
	if strings.HasPrefix(c.page, "https:") && r.URL.Scheme == "https" || strings.HasPrefix(c.page, "http:") {
		set("Referer", c.page+"/") // strict-origin-when-cross-origin
	}
	if !isTrustworthy(r.URL) {
		return
	}
	set("Sec-Fetch-Site", c.fetchSite(r.URL))
	set("Sec-Fetch-Mode", mode)
	set("Sec-Fetch-Dest", dest)
	if c.isTopLevel() {
		set("Sec-Fetch-User", "?1")
	}
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// set takes one Set-Cookie line of a response from u, or what a script on that
// page assigns to document.cookie, and reports whether the cookie was kept.
func (s *cookieStore) set(u *url.URL, line string, why cause, script bool) bool {
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
func (s *cookieStore) put(c *keptCookie, script bool, now time.Time) bool {
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

func (s *cookieStore) dropExpired(now time.Time) {
	s.cookies = slices.DeleteFunc(s.cookies, func(c *keptCookie) bool { return !c.expires.IsZero() && !c.expires.After(now) })
}

// evict removes excess cookies of a registrable domain: those without Secure
// first, and of these the least recently used.
func (s *cookieStore) evict(domain string) {
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
func (s *cookieStore) header(u *url.URL, method string, why cause, script bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(s.skew)
	var pairs []string
	for _, c := range s.matching(u, method, why, script) {
		if now.Sub(c.used) >= accessThreshold {
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

func (s *cookieStore) matching(u *url.URL, method string, why cause, script bool) (sent []*keptCookie) {
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

// SetCookies and Cookies make a cookieStore the jar of an http.Client, for
// requests that do not go through browser.do: as if their address was typed.
func (s *cookieStore) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		s.set(u, c.Raw, cause{}, false)
	}
}

func (s *cookieStore) Cookies(u *url.URL) (cookies []*http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.matching(u, http.MethodGet, cause{}, false) {
		cookies = append(cookies, &http.Cookie{Name: c.name, Value: c.value})
	}
	return cookies
}

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

// send sends a request that has this cause, with the cookies and the headers
// that go with it.
func (b *browser) send(r *http.Request, why cause) *response {
	b.t.Helper()
	client := *b.client
	store, keeps := client.Jar.(*cookieStore)
	if keeps {
		client.Jar = nil
		if cookies := store.header(r.URL, r.Method, why, false); cookies != "" {
			r.Header.Set("Cookie", strings.TrimPrefix(r.Header.Get("Cookie")+"; "+cookies, "; "))
		}
	}
	resp, err := client.Do(r.WithContext(context.WithValue(r.Context(), causeKey{}, why)))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if keeps && !why.anonymous {
		for _, line := range resp.Header["Set-Cookie"] {
			store.set(r.URL, line, why, false)
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &response{resp, string(body)}
}

type causeKey struct{}

// redirected asks for what an answer redirects to, for the same cause: whoever
// started the chain, the user or a page, has started all of it.
func (b *browser) redirected(resp *response) *response {
	b.t.Helper()
	target, err := resp.Request.URL.Parse(resp.location())
	if err != nil {
		b.t.Fatal(err)
	}
	why, _ := resp.Request.Context().Value(causeKey{}).(cause)
	why.via = append(slices.Clip(why.via), resp.Request.URL)
	method := resp.Request.Method
	if !isSafe(method) { // the tests know no 307 that leads on a form
		method = http.MethodGet
	}
	r := b.request(method, target.String(), nil)
	why.describe(r)
	return b.send(r, why)
}

// to follows redirects to their end, or to one that leads to a URL with this
// in it.
func (b *browser) to(resp *response, stop string) *response {
	b.t.Helper()
	for range 20 {
		if resp.location() == "" || stop != "" && strings.Contains(resp.location(), stop) {
			return resp
		}
		resp = b.redirected(resp)
	}
	b.t.Fatalf("redirected 20 times, last to %s", resp.location())
	return nil
}

// A page is a document in a tab of the browser, of any site. What it asks for
// is answered with a response whose redirects are not followed.
type page struct {
	b      *browser
	origin string // "null": sandboxed, or a data: URL
}

func (b *browser) page(origin string) page { return page{b, origin} }

func (p page) ask(method, target string, form url.Values, why cause, header ...string) *response {
	p.b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	}
	r := p.b.request(method, target, body, header...)
	why.page = p.origin
	why.describe(r)
	return p.b.send(r, why)
}

// link is clicked, or opens a window.
func (p page) link(target string) *response {
	p.b.t.Helper()
	return p.ask(http.MethodGet, target, nil, cause{})
}

// form is sent to the top-level window.
func (p page) form(target string, values url.Values) *response {
	p.b.t.Helper()
	if values == nil {
		values = url.Values{}
	}
	return p.ask(http.MethodPost, target, values, cause{})
}

// embed is an element of the page: image, script, iframe.
func (p page) embed(dest, target string) *response {
	p.b.t.Helper()
	mode := "no-cors"
	if dest == "iframe" {
		mode = "navigate"
	}
	return p.ask(http.MethodGet, target, nil, cause{dest: dest, mode: mode})
}

// fetch is a script's, with credentials.
func (p page) fetch(method, target, mode string) *response {
	p.b.t.Helper()
	return p.ask(method, target, nil, cause{dest: "empty", mode: mode}, "Accept", "*/*")
}

// prerender is a page loaded before anybody asked for it.
func (p page) prerender(target string) *response {
	p.b.t.Helper()
	return p.ask(http.MethodGet, target, nil, cause{}, "Sec-Purpose", "prefetch;prerender")
}

// setCookie assigns to document.cookie, and reports whether that did anything.
func (p page) setCookie(line string) bool {
	p.b.t.Helper()
	return p.b.store().set(p.url(), line, cause{page: p.origin}, true)
}

// cookie reads document.cookie.
func (p page) cookie() string {
	p.b.t.Helper()
	return p.b.store().header(p.url(), http.MethodGet, cause{page: p.origin}, true)
}

func (p page) url() *url.URL {
	p.b.t.Helper()
	u, err := url.Parse(p.origin + "/")
	if err != nil {
		p.b.t.Fatal(err)
	}
	return u
}

func (b *browser) store() *cookieStore { return b.client.Jar.(*cookieStore) }
