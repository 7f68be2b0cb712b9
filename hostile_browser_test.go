package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RFC 6265bis, Weak Integrity: what siblings, and whoever answers over plain
// http, do to cookies. With __Host- their cookies do not get as far as us, and the
// names that do are not ours, whatever other servers make of $Version, quotes and
// Unicode spaces.
func TestSiblingPlantsCookies(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	mallory := mallorysBrowser(t, a)
	theirs := mallory.Cookies()[apptest.SessionCookie]
	mallory.Get("/login?return_to=%2Fdashboard")
	flowName := mallory.CookieNames(apptest.FlowPrefix)[0]
	flow := mallory.Cookies()[flowName]
	a.Evil.GiveAway()
	const domain = "; Domain=example.test; Path=/"
	const home = "http://app.example.test"
	for _, tt := range []struct {
		name, from string
		line       string
		reaches    bool // us, with the next request
	}{
		{"a session for the domain", apptest.EvilSibling, apptest.SessionCookie + "=" + theirs + domain + "; Secure", false},
		{"a session for the domain, without Secure", apptest.EvilSibling, apptest.SessionCookie + "=" + theirs + domain, false},
		{"a session of a longer path", apptest.EvilSibling, apptest.SessionCookie + "=" + theirs + "; Domain=example.test; Path=/api; Secure", false},
		{"a session in lower case", apptest.EvilSibling, strings.ToLower(apptest.SessionCookie) + "=" + theirs + domain + "; Secure", false},
		{"a session in upper case", apptest.EvilSibling, strings.ToUpper(apptest.SessionCookie) + "=" + theirs + domain + "; Secure", false},
		{"a session with spaces around its name", apptest.EvilSibling, "\u0020 " + apptest.SessionCookie + " =" + theirs + domain, false},
		{"a session as a value without a name", apptest.EvilSibling, "=" + apptest.SessionCookie + "=" + theirs + domain, false},
		{"a session as a value without a name, after spaces", apptest.EvilSibling, "=  " + apptest.SessionCookie + "=" + theirs + domain, false},
		{"a session without its prefix", apptest.EvilSibling, "oauthlogin=" + theirs + domain + "; Secure", true},
		{"a session behind a Unicode space", apptest.EvilSibling, "\u2000" + apptest.SessionCookie + "=" + theirs + domain, true},
		{"a session behind $Version", apptest.EvilSibling, "$Version=1," + apptest.SessionCookie + "=" + theirs + domain, true},
		{"a session in quotes", apptest.EvilSibling, `a="x, ` + apptest.SessionCookie + "=" + theirs + `"` + domain, true},
		{"an open quote before ours", apptest.EvilSibling, `a="x` + "; Domain=example.test; Path=/api", true},
		{"a chunk", apptest.EvilSibling, apptest.SessionCookie + ".1=x" + domain + "; Secure", false},
		{"a pending login", apptest.EvilSibling, flowName + "=" + flow + domain + "; Secure", false},
		{"rounds", apptest.EvilSibling, apptest.SessionCookie + ".rounds=x" + domain + "; Secure", false},
		{"a session over plain http", home, apptest.SessionCookie + "=" + theirs + "; Path=/; Secure", false},
		{"a session over plain http, without Secure", home, apptest.SessionCookie + "=" + theirs + "; Path=/", false},
		{"a session over plain http, of a longer path", home, apptest.SessionCookie + "=" + theirs + "; Path=/api/me", false},
		{"the end of a session over plain http", home, apptest.SessionCookie + "=; Path=/; Max-Age=0", false},
		{"the end of a session for the domain", apptest.EvilSibling, apptest.SessionCookie + "=; Max-Age=0" + domain, false},
		{"a session without its prefix over plain http", home, "oauthlogin=" + theirs + "; Path=/", true},
	} {
		for _, script := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by a script: %t", tt.name, script), func(t *testing.T) {
				b := a.Browser(t)
				plant := func() {
					if script {
						b.Page(tt.from).SetCookie(tt.line)
					} else {
						a.Evil.Plant(b, tt.from, tt.line)
					}
				}
				plant()
				if who := whoIs(b, "/api/me"); who != "" {
					t.Fatalf("nobody has signed in, and the browser is %q", who)
				}
				pair, _, _ := strings.Cut(tt.line, ";")
				sent := b.Get("/api/me").Request.Header.Get("Cookie")
				if reaches := strings.Contains(sent, strings.TrimSpace(strings.TrimPrefix(pair, "="))); reaches != tt.reaches {
					t.Errorf("reaches us: %t: %.200s", reaches, sent)
				}
				b.Login("/api/me")
				before := b.Cookies()
				plant()
				for _, path := range []string{"/api/me", "/dashboard"} {
					if who := whoIs(b, path); who != "alice" {
						t.Errorf("at %s signed in as %q", path, who)
					}
				}
				if after := b.Cookies(); after[apptest.SessionCookie] != before[apptest.SessionCookie] {
					t.Error("the session is another")
				}
				// A login in which the cookie is there the whole time.
				cb := b.CallbackURL("/login?return_to=%2Fdashboard")
				plant()
				if resp := b.Get(cb); resp.Location() != "/dashboard" || whoIs(b, "/dashboard") != "alice" {
					t.Errorf("a login led to %q as %q", resp.Location(), whoIs(b, "/dashboard"))
				}
				b.Post("/logout", nil)
				if b.SignedIn() || len(b.CookieNames(apptest.SessionCookie)) > 0 {
					t.Errorf("signed out, and left with %q", b.CookieNames(apptest.SessionCookie))
				}
			})
		}
	}
}

