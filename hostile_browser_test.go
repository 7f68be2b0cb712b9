package oauthlogin_test

import (
	"fmt"
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

// A recorder that finds nothing proves nothing.
func TestRecorder(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, evilSite+"/?x=sec%2Fret", nil),
		httptest.NewRequest(http.MethodPost, evilSite+"/", strings.NewReader("a sec/ret body")),
	} {
		rec.ServeHTTP(httptest.NewRecorder(), r)
	}
	header := httptest.NewRequest(http.MethodGet, evilSite+"/", nil)
	header.Header.Set("Cookie", "a=sec/ret")
	rec.ServeHTTP(httptest.NewRecorder(), header)
	if found := rec.has([]string{"sec/ret"}); len(found) != 3 {
		t.Errorf("found %q", found)
	}
	if found := rec.has([]string{"another"}); len(found) > 0 {
		t.Errorf("found %q", found)
	}
	a := newHostileApp(t, offline{})
	b := a.browser(t)
	b.login("/dashboard")
	if secrets := a.ourSecrets(); !slices.Contains(secrets, b.cookies()[sessionCookie]) || len(secrets) < 9 {
		t.Errorf("knows %d secrets, and not the cookie", len(secrets))
	}
}

// RFC 6265bis, Weak Integrity: what siblings, and whoever answers over plain
// http, do to cookies. With __Host- their cookies do not get as far as us, and the
// names that do are not ours, whatever other servers make of $Version, quotes and
// Unicode spaces.
func TestSiblingPlantsCookies(t *testing.T) {
	t.Parallel()
	a := newHostileApp(t, offline{})
	mallory := a.mallory(t)
	theirs := mallory.cookies()[sessionCookie]
	mallory.get("/login?return_to=%2Fdashboard")
	flowName := mallory.cookieNames(flowPrefix)[0]
	flow := mallory.cookies()[flowName]
	a.giveAway()
	const domain = "; Domain=example.test; Path=/"
	const home = "http://app.example.test"
	for _, tt := range []struct {
		name, from string
		line       string
		reaches    bool // us, with the next request
	}{
		{"a session for the domain", evilSibling, sessionCookie + "=" + theirs + domain + "; Secure", false},
		{"a session for the domain, without Secure", evilSibling, sessionCookie + "=" + theirs + domain, false},
		{"a session of a longer path", evilSibling, sessionCookie + "=" + theirs + "; Domain=example.test; Path=/api; Secure", false},
		{"a session in lower case", evilSibling, strings.ToLower(sessionCookie) + "=" + theirs + domain + "; Secure", false},
		{"a session in upper case", evilSibling, strings.ToUpper(sessionCookie) + "=" + theirs + domain + "; Secure", false},
		{"a session with spaces around its name", evilSibling, "\u0020 " + sessionCookie + " =" + theirs + domain, false},
		{"a session as a value without a name", evilSibling, "=" + sessionCookie + "=" + theirs + domain, false},
		{"a session as a value without a name, after spaces", evilSibling, "=  " + sessionCookie + "=" + theirs + domain, false},
		{"a session without its prefix", evilSibling, "oauthlogin=" + theirs + domain + "; Secure", true},
		{"a session behind a Unicode space", evilSibling, "\u2000" + sessionCookie + "=" + theirs + domain, true},
		{"a session behind $Version", evilSibling, "$Version=1," + sessionCookie + "=" + theirs + domain, true},
		{"a session in quotes", evilSibling, `a="x, ` + sessionCookie + "=" + theirs + `"` + domain, true},
		{"an open quote before ours", evilSibling, `a="x` + "; Domain=example.test; Path=/api", true},
		{"a chunk", evilSibling, sessionCookie + ".1=x" + domain + "; Secure", false},
		{"a pending login", evilSibling, flowName + "=" + flow + domain + "; Secure", false},
		{"rounds", evilSibling, sessionCookie + ".rounds=x" + domain + "; Secure", false},
		{"a session over plain http", home, sessionCookie + "=" + theirs + "; Path=/; Secure", false},
		{"a session over plain http, without Secure", home, sessionCookie + "=" + theirs + "; Path=/", false},
		{"a session over plain http, of a longer path", home, sessionCookie + "=" + theirs + "; Path=/api/me", false},
		{"the end of a session over plain http", home, sessionCookie + "=; Path=/; Max-Age=0", false},
		{"the end of a session for the domain", evilSibling, sessionCookie + "=; Max-Age=0" + domain, false},
		{"a session without its prefix over plain http", home, "oauthlogin=" + theirs + "; Path=/", true},
	} {
		for _, script := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by a script: %t", tt.name, script), func(t *testing.T) {
				b := a.browser(t)
				plant := func() {
					if script {
						b.page(tt.from).setCookie(tt.line)
					} else {
						a.plant(b, tt.from, tt.line)
					}
				}
				plant()
				if who := b.who("/api/me"); who != "" {
					t.Fatalf("nobody has signed in, and the browser is %q", who)
				}
				pair, _, _ := strings.Cut(tt.line, ";")
				sent := b.get("/api/me").Request.Header.Get("Cookie")
				if reaches := strings.Contains(sent, strings.TrimSpace(strings.TrimPrefix(pair, "="))); reaches != tt.reaches {
					t.Errorf("reaches us: %t: %.200s", reaches, sent)
				}
				b.login("/api/me")
				before := b.cookies()
				plant()
				for _, path := range []string{"/api/me", "/dashboard"} {
					if who := b.who(path); who != "alice" {
						t.Errorf("at %s signed in as %q", path, who)
					}
				}
				if after := b.cookies(); after[sessionCookie] != before[sessionCookie] {
					t.Error("the session is another")
				}
				// A login in which the cookie is there the whole time.
				cb := b.callbackURL("/login?return_to=%2Fdashboard")
				plant()
				if resp := b.get(cb); resp.location() != "/dashboard" || b.who("/dashboard") != "alice" {
					t.Errorf("a login led to %q as %q", resp.location(), b.who("/dashboard"))
				}
				b.post("/logout", nil)
				if b.signedIn() || len(b.cookieNames(sessionCookie)) > 0 {
					t.Errorf("signed out, and left with %q", b.cookieNames(sessionCookie))
				}
			})
		}
	}
}

