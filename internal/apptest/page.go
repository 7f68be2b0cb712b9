package apptest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Page is a document in a tab of the browser, of any site. What it asks for
// gets a response whose redirects are not followed.
type Page struct {
	Browser *Browser
	origin  string // "null": sandboxed, or a data: URL
}

// Page opens a page of origin.
func (b *Browser) Page(origin string) Page { return Page{b, origin} }

func (p Page) ask(method, target string, form url.Values, why cause, header ...string) *Response {
	p.Browser.T.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	}
	r := p.Browser.Request(method, target, body, header...)
	why.page = p.origin
	why.describe(r)
	return p.Browser.send(r, why)
}

// Link is clicked, or opens a window.
func (p Page) Link(target string) *Response {
	p.Browser.T.Helper()
	return p.ask(http.MethodGet, target, nil, cause{})
}

// Form is sent to the top-level window.
func (p Page) Form(target string, values url.Values) *Response {
	p.Browser.T.Helper()
	if values == nil {
		values = url.Values{}
	}
	return p.ask(http.MethodPost, target, values, cause{})
}

// Embed is an element of the page: image, script, iframe.
func (p Page) Embed(dest, target string) *Response {
	p.Browser.T.Helper()
	mode := "no-cors"
	if dest == "iframe" {
		mode = "navigate"
	}
	return p.ask(http.MethodGet, target, nil, cause{dest: dest, mode: mode})
}

// Fetch is a script's, with credentials.
func (p Page) Fetch(method, target, mode string) *Response {
	p.Browser.T.Helper()
	return p.ask(method, target, nil, cause{dest: "empty", mode: mode}, "Accept", "*/*")
}

// Prerender is a page loaded before the user asks for it.
func (p Page) Prerender(target string) *Response {
	p.Browser.T.Helper()
	return p.ask(http.MethodGet, target, nil, cause{}, "Sec-Purpose", "prefetch;prerender")
}

// SetCookie assigns to document.cookie, and reports whether that did anything.
func (p Page) SetCookie(line string) bool {
	p.Browser.T.Helper()
	return p.Browser.jar().set(p.url(), line, cause{page: p.origin}, true)
}

// Cookie reads document.cookie.
func (p Page) Cookie() string {
	p.Browser.T.Helper()
	return p.Browser.jar().header(p.url(), http.MethodGet, cause{page: p.origin}, true)
}

func (p Page) url() *url.URL {
	p.Browser.T.Helper()
	u, err := url.Parse(p.origin + "/")
	if err != nil {
		p.Browser.T.Fatal(err)
	}
	return u
}
