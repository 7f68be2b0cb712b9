package oauthlogin_test

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// browserOrigin returns the origin that a browser at https://app.test goes to
// when it is told Location, or the scheme alone: the basic URL parser of the
// WHATWG URL standard, without net/url, which parses otherwise.
func browserOrigin(location string) string {
	const home = "https://app.test"
	rest := strings.TrimFunc(location, func(c rune) bool { return c <= ' ' })
	rest = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(rest)
	scheme, relative := "https", true
	if i := strings.IndexAny(rest, ":/?#"); i > 0 && rest[i] == ':' {
		scheme, rest = strings.ToLower(rest[:i]), rest[i+1:]
		relative = scheme == "https"
	}
	switch {
	case !slices.Contains([]string{"https", "http", "ws", "wss", "ftp"}, scheme):
		return scheme + ":"
	case relative && !strings.HasPrefix(rest, "//"):
		return home
	}
	host := strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return scheme + "://" + strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
}

// A test that cannot fail is worse than none.
func TestBrowserOrigin(t *testing.T) {
	for location, want := range map[string]string{
		"": "https://app.test", "/": "https://app.test", "x/y": "https://app.test", "?//x": "https://app.test", "#//x": "https://app.test",
		"/a//x": "https://app.test", "/.//x": "https://app.test", "/a?u=https://x": "https://app.test", "https:x": "https://app.test", "HTTPS:/x": "https://app.test",
		"//x": "https://x", "///x/y": "https://x", `/\x`: "https://x", `\/x`: "https://x", `\\x?y`: "https://x", "/\t/x": "https://x", "\n//x": "https://x",
		" //x": "https://x", "//app.test@x": "https://x", "//X:81#y": "https://x:81", "https://x": "https://x", `https:\\x`: "https://x", "http:x": "http://x",
		"ht\ntp://x": "http://x", "javascript:x": "javascript:", "java\tscript:x": "javascript:", "data:,x": "data:", " javascript://app.test": "javascript:",
	} {
		if got := browserOrigin(location); got != want {
			t.Errorf("%q leads to %s; want %s", location, got, want)
		}
	}
}

// staysHere asks for each path as the return path, by each way there is to ask.
func staysHere(t *testing.T, paths ...string) {
	t.Helper()
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, asked := range paths {
		query := url.QueryEscape(asked)
		for _, start := range []string{"/login?return_to=" + query, "/start?to=" + query} {
			a.mayLead(asked, b.get(b.callbackURL(start)))
		}
		// Through the provider's logout, and back by the state.
		out := b.post("/logout", url.Values{"return_to": {asked}})
		a.mayLead(asked, b.get(b.get(out.location()).location()))
		// And where there is no provider to tell.
		a.mayLead(asked, b.post("/logout?return_to="+query, nil))
	}
	a.leaves(b, aftermath{codes: 2 * len(paths)})
}

