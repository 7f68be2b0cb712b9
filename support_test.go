package oauthlogin_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// testKey is as good as 32 random bytes for a test, and the same every time.
func testKey(seed byte) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = seed + byte(i*7)
	}
	return key
}

// An app is an application behind the middleware, on TLS, with a provider.
type app struct {
	*httptest.Server
	auth     *oauthlogin.Middleware
	provider *oauthlogintest.Provider
	log      *logBuffer
	net      handlerTransport         // nil: sockets
	more     func(mux *http.ServeMux) // further routes; nil: none

	mu    sync.Mutex
	calls map[string]int // of handlers, by path
}

// newApp starts an application whose routes are GET / (public),
// /dashboard and /api/me (guarded), and a provider that signs in "alice" without
// asking. change, if not nil, edits the options before New.
func newApp(t *testing.T, change func(*oauthlogin.Options)) *app {
	t.Helper()
	a := &app{log: &logBuffer{}, calls: map[string]int{}}
	a.Server = httptest.NewUnstartedServer(audited(t, true, a))
	origin := "https://" + a.Listener.Addr().String()
	a.provider = oauthlogintest.Start(oauthlogintest.Config{
		Clients: []oauthlogintest.Client{{ID: "app", Secret: "s3cret-of-the-app", RedirectURIs: []string{origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{origin + "/"}}},
	})
	t.Cleanup(a.provider.Close)
	a.provider.AutoApprove("alice")
	a.auth = newAuth(t, a.options(origin, change))
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

// offline says how an application without sockets differs from others.
type offline struct {
	origin   string // "": https://app.test
	provider oauthlogintest.Config
	change   func(*oauthlogin.Options)
}

// newOfflineApp is newApp without sockets: requests to the application, to the
// provider at https://provider.test and to whatever else is put into net are
// answered in-process, so that the test can live in a synctest bubble.
func newOfflineApp(t *testing.T, with offline) *app {
	t.Helper()
	if with.origin == "" {
		with.origin = "https://app.test"
	}
	a := &app{Server: &httptest.Server{URL: with.origin}, log: &logBuffer{}, calls: map[string]int{}, net: handlerTransport{}}
	with.provider.Issuer = cmp.Or(with.provider.Issuer, "https://provider.test")
	with.provider.Clients = append([]oauthlogintest.Client{
		{ID: "app", Secret: "s3cret-of-the-app", RedirectURIs: []string{with.origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{with.origin + "/"}},
	}, with.provider.Clients...)
	var err error
	if a.provider, err = oauthlogintest.New(with.provider); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.provider.Close)
	a.provider.AutoApprove("alice")
	a.auth = newAuth(t, a.options(with.origin, func(opts *oauthlogin.Options) {
		opts.HTTPClient = &http.Client{Transport: a.net}
		if with.change != nil {
			with.change(opts)
		}
	}))
	scheme, host, _ := strings.Cut(with.origin, "://")
	a.net[host] = audited(t, scheme == "https", a)
	a.net["provider.test"] = a.provider
	return a
}

// ServeHTTP serves the routes.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.routes().ServeHTTP(w, r) }

// audited checks on each response of each test what holds for all cookies of
// ours, and that nothing panicked.
func audited(t *testing.T, secure bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				t.Errorf("%s %s: panic: %v\n%s", r.Method, r.URL.Path, p, debug.Stack())
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
		for _, fault := range cookieFaults(w.Header(), secure) {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, fault)
		}
	})
}

