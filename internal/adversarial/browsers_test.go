package adversarial_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// surroundedURL is the application of apptest.NewSurrounded.
const surroundedURL = "https://app.example.test"

// A pageAction is what a page of any site does in the browser.
type pageAction func(p apptest.Page) *apptest.Response

func byLink(path string) pageAction {
	return func(p apptest.Page) *apptest.Response { return p.Link(surroundedURL + path) }
}

func byForm(path string) pageAction {
	return func(p apptest.Page) *apptest.Response { return p.Form(surroundedURL+path, nil) }
}

func byEmbed(dest, path string) pageAction {
	return func(p apptest.Page) *apptest.Response { return p.Embed(dest, surroundedURL+path) }
}

func byFetch(method, path, mode string) pageAction {
	return func(p apptest.Page) *apptest.Response { return p.Fetch(method, surroundedURL+path, mode) }
}

func byPrerender(path string) pageAction {
	return func(p apptest.Page) *apptest.Response { return p.Prerender(surroundedURL + path) }
}

// followed performs the action and follows the redirects to their end.
func (do pageAction) followed(p apptest.Page) *apptest.Response { return p.Browser.FollowOn(do(p), "") }

// What pages of other sites can make a signed-in browser do (OAuth 2.0 for Browser-Based
// Applications section 6.1.3.3).
func TestRequestsOfOtherSites(t *testing.T) {
	t.Parallel()
	const site, sibling = apptest.EvilSite, apptest.EvilSibling
	for _, tt := range []struct {
		name     string
		from     string
		do       pageAction
		status   int
		location string // its beginning
		ran      bool   // the handler of a guarded page
	}{
		{"a link to a guarded page", site, byLink("/dashboard"), 200, "", true},
		{"a link to a guarded page, by way of a redirect", site, func(p apptest.Page) *apptest.Response {
			return p.Browser.FollowOn(p.Link(site+"/?to="+surroundedURL+"/dashboard"), "")
		}, 200, "", true},
		{"a link from a sandboxed page", "null", byLink("/dashboard"), 200, "", true},
		{"a form to a guarded page", site, byForm("/dashboard"), 403, "", false},
		{"a form to a guarded page, from a sandboxed page", "null", byForm("/dashboard"), 403, "", false},
		{"a form to a guarded page, from plain http", "http://app.example.test", byForm("/dashboard"), 403, "", false},
		{"a frame of a guarded page", site, byEmbed("iframe", "/dashboard"), 302, "/login?", false},
		{"an image of a guarded page", site, byEmbed("image", "/dashboard"), 401, "", false},
		{"a script of a guarded page", site, byEmbed("script", "/api/me"), 401, "", false},
		{"a fetch", site, byFetch("GET", "/api/me", "cors"), 401, "", false},
		{"a fetch that does not read the response", site, byFetch("POST", "/api/me", "no-cors"), 403, "", false},
		{"a fetch from a sandboxed page", "null", byFetch("GET", "/api/me", "cors"), 401, "", false},
		{"a preflight", site, byFetch("OPTIONS", "/api/me", "cors"), 401, "", false},
		{"a WebSocket", site, byFetch("GET", "/api/me", "websocket"), 401, "", false},
		{"a prerendered login", site, byPrerender("/login"), 401, "", false},
		{"a form to the login", site, byForm("/login"), 405, "", false},
		{"a link to the logout", site, byLink("/logout"), 405, "", false},
		{"an image of the logout", site, byEmbed("image", "/logout"), 405, "", false},
		{"a form to the logout", site, byForm("/logout"), 403, "", false},
		{"a form to the logout, from a sandboxed page", "null", byForm("/logout"), 403, "", false},
		{"a form to the logout, from plain http", "http://app.example.test", byForm("/logout"), 403, "", false},
		{"a form to the logout, with a return path", site, func(p apptest.Page) *apptest.Response {
			return p.Form(surroundedURL+"/logout", url.Values{"return_to": {site}})
		}, 403, "", false},
		{"a fetch of the logout", site, byFetch("POST", "/logout", "no-cors"), 403, "", false},
		// SameSite does not separate siblings: their requests carry the session.
		{"a sibling's form to a guarded page", sibling, byForm("/dashboard"), 403, "", false},
		{"a sibling's fetch that changes something", sibling, byFetch("DELETE", "/api/me", "cors"), 403, "", false},
		{"a sibling's preflight", sibling, byFetch("OPTIONS", "/api/me", "cors"), 200, "", true},
		{"a sibling's form to the logout", sibling, byForm("/logout"), 403, "", false},
		{"a sibling's fetch of the logout", sibling, byFetch("POST", "/logout", "no-cors"), 403, "", false},
		{"a sibling's image of the logout", sibling, byEmbed("image", "/logout"), 405, "", false},
		{"a sibling's fetch, whose response it cannot read", sibling, byFetch("GET", "/api/me", "cors"), 200, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.NewSurrounded(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
			runs := func() int { return a.Called("/dashboard") + a.Called("/api/me") }
			before, served := b.Cookies(), runs()
			resp := tt.do(b.Page(tt.from))
			if resp.StatusCode != tt.status || !strings.HasPrefix(resp.Location(), tt.location) || tt.location == "" && resp.Location() != "" {
				t.Errorf("%d to %q; want %d to %q", resp.StatusCode, resp.Location(), tt.status, tt.location)
			}
			if set := resp.Header["Set-Cookie"]; len(set) > 0 {
				t.Errorf("sets %q", set)
			}
			if ran := runs() > served; ran != tt.ran {
				t.Errorf("a handler ran: %t", ran)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("allows other origins: %s", name)
				}
			}
			if !maps.Equal(b.Cookies(), before) || b.UserAt("/api/me") != "alice" {
				t.Errorf("signed in as %q, with %d cookies", b.UserAt("/api/me"), len(b.Cookies()))
			}
		})
	}
}

