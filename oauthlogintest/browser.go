package oauthlogintest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// A Browser is one browser at a [Site]: it has cookies of its own, keeps and sends
// them as browsers do, and sends the Fetch Metadata headers (Sec-Fetch-Site and so
// on) that browsers send. It runs no scripts and loads no images, but posts the forms that
// post themselves, which end a login in OAuth 2.0 Form Post Response Mode.
//
// Its methods fail the test if a request gets no complete response within a minute,
// or after 20 redirects in a row. They are safe for concurrent use.
type Browser struct {
	site   *Site
	jar    cookieJar
	device atomic.Pointer[devicetest.Device] // nil: it has no Device Bound Session Credentials

	mu   sync.Mutex
	page *Response // of the latest navigation; nil: none yet
}

// A Response is the response to a request of a [Browser], read to its end. Where the method
// follows redirects, it is the last one.
type Response struct {
	Status int         // the code, such as 200
	Header http.Header // as it arrived
	Body   string      // in full
	URL    string      // absolute: the last one if the browser was redirected

	via []*url.URL // that led here
}

const (
	// responseTimeout bounds one response.
	responseTimeout = time.Minute
	maxRedirects    = 20
)

// Navigate goes to a path of the application, or to a whole URL, as if the user had
// typed the address, and follows redirects. At the sign-in page of the [Provider]
// it stops: see [Browser.SignIn].
func (b *Browser) Navigate(path string) *Response {
	b.site.t.Helper()
	return b.navigate(request{method: http.MethodGet, url: b.resolve(path, true)})
}

// PostForm sends a form of a page of the application to one of its paths, and
// follows redirects. The form is sent as it is: a token against cross-site requests
// is for the caller to add.
func (b *Browser) PostForm(path string, form url.Values) *Response {
	b.site.t.Helper()
	return b.navigate(formOf(b.site.base, b.resolve(path, false), form))
}

// Fetch gets a path of the application as a script of one of its pages does, with
// fetch(). It follows no redirect: a login needs a navigation.
func (b *Browser) Fetch(path string) *Response {
	b.site.t.Helper()
	return b.send(request{method: http.MethodGet, url: b.resolve(path, false), page: b.site.base, script: true})
}

// Do sends any other request as [Browser.Fetch] does: method, header and body are
// those of r, and its URL is a path of the application.
func (b *Browser) Do(r *http.Request) *Response {
	b.site.t.Helper()
	sent := request{method: r.Method, url: b.resolve(r.URL.String(), false), header: r.Header, page: b.site.base, script: true}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.site.t.Fatalf("oauthlogintest: %s: read the request body: %v", sent, err)
		}
		sent.body = body
	}
	return b.send(sent)
}

// resolve returns the URL of a path of the application, or, if it may be elsewhere,
// of a whole URL.
func (b *Browser) resolve(path string, elsewhere bool) *url.URL {
	b.site.t.Helper()
	u, err := b.site.base.Parse(path)
	switch {
	case err != nil:
		b.site.t.Fatalf("oauthlogintest: %v", err)
	case elsewhere && strings.Contains(path, "://"):
	case !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, b.site.URL+"/"), u.Host != b.site.base.Host:
		b.site.t.Fatalf("oauthlogintest: %q is not a path of the application; it must begin with one slash", path)
	}
	return u
}

// navigate sends a request and follows redirects.
func (b *Browser) navigate(r request) *Response {
	b.site.t.Helper()
	for {
		resp := b.send(r)
		location := resp.Header.Get("Location")
		if next, ok := resp.postsItself(); ok && len(resp.via) < maxRedirects {
			next.past = append(resp.via, r.url)
			r = next
			continue
		}
		if !isRedirect(resp.Status) || location == "" {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.page = resp
			return resp
		}
		target, err := r.url.Parse(location)
		if err != nil {
			b.site.t.Fatalf("oauthlogintest: %s redirects to %q: %v", r, location, err)
		}
		if r.via = append(r.via, r.url); len(r.via) > maxRedirects {
			b.site.t.Fatalf("oauthlogintest: %d redirects in a row:\n%s", len(r.via), trail(append(r.via, target)))
		}
		r.url = target
		// The other two repeat the method (RFC 9110 section 15.4).
		if resp.Status != http.StatusTemporaryRedirect && resp.Status != http.StatusPermanentRedirect {
			r.method, r.body, r.header = http.MethodGet, nil, nil
		}
	}
}

// send sends a request, and what Device Bound Session Credentials ask for around it.
func (b *Browser) send(r request) *Response {
	b.site.t.Helper()
	device := b.device.Load()
	if device == nil {
		return b.sendOnce(r)
	}
	if skipped := device.Renew(r.url, b.hasCookie(r.url), b.sendProof(r)); skipped != "" {
		r.header = withHeader(r.header, "Secure-Session-Skipped", skipped)
	}
	resp := b.sendOnce(r)
	device.Register(r.url, resp.Header, b.sendProof(r))
	return resp
}

// sendOnce sends one request, with the cookies and headers that go with it.
func (b *Browser) sendOnce(r request) *Response {
	b.site.t.Helper()
	ctx, cancel := context.WithTimeout(b.site.t.Context(), responseTimeout)
	defer cancel()
	sent, err := r.http(ctx)
	if err != nil {
		b.site.t.Fatalf("oauthlogintest: %s: %v", r, err)
	}
	if cookies := b.jar.header(sent, r.crossesSites()); cookies != "" {
		sent.Header.Set("Cookie", cookies)
	}
	resp, err := b.site.Provider.network.transport.RoundTrip(sent)
	if err != nil {
		b.site.t.Fatalf("oauthlogintest: %s: no response: %v", r, err)
	}
	defer resp.Body.Close()
	b.jar.keep(r.url, resp.Header)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.site.t.Fatalf("oauthlogintest: %s: the response breaks off: %v", r, err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: string(body), URL: r.url.String(), via: slices.Concat(r.past, r.via)}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// trail lists where redirects led, without queries, which are long.
func trail(urls []*url.URL) string {
	var lines strings.Builder
	for _, u := range urls {
		lines.WriteString("\t" + withoutQuery(u) + "\n")
	}
	return lines.String()
}

func withoutQuery(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
