package oauthlogin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// oauth2-proxy's #1888: browsers send a callback again. Together or one after
// the other, the code goes out once.
func TestCallbackAgain(t *testing.T) {
	t.Parallel()
	t.Run("at the same time", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		cb := b.CallbackURL("/login?return_to=%2Fdashboard")
		var wg sync.WaitGroup
		var mu sync.Mutex
		redirects := 0
		for range 8 {
			r := httptest.NewRequest(http.MethodGet, cb, nil)
			for name, value := range b.Cookies() {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			wg.Go(func() {
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				mu.Lock()
				defer mu.Unlock()
				if w.Code == http.StatusSeeOther {
					redirects++
				}
			})
		}
		wg.Wait()
		if n := a.Provider.Count(oauthlogintest.Token); n != 1 || redirects != 1 {
			t.Errorf("%d token requests and %d redirects", n, redirects)
		}
	})
	t.Run("with the flow cookie put back", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		cb := b.CallbackURL("/login?return_to=%2Fdashboard")
		flow := b.Cookies()
		b.Get(cb)
		if names := b.CookieNames(apptest.FlowPrefix); len(names) > 0 {
			t.Errorf("the callback left %v", names)
		}
		for name, value := range flow {
			b.SetCookie(name, value)
		}
		if resp := b.Get(cb); resp.StatusCode != http.StatusSeeOther || resp.Location() != "/dashboard" {
			t.Errorf("signed in: %d to %q", resp.StatusCode, resp.Location())
		}
		b.SetCookie(apptest.SessionCookie, "")
		for name, value := range flow {
			b.SetCookie(name, value)
		}
		resp := b.Get(cb)
		if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || b.SignedIn() {
			t.Errorf("signed out: %d to %q", resp.StatusCode, resp.Location())
		}
		if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestFlowExpires(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		wait     time.Duration
		signedIn bool   // in another tab, meanwhile
		status   int    // of the callback
		location string // of the callback
		link     string // on its page
	}{
		{"in time", 5*time.Minute - time.Second, false, 303, "/dashboard", ""},
		{"after the cookie is gone", time.Hour + time.Second, false, 400, "", "/login?return_to=%2F"},
		{"too late, and signed in", 5 * time.Minute, true, 303, "/dashboard", ""},
		{"after the cookie is gone, and signed in", time.Hour + time.Second, true, 303, "/", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				resp, _ := b.StartLogin("/login?return_to=%2Fdashboard")
				want := 0
				if test.signedIn {
					b.Login("/api/me")
					want = 1
				}
				time.Sleep(test.wait)
				if test.location == "/dashboard" && !test.signedIn {
					want++
				}
				resp = b.Get(b.CallbackURL(resp.Location()))
				if resp.StatusCode != test.status || resp.Location() != test.location {
					t.Errorf("%d to %q; want %d to %q", resp.StatusCode, resp.Location(), test.status, test.location)
				}
				if n := a.Provider.Count(oauthlogintest.Token); n != want {
					t.Errorf("%d token requests; want %d", n, want)
				}
				if b.SignedIn() != (test.location != "") {
					t.Errorf("signed in: %t", b.SignedIn())
				}
				if test.link == "" {
					return
				}
				if links := resp.Links(); len(links) != 1 || links[0] != test.link {
					t.Fatalf("links %q; want %q", links, test.link)
				}
				_, query, _ := strings.Cut(test.link, "return_to=")
				path, _ := url.QueryUnescape(query)
				if resp := b.Follow(test.link); resp.Request.URL.Path != path || !b.SignedIn() {
					t.Errorf("the link leads to %s", resp.Request.URL)
				}
			})
		})
	}
}

