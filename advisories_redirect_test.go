package oauthlogin_test

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// staysHere asks for each path as the return path, by each way there is to ask.
func staysHere(t *testing.T, paths ...string) {
	t.Helper()
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, asked := range paths {
		query := url.QueryEscape(asked)
		for _, start := range []string{"/login?return_to=" + query, "/start?to=" + query} {
			mayLead(a, asked, b.Get(b.CallbackURL(start)))
		}
		// Through the provider's logout, and back by the state.
		out := b.Post("/logout", url.Values{"return_to": {asked}})
		mayLead(a, asked, b.Get(b.Get(out.Location()).Location()))
		// And where there is no provider to tell.
		mayLead(a, asked, b.Post("/logout?return_to="+query, nil))
	}
	a.Leaves(b, apptest.Aftermath{Codes: 2 * len(paths)})
}

// mayLead fails the test unless an answer leads to our own origin, also once a
// proxy or http.Redirect has cleaned the path.
func mayLead(a *apptest.App, asked string, resp *apptest.Response) {
	a.T.Helper()
	location := resp.Location()
	for _, read := range []string{location, path.Clean(location)} {
		if resp.StatusCode != http.StatusSeeOther || location == "" || apptest.BrowserOrigin(read) != "https://app.test" {
			a.T.Errorf("%q leads to %q with %d: %s", asked, read, resp.StatusCode, apptest.BrowserOrigin(read))
		}
	}
}

func backslashes(t *testing.T) {
	staysHere(t, `/\hostile.test`, `/\/hostile.test`, `\\hostile.test`, `\/hostile.test`, `/./\hostile.test`, `/a/..\..\\hostile.test`, "/%5chostile.test", "/%5C/hostile.test")
}

func whiteSpace(t *testing.T) {
	staysHere(t, "/\t/hostile.test", "/\n/hostile.test", "/\r/hostile.test", "/\v/hostile.test", "/ /hostile.test", "\t//hostile.test", "/\t\\hostile.test",
		"/%09/hostile.test", "/%0a/hostile.test", "/%0d/hostile.test", "/%2509/hostile.test", "/\u2028/hostile.test", "/\u00a0/hostile.test", "/\x00/hostile.test")
}

func allHostilePaths(t *testing.T) {
	var paths []string
	for _, row := range apptest.HostilePaths {
		paths = append(paths, row.Path)
	}
	staysHere(t, paths...)
}

func hostsLikeOurs(t *testing.T) {
	staysHere(t, "https://app.test.hostile.test/", "https://hostile-app.test/", "https://app.test@hostile.test/", "https://app.test:443@hostile.test/",
		"//app.test.hostile.test/", `//app.test\.hostile.test/`, "//hostile.test/app.test", "//hostile.test?.app.test", "//hostile.test#.app.test", ".hostile.test", "@hostile.test", ":80@hostile.test")

	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, host := range []string{"app.test.hostile.test", "hostile-app.test", "app.test@hostile.test", "app.test:443.hostile.test"} {
		resp := b.Get("/dashboard", append(apptest.AsScript, "Referer", "https://"+host+"/hostile")...)
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.Text, `"/login?return_to=%2Fdashboard"`) {
			t.Errorf("a page of %s: %d %s", host, resp.StatusCode, resp.Text)
		}
		a.Expect("a logout by "+host, b.Post("/logout", nil, "Origin", "https://"+host), http.StatusForbidden, "")
	}
	a.Leaves(b, apptest.Aftermath{})
}

func returnToWithHost(t *testing.T) {
	staysHere(t, "https://hostile.test", "http://hostile.test/dashboard", "https:hostile.test", "https:/hostile.test", "https:///hostile.test", "//hostile.test/dashboard",
		"///hostile.test", "////hostile.test", "HTTPS://hostile.test", "ftp://hostile.test", "hostile.test", "//hostile.test:443/dashboard", "//hostile%E3%80%82test", "//user:pass@hostile.test",
		"//[::ffff:7f00:1]/", "//2130706433/", "https://app.test/dashboard", "//app.test/dashboard")
}

