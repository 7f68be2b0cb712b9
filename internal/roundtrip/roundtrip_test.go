package roundtrip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// body counts how often it is closed.
type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error { b.closed++; return nil }

func newRequest(t *testing.T, ctx context.Context, rawURL string, content io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, rawURL, content)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A RoundTripper has to close the body, also when it fails.
func TestFailing(t *testing.T) {
	down, b := errors.New("down"), &body{Reader: strings.NewReader("x")}
	for _, content := range []io.Reader{b, nil} {
		resp, err := Failing{down}.RoundTrip(newRequest(t, t.Context(), "https://api.test/", content))
		if resp != nil || err != down {
			t.Errorf("%v, %v", resp, err)
		}
	}
	if b.closed != 1 {
		t.Errorf("the body is closed %d times", b.closed)
	}
}

// The context ends with either, while the request is under way and while the
// response is read, and when the response has been closed.
func TestUntil(t *testing.T) {
	gone := errors.New("gone")
	for _, tt := range []struct {
		name  string
		end   func(cancelFirst, cancelSecond context.CancelCauseFunc, resp *http.Response)
		cause error
	}{
		{"the request's context", func(cancel, _ context.CancelCauseFunc, _ *http.Response) { cancel(gone) }, gone},
		{"the second context", func(_, cancel context.CancelCauseFunc, _ *http.Response) { cancel(gone) }, gone},
		{"the response", func(_, _ context.CancelCauseFunc, resp *http.Response) { resp.Body.Close() }, context.Canceled},
		{"nothing", func(_, _ context.CancelCauseFunc, _ *http.Response) {}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			first, cancelFirst := context.WithCancelCause(context.WithValue(t.Context(), body{}, "value"))
			second, cancelSecond := context.WithCancelCause(t.Context())
			r := newRequest(t, first, "https://api.test/", nil)
			b := &body{Reader: strings.NewReader("content")}
			var sent context.Context
			resp, err := Until(second, r, func(ctx context.Context) (*http.Response, error) {
				sent = ctx
				return &http.Response{Body: b}, nil
			})
			if err != nil || sent.Err() != nil || sent.Value(body{}) != "value" || resp.Request != r {
				t.Fatalf("%s: %v, context %v, request %v", tt.name, err, sent, resp.Request)
			}
			if content, err := io.ReadAll(resp.Body); err != nil || string(content) != "content" {
				t.Errorf("%s: %q, %v", tt.name, content, err)
			}
			tt.end(cancelFirst, cancelSecond, resp)
			synctest.Wait()
			if got := context.Cause(sent); got != tt.cause {
				t.Errorf("%s ended: the cause is %v, want %v", tt.name, got, tt.cause)
			}
			resp.Body.Close()
			if b.closed == 0 || sent.Err() == nil {
				t.Errorf("%s: after Close the body is closed %d times, the context %v", tt.name, b.closed, sent.Err())
			}
			cancelFirst(nil)
			cancelSecond(nil)
		})
	}
}

// A second context that has ended before stops the request; one without a body
// leaves nothing running.
func TestUntilWithoutResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		wait := func(ctx context.Context) (*http.Response, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		for _, after := range []time.Duration{time.Second, time.Second} {
			resp, err := Until(second, newRequest(t, t.Context(), "https://api.test/", nil), wait)
			if resp != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != after {
				t.Errorf("%v, %v after %v", resp, err, time.Since(start))
			}
		}
		down := errors.New("down")
		var sent context.Context
		_, err := Until(t.Context(), newRequest(t, t.Context(), "https://api.test/", nil), func(ctx context.Context) (*http.Response, error) {
			sent = ctx
			return nil, down
		})
		if err != down || sent.Err() == nil {
			t.Errorf("%v, and the context goes on: %v", err, sent.Err())
		}
	})
}

// RFC 9110 section 15.2.2: after a 101 the body is the connection.
func TestUntilPassesWrites(t *testing.T) {
	type connection struct {
		io.ReadCloser
		io.Writer
	}
	var written bytes.Buffer
	for _, tt := range []struct {
		body io.ReadCloser
		err  error
	}{{connection{http.NoBody, &written}, nil}, {&body{Reader: http.NoBody}, errors.ErrUnsupported}} {
		resp, err := Until(t.Context(), newRequest(t, t.Context(), "https://api.test/", nil), func(context.Context) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: tt.body}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := resp.Body.(io.Writer).Write([]byte("frame")); err != tt.err {
			t.Errorf("write: %v, want %v", err, tt.err)
		}
		resp.Body.Close()
	}
	if written.String() != "frame" {
		t.Errorf("wrote %q", written.String())
	}
}

func TestReplay(t *testing.T) {
	content := func(r *http.Request) string {
		if r.Body == nil {
			return ""
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	stream, failing := newRequest(t, t.Context(), "https://api.test/", &body{Reader: strings.NewReader("x")}), newRequest(t, t.Context(), "https://api.test/", strings.NewReader("x"))
	failing.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	for _, tt := range []struct {
		name string
		r    *http.Request
		want string
		ok   bool
	}{
		{"without a body", newRequest(t, t.Context(), "https://api.test/", nil), "", true},
		{"with an empty body", newRequest(t, t.Context(), "https://api.test/", http.NoBody), "", true},
		{"with text", newRequest(t, t.Context(), "https://api.test/", strings.NewReader("text")), "text", true},
		{"with a stream", stream, "", false},
		{"with a file that is gone", failing, "", false},
	} {
		tt.r.Header.Set("X-Test", "first")
		for range 2 {
			if tt.ok && content(tt.r) == "" && tt.want != "" {
				t.Fatalf("%s: was read before", tt.name)
			}
			again, ok := Replay(tt.r)
			if ok != tt.ok || ok && (content(again) != tt.want || again.Context() != tt.r.Context() || again.ContentLength != tt.r.ContentLength) {
				t.Errorf("%s: ok: %t", tt.name, ok)
			}
			if !ok {
				break
			}
			again.Header.Set("X-Test", "second")
			if tt.r.Header.Get("X-Test") != "first" {
				t.Errorf("%s: changing the copy changes the request", tt.name)
			}
			if tt.r, ok = Replay(tt.r); !ok {
				t.Errorf("%s: cannot be sent a third time", tt.name)
			}
		}
	}
}

// The way of a token ends where a redirect first leaves the origin, also if another
// one leads back.
func TestSameOriginAsAsked(t *testing.T) {
	for _, tt := range []struct {
		asked string
		want  bool
	}{
		{"https://api.test/a", true},
		{"https://api.test/a https://api.test/b", true},
		{"https://api.test/a https://API.test:443/b https://api.test/c", true},
		{"https://api.test/a https://evil.test/b", false},
		{"https://api.test/a https://evil.test/b https://api.test/c", false},
		{"https://api.test/a https://evil.test/b https://evil.test/c", false},
		{"https://api.test/a http://api.test/b", false},
		{"https://api.test/a https://api.test:8443/b", false},
		{"https://api.test/a https://sub.api.test/b", false},
	} {
		var r *http.Request
		for raw := range strings.SplitSeq(tt.asked, " ") {
			u, err := url.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			next := &http.Request{URL: u}
			if r != nil {
				next.Response = &http.Response{Request: r}
			}
			r = next
		}
		if got := SameOriginAsAsked(r); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.asked, got, tt.want)
		}
	}
	u, _ := url.Parse("https://api.test/")
	if !SameOriginAsAsked(&http.Request{URL: u, Response: &http.Response{}}) { // of a client that does not say
		t.Error("a redirect without its request leaves the origin")
	}
}