// Login CSRF (RFC 9700 section 4.7) by a sibling that has mallory's pending
// login, and leads the victim to the callback with mallory's code.
func TestSiblingPlantsLogin(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	a.Provider.AutoApprove("mallory")
	mallory := a.Browser(t)
	cb := mallory.CallbackURL("/login?return_to=%2Fdashboard")
	a.Provider.AutoApprove("alice")
	name := mallory.CookieNames(apptest.FlowPrefix)[0]
	b := a.Browser(t)
	for _, origin := range []string{apptest.EvilSibling, "http://app.example.test", "http://example.test"} {
		a.Evil.Plant(b, origin, name+"="+mallory.Cookies()[name]+"; Domain=example.test; Path=/; Secure", name+"="+mallory.Cookies()[name]+"; Path=/; Secure")
		for _, resp := range []*apptest.Response{b.Page(apptest.EvilSibling).Link(cb), b.Page(apptest.EvilSibling).Embed("image", cb), b.Page(apptest.EvilSite).Link(cb)} {
			a.RefusedAtOnce(b, resp, http.StatusBadRequest)
		}
	}
	b.Login("/dashboard")
	if who := whoIs(b, "/api/me"); who != "alice" {
		t.Errorf("signed in as %q", who)
	}
	if resp := b.Page(apptest.EvilSibling).Link(cb); resp.Location() != "/" || whoIs(b, "/api/me") != "alice" {
		t.Errorf("signed in, mallory's callback led to %q as %q", resp.Location(), whoIs(b, "/api/me"))
	}
}

