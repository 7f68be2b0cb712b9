package adversarial_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// A providerCall is a call to a provider, and what a request that waits for it gets.
type providerCall struct {
	name, path string
	identify   func(context.Context, *http.Client) (oauthlogin.User, error)
	ready      func(a *apptest.App, b *apptest.Browser) *http.Request
	wait       time.Duration // until it is time for the request
	limit      time.Duration
	status     int
	unread     bool // the body of the response is not read
}

var providerCalls = []providerCall{
	{name: "discovery", path: "/.well-known/openid-configuration", limit: 10 * time.Second, status: 502, ready: func(_ *apptest.App, b *apptest.Browser) *http.Request {
		return withCookies(b, http.MethodGet, "/login")
	}},
	{name: "keys", path: "/jwks", limit: 10 * time.Second, status: 502, ready: atCallback},
	{name: "a code", path: "/token", limit: 10 * time.Second, status: 502, ready: atCallback},
	{name: "user info", path: "/userinfo", limit: 10 * time.Second, status: 303, ready: func(a *apptest.App, b *apptest.Browser) *http.Request {
		a.Provider.EditIDToken(apptest.Without("name"))
		return atCallback(a, b)
	}},
	{name: "Identify", path: "/userinfo", identify: apptest.ByUserInfo, limit: 10 * time.Second, status: 502, ready: atCallback},
	{name: "a refresh", path: "/token", limit: 8 * time.Second, status: 200, wait: untilRefresh, ready: func(_ *apptest.App, b *apptest.Browser) *http.Request {
		b.Login("/dashboard")
		return withCookies(b, http.MethodGet, "/dashboard")
	}},
	{name: "revocation", path: "/revoke", limit: 3 * time.Second, status: 303, unread: true, ready: func(_ *apptest.App, b *apptest.Browser) *http.Request {
		b.Login("/dashboard")
		return withCookies(b, http.MethodPost, "/logout")
	}},
}

func atCallback(_ *apptest.App, b *apptest.Browser) *http.Request {
	return withCookies(b, http.MethodGet, b.CallbackURL("/login"))
}

// withCookies is a request outside of the browser, with its cookies.
func withCookies(b *apptest.Browser, method, path string) *http.Request {
	r := b.Request(method, path, http.NoBody)
	r.RequestURI = r.URL.RequestURI()
	for name, value := range b.Cookies() {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// A faultyNetwork connects the application to its provider by net/http over pipes.
// One path of the provider can be served by a fault.
type faultyNetwork struct {
	*apptest.App
	fault atomic.Pointer[fault]
	path  string
	read  atomic.Int64 // bytes of faulty responses that were read
}

// A fault writes a response until the client stops reading.
type fault func(w io.Writer) error

// newFaultyNetwork returns a network whose provider is a plain OAuth 2.0 provider if
// identify is not nil.
func newFaultyNetwork(t *testing.T, path string, identify func(context.Context, *http.Client) (oauthlogin.User, error)) *faultyNetwork {
	t.Helper()
	n := &faultyNetwork{path: path}
	p := apptest.ServePipes(t, n)
	n.App = apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.HTTPClient = &http.Client{Transport: p.Transport}
		if identify != nil {
			apptest.PlainOAuth(opts)
			opts.Providers[0].Identify = identify
		}
	}})
	n.Provider.SetKeyAlg("EdDSA")
	return n
}

func (n *faultyNetwork) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := n.fault.Load()
	if fault == nil || r.URL.Path != n.path {
		n.Provider.ServeHTTP(w, r)
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if (*fault)(counted{conn, &n.read}) == nil {
		io.Copy(io.Discard, conn) // until the client hangs up
	}
}

// serve serves a request, and says how long that took.
func (n *faultyNetwork) serve(r *http.Request) (*httptest.ResponseRecorder, time.Duration) {
	start := time.Now()
	w := httptest.NewRecorder()
	n.Net["app.test"].ServeHTTP(w, r)
	return w, time.Since(start)
}

