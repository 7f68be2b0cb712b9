package adversarial_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Nothing that a request says about itself opens the gate: only a session does.
func TestGateStaysClosed(t *testing.T) {
	t.Parallel()
	none := [][]string{nil}
	agents := [][]string{{"Authorization", "Bearer hostile"}}
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.31", "ELB-HealthChecker/2.0", "Amazon-Route53-Health-Check-Service", "Envoy/HC", "HealthChecker", "curl/8", ""} {
		agents = append(agents, []string{"User-Agent", agent})
	}
	for _, test := range []struct {
		name    string
		targets []string
		headers [][]string
	}{
		{"CVE-2025-54576 GHSA-7rh7-c77v-6434 oauth2-proxy: a public path in the query", []string{
			"/admin/?x=/public", "/admin/?/login", "/admin/?/auth/callback", "/admin/?x=/", "/dashboard?return_to=/login", "/admin/;/login", "/admin/x;/../public", "/admin/%3F/login",
		}, none},
		{"CVE-2026-41059 GHSA-pxq7-h93f-9jrg oauth2-proxy: a public path after a #", []string{
			"/admin/%23/public", "/admin/#/public", "/admin/#/login", "/admin/x#/auth/callback?code=x", "/admin/#",
		}, none},
		{"CVE-2026-40575 GHSA-7x63-xv5r-3p2x oauth2-proxy: X-Forwarded-Uri", []string{"/dashboard"}, apptest.ForwardedHeaders},
		{"CVE-2026-34457 GHSA-5hvv-m4w4-gf6v oauth2-proxy: the User-Agent of a health check", []string{"/dashboard", "/dashboard?ping"}, agents},
		{"CVE-2025-64484 GHSA-vjrc-mh2v-45x6 oauth2-proxy: X_Forwarded_User", []string{"/dashboard"}, [][]string{identityHeaders}},
		{"credentials and addresses of other kinds", []string{"/dashboard", "/dashboard?x=/login", "/dashboard?/auth/callback", "/api/me?return_to=/"}, [][]string{
			{"X-Forwarded-Path", "/"}, {"X-Forwarded-Access-Token", "hostile"}, {"Authorization", "Basic YWxpY2U6eA=="}, {"Cookie", "oauthlogin=alice; session=alice"}, {"Origin", "https://app.test"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
				for _, target := range test.targets {
					for _, header := range test.headers {
						what := fmt.Sprintf("%s with %q", target, header)
						a.Expect(what, a.Closed(b, "GET "+target, header...), http.StatusFound, "/login?return_to="+url.QueryEscape(target))
						a.Expect(what+" as a script", a.Closed(b, "GET "+target, append([]string{"Accept", "application/json"}, header...)...), http.StatusUnauthorized, "")
					}
				}
				a.Leaves(b, apptest.Aftermath{})
			})
		})
	}
}

// identityHeaders are headers by which proxies tell applications who the user is.
var identityHeaders = []string{
	"X-Forwarded-User", "mallory", "X_Forwarded_User", "mallory", "X-Forwarded-Email", "mallory@hostile.test", "X_Forwarded-Email", "mallory@hostile.test", "X-Forwarded-Groups", "admin",
	"X-Auth-Request-User", "mallory", "X-Auth-Request-Email", "mallory@hostile.test", "Remote-User", "mallory", "X-Remote-User", "mallory", "OIDC_CLAIM_sub", "mallory", "Authorization", "Basic bWFsbG9yeTo=",
}

// CVE-2025-64484 GHSA-vjrc-mh2v-45x6 oauth2-proxy: X_Forwarded_User passed for
// X-Forwarded-User.
func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		b.Login("/")
		if resp := a.Raw(b, nil, "GET /dashboard", identityHeaders...); !strings.Contains(resp.Text, `"Subject":"alice"`) || !strings.Contains(resp.Text, `"Email":"alice@example.com"`) {
			t.Errorf("alice is %s", resp.Text)
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1, Runs: 1})
	})
}