// On loopback over http there is no prefix, and other ports of the host share
// its cookies, to read and to replace. Of two values the one that opens counts, and of
// two that open neither: whoever plants it beside ours signs nobody in as herself.
func TestOtherPortPlantsCookies(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		a := apptest.NewSurrounded(t, apptest.Config{Origin: "http://" + host + ":3000"})
		other := "http://" + host + ":4000"
		neighbor := &apptest.Recorder{}
		a.Net[host+":4000"] = neighbor
		mallory := mallorysBrowser(t, a)
		theirs := mallory.Cookies()["oauthlogin"]
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
		large := mallorysBrowser(t, a).Cookies()
		a.Provider.EditTokenResponse(nil)
		for _, tt := range []struct {
			name  string
			lines []string
			me    string // signed in as, at /api/me, where what was planted applies
		}{
			{"a session of a longer path", []string{"oauthlogin=" + theirs + "; Path=/api"}, ""},
			{"a session of the very path", []string{"oauthlogin=" + theirs + "; Path=/api/me"}, ""},
			{"nonsense of a longer path", []string{"oauthlogin=x; Path=/api"}, "alice"},
			{"nothing of a longer path", []string{"oauthlogin=; Path=/api"}, "alice"},
			{"a first chunk of a longer path", []string{"oauthlogin=" + large["oauthlogin"] + "; Path=/api"}, "alice"},
			{"the other chunks", []string{"oauthlogin.1=" + large["oauthlogin.1"] + "; Path=/api", "oauthlogin.2=" + large["oauthlogin.2"] + "; Path=/api"}, "alice"},
			{"rounds of a longer path", []string{"oauthlogin.rounds=x; Path=/login"}, "alice"},
			{"pending logins", []string{"oauthlogin.flow.x=y; Path=/auth", "oauthlogin.flow.AAAAAAAAAAAAAAAA=" + theirs + "; Path=/login"}, "alice"},
			{"a session as a value without a name", []string{"=oauthlogin=" + theirs + "; Path=/api"}, "alice"},
			{"a session of another path", []string{"oauthlogin=" + theirs + "; Path=/ap"}, "alice"},
		} {
			t.Run(host+": "+tt.name, func(t *testing.T) {
				b := a.Browser(t)
				b.Login("/dashboard")
				neighbor.Plants = tt.lines
				b.Get(other + "/")
				if who := whoIs(b, "/api/me"); who != tt.me {
					t.Errorf("signed in as %q; want %q", who, tt.me)
				}
				if who := whoIs(b, "/dashboard"); who != "alice" {
					t.Errorf("elsewhere signed in as %q", who)
				}
				b.Login("/dashboard")
				if who := whoIs(b, "/dashboard"); who != "alice" {
					t.Errorf("after another login signed in as %q", who)
				}
				b.Post("/logout", nil)
				if who := whoIs(b, "/dashboard"); who != "" {
					t.Errorf("signed out, and signed in as %q", who)
				}
			})
		}
	}
}

// What is planted beside ours, of a longer path, is there after each login as
// before it. That is said once, and is no way round between us and the provider;
// a store that takes the first of two cookies takes neither.
func TestSessionThatIsThereTwice(t *testing.T) {
	t.Parallel()
	for _, store := range []bool{false, true} {
		a := apptest.NewSurrounded(t, apptest.Config{Origin: "http://localhost:3000", Change: func(opts *oauthlogin.Options) {
			if store {
				opts.Store = apptest.FileStore(t)
			}
		}})
		neighbor := &apptest.Recorder{}
		a.Net["localhost:4000"] = neighbor
		theirs := mallorysBrowser(t, a).Cookies()["oauthlogin"]
		b := a.Browser(t)
		b.Login("/dashboard")
		neighbor.Plants = []string{"oauthlogin=" + theirs + "; Path=/api"}
		b.Get("http://localhost:4000/")
		before := a.Provider.Count(oauthlogintest.Token)
		resp := b.Get("/api/me")
		for range 20 { // as many as browsers follow
			if resp.Location() == "" {
				break
			}
			resp = b.Redirected(resp)
		}
		if resp.StatusCode != http.StatusBadRequest || strings.Contains(resp.Text, "mallory") {
			t.Errorf("store %t: ends at %s: %d to %q %.200s", store, resp.Request.URL, resp.StatusCode, resp.Location(), resp.Text)
		}
		if n := a.Provider.Count(oauthlogintest.Token) - before; n > 4 {
			t.Errorf("store %t: %d logins", store, n)
		}
		if who := whoIs(b, "/dashboard"); who != "alice" {
			t.Errorf("store %t: elsewhere signed in as %q", store, who)
		}
	}
}

