package adversarial_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RFC 6265bis section 8.6, weak integrity: cookies set by siblings, and by a server on
// plain http. Names with __Host- do not reach the application, and names that do are not
// the package's, whatever other servers make of $Version, quotes and Unicode spaces.
func TestSiblingPlantsCookies(t *testing.T) {
	t.Parallel()
	a := apptest.NewSurrounded(t, apptest.Config{})
	mallory := a.SignIn(t, "mallory")
	theirs := mallory.Cookies()[apptest.SessionCookie]
	mallory.Get("/login?return_to=%2Fdashboard")
	flowName := mallory.CookieNames(apptest.FlowPrefix)[0]
	flow := mallory.Cookies()[flowName]
	a.Evil.GiveAway()
	const (
		sibling = apptest.EvilSibling
		plain   = "http://app.example.test"
		session = apptest.SessionCookie
		domain  = "; Domain=example.test; Path=/"
	)
	for _, tt := range []struct {
		name, from string
		line       string
		reaches    bool // the application, with the next request
	}{
		{"a session for the domain", sibling, session + "=" + theirs + domain + "; Secure", false},
		{"a session for the domain, without Secure", sibling, session + "=" + theirs + domain, false},
		{"a session of a longer path", sibling, session + "=" + theirs + "; Domain=example.test; Path=/api; Secure", false},
		{"a session in lower case", sibling, strings.ToLower(session) + "=" + theirs + domain + "; Secure", false},
		{"a session in upper case", sibling, strings.ToUpper(session) + "=" + theirs + domain + "; Secure", false},
		{"a session with spaces around its name", sibling, "\u0020 " + session + " =" + theirs + domain, false},
		{"a session as a value without a name", sibling, "=" + session + "=" + theirs + domain, false},
		{"a session as a value without a name, after spaces", sibling, "=  " + session + "=" + theirs + domain, false},
		{"a session without its prefix", sibling, "oauthlogin=" + theirs + domain + "; Secure", true},
		{"a session behind a Unicode space", sibling, "\u2000" + session + "=" + theirs + domain, true},
		{"a session behind $Version", sibling, "$Version=1," + session + "=" + theirs + domain, true},
		{"a session in quotes", sibling, `a="x, ` + session + "=" + theirs + `"` + domain, true},
		{"an open quote before the session", sibling, `a="x` + "; Domain=example.test; Path=/api", true},
		{"a chunk", sibling, session + ".1=x" + domain + "; Secure", false},
		{"a pending login", sibling, flowName + "=" + flow + domain + "; Secure", false},
		{"a count of logins", sibling, session + ".rounds=x" + domain + "; Secure", false},
		{"a session over plain http", plain, session + "=" + theirs + "; Path=/; Secure", false},
		{"a session over plain http, without Secure", plain, session + "=" + theirs + "; Path=/", false},
		{"a session over plain http, of a longer path", plain, session + "=" + theirs + "; Path=/api/me", false},
		{"the end of a session over plain http", plain, session + "=; Path=/; Max-Age=0", false},
		{"the end of a session for the domain", sibling, session + "=; Max-Age=0" + domain, false},
		{"a session without its prefix over plain http", plain, "oauthlogin=" + theirs + "; Path=/", true},
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
				b.WantUser("/api/me", "")
				pair, _, _ := strings.Cut(tt.line, ";")
				sent := b.Get("/api/me").Request.Header.Get("Cookie")
				if reaches := strings.Contains(sent, strings.TrimSpace(strings.TrimPrefix(pair, "="))); reaches != tt.reaches {
					t.Errorf("reaches the application: %t: %.200s", reaches, sent)
				}
				b.Login("/api/me")
				before := b.Cookies()
				plant()
				b.WantUser("/api/me", "alice")
				b.WantUser("/dashboard", "alice")
				if after := b.Cookies(); after[apptest.SessionCookie] != before[apptest.SessionCookie] {
					t.Error("the session has changed")
				}
				// A login during which the cookie is there.
				cb := b.CallbackURL("/login?return_to=%2Fdashboard")
				plant()
				if resp := b.Get(cb); resp.Location() != "/dashboard" || b.UserAt("/dashboard") != "alice" {
					t.Errorf("a login led to %q as %q", resp.Location(), b.UserAt("/dashboard"))
				}
				b.Post("/logout", nil)
				if b.SignedIn() || len(b.CookieNames(apptest.SessionCookie)) > 0 {
					t.Errorf("after the logout, left with %q", b.CookieNames(apptest.SessionCookie))
				}
			})
		}
	}
}

