package oauthlogin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// The bytes are what the attacker's link, or a client that is not a browser,
// puts on the wire.
func requestTargets(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	catchAll := a.CatchAll()
	var b *apptest.Browser
	targets := []string{
		"//hostile.test/x", "///hostile.test", `/\hostile.test`, `/\/hostile.test`, `/x\..\..\hostile.test`, "/%5chostile.test", "/.//hostile.test", "/x/..//hostile.test", "/%09/hostile.test", "/%2f/hostile.test",
		"http://hostile.test/x", "https://hostile.test//hostile.test/x", "http://hostile.test", "http://user:pass@hostile.test/", "http:hostile.test", "javascript:hostile()", "//hostile.test/../login",
	}
	for _, target := range targets {
		b = a.Browser(t)
		refused := a.Raw(b, catchAll, "GET "+target)
		stored := apptest.QueryOf(refused.Location()).Get("return_to")
		if refused.StatusCode != http.StatusFound || !strings.HasPrefix(refused.Location(), "/login?return_to=%2F") || apptest.BrowserOrigin(stored) != "https://app.test" {
			t.Errorf("GET %s: %d to %q", target, refused.StatusCode, refused.Location())
			continue
		}
		mayLead(a, "GET "+target, b.Get(b.CallbackURL(refused.Location())))
	}
	for _, target := range []string{"hostile.test", "?//hostile.test", "/a\x0bb", "/a b"} {
		a.Expect("GET "+target, a.Raw(b, catchAll, "GET "+target), http.StatusBadRequest, "")
	}
	// A router that cleans paths leads on by itself.
	for _, target := range []string{"//evil.test/x", "//evil.test/../dashboard", `/\evil.test/..//x`} {
		if resp := a.Raw(b, nil, "GET "+target); resp.Location() != "" && apptest.BrowserOrigin(resp.Location()) != "https://app.test" {
			t.Errorf("GET %s: %d to %q", target, resp.StatusCode, resp.Location())
		}
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(targets)})
}

// closed sends each request line to the gate around everything, and to the
// routes, with these headers: nothing opens, and no page follows the answer.
func closed(a *apptest.App, b *apptest.Browser, line string, header ...string) *apptest.Response {
	a.T.Helper()
	var resp *apptest.Response
	for _, h := range []http.Handler{nil, a.CatchAll()} {
		resp = a.Raw(b, h, line, header...)
		if resp.StatusCode == http.StatusOK && h != nil || strings.Contains(resp.Text, "secrets") || strings.Contains(resp.Text, "Subject") {
			a.T.Errorf("%s with %q: %d %s", line, header, resp.StatusCode, resp.Text)
		}
	}
	return resp
}

func publicPathInQuery(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, target := range []string{
		"/admin/?x=/public", "/admin/?/login", "/admin/?/auth/callback", "/admin/?x=/", "/dashboard?return_to=/login", "/admin/;/login", "/admin/x;/../public", "/admin/%3F/login",
	} {
		a.Expect(target, closed(a, b, "GET "+target), http.StatusFound, "/login?return_to="+url.QueryEscape(target))
	}
	a.Leaves(b, apptest.Aftermath{})
}

func publicPathInFragment(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, target := range []string{"/admin/%23/public", "/admin/#/public", "/admin/#/login", "/admin/x#/auth/callback?code=x", "/admin/#"} {
		a.Expect(target, closed(a, b, "GET "+target), http.StatusFound, "/login?return_to="+url.QueryEscape(target))
	}
	a.Leaves(b, apptest.Aftermath{})
}

// forwarded are headers by which others let themselves be told who asks for
// what, and where they are.
var forwarded = [][]string{
	{"Forwarded", "for=127.0.0.1;host=hostile.test;proto=http"},
	{"X-Forwarded-Host", "hostile.test", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81"},
	{"X-Forwarded-Uri", "/login"},
	{"X-Forwarded-Uri", "//hostile.test", "X-Forwarded-Method", "GET", "X-Forwarded-Prefix", "//hostile.test"},
	{"X-Forwarded-For", "127.0.0.1", "X-Real-Ip", "127.0.0.1", "True-Client-Ip", "127.0.0.1"},
	{"X-Original-Url", "/login", "X-Rewrite-Url", "/login"},
	{"X-Original-Url", "//hostile.test", "X-Rewrite-Url", "//hostile.test", "X-Original-Host", "hostile.test"},
	{"X-Http-Method-Override", "OPTIONS", "X-Http-Method", "OPTIONS"},
	{"Host", "hostile.test"},
	{"Host", "hostile.test", "X-Forwarded-Host", "app.test"},
	{"Referer", "https://hostile.test/", "Origin", "https://hostile.test"},
}

func forwardedHeaders(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, header := range forwarded {
		a.Expect(fmt.Sprint(header), closed(a, b, "GET /dashboard", header...), http.StatusFound, "/login?return_to=%2Fdashboard")
		if resp := closed(a, b, "GET /dashboard", append(header, "Accept", "application/json")...); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q as a script: %d", header, resp.StatusCode)
		}
		// Where we are is what was configured: RFC 9700 section 4.13.
		login := a.Raw(b, nil, "GET /login?return_to=/dashboard", header...)
		if got := apptest.QueryOf(login.Location()).Get("redirect_uri"); login.StatusCode != http.StatusSeeOther || got != "https://app.test/auth/callback" {
			t.Errorf("%q: %d with redirect_uri %q", header, login.StatusCode, got)
		}
	}
	a.Leaves(b, apptest.Aftermath{})
}

