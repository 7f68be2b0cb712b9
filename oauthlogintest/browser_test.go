package oauthlogintest_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestNavigations(t *testing.T) {
	t.Parallel()
	site, a := run(t, oauthlogintest.Config{})
	b := site.Browser()
	for _, tt := range []struct {
		name string
		ask  func() *oauthlogintest.Response
		want map[string]string
		body string
	}{
		{"an address", func() *oauthlogintest.Response { return b.Navigate("/echo?a=b") }, map[string]string{
			"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1", "Origin": "", "Referer": "",
		}, ""},
		{"a whole URL", func() *oauthlogintest.Response { return b.Navigate(appURL + "/echo?a=b") }, map[string]string{"Sec-Fetch-Site": "none"}, ""},
		{"a redirect", func() *oauthlogintest.Response { return b.Navigate("/to?url=" + url.QueryEscape("/echo?a=b#c")) }, map[string]string{"Sec-Fetch-Site": "none"}, ""},
		{"a script", func() *oauthlogintest.Response { return b.Fetch("/echo?a=b") }, map[string]string{
			"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-User": "", "Origin": "", "Referer": appURL + "/", "Accept": "*/*",
		}, ""},
		{"a script's other request", func() *oauthlogintest.Response {
			r := httptest.NewRequest("PUT", "/echo?a=b", strings.NewReader(`{"x":1}`))
			r.Header.Set("Content-Type", "application/json")
			return b.Do(r)
		}, map[string]string{
			"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-User": "", "Origin": appURL, "Content-Type": "application/json",
		}, `{"x":1}`},
		{"a form", func() *oauthlogintest.Response { return b.PostForm("/echo?a=b", url.Values{"x": {"1", "2"}}) }, map[string]string{
			"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1", "Origin": appURL, "Referer": appURL + "/",
			"Content-Type": "application/x-www-form-urlencoded",
		}, "x=1&x=2"},
		{"a form that is redirected", func() *oauthlogintest.Response {
			return b.PostForm("/to?status=302&url="+url.QueryEscape("/echo?a=b"), url.Values{"x": {"1"}})
		}, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "", "Content-Type": ""}, ""},
		{"a form that is sent on", func() *oauthlogintest.Response {
			return b.PostForm("/to?status=307&url="+url.QueryEscape("/echo?a=b"), url.Values{"x": {"1"}})
		}, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": appURL, "Content-Type": "application/x-www-form-urlencoded"}, "x=1"},
		{"a form that is sent on for good", func() *oauthlogintest.Response {
			return b.PostForm("/to?status=308&url="+url.QueryEscape("/echo?a=b"), url.Values{"x": {"1"}})
		}, map[string]string{"Origin": appURL}, "x=1"},
	} {
		a.saw.Store(nil)
		resp := tt.ask()
		r := a.saw.Load()
		if resp.Status != 200 || !strings.HasPrefix(resp.URL, appURL+"/echo?a=b") || r == nil {
			t.Errorf("%s: %d at %s", tt.name, resp.Status, resp.URL)
			continue
		}
		for name, want := range tt.want {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", tt.name, name, got, want)
			}
		}
		if body, _ := io.ReadAll(r.Body); string(body) != tt.body {
			t.Errorf("%s: body %q; want %q", tt.name, body, tt.body)
		}
		if r.TLS == nil || r.TLS.ServerName != "app.test" || r.Host != "app.test" || !strings.HasPrefix(r.RemoteAddr, "192.0.2.1:") {
			t.Errorf("%s: TLS %v, host %q, from %q", tt.name, r.TLS, r.Host, r.RemoteAddr)
		}
	}
}

// A script does not go through a login: it gets 401, and a redirect as it is.
func TestScriptsFollowNothing(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	b := site.Browser()
	wantPage(t, b.Fetch("/api/me"), appURL+"/api/me", 401, "login_url")
	if resp := b.Fetch("/to?url=/echo"); resp.Status != 302 || resp.Header.Get("Location") != "/echo" {
		t.Errorf("%d to %q", resp.Status, resp.Header.Get("Location"))
	}
}

// A script's request has the session, and may be for a whole URL of the application.
func TestDo(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	alice := site.SignIn("alice")
	if resp := alice.Do(httptest.NewRequest("POST", site.URL+"/notes", nil)); resp.Status != 303 || resp.Header.Get("Location") != "/dashboard?note=" {
		t.Errorf("%d to %q", resp.Status, resp.Header.Get("Location"))
	}
	wantPage(t, site.Browser().Do(httptest.NewRequest("POST", "/notes", nil)), appURL+"/notes", 401, "login_url")
}

func TestForms(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	alice := site.SignIn("alice")
	if resp := alice.PostForm("/notes", url.Values{"text": {"hello"}}); resp.URL != appURL+"/dashboard?note=hello" || resp.Status != 200 {
		t.Errorf("%d at %s", resp.Status, resp.URL)
	}
	if resp := site.Browser().PostForm("/notes", nil); resp.Status != 401 {
		t.Errorf("without a session: %d at %s", resp.Status, resp.URL)
	}
}

