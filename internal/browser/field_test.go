package browser_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/browser"
)

// request has headers "Name: value; Name: value".
func request(method, headers string) *http.Request {
	r := httptest.NewRequest(method, "/dashboard", nil)
	for line := range strings.SplitSeq(headers, " | ") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	return r
}

func TestIsNavigation(t *testing.T) {
	for _, tt := range []struct {
		name, method, headers string
		want                  bool
	}{
		{"a page", "GET", "Sec-Fetch-Mode: navigate | Accept: text/html,*/*;q=0.8", true},
		{"a page, whatever it accepts", "GET", "Sec-Fetch-Mode: navigate | Accept: application/json", true},
		{"fetch of HTML", "GET", "Sec-Fetch-Mode: cors | Accept: text/html", false},
		{"a form", "POST", "Sec-Fetch-Mode: navigate | Accept: text/html", false},
		{"a prefetched page", "GET", "Sec-Fetch-Mode: navigate | Sec-Purpose: prefetch", false},
		{"no headers", "GET", "", true},
		{"curl", "GET", "Accept: */*", true},
		{"curl -I", "HEAD", "Accept: */*", true},
		{"an old Safari", "GET", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
		{"Accept in two lines", "GET", "Accept: application/xml | Accept: text/html", true},
		{"Accept in capitals", "GET", "Accept: TEXT/HTML", true},
		{"an image in an old Safari", "GET", "Accept: image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5", false},
		{"an image in an old Chrome", "GET", "Accept: image/webp,image/apng,image/*,*/*;q=0.8", false},
		{"a style sheet", "GET", "Accept: text/css,*/*;q=0.1", false},
		{"axios", "GET", "Accept: application/json, text/plain, */*", false},
		{"HTML refused", "GET", "Accept: text/html;q=0, */*", false},
		{"another name for HTML", "GET", "Accept: text/html-sandboxed, */*", false},
		{"an event stream", "GET", "Accept: text/event-stream", false},
		{"XMLHttpRequest", "GET", "X-Requested-With: XMLHttpRequest | Accept: text/html, */*; q=0.01", false},
		{"XMLHttpRequest in lower case", "GET", "X-Requested-With: xmlhttprequest | Accept: text/html", false},
		{"a web view on Android", "GET", "X-Requested-With: com.example.app | Accept: text/html,*/*;q=0.8", true},
		{"a WebSocket", "GET", "Upgrade: websocket | Accept: */*", false},
		{"htmx", "GET", "HX-Request: true | Accept: */*", false},
	} {
		if got := browser.IsNavigation(request(tt.method, tt.headers)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestPrefersHTML(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"text/html":                                  true,
		"text/html; charset=utf-8":                   true,
		"text/html;level=1;Q=0.5":                    true,
		"text/html, application/json;q=0.9":          true,
		"text/html, */*; q=0.01":                     true,
		"text/html;q=0.9, application/json;q=0, */*": true,
		"application/json, text/html;q=0.9":          false,
		"application/json, text/html":                false,
		"text/html, */*":                             false,
		"application/json":                           false,
		"text/html;q=0":                              false,
		"text/html;q=x":                              false,
		"text/*":                                     false,
		"*/*":                                        false,
		"":                                           false,
	} {
		if got := browser.PrefersHTML(request("GET", "Accept: "+accept)); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func TestWhoReadsTheResponse(t *testing.T) {
	const html = "Accept: text/html,*/*;q=0.8"
	for _, tt := range []struct {
		name, method, headers string
		shows, refetch        bool
	}{
		{"a page", "GET", "Sec-Fetch-Mode: navigate | " + html, true, false},
		{"a form", "POST", "Sec-Fetch-Mode: navigate | " + html, true, false},
		{"a form, whatever it accepts", "POST", "Sec-Fetch-Mode: navigate | Accept: */*", true, false},
		{"a form in an old browser", "POST", html, true, false},
		{"a service worker", "GET", "Sec-Fetch-Mode: same-origin | " + html, true, true},
		{"a form through a service worker", "POST", "Sec-Fetch-Mode: same-origin | " + html, true, false},
		{"fetch of HTML", "GET", "Sec-Fetch-Mode: cors | " + html, true, false},
		{"fetch", "GET", "Sec-Fetch-Mode: cors | Accept: */*", false, false},
		{"fetch of the same origin", "GET", "Sec-Fetch-Mode: same-origin | Accept: */*", false, false},
		{"a script of the service worker", "GET", "Sec-Fetch-Mode: same-origin | Sec-Fetch-Dest: serviceworker", false, false},
		{"fetch with POST", "POST", "Sec-Fetch-Mode: cors | Accept: */*", false, false},
		{"curl with POST", "POST", "Accept: */*", false, false},
		{"a prefetched page", "GET", "Sec-Fetch-Mode: navigate | Sec-Purpose: prefetch | " + html, false, false},
		{"a page that a service worker prefetches", "GET", "Sec-Fetch-Mode: same-origin | Sec-Purpose: prefetch | " + html, false, false},
		{"htmx", "POST", "HX-Request: true | " + html, false, false},
	} {
		r := request(tt.method, tt.headers)
		if shows, refetch := browser.ShowsPage(r), browser.IsRefetch(r); shows != tt.shows || refetch != tt.refetch {
			t.Errorf("%s: shows a page %v, fetched anew %v", tt.name, shows, refetch)
		}
	}
}

func TestMayBeResponse(t *testing.T) {
	for headers, want := range map[string]bool{
		"":                         true,
		"Sec-Fetch-Mode: navigate": true,
		"Sec-Fetch-Mode: same-origin | Accept: text/html":    true,
		"Sec-Fetch-Mode: same-origin | Accept: */*":          false,
		"Sec-Fetch-Mode: cors | Accept: text/html":           false,
		"Sec-Fetch-Mode: no-cors | Accept: text/html":        false,
		"Sec-Fetch-Mode: websocket":                          false,
		"Sec-Fetch-Mode: another that is not known to exist": false,
	} {
		if got := browser.MayBeResponse(request("GET", headers)); got != want {
			t.Errorf("%q: %v", headers, got)
		}
	}
}

func TestIsFile(t *testing.T) {
	for dest, want := range map[string]bool{
		"image": true, "style": true, "script": true, "font": true, "audio": true, "video": true, "track": true,
		"manifest": true, "worker": true, "serviceworker": true,
		"": false, "document": false, "empty": false, "iframe": false, "websocket": false,
	} {
		if got := browser.IsFile(request("GET", "Sec-Fetch-Dest: "+dest)); got != want {
			t.Errorf("%q: %v", dest, got)
		}
	}
}