func hostHeader(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, host := range []string{"hostile.test", "hostile.test:443", "app.test.hostile.test", "app.test@hostile.test", "[::1]", "", "hostile.test/x"} {
		for _, line := range []string{"GET /login?return_to=/dashboard", "GET http://hostile.test/login?return_to=/dashboard"} {
			resp := a.Raw(b, nil, line, "Host", host)
			if resp.StatusCode == http.StatusBadRequest && resp.Location() == "" {
				continue // no host name at all, says net/http
			}
			if got := apptest.QueryOf(resp.Location()).Get("redirect_uri"); got != "https://app.test/auth/callback" {
				t.Errorf("%s with Host %q: %d to %q", line, host, resp.StatusCode, resp.Location())
			}
		}
		closed(a, b, "GET /dashboard", "Host", host)
		closed(a, b, "GET http://hostile.test/dashboard", "Host", host)
		a.Raw(b, nil, "POST /logout?return_to=//hostile.test", "Host", host, "Content-Length", "0")
	}
	resp := a.Raw(b, nil, "GET /auth/callback?state=x&code=y", "Host", "hostile.test")
	a.Expect("callback", resp, http.StatusBadRequest, "")
	// One line names the host, for whoever has the proxy rewrite it.
	if n := strings.Count(a.Log.String(), "hostile"); n != 1 {
		t.Errorf("%d mentions in the log", n)
	}
	a.Log.Reset()
	a.Leaves(b, apptest.Aftermath{})
}

func healthChecks(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.31", "ELB-HealthChecker/2.0", "Amazon-Route53-Health-Check-Service", "Envoy/HC", "HealthChecker", "curl/8", ""} {
		a.Expect(agent, closed(a, b, "GET /dashboard", "User-Agent", agent), http.StatusFound, "/login?return_to=%2Fdashboard")
		a.Expect(agent, closed(a, b, "GET /dashboard?ping", "User-Agent", agent, "Authorization", "Bearer hostile"), http.StatusFound, "/login?return_to=%2Fdashboard%3Fping")
	}
	a.Leaves(b, apptest.Aftermath{})
}

func identityHeaders(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	identity := []string{
		"X-Forwarded-User", "mallory", "X_Forwarded_User", "mallory", "X-Forwarded-Email", "mallory@hostile.test", "X_Forwarded-Email", "mallory@hostile.test", "X-Forwarded-Groups", "admin",
		"X-Auth-Request-User", "mallory", "X-Auth-Request-Email", "mallory@hostile.test", "Remote-User", "mallory", "X-Remote-User", "mallory", "OIDC_CLAIM_sub", "mallory", "Authorization", "Basic bWFsbG9yeTo=",
	}
	a.Expect("nobody", closed(a, b, "GET /dashboard", identity...), http.StatusFound, "/login?return_to=%2Fdashboard")
	b.Login("/")
	if resp := a.Raw(b, nil, "GET /dashboard", identity...); !strings.Contains(resp.Text, `"Subject":"alice"`) || !strings.Contains(resp.Text, `"Email":"alice@example.com"`) {
		t.Errorf("alice is %s", resp.Text)
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1, Runs: 1})
}

// CVE-2025-31492: whatever the answer, next does not run, and nothing of its
// page is behind the answer's.
func pageAfterRefusal(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 600 })
	b := a.Browser(t)
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "Get", "head", "HOSTILE"}
	refuses := func(t *testing.T, why string) {
		for _, method := range methods {
			for _, header := range [][]string{{"Accept", "text/html"}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Purpose", "prefetch"}, {"Upgrade", "websocket"}, {"Accept", "text/event-stream"}} {
				resp := closed(a, b, method+" /dashboard", append(header, "Content-Length", "0")...)
				location := ""
				if method == "GET" || method == "HEAD" {
					location = resp.Location() // of a navigation
				}
				if resp.StatusCode/100 == 2 || location == "" && resp.StatusCode != http.StatusUnauthorized || location != "" && resp.Text != "" {
					t.Errorf("%s, %s %q: %d to %q: %s", why, method, header, resp.StatusCode, resp.Location(), resp.Text)
				}
			}
		}
	}
	refuses(t, "nobody")
	b.Login("/")
	before := b.Cookies()
	a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
	time.Sleep(10 * time.Minute)
	refuses(t, "a refresh that was refused")
	for name, value := range before {
		b.SetCookie(name, value)
	}
	refuses(t, "the session that has ended")
	a.Leaves(b, apptest.Aftermath{Codes: 2}) // the code, and the refresh token once

	forbidden := a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(a.Gate())
	resp := a.Raw(b, a.Recorded(forbidden), "GET /admin/", "Accept", "text/html")
	if resp.StatusCode != http.StatusForbidden || strings.Contains(resp.Text, "secrets") || a.Called("/admin") > 0 {
		t.Errorf("a policy that refuses: %d %s", resp.StatusCode, resp.Text)
	}
}

