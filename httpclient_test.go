package oauthlogin_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// slowBody brings a byte a minute, whatever becomes of the request.
type slowBody struct{ bytes int }

func (b *slowBody) Read(p []byte) (int, error) {
	time.Sleep(time.Minute)
	b.bytes++
	return copy(p, "{"), nil
}

func (b *slowBody) Close() error { return nil }

// Whatever the transport of Options.HTTPClient does with a token request, the
// login ends in time, and the next one works.
func TestTransportsOfTheApplication(t *testing.T) {
	slow := &slowBody{}
	for _, tt := range []struct {
		name    string
		timeout time.Duration // of Options.HTTPClient
		answer  apptest.RoundTripFunc
		waited  time.Duration
		status  int
	}{
		{"waits until its context ends", 0, untilDone, 10 * time.Second, http.StatusBadGateway},
		{"waits, and the client has a timeout of its own", 3 * time.Second, untilDone, 3 * time.Second, http.StatusBadGateway},
		{"returns neither answer nor error", 0, func(*http.Request) (*http.Response, error) { return nil, nil }, 0, http.StatusBadGateway},
		{"returns no body", 0, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, 0, http.StatusBadGateway},
		{"breaks off, and quotes what it read", 0, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(iotest.ErrReader(errors.New(`malformed: "s3cret-of-the-app"`)))}, nil
		}, 0, http.StatusBadGateway},
		{"has a body that knows no context", 0, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: slow}, nil
		}, time.Minute, http.StatusBadGateway},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := true
				var wire http.RoundTripper
				a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
					wire = opts.HTTPClient.Transport
					opts.HTTPClient = &http.Client{Timeout: tt.timeout, Transport: apptest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
						if broken && r.URL.Path == "/token" {
							return tt.answer(r)
						}
						return wire.RoundTrip(r)
					})}
				}})
				b := a.Browser(t)
				start := time.Now()
				resp := b.Follow("/login?return_to=/dashboard")
				if waited := time.Since(start); resp.StatusCode != tt.status || waited != tt.waited || b.SignedIn() || a.Called("/dashboard") > 0 {
					t.Errorf("%d after %v: %s", resp.StatusCode, waited, a.Log)
				}
				if log := a.Log.String(); !strings.Contains(log, "provider_unavailable") || strings.Contains(log, "s3cret") {
					t.Errorf("log %s", log)
				}
				if n := a.Provider.Count(oauthlogintest.Token); n > 0 {
					t.Errorf("%d requests came through", n)
				}
				broken = false
				b.Login("/dashboard")
			})
		})
	}
	if slow.bytes > 1 {
		t.Errorf("%d bytes were read", slow.bytes)
	}
}

func untilDone(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A panic in the application's transport, where go-oidc calls it in a goroutine
// of its own, is an error of one login.
func TestTransportPanics(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		panics := true
		var wire http.RoundTripper
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			wire = opts.HTTPClient.Transport
			opts.HTTPClient = &http.Client{Transport: apptest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if panics && r.URL.Path == path {
					panic(errors.New("the transport's fault, with s3cret-of-the-app in it"))
				}
				return wire.RoundTrip(r)
			})}
		}})
		b := a.Browser(t)
		resp := b.Follow("/login?return_to=/dashboard")
		if resp.StatusCode != http.StatusBadGateway || b.SignedIn() || strings.Contains(a.Log.String(), "s3cret") {
			t.Errorf("%s: %d; %s", path, resp.StatusCode, a.Log)
		}
		panics = false
		if path == "/jwks" { // metadata is not asked for again for a while
			b.Login("/dashboard")
		}
	}
}
