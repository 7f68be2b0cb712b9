package oauthlogin_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// ordinaryPaths have to survive a login byte for byte.
var ordinaryPaths = []string{
	"/",
	"/?",
	"/app",
	"/app/",
	"/app?x=1",
	"/a//b",
	"/a/../b",
	"/a/./b",
	"/a;b=c",
	"/a:b",
	"/@alice",
	"/~alice/*(1)!$'",
	"/.well-known/x",
	"/a?x=1#frag",
	"/#/route/of/a/script?x=1",
	"/confirm/me@example.com",
	"/search?q=a%20b+c&u=http%3A%2F%2Fx",
	"/app?next=https://other.example/a//b",
	"/app?next=//other.example",
	"/app?next=/login",
	"/p/%2F%2Fevil.com",
	"/%2F/evil.com",
	"/%E2%82%AC",
	"/%e2%82%ac",
	"/caf%C3%A9?q=%F0%9F%98%80",
	"/url%20with%20spaces/",
	"/100%25",
	"/app?half=%zz",
	"/login2",
	"/loginpage/login",
	"/auth/callback/status",
	"/log%2Fin",
	"/deep" + strings.Repeat("/seg", 60),
	"/app?q=" + strings.Repeat("a", 2000),
}

// hostilePaths lead off our origin in one browser or another, or to where
// nobody wants to return: all of them become "/".
var hostilePaths = []struct{ name, path string }{
	{"nothing", ""},
	{"another origin", "https://evil.example/x"},
	{"another origin in capital letters", "HTTPS://evil.example"},
	{"another origin without a scheme", "//evil.example/x"},
	{"three slashes", "///evil.example/x"},
	{"four slashes", "////evil.example"},
	{"our own origin in full", "https://app.test/dashboard"},
	{"a scheme without slashes", "https:evil.example"},
	{"a scheme with one slash", "https:/evil.example"},
	{"a script", "javascript:alert(1)"},
	{"a script after a slash and a newline", "/\njavascript:alert(1)"},
	{"data", "data:text/html,hello"},
	{"a relative path", "dashboard"},
	{"a query alone", "?x"},
	{"a fragment alone", "#x"},
	{"a host name", "evil.example"},
	{"a dot first", "./dashboard"},
	{"a dot and two slashes", ".//evil.example"},
	// CVE-2020-5233 of oauth2-proxy.
	{"a backslash", `/\evil.example`},
	{"two backslashes", `\\evil.example`},
	{"a backslash first", `\/evil.example`},
	{"a slash, a backslash and a slash", `/\/evil.example`},
	{"a backslash further on", `/a\b`},
	{"a backslash in the query", `/a?x=\b`},
	{"an encoded backslash", "/%5cevil.example"},
	{"an encoded backslash further on", "/a/%5C/b"},
	// net/http.Redirect makes /\evil.example of it.
	{"a dot and a backslash", `/./\evil.example`},
	{"two dots and a backslash", `/x/../\evil.example`},
	{"user information behind slashes", `///\;@evil.example`},
	// CVE-2020-11053 of oauth2-proxy: decoded once, these are in the path.
	{"a tab", "/\t/evil.example"},
	{"a tab first", "\t//evil.example"},
	{"a newline", "/\n/evil.example"},
	{"a carriage return", "/\r/evil.example"},
	{"a vertical tab", "/\v/evil.example"},
	{"a null byte", "/\x00/evil.example"},
	{"a delete", "/\x7f/evil.example"},
	{"a space", "/ /evil.example"},
	{"a space first", " //evil.example"},
	{"a header", "/x\r\nSet-Cookie: a=b"},
	{"a full-width slash", "/\uff0fevil.example"},
	{"a division slash", "/\u2215evil.example"},
	{"an ideographic full stop", "//evil\u3002example"},
	{"an ideographic space", "/\u3000/evil.example"},
	{"a byte order mark", "\ufeff//evil.example"},
	{"bytes that are no UTF-8", "/\xff\xfe"},
	{"a letter beyond ASCII", "/é"},
	{"a malformed escape", "/%zz"},
	{"an escape cut short", "/a%2"},
	{"too long a path", "/" + strings.Repeat("a", 2048)},

	{"the login path", "/login"},
	{"the login path with a query", "/login?return_to=/login"},
	{"the login path with an empty query", "/login?"},
	{"the login path with a fragment", "/login#x"},
	{"the login path with a slash", "/login/"},
	{"the login path with two slashes", "/login//"},
	{"the login path behind a slash", "//login"},
	{"the login path behind a dot", "/./login"},
	{"the login path behind an encoded dot", "/%2e/login"},
	{"the login path behind two dots", "/x/../login"},
	{"the login path behind encoded dots", "/x/%2E%2e/login"},
	{"the login path behind a fragment that is none", "/x%23/../login"},
	{"the login path behind a query that is none", "/x%3f/../login"},
	{"the login path before a dot", "/login/."},
	{"the login path before two dots", "/login/x/.."},
	{"the login path with an escape", "/%6cogin"},
	{"the login path in escapes", "/%6C%6F%67%69%6E?x"},
	{"the callback path", "/auth/callback"},
	{"the callback path with a code", "/auth/callback?code=x&state=y"},
	{"the callback path with two slashes", "/auth//callback"},
	{"the callback path with an encoded slash", "/auth%2Fcallback"},
	{"the logout path", "/logout"},
	{"the logout path in disguise", "/.//%6Cogout/#x"},
}

