package oauthlogintest

import (
	"net/http"
	"net/url"
	"testing"
)

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	const app, sub, other, plain = "https://app.test", "https://api.app.test", "https://provider.test", "http://app.test"
	for _, tt := range []struct {
		name         string
		page         string
		via          []string
		url          string
		site, origin string // of a form
	}{
		{"the same origin", app, nil, app, "same-origin", app},
		{"a subdomain", app, nil, sub, "same-site", app},
		{"another site", app, nil, other, "cross-site", app},
		{"another scheme", plain, nil, app, "cross-site", plain},
		{"back from another site", app, []string{app, other}, app, "cross-site", "null"},
		{"back from a subdomain", app, []string{sub}, app, "same-site", "null"},
		{"on from the same origin", app, []string{app, app}, other, "cross-site", app},
		{"plain http", app, nil, plain, "", app},
		{"loopback", "http://localhost", nil, "http://localhost", "same-origin", "http://localhost"},
	} {
		r := request{method: http.MethodPost, url: parse(tt.url + "/x"), page: parse(tt.page)}
		for _, via := range tt.via {
			r.via = append(r.via, parse(via+"/y"))
		}
		sent, err := r.http(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if site, origin := sent.Header.Get("Sec-Fetch-Site"), sent.Header.Get("Origin"); site != tt.site || origin != tt.origin {
			t.Errorf("%s: Sec-Fetch-Site %q, Origin %q; want %q, %q", tt.name, site, origin, tt.site, tt.origin)
		}
	}
}

func TestCookieJar(t *testing.T) {
	t.Parallel()
	const app, sub, evil, plain = "https://app.test/a/b", "https://x.app.test/", "https://notapp.test/", "http://app.test/a/b"
	for _, tt := range []struct {
		name, from, line, to string
		method               string
		crossSite            bool
		want                 bool
	}{
		{"its host", app, "a=1", app, "GET", false, true},
		{"a subdomain, by host", app, "a=1", sub, "GET", false, false},
		{"a subdomain, by domain", app, "a=1; Domain=app.test; Path=/", sub, "GET", false, true},
		{"the parent, by domain", sub, "a=1; Domain=.APP.test", app, "GET", false, true},
		{"a name with the same end", app, "a=1; Domain=app.test; Path=/", evil, "GET", false, false},
		{"for another site", evil, "a=1; Domain=app.test", app, "GET", false, false},
		{"an address", "http://127.0.0.1/", "a=1; Domain=0.1", "http://127.0.0.1/", "GET", false, false},
		{"its directory", app, "a=1", "https://app.test/a/c", "GET", false, true},
		{"a path beside", app, "a=1; Path=/a", "https://app.test/ab", "GET", false, false},
		{"a path above", app, "a=1", "https://app.test/", "GET", false, false},
		{"an empty path", "https://app.test", "a=1", "https://app.test", "GET", false, true},
		{"a path with a slash", app, "a=1; Path=/a/", app, "GET", false, true},
		{"Secure to plain http", app, "a=1; Secure", plain, "GET", false, false},
		{"Secure from plain http", plain, "a=1; Secure", app, "GET", false, false},
		{"Secure on loopback", "http://localhost/", "a=1; Secure", "http://localhost/", "GET", false, true},
		{"no Secure, from plain http", plain, "a=1", app, "GET", false, true},
		{"Lax by default, a navigation", app, "a=1", app, "GET", true, true},
		{"Lax by default, a form", app, "a=1", app, "POST", true, false},
		{"Lax, a form", app, "a=1; SameSite=Lax", app, "POST", true, false},
		{"Lax, a form of the site", app, "a=1; SameSite=Lax", app, "POST", false, true},
		{"None, a form", app, "a=1; SameSite=None; Secure", app, "POST", true, true},
		{"Strict, a navigation", app, "a=1; SameSite=Strict", app, "GET", true, false},
	} {
		var jar cookieJar
		jar.keep(parse(tt.from), http.Header{"Set-Cookie": {tt.line}})
		got := jar.header(&http.Request{Method: tt.method, URL: parse(tt.to)}, tt.crossSite)
		if (got == "a=1") != tt.want || got != "" && got != "a=1" {
			t.Errorf("%s: sends %q", tt.name, got)
		}
	}
}

// The longer path goes first, then the older cookie.
func TestCookieOrder(t *testing.T) {
	t.Parallel()
	var jar cookieJar
	u := &url.URL{Scheme: "https", Host: "app.test", Path: "/x/y"}
	jar.keep(u, http.Header{"Set-Cookie": {"a=1; Path=/", "b=2; Path=/", "c=3; Path=/x", "malformed", "a=4; Path=/"}})
	if got := jar.header(&http.Request{Method: "GET", URL: u}, false); got != "c=3; a=4; b=2" {
		t.Errorf("sends %q", got)
	}
}
