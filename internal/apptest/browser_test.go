package apptest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A model that cannot refuse proves nothing. Sources are sections of RFC 6265bis
// and drafts beside it; Chromium 156 answered each row in the same way.
func TestBrowserKeepsCookies(t *testing.T) {
	t.Parallel()
	const app, sub, plain, loopback = "https://app.test/", "https://sub.app.test/", "http://app.test/", "http://127.0.0.1:3000/"
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		rule, source string
		from         string // the URL that sets
		lines        []string
		to           string // the URL that is asked for afterwards
		want         string
	}{
		{"name and value have 4,096 bytes together", "The Set-Cookie Header Field", app, []string{"a=" + x(4095), "b=" + x(4096)}, app, "a=" + x(4095)},
		{"attributes have 1,024 bytes, or are ignored", "The Set-Cookie Header Field", app, []string{"a=1; Path=/" + x(1024), "b=2; Path=/" + x(1023), "c=3; Domain=" + x(1025)}, app, "a=1; c=3"},
		{"control characters lose the cookie", "The Set-Cookie Header Field", app, []string{"a=1\x01", "b=\x7f", "c\x02=1", "d=1; Path=/\x01", "e=1; Foo=\x03", "f=1\tx", "g=2"}, app, "g=2"},
		{"spaces around name and value are none of theirs", "The Set-Cookie Header Field", app, []string{" a = 1 ", "b=x y", "c=2  ; Path=/"}, app, "a=1; b=x y; c=2"},
		{"a Unicode space is a letter", "The Set-Cookie Header Field", app, []string{"\u2000__Host-a=1"}, app, "\u2000__Host-a=1"},
		{"quotes, commas and backslashes are part of the value", "The Set-Cookie Header Field", app, []string{`a="1"`, "b=1,2", `c=\`}, app, `a="1"; b=1,2; c=\`},
		{"without a name the value goes alone, and once", "The Set-Cookie Header Field", app, []string{"=x", "y", "=", ""}, app, "y"},
		{"without a name there is no equals sign in the value", "Chromium", app, []string{"=a=b", "=oauthlogin=x", "c=1"}, app, "c=1"},
		{"without a name no value begins like a prefix", "Storage Model", app, []string{"=__Host-a=1; Secure; Path=/", "__Host-b", "= __secure-c", "__Http-d"}, app, ""},

		{"__Host- needs Secure, Path=/ and no Domain", "Cookie Name Prefixes", app, []string{
			"__Host-a=1; Secure; Path=/", "__Host-b=1; Path=/", "__Host-c=1; Secure", "__Host-d=1; Secure; Path=/x",
			"__Host-e=1; Secure; Path=/; Domain=app.test", "__Host-f=1; Secure; Path=/; Domain=", "__Host-g=1; Secure; Path=x",
		}, app, "__Host-a=1; __Host-f=1"},
		{"__Secure- needs Secure", "Cookie Name Prefixes", app, []string{"__Secure-a=1; Secure", "__Secure-b=1", "__Secure-c=1; Secure; Domain=app.test"}, app, "__Secure-a=1; __Secure-c=1"},
		{"prefixes are prefixes in any case", "Cookie Name Prefixes", app, []string{"__host-a=1", "__HOST-b=1; Secure; Path=/; Domain=app.test", "__sEcure-c=1", "__hosT-d=1; Secure; Path=/"}, app, "__hosT-d=1"},
		{"__Http- and __Host-Http- need HttpOnly", "layered-cookies", app, []string{"__Http-a=1; Secure", "__Http-b=1; Secure; HttpOnly", "__Host-Http-c=1; Secure; Path=/", "__Host-Http-d=1; Secure; Path=/; HttpOnly"}, app, "__Http-b=1; __Host-Http-d=1"},
		{"no prefix comes over plain http", "Cookie Name Prefixes", plain, []string{"__Host-a=1; Secure; Path=/", "__Host-b=1; Path=/", "__Secure-c=1; Secure", "d=1"}, app, "d=1"},

		{"Secure does not come over plain http", "Storage Model", plain, []string{"a=1; Secure", "b=1"}, app, "b=1"},
		{"Secure does not go over plain http", "Retrieval Model", app, []string{"a=1; Secure", "b=1"}, plain, "b=1"},
		{"plain http on loopback counts as secure", "Chromium", loopback, []string{"a=1; Secure", "__Host-b=1; Secure; Path=/"}, loopback, "a=1; __Host-b=1"},
		{"plain http on localhost counts as secure", "Chromium", "http://localhost:3000/", []string{"__Host-a=1; Secure; Path=/"}, "http://localhost:3000/", "__Host-a=1"},

		{"without a Domain the host alone is meant", "Storage Model", app, []string{"a=1", "b=1; Domain="}, sub, ""},
		{"a Domain means its subdomains", "Storage Model", app, []string{"a=1; Domain=app.test", "b=1; Domain=.APP.test"}, sub, "a=1; b=1"},
		{"a Domain may be the parent's", "Storage Model", sub, []string{"a=1; Domain=app.test"}, app, "a=1"},
		{"a Domain is one's own", "Storage Model", app, []string{"a=1; Domain=other.test", "b=1; Domain=sub.app.test", "c=1; Domain=pp.test"}, app, ""},
		{"a Domain is no public suffix", "Storage Model", app, []string{"a=1; Domain=test", "b=1; Domain=.test"}, app, ""},
		{"an address has no subdomains", "Domain Matching", loopback, []string{"a=1; Domain=127.0.0.1", "b=1; Domain=0.0.1", "c=1; Domain=1"}, loopback, "a=1"},
		{"ports share cookies", "Weak Confidentiality", loopback, []string{"a=1"}, "http://127.0.0.1:9999/", "a=1"},
		{"http and https share cookies", "Weak Confidentiality", plain, []string{"a=1"}, app, "a=1"},

		{"the default path is the directory", "Paths and Path-Match", app + "x/y", []string{"a=1", "b=1; Path=z", "c=1; Path="}, app + "x/z", "a=1; b=1; c=1"},
		{"the default path is not the directory above", "Paths and Path-Match", app + "x/y", []string{"a=1"}, app + "z", ""},
		{"a path matches whole segments", "Paths and Path-Match", app, []string{"a=1; Path=/re", "b=1; Path=/read", "c=1; Path=/read/"}, app + "read", "b=1"},
		{"a path matches what is below", "Paths and Path-Match", app, []string{"b=1; Path=/read", "c=1; Path=/read/"}, app + "read/x", "c=1; b=1"},
		{"longer paths come first, then older cookies", "Retrieval Model", app, []string{"a=1; Path=/", "b=1; Path=/", "c=1; Path=/x", "d=1; Path=/x/y"}, app + "x/y", "d=1; c=1; a=1; b=1"},
		{"a new value makes a new cookie", "Chromium", app, []string{"a=1", "b=1", "a=2"}, app, "b=1; a=2"},
		{"the old value leaves an old cookie", "Storage Model", app, []string{"a=1", "b=1", "a=1; Max-Age=9"}, app, "a=1; b=1"},
		{"same name, other Domain or path: another cookie", "Storage Model", app, []string{"a=1", "a=2; Domain=app.test", "a=3; Path=/x"}, app + "x", "a=3; a=1; a=2"},

		{"SameSite=None needs Secure", "Storage Model", app, []string{"a=1; SameSite=None", "b=1; SameSite=None; Secure"}, app, "b=1"},
		{"Max-Age of zero or less ends a cookie", "The Max-Age Attribute", app, []string{"a=1", "a=; Max-Age=0", "b=1; Max-Age=-1"}, app, ""},
		{"Max-Age that is no number is none", "The Max-Age Attribute", app, []string{"a=1; Max-Age=x", "b=1; Max-Age=", "c=1; Max-Age=5x", "d=1; Max-Age=-"}, app, "a=1; b=1; c=1; d=1"},
		{"Expires in the past ends a cookie", "The Expires Attribute", app, []string{"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT"}, app, ""},
		{"Max-Age counts more than Expires", "Storage Model", app, []string{"a=1; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=0"}, app, "a=1"},
		{"the last of an attribute counts", "Storage Model", app, []string{"a=1; Path=/x; Path=/", "b=1; Max-Age=9; Max-Age=0", "c=1; SameSite=None; SameSite=Lax"}, app, "a=1; c=1"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			var store cookieJar
			for _, line := range tt.lines {
				store.set(mustURL(t, tt.from), line, cause{}, false)
			}
			if got := store.header(mustURL(t, tt.to), http.MethodGet, cause{}, false); got != tt.want {
				t.Errorf("%s sends %.80q; want %.80q (%s)", tt.to, got, tt.want, tt.source)
			}
		})
	}
}

// RFC 6265bis, Storage Model: what comes over plain http lays nothing over a cookie with
// Secure.
func TestBrowserLeavesSecureCookiesAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, from, line string
		kept             bool
	}{
		{"the same cookie", "http://app.test/", "a=2; Path=/login", false},
		{"below its path", "http://app.test/", "a=2; Path=/login/en", false},
		{"for the domain", "http://app.test/", "a=2; Path=/login; Domain=app.test", false},
		{"from a subdomain", "http://sub.app.test/", "a=2; Path=/login", false},
		{"above its path", "http://app.test/", "a=2; Path=/", true},
		{"beside its path", "http://app.test/", "a=2; Path=/logins", true},
		{"of another name", "http://app.test/", "b=2; Path=/login", true},
		{"over https", "https://app.test/", "a=2; Path=/login", true},
	} {
		var store cookieJar
		store.set(mustURL(t, "https://app.test/"), "a=1; Secure; Path=/login", cause{}, false)
		if kept := store.set(mustURL(t, tt.from), tt.line, cause{}, false); kept != tt.kept {
			t.Errorf("%s: kept %t", tt.name, kept)
		}
	}
}

// HttpOnly: RFC 6265bis, Storage Model and Retrieval Model.
func TestBrowserKeepsScriptsOut(t *testing.T) {
	t.Parallel()
	b := &Browser{T: t, Client: &http.Client{Jar: &cookieJar{}}}
	p := b.Page("https://app.test")
	b.jar().set(p.url(), "a=secret; HttpOnly; Secure; Path=/", cause{}, false)
	b.jar().set(p.url(), "b=open; Path=/", cause{}, false)
	for line, kept := range map[string]bool{
		"a=mine; Path=/": false, "a=; Path=/; Max-Age=0": false, "c=1; HttpOnly": false, "b=mine; Path=/": true, "a=mine; Path=/x": true,
		"__Host-d=1": false, "__Host-d=1; Secure; Path=/": true,
	} {
		if got := p.SetCookie(line); got != kept {
			t.Errorf("%s: kept %t", line, got)
		}
	}
	if got := p.Cookie(); strings.Contains(got, "secret") || !strings.Contains(got, "b=mine") {
		t.Errorf("a script reads %q", got)
	}
	if got := b.jar().header(p.url(), http.MethodGet, cause{}, false); !strings.Contains(got, "a=secret") {
		t.Errorf("the browser sends %q", got)
	}
}

// SameSite: RFC 6265bis, "Same-site" and "cross-site" Requests, and what Fetch
// Metadata and Fetch's Origin header say of the same requests.
func TestBrowserTellsSitesApart(t *testing.T) {
	t.Parallel()
	const none, lax, all, young = "none", "none lax", "none lax strict", "none new"
	shop := &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}
	for _, tt := range []struct {
		name, method, target string
		why                  cause
		sent                 string // which of the cookies none, lax, strict, old and new; the latter two do not say SameSite
		site, origin         string
	}{
		{"an address", "GET", "https://app.test/", cause{}, all + " old new", "none", ""},
		{"an address that another site leads on from", "GET", "https://app.test/", cause{via: []*url.URL{shop}}, all + " old new", "none", ""},
		{"our own link", "GET", "https://app.test/", cause{page: "https://app.test"}, all + " old new", "same-origin", ""},
		{"our own form", "POST", "https://app.test/", cause{page: "https://app.test"}, all + " old new", "same-origin", "https://app.test"},
		{"our own fetch", "DELETE", "https://app.test/", cause{page: "https://app.test", dest: "empty", mode: "cors"}, all + " old new", "same-origin", "https://app.test"},
		{"our own image, led on by another site", "GET", "https://app.test/", cause{page: "https://app.test", dest: "image", mode: "no-cors", via: []*url.URL{shop}}, all + " old new", "cross-site", ""},
		{"a fetch without credentials", "GET", "https://app.test/", cause{page: "https://app.test", dest: "empty", mode: "cors", anonymous: true}, "", "same-origin", ""},
		{"a sibling's link", "GET", "https://app.test/", cause{page: "https://evil.app.test"}, all + " old new", "same-site", ""},
		{"a sibling's form", "POST", "https://app.test/", cause{page: "https://evil.app.test"}, all + " old new", "same-site", "https://evil.app.test"},
		{"a sibling's image", "GET", "https://app.test/", cause{page: "https://evil.app.test", dest: "image", mode: "no-cors"}, all + " old new", "same-site", ""},
		{"another port's form", "POST", "https://app.test/", cause{page: "https://app.test:8443"}, all + " old new", "same-site", "https://app.test:8443"},
		{"another site's link", "GET", "https://app.test/", cause{page: "https://evil.test"}, lax + " old new", "cross-site", ""},
		{"another site's form", "POST", "https://app.test/", cause{page: "https://evil.test"}, young, "cross-site", "https://evil.test"},
		{"another site's form, led on by us", "POST", "https://app.test/", cause{page: "https://evil.test", via: []*url.URL{{Scheme: "https", Host: "app.test"}}}, young, "cross-site", "null"},
		{"another site's frame", "GET", "https://app.test/", cause{page: "https://evil.test", dest: "iframe"}, none, "cross-site", ""},
		{"another site's image", "GET", "https://app.test/", cause{page: "https://evil.test", dest: "image", mode: "no-cors"}, none, "cross-site", ""},
		{"another site's fetch", "GET", "https://app.test/", cause{page: "https://evil.test", dest: "empty", mode: "cors"}, none, "cross-site", "https://evil.test"},
		{"the same host over plain http", "GET", "https://app.test/", cause{page: "http://app.test"}, lax + " old new", "cross-site", ""},
		{"the same host over plain http, a form", "POST", "https://app.test/", cause{page: "http://app.test"}, young, "cross-site", "http://app.test"},
		{"a site of nobody's", "GET", "https://app.test/", cause{page: "null"}, lax + " old new", "cross-site", ""},
		{"a form of nobody's", "POST", "https://app.test/", cause{page: "null"}, young, "cross-site", "null"},
		{"plain http", "GET", "http://app.test/", cause{}, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var store cookieJar
			for _, line := range []string{"none=1; SameSite=None; Secure", "lax=1; SameSite=Lax; Secure", "strict=1; SameSite=Strict; Secure", "old=1; Secure", "new=1; SameSite=x; Secure"} {
				store.set(shop.ResolveReference(mustURL(t, "https://app.test/")), line, cause{}, false)
			}
			store.cookies[3].created = store.cookies[3].created.Add(-unsafeLaxAge)
			target := mustURL(t, tt.target)
			if got := strings.ReplaceAll(store.header(target, tt.method, tt.why, false), "=1;", ""); strings.TrimSuffix(got, "=1") != tt.sent {
				t.Errorf("sends %q; want %q", got, tt.sent)
			}
			r := httptest.NewRequest(tt.method, tt.target, nil)
			tt.why.describe(r)
			if site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin"); site != tt.site || origin != tt.origin {
				t.Errorf("Sec-Fetch-Site %q, Origin %q; want %q, %q", site, origin, tt.site, tt.origin)
			}
			// Cookies come as they go, but a new page may bring any.
			keeps := tt.target == "https://app.test/" && (tt.why.isTopLevel() || strings.Contains(tt.sent, "strict") || tt.why.anonymous)
			for _, value := range []string{"Lax", "Strict", "x"} {
				if kept := store.set(target, "set=1; Secure; SameSite="+value, tt.why, false); kept != keeps {
					t.Errorf("keeps a new cookie with SameSite=%s: %t", value, kept)
				}
			}
			if kept := store.set(target, "set=1; Secure; SameSite=None", tt.why, false); kept != isTrustworthy(target) {
				t.Errorf("keeps a new cookie with SameSite=None: %t", kept)
			}
		})
	}
}

// RFC 6265bis, "remove excess cookies", with Chromium's numbers.
func TestBrowserHasRoomForSoMany(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		flood         int
		from, more    string
		used          time.Duration // after it was set, amid the flood; 0: never
		stays         bool
		floods, total int // left of the flood, and of all
	}{
		{"180 are kept", 179, "https://evil.app.test/", "; Secure", 0, true, 179, 180},
		{"one more takes the oldest 31", 180, "https://evil.app.test/", "; Secure", 0, false, 150, 150},
		{"those used last stay", 180, "https://evil.app.test/", "; Secure", AccessThreshold, true, 149, 150},
		{"used again within a minute is not used again", 180, "https://evil.app.test/", "; Secure", AccessThreshold - 1, false, 150, 150},
		{"those without Secure go first", 180, "https://evil.app.test/", "", 0, true, 149, 150},
		{"however many they are", 400, "http://evil.app.test/", "", 0, true, 152, 153},
		{"cookies for the domain count as well", 180, "https://evil.app.test/", "; Secure; Domain=app.test", 0, false, 150, 150},
		{"another site has room of its own", 181, "https://evil.test/", "; Secure", 0, true, 150, 151},
	} {
		synctest.Test(t, func(t *testing.T) {
			var store cookieJar
			app := mustURL(t, "https://app.test/")
			store.set(app, "ours=1; Secure", cause{}, false)
			for i := range tt.flood {
				if i == tt.flood/2 && tt.used > 0 {
					time.Sleep(tt.used)
					store.header(app, http.MethodGet, cause{}, false)
				}
				store.set(mustURL(t, tt.from), fmt.Sprintf("c%d=1%s", i, tt.more), cause{}, false)
			}
			left := store.header(app, http.MethodGet, cause{}, false)
			if stays := strings.Contains(left, "ours="); stays != tt.stays {
				t.Errorf("%s: ours stays: %t", tt.name, stays)
			}
			floods := 0
			for _, c := range store.cookies {
				if c.name != "ours" {
					floods++
				}
			}
			if floods != tt.floods || len(store.cookies) != tt.total {
				t.Errorf("%s: %d of the flood left, %d in all", tt.name, floods, len(store.cookies))
			}
		})
	}
}

// RFC 6265bis, Cookie Lifetime Limits and The Max-Age Attribute.
func TestBrowserForgetsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store cookieJar
		app := mustURL(t, "https://app.test/")
		for _, line := range []string{
			"minute=1; Max-Age=60", "ages=1; Max-Age=99999999999999999999", "decade=1; Max-Age=315360000",
			"century=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "date=1; Expires=Sat, 01 Jan 2000 00:05:00 GMT", "session=1",
		} {
			store.set(app, line, cause{}, false)
		}
		for _, step := range []struct {
			wait time.Duration
			want string
		}{
			{59 * time.Second, "minute=1; ages=1; decade=1; century=1; date=1; session=1"},
			{time.Second, "ages=1; decade=1; century=1; date=1; session=1"},
			{4 * time.Minute, "ages=1; decade=1; century=1; session=1"},
			{maxCookieLife - 5*time.Minute - 1, "ages=1; decade=1; century=1; session=1"},
			{1, "session=1"},
		} {
			time.Sleep(step.wait)
			if got := store.header(app, http.MethodGet, cause{}, false); got != step.want {
				t.Errorf("%s: %q", time.Now(), got)
			}
		}
	})
}

// A browser is a cookieJar on the network: through its own door and that of
// http.Client it sends and keeps the same.
func TestBrowserOnTheNetwork(t *testing.T) {
	t.Parallel()
	a := New(t, Config{})
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = r.URL.Query()["set"]
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
		fmt.Fprint(w, r.Method, " ", r.Header.Get("Cookie"), " ", r.Header.Get("Sec-Fetch-Site"))
	}
	for _, host := range []string{"a.test", "b.test"} {
		a.Net[host] = http.HandlerFunc(echo)
	}
	b := a.Browser(t)
	set := "https://a.test/?" + url.Values{"set": {"strict=1; SameSite=Strict", "lax=1; SameSite=Lax", "=nameless", "\"odd\"=1", "big=" + strings.Repeat("x", 4096)}}.Encode()
	b.Get(set)
	if got := b.Get("https://a.test/").Text; got != `GET strict=1; lax=1; nameless; "odd"=1 none` {
		t.Errorf("typed: %s", got)
	}
	other := b.Page("https://b.test")
	if got := other.Link("https://a.test/").Text; got != `GET lax=1; nameless; "odd"=1 cross-site` {
		t.Errorf("a link: %s", got)
	}
	if got := other.Form("https://a.test/", nil).Text; got != `POST nameless; "odd"=1 cross-site` { // not two minutes old
		t.Errorf("a form: %s", got)
	}
	if got := other.Embed("iframe", set).Text; got != `GET  cross-site` {
		t.Errorf("a frame: %s", got)
	}
	// A page of a.test, led through b.test and back, stays what it was.
	if got := b.FollowOn(b.Page("https://a.test").Link("https://b.test/?to=https://a.test/"), "").Text; got != `GET strict=1; lax=1; nameless; "odd"=1 cross-site` {
		t.Errorf("there and back: %s", got)
	}
	resp, err := b.Client.Do(b.Request(http.MethodGet, "https://a.test/?set=more%3D1", nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := b.Get("https://a.test/").Text; !strings.Contains(got, "more=1") {
		t.Errorf("after the client's own: %s", got)
	}
	if got := a.BareBrowser(t).Get(set).Request.Header.Get("Cookie"); got != "" {
		t.Errorf("without a jar: %s", got)
	}
}
