package adversarial_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// returnTo asks for a return path in every way there is, and gives check the
// response that leads there.
func returnTo(b *apptest.Browser, path string, check func(by string, resp *apptest.Response)) {
	query := url.QueryEscape(path)
	check("login", b.Get(b.CallbackURL("/login?return_to="+query)))
	check("StartLogin", b.Get(b.CallbackURL("/start?to="+query)))
	out := b.Post("/logout", url.Values{"return_to": {path}})
	check("logout at the provider", b.Get(b.Get(out.Location()).Location()))
	check("logout without a session", b.Post("/logout?return_to="+query, nil))
}

// leadsHome fails the test unless a response leads to the application's own
// origin, also once a proxy or http.Redirect has cleaned the path.
func leadsHome(a *apptest.App, asked string, resp *apptest.Response) {
	a.T.Helper()
	location := resp.Location()
	for _, read := range []string{location, path.Clean(location)} {
		if resp.StatusCode != http.StatusSeeOther || location == "" || apptest.BrowserOrigin(read) != "https://app.test" {
			a.T.Errorf("%q leads to %q with %d: %s", asked, read, resp.StatusCode, apptest.BrowserOrigin(read))
		}
	}
}

// RFC 9700 section 4.11.
func TestReturnPath(t *testing.T) {
	t.Parallel()
	var hostile []string
	for _, row := range apptest.HostilePaths {
		hostile = append(hostile, row.Path)
	}
	same := func(path string) string { return path }
	root := func(string) string { return "/" }
	for _, test := range []struct {
		name  string
		paths []string
		leads func(path string) string // exactly; nil: to the application's own origin
	}{
		{"local paths come back byte for byte", apptest.OrdinaryPaths, same},
		{"a URL in the query of a local path", []string{"/x?url=https://evil.test", "/x?url=//evil.test/%0d%0a", "/x?url=javascript:evil()"}, same},
		{"CVE-2020-5233 GHSA-qqxw-m5fj-f7gv, CVE-2020-11053 GHSA-j7px-6hwj-hpjg, CVE-2020-4037 GHSA-5m6c-jp6f-2vcv oauth2-proxy: hostile paths", hostile, root},
		{"CVE-2020-5233 oauth2-proxy: more backslashes", []string{`/a/..\..\\hostile.test`, "/%5C/hostile.test", "/\t\\hostile.test"}, nil},
		{"CVE-2020-11053 oauth2-proxy: white space between slashes, once it is decoded", []string{
			"/%09/hostile.test", "/%0a/hostile.test", "/%0d/hostile.test", "/%2509/hostile.test", "/\u2028/hostile.test", "/\u00a0/hostile.test",
		}, nil},
		{"CVE-2021-21291 GHSA-4mf2-f3wh-gvf2 oauth2-proxy: a host that resembles the application's", []string{
			"https://app.test.hostile.test/", "https://hostile-app.test/", "https://app.test@hostile.test/", "https://app.test:443@hostile.test/",
			"//app.test.hostile.test/", `//app.test\.hostile.test/`, "//hostile.test/app.test", "//hostile.test?.app.test", "//hostile.test#.app.test", ".hostile.test", "@hostile.test", ":80@hostile.test",
		}, nil},
		{"CVE-2021-43812 GHSA-2mqv-4j3r-vjvp nextjs-auth0: a path with a host", []string{
			"http://hostile.test/dashboard", "https:///hostile.test", "ftp://hostile.test", "//hostile.test:443/dashboard", "//hostile%E3%80%82test", "//user:pass@hostile.test",
			"//[::ffff:7f00:1]/", "//2130706433/", "//app.test/dashboard",
		}, nil},
		{"CVE-2019-14857 CVE-2019-20479 CVE-2021-32786 CVE-2021-39191 CVE-2022-23527 mod_auth_openidc: user information", []string{"/;@hostile.test", "///;@hostile.test"}, nil},
		{"GHSA-mqqf-5wvp-8fh8 chi, CVE-2022-40083 echo, CVE-2022-28923 Caddy, CVE-2026-44427 MCP registry, CVE-2025-67713 CVE-2026-55185 miniflux, CVE-2026-55252 OpenRun, CVE-2026-49820 Probo, " +
			"CVE-2026-25779 Gitea, CVE-2026-52802 Gogs, CVE-2026-49826 Concourse, GHSA-wcx9-ccpj-hx3c Coder, GHSA-grh9-37g7-53mj wg-portal: a path that is cleaned after it was checked", []string{
			"//hostile.test/", "//hostile.test/..", "//hostile.test/%2f..", "/x/..//hostile.test", "/.//hostile.test", "/..//hostile.test", "/x/%2e%2e//hostile.test", "/%2e//hostile.test",
			"/%2F/hostile.test", "/%2f%2fhostile.test", "/.%2f/hostile.test", "/hostile.test//", "//hostile.test/%2e%2e/%2e%2e", "/;//hostile.test", "/?//hostile.test", "/#//hostile.test",
		}, nil},
		{"vouch-proxy, its own list: a URL in the URL, other schemes", []string{
			"JaVaScRiPt:hostile()", "java\tscript:hostile()", "/javascript:hostile()", "vbscript:hostile", "blob:https://app.test/hostile", "view-source:hostile",
			"https://app.test?url=https://hostile.test", "/login?return_to=https://hostile.test", "/login?return_to=/login?return_to=//hostile.test",
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
				for _, path := range test.paths {
					returnTo(b, path, func(by string, resp *apptest.Response) {
						leadsHome(a, by+" for "+path, resp)
						switch {
						case by == "logout at the provider" && len(path) > 512: // which is in a URL meanwhile
							a.Expect(by+" for a long path", resp, http.StatusSeeOther, "/")
						case test.leads != nil:
							a.Expect(by+" for "+path, resp, http.StatusSeeOther, test.leads(path))
						}
					})
				}
				a.Leaves(b, apptest.Aftermath{Codes: 2 * len(test.paths)})
			})
		})
	}
}

