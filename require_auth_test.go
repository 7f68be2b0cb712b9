package oauthlogin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OpenIDC/mod_auth_openidc#220, oauth2-proxy#1393, mesop#1389: a redirect is
// an answer to navigations alone.
func TestRequireAuthAnswers(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	const redirect, refuse = true, false
	for _, tt := range []struct {
		name, method string
		header       string // name: value; name: value
		redirected   bool
	}{
		{"a page", "GET", "Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: document; Accept: text/html", redirect},
		{"a page in a frame", "GET", "Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: iframe", redirect},
		{"a page from another site", "GET", "Sec-Fetch-Mode: navigate; Sec-Fetch-Site: cross-site", redirect},
		{"a page, whatever it accepts", "GET", "Sec-Fetch-Mode: navigate; Accept: application/json", redirect},
		{"the head of a page", "HEAD", "Sec-Fetch-Mode: navigate", redirect},
		{"a page in an old browser", "GET", "Accept: text/html,application/xhtml+xml,*/*;q=0.8", redirect},
		{"a page in capitals", "GET", "Accept: TEXT/HTML", redirect},
		{"curl", "GET", "Accept: */*", redirect},
		{"curl -I", "HEAD", "Accept: */*", redirect},
		{"a client that says nothing", "GET", "", redirect},

		{"fetch", "GET", "Sec-Fetch-Mode: cors; Sec-Fetch-Dest: empty; Accept: */*", refuse},
		{"fetch of the same origin", "GET", "Sec-Fetch-Mode: same-origin; Accept: */*", refuse},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors; Sec-Fetch-Dest: image; Accept: image/avif,*/*", refuse},
		{"a service worker", "GET", "Sec-Fetch-Mode: same-origin; Sec-Fetch-Dest: serviceworker", refuse},
		{"a WebSocket", "GET", "Sec-Fetch-Mode: websocket; Upgrade: websocket; Connection: Upgrade", refuse},
		{"a WebSocket in an old browser", "GET", "Upgrade: websocket; Connection: Upgrade; Accept: */*", refuse},
		{"server-sent events", "GET", "Sec-Fetch-Mode: cors; Accept: text/event-stream", refuse},
		{"server-sent events in an old browser", "GET", "Accept: text/event-stream", refuse},
		{"XMLHttpRequest in an old browser", "GET", "X-Requested-With: XMLHttpRequest; Accept: text/html,*/*", refuse},
		{"a JSON client", "GET", "Accept: application/json", refuse},
		{"a JSON client with a version", "GET", "Accept: application/vnd.api+json;version=2", refuse},
		{"a PUT", "PUT", "Accept: */*", refuse},
		{"a CORS preflight", "OPTIONS", "Sec-Fetch-Mode: cors; Origin: https://other.test; Access-Control-Request-Method: GET", refuse},
		{"a prefetched page", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch", refuse},
		{"a prerendered page", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch;prerender", refuse},
		{"a page prefetched for a stranger", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch;anonymous-client-ip", refuse},
		{"a page prefetched by an old browser", "GET", "Purpose: prefetch; Accept: text/html", refuse},
		{"a page prefetched by Firefox", "GET", "X-Moz: prefetch; Accept: text/html", refuse},
		{"a preview in Safari", "GET", "X-Purpose: preview; Accept: text/html", refuse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser(t)
			r := b.Request(tt.method, "/dashboard?q=1&r=a%2Fb", nil)
			r.Header = http.Header{}
			for line := range strings.SplitSeq(tt.header, "; ") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			resp := b.Do(r)
			const back = "/login?return_to=%2Fdashboard%3Fq%3D1%26r%3Da%252Fb"
			if tt.redirected {
				if resp.StatusCode != http.StatusFound || resp.Location() != back {
					t.Errorf("%d to %q", resp.StatusCode, resp.Location())
				}
			} else {
				var answer map[string]string
				if err := json.Unmarshal([]byte(resp.Text), &answer); err != nil {
					t.Error(err)
				}
				wantURL := back
				if tt.method != http.MethodGet {
					wantURL = "/login?return_to=%2F"
				}
				if resp.StatusCode != http.StatusUnauthorized || resp.Location() != "" || resp.Header.Get("WWW-Authenticate") == "" ||
					resp.Header.Get("Content-Type") != "application/json" || len(answer) != 2 ||
					answer["error"] != "unauthenticated" || answer["login_url"] != wantURL {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, resp.Text)
				}
				if scheme, _, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), " "); strings.EqualFold(scheme, "Basic") {
					t.Error("browsers ask for a password")
				}
			}
			if len(resp.Header["Set-Cookie"]) > 0 || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", resp.Header)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("answers other origins")
			}
			if a.Called("/dashboard") > 0 {
				t.Error("handler ran")
			}
		})
	}
	if n := a.Provider.Count(oauthlogintest.Authorization) + a.Provider.Count(oauthlogintest.Discovery); n > 0 {
		t.Errorf("%d requests to the provider", n)
	}
}