// CVE-2025-24358 CVE-2025-47909 of gorilla/csrf, CVE-2025-46721 of nosurf: checks of the
// origin that checked nothing.
func TestCrossSiteLogout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/")
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.test", "Referer", "https://app.test/"},
			{"Sec-Fetch-Site", "hostile"},
			{"Origin", "https://hostile.test"},
			{"Origin", "null"},
			{"Origin", "https://app.test:8443"},
			{"Origin", "https://app.test.hostile.test"},
			{"Origin", "https://hostile.test", "Referer", "https://app.test/"},
			{"Origin", "https://hostile.test", "X-Forwarded-Host", "hostile.test"},
			{"Origin", "hostile"},
			{"Origin", "https://sub.app.test", "Sec-Fetch-Site", "same-site"},
		} {
			for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""} {
				resp := a.Raw(b, nil, "POST /logout?return_to=//hostile.test", append(header, "Content-Type", contentType, "Content-Length", "0")...)
				a.Expect(fmt.Sprint(header), resp, http.StatusForbidden, "")
			}
			for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS"} {
				a.Expect(method, a.Raw(b, nil, method+" /logout", append(header, "X-Http-Method-Override", "POST")...), http.StatusMethodNotAllowed, "")
			}
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1})
	})
}

// A login that another site begins signs the user in as the user, at a page of the
// application, or not at all.
func TestForcedLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		from string
		do   pageAction
		user string
		at   string
	}{
		{"by a link", apptest.EvilSite, byLink("/login?return_to=%2Fdashboard"), "alice", "/dashboard"},
		{"by a link that leads back", apptest.EvilSite, byLink("/login?return_to=" + url.QueryEscape(apptest.EvilSite)), "alice", "/"},
		{"by an image", apptest.EvilSite, byEmbed("image", "/login"), "", "/auth/callback"},
		{"by a frame", apptest.EvilSite, byEmbed("iframe", "/dashboard"), "", "/auth/callback"},
		{"by a fetch", apptest.EvilSite, byFetch("GET", "/login", "no-cors"), "", "/auth/callback"},
		{"by prerendering", apptest.EvilSite, byPrerender("/login"), "", "/login"},
		{"by a sibling's image", apptest.EvilSibling, byEmbed("image", "/login"), "", "/auth/callback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.NewSurrounded(t, apptest.Config{})
			b := a.Browser(t)
			resp := tt.do.followed(b.Page(tt.from))
			if resp.Request.URL.Host != "app.example.test" || resp.Request.URL.Path != tt.at {
				t.Errorf("led to %s: %d", resp.Request.URL, resp.StatusCode)
			}
			b.WantUser("/api/me", tt.user)
			// A callback that is refused as no navigation leaves the login pending.
			if tt.user == "" && (len(b.CookieNames(apptest.FlowPrefix)) < len(b.Cookies()) || a.Provider.Count(oauthlogintest.Token) > 0) {
				t.Errorf("left with %q after %d token requests", slices.Collect(maps.Keys(b.Cookies())), a.Provider.Count(oauthlogintest.Token))
			}
			b.Login("/dashboard")
		})
	}
}