// Login CSRF (RFC 9700 section 4.7) by a sibling that plants mallory's
// pending login, and leads the victim to the callback with mallory's code.
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
	b.WantUser("/api/me", "alice")
	if resp := b.Page(apptest.EvilSibling).Link(cb); resp.Location() != "/" || b.UserAt("/api/me") != "alice" {
		t.Errorf("signed in, mallory's callback led to %q as %q", resp.Location(), b.UserAt("/api/me"))
	}
}

// On loopback over http there is no prefix, and other ports of the host share its
// cookies. Of two values the one that opens counts, and of two that open neither: mallory
// cannot sign the victim in as herself with one beside the victim's.
func TestOtherPortPlantsCookies(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		a := apptest.NewSurrounded(t, apptest.Config{Origin: "http://" + host + ":3000"})
		neighbor := &apptest.Recorder{}
		a.Net[host+":4000"] = neighbor
		theirs := a.SignIn(t, "mallory").Cookies()["oauthlogin"]
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
		large := a.SignIn(t, "mallory").Cookies()
		a.Provider.EditTokenResponse(nil)
		for _, tt := range []struct {
			name  string
			lines []string
			me    string // signed in as, at /api/me, where what was planted applies
		}{
			{"a session of a longer path", []string{"oauthlogin=" + theirs + "; Path=/api"}, ""},
			{"a session of the very path", []string{"oauthlogin=" + theirs + "; Path=/api/me"}, ""},
			{"nonsense of a longer path", []string{"oauthlogin=x; Path=/api"}, "alice"},
			{"an empty value of a longer path", []string{"oauthlogin=; Path=/api"}, "alice"},
			{"a first chunk of a longer path", []string{"oauthlogin=" + large["oauthlogin"] + "; Path=/api"}, "alice"},
			{"the other chunks", []string{"oauthlogin.1=" + large["oauthlogin.1"] + "; Path=/api", "oauthlogin.2=" + large["oauthlogin.2"] + "; Path=/api"}, "alice"},
			{"a count of logins of a longer path", []string{"oauthlogin.rounds=x; Path=/login"}, "alice"},
			{"pending logins", []string{"oauthlogin.flow.x=y; Path=/auth", "oauthlogin.flow.AAAAAAAAAAAAAAAA=" + theirs + "; Path=/login"}, "alice"},
			{"a session as a value without a name", []string{"=oauthlogin=" + theirs + "; Path=/api"}, "alice"},
			{"a session of another path", []string{"oauthlogin=" + theirs + "; Path=/ap"}, "alice"},
		} {
			t.Run(host+": "+tt.name, func(t *testing.T) {
				b := a.Browser(t)
				b.Login("/dashboard")
				neighbor.Plants = tt.lines
				b.Get("http://" + host + ":4000/")
				b.WantUser("/api/me", tt.me)
				b.WantUser("/dashboard", "alice")
				b.Login("/dashboard")
				b.WantUser("/dashboard", "alice")
				b.Post("/logout", nil)
				b.WantUser("/dashboard", "")
			})
		}
	}
}

// A cookie of a longer path is still there after each login. The user is told so after a
// few logins, and does not go round between application and provider for ever; a store
// that would take the first of two cookies takes neither.
func TestSessionThatIsThereTwice(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		with.Origin = "http://localhost:3000"
		a := apptest.NewSurrounded(t, with)
		neighbor := &apptest.Recorder{}
		a.Net["localhost:4000"] = neighbor
		theirs := a.SignIn(t, "mallory").Cookies()["oauthlogin"]
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
			t.Errorf("ends at %s: %d to %q %.200s", resp.Request.URL, resp.StatusCode, resp.Location(), resp.Text)
		}
		if n := a.Provider.Count(oauthlogintest.Token) - before; n > 4 {
			t.Errorf("%d logins", n)
		}
		b.WantUser("/dashboard", "alice")
	})
}

// RFC 6265bis section 8.6: cookies can be evicted. The user is then signed out, can sign
// in again, and is never signed in as another user.
func TestSiblingOverflowsTheJar(t *testing.T) {
	t.Parallel()
	flood := func(n int, attributes string) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("c%d=1; Path=/nowhere%s", i, attributes))
		}
		return lines
	}
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
				if who := b.UserAt("/api/me"); who != map[bool]string{true: "alice"}[tt.stays] {
					t.Errorf("signed in as %q", who)
				}
				if resp := b.Get("/"); resp.StatusCode != http.StatusOK {
					t.Errorf("public page: %d", resp.StatusCode)
				}
				b.Login("/dashboard")

				// And during a login, a moment later.
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
				b.WantUser("/api/me", "alice")
			})
		})
	}
}
