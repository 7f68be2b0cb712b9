package oauthlogin_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OpenIDC/mod_auth_openidc#220, oauth2-proxy#1393, mesop#1389: only navigations are
// redirected. Whoever reads the response decides its form: a window shows a page, and a
// script reads JSON.
func TestRequireAuthResponds(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	const redirect, aPage, inJSON = "a redirect", "a page", "JSON"
	for _, tt := range []struct {
		name, method string
		header       string // name: value; name: value
		gets         string
		returnTo     string // "": itself for GET and HEAD, else "/"
	}{
		{"a page", "GET", "Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: document; Accept: text/html", redirect, ""},
		{"a page in a frame", "GET", "Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: iframe", redirect, ""},
		{"a page from another site", "GET", "Sec-Fetch-Mode: navigate; Sec-Fetch-Site: cross-site", redirect, ""},
		{"a page, whatever it accepts", "GET", "Sec-Fetch-Mode: navigate; Accept: application/json", redirect, ""},
		{"the head of a page", "HEAD", "Sec-Fetch-Mode: navigate", redirect, ""},
		{"a page in an old browser", "GET", "Accept: text/html,application/xhtml+xml,*/*;q=0.8", redirect, ""},
		{"a page in capitals", "GET", "Accept: TEXT/HTML", redirect, ""},
		{"curl", "GET", "Accept: */*", redirect, ""},
		{"curl -I", "HEAD", "Accept: */*", redirect, ""},
		{"a client without these headers", "GET", "", redirect, ""},

		{"fetch", "GET", "Sec-Fetch-Mode: cors; Sec-Fetch-Dest: empty; Accept: */*", inJSON, ""},
		{"fetch of the same origin", "GET", "Sec-Fetch-Mode: same-origin; Accept: */*", inJSON, ""},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors; Sec-Fetch-Dest: image; Accept: image/avif,*/*", inJSON, ""},
		{"a service worker", "GET", "Sec-Fetch-Mode: same-origin; Sec-Fetch-Dest: serviceworker", inJSON, ""},
		{"a WebSocket", "GET", "Sec-Fetch-Mode: websocket; Upgrade: websocket; Connection: Upgrade", inJSON, ""},
		{"a WebSocket in an old browser", "GET", "Upgrade: websocket; Connection: Upgrade; Accept: */*", inJSON, ""},
		{"server-sent events", "GET", "Sec-Fetch-Mode: cors; Accept: text/event-stream", inJSON, ""},
		{"server-sent events in an old browser", "GET", "Accept: text/event-stream", inJSON, ""},
		{"XMLHttpRequest in an old browser", "GET", "X-Requested-With: XMLHttpRequest; Accept: text/html,*/*", inJSON, ""},
		{"a JSON client", "GET", "Accept: application/json", inJSON, ""},
		{"a JSON client with a version", "GET", "Accept: application/vnd.api+json;version=2", inJSON, ""},
		{"a PUT", "PUT", "Accept: */*", inJSON, ""},
		{"a CORS preflight", "OPTIONS", "Sec-Fetch-Mode: cors; Origin: https://other.test; Access-Control-Request-Method: GET", inJSON, ""},
		{"a prefetched page", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch", inJSON, ""},
		{"a prerendered page", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch;prerender", inJSON, ""},
		{"a page prefetched through a proxy", "GET", "Sec-Fetch-Mode: navigate; Sec-Purpose: prefetch;anonymous-client-ip", inJSON, ""},
		{"a page prefetched by an old browser", "GET", "Purpose: prefetch; Accept: text/html", inJSON, ""},
		{"a page prefetched by Firefox", "GET", "X-Moz: prefetch; Accept: text/html", inJSON, ""},
		{"a preview in Safari", "GET", "X-Purpose: preview; Accept: text/html", inJSON, ""},

		{"a form", "POST", "Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: document; Accept: " + acceptHTML + "; Referer: https://app.test/edit?id=7", aPage, "/edit?id=7"},
		{"a form of another site", "POST", "Sec-Fetch-Mode: navigate; Accept: " + acceptHTML + "; Referer: https://evil.test/edit", aPage, ""},
		{"a form without a referrer", "POST", "Sec-Fetch-Mode: navigate; Accept: " + acceptHTML, aPage, ""},
		{"a form in an old browser", "POST", "Accept: " + acceptHTML + "; Referer: https://app.test/edit", aPage, "/edit"},
		{"DELETE in the window", "DELETE", "Sec-Fetch-Mode: navigate", aPage, ""},
		{"an unknown method", "PROPFIND", "Accept: text/html", aPage, ""},
		{"a page through a service worker", "GET", "Sec-Fetch-Mode: same-origin; Sec-Fetch-Dest: empty; Accept: " + acceptHTML, redirect, ""},
		{"a form through a service worker", "POST", "Sec-Fetch-Mode: same-origin; Accept: " + acceptHTML + "; Referer: https://app.test/edit", aPage, "/edit"},
		{"fetch of HTML", "GET", "Sec-Fetch-Mode: cors; Accept: text/html, application/xhtml+xml", aPage, ""},
		{"an image in an old Safari", "GET", "Accept: image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", inJSON, ""},
		{"a style sheet in an old Safari", "GET", "Accept: text/css,*/*;q=0.1; Referer: https://app.test/inbox", inJSON, "/inbox"},
		{"axios without Sec-Fetch", "GET", "Accept: application/json, text/plain, */*", inJSON, ""},
		{"axios", "POST", "Sec-Fetch-Mode: cors; Accept: application/json, text/plain, */*", inJSON, ""},
		{"a web view on Android", "GET", "Accept: " + acceptHTML + "; X-Requested-With: com.example.app", redirect, ""},
		{"XMLHttpRequest", "GET", "Accept: */*; X-Requested-With: xmlhttprequest", inJSON, ""},
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
			returnTo := cmp.Or(tt.returnTo, "/")
			if tt.returnTo == "" && (tt.method == http.MethodGet || tt.method == http.MethodHead) {
				returnTo = "/dashboard?q=1&r=a%2Fb"
			}
			loginURL := "/login?return_to=" + url.QueryEscape(returnTo)
			if tt.gets == redirect {
				if resp.StatusCode != http.StatusFound || resp.Location() != loginURL {
					t.Errorf("%d to %q", resp.StatusCode, resp.Location())
				}
			} else {
				// Browsers ask for a password if the scheme is Basic.
				if resp.StatusCode != http.StatusUnauthorized || resp.Location() != "" || resp.Header.Get("WWW-Authenticate") != `Cookie realm="oauthlogin"` {
					t.Errorf("%d %v", resp.StatusCode, resp.Header)
				}
				isPage := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") && slices.Equal(resp.Links(), []string{loginURL})
				isJSON := resp.Header.Get("Content-Type") == "application/json" && strings.TrimSpace(resp.Text) == `{"error":"unauthenticated","login_url":"`+loginURL+`"}`
				if isPage != (tt.gets == aPage) || isJSON != (tt.gets == inJSON) {
					t.Errorf("%v %s, want %s", resp.Header, resp.Text, tt.gets)
				}
			}
			if resp.Header.Get("Set-Cookie")+resp.Header.Get("Access-Control-Allow-Origin")+resp.Header.Get("HX-Redirect") != "" || resp.Header.Get("Cache-Control") != "no-store" || a.Called("/dashboard") > 0 {
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

// acceptHTML is the Accept header of a browser's navigation.
const acceptHTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// The page that a form gets is the application's ErrorHandler's to write, and leads back
// to the form.
func TestFormComesBackAfterTheLogin(t *testing.T) {
	t.Parallel()
	var failed failures
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.ErrorHandler = failed.handle }})
	b := a.Browser(t)
	resp := b.Post("/dashboard", url.Values{"text": {"hello"}}, "Sec-Fetch-Mode", "navigate", "Referer", "https://app.test/dashboard?edit=7")
	if resp.StatusCode != http.StatusUnauthorized || failed.code() != "unauthenticated" {
		t.Fatalf("%d, ErrorHandler got %q", resp.StatusCode, failed.code())
	}
	if resp = b.Follow(failed.last.RetryURL); resp.Request.URL.RequestURI() != "/dashboard?edit=7" || resp.StatusCode != http.StatusOK {
		t.Errorf("the link leads to %s", resp.Request.URL)
	}
}

// htmx follows HX-Redirect, and says in HX-Current-URL which page it is on.
func TestHTMX(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, currentURL, referer, returnTo string
	}{
		{"a page", "GET", "https://app.test/list?page=2#top", "", "/list?page=2"},
		{"a form", "POST", "https://app.test/list?page=2", "", "/list?page=2"},
		{"another origin", "POST", "https://evil.test/list", "", "/"},
		{"the host inside", "POST", "https://backend.internal/list", "", "/"},
		{"no URL", "GET", "", "", "/dashboard"},
		{"a page whose Referrer-Policy cuts the path", "GET", "https://app.test/list?page=2", "https://app.test/", "/list?page=2"},
		{"a page of which htmx has replaced the address", "POST", "https://app.test/list?page=3", "https://app.test/list?page=2", "/list?page=3"},
		{"another origin in a page", "GET", "https://evil.test/list", "https://app.test/list?page=2", "/list?page=2"},
	} {
		a := apptest.New(t, apptest.Config{})
		a.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
		b := a.Browser(t)
		ask := func(path string) (hxRedirect string, body map[string]string) {
			resp := b.Do(b.Request(tt.method, path, nil, "HX-Request", "true", "HX-Current-URL", tt.currentURL, "Referer", tt.referer, "Sec-Fetch-Mode", "cors", "Accept", "*/*"))
			if err := json.Unmarshal([]byte(resp.Text), &body); err != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", tt.name, resp.StatusCode, resp.Text)
			}
			return resp.Header.Get("HX-Redirect"), body
		}
		hxRedirect, body := ask("/dashboard")
		if want := "/login?return_to=" + url.QueryEscape(tt.returnTo); hxRedirect != want || body["login_url"] != want {
			t.Errorf("%s: HX-Redirect %q, login_url %q", tt.name, hxRedirect, body["login_url"])
		}
		b.Login("/dashboard")
		hxRedirect, body = ask("/guarded")
		if hxRedirect == "" || body["login_url"] != hxRedirect || body["error"] != "insufficient_user_authentication" {
			t.Errorf("%s: step-up: HX-Redirect %q, body %v", tt.name, hxRedirect, body)
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

// withPrefix puts back the prefix that a proxy strips, as docs/reverse-proxies.md shows.
func withPrefix(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path, r.RequestURI = prefix+r.URL.Path, prefix+r.RequestURI
		if r.URL.RawPath != "" {
			r.URL.RawPath = prefix + r.URL.RawPath
		}
		next.ServeHTTP(w, r)
	})
}

// below serves an application at https://app.test/app, behind a proxy that strips the
// prefix.
func below(t *testing.T, mount func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler) *apptest.App {
	t.Helper()
	const redirectURL = "https://app.test/app/auth/callback"
	a := apptest.New(t, apptest.Config{
		Provider: oauthlogintest.Config{Clients: []oauthlogintest.Client{{ID: "below", Secret: "s3cret-below", RedirectURIs: []string{redirectURL}}}},
		Change: func(o *oauthlogin.Options) {
			o.LoginPath, o.LogoutPath = "/app/login", "/app/logout"
			o.Providers[0].OAuth2 = &oauth2.Config{ClientID: "below", ClientSecret: "s3cret-below", RedirectURL: redirectURL}
		},
	})
	mux := http.NewServeMux()
	mux.Handle("/", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "%s for %s", r.URL.Path, s.User.Subject)
	})))
	served := mount(a.Auth, mux)
	a.Net["app.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // the proxy
		target, ok := strings.CutPrefix(r.RequestURI, "/app")
		if !ok {
			http.NotFound(w, r)
			return
		}
		inside := httptest.NewRequestWithContext(r.Context(), r.Method, target, r.Body)
		inside.Header, inside.Host = r.Header, r.Host
		served.ServeHTTP(w, inside)
	})
	return a
}