// A script returns to its page and not to its API.
func TestLoginURLOfScripts(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for _, tt := range []struct{ name, method, referer, returnTo string }{
		{"from a page", "GET", "https://app.test/inbox?page=2#top", "/inbox?page=2"},
		{"a POST from a page", "POST", "https://app.test/inbox", "/inbox"},
		{"from the root", "GET", "https://app.test", "/"},
		{"without a referrer", "GET", "", "/dashboard?q=1"},
		{"a POST without a referrer", "POST", "", "/"},
		{"from another host", "GET", "https://evil.test/inbox", "/dashboard?q=1"},
		{"a POST from another host", "POST", "https://evil.test/inbox", "/"},
		{"from another port", "GET", "https://app.test:8443/inbox", "/dashboard?q=1"},
		{"from a host that begins alike", "GET", "https://app.test.evil.test/", "/dashboard?q=1"},
		{"from a user of another host", "GET", "https://app.test@evil.test/", "/dashboard?q=1"},
		{"from a path of two slashes", "GET", "https://app.test//evil.test/", "/"},
		{"from a path with a backslash", "GET", `https://app.test/\evil.test/`, "/"},
		{"from the login page", "GET", "https://app.test/login?return_to=/x", "/"},
		{"from the callback", "GET", "https://app.test/auth/callback?code=c&state=s", "/"},
		{"with a referrer that is none", "GET", "%zz", "/dashboard?q=1"},
		{"with an opaque referrer", "GET", "about:blank", "/dashboard?q=1"},
	} {
		b := a.Browser(t)
		r := b.Request(tt.method, "/dashboard?q=1", nil, "Sec-Fetch-Mode", "cors", "Accept", "*/*", "Referer", tt.referer)
		resp := b.Do(r)
		want := fmt.Sprintf(`{"error":"unauthenticated","login_url":"/login?return_to=%s"}`, url.QueryEscape(tt.returnTo))
		if resp.StatusCode != http.StatusUnauthorized || strings.TrimSpace(resp.Text) != want {
			t.Errorf("%s: %d %s, want %s", tt.name, resp.StatusCode, resp.Text, want)
		}
	}
}