// Logins that other sites begin push out the user's own pending login, as twelve are kept:
// that one ends with a page and a link, and nothing worse.
func TestForcedLoginsPushOut(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	cb := b.CallbackURL("/login?return_to=%2Fdashboard")
	for range 20 {
		b.Page(apptest.EvilSite).Link(surroundedURL + "/login")
	}
	if n := len(b.CookieNames(apptest.FlowPrefix)); n != 12 {
		t.Errorf("%d pending logins", n)
	}
	if resp := b.Get(cb); resp.Location() != "/" || b.UserAt("/api/me") != "alice" {
		t.Errorf("signed in, the callback led to %d %q as %q", resp.StatusCode, resp.Location(), b.UserAt("/api/me"))
	}
	b.SetCookie(apptest.SessionCookie, "")
	resp := b.Get(cb)
	if resp.StatusCode != http.StatusBadRequest || len(resp.Links()) != 1 || b.SignedIn() {
		t.Fatalf("%d with links %q", resp.StatusCode, resp.Links())
	}
	if resp := b.Follow(resp.Links()[0]); resp.StatusCode != http.StatusOK || b.UserAt("/api/me") != "alice" {
		t.Errorf("the link leads to %s: %d", resp.Request.URL, resp.StatusCode)
	}
}

// The provider is another site. From its page the response comes as a top-level GET, with
// the cookie of the login; as a POST (response_mode=form_post) or in a frame it comes
// without, is refused, and the login stays pending.
func TestCallbackComesFromAnotherSite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		deliver func(p apptest.Page, cb string) *apptest.Response
		status  int
	}{
		{"a redirect after the provider's form", func(p apptest.Page, cb string) *apptest.Response {
			return p.Browser.Redirected(p.Form(apptest.EvilSite+"/?to="+url.QueryEscape(cb), nil))
		}, http.StatusSeeOther},
		{"a link", func(p apptest.Page, cb string) *apptest.Response { return p.Link(cb) }, http.StatusSeeOther},
		{"a form", func(p apptest.Page, cb string) *apptest.Response {
			u, query, _ := strings.Cut(cb, "?")
			values, _ := url.ParseQuery(query)
			return p.Form(u, values)
		}, http.StatusMethodNotAllowed},
		{"a form that keeps the query", func(p apptest.Page, cb string) *apptest.Response { return p.Form(cb, nil) }, http.StatusMethodNotAllowed},
		{"a frame", func(p apptest.Page, cb string) *apptest.Response { return p.Embed("iframe", cb) }, http.StatusBadRequest},
		{"an image", func(p apptest.Page, cb string) *apptest.Response { return p.Embed("image", cb) }, http.StatusBadRequest},
		{"a fetch", func(p apptest.Page, cb string) *apptest.Response { return p.Fetch("GET", cb, "no-cors") }, http.StatusBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Origin: surroundedURL})
			a.Net["evil.test"] = &apptest.Recorder{} // what leads on is the provider's, and knows the code
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			resp := tt.deliver(b.Page("https://provider.test"), cb)
			if tt.status != http.StatusSeeOther {
				a.RefusedAtOnce(b, resp, tt.status)
				if sent := resp.Request.Header.Get("Cookie"); sent != "" {
					t.Errorf("sent %q", sent)
				}
				resp = b.Page("https://provider.test").Link(cb)
			}
			if resp.StatusCode != http.StatusSeeOther || resp.Location() != "/dashboard" {
				t.Errorf("%d to %q", resp.StatusCode, resp.Location())
			}
			// This is still the provider's navigation, and the session goes with it.
			if resp = b.Redirected(resp); resp.StatusCode != http.StatusOK || !b.SignedIn() {
				t.Errorf("led to %d", resp.StatusCode)
			}
		})
	}
}

// CVE-2021-22119 of Spring Security: many authorization requests filled the session.
// Logins that are never finished, in any number of tabs, leave the session and room for
// another login.
func TestAbandonedLoginsEvictNothing(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(8000) })
	b := a.Browser(t)
	b.Login("/dashboard")
	before := b.Cookies()
	for i := range 200 {
		b.Get("/login?return_to=%2Fdashboard%3Ftab=" + base64.RawURLEncoding.EncodeToString([]byte(apptest.Noise(i*7))))
		names, size := b.CookieNames(apptest.FlowPrefix), 0
		for _, name := range names {
			size += len(name) + len(b.Cookies()[name])
		}
		if len(names) > 5 || size > 6000 {
			t.Fatalf("%d pending logins in %d bytes", len(names), size)
		}
	}
	after := b.Cookies()
	for name, value := range before {
		if after[name] != value {
			t.Errorf("%s is not what it was", name)
		}
	}
	if b.UserAt("/api/me") != "alice" {
		t.Error("signed out")
	}
	if resp := b.Get(b.CallbackURL("/login?return_to=%2Fdashboard")); resp.Location() != "/dashboard" {
		t.Errorf("the last login led to %d %q", resp.StatusCode, resp.Location())
	}
}