// CVE-2022-24858 CVE-2022-29214 next-auth: callbackUrl led anywhere.
func TestOtherNamesOfTheReturnPath(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		b.SetCookie("__Secure-next-auth.callback-url", "https://hostile.test")
		b.SetCookie(apptest.SessionCookie+".return_to", "https://hostile.test")
		names := []string{"callbackUrl", "returnTo", "redirect", "redirect_to", "redirect_uri", "rd", "next", "url", "RETURN_TO", "return_to[]", "post_logout_redirect_uri"}
		for _, name := range names {
			target := name + "=" + url.QueryEscape("https://hostile.test")
			a.Expect("/login?"+target, b.Get(b.CallbackURL("/login?"+target)), http.StatusSeeOther, "/")
			a.Expect("/logout?"+target, b.Get(b.Get(b.Post("/logout?"+target, nil).Location()).Location()), http.StatusSeeOther, "/")
		}
		a.Leaves(b, apptest.Aftermath{Codes: len(names)})
	})
}

// CVE-2022-31093 next-auth: a malformed callbackUrl hung the request.
func TestMalformedReturnPath(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		malformed := []string{
			"http%3A%2F%2F%5B%3A%3A1", "%2F%2F%3A0", "%2F%25zz", "%00", "%ff%fe", "%2Fa%20b", "%2F" + strings.Repeat("a", 9000), strings.Repeat("%2F", 3000), "%2Fa&return_to=%2Fb", "", "%22%3E%3Cscript%3E",
		}
		for _, value := range malformed {
			a.Expect(value[:min(len(value), 40)], b.Get(b.CallbackURL("/login?return_to="+value)), http.StatusSeeOther, "/")
		}
		a.Expect("only delimiters", b.Get(b.CallbackURL("/login?return_to=%2F%3F%23%3F%23")), http.StatusSeeOther, "/?#?#")
		for _, query := range []string{"return_to=%zz", "return_to=%", "return_to=%2Fx;y", strings.Repeat("return_to=%2F&", 10_001)} {
			a.Expect(query[:min(len(query), 20)], b.Get("/login?"+query), http.StatusBadRequest, "")
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(malformed) + 1})
	})
}