// CVE-2026-53523 Nezha, GHSA-vrw8-fxc6-2r93 chi, CVE-2026-40575 oauth2-proxy: the
// address of the application is configured, whatever a request says (RFC 9700
// section 4.13).
func TestHostHeader(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		staysConfigured := func(line string, header ...string) {
			resp := a.Raw(b, nil, line, header...)
			if resp.StatusCode == http.StatusBadRequest && resp.Location() == "" && strings.Contains(fmt.Sprint(header), "Host") {
				return // net/http rejects malformed host names
			}
			if got := apptest.QueryOf(resp.Location()).Get("redirect_uri"); resp.StatusCode != http.StatusSeeOther || got != "https://app.test/auth/callback" {
				t.Errorf("%s with %q: %d to %q", line, header, resp.StatusCode, resp.Location())
			}
			if all := fmt.Sprint(resp.Header); strings.Contains(all, "hostile") || strings.Contains(all, "Access-Control") {
				t.Errorf("%s with %q: headers %s", line, header, all)
			}
		}
		for _, header := range apptest.ForwardedHeaders {
			for _, target := range []string{"/login?return_to=/dashboard", "https://hostile.test/login", "http://hostile.test:8080/login"} {
				staysConfigured("GET "+target, header...)
			}
			resp := a.Raw(b, nil, "GET http://hostile.test:8080/dashboard", append(slices.Clone(header), "Accept", "text/html")...)
			if resp.StatusCode != http.StatusFound || resp.Location() != "/login?return_to=%2Fdashboard" {
				t.Errorf("/dashboard with %q: %d to %q", header, resp.StatusCode, resp.Location())
			}
		}
		for _, host := range []string{"hostile.test", "hostile.test:443", "app.test.hostile.test", "app.test@hostile.test", "[::1]", "", "hostile.test/x"} {
			staysConfigured("GET /login?return_to=/dashboard", "Host", host)
			staysConfigured("GET http://hostile.test/login?return_to=/dashboard", "Host", host)
			a.Closed(b, "GET /dashboard", "Host", host)
			a.Closed(b, "GET http://hostile.test/dashboard", "Host", host)
			a.Raw(b, nil, "POST /logout?return_to=//hostile.test", "Host", host, "Content-Length", "0")
		}
		a.Expect("callback", a.Raw(b, nil, "GET /auth/callback?state=x&code=y", "Host", "hostile.test"), http.StatusBadRequest, "")
		// One line names the host, for whoever runs the proxy.
		if n := strings.Count(a.Log.String(), "hostile"); n != 1 {
			t.Errorf("%d mentions in the log", n)
		}
		a.Log.Reset()
		a.Leaves(b, apptest.Aftermath{})
	})
}

// CVE-2022-24794 GHSA-7p99-3798-f85c express-openid-connect: GET //evil on a catch-all
// route was stored as the return path. TestOddRequestTargets has the simpler targets.
func TestRequestTargetsStayHere(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		targets := []string{
			`/\/hostile.test`, "/.//hostile.test", "/x/..//hostile.test", "/%09/hostile.test", "/%2f/hostile.test", "https://hostile.test//hostile.test/x", "http://user:pass@hostile.test/", "//hostile.test/../login",
		}
		for _, target := range targets {
			b = a.Browser(t)
			refused := a.Raw(b, a.CatchAll(), "GET "+target)
			for _, location := range []string{apptest.QueryOf(refused.Location()).Get("return_to"), b.Get(b.CallbackURL(refused.Location())).Location()} {
				if refused.StatusCode != http.StatusFound || !strings.HasPrefix(location, "/") || apptest.BrowserOrigin(location) != "https://app.test" || apptest.BrowserOrigin(path.Clean(location)) != "https://app.test" {
					t.Errorf("GET %s: %d to %q, and then to %q", target, refused.StatusCode, refused.Location(), location)
				}
			}
		}
		for _, target := range []string{"?//hostile.test", "/a b"} {
			a.Expect("GET "+target, a.Raw(b, a.CatchAll(), "GET "+target), http.StatusBadRequest, "")
		}
		// http.ServeMux redirects to clean paths by itself.
		for _, target := range []string{"//evil.test/x", "//evil.test/../dashboard", `/\evil.test/..//x`} {
			if resp := a.Raw(b, nil, "GET "+target); resp.Location() != "" && apptest.BrowserOrigin(resp.Location()) != "https://app.test" {
				t.Errorf("GET %s: %d to %q", target, resp.StatusCode, resp.Location())
			}
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(targets)})
	})
}