// RFC 6265bis, Weak Integrity: cookies can be evicted. Who is evicted is signed
// out, and signs in again; nobody is ever somebody else.
func TestSiblingOverflowsTheJar(t *testing.T) {
	t.Parallel()
	flood := func(n int, more string) []string { return numbered(n, "c%d=1; Path=/nowhere"+more) }
	for _, tt := range []struct {
		name, from string
		lines      []string
		stays      bool
	}{
		{"by a sibling", apptest.EvilSibling, flood(200, "; Secure"), false},
		{"by a sibling, for the domain", apptest.EvilSibling, flood(200, "; Secure; Domain=example.test"), false},
		{"by a sibling, without Secure", apptest.EvilSibling, flood(1000, ""), true},
		{"over plain http", "http://app.example.test", flood(1000, ""), true},
		{"over plain http, for the domain", "http://app.example.test", flood(1000, "; Domain=example.test"), true},
		{"by another site", apptest.EvilSite, flood(1000, "; Secure"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.NewSurrounded(t, apptest.Config{})
				a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(2 * apptest.AccessThreshold)
				a.Evil.Plant(b, tt.from, tt.lines...)
				if who := whoIs(b, "/api/me"); who != map[bool]string{true: "alice"}[tt.stays] {
					t.Errorf("signed in as %q", who)
				}
				if resp := b.Get("/"); resp.StatusCode != http.StatusOK {
					t.Errorf("public page: %d", resp.StatusCode)
				}
				b.Login("/dashboard")

				// In mid-login, a moment later.
				time.Sleep(time.Second)
				cb := b.CallbackURL("/login?return_to=%2Fdashboard")
				flow := len(b.CookieNames(apptest.FlowPrefix))
				time.Sleep(time.Second)
				a.Evil.Plant(b, tt.from, append(tt.lines, tt.lines...)...)
				for i := range 200 {
					b.Page(tt.from).SetCookie(strings.Replace(tt.lines[0], "c0", fmt.Sprint("d", i), 1))
				}
				if left := len(b.CookieNames(apptest.FlowPrefix)); flow != 1 || (left == 1) != tt.stays {
					t.Fatalf("%d of %d pending logins left", left, flow)
				}
				resp := b.Get(cb)
				if tt.stays != (resp.Location() == "/dashboard") {
					t.Errorf("the callback led to %d %q", resp.StatusCode, resp.Location())
				}
				if !tt.stays && (resp.StatusCode != http.StatusBadRequest || b.SignedIn()) {
					t.Errorf("the callback of an evicted login: %d, signed in: %t", resp.StatusCode, b.SignedIn())
				}
				b.Login("/dashboard")
				if who := whoIs(b, "/api/me"); who != "alice" {
					t.Errorf("signed in as %q", who)
				}
			})
		})
	}
}

// Eviction takes single cookies: a session with a chunk less is none, and one
// pending login less leaves the others.
func TestOneCookieIsEvicted(t *testing.T) {
	t.Parallel()
	for _, chunk := range []string{"", ".1", ".2"} {
		a := apptest.NewSurrounded(t, apptest.Config{})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
		b := a.Browser(t)
		// The 30 oldest go with it.
		b.Login("/dashboard")
		all := b.Cookies()
		if n := len(chunks(b)); n != 3 {
			t.Fatalf("a session of %d cookies", n)
		}
		b.SetCookie(apptest.SessionCookie+chunk, "")
		a.Evil.Plant(b, apptest.EvilSibling, numbered(30, "old%d=1; Secure; Path=/nowhere")...)
		b.SetCookie(apptest.SessionCookie+chunk, all[apptest.SessionCookie+chunk])
		if !b.SignedIn() {
			t.Fatal("not signed in")
		}
		for name := range all { // used since, but for the one
			if name != apptest.SessionCookie+chunk {
				b.SetCookie(name, all[name]+"x")
				b.SetCookie(name, all[name])
			}
		}
		a.Evil.Plant(b, apptest.EvilSibling, numbered(181-30-len(all), "new%d=1; Secure; Path=/nowhere")...)
		left := b.Cookies()
		if _, ok := left[apptest.SessionCookie+chunk]; ok || len(left) != len(all)-1 {
			t.Fatalf("chunk %q: left with %q", chunk, slices.Collect(maps.Keys(left)))
		}
		if b.SignedIn() || b.Get("/").Text != "home of nobody" {
			t.Errorf("signed in without chunk %q", chunk)
		}
		b.Login("/dashboard")
		if who := whoIs(b, "/api/me"); who != "alice" {
			t.Errorf("signed in as %q", who)
		}
	}

	a := apptest.NewSurrounded(t, apptest.Config{})
	b := a.Browser(t)
	var callbacks []string
	for i := range 3 {
		callbacks = append(callbacks, b.CallbackURL(fmt.Sprintf("/login?return_to=%%2Fdashboard%%3Ftab=%d", i)))
	}
	b.SetCookie(b.OldestCookie(apptest.FlowPrefix), "") // the first tab's
	for i, want := range []string{"", "/dashboard?tab=1", "/dashboard?tab=2"} {
		resp := b.Get(callbacks[i])
		if resp.Location() != want || want == "" && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("tab %d: %d to %q", i, resp.StatusCode, resp.Location())
		}
	}
}