// CVE-2026-40575, CVE-2026-34457, CVE-2025-54576, CVE-2026-41059 of oauth2-proxy:
// what the request says of itself opens nothing.
func TestNoHeaderGrantsAccess(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for _, header := range [][2]string{
		{"X-Forwarded-Uri", "/"},
		{"X-Forwarded-Path", "/"},
		{"X-Original-Url", "/"},
		{"X-Rewrite-Url", "/"},
		{"X-Forwarded-For", "127.0.0.1"},
		{"X-Forwarded-Host", "evil.test"},
		{"X-Forwarded-Proto", "http"},
		{"X-Forwarded-Prefix", "/evil"},
		{"Forwarded", "for=127.0.0.1;host=evil.test;proto=http"},
		{"X-Forwarded-User", "alice"},
		{"X_Forwarded_User", "alice"},
		{"X-Forwarded-Email", "alice@example.com"},
		{"X-Forwarded-Access-Token", "x"},
		{"X-Auth-Request-User", "alice"},
		{"X-Http-Method-Override", "OPTIONS"},
		{"Authorization", "Bearer x"},
		{"Authorization", "Basic YWxpY2U6eA=="},
		{"User-Agent", "kube-probe/1.30"},
		{"User-Agent", "GoogleHC/1.0"},
		{"User-Agent", "ELB-HealthChecker/2.0"},
		{"Cookie", "oauthlogin=alice; session=alice"},
		{"Origin", "https://app.test"},
	} {
		for _, path := range []string{"/dashboard", "/dashboard?x=/login", "/dashboard?/auth/callback", "/api/me?return_to=/"} {
			resp := a.BareBrowser(t).Get(path, header[0], header[1])
			if resp.StatusCode != http.StatusFound || resp.Location() != "/login?return_to="+url.QueryEscape(path) {
				t.Errorf("%s: %s: %s: %d to %q", path, header[0], header[1], resp.StatusCode, resp.Location())
			}
		}
	}
	if a.Called("/dashboard")+a.Called("/api/me") > 0 {
		t.Error("handler ran")
	}
}

// However the parts are put together, a login is one login and every page is
// either public or guarded.
func TestArrangements(t *testing.T) {
	t.Parallel()
	type wrap = func(auth *oauthlogin.Middleware, page http.Handler) http.Handler
	for _, tt := range []struct {
		name string
		wrap wrap
	}{
		{"RequireAuth alone", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			return auth.RequireAuth(page)
		}},
		{"RequireAuth inside Handler", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			return auth.Handler(auth.RequireAuth(page))
		}},
		{"RequireAuth around Handler", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			return auth.RequireAuth(auth.Handler(page))
		}},
		{"RequireAuth twice", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			return auth.RequireAuth(auth.RequireAuth(page))
		}},
		{"Handler twice", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			return auth.Handler(auth.Handler(auth.RequireAuth(page)))
		}},
		{"all of it, all over", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			return auth.Handler(auth.RequireAuth(auth.Handler(auth.RequireAuth(page))))
		}},
		{"paths mounted one by one", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("/login", auth.Login)
			mux.HandleFunc("/auth/callback", auth.Callback)
			mux.HandleFunc("POST /logout", auth.Logout)
			mux.Handle("/", auth.RequireAuth(page))
			return mux
		}},
		{"RequireAuth around the paths mounted one by one", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/login", auth.RequireAuth(http.HandlerFunc(auth.Login)))
			mux.Handle("/auth/callback", auth.RequireAuth(http.HandlerFunc(auth.Callback)))
			mux.Handle("/logout", auth.RequireAuth(http.HandlerFunc(auth.Logout)))
			mux.Handle("/", page)
			return auth.RequireAuth(mux)
		}},
		{"a page under a prefix", func(auth *oauthlogin.Middleware, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/page/", http.StripPrefix("/page", auth.RequireAuth(page)))
			return auth.Handler(mux)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Net["app.test"] = apptest.Audited(t, true, tt.wrap(a.Auth, a.Count(func(w http.ResponseWriter, r *http.Request) {
				s, ok := oauthlogin.FromContext(r.Context())
				if !ok {
					t.Error("no session behind RequireAuth")
					return
				}
				fmt.Fprint(w, s.User.Subject)
			})))
			b := a.Browser(t)
			calls := func() int { return a.Called("/page/x") + a.Called("/x") }

			if resp := b.Get("/page/x?y=z"); resp.Location() != "/login?return_to=%2Fpage%2Fx%3Fy%3Dz" || calls() > 0 {
				t.Fatalf("%d to %q, handler ran %d times", resp.StatusCode, resp.Location(), calls())
			}
			resp := b.Follow("/page/x?y=z")
			if resp.Text != "alice" || resp.Request.URL.RequestURI() != "/page/x?y=z" || calls() != 1 {
				t.Errorf("login led to %s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
			}
			if vary := resp.Header.Values("Vary"); len(vary) != 1 {
				t.Errorf("Vary %q", vary)
			}
			if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
			if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther {
				t.Errorf("logout: %d", resp.StatusCode)
			}
			if resp := b.Get("/page/x"); resp.StatusCode != http.StatusFound || calls() != 1 {
				t.Errorf("after logout: %d", resp.StatusCode)
			}
		})
	}
}

