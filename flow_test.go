package oauthlogin_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestFlowCookie(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, origin, prefix string }{
		{"over https", "https://app.test", "__Host-oauthlogin.flow."},
		{"over http on loopback", "http://localhost:3000", "oauthlogin.flow."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Origin: test.origin})
			resp, params := a.Browser(t).StartLogin("/login?return_to=%2Fdashboard%2Fprivate")
			cookies := resp.Cookies()
			if len(cookies) != 1 {
				t.Fatalf("cookies %v", cookies)
			}
			c := cookies[0]
			if !strings.HasPrefix(c.Name, test.prefix) || c.MaxAge != 3600 || c.Path != "/" || c.Domain != "" || !c.HttpOnly ||
				c.SameSite != http.SameSiteLaxMode || c.Secure != strings.HasPrefix(test.origin, "https") {
				t.Errorf("cookie %v", c)
			}
			// Sealed, not just signed: nothing in it can be read.
			decoded, _ := base64.URLEncoding.DecodeString(c.Value)
			for _, text := range []string{c.Name, c.Value, string(decoded)} {
				for _, secret := range []string{params.Get("state"), params.Get("nonce"), "dashboard"} {
					if strings.Contains(text, secret) {
						t.Errorf("cookie shows %q", secret)
					}
				}
			}
		})
	}
}

// mod_auth_openidc's #331, nextjs-auth0's #1917: cookies of abandoned logins must
// not pile up until servers respond with 431.
func TestAtMostTwelveFlowCookies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		pause time.Duration // between logins
		path  string
		keeps int
	}{
		{"logins a second apart", time.Second, "/dashboard", 12},
		{"logins all at once", 0, "/dashboard", 12},
		{"logins with long return paths", time.Second, "/dashboard?q=" + apptest.Incompressible(1500), 1},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			b.SetCookie(apptest.FlowPrefix+"AAAAAAAAAAAAAAAA", "garbage")
			var pending []string // locations, the oldest first
			for i := range 20 {
				resp, _ := b.StartLogin("/login?return_to=" + url.QueryEscape(fmt.Sprintf("%s#%d", test.path, i)))
				pending = append(pending, resp.Location())
				names, size := b.CookieNames(apptest.FlowPrefix), 0
				for name, value := range b.Cookies() {
					size += len(name) + len(value)
				}
				if len(names) > 12 || size > 8000 || len(names) < min(i+1, test.keeps) {
					t.Fatalf("%d flow cookies with %d bytes after %d logins", len(names), size, i+1)
				}
				if slices.Contains(names, apptest.FlowPrefix+"AAAAAAAAAAAAAAAA") {
					t.Fatal("a cookie that does not open was kept")
				}
				time.Sleep(test.pause)
			}
			kept := len(b.CookieNames(apptest.FlowPrefix))
			for i, location := range pending {
				resp := b.Get(b.CallbackURL(location))
				if want := i >= len(pending)-kept; (resp.StatusCode == http.StatusSeeOther) != want {
					t.Errorf("login %d of %d: %d; want it kept: %t", i+1, len(pending), resp.StatusCode, want)
				} else if want && resp.Location() != fmt.Sprintf("%s#%d", test.path, i) {
					t.Errorf("login %d of %d led to %q", i+1, len(pending), resp.Location())
				}
			}
		})
	}
}

// Links on another site begin logins. All cookies together stay below what proxies
// take, and the session stays.
func TestBudgetOfAllCookies(t *testing.T) {
	t.Parallel()
	for _, session := range []int{0, 2000, 4500, 9000} {
		a := apptest.New(t, apptest.Config{})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = "r" + apptest.Incompressible(session*3/4/2) })
		b := a.Browser(t)
		b.Login("/dashboard")
		for i := range 20 {
			path := "/page?q=" + strings.Repeat("x", 10*i)
			if i == 10 {
				path = "/page?q=" + apptest.Incompressible(1700) // a cookie of over 3 KB
			}
			b.StartLogin("/login?return_to=" + url.QueryEscape(path))
			size := 0
			for name, value := range b.Cookies() {
				size += len(name) + len("=") + len(value) + len("; ")
			}
			if size > 8000 {
				t.Fatalf("session of %d: %d bytes of cookies", session, size)
			}
			if i > 0 && i < 10 && len(b.CookieNames(apptest.FlowPrefix)) < 2 {
				t.Fatalf("session of %d: %d pending logins", session, len(b.CookieNames(apptest.FlowPrefix)))
			}
		}
		if !b.SignedIn() {
			t.Errorf("session of %d: signed out", session)
		}
	}
}