// The way to the provider and back has the headers of a navigation between sites.
func TestLoginAsBrowsersDo(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	alice := site.SignIn("alice")
	alice.PostForm("/logout", nil)
	p := site.Provider
	requests := slices.Concat(p.Requests(oauthlogintest.Authorization), p.Requests(oauthlogintest.EndSession))
	var got []string
	for _, r := range requests {
		got = append(got, r.Method+" "+r.Header.Get("Sec-Fetch-Site")+" "+r.Header.Get("Origin"))
	}
	if want := []string{"GET none ", "POST same-origin https://provider.test", "GET cross-site "}; !slices.Equal(got, want) {
		t.Errorf("the provider sees %q; want %q", got, want)
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site, a := run(t, oauthlogintest.Config{})
		for _, tt := range []struct {
			name, line string
			want       string // that /echo sees
			later      string // two minutes later
		}{
			{"a plain one", "a=1", "a=1", "a=1"},
			{"quoted", `a="1"; Path=/`, `a="1"`, `a="1"`},
			{"Max-Age", "a=1; Max-Age=60", "a=1", ""},
			{"Max-Age over Expires", "a=1; Max-Age=60; Expires=Mon, 01 Jan 2035 00:00:00 GMT", "a=1", ""},
			{"Expires", "a=1; Expires=Sat, 01 Jan 2000 00:01:00 GMT", "a=1", ""},
			{"of the past", "a=1; Expires=Fri, 31 Dec 1999 00:00:00 GMT", "", ""},
			{"Max-Age=0", "a=1; Max-Age=0", "", ""},
			{"another path", "a=1; Path=/ech", "", ""},
			{"its path", "a=1; Path=/echo", "a=1", "a=1"},
			{"its domain", "a=1; Domain=app.test", "a=1", "a=1"},
			{"a public suffix", "a=1; Domain=test", "", ""},
			{"another domain", "a=1; Domain=provider.test", "", ""},
			{"a subdomain", "a=1; Domain=x.app.test", "", ""},
			{"Secure", "a=1; Secure", "a=1", "a=1"},
			{"__Host-", "__Host-a=1; Secure; Path=/", "__Host-a=1", "__Host-a=1"},
			{"__Host- without Secure", "__Host-a=1; Path=/", "", ""},
			{"__Host- with Domain", "__Host-a=1; Secure; Path=/; Domain=app.test", "", ""},
			{"__Host- of a path", "__Host-a=1; Secure; Path=/echo", "", ""},
			{"__Host- without a path", "__Host-a=1; Secure", "", ""},
			{"__host- in small letters", "__host-a=1; Path=/", "", ""},
			{"__Secure-", "__Secure-a=1; Secure", "__Secure-a=1", "__Secure-a=1"},
			{"__Secure- without Secure", "__Secure-a=1", "", ""},
			{"SameSite=None without Secure", "a=1; SameSite=None", "", ""},
			{"too large", "a=" + strings.Repeat("x", 4096), "", ""},
		} {
			begin := time.Now()
			b := site.Browser()
			line := tt.line
			if strings.Contains(line, "Expires=Sat, 01 Jan 2000") {
				line = "a=1; Expires=" + begin.Add(time.Minute).UTC().Format(http.TimeFormat)
			}
			b.Navigate("/set?cookie=" + url.QueryEscape(line))
			b.Navigate("/echo")
			if got := a.saw.Load().Header.Get("Cookie"); got != tt.want {
				t.Errorf("%s: the application sees %q; want %q", tt.name, got, tt.want)
			}
			time.Sleep(2 * time.Minute)
			b.Fetch("/echo")
			if got := a.saw.Load().Header.Get("Cookie"); got != tt.later {
				t.Errorf("%s, later: the application sees %q; want %q", tt.name, got, tt.later)
			}
		}
	})
}

// Cookies stay in their browser and at their host, and one replaces another.
func TestCookiesStay(t *testing.T) {
	t.Parallel()
	site, a := run(t, oauthlogintest.Config{})
	b := site.Browser()
	b.Navigate("/set?" + url.Values{"cookie": {"a=1; Path=/", "b=2; Path=/", "a=3; Path=/", "a=4; Path=/echo", "b=; Path=/; Max-Age=0"}}.Encode())
	b.Navigate("/echo")
	if got := a.saw.Load().Header.Get("Cookie"); got != "a=4; a=3" {
		t.Errorf("the application sees %q", got)
	}
	site.Browser().Navigate("/echo")
	if got := a.saw.Load().Header.Get("Cookie"); got != "" {
		t.Errorf("another browser sends %q", got)
	}
	b.Navigate("/dashboard")
	if got := site.Provider.Requests(oauthlogintest.Authorization)[0].Header.Get("Cookie"); got != "" {
		t.Errorf("the provider sees %q", got)
	}
}

