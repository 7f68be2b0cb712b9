package oauthlogintest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// BindDevice gives the browser Device Bound Session Credentials, as Chrome has them: from
// now on it registers a key when an application with Options.BindDevices offers to bind its
// session, and renews bound cookies before requests that would go without. The key is in
// memory. As in browsers, these requests have no cookies if a page of another site, such as
// the [Provider], caused the navigation.
//
//	b := site.Browser()
//	b.BindDevice()
//	b.SignIn("alice")
func (b *Browser) BindDevice() { b.device.CompareAndSwap(nil, &devicetest.Device{}) }

// Thief returns another browser with a copy of the cookies of this one, and without its
// keys. It keeps the cookies until the test ends, whenever they would expire.
func (b *Browser) Thief() *Browser {
	thief := &Browser{site: b.site}
	b.jar.mu.Lock()
	defer b.jar.mu.Unlock()
	for _, c := range b.jar.cookies {
		stolen := *c
		stolen.expires = stolen.expires.AddDate(1000, 0, 0)
		if c.expires.IsZero() {
			stolen.expires = c.expires
		}
		thief.jar.cookies = append(thief.jar.cookies, &stolen)
	}
	return thief
}

// hasCookie returns a function that says whether a request to u would send a cookie.
func (b *Browser) hasCookie(u *url.URL) func(string) bool {
	return func(name string) bool {
		sent, err := http.ParseCookie(b.jar.header(&http.Request{Method: http.MethodGet, URL: u}, false))
		return err == nil && slices.ContainsFunc(sent, func(c *http.Cookie) bool { return c.Name == name })
	}
}

// sendProof returns a function that sends what Device Bound Session Credentials ask for
// because of r.
func (b *Browser) sendProof(r request) devicetest.Send {
	return func(u *url.URL, header http.Header) (int, http.Header, string) {
		b.site.t.Helper()
		ctx, cancel := context.WithTimeout(b.site.t.Context(), responseTimeout)
		defer cancel()
		sent, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(nil))
		if err != nil {
			b.site.t.Fatalf("oauthlogintest: POST %s: %v", withoutQuery(u), err)
		}
		sent.Header = header
		if cookies := b.jar.header(sent, false); cookies != "" && !r.crossesSites() {
			sent.Header.Set("Cookie", cookies)
		}
		resp, err := b.site.Provider.network.transport.RoundTrip(sent)
		if err != nil {
			return http.StatusServiceUnavailable, http.Header{}, ""
		}
		defer resp.Body.Close()
		b.jar.keep(u, resp.Header)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return http.StatusServiceUnavailable, http.Header{}, ""
		}
		return resp.StatusCode, resp.Header, string(body)
	}
}

// withHeader returns a copy of h with one more field.
func withHeader(h http.Header, name, value string) http.Header {
	h = h.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set(name, value)
	return h
}