// oauth2-proxy's #1888: browsers repeat a callback. At the same time or one after
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
		cookies := b.Cookies()
		for range 8 {
			wg.Go(func() {
				w := a.Ask(t.Context(), cookies, cb)
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
		a.Expect("signed in", b.Get(cb), http.StatusSeeOther, "/dashboard")
		b.SetCookie(apptest.SessionCookie, "")
		for name, value := range flow {
			b.SetCookie(name, value)
		}
		if a.Expect("signed out", b.Get(cb), http.StatusBadRequest, ""); b.SignedIn() {
			t.Error("signed in by a code that was used")
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
		apptest.InBubble(t, test.name, func(t *testing.T) {
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
			a.Expect("callback", resp, test.status, test.location)
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
			path := apptest.QueryOf(test.link).Get("return_to")
			if resp := b.Follow(test.link); resp.Request.URL.Path != path || !b.SignedIn() {
				t.Errorf("the link leads to %s", resp.Request.URL)
			}
		})
	}
}

// oauth2-proxy's #611 and #3258, express-openid-connect's #43: every tab gets to
// its own page, in any order.
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
		apptest.InBubble(t, test.name, func(t *testing.T) {
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
	}
}

// A browser restores its tabs: all of them ask for a login before the first one comes
// back, with or without the cookies of the others.
func TestTwelveTabsWakeTogether(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		callbacks := make([]string, 12)
		for i := range callbacks {
			starts := b
			if together {
				starts = a.Browser(t) // what the others were told has not arrived
			}
			callbacks[i] = starts.CallbackURL(fmt.Sprintf("/login?return_to=%%2Ftab%%2F%d", i))
			for name, value := range starts.Cookies() {
				b.SetCookie(name, value)
			}
		}
		if n := len(b.CookieNames(apptest.FlowPrefix)); n != 12 {
			t.Errorf("together %v: %d logins pending", together, n)
		}
		var wg sync.WaitGroup
		for i, callback := range callbacks {
			wg.Go(func() {
				if resp := b.Get(callback); resp.Location() != fmt.Sprintf("/tab/%d", i) {
					t.Errorf("together %v: tab %d: %d to %q", together, i, resp.StatusCode, resp.Location())
				}
			})
		}
		wg.Wait()
		if n := a.Provider.Count(oauthlogintest.Token); n != 12 || !b.SignedIn() || len(b.CookieNames(apptest.FlowPrefix)) > 0 {
			t.Errorf("together %v: %d token requests, signed in %v, left over %v", together, n, b.SignedIn(), b.CookieNames(apptest.FlowPrefix))
		}
	}
}

// oauth2-proxy's #1888: a stale callback leads on if the user is signed in.
// Without a session it never redirects, or a browser without cookies would be
// redirected forever.
func TestStaleCallback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		edit     func(q url.Values)
		location string // when signed in
	}{
		{"a login that was completed", func(url.Values) {}, "/dashboard"},
		{"a login that was completed, now with an error", func(q url.Values) { q.Set("error", "access_denied") }, "/dashboard"},
		{"an unknown login", func(q url.Values) { q.Set("state", "unknown") }, "/"},
		{"no login at all", func(q url.Values) { clear(q) }, "/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			b.Get(cb)
			stale := apptest.Edited(t, cb, test.edit)
			if a.Expect("signed in", b.Get(stale), http.StatusSeeOther, test.location); !b.SignedIn() {
				t.Error("the stale callback signed out")
			}
			for name, b := range map[string]*apptest.Browser{"another browser": a.Browser(t), "signed out": b} {
				b.SetCookie(apptest.SessionCookie, "")
				if a.Expect(name, b.Get(stale), http.StatusBadRequest, ""); b.SignedIn() {
					t.Errorf("%s: signed in", name)
				}
			}
			if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
			b.Login("/dashboard")
		})
	}
}