// Login CSRF (RFC 9700 section 4.7) by a sibling that has mallory's pending
// login, and leads the victim to the callback with mallory's code.
func TestSiblingPlantsLogin(t *testing.T) {
	t.Parallel()
	a := newHostileApp(t, offline{})
	a.provider.AutoApprove("mallory")
	mallory := a.browser(t)
	cb := mallory.callbackURL("/login?return_to=%2Fdashboard")
	a.provider.AutoApprove("alice")
	name := mallory.cookieNames(flowPrefix)[0]
	b := a.browser(t)
	for _, origin := range []string{evilSibling, "http://app.example.test", "http://example.test"} {
		a.plant(b, origin, name+"="+mallory.cookies()[name]+"; Domain=example.test; Path=/; Secure", name+"="+mallory.cookies()[name]+"; Path=/; Secure")
		for _, resp := range []*response{b.page(evilSibling).link(cb), b.page(evilSibling).embed("image", cb), b.page(evilSite).link(cb)} {
			a.wantRefused(b, resp, http.StatusBadRequest)
		}
	}
	b.login("/dashboard")
	if who := b.who("/api/me"); who != "alice" {
		t.Errorf("signed in as %q", who)
	}
	if resp := b.page(evilSibling).link(cb); resp.location() != "/" || b.who("/api/me") != "alice" {
		t.Errorf("signed in, mallory's callback led to %q as %q", resp.location(), b.who("/api/me"))
	}
}