// Coming from the provider's page, a browser sends Lax and no Strict cookies.
func TestSameSite(t *testing.T) {
	t.Parallel()
	var seen []string
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), Providers: []oauthlogin.Provider{p.Registration(base)}})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			known := map[string]bool{}
			for _, c := range r.Cookies() {
				if len(c.Name) < 8 {
					known[c.Name] = true
				}
			}
			seen = slices.Sorted(maps.Keys(known))
			w.Header().Add("Set-Cookie", "strict=1; SameSite=Strict")
			w.Header().Add("Set-Cookie", "lax=1; SameSite=Lax")
			w.Header().Add("Set-Cookie", "none=1; SameSite=None; Secure")
			w.Header().Add("Set-Cookie", "unset=1")
		}))
	})
	b := site.Browser()
	b.Navigate("/")
	b.Navigate("/")
	if want := []string{"lax", "none", "strict", "unset"}; !slices.Equal(seen, want) {
		t.Errorf("the user's own address: %q; want %q", seen, want)
	}
	b.SignIn("alice")
	if want := []string{"lax", "none", "unset"}; !slices.Equal(seen, want) {
		t.Errorf("from the provider's page: %q; want %q", seen, want)
	}
}

// unreachable is the transport of an application that was not given the provider's client.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no such host")
}

func TestWithoutTheProvidersClient(t *testing.T) {
	t.Parallel()
	wantFatal(t, func(t testing.TB) {
		oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
			auth, err := oauthlogin.New(oauthlogin.Options{
				Keys:       [][]byte{[]byte("a key of 32 bytes or more for tests")},
				Providers:  []oauthlogin.Provider{p.Registration(base)},
				HTTPClient: &http.Client{Transport: unreachable{}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return auth.Handler(http.NotFoundHandler())
		}).SignIn("alice")
	}, "at https://app.test/login, with status 502", "The provider got no request. Set Options.HTTPClient to Provider.HTTPClient().")
}

func TestBrowserFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		do    func(site *oauthlogintest.Site, b *oauthlogintest.Browser)
		texts []string
	}{
		{"a connection that breaks", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("/abort") }, []string{"GET https://app.test/abort: no response", "EOF"}},
		{"a handler that hangs", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Fetch("/hang") }, []string{"GET https://app.test/hang: no response", "deadline"}},
		{"an unknown host", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("https://else.test/") }, []string{"has no host else.test:443"}},
		{"a redirect to one", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("/to?url=https://else.test/") }, []string{"has no host else.test:443"}},
		{"a redirect to no URL", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("/to?url=%3a%3a") }, []string{"redirects to"}},
		{"a loop", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("/loop?secret") }, []string{"21 redirects in a row", "https://app.test/loop\n"}},
		{"a path without a slash", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("dashboard") }, []string{`"dashboard" is not a path`}},
		{"a path of another host", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Fetch("//provider.test/") }, []string{"is not a path"}},
		{"a form for another site", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.PostForm("https://provider.test/", nil) }, []string{"is not a path"}},
		{"a script's request for another site", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) {
			b.Do(httptest.NewRequest("PUT", "https://provider.test/", nil))
		}, []string{"is not a path"}},
		{"a path that is no URL", func(_ *oauthlogintest.Site, b *oauthlogintest.Browser) { b.Navigate("/%zz") }, []string{"%zz"}},
		{"a user without a name", func(site *oauthlogintest.Site, _ *oauthlogintest.Browser) { site.SignIn("") }, []string{`user ""`}},
		{"a user with a name that is no subject", func(site *oauthlogintest.Site, _ *oauthlogintest.Browser) { site.SignIn("josé") }, []string{"josé", "ASCII"}},
		{"a user who is not approved", func(site *oauthlogintest.Site, _ *oauthlogintest.Browser) {
			site.Provider.AutoApprove("alice")
			site.SignIn("bob")
		}, []string{`"bob"`, `"alice"`, "AutoApprove"}},
		{"a provider that is down", func(site *oauthlogintest.Site, _ *oauthlogintest.Browser) {
			site.Provider.Intercept(oauthlogintest.Discovery, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { w.WriteHeader(503) })
			site.SignIn("alice")
		}, []string{"did not get to the sign-in page of https://provider.test", "at https://app.test/login, with status 502"}},
		{"an application that refuses", func(site *oauthlogintest.Site, _ *oauthlogintest.Browser) {
			site.Provider.EditIDToken(func(_, claims map[string]any) { claims["aud"] = "other" })
			site.SignIn("alice")
		}, []string{"did not accept the login", "at https://app.test/auth/callback, with status 502"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wantFatal(t, func(t testing.TB) {
					site, _ := run(t, oauthlogintest.Config{})
					tt.do(site, site.Browser())
				}, tt.texts...)
			})
		})
	}
}
