package adversarial_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// leavesNothing fails the test if do leaves over 2 MiB on the heap or a
// goroutine behind. Tests that use it are not parallel, so that the heap is
// their own.
func leavesNothing(t *testing.T, do func()) {
	t.Helper()
	before, goroutines := apptest.HeapBytes(), runtime.NumGoroutine()
	do()
	if grown := apptest.HeapBytes() - before; grown > 2<<20 {
		t.Errorf("heap grew by %d KiB", grown>>10)
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines more than before", runtime.NumGoroutine()-goroutines)
		}
	}
}

// newBareAuth is a Middleware with a plain OAuth 2.0 provider that refuses
// every code, and without anything that keeps what was said.
func newBareAuth(t *testing.T) *oauthlogin.Middleware {
	t.Helper()
	return apptest.NewAuth(t, oauthlogin.Options{
		Providers: []oauthlogin.Provider{apptest.PlainProvider("test", "https://app.test/auth/callback")},
		Keys:      [][]byte{apptest.Key(1)},
		Logger:    slog.New(slog.DiscardHandler),
		HTTPClient: &http.Client{Transport: apptest.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"error":"invalid_grant"}`))}, nil
		})},
	})
}

// CVE-2026-55512 of nebula-mesh, CVE-2026-67437 of OliveTin, CVE-2021-22119 of
// Spring Security: logins that nobody completes cost no memory. A state alone
// would be over 4 MiB of them.
func TestLoginKeepsNothing(t *testing.T) {
	const logins, each = 100_000, 2
	auth := newBareAuth(t)
	leavesNothing(t, func() {
		var clients sync.WaitGroup
		for client := range each {
			clients.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "/login", nil)
				w := apptest.NewDiscard()
				for i := range logins / each {
					r.URL.RawQuery = "return_to=/" + strconv.Itoa(client) + "/" + strconv.Itoa(i)
					clear(w.Header())
					if auth.Login(w, r); len(w.Header()["Set-Cookie"]) != 1 || len(w.Header()["Location"]) != 1 {
						t.Errorf("login %d: %v", i, w)
						return
					}
				}
			})
		}
		clients.Wait()
	})
	runtime.KeepAlive(auth) // with whatever it holds
}

// Nor do callbacks that lead nowhere. What is remembered of those of a real
// login is bounded.
func TestBadCallbacksKeepNothing(t *testing.T) {
	auth := newBareAuth(t)
	login := func(path string) (state string, cookie string) {
		w := httptest.NewRecorder()
		auth.Login(w, httptest.NewRequest(http.MethodGet, "/login?return_to="+path, nil))
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return apptest.QueryOf(w.Header().Get("Location")).Get("state"), cookie
	}
	_, elsewhere := login("/elsewhere")
	for _, test := range []struct {
		name     string
		times    int
		callback func(i string) (query, cookie string)
	}{
		{"a state that nobody knows", 5000, func(i string) (string, string) { return "code=c&state=unknown-" + i, "" }},
		{"a state of another login", 1000, func(i string) (string, string) { return "code=c&state=unknown-" + i, elsewhere }},
		{"a state that is there twice", 1000, func(i string) (string, string) { return "code=c&state=a&state=" + i, elsewhere }},
		{"a cookie that does not open", 1000, func(i string) (string, string) { return "code=c&state=a", apptest.FlowPrefix + i + "=" + elsewhere }},
		{"a user who says no", 1500, func(i string) (string, string) {
			state, cookie := login("/" + strings.Repeat(i, 100))
			return "error=access_denied&state=" + state, cookie
		}},
		{"a code that is wrong", 500, func(i string) (string, string) {
			state, cookie := login("/" + strings.Repeat(i, 100))
			return "code=" + i + "&state=" + state, cookie
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			leavesNothing(t, func() {
				w := apptest.NewDiscard()
				for i := range test.times {
					query, cookie := test.callback(strconv.Itoa(i))
					r := httptest.NewRequest(http.MethodGet, "/auth/callback?"+query, nil)
					r.Header.Set("Cookie", cookie)
					clear(w.Header())
					if auth.Callback(w, r); w.Status != http.StatusBadRequest {
						t.Fatalf("callback %d: %d", i, w.Status)
					}
				}
			})
		})
	}
	runtime.KeepAlive(auth)
}

// What was found of a provider does not hold on to the request that asked.
func TestDiscoveryKeepsNoRequest(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	type key struct{}
	login := func() weak.Pointer[[1 << 20]byte] {
		value := new([1 << 20]byte)
		ctx := context.WithValue(t.Context(), key{}, value)
		w := httptest.NewRecorder()
		a.Auth.Login(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/login", nil))
		if w.Code != http.StatusSeeOther {
			t.Fatal(w.Code)
		}
		return weak.Make(value)
	}
	value := login()
	apptest.HeapBytes()
	if value.Value() != nil {
		t.Error("a value of the first request's context is kept")
	}
	runtime.KeepAlive(a)
}

// A providerCall is one of the calls to a provider, and what a request is to
// that waits for it.
type providerCall struct {
	name, path string
	identify   func(context.Context, *http.Client) (oauthlogin.User, error)
	ready      func(a *apptest.App, b *apptest.Browser) *http.Request
	wait       time.Duration // until it is time for the request
	limit      time.Duration
	status     int
	unread     bool // the answer's body is
}

var providerCalls = []providerCall{
	{name: "discovery", path: "/.well-known/openid-configuration", limit: 10 * time.Second, status: 502, ready: func(_ *apptest.App, b *apptest.Browser) *http.Request {
		return withCookies(b, http.MethodGet, "/login")
	}},
	{name: "keys", path: "/jwks", limit: 10 * time.Second, status: 502, ready: atCallback},
	{name: "a code", path: "/token", limit: 10 * time.Second, status: 502, ready: atCallback},
	{name: "user info", path: "/userinfo", limit: 10 * time.Second, status: 502, ready: func(a *apptest.App, b *apptest.Browser) *http.Request {
		a.Provider.EditIDToken(apptest.Without("name"))
		return atCallback(a, b)
	}},
	{name: "Identify", path: "/userinfo", identify: apptest.ByUserInfo, limit: 10 * time.Second, status: 502, ready: atCallback},
	{name: "a refresh", path: "/token", limit: 10 * time.Second, status: 200, wait: untilRefresh, ready: func(_ *apptest.App, b *apptest.Browser) *http.Request {
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

// withCookies is a request that goes past the browser's jar.
func withCookies(b *apptest.Browser, method, path string) *http.Request {
	r := b.Request(method, path, http.NoBody)
	r.RequestURI = r.URL.RequestURI()
	for name, value := range b.Cookies() {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// A faultyNetwork is one of net/http, over pipes, on which one path of the
// provider can be answered by hand.
type faultyNetwork struct {
	*apptest.App
	fault atomic.Pointer[fault]
	path  string
	read  atomic.Int64 // bytes of answers by hand that were taken
}

// A fault writes an answer until nobody reads it any more.
type fault func(w io.Writer) error

// newFaultyNetwork is one whose provider is a plain OAuth 2.0 one if identify
// is not nil.
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
	for gone := (*fault)(counted{conn, &n.read}); gone == nil; {
		gone = waitFor(conn)
	}
}

// waitFor waits for a client to hang up.
func waitFor(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 512))
	return err
}

type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// again writes the same until nobody reads it any more, or it was much more
// than anybody should have read.
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

// Every call to a provider is bounded in time and in size: ten seconds and one
// MiB, and three seconds for all that a logout waits for.
func TestProviderHangs(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name   string
		fault  fault
		inBody bool
		atOnce bool // nobody waits
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
				// With the bubble every goroutine has to end.
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
							start := time.Now()
							w := httptest.NewRecorder()
							n.Net["app.test"].ServeHTTP(w, r)
							if took := time.Since(start); took != want || w.Code != call.status {
								t.Errorf("%d after %v, want %d after %v: %s", w.Code, took, call.status, want, w.Body)
							}
							if apptest.SetsSession(w) {
								t.Error("there is a session")
							}
						})
					}
					waiting.Wait()
					if ran := n.Called("/dashboard") - served; (ran == clients) != (call.status == http.StatusOK) {
						t.Errorf("the handler ran %d times", ran)
					}
					if read := n.read.Load(); read > int64(clients)*(1<<20+64<<10) {
						t.Errorf("%d bytes of the answer were read", read)
					}
					n.fault.Store(nil)
					time.Sleep(31 * time.Second) // cool-downs
					n.Browser(t).Login("/dashboard")
				})
			})
		}
	}
}

// A client that hangs up while a provider is asked is not served for longer,
// but for a logout, and what goes on without it ends.
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
				start := time.Now()
				w := httptest.NewRecorder()
				n.Net["app.test"].ServeHTTP(w, r.WithContext(ctx))
				if took := time.Since(start); took != want {
					t.Errorf("served for %v, want %v", took, want)
				}
				if apptest.SetsSession(w) || n.Called("/dashboard") > served {
					t.Errorf("%d, and the handler ran %d times", w.Code, n.Called("/dashboard")-served)
				}
				n.fault.Store(nil)
				time.Sleep(41 * time.Second) // limits and cool-downs
				n.Browser(t).Login("/dashboard")
			})
		})
	}
}

// Identify does not wait for ever, whatever it asks: it may ask as often as it likes, for as long as a callback may take.
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
		start := time.Now()
		w := httptest.NewRecorder()
		n.Net["app.test"].ServeHTTP(w, r)
		if took := time.Since(start); took != 30*time.Second || asked < 3 || w.Code != http.StatusBadGateway || apptest.SetsSession(w) {
			t.Errorf("%d after %v and %d requests", w.Code, took, asked)
		}
	})
}

// Providers that nobody hears from leave nothing behind, however many wait.
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
				waiting.Go(func() { n.Net["app.test"].ServeHTTP(httptest.NewRecorder(), r) })
			}
			waiting.Wait()
			n.fault.Store(nil)
			synctest.Wait()
		}
		round()
		leavesNothing(t, round)
	})
}
