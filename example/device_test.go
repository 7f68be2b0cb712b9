package main_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// withDevice gives a browser Device Bound Session Credentials.
func withDevice(b *browser) *devicetest.Device {
	device := &devicetest.Device{}
	b.client.Transport = &deviceTransport{device, b.client.Transport, b.client.Jar}
	return device
}

// A deviceTransport registers keys. The tests take less time than a bound cookie lives.
type deviceTransport struct {
	device *devicetest.Device
	base   http.RoundTripper
	jar    http.CookieJar
}

func (d *deviceTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.base.RoundTrip(r)
	if err == nil {
		d.device.Register(r.URL, resp.Header, d.send)
	}
	return resp, err
}

// send sends no cookies, as browsers do behind a provider on another site.
func (d *deviceTransport) send(u *url.URL, header http.Header) (int, http.Header, string) {
	r, err := http.NewRequest(http.MethodPost, u.String(), nil)
	if err != nil {
		return http.StatusServiceUnavailable, nil, ""
	}
	r.Header = header
	resp, err := d.base.RoundTrip(r)
	if err != nil {
		return http.StatusServiceUnavailable, nil, ""
	}
	defer resp.Body.Close()
	d.jar.SetCookies(u, resp.Cookies())
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return http.StatusServiceUnavailable, nil, ""
	}
	return resp.StatusCode, resp.Header, string(body)
}

// TestBindDevices shows the dashboard to browsers that can bind sessions, and to others.
func TestBindDevices(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"BIND_DEVICES": "1"})
	for name, want := range map[string]struct {
		device          bool
		text, inSession string
	}{
		"with a device":    {true, "is bound to this device", `"bound":true`},
		"without a device": {false, "is not bound to this device", `"bound":false`},
	} {
		b := newBrowser(t, p)
		if want.device {
			withDevice(b)
		}
		b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard", want.text)
		b.fetch("/api/session").want(http.StatusOK, "/api/session", want.inSession)
		t.Log(name)
	}
	b := newBrowser(t, start(t, nil))
	if device := withDevice(b); b.open("/dashboard").signIn("alice").status != http.StatusOK || device.Posts > 0 {
		t.Errorf("without BIND_DEVICES: %d requests", device.Posts)
	}
}