// CVE-2025-31492 GHSA-59jp-rwph-878r mod_auth_openidc: the protected page followed
// the login page. Whatever a refusal looks like, the next handler does not run.
func TestNothingFollowsARefusal(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 600 })
		refuses := func(why string) {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "Get", "head", "HOSTILE"} {
				for _, header := range [][]string{{"Accept", "text/html"}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Purpose", "prefetch"}, {"Upgrade", "websocket"}, {"Accept", "text/event-stream"}} {
					resp := a.Closed(b, method+" /dashboard", append(header, "Content-Length", "0")...)
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
		refuses("no session")
		b.Login("/")
		before := b.Cookies()
		a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
		time.Sleep(10 * time.Minute)
		refuses("a refused refresh")
		for name, value := range before {
			b.SetCookie(name, value)
		}
		refuses("a session that has ended")
		a.Leaves(b, apptest.Aftermath{Codes: 2}) // the code, and the refresh token once

		forbidden := a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(a.Gate())
		resp := a.Raw(b, a.Recorded(forbidden), "GET /admin/", "Accept", "text/html")
		if resp.StatusCode != http.StatusForbidden || strings.Contains(resp.Text, "secrets") || a.Called("/admin") > 0 {
			t.Errorf("a policy that refuses: %d %s", resp.StatusCode, resp.Text)
		}
	})
}

// GHSA-8fpg-xm3f-6cx3 next-auth: a broken provider let every user in. No zero value
// is a session.
func TestBrokenProviderOpensNothing(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		for name, respond := range map[string]func(http.ResponseWriter, *http.Request, http.HandlerFunc){
			"down": apptest.RespondWith(http.StatusServiceUnavailable, "hostile"), "nothing": apptest.RespondWith(http.StatusOK, ""), "not JSON": apptest.RespondWith(http.StatusOK, "<html>hostile"),
			"an empty object": apptest.RespondWith(http.StatusOK, "{}"), "an error object": apptest.RespondWith(http.StatusOK, `{"error":"hostile","message":"hostile"}`), "null": apptest.RespondWith(http.StatusOK, "null"),
		} {
			a.Provider.Intercept(oauthlogintest.Discovery, respond)
			time.Sleep(5 * time.Second) // failed discoveries are not repeated sooner
			a.Expect(name, a.Closed(b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
			a.Expect(name, b.Get("/login?return_to=/dashboard"), http.StatusBadGateway, "")
			a.Expect(name, b.Get("/auth/callback?state=x&code=y"), http.StatusBadRequest, "")
			a.Expect(name, b.Get("/"), http.StatusOK, "") // public paths stay public
		}
		a.Leaves(b, apptest.Aftermath{})

		auth, err := oauthlogin.New(oauthlogin.Options{})
		if err == nil || auth != nil {
			t.Errorf("no configuration: %v, %v", auth, err)
		}
		for _, auth := range []*oauthlogin.Middleware{nil, {}} {
			for _, h := range []http.Handler{auth.RequireAuth(a), auth.Handler(a), auth.SilentLogin(a), auth.Require(oauthlogin.Policy{})(a)} {
				if resp := a.Raw(b, h, "GET /dashboard"); resp.StatusCode != http.StatusInternalServerError {
					t.Errorf("a Middleware that New did not make: %d %s", resp.StatusCode, resp.Text)
				}
			}
		}
	})
}