// On loopback over http there is no prefix, and other ports of the host share
// its cookies, to read and to replace. What is there twice with two values is
// nobody's: whoever plants it beside ours signs nobody in as herself.
func TestOtherPortPlantsCookies(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		a := newHostileApp(t, offline{origin: "http://" + host + ":3000"})
		other := "http://" + host + ":4000"
		neighbor := &recorder{}
		a.net[host+":4000"] = neighbor
		mallory := a.mallory(t)
		theirs := mallory.cookies()["oauthlogin"]
		a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(5000) })
		large := a.mallory(t).cookies()
		a.provider.EditTokenResponse(nil)
		for _, tt := range []struct {
			name  string
			lines []string
			me    string // signed in as, at /api/me, where what was planted applies
		}{
			{"a session of a longer path", []string{"oauthlogin=" + theirs + "; Path=/api"}, ""},
			{"a session of the very path", []string{"oauthlogin=" + theirs + "; Path=/api/me"}, ""},
			{"nonsense of a longer path", []string{"oauthlogin=x; Path=/api"}, ""},
			{"nothing of a longer path", []string{"oauthlogin=; Path=/api"}, ""},
			{"a first chunk of a longer path", []string{"oauthlogin=" + large["oauthlogin"] + "; Path=/api"}, ""},
			{"the other chunks", []string{"oauthlogin.1=" + large["oauthlogin.1"] + "; Path=/api", "oauthlogin.2=" + large["oauthlogin.2"] + "; Path=/api"}, "alice"},
			{"rounds of a longer path", []string{"oauthlogin.rounds=x; Path=/login"}, "alice"},
			{"pending logins", []string{"oauthlogin.flow.x=y; Path=/auth", "oauthlogin.flow.AAAAAAAAAAAAAAAA=" + theirs + "; Path=/login"}, "alice"},
			{"a session as a value without a name", []string{"=oauthlogin=" + theirs + "; Path=/api"}, "alice"},
			{"a session of another path", []string{"oauthlogin=" + theirs + "; Path=/ap"}, "alice"},
		} {
			t.Run(host+": "+tt.name, func(t *testing.T) {
				b := a.browser(t)
				b.login("/dashboard")
				neighbor.plants = tt.lines
				b.get(other + "/")
				if who := b.who("/api/me"); who != tt.me {
					t.Errorf("signed in as %q; want %q", who, tt.me)
				}
				if who := b.who("/dashboard"); who != "alice" {
					t.Errorf("elsewhere signed in as %q", who)
				}
				b.login("/dashboard")
				if who := b.who("/dashboard"); who != "alice" {
					t.Errorf("after another login signed in as %q", who)
				}
				b.post("/logout", nil)
				if who := b.who("/dashboard"); who != "" {
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
		a := newHostileApp(t, offline{origin: "http://localhost:3000", change: func(opts *oauthlogin.Options) {
			if store {
				opts.Store = newFileStore(t)
			}
		}})
		neighbor := &recorder{}
		a.net["localhost:4000"] = neighbor
		theirs := a.mallory(t).cookies()["oauthlogin"]
		b := a.browser(t)
		b.login("/dashboard")
		neighbor.plants = []string{"oauthlogin=" + theirs + "; Path=/api"}
		b.get("http://localhost:4000/")
		before := a.provider.Count(oauthlogintest.Token)
		resp := b.get("/api/me")
		for range 20 { // as many as browsers follow
			if resp.location() == "" {
				break
			}
			resp = b.redirected(resp)
		}
		if resp.StatusCode != http.StatusBadRequest || strings.Contains(resp.body, "mallory") {
			t.Errorf("store %t: ends at %s: %d to %q %.200s", store, resp.Request.URL, resp.StatusCode, resp.location(), resp.body)
		}
		if n := a.provider.Count(oauthlogintest.Token) - before; n > 4 {
			t.Errorf("store %t: %d logins", store, n)
		}
		if who := b.who("/dashboard"); who != "alice" {
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
		{"by a sibling", evilSibling, flood(200, "; Secure"), false},
		{"by a sibling, for the domain", evilSibling, flood(200, "; Secure; Domain=example.test"), false},
		{"by a sibling, without Secure", evilSibling, flood(1000, ""), true},
		{"over plain http", "http://app.example.test", flood(1000, ""), true},
		{"over plain http, for the domain", "http://app.example.test", flood(1000, "; Domain=example.test"), true},
		{"by another site", evilSite, flood(1000, "; Secure"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newHostileApp(t, offline{})
				a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(5000) })
				b := a.browser(t)
				b.login("/dashboard")
				time.Sleep(2 * accessThreshold)
				a.plant(b, tt.from, tt.lines...)
				if who := b.who("/api/me"); who != map[bool]string{true: "alice"}[tt.stays] {
					t.Errorf("signed in as %q", who)
				}
				if resp := b.get("/"); resp.StatusCode != http.StatusOK {
					t.Errorf("public page: %d", resp.StatusCode)
				}
				b.login("/dashboard")

				// In mid-login, a moment later.
				time.Sleep(time.Second)
				cb := b.callbackURL("/login?return_to=%2Fdashboard")
				flow := len(b.cookieNames(flowPrefix))
				time.Sleep(time.Second)
				a.plant(b, tt.from, append(tt.lines, tt.lines...)...)
				for i := range 200 {
					b.page(tt.from).setCookie(strings.Replace(tt.lines[0], "c0", fmt.Sprint("d", i), 1))
				}
				if left := len(b.cookieNames(flowPrefix)); flow != 1 || (left == 1) != tt.stays {
					t.Fatalf("%d of %d pending logins left", left, flow)
				}
				resp := b.get(cb)
				if tt.stays != (resp.location() == "/dashboard") {
					t.Errorf("the callback led to %d %q", resp.StatusCode, resp.location())
				}
				if !tt.stays && (resp.StatusCode != http.StatusBadRequest || b.signedIn()) {
					t.Errorf("the callback of an evicted login: %d, signed in: %t", resp.StatusCode, b.signedIn())
				}
				b.login("/dashboard")
				if who := b.who("/api/me"); who != "alice" {
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
		a := newHostileApp(t, offline{})
		a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(5000) })
		b := a.browser(t)
		// The 30 oldest go with it.
		b.login("/dashboard")
		all := b.cookies()
		if n := len(b.chunks()); n != 3 {
			t.Fatalf("a session of %d cookies", n)
		}
		b.setCookie(sessionCookie+chunk, "")
		a.plant(b, evilSibling, numbered(30, "old%d=1; Secure; Path=/nowhere")...)
		b.setCookie(sessionCookie+chunk, all[sessionCookie+chunk])
		if !b.signedIn() {
			t.Fatal("not signed in")
		}
		for name := range all { // used since, but for the one
			if name != sessionCookie+chunk {
				b.setCookie(name, all[name]+"x")
				b.setCookie(name, all[name])
			}
		}
		a.plant(b, evilSibling, numbered(181-30-len(all), "new%d=1; Secure; Path=/nowhere")...)
		left := b.cookies()
		if _, ok := left[sessionCookie+chunk]; ok || len(left) != len(all)-1 {
			t.Fatalf("chunk %q: left with %q", chunk, slices.Collect(maps.Keys(left)))
		}
		if b.signedIn() || b.get("/").body != "home of nobody" {
			t.Errorf("signed in without chunk %q", chunk)
		}
		b.login("/dashboard")
		if who := b.who("/api/me"); who != "alice" {
			t.Errorf("signed in as %q", who)
		}
	}

	a := newHostileApp(t, offline{})
	b := a.browser(t)
	var callbacks []string
	for i := range 3 {
		callbacks = append(callbacks, b.callbackURL(fmt.Sprintf("/login?return_to=%%2Fdashboard%%3Ftab=%d", i)))
	}
	flows := b.store().cookies
	for i := range flows {
		if strings.HasPrefix(flows[i].name, flowPrefix) {
			b.setCookie(flows[i].name, "") // the first tab's
			break
		}
	}
	for i, want := range []string{"", "/dashboard?tab=1", "/dashboard?tab=2"} {
		resp := b.get(callbacks[i])
		if resp.location() != want || want == "" && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("tab %d: %d to %q", i, resp.StatusCode, resp.location())
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
		ask      func(p page) *response
		status   int
		location string // its beginning
		ran      string // the guarded path whose handler ran
	}{
		{"a link to a guarded page", evilSite, func(p page) *response { return p.link(home + "/dashboard") }, 200, "", "/dashboard"},
		{"a link to a guarded page, led on", evilSite, func(p page) *response { return p.b.to(p.link(evilSite+"/?to="+home+"/dashboard"), "") }, 200, "", "/dashboard"},
		{"a link from nobody's page", "null", func(p page) *response { return p.link(home + "/dashboard") }, 200, "", "/dashboard"},
		{"a form to a guarded page", evilSite, func(p page) *response { return p.form(home+"/dashboard", nil) }, 401, "", ""},
		{"a frame of a guarded page", evilSite, func(p page) *response { return p.embed("iframe", home+"/dashboard") }, 302, "/login?", ""},
		{"an image of a guarded page", evilSite, func(p page) *response { return p.embed("image", home+"/dashboard") }, 401, "", ""},
		{"a script of a guarded page", evilSite, func(p page) *response { return p.embed("script", home+"/api/me") }, 401, "", ""},
		{"a fetch", evilSite, func(p page) *response { return p.fetch("GET", home+"/api/me", "cors") }, 401, "", ""},
		{"a fetch that wants no answer", evilSite, func(p page) *response { return p.fetch("POST", home+"/api/me", "no-cors") }, 401, "", ""},
		{"a fetch of nobody's page", "null", func(p page) *response { return p.fetch("GET", home+"/api/me", "cors") }, 401, "", ""},
		{"a preflight", evilSite, func(p page) *response { return p.fetch("OPTIONS", home+"/api/me", "cors") }, 401, "", ""},
		{"a WebSocket", evilSite, func(p page) *response { return p.fetch("GET", home+"/api/me", "websocket") }, 401, "", ""},
		{"a page rendered before it is asked for", evilSite, func(p page) *response { return p.prerender(home + "/login") }, 401, "", ""},
		{"a form to the login", evilSite, func(p page) *response { return p.form(home+"/login", nil) }, 405, "", ""},
		{"a link to the logout", evilSite, func(p page) *response { return p.link(home + "/logout") }, 405, "", ""},
		{"an image of the logout", evilSite, func(p page) *response { return p.embed("image", home+"/logout") }, 405, "", ""},
		{"a form to the logout", evilSite, func(p page) *response { return p.form(home+"/logout", nil) }, 403, "", ""},
		{"a form to the logout, of nobody's page", "null", func(p page) *response { return p.form(home+"/logout", nil) }, 403, "", ""},
		{"a form to the logout, over plain http", "http://app.example.test", func(p page) *response { return p.form(home+"/logout", nil) }, 403, "", ""},
		{"a form to the logout, with a way back", evilSite, func(p page) *response {
			return p.form(home+"/logout", url.Values{"return_to": {evilSite}})
		}, 403, "", ""},
		{"a fetch of the logout", evilSite, func(p page) *response { return p.fetch("POST", home+"/logout", "no-cors") }, 403, "", ""},
		// SameSite is nothing between siblings: these do come with the session.
		{"a sibling's form to the logout", evilSibling, func(p page) *response { return p.form(home+"/logout", nil) }, 403, "", ""},
		{"a sibling's fetch of the logout", evilSibling, func(p page) *response { return p.fetch("POST", home+"/logout", "no-cors") }, 403, "", ""},
		{"a sibling's image of the logout", evilSibling, func(p page) *response { return p.embed("image", home+"/logout") }, 405, "", ""},
		{"a sibling's fetch, whose answer it cannot read", evilSibling, func(p page) *response { return p.fetch("GET", home+"/api/me", "cors") }, 200, "", "/api/me"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newHostileApp(t, offline{})
			b := a.browser(t)
			b.login("/dashboard")
			before, served := b.cookies(), a.called("/dashboard")+a.called("/api/me")
			resp := tt.ask(b.page(tt.from))
			if resp.StatusCode != tt.status || !strings.HasPrefix(resp.location(), tt.location) || tt.location == "" && resp.location() != "" {
				t.Errorf("%d to %q; want %d to %q", resp.StatusCode, resp.location(), tt.status, tt.location)
			}
			if set := resp.Header["Set-Cookie"]; len(set) > 0 {
				t.Errorf("sets %q", set)
			}
			if ran := a.called("/dashboard")+a.called("/api/me")-served > 0; ran != (tt.ran != "") {
				t.Errorf("a handler ran: %t", ran)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("answers other origins: %s", name)
				}
			}
			if !maps.Equal(b.cookies(), before) || b.who("/api/me") != "alice" {
				t.Errorf("signed in as %q, with %d cookies", b.who("/api/me"), len(b.cookies()))
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
		force func(b *browser) *response
		who   string
		at    string
	}{
		{"by a link", func(b *browser) *response {
			return b.to(b.page(evilSite).link(home+"/login?return_to=%2Fdashboard"), "")
		}, "alice", "/dashboard"},
		{"by a link that leads back", func(b *browser) *response {
			return b.to(b.page(evilSite).link(home+"/login?return_to="+url.QueryEscape(evilSite)), "")
		}, "alice", "/"},
		{"by an image", func(b *browser) *response { return b.to(b.page(evilSite).embed("image", home+"/login"), "") }, "", "/auth/callback"},
		{"by a frame", func(b *browser) *response { return b.to(b.page(evilSite).embed("iframe", home+"/dashboard"), "") }, "", "/auth/callback"},
		{"by a fetch", func(b *browser) *response { return b.to(b.page(evilSite).fetch("GET", home+"/login", "no-cors"), "") }, "", "/auth/callback"},
		{"by rendering before it is asked for", func(b *browser) *response { return b.to(b.page(evilSite).prerender(home+"/login"), "") }, "", "/login"},
		{"by a sibling's image", func(b *browser) *response { return b.to(b.page(evilSibling).embed("image", home+"/login"), "") }, "alice", "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newHostileApp(t, offline{})
			b := a.browser(t)
			resp := tt.force(b)
			if resp.Request.URL.Host != "app.example.test" || resp.Request.URL.Path != tt.at {
				t.Errorf("led to %s: %d", resp.Request.URL, resp.StatusCode)
			}
			if who := b.who("/api/me"); who != tt.who {
				t.Errorf("signed in as %q; want %q", who, tt.who)
			}
			if tt.who == "" && (len(b.cookies()) > 0 || a.provider.Count(oauthlogintest.Token) > 0) {
				t.Errorf("left with %q after %d token requests", slices.Collect(maps.Keys(b.cookies())), a.provider.Count(oauthlogintest.Token))
			}
			b.login("/dashboard")
		})
	}
}

// Logins that others begin push out the user's own pending one, as they are to
// be five at most: that one ends with a page and a link, and nothing worse.
func TestForcedLoginsPushOut(t *testing.T) {
	t.Parallel()
	a := newHostileApp(t, offline{})
	b := a.browser(t)
	b.login("/dashboard")
	cb := b.callbackURL("/login?return_to=%2Fdashboard")
	for range 10 {
		b.page(evilSite).link("https://app.example.test/login")
	}
	if n := len(b.cookieNames(flowPrefix)); n != 5 {
		t.Errorf("%d pending logins", n)
	}
	if resp := b.get(cb); resp.location() != "/" || b.who("/api/me") != "alice" {
		t.Errorf("signed in, the callback led to %d %q as %q", resp.StatusCode, resp.location(), b.who("/api/me"))
	}
	b.setCookie(sessionCookie, "")
	resp := b.get(cb)
	if resp.StatusCode != http.StatusBadRequest || len(resp.links()) != 1 || b.signedIn() {
		t.Fatalf("%d with links %q", resp.StatusCode, resp.links())
	}
	if resp := b.follow(resp.links()[0]); resp.StatusCode != http.StatusOK || b.who("/api/me") != "alice" {
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
		deliver func(p page, cb string) *response
		status  int
	}{
		{"a redirect after the provider's form", func(p page, cb string) *response {
			return p.b.redirected(p.form(evilSite+"/?to="+url.QueryEscape(cb), nil))
		}, http.StatusSeeOther},
		{"a link", func(p page, cb string) *response { return p.link(cb) }, http.StatusSeeOther},
		{"a form", func(p page, cb string) *response {
			u, query, _ := strings.Cut(cb, "?")
			values, _ := url.ParseQuery(query)
			return p.form(u, values)
		}, http.StatusMethodNotAllowed},
		{"a form that keeps the query", func(p page, cb string) *response { return p.form(cb, nil) }, http.StatusMethodNotAllowed},
		{"a frame", func(p page, cb string) *response { return p.embed("iframe", cb) }, http.StatusBadRequest},
		{"an image", func(p page, cb string) *response { return p.embed("image", cb) }, http.StatusBadRequest},
		{"a fetch", func(p page, cb string) *response { return p.fetch("GET", cb, "no-cors") }, http.StatusBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newWatchedApp(t, offline{origin: "https://app.example.test"})
			a.net["evil.test"] = &recorder{} // what leads on is the provider's, and knows the code
			b := a.browser(t)
			cb := b.callbackURL("/login?return_to=%2Fdashboard")
			resp := tt.deliver(b.page("https://provider.test"), cb)
			if tt.status != http.StatusSeeOther {
				a.wantRefused(b, resp, tt.status)
				if sent := resp.Request.Header.Get("Cookie"); sent != "" {
					t.Errorf("sent %q", sent)
				}
				resp = b.page("https://provider.test").link(cb)
			}
			if resp.StatusCode != http.StatusSeeOther || resp.location() != "/dashboard" {
				t.Errorf("%d to %q", resp.StatusCode, resp.location())
			}
			// Still the provider's navigation, and the session goes with it.
			if resp = b.redirected(resp); resp.StatusCode != http.StatusOK || !b.signedIn() {
				t.Errorf("led to %d", resp.StatusCode)
			}
		})
	}
}

// Sessions of every size come back from the browser byte for byte, or there is
// no session: around each number of cookies.
func TestBrowserKeepsLargeSessions(t *testing.T) {
	t.Parallel()
	a := newHostileApp(t, offline{})
	b := a.browser(t)
	a.guardedToken()
	seen := map[int]bool{}
	for size := 100; size < 13500; size += 457 {
		token := noise(size)
		a.provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = token })
		a.provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "at_hash") })
		resp := b.follow("/login?return_to=%2Ftoken-itself")
		switch {
		case resp.StatusCode == http.StatusInternalServerError && size > 11000:
			seen[0] = true
		case resp.body != token:
			t.Fatalf("%d bytes came back as %d %d", size, resp.StatusCode, len(resp.body))
		default:
			seen[len(b.chunks())] = true
		}
	}
	for n := range 6 {
		if !seen[n] {
			t.Errorf("no session of %d cookies", n)
		}
	}
}

