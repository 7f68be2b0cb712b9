package apptest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// A Browser keeps and sends cookies as browsers do, says how each of its requests
// comes about, and follows no redirect by itself.
type Browser struct {
	T      *testing.T
	Client *http.Client
	Origin string // of the application
	// Device registers keys and renews bound cookies; nil: the browser has no Device Bound
	// Session Credentials.
	Device *devicetest.Device
}

// Browser returns a new browser.
func (a *App) Browser(t *testing.T) *Browser {
	t.Helper()
	transport := http.RoundTripper(a.Net)
	if a.server != nil {
		transport = a.server.Client().Transport
	}
	return newBrowser(t, a.URL, transport)
}

func newBrowser(t *testing.T, origin string, transport http.RoundTripper) *Browser {
	return &Browser{T: t, Origin: origin, Client: &http.Client{
		Transport:     transport,
		Jar:           &cookieJar{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// BareBrowser returns a browser without a jar: it sends the Cookie header it is
// told to.
func (a *App) BareBrowser(t *testing.T) *Browser {
	t.Helper()
	b := a.Browser(t)
	b.Client.Jar = nil
	return b
}

// Clone returns another browser with the application's cookies of this one, which it keeps
// for ever, and without its device.
func (b *Browser) Clone() *Browser {
	b.T.Helper()
	other := newBrowser(b.T, b.Origin, b.Client.Transport)
	for name, value := range b.Cookies() {
		other.SetCookie(name, value)
	}
	return other
}

// Get asks for a path of the application, or for a whole URL. header is name,
// value, name, value; without any, it is an address that the user typed.
func (b *Browser) Get(path string, header ...string) *Response {
	b.T.Helper()
	r := b.Request(http.MethodGet, path, nil, header...)
	if len(header) == 0 {
		(&cause{}).describe(r)
	}
	return b.Do(r)
}

// Post sends a form as a page of the application would.
func (b *Browser) Post(path string, form url.Values, header ...string) *Response {
	b.T.Helper()
	r := b.Request(http.MethodPost, path, strings.NewReader(form.Encode()), header...)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	why := cause{page: webOrigin(r.URL)}
	if len(header) == 0 {
		why.describe(r)
	}
	return b.send(r, why)
}

// Request makes a request for Do. header is as for Get.
func (b *Browser) Request(method, path string, body io.Reader, header ...string) *http.Request {
	b.T.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.Origin + path
	}
	r, err := http.NewRequestWithContext(b.T.Context(), method, path, body)
	if err != nil {
		b.T.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// Do sends a request as it is, and the cookies with it.
func (b *Browser) Do(r *http.Request) *Response {
	b.T.Helper()
	return b.send(r, cause{})
}

// AsScript are the headers of a fetch by a page.
var AsScript = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "application/json"}

// send sends a request that has this cause, with the cookies and the headers
// that go with it.
func (b *Browser) send(r *http.Request, why cause) *Response {
	b.T.Helper()
	if b.Device == nil {
		return b.sendOnce(r, why)
	}
	b.renew(r, why)
	resp := b.sendOnce(r, why)
	b.Device.Register(resp.Request.URL, resp.Header, b.sendProof(why))
	return resp
}

// sendOnce sends a request and nothing else.
func (b *Browser) sendOnce(r *http.Request, why cause) *Response {
	b.T.Helper()
	client := *b.Client
	jar, keeps := client.Jar.(*cookieJar)
	if keeps {
		client.Jar = nil
		if cookies := jar.header(r.URL, r.Method, why, false); cookies != "" {
			r.Header.Set("Cookie", strings.TrimPrefix(r.Header.Get("Cookie")+"; "+cookies, "; "))
		}
	}
	resp, err := client.Do(r.WithContext(context.WithValue(r.Context(), causeKey{}, why)))
	if err != nil {
		b.T.Fatal(err)
	}
	defer resp.Body.Close()
	if keeps && !why.anonymous {
		for _, line := range resp.Header["Set-Cookie"] {
			jar.set(r.URL, line, why, false)
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	return &Response{resp, string(body)}
}

type causeKey struct{}

// Redirected asks for what a response redirects to, for the same cause: whoever
// started the chain, the user or a page, has started all of it.
func (b *Browser) Redirected(resp *Response) *Response {
	b.T.Helper()
	target, err := resp.Request.URL.Parse(resp.Location())
	if err != nil {
		b.T.Fatal(err)
	}
	why, _ := resp.Request.Context().Value(causeKey{}).(cause)
	why.via = append(slices.Clip(why.via), resp.Request.URL)
	method := resp.Request.Method
	if !isSafe(method) { // the tests know no 307 that leads on a form
		method = http.MethodGet
	}
	r := b.Request(method, target.String(), nil)
	why.describe(r)
	return b.send(r, why)
}

// Follow is Get, and then whatever the responses redirect to.
func (b *Browser) Follow(path string) *Response {
	b.T.Helper()
	return b.FollowOn(b.Get(path), "")
}

// FollowOn follows redirects to their end, or to one that leads to a URL with
// stop in it.
func (b *Browser) FollowOn(resp *Response, stop string) *Response {
	b.T.Helper()
	for range 20 {
		if resp.Location() == "" || stop != "" && strings.Contains(resp.Location(), stop) {
			return resp
		}
		resp = b.Redirected(resp)
	}
	b.T.Fatalf("redirected 20 times, last to %s", resp.Location())
	return nil
}