// Two applications in one, one inside the other, each with its users.
func TestTwoMiddlewares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := longTokens
		config.Clients = []oauthlogintest.Client{{ID: "customers", Secret: "another-s3cret", RedirectURIs: []string{"https://app.test/customers/callback"}}}
		staff := apptest.New(t, apptest.Config{Provider: config})
		customers := staff.Replica(t, func(opts *oauthlogin.Options) {
			opts.CookieName, opts.LoginPath, opts.LogoutPath = "customers", "/customers/login", "/customers/logout"
			client := opts.Providers[0].OAuth2
			client.ClientID, client.ClientSecret, client.RedirectURL = "customers", "another-s3cret", "https://app.test/customers/callback"
		})
		show := func(gate *oauthlogin.Middleware, clients ...*oauthlogin.Middleware) http.Handler {
			return gate.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, _ := oauthlogin.FromContext(r.Context())
				fmt.Fprint(w, s.User.Subject)
				for _, auth := range clients {
					req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://api.test/", nil)
					resp, err := auth.Client(r.Context()).Do(req)
					if err != nil {
						fmt.Fprint(w, " ", err)
						continue
					}
					resp.Body.Close()
				}
			}))
		}
		staff.Net["api.test"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		mux := http.NewServeMux()
		mux.Handle("/staff/page", show(staff.Auth, staff.Auth))
		mux.Handle("/customers/page", show(customers, customers))
		mux.Handle("/both", staff.Auth.RequireAuth(show(customers, customers, staff.Auth)))
		staff.Net["app.test"] = apptest.Audited(t, true, staff.Auth.Handler(customers.Handler(mux)))

		b := staff.Browser(t)
		staff.Provider.AutoApprove("bob")
		b.Login("/staff/page")
		time.Sleep(time.Hour)
		staff.Provider.AutoApprove("carol")
		if resp := b.Follow("/customers/page"); resp.Text != "carol" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		for range 9 {
			for path, want := range map[string]string{"/staff/page": "bob", "/customers/page": "carol", "/both": "carol"} {
				if resp := b.Get(path); resp.Text != want {
					t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Text)
				}
			}
			time.Sleep(30 * time.Minute) // now one is sealed anew, now the other: see audited
		}
	})
}

// A logout that is mounted where Handler does not know it may follow on a
// session that was just sealed anew: one Set-Cookie for each name still.
func TestLogoutAfterSealingAnew(t *testing.T) {
	for _, kept := range []string{"in cookies", "in a store"} {
		t.Run(kept, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Provider: longTokens})
				if kept == "in a store" {
					a, _ = newStoreApp(t, apptest.Config{Provider: longTokens})
				}
				a.NoEndSession()
				a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("POST /account/leave", a.Auth.Logout) }
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(12 * time.Hour)
				if resp := b.Post("/account/leave", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
					t.Errorf("%d, left with %v", resp.StatusCode, b.Cookies())
				}
			})
		})
	}
}