// A counted Writer counts the bytes that were written.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// again writes a text until the client stops reading, or has read much more than it
// should.
func again(w io.Writer, text string, pause time.Duration) error {
	for range 1 << 10 {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}

var silence = fault(func(io.Writer) error { return nil })

const (
	statusLine = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	chunked    = statusLine + "Transfer-Encoding: chunked\r\n"
)

// Every call to a provider is bounded in time and in size: ten seconds and one MiB,
// and three seconds in a logout. A refresh may take a minute, but requests wait eight
// seconds for it. A login goes on without user info.
func TestProviderHangs(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name   string
		fault  fault
		inBody bool
		atOnce bool // the limit is one of size
	}{
		{"says nothing", silence, false, false},
		{"stops within the header", func(w io.Writer) error { _, err := io.WriteString(w, statusLine); return err }, false, false},
		{"says a byte of the header a second", func(w io.Writer) error {
			io.WriteString(w, statusLine+"X-Slow: ")
			return again(w, "a", time.Second)
		}, false, false},
		{"goes on with 100s, one a second", func(w io.Writer) error { return again(w, "HTTP/1.1 100 Continue\r\n\r\n", time.Second) }, false, false},
		{"stops before the body", func(w io.Writer) error { _, err := io.WriteString(w, chunked+"\r\n"); return err }, true, false},
		{"stops within the body", func(w io.Writer) error { _, err := io.WriteString(w, chunked+"\r\n1\r\n{\r\n"); return err }, true, false},
		{"says a byte of the body a second", func(w io.Writer) error {
			io.WriteString(w, chunked+"\r\n")
			return again(w, "1\r\n \r\n", time.Second)
		}, true, false},
		{"has a body without end", func(w io.Writer) error {
			io.WriteString(w, statusLine+"\r\n{")
			return again(w, strings.Repeat(" ", 8<<10), 0)
		}, true, true},
		{"has a body without end that is compressed", func(w io.Writer) error {
			io.WriteString(w, chunked+"Content-Encoding: gzip\r\n\r\n")
			z, _ := gzip.NewWriterLevel(httputil.NewChunkedWriter(w), gzip.BestSpeed)
			return again(z, strings.Repeat(" ", 64<<10), 0)
		}, true, true},
	} {
		for _, call := range providerCalls {
			t.Run(f.name+", asked for "+call.name, func(t *testing.T) {
				// The bubble ends when every goroutine has.
				synctest.Test(t, func(t *testing.T) {
					n := newFaultyNetwork(t, call.path, call.identify)
					clients := 1
					if f.name == "says nothing" {
						clients = 5
					}
					var requests []*http.Request
					for range clients {
						requests = append(requests, call.ready(n.App, n.Browser(t)))
					}
					time.Sleep(call.wait)
					n.fault.Store(&f.fault)
					want := call.limit
					if f.atOnce || f.inBody && call.unread {
						want = 0
					}
					served := n.Called("/dashboard")
					var waiting sync.WaitGroup
					for _, r := range requests {
						waiting.Go(func() {
							if w, took := n.serve(r); took != want || w.Code != call.status || apptest.SetsSession(w) != (call.status == http.StatusSeeOther && !call.unread) {
								t.Errorf("%d after %v, want %d after %v: %s", w.Code, took, call.status, want, w.Body)
							}
						})
					}
					waiting.Wait()
					if ran := n.Called("/dashboard") - served; (ran == clients) != (call.status == http.StatusOK) {
						t.Errorf("the handler ran %d times", ran)
					}
					if read := n.read.Load(); read > int64(clients)*(1<<20+64<<10) {
						t.Errorf("%d bytes of the response were read", read)
					}
					n.fault.Store(nil)
					time.Sleep(61 * time.Second) // cool-downs, and a refresh that goes on
					n.Browser(t).Login("/dashboard")
				})
			})
		}
	}
}

// A request whose client hangs up during a call to the provider ends, except for a
// logout. What goes on without it ends in time.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	for _, call := range providerCalls {
		t.Run("while the provider is asked for "+call.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFaultyNetwork(t, call.path, call.identify)
				r := call.ready(n.App, n.Browser(t))
				time.Sleep(call.wait)
				n.fault.Store(&silence)
				ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
				defer hangUp()
				served := n.Called("/dashboard")
				want := time.Second
				if call.unread {
					want = call.limit
				}
				if w, took := n.serve(r.WithContext(ctx)); took != want || apptest.SetsSession(w) || n.Called("/dashboard") > served {
					t.Errorf("%d after %v, want %v; the handler ran %d times", w.Code, took, want, n.Called("/dashboard")-served)
				}
				n.fault.Store(nil)
				time.Sleep(61 * time.Second) // limits and cool-downs
				n.Browser(t).Login("/dashboard")
			})
		})
	}
}

// Identify may call the provider as often as it likes, but a callback takes thirty
// seconds at most.
func TestIdentifyHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		n := newFaultyNetwork(t, "/userinfo", func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			for ; ctx.Err() == nil; asked++ {
				apptest.ByUserInfo(ctx, client)
			}
			return oauthlogin.User{}, ctx.Err()
		})
		r := atCallback(n.App, n.Browser(t))
		n.fault.Store(&silence)
		if w, took := n.serve(r); took != 30*time.Second || asked < 3 || w.Code != http.StatusBadGateway || apptest.SetsSession(w) {
			t.Errorf("%d after %v and %d requests", w.Code, took, asked)
		}
	})
}

// A provider that hangs leaves nothing behind, however many requests wait for it.
func TestHangingProviderLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 200
		n := newFaultyNetwork(t, "/token", nil)
		n.Browser(t).Login("/dashboard")
		round := func() {
			var requests []*http.Request
			for range clients {
				requests = append(requests, atCallback(n.App, n.Browser(t)))
			}
			n.fault.Store(&silence)
			var waiting sync.WaitGroup
			for _, r := range requests {
				waiting.Go(func() { n.serve(r) })
			}
			waiting.Wait()
			n.fault.Store(nil)
			synctest.Wait()
		}
		round()
		leavesNothing(t, round)
	})
}