// guardedToken adds a guarded path that shows the access token.
func (a *hostileApp) guardedToken() {
	a.more = func(mux *http.ServeMux) {
		mux.Handle("/token-itself", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			w.Write([]byte(s.Token().AccessToken))
		})))
	}
}

// Logins that nobody finishes, in however many tabs, leave session and room.
func TestAbandonedLoginsEvictNothing(t *testing.T) {
	t.Parallel()
	a := newHostileApp(t, offline{})
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(8000) })
	b := a.browser(t)
	b.login("/dashboard")
	before := b.cookies()
	for i := range 200 {
		b.get(fmt.Sprintf("/login?return_to=%%2Fdashboard%%3Ftab=%d%s", i, strings.Repeat("x", i*7)))
		if n := len(b.cookieNames(flowPrefix)); n > 5 {
			t.Fatalf("%d pending logins", n)
		}
	}
	after := b.cookies()
	for name, value := range before {
		if after[name] != value {
			t.Errorf("%s is not what it was", name)
		}
	}
	if b.who("/api/me") != "alice" {
		t.Error("signed out")
	}
	if resp := b.get(b.callbackURL("/login?return_to=%2Fdashboard")); resp.location() != "/dashboard" {
		t.Errorf("the last login led to %d %q", resp.StatusCode, resp.location())
	}
}

