package interop_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// A visitor imitates a browser: it keeps cookies, follows redirects one by one, sends Fetch Metadata headers and submits
// forms, those that submit themselves included. It sends no cookies with a form to another site, as browsers do with those
// that are SameSite=Lax.
type visitor struct {
	t      *testing.T
	client *http.Client

	// pauseBefore is a path. A redirect to it is held back until resume, so that a test can act first.
	pauseBefore string
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // a stopped provider must not leave dead connections
	return &visitor{t: t, client: &http.Client{
		Transport:     transport,
		Jar:           jar,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A page is the result of a navigation.
type page struct {
	v      *visitor
	url    *url.URL
	via    []*url.URL // every URL of the navigation; the last one is url
	next   *url.URL   // the redirect that pauseBefore held back
	status int
	header http.Header
	body   string
}

// open navigates to an address as if the user had typed it in.
func (v *visitor) open(address string) *page {
	v.t.Helper()
	return v.navigate(http.MethodGet, nil, v.parse(address), nil)
}

// click follows the first link of the page whose address contains part.
func (p *page) click(part string) *page {
	p.v.t.Helper()
	for _, href := range p.links() {
		if strings.Contains(href, part) {
			return p.v.navigate(http.MethodGet, p.url, p.resolve(href), nil)
		}
	}
	p.v.t.Fatalf("%s has no link with %q:\n%s", p.url, part, p.body)
	return nil
}

// resume follows the redirect that pauseBefore held back.
func (p *page) resume() *page {
	p.v.t.Helper()
	if p.next == nil {
		p.v.t.Fatalf("ended at %s with status %d, not paused before %s:\n%s", p.url, p.status, p.v.pauseBefore, p.body)
	}
	p.v.pauseBefore = ""
	return p.v.navigate(http.MethodGet, p.url, p.next, nil)
}

// submit submits the first form of the page with the given fields set.
func (p *page) submit(fields map[string]string) *page {
	p.v.t.Helper()
	form := p.form()
	if form == nil {
		p.v.t.Fatalf("%s has no form (status %d):\n%s", p.url, p.status, p.body)
	}
	values := url.Values{}
	for field := range find(form, "input") {
		if name := attr(field, "name"); name != "" {
			values.Set(name, attr(field, "value"))
		}
	}
	for name, value := range fields {
		values.Set(name, value)
	}
	return p.v.navigate(strings.ToUpper(attr(form, "method")), p.url, p.resolve(attr(form, "action")), values)
}

// navigate loads a page as a top-level navigation and follows redirects. from is the URL of the page that led there, or
// nil.
func (v *visitor) navigate(method string, from, to *url.URL, form url.Values) *page {
	v.t.Helper()
	p := &page{v: v, url: to}
	for range 20 {
		p.via = append(p.via, p.url)
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader(form.Encode())
		}
		r := v.request(method, p.url, body)
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Sec-Fetch-Site", fetchSite(from, p.via))
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", from.Scheme+"://"+from.Host)
		}
		v.do(r, p)

		location := p.header.Get("Location")
		if p.status < 300 || p.status > 399 || location == "" {
			if strings.Contains(p.body, ".submit()") {
				return p.submit(nil)
			}
			return p
		}
		if p.status != http.StatusFound && p.status != http.StatusSeeOther {
			v.t.Fatalf("%s redirected with status %d, which allows the browser to repeat a POST", p.url, p.status)
		}
		next := p.resolve(location)
		if v.pauseBefore != "" && next.Path == v.pauseBefore {
			p.next = next
			return p
		}
		method, p.url = http.MethodGet, next
	}
	v.t.Fatalf("too many redirects: %v", p.via)
	return nil
}

// fetch sends a request as a script on a page at origin does.
func (v *visitor) fetch(method, origin, address string) *page {
	v.t.Helper()
	p := &page{v: v, url: v.parse(address)}
	r := v.request(method, p.url, nil)
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Sec-Fetch-Site", fetchSite(v.parse(origin), []*url.URL{p.url}))
	if method != http.MethodGet {
		r.Header.Set("Origin", origin)
	}
	v.do(r, p)
	return p
}

// get sends a GET request as a program other than a browser does.
func (v *visitor) get(address, accept string) *page {
	v.t.Helper()
	p := &page{v: v, url: v.parse(address)}
	r := v.request(http.MethodGet, p.url, nil)
	r.Header.Set("Accept", accept)
	v.do(r, p)
	return p
}

func (v *visitor) request(method string, u *url.URL, body io.Reader) *http.Request {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, u.String(), body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

func (v *visitor) do(r *http.Request, p *page) {
	v.t.Helper()
	start := time.Now()
	client := *v.client
	if r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		client.Jar = nil
	}
	resp, err := client.Do(r)
	if err != nil {
		v.t.Fatalf("after %v: %v", time.Since(start).Round(time.Millisecond), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	p.status, p.header, p.body = resp.StatusCode, resp.Header, string(body)
}

func (v *visitor) parse(address string) *url.URL {
	v.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		v.t.Fatal(err)
	}
	return u
}

// fetchSite returns the value of Sec-Fetch-Site for a request that was redirected through the URLs in via.
// https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
func fetchSite(from *url.URL, via []*url.URL) string {
	if from == nil {
		return "none"
	}
	site := "same-origin"
	for _, u := range via {
		switch {
		case u.Hostname() != from.Hostname():
			return "cross-site"
		case u.Host != from.Host:
			site = "same-site"
		}
	}
	return site
}

// want stops the test unless the page has this status and address.
func (p *page) want(status int, address string) *page {
	p.v.t.Helper()
	if p.status != status || p.url.String() != address {
		p.v.t.Fatalf("ended at %s with status %d; want %s with status %d; by way of %v\n%s",
			p.url, p.status, address, status, p.via, p.body)
	}
	return p
}

// wantType stops the test unless the response has the media type.
func (p *page) wantType(mediaType string) *page {
	p.v.t.Helper()
	if got := p.header.Get("Content-Type"); !strings.HasPrefix(got, mediaType) {
		p.v.t.Fatalf("%s: Content-Type %q; want %s", p.url, got, mediaType)
	}
	return p
}

// json decodes the JSON response.
func (p *page) json(into any) {
	p.v.t.Helper()
	p.wantType("application/json")
	if err := json.Unmarshal([]byte(p.body), into); err != nil {
		p.v.t.Fatalf("%s: %v:\n%s", p.url, err, p.body)
	}
}

func (p *page) resolve(reference string) *url.URL {
	p.v.t.Helper()
	u, err := p.url.Parse(reference)
	if err != nil {
		p.v.t.Fatal(err)
	}
	return u
}

func (p *page) form() *html.Node {
	for form := range find(p.parseHTML(), "form") {
		return form
	}
	return nil
}

func (p *page) links() []string {
	var hrefs []string
	for a := range find(p.parseHTML(), "a") {
		hrefs = append(hrefs, attr(a, "href"))
	}
	return hrefs
}

func (p *page) parseHTML() *html.Node {
	p.v.t.Helper()
	doc, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		p.v.t.Fatal(err)
	}
	return doc
}

// find yields the descendants of n with the given tag.
func find(n *html.Node, tag string) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for d := range n.Descendants() {
			if d.Type == html.ElementNode && d.Data == tag && !yield(d) {
				return
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