// What pages of other sites can have a signed-in browser do (OAuth 2.0
// for Browser-Based Applications section 6.1.3.3).
func TestRequestsOfOtherSites(t *testing.T) {
	t.Parallel()
	const home = "https://app.example.test"
	for _, tt := range []struct {
		name     string
		from     string
		ask      func(p apptest.Page) *apptest.Response
		status   int
		location string // its beginning
		ran      string // the guarded path whose handler ran
	}{
		{"a link to a guarded page", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Link(home + "/dashboard") }, 200, "", "/dashboard"},
		{"a link to a guarded page, led on", apptest.EvilSite, func(p apptest.Page) *apptest.Response {
			return p.Browser.FollowOn(p.Link(apptest.EvilSite+"/?to="+home+"/dashboard"), "")
		}, 200, "", "/dashboard"},
		{"a link from nobody's page", "null", func(p apptest.Page) *apptest.Response { return p.Link(home + "/dashboard") }, 200, "", "/dashboard"},
		{"a form to a guarded page", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Form(home+"/dashboard", nil) }, 401, "", ""},
		{"a frame of a guarded page", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Embed("iframe", home+"/dashboard") }, 302, "/login?", ""},
		{"an image of a guarded page", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Embed("image", home+"/dashboard") }, 401, "", ""},
		{"a script of a guarded page", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Embed("script", home+"/api/me") }, 401, "", ""},
		{"a fetch", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Fetch("GET", home+"/api/me", "cors") }, 401, "", ""},
		{"a fetch that wants no answer", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Fetch("POST", home+"/api/me", "no-cors") }, 401, "", ""},
		{"a fetch of nobody's page", "null", func(p apptest.Page) *apptest.Response { return p.Fetch("GET", home+"/api/me", "cors") }, 401, "", ""},
		{"a preflight", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Fetch("OPTIONS", home+"/api/me", "cors") }, 401, "", ""},
		{"a WebSocket", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Fetch("GET", home+"/api/me", "websocket") }, 401, "", ""},
		{"a page rendered before it is asked for", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Prerender(home + "/login") }, 401, "", ""},
		{"a form to the login", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Form(home+"/login", nil) }, 405, "", ""},
		{"a link to the logout", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Link(home + "/logout") }, 405, "", ""},
		{"an image of the logout", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Embed("image", home+"/logout") }, 405, "", ""},
		{"a form to the logout", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Form(home+"/logout", nil) }, 403, "", ""},
		{"a form to the logout, of nobody's page", "null", func(p apptest.Page) *apptest.Response { return p.Form(home+"/logout", nil) }, 403, "", ""},
		{"a form to the logout, over plain http", "http://app.example.test", func(p apptest.Page) *apptest.Response { return p.Form(home+"/logout", nil) }, 403, "", ""},
		{"a form to the logout, with a way back", apptest.EvilSite, func(p apptest.Page) *apptest.Response {
			return p.Form(home+"/logout", url.Values{"return_to": {apptest.EvilSite}})
		}, 403, "", ""},
		{"a fetch of the logout", apptest.EvilSite, func(p apptest.Page) *apptest.Response { return p.Fetch("POST", home+"/logout", "no-cors") }, 403, "", ""},
		// SameSite is nothing between siblings: these do come with the session.
		{"a sibling's form to the logout", apptest.EvilSibling, func(p apptest.Page) *apptest.Response { return p.Form(home+"/logout", nil) }, 403, "", ""},
		{"a sibling's fetch of the logout", apptest.EvilSibling, func(p apptest.Page) *apptest.Response { return p.Fetch("POST", home+"/logout", "no-cors") }, 403, "", ""},
		{"a sibling's image of the logout", apptest.EvilSibling, func(p apptest.Page) *apptest.Response { return p.Embed("image", home+"/logout") }, 405, "", ""},
		{"a sibling's fetch, whose answer it cannot read", apptest.EvilSibling, func(p apptest.Page) *apptest.Response { return p.Fetch("GET", home+"/api/me", "cors") }, 200, "", "/api/me"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.NewSurrounded(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
			before, served := b.Cookies(), a.Called("/dashboard")+a.Called("/api/me")
			resp := tt.ask(b.Page(tt.from))
			if resp.StatusCode != tt.status || !strings.HasPrefix(resp.Location(), tt.location) || tt.location == "" && resp.Location() != "" {
				t.Errorf("%d to %q; want %d to %q", resp.StatusCode, resp.Location(), tt.status, tt.location)
			}
			if set := resp.Header["Set-Cookie"]; len(set) > 0 {
				t.Errorf("sets %q", set)
			}
			if ran := a.Called("/dashboard")+a.Called("/api/me")-served > 0; ran != (tt.ran != "") {
				t.Errorf("a handler ran: %t", ran)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("answers other origins: %s", name)
				}
			}
			if !maps.Equal(b.Cookies(), before) || whoIs(b, "/api/me") != "alice" {
				t.Errorf("signed in as %q, with %d cookies", whoIs(b, "/api/me"), len(b.Cookies()))
			}
		})
	}
}