// A proxy may strip a prefix, which withPrefix puts back. Without it the login would lead
// to itself, and is an error that says so.
func TestPrefixThatAProxyStrips(t *testing.T) {
	t.Parallel()
	a := below(t, func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler {
		return withPrefix("/app", auth.Handler(http.StripPrefix("/app", mux)))
	})
	b := a.Browser(t)
	resp := b.Follow("/app/dashboard/a%2Fb?q=1")
	if resp.StatusCode != http.StatusOK || resp.Request.URL.RequestURI() != "/app/dashboard/a%2Fb?q=1" || resp.Text != "/dashboard/a/b for alice" {
		t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
	}
	if resp = b.Post("/app/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	if resp = b.Get("/app/dashboard"); resp.Location() != "/app/login?return_to=%2Fapp%2Fdashboard" {
		t.Errorf("signed out: %d to %q", resp.StatusCode, resp.Location())
	}
	a = below(t, func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler { return auth.Handler(mux) })
	for _, path := range []string{"/app/dashboard", "/app/auth/callback?code=x&state=y"} {
		b = a.Browser(t)
		resp = b.Follow(path)
		if resp.StatusCode != http.StatusInternalServerError || resp.Request.URL.Path == "/app/dashboard" {
			t.Errorf("%s leads to %s: %d", path, resp.Request.URL, resp.StatusCode)
		}
	}
	if log := a.Log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "code=internal") || !strings.Contains(log, "strips a prefix") {
		t.Error(log)
	}
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