// RFC 9700 section 4.11: through a whole login, and out of a logout.
func TestReturnPath(t *testing.T) {
	t.Parallel()
	a := newLocalApp(t, nil)
	b := a.browser(t)
	// The redirect, as it is: no client's parser between it and the test.
	loginLeadsTo := func(t *testing.T, path string) string {
		resp := b.get(b.callbackURL("/login?return_to=" + url.QueryEscape(path)))
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("callback: %d %s", resp.StatusCode, resp.body)
		}
		return resp.location()
	}
	logoutLeadsTo := func(t *testing.T, path string) string {
		w := a.serve(http.MethodPost, "/logout?return_to="+url.QueryEscape(path))
		if w.Code != http.StatusSeeOther {
			t.Fatalf("logout: %d", w.Code)
		}
		return w.Header().Get("Location")
	}
	for _, path := range ordinaryPaths {
		if got := loginLeadsTo(t, path); got != path {
			t.Errorf("login for %q leads to %q", path, got)
		}
		if got := logoutLeadsTo(t, path); got != path {
			t.Errorf("logout for %q leads to %q", path, got)
		}
	}
	for _, test := range hostilePaths {
		t.Run(test.name, func(t *testing.T) {
			if got := loginLeadsTo(t, test.path); got != "/" {
				t.Errorf("login for %q leads to %q", test.path, got)
			}
			if got := logoutLeadsTo(t, test.path); got != "/" {
				t.Errorf("logout for %q leads to %q", test.path, got)
			}
		})
	}
	t.Run("two of them", func(t *testing.T) {
		resp := b.get(b.callbackURL("/login?return_to=%2Fa&return_to=%2Fb"))
		if resp.location() != "/" {
			t.Errorf("login leads to %q", resp.location())
		}
	})
}

