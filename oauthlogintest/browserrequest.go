package oauthlogintest

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A request is one that a browser makes.
type request struct {
	method string
	url    *url.URL
	header http.Header // besides those that a browser sends anyway
	body   []byte
	page   *url.URL   // that causes it; nil: the user typed the address
	script bool       // of the page; otherwise it is a navigation
	via    []*url.URL // that redirected to it
	past   []*url.URL // that led to the page
}

// formOf returns the request that sends a form of a page.
func formOf(page, action *url.URL, form url.Values) request {
	return request{
		method: http.MethodPost, url: action, page: page, body: []byte(form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	}
}

// String names the request in messages, without its query, which may be long.
func (r request) String() string { return r.method + " " + withoutQuery(r.url) }

// http returns the request with all headers but Cookie.
func (r request) http(ctx context.Context) (*http.Request, error) {
	sent, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	h := sent.Header
	h.Set("User-Agent", "Mozilla/5.0 (oauthlogintest)")
	h.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	if r.method != http.MethodGet && r.method != http.MethodHead {
		h.Set("Origin", r.origin())
	}
	if r.page != nil {
		h.Set("Referer", origin(r.page)+"/") // strict-origin-when-cross-origin
	}
	mode, dest := "navigate", "document"
	if r.script {
		mode, dest = "cors", "empty"
		h.Set("Accept", "*/*")
	}
	if isTrustworthy(r.url) {
		h.Set("Sec-Fetch-Site", r.site())
		h.Set("Sec-Fetch-Mode", mode)
		h.Set("Sec-Fetch-Dest", dest)
		if !r.script {
			h.Set("Sec-Fetch-User", "?1")
		}
	}
	maps.Copy(h, r.header)
	return sent, nil
}

// origin is the Origin header: a form that another origin redirects has none.
func (r request) origin() string {
	if slices.ContainsFunc(r.via, func(u *url.URL) bool { return origin(u) != origin(r.page) }) {
		return "null"
	}
	return origin(r.page)
}

// site is Sec-Fetch-Site, for which every URL of a chain of redirects counts (Fetch
// Metadata section 2.3).
func (r request) site() string {
	if r.page == nil {
		return "none"
	}
	site := "same-origin"
	for _, u := range append(slices.Clip(r.via), r.url) {
		switch {
		case origin(u) == origin(r.page):
		case siteOf(u) == siteOf(r.page):
			site = "same-site"
		default:
			return "cross-site"
		}
	}
	return site
}

// crossesSites reports whether the request is cross-site for cookies: browsers do
// not count redirects then.
func (r request) crossesSites() bool { return r.page != nil && siteOf(r.page) != siteOf(r.url) }

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// siteOf is the scheme and the registrable domain, by the last two labels.
func siteOf(u *url.URL) string {
	labels := strings.Split(u.Hostname(), ".")
	return u.Scheme + "://" + strings.Join(labels[max(0, len(labels)-2):], ".")
}