// The response to an older request never takes away the newer session's cookie.
func TestOldRequestsLeaveTheNewCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		older := b.Cookies()
		time.Sleep(3 * time.Hour) // due to be refreshed and sealed anew
		b.Login("/dashboard")
		if w := a.Ask(t.Context(), older, "/dashboard"); w.Code != http.StatusOK || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("a request of the session before: %d %v", w.Code, w.Header()["Set-Cookie"])
		}
		a.RespondToRefreshes(apptest.RespondWith(400, `{"error":"invalid_grant"}`))
		time.Sleep(time.Hour)
		if w := a.Ask(t.Context(), older, "/dashboard"); w.Code != http.StatusFound || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("a refused refresh of the session before: %d %v", w.Code, w.Header()["Set-Cookie"])
		}
	})
}

// A cookie that is sealed anew goes out with pages and fetches, and not with files:
// applications may let caches keep those.
func TestFilesSetNoCookie(t *testing.T) {
	t.Parallel()
	for dest, sets := range map[string]bool{
		"document": true, "empty": true, "iframe": true, "": true,
		"image": false, "style": false, "script": false, "font": false, "video": false, "audio": false, "track": false, "manifest": false, "worker": false, "serviceworker": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 5 * time.Hour}})
			cookies := b.Cookies()
			ask := func() bool {
				w := a.Ask(t.Context(), cookies, "/dashboard", "Sec-Fetch-Dest", dest, "Sec-Fetch-Mode", "no-cors")
				if w.Code != http.StatusOK {
					t.Errorf("%s: %d", dest, w.Code)
				}
				return apptest.SetsSession(w)
			}
			time.Sleep(3 * time.Hour) // a tenth of the idle limit is over
			if got := ask(); got != sets {
				t.Errorf("%s: sets a cookie %t", dest, got)
			}
			time.Sleep(2*time.Hour - 30*time.Second) // a refresh is due, and the token alive
			ask()
			if got := len(a.Refreshes(t)) == 1; got != sets {
				t.Errorf("%s: refreshes while the token lives: %t", dest, got)
			}
			time.Sleep(time.Minute)
			if !ask() {
				t.Errorf("%s: sets no cookie when the token is over", dest)
			}
			a.WantRefreshes(t, 1)
		})
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