// CVE-2025-68158 of Authlib, CVE-2025-12419 of Mattermost, RFC 6749 section
// 10.12: an attacker's own answer is worth nothing in another browser.
func TestAnswerOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	attack := func(t *testing.T, a *apptest.App) (cb string, flow map[string]string) {
		attacker := a.Browser(t)
		a.Provider.AutoApprove("mallory")
		defer a.Provider.AutoApprove("alice")
		return attacker.CallbackURL("/login?return_to=%2Fattacker"), attacker.Cookies()
	}
	t.Run("a browser with nothing pending", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		cb, _ := attack(t, a)
		b := a.Browser(t)
		a.RefusedAtOnce(b, b.Get(cb), http.StatusBadRequest)
		b.Login("/dashboard")
	})
	t.Run("a browser with a login of its own", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		cb, _ := attack(t, a)
		b := a.Browser(t)
		own := b.CallbackURL("/login?return_to=%2Fdashboard")
		a.RefusedAtOnce(b, b.Get(cb), http.StatusBadRequest)
		if resp := b.Get(own); resp.Location() != "/dashboard" {
			t.Errorf("its own login then: %d to %q", resp.StatusCode, resp.Location())
		}
		if resp := b.Get("/"); resp.Text != "home of alice" {
			t.Errorf("%s", resp.Text)
		}
	})
	t.Run("an attacker's code with the browser's own state", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		cb, _ := attack(t, a)
		stolen, err := url.Parse(cb)
		if err != nil {
			t.Fatal(err)
		}
		b := a.Browser(t)
		own := b.CallbackURL("/login?return_to=%2Fdashboard")
		// RFC 9700 section 4.5: the provider refuses the verifier.
		resp := b.Get(apptest.Edited(t, own, func(q url.Values) { q.Set("code", stolen.Query().Get("code")) }))
		if resp.StatusCode != http.StatusBadRequest || b.SignedIn() {
			t.Errorf("%d to %q", resp.StatusCode, resp.Location())
		}
	})
	t.Run("a browser that is signed in", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		cb, _ := attack(t, a)
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get(cb); resp.StatusCode != http.StatusSeeOther || resp.Location() != "/" {
			t.Errorf("%d to %q", resp.StatusCode, resp.Location())
		}
		if resp := b.Get("/"); resp.Text != "home of alice" {
			t.Errorf("%s", resp.Text)
		}
		if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
	// CVE-2023-48309 of next-auth: a flow is no session.
	t.Run("a flow cookie in place of the session", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		_, flow := attack(t, a)
		b := a.Browser(t)
		for _, value := range flow {
			for _, forged := range []string{value, "1AAAAAA" + value} {
				b.SetCookie(apptest.SessionCookie, forged)
				if b.SignedIn() {
					t.Error("signed in by a flow cookie")
				}
			}
		}
	})
}

func TestSwappedFlowCookies(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	first := b.CallbackURL("/login?return_to=%2Fdashboard")
	second := b.CallbackURL("/login?return_to=%2Fapi%2Fme")
	flows := b.Cookies()
	names := b.CookieNames(apptest.FlowPrefix)
	if len(names) != 2 {
		t.Fatalf("flow cookies %v", names)
	}
	b.SetCookie(names[0], flows[names[1]])
	b.SetCookie(names[1], flows[names[0]])
	for _, cb := range []string{first, second} {
		a.RefusedAtOnce(b, b.Get(cb), http.StatusBadRequest)
	}
	for _, name := range names {
		b.SetCookie(name, flows[name])
	}
	if resp := b.Get(first); resp.Location() != "/dashboard" {
		t.Errorf("put right again: %d to %q", resp.StatusCode, resp.Location())
	}
}

// CVE-2026-33544 of tinyauth, CVE-2025-67490 of nextjs-auth0: logins at the
// same time do not mix.
func TestInterleavedLogins(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	users := []string{"alice", "bob", "carol"}
	browsers := map[string]*apptest.Browser{}
	callbacks := map[string]string{}
	for _, user := range users {
		browsers[user] = a.Browser(t)
		a.Provider.AutoApprove(user)
		callbacks[user] = browsers[user].CallbackURL("/login?return_to=%2F" + user)
	}
	for _, user := range []string{"bob", "carol", "alice"} {
		if resp := browsers[user].Get(callbacks[user]); resp.Location() != "/"+user {
			t.Errorf("%s: %d to %q", user, resp.StatusCode, resp.Location())
		}
	}
	for _, user := range users {
		if resp := browsers[user].Get("/"); resp.Text != "home of "+user {
			t.Errorf("%s: %s", user, resp.Text)
		}
	}
}

