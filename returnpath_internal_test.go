package oauthlogin

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// leavesOrigin reports whether a browser that is told Location: target may
// end up anywhere but on the page's own origin: the parts of the WHATWG URL
// standard's basic parser that a relative reference goes through, written
// down without net/url, which parses differently.
func leavesOrigin(target string) bool {
	// What no header should carry, user agents treat each in its own way.
	if strings.IndexFunc(target, func(r rune) bool { return r < 0x20 || r > 0x7e }) >= 0 {
		return true
	}
	target = strings.Trim(target, " ")
	if i := strings.IndexAny(target, ":/?#\\"); i > 0 && target[i] == ':' {
		return true // a scheme, or close enough
	}
	// For special schemes a backslash is a slash.
	path, _, _ := strings.Cut(target, "#")
	path, _, _ = strings.Cut(path, "?")
	path = strings.ReplaceAll(path, `\`, "/")
	return !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//")
}

// arrivesAt returns the path that a handler sees when a browser goes to
// target: dot segments are resolved by the browser, encoded ones too, and
// then by most routers, once the path is decoded.
func arrivesAt(target string) string {
	target, _, _ = strings.Cut(target, "#")
	target, _, _ = strings.Cut(target, "?")
	var kept []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(target, "/"), "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	decoded, err := url.PathUnescape("/" + strings.Join(kept, "/"))
	if err != nil {
		return target
	}
	return path.Clean(decoded)
}

// RFC 9700 section 4.11: whatever comes in, what goes into Location stays
// here, leads to no path of our own, and is either what was asked or "/".
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{
		"", "/", "/?", "/app?x=1#frag", "/a//b", "/a/../b", "/p/%2F%2Fevil.example", "/%E2%82%AC", "/confirm/me@example.com",
		"//evil.example", `/\evil.example`, "/\t/evil.example", "/%09/evil.example", "/%0d%0a/evil.example", "https://evil.example", "javascript:alert(1)",
		`/./\evil.example`, "/.//evil.example", "/..//evil.example", "/%5cevil.example", "/%2e%2e//evil.example", "/%2F/evil.example", "/\u2215evil.example",
		"/login", "/./login", "/%6cogin", "//login", "/login/", "/login?x", "/x/%2e%2e/login", "/x%23/../login", "/x%3f/../login", "/auth%2Fcallback", "/logout#x",
	} {
		f.Add(seed)
	}
	m := &Middleware{ownPaths: []string{"/login", "/logout", "/auth/callback"}}
	f.Fuzz(func(t *testing.T, asked string) {
		got := m.returnPath(asked)
		if got != asked && got != "/" {
			t.Fatalf("%q became %q", asked, got)
		}
		if leavesOrigin(got) {
			t.Fatalf("%q leaves the origin", got)
		}
		// net/http.Redirect cleans like this, and so may a proxy.
		if leavesOrigin(path.Clean(got)) {
			t.Fatalf("%q leaves the origin once it is cleaned", got)
		}
		if arrived := arrivesAt(got); slices.Contains(m.ownPaths, arrived) {
			t.Fatalf("%q leads to %q", got, arrived)
		}
		if len(got) > maxReturnPath {
			t.Fatalf("%d bytes", len(got))
		}
	})
}