// A login that another site begins ends with the user signed in as the user, at
// a page of ours, or not at all: forced logins gain nobody anything.
func TestForcedLogin(t *testing.T) {
	t.Parallel()
	const home = "https://app.example.test"
	for _, tt := range []struct {
		name  string
		force func(b *apptest.Browser) *apptest.Response
		who   string
		at    string
	}{
		{"by a link", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSite).Link(home+"/login?return_to=%2Fdashboard"), "")
		}, "alice", "/dashboard"},
		{"by a link that leads back", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSite).Link(home+"/login?return_to="+url.QueryEscape(apptest.EvilSite)), "")
		}, "alice", "/"},
		{"by an image", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSite).Embed("image", home+"/login"), "")
		}, "", "/auth/callback"},
		{"by a frame", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSite).Embed("iframe", home+"/dashboard"), "")
		}, "", "/auth/callback"},
		{"by a fetch", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSite).Fetch("GET", home+"/login", "no-cors"), "")
		}, "", "/auth/callback"},
		{"by rendering before it is asked for", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSite).Prerender(home+"/login"), "")
		}, "", "/login"},
		{"by a sibling's image", func(b *apptest.Browser) *apptest.Response {
			return b.FollowOn(b.Page(apptest.EvilSibling).Embed("image", home+"/login"), "")
		}, "", "/auth/callback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.NewSurrounded(t, apptest.Config{})
			b := a.Browser(t)
			resp := tt.force(b)
			if resp.Request.URL.Host != "app.example.test" || resp.Request.URL.Path != tt.at {
				t.Errorf("led to %s: %d", resp.Request.URL, resp.StatusCode)
			}
			if who := whoIs(b, "/api/me"); who != tt.who {
				t.Errorf("signed in as %q; want %q", who, tt.who)
			}
			// A callback that is refused as no navigation leaves the login pending.
			if tt.who == "" && (len(b.CookieNames(apptest.FlowPrefix)) < len(b.Cookies()) || a.Provider.Count(oauthlogintest.Token) > 0) {
				t.Errorf("left with %q after %d token requests", slices.Collect(maps.Keys(b.Cookies())), a.Provider.Count(oauthlogintest.Token))
			}
			b.Login("/dashboard")
		})
	}
}