// alexedwards/scs#141, #186: a wrapped ResponseWriter loses interfaces. Ours
// is not wrapped: what goes in comes out.
func TestResponseWriterIsNotWrapped(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	same := false
	var given http.ResponseWriter
	h := a.Auth.Handler(a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok := oauthlogin.FromContext(r.Context())
		same = ok && w == given
	})))
	r := httptest.NewRequest(http.MethodGet, "https://app.test/x", nil)
	r.Header.Set("Cookie", apptest.SessionCookie+"="+b.Cookies()[apptest.SessionCookie])
	given = &struct{ *httptest.ResponseRecorder }{httptest.NewRecorder()}
	h.ServeHTTP(given, r)
	if !same {
		t.Error("next got another ResponseWriter")
	}
}

// The same over a socket: server-sent events, protocol upgrades, trailers, HEAD.
func TestStreams(t *testing.T) {
	t.Parallel()
	a := apptest.NewTLS(t, apptest.Config{})
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/events", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: one\n\n")
			for _, err := range []error{control.SetWriteDeadline(time.Now().Add(time.Minute)), control.Flush()} {
				if err != nil {
					t.Error(err)
				}
			}
			<-released
			fmt.Fprint(w, "data: two\n\n")
		})))
		mux.Handle("/upgrade", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			buf.Flush()
			line, _ := buf.ReadString('\n')
			fmt.Fprint(buf, "echo "+line)
			buf.Flush()
		})))
		mux.Handle("/trailers", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Error("no io.ReaderFrom")
			}
			io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 9000)), 9000))
			w.Header().Set("X-Sum", "9000")
		})))
	}
	b := a.Browser(t)
	b.Login("/dashboard")

	resp, err := b.Client.Do(b.Request(http.MethodGet, "/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewReader(resp.Body)
	if line, _ := events.ReadString('\n'); line != "data: one\n" {
		t.Errorf("%q before the handler returned", line)
	}
	release()
	if rest, _ := io.ReadAll(events); !strings.Contains(string(rest), "two") {
		t.Errorf("%q", rest)
	}

	resp, err = b.Client.Do(b.Request(http.MethodGet, "/upgrade", nil, "Connection", "Upgrade", "Upgrade", "echo"))
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	conn := resp.Body.(io.ReadWriteCloser)
	defer conn.Close()
	fmt.Fprint(conn, "hello\n")
	if line, _ := bufio.NewReader(conn).ReadString('\n'); line != "echo hello\n" {
		t.Errorf("%q", line)
	}

	if resp := b.Get("/trailers"); resp.Trailer.Get("X-Sum") != "9000" || len(resp.Text) != 9000 {
		t.Errorf("%d bytes, trailer %v", len(resp.Text), resp.Trailer)
	}
	if resp := b.Do(b.Request(http.MethodHead, "/dashboard", nil)); resp.StatusCode != http.StatusOK || resp.Text != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, resp.Text)
	}
	if resp := a.Browser(t).Get("/upgrade", "Connection", "Upgrade", "Upgrade", "echo"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("upgrade of nobody: %d", resp.StatusCode)
	}
}

// CVE-2022-24794 of express-openid-connect: GET //evil.example through a gate
// on everything became the return path. The bytes are what an attacker sends.
func TestReturnPathOfOddRequestLines(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	server := httptest.NewServer(a.Auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("handler ran")
	})))
	defer server.Close()
	for target, want := range map[string]string{
		"/x":                        "/x",
		"/x?a=b;c":                  "/x?a=b;c",
		"//evil.test/x":             "/",
		"///evil.test/x":            "/",
		`/\evil.test`:               "/",
		"/%5cevil.test":             "/",
		"/.//evil.test":             "/.//evil.test",
		"http://evil.test/x":        "/x",
		"http://evil.test//evil.it": "/",
		"http:evil.test":            "/",
		"/dashboard%23/public":      "/dashboard%23/public",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n", target)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got != "/login?return_to="+url.QueryEscape(want) {
			t.Errorf("%s: %d to %q, want back to %s", target, resp.StatusCode, got, want)
		}
	}
}
