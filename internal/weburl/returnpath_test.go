package weburl

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
)

// ordinaryPaths are kept byte for byte.
var ordinaryPaths = []string{
	"/", "/?", "/app", "/app/", "/app?x=1", "/a//b", "/a/../b", "/a/./b", "/a;b=c", "/a:b", "/@alice", "/~alice/*(1)!$'",
	"/.well-known/x", "/a?x=1#frag", "/#/route/of/a/script?x=1", "/confirm/me@example.com", "/search?q=a%20b+c&u=http%3A%2F%2Fx",
	"/app?next=https://other.example/a//b", "/app?next=//other.example", "/app?next=/login", "/p/%2F%2Fevil.com", "/%2F/evil.com",
	"/%E2%82%AC", "/caf%C3%A9?q=%F0%9F%98%80", "/url%20with%20spaces/", "/100%25", "/app?half=%zz", "/%09/evil.com",
	"/a/%5C/b", "/files/C:%5Cdata", "/files/C:%5C%5Cdata", "/files/a%5cb/c?x=%5C",
	"/a/..//b", "/x//../y", "/app?q=" + strings.Repeat("a", maxReturnPath-7),
}

// hostilePaths lead off the origin in one browser or another, or might.
var hostilePaths = []struct{ name, path string }{
	{"nothing", ""},
	{"another origin", "https://evil.example/x"},
	{"another origin in capital letters", "HTTPS://evil.example"},
	{"another origin without a scheme", "//evil.example/x"},
	{"three slashes", "///evil.example/x"},
	{"four slashes", "////evil.example"},
	{"our own origin in full", "https://app.test/dashboard"},
	{"a scheme without slashes", "https:evil.example"},
	{"a scheme with one slash", "https:/evil.example"},
	{"a script", "javascript:alert(1)"},
	{"a script after a slash and a newline", "/\njavascript:alert(1)"},
	{"data", "data:text/html,hello"},
	{"a relative path", "dashboard"},
	{"a query alone", "?x"},
	{"a fragment alone", "#x"},
	{"a host name", "evil.example"},
	{"a dot first", "./dashboard"},
	{"a dot and two slashes", ".//evil.example"},
	{"a host behind slashes, found later", "//evil.example/../../x"},
	// CVE-2020-5233 of oauth2-proxy.
	{"a backslash", `/\evil.example`},
	{"two backslashes", `\\evil.example`},
	{"a backslash first", `\/evil.example`},
	{"a slash, a backslash and a slash", `/\/evil.example`},
	{"a backslash further on", `/a\b`},
	{"an encoded backslash", "/%5cevil.example"},
	{"an encoded backslash in capitals", "/%5Cevil.example"},
	{"two encoded backslashes", "/%5C%5Cevil.example"},
	{"an encoded slash and backslash", "/%2F%5Cevil.example"},
	{"an encoded backslash and slash", "/%5C%2Fevil.example"},
	{"a dot and an encoded backslash", "/./%5Cevil.example"},
	{"two dots and an encoded backslash", "/x/../%5Cevil.example"},
	{"two encoded dots and an encoded backslash", "/x/%2e%2e/%5Cevil.example"},
	{"two dots before two encoded backslashes", "/x/..%5C%5Cevil.example"},
	{"two dots among encoded backslashes", "/x%5C..%5C%5Cevil.example"},
	{"two dots between encoded backslashes", "/x%5C..%5C/evil.example"},
	{"a dot before an encoded backslash", "/.%5C/evil.example"},
	{"a dot before two encoded backslashes", "/.%5C%5Cevil.example"},
	{"an encoded backslash among dots", "/a/%5C../%5Cevil.example"},
	// net/http.Redirect makes /\evil.example of it.
	{"a dot and a backslash", `/./\evil.example`},
	{"two dots and a backslash", `/x/../\evil.example`},
	{"a dot and a backslash before a query", `/.\?x`},
	{"user information behind slashes", `///\;@evil.example`},
	// CVE-2020-11053 of oauth2-proxy: decoded once, these are in the path.
	{"a tab", "/\t/evil.example"},
	{"a tab first", "\t//evil.example"},
	{"a newline", "/\n/evil.example"},
	{"a carriage return", "/\r/evil.example"},
	{"a vertical tab", "/\v/evil.example"},
	{"a null byte", "/\x00/evil.example"},
	{"a delete", "/\x7f/evil.example"},
	{"a space", "/ /evil.example"},
	{"a space first", " //evil.example"},
	{"a header", "/x\r\nSet-Cookie: a=b"},
	{"a full-width slash", "/\uff0fevil.example"},
	{"a division slash", "/\u2215evil.example"},
	{"an ideographic full stop", "//evil\u3002example"},
	{"an ideographic space", "/\u3000/evil.example"},
	{"a byte order mark", "\ufeff//evil.example"},
	{"bytes that are no UTF-8", "/\xff\xfe"},
	{"a letter beyond ASCII", "/é"},
	{"a malformed escape", "/%zz"},
	{"an escape cut short", "/a%2"},
	{"one byte too long a path", "/" + strings.Repeat("a", maxReturnPath)},
}

