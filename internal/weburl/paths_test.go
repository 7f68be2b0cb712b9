package weburl

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestLoginURL(t *testing.T) {
	for _, tt := range []struct {
		choice             bool
		provider, returnTo string
		want               string
	}{
		{false, "", "/", "/login?return_to=%2F"},
		{false, "test", "/a?x=1&y", "/login?return_to=%2Fa%3Fx%3D1%26y"}, // the only one there is
		{true, "", "/a", "/login?return_to=%2Fa"},
		{true, "test", "/a", "/login?provider=test&return_to=%2Fa"},
		{true, "a&b=c d", "/#x", "/login?provider=a%26b%3Dc+d&return_to=%2F%23x"},
	} {
		p := &Paths{Login: "/login", Choice: tt.choice}
		if got := p.LoginURL(tt.provider, tt.returnTo); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestRequest(t *testing.T) {
	for _, tt := range []struct{ target, inner, want string }{
		{"/a?x=%2f;y", "/a?x=%2f;y", "/a?x=%2f;y"},
		{"/app/a?x", "/a?x", "/app/a?x"}, // below http.StripPrefix
		{"http://evil.example/x?y", "http://evil.example/x?y", "/x?y"},
		{"http://evil.example//evil.example/x", "http://evil.example//evil.example/x", "/"},
		{"", "/a?x", "/a?x"}, // a test's request
		{"//evil.example/x", "/x", "/"},
		{"/login", "/x", "/"},
		{"*", "*", "/"},
	} {
		u, err := url.Parse(tt.inner)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{RequestURI: tt.target, URL: u}
		if got := ownPaths.Request(r); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.target, got, tt.want)
		}
	}
}

// A script's login leads back to the page that it runs on, if that is on the public origin.
// A proxy may have rewritten Host.
func TestCaller(t *testing.T) {
	for _, tt := range []struct{ method, referer, page, caller string }{
		{"GET", "https://app.test/page?x=1", "/page?x=1", "/page?x=1"},
		{"POST", "https://app.test/page", "/page", "/page"},
		{"GET", "http://app.test/page", "", "/api/me?x"},
		{"GET", "https://app.test:443/page", "/page", "/page"},
		{"GET", "https://APP.test:443/page", "/page", "/page"},
		{"GET", "https://backend.internal/page", "", "/api/me?x"},
		{"GET", "https://app.test", "/", "/"},
		{"GET", "https://app.test/login?return_to=/x", "/", "/"},
		{"GET", "https://app.test//evil.example", "/", "/"},
		{"GET", "", "", "/api/me?x"},
		{"HEAD", "", "", "/api/me?x"},
		{"POST", "", "", "/"},
		{"DELETE", "https://evil.example/page", "", "/"},
		{"GET", "https://evil.example/page", "", "/api/me?x"},
		{"GET", "https://app.test.evil.example/page", "", "/api/me?x"},
		{"GET", "https://app.test:8443/page", "", "/api/me?x"},
		{"GET", "https://app.test@evil.example/page", "", "/api/me?x"},
		{"GET", "/page", "", "/api/me?x"},
		{"GET", "about:blank", "", "/api/me?x"},
		{"GET", "https://app.test/%zz", "", "/api/me?x"},
		{"GET", "://", "", "/api/me?x"},
	} {
		r := httptest.NewRequest(tt.method, "http://backend.internal/api/me?x", nil)
		r.RequestURI = "/api/me?x"
		r.Header.Set("Referer", tt.referer)
		if got := ownPaths.Page(r); got != tt.page {
			t.Errorf("%s from %q: page %q, want %q", tt.method, tt.referer, got, tt.page)
		}
		if got := ownPaths.Caller(r); got != tt.caller {
			t.Errorf("%s from %q: caller %q, want %q", tt.method, tt.referer, got, tt.caller)
		}
	}
	// htmx names its page itself.
	for _, tt := range []struct{ htmx, page, caller string }{
		{"true", "https://app.test/list?page=2", "/list?page=2"},
		{"true", "https://evil.test/list", "/api/me?x"},
		{"true", "https://app.test/login", "/"},
		{"", "https://app.test/list", "/api/me?x"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://backend.internal/api/me?x", nil)
		r.RequestURI = "/api/me?x"
		r.Header.Set("HX-Request", tt.htmx)
		r.Header.Set("HX-Current-URL", tt.page)
		if got := ownPaths.Caller(r); got != tt.caller {
			t.Errorf("HX-Request %q from %q: caller %q, want %q", tt.htmx, tt.page, got, tt.caller)
		}
	}
	// A request without a host has no page, whatever it says.
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/"}, Header: http.Header{"Referer": {"/page"}}}
	if got := ownPaths.Page(r); got != "" {
		t.Errorf("page %q", got)
	}
}

func TestWithoutPrefix(t *testing.T) {
	paths := &Paths{Login: "/app/login", Callbacks: []string{"/app/auth/callback"}}
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
