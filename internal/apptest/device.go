package apptest

import (
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// BoundCookie is the name of the bound cookie of an application on https.
const BoundCookie = SessionCookie + ".device"

// WithDevice gives the browser a device, as Chromium has one.
func (b *Browser) WithDevice() *Browser {
	b.Device = &devicetest.Device{}
	return b
}

// renew has the browser renew what a request would lack.
func (b *Browser) renew(r *http.Request, why cause) {
	b.T.Helper()
	has := func(name string) bool {
		return slices.ContainsFunc(b.jar().Cookies(r.URL), func(c *http.Cookie) bool { return c.Name == name })
	}
	if skipped := b.Device.Renew(r.URL, has, b.sendProof(why)); skipped != "" {
		r.Header.Set("Secure-Session-Skipped", skipped)
	}
}

// sendProof sends the requests of Device Bound Session Credentials. Those that a page of
// another site causes have no cookies; what responses set is kept all the same.
func (b *Browser) sendProof(why cause) devicetest.Send {
	return func(u *url.URL, header http.Header) (int, http.Header, string) {
		b.T.Helper()
		r := b.Request(http.MethodPost, u.String(), nil)
		r.Header = header
		if !b.Device.Bare && why.isSameSite(u) {
			if sent := b.jar().header(u, http.MethodPost, cause{}, false); sent != "" {
				r.Header.Set("Cookie", sent)
			}
		}
		client := *b.Client
		client.Jar = nil
		resp, err := client.Do(r)
		if err != nil {
			return http.StatusServiceUnavailable, http.Header{}, "" // a network error
		}
		for _, line := range resp.Header["Set-Cookie"] {
			b.jar().set(u, line, cause{}, false)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			b.T.Fatal(err)
		}
		return resp.StatusCode, resp.Header, string(body)
	}
}

// SendProof sends the requests of Device Bound Session Credentials as if the user had typed
// the address of the page.
func (b *Browser) SendProof() devicetest.Send { return b.sendProof(cause{}) }