// cookieFaults returns what is wrong with the Set-Cookie headers of a response
// (OAuth 2.0 for Browser-Based Applications section 6.1.3.2, RFC 6265bis).
func cookieFaults(h http.Header, secure bool) (faults []string) {
	seen := map[string]bool{}
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			return append(faults, "malformed Set-Cookie")
		}
		for _, check := range []struct {
			ok    bool
			fault string
		}{
			{!seen[c.Name], "is set twice"},
			{c.HttpOnly, "is not HttpOnly"},
			{c.SameSite == http.SameSiteLaxMode, "is not SameSite=Lax"},
			{c.Path == "/", "has another path than /"},
			{c.Domain == "", "has a domain"},
			{c.Secure == secure, "is Secure over http, or not over https"},
			{strings.HasPrefix(c.Name, "__Host-") == secure, "has __Host- over http, or not over https"},
			{len(c.Name)+len(c.Value) <= 3900, "is larger than browsers keep"},
			{c.MaxAge != 0, "has no Max-Age"},
			{c.MaxAge > 0 || c.Value == "", "is expired with a value"},
			{h.Get("Cache-Control") == "no-store" || h.Get("Expires") == "0" && h.Get("Cache-Control") == "", "is in a response that may be cached"},
		} {
			if !check.ok {
				faults = append(faults, "cookie "+c.Name+" "+check.fault)
			}
		}
		seen[c.Name] = true
	}
	return faults
}

// options are those of an application at origin.
func (a *app) options(origin string, change func(*oauthlogin.Options)) oauthlogin.Options {
	opts := oauthlogin.Options{
		Providers: []oauthlogin.Provider{{
			Name:   "test",
			Issuer: a.provider.Issuer(),
			OAuth2: &oauth2.Config{
				ClientID: "app", ClientSecret: "s3cret-of-the-app",
				RedirectURL: origin + "/auth/callback",
				Scopes:      []string{"openid", "profile", "email"},
			},
		}},
		Keys:   [][]byte{testKey(1)},
		Logger: slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opts)
	}
	return opts
}

func newAuth(t *testing.T, opts oauthlogin.Options) *oauthlogin.Middleware {
	t.Helper()
	auth, err := oauthlogin.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.count(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := oauthlogin.FromContext(r.Context()); ok {
			fmt.Fprintf(w, "home of %s", s.User.Subject)
			return
		}
		fmt.Fprint(w, "home of nobody")
	}))
	guarded := a.auth.RequireAuth(a.count(func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		json.NewEncoder(w).Encode(s.User)
	}))
	mux.Handle("/dashboard", guarded)
	mux.Handle("/api/me", guarded)
	if a.more != nil {
		a.more(mux)
	}
	return a.auth.Handler(mux)
}

func (a *app) count(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.calls[r.URL.Path]++
		a.mu.Unlock()
		next(w, r)
	}
}

// called returns how often the handler of path ran.
func (a *app) called(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[path]
}

// A browser keeps cookies in a cookieStore, and follows no redirect by itself.
type browser struct {
	t      *testing.T
	client *http.Client
	origin string
}