// Logins that others begin push out the user's own pending one, as they are to
// be twelve at most: that one ends with a page and a link, and nothing worse.
func TestForcedLoginsPushOut(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	cb := b.CallbackURL("/login?return_to=%2Fdashboard")
	for range 20 {
		b.Page(apptest.EvilSite).Link("https://app.example.test/login")
	}
	if n := len(b.CookieNames(apptest.FlowPrefix)); n != 12 {
		t.Errorf("%d pending logins", n)
	}
	if resp := b.Get(cb); resp.Location() != "/" || whoIs(b, "/api/me") != "alice" {
		t.Errorf("signed in, the callback led to %d %q as %q", resp.StatusCode, resp.Location(), whoIs(b, "/api/me"))
	}
	b.SetCookie(apptest.SessionCookie, "")
	resp := b.Get(cb)
	if resp.StatusCode != http.StatusBadRequest || len(resp.Links()) != 1 || b.SignedIn() {
		t.Fatalf("%d with links %q", resp.StatusCode, resp.Links())
	}
	if resp := b.Follow(resp.Links()[0]); resp.StatusCode != http.StatusOK || whoIs(b, "/api/me") != "alice" {
		t.Errorf("the link leads to %s: %d", resp.Request.URL, resp.StatusCode)
	}
}

// The provider is another site. From its page the answer comes as a top-level
// GET, with the cookie of the login; as a POST (response_mode=form_post) or in a
// frame it has none and is refused, and the login stays pending.
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
			a := apptest.New(t, apptest.Config{Origin: "https://app.example.test"})
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
			// Still the provider's navigation, and the session goes with it.
			if resp = b.Redirected(resp); resp.StatusCode != http.StatusOK || !b.SignedIn() {
				t.Errorf("led to %d", resp.StatusCode)
			}
		})
	}
}

// Sessions of every size come back from the browser byte for byte, or there is
// no session: around each number of cookies.
func TestBrowserKeepsLargeSessions(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	b := a.Browser(t)
	seen := map[int]bool{}
	for size := 100; size < 13500; size += 457 {
		token := apptest.Noise(size)
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = token })
		a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "at_hash") })
		resp := b.Follow("/login?return_to=%2Faccess")
		switch {
		case resp.StatusCode == http.StatusInternalServerError && size > 11000:
			seen[0] = true
		case resp.Text != token:
			t.Fatalf("%d bytes came back as %d %d", size, resp.StatusCode, len(resp.Text))
		default:
			seen[len(chunks(b))] = true
		}
	}
	for n := range 6 {
		if !seen[n] {
			t.Errorf("no session of %d cookies", n)
		}
	}
}

// Logins that nobody finishes, in however many tabs, leave session and room.
func TestAbandonedLoginsEvictNothing(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(8000) })
	b := a.Browser(t)
	b.Login("/dashboard")
	before := b.Cookies()
	for i := range 200 {
		b.Get(fmt.Sprintf("/login?return_to=%%2Fdashboard%%3Ftab=%d%s", i, strings.Repeat("x", i*7)))
		if n := len(b.CookieNames(apptest.FlowPrefix)); n > 5 {
			t.Fatalf("%d pending logins", n)
		}
	}
	after := b.Cookies()
	for name, value := range before {
		if after[name] != value {
			t.Errorf("%s is not what it was", name)
		}
	}
	if whoIs(b, "/api/me") != "alice" {
		t.Error("signed out")
	}
	if resp := b.Get(b.CallbackURL("/login?return_to=%2Fdashboard")); resp.Location() != "/dashboard" {
		t.Errorf("the last login led to %d %q", resp.StatusCode, resp.Location())
	}
}

