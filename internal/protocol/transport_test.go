package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// get sends a request through a transport.
func get(t *testing.T, transport http.RoundTripper) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	return transport.RoundTrip(r)
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{0: true, maxBodyBytes: true, maxBodyBytes + 1: false, 2 * maxBodyBytes: false} {
		transport := NewBounded(roundTripper(func(*http.Request) (*http.Response, error) { return respond(200, strings.Repeat("a", size)), nil }), nil)
		resp, err := get(t, transport)
		if err != nil {
			t.Fatal(err)
		}
		body, err := ReadBody(resp)
		if (err == nil) != ok || ok && len(body) != size || !ok && (Unavailable(err) || !errors.Is(err, errBodyTooLarge)) {
			t.Errorf("%d bytes: %d, %v", size, len(body), err)
		}
	}
}

// stalled is a body that never ends, and a transport that does not know contexts.
type stalled struct{ closed bool }

func (s *stalled) Read(p []byte) (int, error) {
	time.Sleep(700 * time.Millisecond)
	p[0] = ' '
	return 1, nil
}

func (s *stalled) Close() error {
	s.closed = true
	return nil
}

// The timeout includes the body, and is that of the custom client if it has one.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		custom *http.Client
		want   time.Duration
	}{{nil, requestTimeout}, {&http.Client{}, requestTimeout}, {&http.Client{Timeout: 3 * time.Second}, 3 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := get(t, NewBounded(roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}), tt.custom))
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != tt.want {
				t.Errorf("response: %v after %v", err, took)
			}
			body := &stalled{}
			resp, err := get(t, NewBounded(roundTripper(func(*http.Request) (*http.Response, error) {
				resp := respond(200, "")
				resp.Body = body
				return resp, nil
			}), tt.custom))
			if err != nil {
				t.Fatal(err)
			}
			start = time.Now()
			_, err = ReadBody(resp)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || !Unavailable(err) || took < tt.want || took > tt.want+time.Second || !body.closed {
				t.Errorf("body: %v after %v", err, took)
			}
		})
	}
}

// RFC 9700 section 4.12.
func TestNoRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		asked := 0
		client := &http.Client{Transport: NewBounded(roundTripper(func(*http.Request) (*http.Response, error) {
			asked++
			resp := respond(status, "")
			resp.Header.Set("Location", "https://evil.test/")
			return resp, nil
		}), nil)}
		resp, err := client.Get("https://api.test/")
		if err == nil {
			resp.Body.Close()
		}
		if asked != 1 {
			t.Errorf("%d is followed", status)
		}
	}
}

func TestWithToken(t *testing.T) {
	t.Parallel()
	var sent string
	base := NewBounded(roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Get("Authorization")
		return respond(200, ""), nil
	}), nil)
	with := base.WithToken("s3cret", nil)
	for _, header := range []http.Header{nil, {}, {"Authorization": {"Basic x"}}} {
		u, _ := url.Parse("https://api.test/")
		r := &http.Request{URL: u, Header: header}
		resp, err := with.RoundTrip(r)
		if err != nil || sent != "Bearer s3cret" || resp.Request != r || r.Header.Get("Authorization") == sent {
			t.Errorf("sent %q, %v", sent, err)
		}
	}
	if get(t, base); sent != "" {
		t.Errorf("the base sends %q", sent)
	}
	if text := fmt.Sprintf("%v %+v %#v", with, &http.Client{Transport: with}, with); strings.Contains(text, "s3cret") {
		t.Errorf("prints %s", text)
	}
}

func TestNoResponse(t *testing.T) {
	t.Parallel()
	for _, resp := range []*http.Response{nil, {StatusCode: 200}} {
		if _, err := get(t, NewBounded(roundTripper(func(*http.Request) (*http.Response, error) { return resp, nil }), nil)); !errors.Is(err, errNoResponse) {
			t.Error(err)
		}
	}
}

func TestNewTransport(t *testing.T) {
	t.Parallel()
	custom := &http.Transport{}
	if NewTransport(&http.Client{Transport: custom}) != http.RoundTripper(custom) {
		t.Error("the custom transport is not used")
	}
	for _, client := range []*http.Client{nil, {}} {
		if own, ok := NewTransport(client).(*http.Transport); !ok || own == http.DefaultTransport || own.TLSHandshakeTimeout == 0 || own.Proxy == nil {
			t.Errorf("transport is %v", own)
		}
	}
}
