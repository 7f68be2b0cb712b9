package oauthlogin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OpenIDC/mod_auth_openidc#220, oauth2-proxy#1393, mesop#1389: only navigations are
// redirected.
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
		{"a client without these headers", "GET", "", redirect},

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
		{"a page prefetched through a proxy", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch;anonymous-client-ip", refuse},
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
				loginURL := back
				if tt.method != http.MethodGet {
					loginURL = "/login?return_to=%2F"
				}
				// Browsers ask for a password if the scheme is Basic.
				if resp.StatusCode != http.StatusUnauthorized || resp.Location() != "" || resp.Header.Get("WWW-Authenticate") != `Cookie realm="oauthlogin"` ||
					resp.Header.Get("Content-Type") != "application/json" || strings.TrimSpace(resp.Text) != `{"error":"unauthenticated","login_url":"`+loginURL+`"}` {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, resp.Text)
				}
			}
			if resp.Header.Get("Set-Cookie")+resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("Cache-Control") != "no-store" || a.Called("/dashboard") > 0 {
				t.Errorf("headers %v, handler ran %d times", resp.Header, a.Called("/dashboard"))
			}
		})
	}
	if n := a.Provider.Count(oauthlogintest.Authorization) + a.Provider.Count(oauthlogintest.Discovery); n > 0 {
		t.Errorf("%d requests to the provider", n)
	}
}

// After the login the user returns to the page of the script and not to its API.
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
		{"from another host, with this one as its user", "GET", "https://app.test@evil.test/", "/dashboard?q=1"},
		{"from a path of two slashes", "GET", "https://app.test//evil.test/", "/"},
		{"from a path with a backslash", "GET", `https://app.test/\evil.test/`, "/"},
		{"from the login page", "GET", "https://app.test/login?return_to=/x", "/"},
		{"from the callback", "GET", "https://app.test/auth/callback?code=c&state=s", "/"},
		{"with a malformed referrer", "GET", "%zz", "/dashboard?q=1"},
		{"with an opaque referrer", "GET", "about:blank", "/dashboard?q=1"},
	} {
		b := a.Browser(t)
		resp := b.Do(b.Request(tt.method, "/dashboard?q=1", nil, "Sec-Fetch-Mode", "cors", "Accept", "*/*", "Referer", tt.referer))
		want := fmt.Sprintf(`{"error":"unauthenticated","login_url":"/login?return_to=%s"}`, url.QueryEscape(tt.returnTo))
		if resp.StatusCode != http.StatusUnauthorized || strings.TrimSpace(resp.Text) != want {
			t.Errorf("%s: %d %s, want %s", tt.name, resp.StatusCode, resp.Text, want)
		}
	}
}

// In every arrangement of Handler and RequireAuth a guarded page is guarded, and a
// login is one login.
func TestArrangements(t *testing.T) {
	t.Parallel()
	type middleware = *oauthlogin.Middleware
	for _, tt := range []struct {
		name string
		wrap func(auth middleware, page http.Handler) http.Handler
	}{
		{"RequireAuth alone", func(auth middleware, page http.Handler) http.Handler { return auth.RequireAuth(page) }},
		{"RequireAuth inside Handler", func(auth middleware, page http.Handler) http.Handler { return auth.Handler(auth.RequireAuth(page)) }},
		{"RequireAuth around Handler", func(auth middleware, page http.Handler) http.Handler { return auth.RequireAuth(auth.Handler(page)) }},
		{"RequireAuth twice", func(auth middleware, page http.Handler) http.Handler { return auth.RequireAuth(auth.RequireAuth(page)) }},
		{"Handler twice", func(auth middleware, page http.Handler) http.Handler {
			return auth.Handler(auth.Handler(auth.RequireAuth(page)))
		}},
		{"both twice", func(auth middleware, page http.Handler) http.Handler {
			return auth.Handler(auth.RequireAuth(auth.Handler(auth.RequireAuth(page))))
		}},
		{"paths mounted one by one", func(auth middleware, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("/login", auth.Login)
			mux.HandleFunc("/auth/callback", auth.Callback)
			mux.HandleFunc("POST /logout", auth.Logout)
			mux.Handle("/", auth.RequireAuth(page))
			return mux
		}},
		{"RequireAuth around the paths mounted one by one", func(auth middleware, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/login", auth.RequireAuth(http.HandlerFunc(auth.Login)))
			mux.Handle("/auth/callback", auth.RequireAuth(http.HandlerFunc(auth.Callback)))
			mux.Handle("/logout", auth.RequireAuth(http.HandlerFunc(auth.Logout)))
			mux.Handle("/", page)
			return auth.RequireAuth(mux)
		}},
		{"a page under a prefix", func(auth middleware, page http.Handler) http.Handler {
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
			if vary, n := resp.Header.Values("Vary"), a.Provider.Count(oauthlogintest.Token); len(vary) != 1 || n != 1 {
				t.Errorf("Vary %q, %d token requests", vary, n)
			}
			if resp := b.Do(b.Request(http.MethodHead, "/page/x", nil)); resp.StatusCode != http.StatusOK || calls() != 2 {
				t.Errorf("HEAD: %d", resp.StatusCode)
			}
			if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther {
				t.Errorf("logout: %d", resp.StatusCode)
			}
			if resp := b.Get("/page/x"); resp.StatusCode != http.StatusFound || calls() != 2 {
				t.Errorf("after logout: %d", resp.StatusCode)
			}
		})
	}
}

// Two Middlewares in one application, one inside the other, each with its own users.
func TestTwoMiddlewares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		staff := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{
			AccessTokenTTL: 300 * 24 * time.Hour, NoRefreshTokens: true,
			Clients: []oauthlogintest.Client{{ID: "customers", Secret: "another-s3cret", RedirectURIs: []string{"https://app.test/customers/callback"}}},
		}})
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
					if _, err := apptest.Read(r.Context(), auth.Client(r.Context()), "https://api.test/"); err != nil {
						fmt.Fprint(w, " ", err)
					}
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
			time.Sleep(30 * time.Minute) // now one is resealed, now the other: see apptest.Audited
		}
	})
}

// A logout that is mounted elsewhere may follow on a session that Handler has just
// resealed: there is one Set-Cookie for each name, as apptest.Audited checks.
func TestLogoutAfterSealingAnew(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		a.NoEndSession()
		a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("POST /account/leave", a.Auth.Logout) }
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(12 * time.Hour)
		if resp := b.Post("/account/leave", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
			t.Errorf("%d, left with %v", resp.StatusCode, b.Cookies())
		}
	})
}

// alexedwards/scs#141, #186: a wrapped ResponseWriter loses interfaces. The next
// handler gets the ResponseWriter itself.
func TestResponseWriterIsNotWrapped(t *testing.T) {
	t.Parallel()
	a, b := apptest.SignedIn(t, apptest.Config{})
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

// A return path that a script's login URL cannot have is dropped, and the log says so.
func TestReturnPathsOfScriptsAreDropped(t *testing.T) {
	t.Parallel()
	for query, dropped := range map[string]bool{"q=1": false, "q=" + strings.Repeat("a", 3900): false, "q=" + strings.Repeat("a", 5000): true, strings.Repeat("&", 3900): true} {
		a := apptest.New(t, apptest.Config{})
		resp := a.Browser(t).Get("/dashboard?"+query, apptest.AsScript...)
		if len(resp.Text) > 8100 || strings.Contains(resp.Text, "return_to=%2F\"") != dropped || strings.Contains(a.Log.String(), "return path dropped") != dropped {
			t.Errorf("%.10s: %s", query, a.Log)
		}
	}
}
