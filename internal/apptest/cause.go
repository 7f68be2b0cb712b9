package apptest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
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