// oauth2-proxy's #611 and #3258, express-openid-connect's #43: every tab
// comes to its own page, in any order.
func TestManyTabs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		order []int // in which the tabs come back; the first five have lost their flow
	}{
		{"the last tab first", []int{16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"a tab in the middle first", []int{14, 0, 16, 1, 15, 2, 5, 3, 6, 4, 7, 8, 9, 10, 11, 12, 13}},
		{"a tab that is forgotten first", []int{0, 5, 1, 6, 2, 7, 3, 8, 4, 9, 10, 11, 12, 13, 14, 15, 16}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				var tabs []string
				for i := range 17 {
					tabs = append(tabs, b.CallbackURL(fmt.Sprintf("/login?return_to=%%2Ftab%%2F%d", i)))
					time.Sleep(time.Second)
				}
				signedIn := false
				for _, i := range test.order {
					resp := b.Get(tabs[i])
					switch {
					case i >= 5:
						signedIn = true
						if resp.Location() != fmt.Sprintf("/tab/%d", i) {
							t.Errorf("tab %d: %d to %q", i, resp.StatusCode, resp.Location())
						}
					case signedIn:
						if resp.Location() != "/" {
							t.Errorf("forgotten tab %d: %d to %q", i, resp.StatusCode, resp.Location())
						}
					default:
						if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || len(resp.Links()) != 1 {
							t.Errorf("forgotten tab %d, not signed in: %d to %q: %s", i, resp.StatusCode, resp.Location(), resp.Text)
						}
					}
				}
				if n := a.Provider.Count(oauthlogintest.Token); n != 12 {
					t.Errorf("%d token requests", n)
				}
				if names := b.CookieNames(apptest.FlowPrefix); len(names) > 0 {
					t.Errorf("left over: %v", names)
				}
			})
		})
	}
}

// oauth2-proxy's #1888: a stale callback of somebody who is signed in goes on.
// Without a session it never redirects, or a browser without cookies would go
// round for ever.
func TestStaleCallback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		edit     func(q url.Values)
		location string // when signed in
	}{
		{"a login that was completed", func(url.Values) {}, "/dashboard"},
		{"a login that was completed, now with an error", func(q url.Values) { q.Set("error", "access_denied") }, "/dashboard"},
		{"a login that nobody knows", func(q url.Values) { q.Set("state", "unknown") }, "/"},
		{"no login at all", func(q url.Values) { clear(q) }, "/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			b.Get(cb)
			stale := apptest.Edited(t, cb, test.edit)
			if resp := b.Get(stale); resp.StatusCode != http.StatusSeeOther || resp.Location() != test.location {
				t.Errorf("signed in: %d to %q", resp.StatusCode, resp.Location())
			}
			if !b.SignedIn() {
				t.Error("the stale callback signed out")
			}
			for name, b := range map[string]*apptest.Browser{"another browser": a.Browser(t), "signed out": b} {
				b.SetCookie(apptest.SessionCookie, "")
				resp := b.Get(stale)
				if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || b.SignedIn() {
					t.Errorf("%s: %d to %q", name, resp.StatusCode, resp.Location())
				}
			}
			if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
			b.Login("/dashboard")
		})
	}
}

// A browser that keeps no cookies is told so, and not sent round.
func TestNoCookiesNoLoop(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.BareBrowser(t)
	resp := b.Follow("/login?return_to=%2Fdashboard")
	if resp.StatusCode != http.StatusBadRequest || resp.Request.URL.Path != "/auth/callback" {
		t.Errorf("%d at %s", resp.StatusCode, resp.Request.URL)
	}
	if n := a.Provider.Count(oauthlogintest.Token); n != 0 || !strings.Contains(resp.Text, "cookies") {
		t.Errorf("%d token requests; %s", n, resp.Text)
	}
}
