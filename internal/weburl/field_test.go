package weburl_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

func TestReturnPathKeeps(t *testing.T) {
	long := "/report?filter=" + strings.Repeat("a", 3900)
	for p, want := range map[string]string{
		`/search?q=C:\temp`:          `/search?q=C:%5Ctemp`,
		`/search?q=\\host\share#a\b`: `/search?q=%5C%5Chost%5Cshare#a%5Cb`,
		`/#\route`:                   `/#%5Croute`,
		"/files/a%5Cb":               "/files/a%5Cb",
		"/files/a%5cb/c?x=%5C":       "/files/a%5cb/c?x=%5C",
		"/files/C:%5C%5Ctemp":        "/files/C:%5C%5Ctemp",
		"/a/%5C/b":                   "/a/%5C/b",
		long:                         long,
	} {
		if got := weburl.ReturnPath(p); got != want {
			t.Errorf("%.60q: %.60q", p, got)
		}
	}
}

func TestReturnPathRefuses(t *testing.T) {
	for _, p := range []string{
		`/\evil.example`, `/a\b`, `/.\?x`, "/%5Cevil.example", "/%5cevil.example", "/./%5Cevil.example", "/x/../%5Cevil.example",
		"/%2F%5Cevil.example", "/%5C%2Fevil.example", "/%5C%5Cevil.example", "/x/%2e%2e/%5Cevil.example", "/x/..%5C%5Cevil.example",
		"/x%5C..%5C%5Cevil.example", "/x%5C..%5C/evil.example", "/.%5C/evil.example", "/.%5C%5Cevil.example",
		"/" + strings.Repeat("a", 4000), "/?" + strings.Repeat(`\`, 2000),
	} {
		if got := weburl.ReturnPath(p); got != "/" {
			t.Errorf("%.60q: %.60q", p, got)
		}
	}
}

func TestPagesOfThePublicOrigin(t *testing.T) {
	paths := &weburl.Paths{Origin: "https://app.test", Login: "/login", Logout: "/logout"}
	for _, tt := range []struct{ name, header, url, want string }{
		{"behind a proxy that rewrites Host", "Referer", "https://app.test/dashboard?x=1", "/dashboard?x=1"},
		{"with the default port", "Referer", "https://APP.test:443/dashboard", "/dashboard"},
		{"the host inside", "Referer", "https://backend.internal/dashboard", "/api"},
		{"another scheme", "Referer", "http://app.test/dashboard", "/api"},
		{"another port", "Referer", "https://app.test:8443/dashboard", "/api"},
		{"htmx", "HX-Current-URL", "https://app.test/list?page=2", "/list?page=2"},
		{"htmx elsewhere", "HX-Current-URL", "https://evil.test/list", "/api"},
		{"htmx on the login page", "HX-Current-URL", "https://app.test/login", "/"},
	} {
		r := httptest.NewRequest("GET", "http://backend.internal/api", nil)
		r.RequestURI = "/api"
		r.Header.Set("HX-Request", "true")
		r.Header.Set(tt.header, tt.url)
		if got := paths.Caller(r); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	r := httptest.NewRequest("GET", "/api", nil)
	r.Header.Set("HX-Current-URL", "https://app.test/list")
	if got := paths.Caller(r); got != "/api" {
		t.Errorf("HX-Current-URL without HX-Request: %q", got)
	}
}

func TestWithoutPrefix(t *testing.T) {
	paths := &weburl.Paths{Login: "/app/login", Callbacks: []string{"/app/auth/callback"}}
	for target, want := range map[string]bool{
		"/login": true, "/login?return_to=/": true, "/auth/callback?code=c&state=s": true, "/callback?error=x&state=s": true,
		"/app/login": false, "/gin": false, "/": false, "/callback": false, "/auth/callback?code=c": false, "/dashboard": false,
		"/app/auth/callback?code=c&state=s": false,
	} {
		if got := paths.WithoutPrefix(httptest.NewRequest("GET", target, nil)); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
	for asked, want := range map[string]bool{"/app/login": true, "/admin/login": false} {
		http.StripPrefix(strings.TrimSuffix(asked, "/login"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := paths.WithoutPrefix(r); got != want {
				t.Errorf("%s behind http.StripPrefix: %v", asked, got)
			}
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", asked, nil))
	}
}

func TestASCIIHost(t *testing.T) {
	for host, want := range map[string]string{
		"bücher.example": "xn--bcher-kva.example", "BÜCHER.example:8443": "xn--bcher-kva.example:8443", "app.example": "app.example",
	} {
		if got := weburl.ASCIIHost(host); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
}
