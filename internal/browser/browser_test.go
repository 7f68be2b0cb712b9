package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// request has the given header fields, in pairs of name and value.
func request(method string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func TestIsNavigation(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    *http.Request
		want bool
	}{
		{"a page", request("GET", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"), true},
		{"a HEAD", request("HEAD", "Sec-Fetch-Mode", "navigate"), true},
		{"a page whatever it accepts", request("GET", "Sec-Fetch-Mode", "navigate", "Accept", "application/json"), true},
		{"a page of a script's library", request("GET", "Sec-Fetch-Mode", "navigate", "X-Requested-With", "x"), true},
		{"a form that is posted", request("POST", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"), false},
		{"fetch()", request("GET", "Sec-Fetch-Mode", "cors", "Accept", "text/html"), false},
		{"an image", request("GET", "Sec-Fetch-Mode", "no-cors"), false},
		{"a WebSocket", request("GET", "Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"), false},
		{"a prefetch", request("GET", "Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"), false},
		{"without Sec-Fetch-Mode", request("GET", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), true},
		{"without Sec-Fetch-Mode, in capitals", request("GET", "Accept", "TEXT/HTML"), true},
		{"without Sec-Fetch-Mode, in two lines", request("GET", "Accept", "application/xml", "Accept", "text/html"), true},
		{"curl", request("GET", "Accept", "*/*"), true},
		{"a client without Accept", request("GET"), true},
		{"a client that wants JSON", request("GET", "Accept", "application/json"), false},
		{"an event stream", request("GET", "Accept", "text/event-stream"), false},
		{"jQuery", request("GET", "Accept", "text/html", "X-Requested-With", "XMLHttpRequest"), false},
		{"a WebSocket without Sec-Fetch-Mode", request("GET", "Upgrade", "websocket"), false},
		{"a deletion", request("DELETE", "Accept", "text/html"), false},
		{"a method in small letters", request("get", "Accept", "text/html"), false},
	} {
		if got := IsNavigation(tt.r); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
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
		if got := IsPrefetch(request("GET", tt.field, tt.value)); got != tt.want {
			t.Errorf("%s: %s: %t, want %t", tt.field, tt.value, got, tt.want)
		}
	}
}

func TestIsDocument(t *testing.T) {
	for dest, want := range map[string]bool{"": true, "document": true, "iframe": false, "frame": false, "object": false, "embed": false, "empty": false, "image": false} {
		if got := IsDocument(request("GET", "Sec-Fetch-Dest", dest)); got != want {
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

// A request can have a megabyte of header, which is not read to its end.
func TestLongHeadersAreCut(t *testing.T) {
	padding := strings.Repeat(",", 1<<20)
	if PrefersHTML(request("GET", "Accept", padding+"text/html")) || !PrefersHTML(request("GET", "Accept", "text/html"+padding)) {
		t.Error("Accept is read to its end, or not at all")
	}
	if IsPrefetch(request("GET", "Purpose", padding+"prefetch")) || !IsPrefetch(request("GET", "Sec-Purpose", "prefetch"+padding)) {
		t.Error("a purpose is read to its end, or not at all")
	}
}