// What the gate stores is the path and query that was asked for, and it is
// restored byte for byte.
func TestGateReturnsToWhatWasAsked(t *testing.T) {
	t.Parallel()
	a := newLocalApp(t, nil)
	gate := a.auth.RequireAuth(http.NotFoundHandler())
	for _, path := range ordinaryPaths {
		if strings.Contains(path, "#") {
			continue // which browsers keep to themselves
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL, r.RequestURI = u, path
		gate.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != "/login?return_to="+url.QueryEscape(path) {
			t.Errorf("%s: %d to %q", path, w.Code, got)
		}
	}
}

// CVE-2022-24794 of express-openid-connect, CVE-2026-41059 of oauth2-proxy: a
// request target is any text, and the gate wraps routers that would clean it.
func TestOddRequestTargets(t *testing.T) {
	t.Parallel()
	a := newLocalApp(t, nil)
	server := httptest.NewServer(a.auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the handler ran for %q", r.RequestURI)
	})))
	t.Cleanup(server.Close)

	for _, test := range []struct {
		target   string
		returnTo string // "": no redirect to the login
	}{
		{"//evil.com/x", "/"},
		{"///evil.com/x", "/"},
		{`/\evil.com`, "/"},
		{`/x/..\..\evil.com`, "/"},
		{"http://evil.com/x", "/x"},
		{"http://evil.com//evil.com/x", "/"},
		{"http://evil.com", "/"},
		{"https://user@evil.com/x?y", "/x?y"},
		{"http:evil.com", "/"},
		{"javascript:alert(1)", "/"},
		{"evil.com", ""},
		{"?x", ""},
		{"*", "/"},
		{"/admin#/public", "/admin#/public"},
		{"/admin%23/public", "/admin%23/public"},
		{"/admin?x=/public", "/admin?x=/public"},
		{"/admin;/../public", "/admin;/../public"},
		{"/public/../admin", "/public/../admin"},
		{"/public/%2e%2e/admin", "/public/%2e%2e/admin"},
		{"/%09/evil.com", "/%09/evil.com"},
		{"/%5cevil.com", "/"},
		{"//login", "/"},
		{"/./login", "/"},
		{"/login/", "/"},
		{"/logout/", "/"},
		{"/auth/callback/", "/"},
		{"/LOGIN", "/LOGIN"},
		{"/\xff", "/"},
		{"/a\x0bb", ""},
	} {
		t.Run(fmt.Sprintf("%q", test.target), func(t *testing.T) {
			t.Parallel()
			resp := sendTarget(t, server.Listener.Addr().String(), http.MethodGet, test.target)
			location := resp.Header.Get("Location")
			switch {
			case resp.Header.Get("Set-Cookie") != "":
				t.Errorf("cookies %v", resp.Cookies())
			case test.returnTo == "" && (resp.StatusCode != http.StatusBadRequest || location != ""):
				t.Errorf("%d to %q", resp.StatusCode, location)
			case test.returnTo != "" && (resp.StatusCode != http.StatusFound || location != "/login?return_to="+url.QueryEscape(test.returnTo)):
				t.Errorf("%d to %q; want to return to %q", resp.StatusCode, location, test.returnTo)
			}
		})
	}
	for _, method := range []string{http.MethodConnect, http.MethodOptions, http.MethodTrace, "GET\t", "get", "X"} {
		if resp := sendTarget(t, server.Listener.Addr().String(), method, "/admin"); resp.StatusCode < 400 {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

// sendTarget sends a request line as it is, which net/http's client would
// not.
func sendTarget(t *testing.T, addr, method, target string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n", method, target)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// A path that the login page was moved to is guarded as the default is.
func TestReturnPathGuardsConfiguredPaths(t *testing.T) {
	t.Parallel()
	a := newLocalApp(t, func(o *oauthlogin.Options) {
		o.LoginPath, o.LogoutPath = "/account/sign-in", "/account/sign-out/"
		second := plainProvider("two", "https://app.test/auth/callback/two")
		second.Identify = func(context.Context, *http.Client) (oauthlogin.User, error) { return oauthlogin.User{}, nil }
		o.Providers = append(o.Providers, second)
	})
	b := a.browser(t)
	for path, want := range map[string]string{
		"/account/sign-in": "/", "/account/sign-in/": "/", "/account//sign-in?x": "/", "/account/sign-out": "/", "/account/sign-out/": "/",
		"/auth/callback": "/", "/auth/callback/two": "/", "/auth/callback/two/": "/",
		"/login": "/login", "/account": "/account", "/auth/callback/three": "/auth/callback/three",
	} {
		resp := b.get(b.callbackURL("/account/sign-in?provider=test&return_to=" + url.QueryEscape(path)))
		if resp.location() != want {
			t.Errorf("login for %q leads to %q", path, resp.location())
		}
	}
}
