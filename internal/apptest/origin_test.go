package apptest

import "testing"

// A test that cannot fail is worse than none.
func TestBrowserOrigin(t *testing.T) {
	for location, want := range map[string]string{
		"": "https://app.test", "/": "https://app.test", "x/y": "https://app.test", "?//x": "https://app.test", "#//x": "https://app.test",
		"/a//x": "https://app.test", "/.//x": "https://app.test", "/a?u=https://x": "https://app.test", "https:x": "https://app.test", "HTTPS:/x": "https://app.test",
		"//x": "https://x", "///x/y": "https://x", `/\x`: "https://x", `\/x`: "https://x", `\\x?y`: "https://x", "/\t/x": "https://x", "\n//x": "https://x",
		" //x": "https://x", "//app.test@x": "https://x", "//X:81#y": "https://x:81", "https://x": "https://x", `https:\\x`: "https://x", "http:x": "http://x",
		"ht\ntp://x": "http://x", "javascript:x": "javascript:", "java\tscript:x": "javascript:", "data:,x": "data:", " javascript://app.test": "javascript:",
	} {
		if got := BrowserOrigin(location); got != want {
			t.Errorf("%q leads to %s; want %s", location, got, want)
		}
	}
}

// A test that cannot fail is worse than none.
func TestBrowserGoesTo(t *testing.T) {
	for location, want := range map[string]string{
		"/": "/", "/a/b?c=//d#e": "/a/b", "": "/", "?x": "/", "/a/../b/./c": "/b/c", "/%2e%2E/a": "/a", "/..//evil.test": "//evil.test",
		"https:/x": "/x", "https:evil.test": "/evil.test", "//app.test/x": "/x", "https://APP.test:443/x": "/x", "https://evil.test@app.test/x": "/x",
		"//evil.test": "", `/\evil.test`: "", `\\evil.test`: "", "/\t/evil.test": "", "\n//evil.test": "", "\x01//evil.test": "", " //evil.test ": "", "///evil.test": "",
		"http://app.test/": "", "https://app.test:8443/": "", "https://app.test@evil.test/": "", "javascript:alert(1)": "", "j\navascript:alert(1)": "", "https:/\\/evil.test": "",
		`/./\evil.test`: "//evil.test",
	} {
		origin, path := BrowserGoesTo(location)
		if want == "" && origin == Origin || want != "" && (origin != Origin || path != want) {
			t.Errorf("%q leads to %q %q", location, origin, path)
		}
	}
}