func thirdPartyInitiated(t *testing.T) {
	hostile := []string{`/\hostile.test`, "/\t/hostile.test", "//hostile.test", "https://hostile.test", "https:///hostile.test", "/%5chostile.test", "/;@hostile.test", "///;@hostile.test"}
	staysHere(t, hostile...)

	// OpenID Connect Core section 4: parameters that we do not have.
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, target := range hostile {
		target = url.QueryEscape(target)
		a.Expect(target, b.Get(b.CallbackURL("/login?iss=https%3A%2F%2Fhostile.test&login_hint=hostile&target_link_uri="+target)), http.StatusSeeOther, "/")
		// After a logout that nobody made: any link leads somewhere, but not away.
		if resp := b.Get("/?state=" + target); resp.StatusCode != http.StatusOK {
			t.Errorf("state %s: %d to %q", target, resp.StatusCode, resp.Location())
		}
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(hostile)})
}

func cleanedPaths(t *testing.T) {
	staysHere(t, "//hostile.test/", "//hostile.test/..", "//hostile.test/%2f..", "/x/..//hostile.test", "/.//hostile.test", "/..//hostile.test", `/./\hostile.test`, `/x/../\hostile.test`,
		"/x/%2e%2e//hostile.test", "/%2e//hostile.test", "/%2F/hostile.test", "/%2f%2fhostile.test", "/.%2f/hostile.test", `///\;@hostile.test`, "/hostile.test//", "//hostile.test/%2e%2e/%2e%2e", "/;//hostile.test", "/?//hostile.test", "/#//hostile.test")
}

func urlsInURLs(t *testing.T) {
	staysHere(t, "data:text/html,hostile", "javascript:hostile()", "JaVaScRiPt:hostile()", "java\tscript:hostile()", "/javascript:hostile()", "vbscript:hostile", "blob:https://app.test/hostile", "view-source:hostile",
		"https://app.test?url=https://hostile.test", "//app.test.hostile.test", "/login?return_to=https://hostile.test", "/login?return_to=/login?return_to=//hostile.test")

	// A local page may have a URL in its query, and it comes back byte for byte.
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, local := range []string{"/x?url=https://hostile.test", "/x?url=//hostile.test/%0d%0a", "/x?url=javascript:hostile()"} {
		a.Expect(local, b.Get(b.CallbackURL("/login?return_to="+url.QueryEscape(local))), http.StatusSeeOther, local)
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 3})
}

func otherNamesOfReturnTo(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	b.SetCookie("__Secure-next-auth.callback-url", "https://hostile.test")
	b.SetCookie(apptest.SessionCookie+".return_to", "https://hostile.test")
	names := []string{"callbackUrl", "returnTo", "redirect", "redirect_to", "redirect_uri", "rd", "next", "url", "RETURN_TO", "return_to[]", "post_logout_redirect_uri"}
	for _, name := range names {
		target := name + "=" + url.QueryEscape("https://hostile.test")
		a.Expect("/login?"+target, b.Get(b.CallbackURL("/login?"+target)), http.StatusSeeOther, "/")
		a.Expect("/logout?"+target, b.Get(b.Get(b.Post("/logout?"+target, nil).Location()).Location()), http.StatusSeeOther, "/")
	}
	a.Leaves(b, apptest.Aftermath{Codes: len(names)})
}

func malformedReturnTo(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	malformed := []string{
		"http%3A%2F%2F%5B%3A%3A1", "%2F%2F%3A0", "%2F%25zz", "%00", "%ff%fe", "%2Fa%20b", "%2F" + strings.Repeat("a", 9000), strings.Repeat("%2F", 3000), "%2F&return_to=%2F", "", "%2F%3F%23%3F%23", "%22%3E%3Cscript%3E",
	}
	for _, value := range malformed {
		if resp := b.Get(b.CallbackURL("/login?return_to=" + value)); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Location(), "/") {
			t.Errorf("%.40s: %d to %q", value, resp.StatusCode, resp.Location())
		}
	}
	for _, query := range []string{"return_to=%zz", "return_to=%", "return_to=%2Fx;y", strings.Repeat("return_to=%2F&", 10_001)} {
		a.Expect(query[:min(len(query), 20)], b.Get("/login?"+query), http.StatusBadRequest, "")
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(malformed)})
}