// mayLead fails the test unless an answer leads to our own origin, also once a
// proxy or http.Redirect has cleaned the path.
func (a *attackedApp) mayLead(asked string, resp *response) {
	a.t.Helper()
	location := resp.location()
	for _, read := range []string{location, path.Clean(location)} {
		if resp.StatusCode != http.StatusSeeOther || location == "" || browserOrigin(read) != "https://app.test" {
			a.t.Errorf("%q leads to %q with %d: %s", asked, read, resp.StatusCode, browserOrigin(read))
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
	for _, row := range hostilePaths {
		paths = append(paths, row.path)
	}
	staysHere(t, paths...)
}

func hostsLikeOurs(t *testing.T) {
	staysHere(t, "https://app.test.hostile.test/", "https://hostile-app.test/", "https://app.test@hostile.test/", "https://app.test:443@hostile.test/",
		"//app.test.hostile.test/", `//app.test\.hostile.test/`, "//hostile.test/app.test", "//hostile.test?.app.test", "//hostile.test#.app.test", ".hostile.test", "@hostile.test", ":80@hostile.test")

	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, host := range []string{"app.test.hostile.test", "hostile-app.test", "app.test@hostile.test", "app.test:443.hostile.test"} {
		resp := b.get("/dashboard", append(asScript, "Referer", "https://"+host+"/hostile")...)
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.body, `"/login?return_to=%2Fdashboard"`) {
			t.Errorf("a page of %s: %d %s", host, resp.StatusCode, resp.body)
		}
		a.expect("a logout by "+host, b.post("/logout", nil, "Origin", "https://"+host), http.StatusForbidden, "")
	}
	a.leaves(b, aftermath{})
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
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, target := range hostile {
		target = url.QueryEscape(target)
		a.expect(target, b.get(b.callbackURL("/login?iss=https%3A%2F%2Fhostile.test&login_hint=hostile&target_link_uri="+target)), http.StatusSeeOther, "/")
		// After a logout that nobody made: any link leads somewhere, but not away.
		if resp := b.get("/?state=" + target); resp.StatusCode != http.StatusOK {
			t.Errorf("state %s: %d to %q", target, resp.StatusCode, resp.location())
		}
	}
	a.leaves(b, aftermath{user: "alice", codes: len(hostile)})
}

func cleanedPaths(t *testing.T) {
	staysHere(t, "//hostile.test/", "//hostile.test/..", "//hostile.test/%2f..", "/x/..//hostile.test", "/.//hostile.test", "/..//hostile.test", `/./\hostile.test`, `/x/../\hostile.test`,
		"/x/%2e%2e//hostile.test", "/%2e//hostile.test", "/%2F/hostile.test", "/%2f%2fhostile.test", "/.%2f/hostile.test", `///\;@hostile.test`, "/hostile.test//", "//hostile.test/%2e%2e/%2e%2e", "/;//hostile.test", "/?//hostile.test", "/#//hostile.test")
}

func urlsInURLs(t *testing.T) {
	staysHere(t, "data:text/html,hostile", "javascript:hostile()", "JaVaScRiPt:hostile()", "java\tscript:hostile()", "/javascript:hostile()", "vbscript:hostile", "blob:https://app.test/hostile", "view-source:hostile",
		"https://app.test?url=https://hostile.test", "//app.test.hostile.test", "/login?return_to=https://hostile.test", "/login?return_to=/login?return_to=//hostile.test")

	// A local page may have a URL in its query, and it comes back byte for byte.
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, local := range []string{"/x?url=https://hostile.test", "/x?url=//hostile.test/%0d%0a", "/x?url=javascript:hostile()"} {
		a.expect(local, b.get(b.callbackURL("/login?return_to="+url.QueryEscape(local))), http.StatusSeeOther, local)
	}
	a.leaves(b, aftermath{user: "alice", codes: 3})
}

func otherNamesOfReturnTo(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	b.setCookie("__Secure-next-auth.callback-url", "https://hostile.test")
	b.setCookie(sessionCookie+".return_to", "https://hostile.test")
	names := []string{"callbackUrl", "returnTo", "redirect", "redirect_to", "redirect_uri", "rd", "next", "url", "RETURN_TO", "return_to[]", "post_logout_redirect_uri"}
	for _, name := range names {
		target := name + "=" + url.QueryEscape("https://hostile.test")
		a.expect("/login?"+target, b.get(b.callbackURL("/login?"+target)), http.StatusSeeOther, "/")
		a.expect("/logout?"+target, b.get(b.get(b.post("/logout?"+target, nil).location()).location()), http.StatusSeeOther, "/")
	}
	a.leaves(b, aftermath{codes: len(names)})
}

func malformedReturnTo(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	malformed := []string{
		"http%3A%2F%2F%5B%3A%3A1", "%2F%2F%3A0", "%2F%25zz", "%00", "%ff%fe", "%2Fa%20b", "%2F" + strings.Repeat("a", 9000), strings.Repeat("%2F", 3000), "%2F&return_to=%2F", "", "%2F%3F%23%3F%23", "%22%3E%3Cscript%3E",
	}
	for _, value := range malformed {
		if resp := b.get(b.callbackURL("/login?return_to=" + value)); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.location(), "/") {
			t.Errorf("%.40s: %d to %q", value, resp.StatusCode, resp.location())
		}
	}
	for _, query := range []string{"return_to=%zz", "return_to=%", "return_to=%2Fx;y", strings.Repeat("return_to=%2F&", 10_001)} {
		a.expect(query[:min(len(query), 20)], b.get("/login?"+query), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{user: "alice", codes: len(malformed)})
}