// CVE-2025-3891 mod_auth_openidc: a POST without Content-Type crashed the server.
// Every method, and malformed bodies, at each of the package's own paths.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
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
					want := http.StatusMethodNotAllowed
					switch {
					case body[0] == "Transfer-Encoding":
						want = http.StatusNotImplemented // by net/http
					case path == "/login" && method == "HEAD":
						want = http.StatusOK
					case path == "/dashboard" && method == "HEAD":
						want = http.StatusFound
					case path == "/dashboard":
						want = http.StatusUnauthorized
					}
					resp := a.Raw(b, nil, method+" "+path, body...)
					if resp.StatusCode != want || resp.Header.Get("Access-Control-Allow-Origin")+resp.Header.Get("Set-Cookie") != "" {
						t.Errorf("%s %s with %q: %d to %q with %v; want %d", method, path, body, resp.StatusCode, resp.Location(), resp.Header, want)
					}
				}
			}
		}
		// Only the logout accepts POST.
		for _, contentType := range []string{"", ";", "multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded; =", "text/xml", "\x80"} {
			a.Expect(fmt.Sprintf("logout as %q", contentType), a.Raw(b, nil, "POST /logout", "Content-Length", "0", "Content-Type", contentType), http.StatusSeeOther, "/")
		}
		a.Expect("logout without a type", a.Raw(b, nil, "POST /logout", "Content-Length", "0"), http.StatusSeeOther, "/")
		a.Expect("logout without a length", a.Raw(b, nil, "POST /logout"), http.StatusSeeOther, "/")
		a.Leaves(b, apptest.Aftermath{})
	})
}

// CVE-2021-32792 mod_auth_openidc: the form of a refused POST was replayed into a
// page.
func TestFormsAreNotKept(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		for _, path := range []string{"/dashboard", "/admin/", "/login", "/auth/callback"} {
			resp := b.Post(path, url.Values{"hostile": {`"><script>hostile()</script>`}, "return_to": {"//hostile.test"}}, "Origin", "https://app.test", "Sec-Fetch-Mode", "navigate")
			if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusMethodNotAllowed || resp.Location() != "" || len(resp.Cookies()) > 0 {
				t.Errorf("POST %s: %d to %q", path, resp.StatusCode, resp.Location())
			}
		}
		a.Leaves(b, apptest.Aftermath{})
	})
}

// A plain OAuth 2.0 provider's ID token is not verified, so neither it nor what
// Identify makes of it says when and how the user signed in.
func TestUnverifiedIDTokenSatisfiesNoPolicy(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		apptest.PlainOAuth(opts)
		identify := opts.Providers[0].Identify
		opts.Providers[0].Identify = func(ctx context.Context, c *http.Client) (oauthlogin.User, error) {
			u, err := identify(ctx, c)
			u.RawClaims = fmt.Appendf(nil, `{"auth_time":%d,"acr":"phr"}`, time.Now().Unix())
			return u, err
		}
	}})
	a.GuardBy(oauthlogin.Policy{MaxAge: time.Hour, ACR: []string{"phr"}})
	a.Provider.EditTokenResponse(func(r map[string]any) { r["id_token"] = "not.even.verified" })
	b := a.Browser(t)
	b.Login("/dashboard")
	// A step-up would only lead around in circles.
	if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden || a.Called("/guarded") > 0 || a.Provider.Count(oauthlogintest.Authorization) != 1 {
		t.Errorf("guarded: %d %s", resp.StatusCode, resp.Text)
	}
}

// A session that an outer handler has ended no longer opens the gate.
func TestGateIsClosedAfterSignOut(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	inner := a.Auth.RequireAuth(a.Count(func(http.ResponseWriter, *http.Request) {}))
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/secret", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.SignOut(w, r)
			inner.ServeHTTP(w, r)
		})
	}
	b := a.Browser(t)
	b.Login("/dashboard")
	if resp := b.Get("/secret"); a.Called("/secret") > 0 || resp.StatusCode == http.StatusOK {
		t.Errorf("after SignOut: %d %s", resp.StatusCode, resp.Text)
	}
}