// Whatever becomes of a cookie in the browser, the user is signed in as alice or not at
// all, and the next login works.
func TestCookiesChangeInTheBrowser(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
	mallory := a.SignIn(t, "mallory")
	theirCallback := mallory.CallbackURL("/login?return_to=%2Fdashboard")
	theirs := mallory.Cookies()
	for name, change := range map[string]func(name, value string) string{
		"a bit less":     func(_, value string) string { return value[:len(value)-1] },
		"a bit more":     func(_, value string) string { return value + "A" },
		"another letter": func(_, value string) string { return value[:len(value)/2] + "!" + value[len(value)/2+1:] },
		"twice":          func(_, value string) string { return value + value },
		"mallory's":      func(name, _ string) string { return theirs[name] },
		"mallory's flow": func(string, string) string { return theirs[mallory.CookieNames(apptest.FlowPrefix)[0]] },
		"gone":           func(string, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			base := a.Browser(t)
			base.Login("/dashboard")
			cb := base.CallbackURL("/login?return_to=%2Fdashboard")
			all := base.Cookies()
			if n := len(base.SessionCookies()); n != 3 || len(all) < 4 {
				t.Fatalf("a session of %d cookies among %d", n, len(all))
			}
			for cookie, value := range all {
				b := base.Clone()
				b.SetCookie(cookie, change(cookie, value))
				ofSession := !strings.HasPrefix(cookie, apptest.FlowPrefix) && cookie != apptest.SessionCookie+".rounds"
				if who := b.UserAt("/api/me"); who != map[bool]string{false: "alice"}[ofSession] {
					t.Errorf("%s: signed in as %q", cookie, who)
				}
				before := a.Provider.Count(oauthlogintest.Token)
				resp := b.Get(theirCallback)
				if who := b.UserAt("/api/me"); a.Provider.Count(oauthlogintest.Token) != before || who == "mallory" {
					t.Errorf("%s: mallory's callback: %d, signed in as %q", cookie, resp.StatusCode, who)
				}
				b.Get("/logout")
				if b.Get("/").StatusCode != http.StatusOK {
					t.Errorf("%s: no public page", cookie)
				}
				b.Login("/dashboard")
			}
			if resp := base.Get(cb); resp.Location() != "/dashboard" || base.UserAt("/api/me") != "alice" {
				t.Errorf("unchanged: %d to %q", resp.StatusCode, resp.Location())
			}
		})
	}
}

// The server applies its limits itself: a browser that keeps cookies too long, or whose
// clock is wrong, gets neither a longer session nor a shorter one.
func TestClockOfTheBrowser(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]time.Duration{"right": 0, "two days ahead": 48 * time.Hour, "two days behind": -48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.NewSurrounded(t, apptest.Config{Provider: oauthlogintest.Config{CodeTTL: 2 * time.Hour}})
				b := a.Browser(t)
				b.SkewClock(skew)
				b.Login("/dashboard")
				kept := b.Cookies()[apptest.SessionCookie]
				for range 3 {
					time.Sleep(30 * time.Minute)
					b.WantUser("/api/me", "alice")
				}
				time.Sleep(24 * time.Hour)
				if _, ok := b.Cookies()[apptest.SessionCookie]; ok {
					t.Error("the browser keeps the cookie after the idle timeout")
				}
				b.SetCookie(apptest.SessionCookie, kept)
				b.KeepForever()
				if b.Cookies()[apptest.SessionCookie] == "" || b.SignedIn() {
					t.Errorf("kept too long: cookie %q, signed in: %t", b.Cookies()[apptest.SessionCookie], b.SignedIn())
				}

				// The browser keeps a pending login for an hour, the server for five minutes.
				cb := b.CallbackURL("/login?return_to=%2Fdashboard")
				time.Sleep(5 * time.Minute)
				if len(b.CookieNames(apptest.FlowPrefix)) != 1 {
					t.Error("the browser has dropped the pending login")
				}
				before := a.Provider.Count(oauthlogintest.Token)
				resp := b.Get(cb)
				if resp.StatusCode != http.StatusSeeOther || b.SignedIn() || a.Provider.Count(oauthlogintest.Token) != before {
					t.Fatalf("late: %d to %q", resp.StatusCode, resp.Location())
				}
				if resp = b.FollowOn(resp, ""); resp.Request.URL.Path != "/dashboard" || b.UserAt("/api/me") != "alice" {
					t.Errorf("the new login leads to %s", resp.Request.URL)
				}
				b.Get("/login")
				time.Sleep(time.Hour)
				if n := len(b.CookieNames(apptest.FlowPrefix)); n != 0 {
					t.Errorf("%d pending logins after an hour", n)
				}
				b.Login("/dashboard")
			})
		})
	}
}