// Whatever becomes of a cookie in the browser, the user is alice or nobody, and
// a login helps.
func TestCookiesChangeInTheBrowser(t *testing.T) {
	t.Parallel()
	a := newHostileApp(t, offline{})
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(5000) })
	mallory := a.mallory(t)
	theirCallback := mallory.callbackURL("/login?return_to=%2Fdashboard")
	theirs := mallory.cookies()
	for name, change := range map[string]func(name, value string) string{
		"a bit less":     func(_, value string) string { return value[:len(value)-1] },
		"a bit more":     func(_, value string) string { return value + "A" },
		"another letter": func(_, value string) string { return value[:len(value)/2] + "!" + value[len(value)/2+1:] },
		"twice":          func(_, value string) string { return value + value },
		"mallory's":      func(name, _ string) string { return theirs[name] },
		"mallory's flow": func(string, string) string { return theirs[mallory.cookieNames(flowPrefix)[0]] },
		"gone":           func(string, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			base := a.browser(t)
			base.login("/dashboard")
			cb := base.callbackURL("/login?return_to=%2Fdashboard")
			all := base.cookies()
			if n := len(base.chunks()); n != 3 || len(all) < 4 {
				t.Fatalf("a session of %d cookies among %d", n, len(all))
			}
			for cookie, value := range all {
				b := base.sameCookies(a.app)
				b.setCookie(cookie, change(cookie, value))
				ofSession := !strings.HasPrefix(cookie, flowPrefix) && cookie != sessionCookie+".rounds"
				if who := b.who("/api/me"); who != map[bool]string{false: "alice"}[ofSession] {
					t.Errorf("%s: signed in as %q", cookie, who)
				}
				before := a.provider.Count(oauthlogintest.Token)
				resp := b.get(theirCallback)
				if who := b.who("/api/me"); a.provider.Count(oauthlogintest.Token) != before || who == "mallory" {
					t.Errorf("%s: mallory's callback: %d, signed in as %q", cookie, resp.StatusCode, who)
				}
				b.get("/logout")
				if b.get("/").StatusCode != http.StatusOK {
					t.Errorf("%s: no public page", cookie)
				}
				b.login("/dashboard")
			}
			// All of mallory's are mallory's: to take all of them is to be her.
			if resp := base.get(cb); resp.location() != "/dashboard" || base.who("/api/me") != "alice" {
				t.Errorf("unchanged: %d to %q", resp.StatusCode, resp.location())
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
				a := newHostileApp(t, offline{provider: oauthlogintest.Config{CodeTTL: 2 * time.Hour}})
				b := a.browser(t)
				b.store().skew = skew
				b.login("/dashboard")
				kept := b.cookies()[sessionCookie]
				for range 3 {
					time.Sleep(30 * time.Minute)
					if who := b.who("/api/me"); who != "alice" {
						t.Fatalf("signed in as %q", who)
					}
				}
				time.Sleep(24 * time.Hour)
				if _, ok := b.cookies()[sessionCookie]; ok {
					t.Error("the browser keeps the cookie after the idle timeout")
				}
				b.setCookie(sessionCookie, kept)
				for _, c := range b.store().cookies {
					c.expires = time.Time{}
				}
				if b.cookies()[sessionCookie] == "" || b.signedIn() {
					t.Errorf("kept too long: cookie %q, signed in: %t", b.cookies()[sessionCookie], b.signedIn())
				}

				// The browser keeps a pending login for an hour, the server for five minutes.
				cb := b.callbackURL("/login?return_to=%2Fdashboard")
				time.Sleep(5 * time.Minute)
				if len(b.cookieNames(flowPrefix)) != 1 {
					t.Error("the browser has dropped the pending login")
				}
				before := a.provider.Count(oauthlogintest.Token)
				resp := b.get(cb)
				if resp.StatusCode != http.StatusBadRequest || b.signedIn() || len(resp.links()) != 1 || a.provider.Count(oauthlogintest.Token) != before {
					t.Fatalf("late: %d with links %q", resp.StatusCode, resp.links())
				}
				if resp = b.follow(resp.links()[0]); resp.Request.URL.Path != "/dashboard" || b.who("/api/me") != "alice" {
					t.Errorf("the link leads to %s", resp.Request.URL)
				}
				cb = b.callbackURL("/login?return_to=%2Fdashboard")
				b.post("/logout", nil)
				time.Sleep(time.Hour)
				if n := len(b.cookieNames(flowPrefix)); n != 0 {
					t.Errorf("%d pending logins after an hour", n)
				}
				if resp := b.get(cb); resp.StatusCode != http.StatusBadRequest || b.signedIn() {
					t.Errorf("after an hour: %d", resp.StatusCode)
				}
				b.login("/dashboard")
			})
		})
	}
}