// CVE-2019-14857 CVE-2021-32786 mod_auth_openidc, OpenID Connect Core section 4:
// the parameters of a login that a third party starts are not read.
func TestTargetsOfThirdParties(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		targets := []string{`/\hostile.test`, "/\t/hostile.test", "//hostile.test", "https://hostile.test", "https:///hostile.test", "/%5chostile.test", "/;@hostile.test", "///;@hostile.test"}
		for _, target := range targets {
			target = url.QueryEscape(target)
			a.Expect(target, b.Get(b.CallbackURL("/login?iss=https%3A%2F%2Fhostile.test&login_hint=hostile&target_link_uri="+target)), http.StatusSeeOther, "/")
			// The way back from a logout that never began: any link leads here.
			if resp := b.Get("/?state=" + target); resp.StatusCode != http.StatusOK {
				t.Errorf("state %s: %d to %q", target, resp.StatusCode, resp.Location())
			}
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(targets)})
	})
}

// CVE-2021-21291 GHSA-4mf2-f3wh-gvf2 oauth2-proxy: a host that ends like the
// application's own passed for it.
func TestHostsThatResembleTheApplications(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		for _, host := range []string{"app.test.hostile.test", "hostile-app.test", "app.test@hostile.test", "app.test:443.hostile.test"} {
			resp := b.Get("/dashboard", append(apptest.AsScript, "Referer", "https://"+host+"/hostile")...)
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.Text, `"/login?return_to=%2Fdashboard"`) {
				t.Errorf("a page of %s: %d %s", host, resp.StatusCode, resp.Text)
			}
			a.Expect("a logout by "+host, b.Post("/logout", nil, "Origin", "https://"+host), http.StatusForbidden, "")
		}
		a.Leaves(b, apptest.Aftermath{})
	})
}

// CVE-2022-24794 of express-openid-connect, CVE-2026-41059 of oauth2-proxy: a
// request target is any text, and the gate wraps routers that would clean it.
func TestOddRequestTargets(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		gate := a.CatchAll()
		ask := func(target string, status int, location string) {
			resp := a.Raw(b, gate, "GET "+target, "Accept", "text/html")
			if a.Expect(fmt.Sprintf("GET %q", target), resp, status, location); resp.Header.Get("Set-Cookie") != "" {
				t.Errorf("GET %q: cookies %v", target, resp.Cookies())
			}
		}
		for _, target := range []string{
			"//evil.com/x", "///evil.com/x", `/\evil.com`, `/x/..\..\evil.com`, "http://evil.com//evil.com/x", "http://evil.com", "http:evil.com", "javascript:alert(1)",
			"*", "/%5cevil.com", "//login", "/./login", "/login/", "/logout/", "/auth/callback/", "/\xff",
		} {
			ask(target, http.StatusFound, "/login?return_to=%2F")
		}
		// What is asked for is what a login comes back to.
		targets := []string{
			"/admin#/public", "/admin%23/public", "/admin?x=/public", "/admin;/../public", "/public/../admin", "/public/%2e%2e/admin", "/%09/evil.com", "/LOGIN",
		}
		for _, target := range append(targets, apptest.OrdinaryPaths...) {
			ask(target, http.StatusFound, "/login?return_to="+url.QueryEscape(target))
		}
		ask("http://evil.com/x", http.StatusFound, "/login?return_to=%2Fx")
		ask("https://user@evil.com/x?y", http.StatusFound, "/login?return_to=%2Fx%3Fy")
		for _, target := range []string{"evil.com", "?x", "/a\x0bb"} {
			ask(target, http.StatusBadRequest, "")
		}
		for _, method := range []string{http.MethodConnect, http.MethodOptions, http.MethodTrace, "GET\t", "get", "X"} {
			if resp := a.Raw(b, gate, method+" /admin", "Accept", "text/html"); resp.StatusCode < 400 {
				t.Errorf("%s: %d", method, resp.StatusCode)
			}
		}
		a.Leaves(b, apptest.Aftermath{})
	})
}