func TestReturnPath(t *testing.T) {
	for _, path := range ordinaryPaths {
		if got := ReturnPath(path); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
	for _, tt := range hostilePaths {
		if got := ReturnPath(tt.path); got != "/" {
			t.Errorf("%s: %q became %q", tt.name, tt.path, got)
		}
	}
	// Browsers leave a backslash behind the path as it is; servers may not.
	for path, want := range map[string]string{
		`/a?x=\b`: "/a?x=%5Cb", `/a#\`: "/a#%5C", `/?\\evil.example`: "/?%5C%5Cevil.example",
		`/a?q=\\host\share#a\b`: "/a?q=%5C%5Chost%5Cshare#a%5Cb", `/#\route`: "/#%5Croute",
		"/" + strings.Repeat("a", maxReturnPath-3) + `?\`: "/", // too long as written
	} {
		if got := ReturnPath(path); got != want {
			t.Errorf("%q became %q", path, got)
		}
	}
}

// disguises lead to the login, callback or logout path of ownPaths.
var disguises = []string{
	"/login", "/login?return_to=/login", "/login?", "/login#x", "/login/", "/login//", "//login", "/./login", "/%2e/login", "/x/../login",
	"/x/%2E%2e/login", "/x%23/../login", "/x%3f/../login", "/login/.", "/login/x/..", "/%6cogin", "/%6C%6F%67%69%6E?x", "/x//../../login", "/login//..", "/login/x//..", "/login/x#//..",
	"/auth/callback", "/auth/callback?code=x&state=y", "/auth//callback", "/auth%2Fcallback", "/auth/callback/two/", "/account/sign-out", "/account/sign-out/",
	"/.//account/sign-%6Fut/#x",
}

var ownPaths = &Paths{Origin: "https://app.test", Home: "/", Login: "/login", Logout: "/account/sign-out/", Callbacks: []string{"/auth/callback", "/auth/callback/two"}}

func TestOwnPathsAreNoReturnPaths(t *testing.T) {
	for _, path := range disguises {
		if got := ownPaths.ReturnPath(path); got != "/" {
			t.Errorf("%q became %q", path, got)
		}
	}
	others := []string{"/login2", "/loginpage/login", "/LOGIN", "/log%2Fin", "/logout", "/auth/callback/status", "/auth", "/account", "/account/sign-out/x", "/?login", "/x?/../login", "/x#/../login2"}
	for _, path := range append(others, ordinaryPaths...) {
		if got := ownPaths.ReturnPath(path); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
	for _, tt := range hostilePaths {
		if got := ownPaths.ReturnPath(tt.path); got != "/" {
			t.Errorf("%s: %q became %q", tt.name, tt.path, got)
		}
	}
}

// A start page of its own takes the place of what is dropped, and of nothing else.
func TestHome(t *testing.T) {
	paths := *ownPaths
	paths.Home = "/app/"
	for _, path := range disguises {
		if got := paths.ReturnPath(path); got != "/app/" {
			t.Errorf("%q became %q", path, got)
		}
	}
	for _, path := range ordinaryPaths { // "/" among them
		if got := paths.ReturnPath(path); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
	for _, tt := range hostilePaths {
		if got := paths.ReturnPath(tt.path); got != "/app/" {
			t.Errorf("%s: %q became %q", tt.name, tt.path, got)
		}
	}
	r := httptest.NewRequest("DELETE", "https://app.test/api", nil)
	if got := paths.Caller(r); got != "/app/" {
		t.Errorf("a script's login leads to %q", got)
	}
}

func FuzzReturnPath(f *testing.F) {
	for _, path := range append(ordinaryPaths, disguises...) {
		f.Add(path)
	}
	for _, tt := range hostilePaths {
		f.Add(tt.path)
	}
	f.Add("/?+#0%")
	f.Fuzz(func(t *testing.T, p string) {
		got := ownPaths.ReturnPath(p)
		page, rest := p, ""
		if i := strings.IndexAny(p, "?#"); i >= 0 {
			page, rest = p[:i], strings.ReplaceAll(p[i:], `\`, "%5C")
		}
		if got != "/" && got != page+rest {
			t.Fatalf("%q became %q", p, got)
		}
		if plain := ReturnPath(p); got != "/" && plain != got {
			t.Errorf("%q is a return path for some paths alone", p)
		}
		if again := ownPaths.ReturnPath(got); again != got {
			t.Errorf("%q became %q, and then %q", p, got, again)
		}
		if len(got) > maxReturnPath || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
			t.Errorf("%q has characters that browsers change", got)
		}
		// On its way, servers and proxies decode and clean it.
		decoded, _ := url.PathUnescape(got)
		before, _, _ := strings.Cut(got, "?")
		for _, form := range []string{got, path.Clean(before)} {
			form, _, _ = strings.Cut(form, "#") // of which net/url is strict
			u, err := url.Parse("https://app.test" + form)
			if err != nil || u.Host != "app.test" || u.User != nil {
				t.Errorf("%q is at %v, %v", form, u, err)
			}
			base := &url.URL{Scheme: "https", Host: "app.test", Path: "/auth/callback"}
			if ref, err := base.Parse(form); err != nil || ref.Host != "app.test" || ref.Scheme != "https" {
				t.Errorf("%q leads to %v, %v", form, ref, err)
			}
		}
		if strings.HasPrefix(decoded, `/\`) {
			t.Errorf("%q decodes to %q", got, decoded)
		}
		// A router does not serve it as one of our own.
		w, mux := httptest.NewRecorder(), http.NewServeMux()
		for _, own := range append(ownPaths.Callbacks, ownPaths.Login, ownPaths.Logout) {
			if strings.HasSuffix(own, "/") {
				own += "{$}"
			}
			mux.HandleFunc(own, func(http.ResponseWriter, *http.Request) { t.Errorf("%q leads to %s", got, own) })
		}
		if u, err := url.ParseRequestURI(got); err != nil {
			t.Error(err)
		} else if u.Path = path.Clean(u.Path); u.Path != "/account/sign-out" {
			mux.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: u, Host: "app.test"})
		} else {
			t.Errorf("%q leads to the logout", got)
		}
	})
}