// The errors of a provider are errors: no zero value of them is a session.
func brokenProvider(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, http.HandlerFunc){
		"down": apptest.RespondWith(http.StatusServiceUnavailable, "hostile"), "nothing": apptest.RespondWith(http.StatusOK, ""), "no JSON": apptest.RespondWith(http.StatusOK, "<html>hostile"),
		"an empty object": apptest.RespondWith(http.StatusOK, "{}"), "an error object": apptest.RespondWith(http.StatusOK, `{"error":"hostile","message":"hostile"}`), "null": apptest.RespondWith(http.StatusOK, "null"),
	} {
		a.Provider.Intercept(oauthlogintest.Discovery, answer)
		time.Sleep(discoveryCooldown)
		a.Expect(name, closed(a, b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		a.Expect(name, b.Get("/login?return_to=/dashboard"), http.StatusBadGateway, "")
		a.Expect(name, b.Get("/auth/callback?state=x&code=y"), http.StatusBadRequest, "")
		a.Expect(name, b.Get("/"), http.StatusOK, "") // what is public stays so
	}
	a.Leaves(b, apptest.Aftermath{})

	auth, err := oauthlogin.New(oauthlogin.Options{})
	if err == nil || auth != nil {
		t.Errorf("no configuration: %v, %v", auth, err)
	}
	for _, auth := range []*oauthlogin.Middleware{nil, {}} {
		for _, h := range []http.Handler{auth.RequireAuth(a), auth.Handler(a), auth.SilentLogin(a), auth.Require(oauthlogin.Policy{})(a)} {
			if resp := a.Raw(b, h, "GET /dashboard"); resp.StatusCode != http.StatusInternalServerError {
				t.Errorf("a middleware that nobody made: %d %s", resp.StatusCode, resp.Text)
			}
		}
	}
}

// Every method, and bodies that are none, at every path of ours.
func oddRequests(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, path := range []string{"/login", "/auth/callback", "/dashboard", "/auth/callback?state=x&code=y"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "post", "get", "GE", "M-SEARCH"} {
			for _, body := range [][]string{
				{"Content-Length", "0"},
				{"Content-Length", "0", "Content-Type", ""},
				{"Content-Length", "0", "Content-Type", ";"},
				{"Content-Length", "0", "Content-Type", "multipart/form-data"},
				{"Content-Length", "0", "Content-Type", "application/x-www-form-urlencoded; charset=\x80"},
				{"Accept", "*/*"},
				{"Transfer-Encoding", "hostile"},
			} {
				resp := a.Raw(b, nil, method+" "+path, body...)
				want := http.StatusMethodNotAllowed
				switch {
				case body[0] == "Transfer-Encoding":
					want = http.StatusNotImplemented // says net/http
				case path == "/login" && method == "HEAD":
					want = http.StatusOK
				case path == "/dashboard" && method == "HEAD":
					want = http.StatusFound
				case path == "/dashboard":
					want = http.StatusUnauthorized
				}
				if resp.StatusCode != want {
					t.Errorf("%s %s with %q: %d to %q; want %d", method, path, body, resp.StatusCode, resp.Location(), want)
				}
				if resp.Header.Get("Access-Control-Allow-Origin")+resp.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s %s with %q: %v", method, path, body, resp.Header)
				}
			}
		}
	}
	// The one that takes a POST.
	for _, contentType := range []string{"", ";", "multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded; =", "text/xml", "\x80"} {
		a.Expect(fmt.Sprintf("logout as %q", contentType), a.Raw(b, nil, "POST /logout", "Content-Length", "0", "Content-Type", contentType), http.StatusSeeOther, "/")
	}
	a.Expect("logout without a type", a.Raw(b, nil, "POST /logout", "Content-Length", "0"), http.StatusSeeOther, "/")
	a.Expect("logout without a length", a.Raw(b, nil, "POST /logout"), http.StatusSeeOther, "/")
	a.Leaves(b, apptest.Aftermath{})
}

func replayedPost(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, path := range []string{"/dashboard", "/admin/", "/login", "/auth/callback"} {
		resp := b.Post(path, url.Values{"hostile": {`"><script>hostile()</script>`}, "return_to": {"//hostile.test"}}, "Origin", "https://app.test", "Sec-Fetch-Mode", "navigate")
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusMethodNotAllowed || resp.Location() != "" || len(resp.Cookies()) > 0 {
			t.Errorf("POST %s: %d to %q", path, resp.StatusCode, resp.Location())
		}
	}
	a.Leaves(b, apptest.Aftermath{})
}