// Whatever becomes of a cookie in the browser, the user is alice or nobody, and
// a login helps.
func TestCookiesChangeInTheBrowser(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
	mallory := mallorysBrowser(t, a)
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
			if n := len(chunks(base)); n != 3 || len(all) < 4 {
				t.Fatalf("a session of %d cookies among %d", n, len(all))
			}
			for cookie, value := range all {
				b := base.Clone()
				b.SetCookie(cookie, change(cookie, value))
				ofSession := !strings.HasPrefix(cookie, apptest.FlowPrefix) && cookie != apptest.SessionCookie+".rounds"
				if who := whoIs(b, "/api/me"); who != map[bool]string{false: "alice"}[ofSession] {
					t.Errorf("%s: signed in as %q", cookie, who)
				}
				before := a.Provider.Count(oauthlogintest.Token)
				resp := b.Get(theirCallback)
				if who := whoIs(b, "/api/me"); a.Provider.Count(oauthlogintest.Token) != before || who == "mallory" {
					t.Errorf("%s: mallory's callback: %d, signed in as %q", cookie, resp.StatusCode, who)
				}
				b.Get("/logout")
				if b.Get("/").StatusCode != http.StatusOK {
					t.Errorf("%s: no public page", cookie)
				}
				b.Login("/dashboard")
			}
			// All of mallory's are mallory's: to take all of them is to be her.
			if resp := base.Get(cb); resp.Location() != "/dashboard" || whoIs(base, "/api/me") != "alice" {
				t.Errorf("unchanged: %d to %q", resp.StatusCode, resp.Location())
			}
		})
	}
}

// The server's limits are its own: a browser that keeps cookies too long, or
// whose clock is wrong, gets no longer session for it, and no shorter one.
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
					if who := whoIs(b, "/api/me"); who != "alice" {
						t.Fatalf("signed in as %q", who)
					}
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
				if resp = b.FollowOn(resp, ""); resp.Request.URL.Path != "/dashboard" || whoIs(b, "/api/me") != "alice" {
					t.Errorf("the new login leads to %s", resp.Request.URL)
				}
				cb = b.CallbackURL("/login?return_to=%2Fdashboard")
				b.Post("/logout", nil)
				time.Sleep(time.Hour)
				if n := len(b.CookieNames(apptest.FlowPrefix)); n != 0 {
					t.Errorf("%d pending logins after an hour", n)
				}
				if resp := b.Get(cb); resp.StatusCode != http.StatusBadRequest || b.SignedIn() {
					t.Errorf("after an hour: %d", resp.StatusCode)
				}
				b.Login("/dashboard")
			})
		})
	}
}

// chunks are the names of the session's cookies.
func chunks(b *apptest.Browser) []string {
	b.T.Helper()
	return slices.DeleteFunc(b.CookieNames(apptest.SessionCookie), func(name string) bool {
		return strings.HasPrefix(name, apptest.FlowPrefix) || name == apptest.SessionCookie+".rounds"
	})
}

// numbered is n cookies with names that end in a number.
func numbered(n int, line string) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(line, i))
	}
	return lines
}

// who is the user that the browser is signed in as at path, "" if it is not.
func whoIs(b *apptest.Browser, path string) string {
	b.T.Helper()
	resp := b.Get(path)
	var user oauthlogin.User
	if resp.StatusCode == http.StatusOK && json.Unmarshal([]byte(resp.Text), &user) == nil {
		return user.Subject
	}
	return ""
}

// mallorysBrowser is signed in as herself, in a browser of her own.
func mallorysBrowser(t *testing.T, a *apptest.App) *apptest.Browser {
	t.Helper()
	a.Provider.AutoApprove("mallory")
	defer a.Provider.AutoApprove("alice")
	b := a.Browser(t)
	b.Login("/dashboard")
	return b
}
