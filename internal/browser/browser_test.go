package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// request has header fields "Name: value | Name: value".
func request(method, fields string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for field := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	return r
}

func TestIsNavigation(t *testing.T) {
	for _, tt := range []struct {
		name, method, fields string
		want                 bool
	}{
		{"a page", "GET", "Sec-Fetch-Mode: navigate | Accept: text/html", true},
		{"a HEAD", "HEAD", "Sec-Fetch-Mode: navigate", true},
		{"a page whatever it accepts", "GET", "Sec-Fetch-Mode: navigate | Accept: application/json", true},
		{"a page of a script's library", "GET", "Sec-Fetch-Mode: navigate | X-Requested-With: x", true},
		{"a form that is posted", "POST", "Sec-Fetch-Mode: navigate | Accept: text/html", false},
		{"fetch()", "GET", "Sec-Fetch-Mode: cors | Accept: text/html", false},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors", false},
		{"a WebSocket", "GET", "Sec-Fetch-Mode: websocket | Upgrade: websocket", false},
		{"a prefetch", "GET", "Sec-Fetch-Mode: navigate | Sec-Purpose: prefetch", false},
		{"without Sec-Fetch-Mode", "GET", "Accept: text/html,application/xhtml+xml,*/*;q=0.8", true},
		{"without Sec-Fetch-Mode, in capitals", "GET", "Accept: TEXT/HTML", true},
		{"without Sec-Fetch-Mode, in two lines", "GET", "Accept: application/xml | Accept: text/html", true},
		{"curl", "GET", "Accept: */*", true},
		{"a client without Accept", "GET", "", true},
		{"a client that wants JSON", "GET", "Accept: application/json", false},
		{"an event stream", "GET", "Accept: text/event-stream", false},
		{"jQuery", "GET", "Accept: text/html | X-Requested-With: XMLHttpRequest", false},
		{"a WebSocket without Sec-Fetch-Mode", "GET", "Upgrade: websocket", false},
		{"a deletion", "DELETE", "Accept: text/html", false},
		{"a method in small letters", "get", "Accept: text/html", false},
		{"curl -I", "HEAD", "Accept: */*", true},
		{"an old Safari", "GET", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
		{"an image in an old Safari", "GET", "Accept: image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5", false},
		{"an image in an old Chrome", "GET", "Accept: image/webp,image/apng,image/*,*/*;q=0.8", false},
		{"a style sheet", "GET", "Accept: text/css,*/*;q=0.1", false},
		{"axios", "GET", "Accept: application/json, text/plain, */*", false},
		{"HTML refused", "GET", "Accept: text/html;q=0, */*", false},
		{"another name for HTML", "GET", "Accept: text/html-sandboxed, */*", false},
		{"XMLHttpRequest", "GET", "X-Requested-With: XMLHttpRequest | Accept: text/html, */*; q=0.01", false},
		{"XMLHttpRequest in lower case", "GET", "X-Requested-With: xmlhttprequest | Accept: text/html", false},
		{"a web view on Android", "GET", "X-Requested-With: com.example.app | Accept: text/html,*/*;q=0.8", true},
		{"htmx", "GET", "HX-Request: true | Accept: */*", false},
	} {
		if got := IsNavigation(request(tt.method, tt.fields)); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
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
		if shows, refetch := ShowsPage(r), IsRefetch(r); shows != tt.shows || refetch != tt.refetch {
			t.Errorf("%s: shows a page %v, fetched anew %v", tt.name, shows, refetch)
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
		if got := PrefersHTML(request("GET", "Accept: "+accept)); got != want {
			t.Errorf("%q: %v", accept, got)
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
		"Sec-Fetch-Mode: navigate | Sec-Purpose: prefetch":   false,
		"Purpose: prefetch":                                  false,
		"Sec-Fetch-Mode: another that is not known to exist": false,
	} {
		if got := MayBeResponse(request("GET", headers)); got != want {
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
		if got := IsFile(request("GET", "Sec-Fetch-Dest: "+dest)); got != want {
			t.Errorf("%q: %v", dest, got)
		}
	}
}

func TestIsPrefetch(t *testing.T) {
	for _, tt := range []struct {
		field, value string
		want         bool
	}{
		{"Sec-Purpose", "prefetch", true},
		{"Sec-Purpose", "prefetch;prerender", true},
		{"Sec-Purpose", "prefetch;anonymous-client-ip", true},
		{"Purpose", "prefetch", true},
		{"Purpose", "Prefetch", true},
		{"X-Purpose", "preview", true},
		{"X-Moz", "prefetch", true},
		{"Sec-Purpose", "", false},
		{"Sec-Purpose", "other", false},
		{"Accept", "prefetch", false},
	} {
		if got := IsPrefetch(request("GET", tt.field+": "+tt.value)); got != tt.want {
			t.Errorf("%s: %s: %t, want %t", tt.field, tt.value, got, tt.want)
		}
	}
}

func TestIsDocument(t *testing.T) {
	for dest, want := range map[string]bool{"": true, "document": true, "iframe": false, "frame": false, "object": false, "embed": false, "empty": false, "image": false} {
		if got := IsDocument(request("GET", "Sec-Fetch-Dest: "+dest)); got != want {
			t.Errorf("%q: %t, want %t", dest, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "PROPFIND": "PROPFIND", "a b~!": "a b~!", "a\nb\r\x00\x1b[31m\x7f": "ab[31m", `a"b\c`: "abc", "é\u202e\xff": "",
		strings.Repeat("x", 64): strings.Repeat("x", 64), strings.Repeat("é", 99) + strings.Repeat("y", 99): strings.Repeat("y", 64),
	} {
		if got := Printable(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
}

// What is read of a header is bounded: each range takes time.
func TestAcceptIsBounded(t *testing.T) {
	for padding, want := range map[int]bool{100: true, 100_000: false} {
		r := request("GET", "Accept: "+strings.Repeat("a/b,", padding)+"text/html")
		if IsNavigation(r) != want {
			t.Errorf("%d ranges before text/html: %t", padding, !want)
		}
	}
}

// A request can have a megabyte of header, which is not read to its end.
func TestLongHeadersAreCut(t *testing.T) {
	padding := strings.Repeat(",", 1<<20)
	if PrefersHTML(request("GET", "Accept: "+padding+"text/html")) || !PrefersHTML(request("GET", "Accept: text/html"+padding)) {
		t.Error("Accept is read to its end, or not at all")
	}
	if IsPrefetch(request("GET", "Purpose: "+padding+"prefetch")) || !IsPrefetch(request("GET", "Sec-Purpose: prefetch"+padding)) {
		t.Error("a purpose is read to its end, or not at all")
	}
}