func (a *app) browser(t *testing.T) *browser {
	t.Helper()
	transport := http.RoundTripper(a.net)
	if a.net == nil {
		transport = a.Client().Transport
	}
	return &browser{t: t, origin: a.URL, client: &http.Client{
		Transport:     transport,
		Jar:           &cookieStore{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type response struct {
	*http.Response
	body string
}

func (r *response) location() string { return r.Header.Get("Location") }

// get asks for a path of the application, or for a whole URL. header is name,
// value, name, value; without any, it is an address that the user typed.
func (b *browser) get(path string, header ...string) *response {
	b.t.Helper()
	r := b.request(http.MethodGet, path, nil, header...)
	if len(header) == 0 {
		(&cause{}).describe(r)
	}
	return b.do(r)
}

// post sends a form as a page of the application would.
func (b *browser) post(path string, form url.Values, header ...string) *response {
	b.t.Helper()
	r := b.request(http.MethodPost, path, strings.NewReader(form.Encode()), header...)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	why := cause{page: webOrigin(r.URL)}
	if len(header) == 0 {
		why.describe(r)
	}
	return b.send(r, why)
}

func (b *browser) request(method, path string, body io.Reader, header ...string) *http.Request {
	b.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.origin + path
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// do sends a request as it is, and the cookies with it.
func (b *browser) do(r *http.Request) *response {
	b.t.Helper()
	return b.send(r, cause{})
}

// follow is get, and then whatever the answers redirect to.
func (b *browser) follow(path string) *response {
	b.t.Helper()
	return b.followUntil(path, func(string) bool { return false })
}

// followUntil stops at the redirect whose target stop accepts, and returns
// the answer that redirects there.
func (b *browser) followUntil(path string, stop func(target string) bool) *response {
	b.t.Helper()
	resp := b.get(path)
	for range 20 {
		if resp.location() == "" {
			return resp
		}
		target, err := resp.Request.URL.Parse(resp.location())
		if err != nil {
			b.t.Fatal(err)
		}
		if stop(target.String()) {
			return resp
		}
		resp = b.redirected(resp)
	}
	b.t.Fatalf("redirected 20 times, last to %s", resp.location())
	return nil
}

// startLogin asks for a login, and returns the redirect to the provider with
// the parameters of its authorization request.
func (b *browser) startLogin(path string) (*response, url.Values) {
	b.t.Helper()
	resp := b.get(path)
	u, err := url.Parse(resp.location())
	if err != nil || resp.StatusCode != http.StatusSeeOther || u.Path != "/authorize" {
		b.t.Fatalf("GET %s: %d to %q: %s", path, resp.StatusCode, resp.location(), resp.body)
	}
	return resp, u.Query()
}

// callbackURL goes through a login up to the redirect to the callback, and
// returns the URL that it leads to.
func (b *browser) callbackURL(path string) string {
	b.t.Helper()
	resp := b.followUntil(path, func(target string) bool { return strings.Contains(target, "/auth/callback") })
	if resp.location() == "" {
		b.t.Fatalf("no redirect to the callback; last answer %d %s", resp.StatusCode, resp.body)
	}
	return resp.location()
}

// login signs in, and fails the test if that does not lead to path.
func (b *browser) login(path string) *response {
	b.t.Helper()
	resp := b.follow("/login?return_to=" + url.QueryEscape(path))
	if resp.StatusCode != http.StatusOK || resp.Request.URL.RequestURI() != path {
		b.t.Fatalf("login led to %s with status %d: %s", resp.Request.URL, resp.StatusCode, resp.body)
	}
	return resp
}

// signedIn reports whether a guarded path can be read.
func (b *browser) signedIn() bool {
	b.t.Helper()
	return b.get("/api/me").StatusCode == http.StatusOK
}

// cookies returns the application's cookies, without those of a provider on
// the same host.
func (b *browser) cookies() map[string]string {
	b.t.Helper()
	u, _ := url.Parse(b.origin)
	cookies := map[string]string{}
	for _, c := range b.store().Cookies(u) {
		if !strings.HasPrefix(c.Name, "oauthlogintest") {
			cookies[c.Name] = c.Value
		}
	}
	return cookies
}

// cookieNames returns the names that have the prefix.
func (b *browser) cookieNames(prefix string) (names []string) {
	b.t.Helper()
	for name := range b.cookies() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// setCookie puts a cookie like the ones we set into the browser; "" removes it.
// It is whoever owns the browser, to whom none of its rules applies.
func (b *browser) setCookie(name, value string) {
	b.t.Helper()
	u, _ := url.Parse(b.origin)
	now := time.Now()
	c := &keptCookie{
		name: name, value: value, domain: u.Hostname(), path: "/", sameSite: "lax",
		hostOnly: true, secure: u.Scheme == "https", httpOnly: true, created: now, used: now,
	}
	if value == "" {
		c.expires = now
	}
	store := b.store()
	store.mu.Lock()
	defer store.mu.Unlock()
	store.put(c, false, now)
}

const (
	sessionCookie = "__Host-oauthlogin"
	flowPrefix    = "__Host-oauthlogin.flow."
)

var linkPattern = regexp.MustCompile(`href="([^"]*)"`)

// links returns the targets of all links of a page.
func (r *response) links() (targets []string) {
	for _, match := range linkPattern.FindAllStringSubmatch(r.body, -1) {
		targets = append(targets, html.UnescapeString(match[1]))
	}
	return targets
}

// logBuffer collects log lines of concurrent requests.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// handlerTransport answers requests by a handler, without a network: with it
// a test can live in a synctest bubble, where time is its own.
type handlerTransport map[string]http.Handler // by host

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := t[r.URL.Host]
	if !ok {
		return nil, fmt.Errorf("no host %s here", r.URL.Host)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	served := r.Clone(context.WithoutCancel(r.Context()))
	served.RequestURI = r.URL.RequestURI()
	served.Host = r.URL.Host
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, served)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}
