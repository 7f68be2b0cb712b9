package oauthlogin_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// followLosing follows redirects in a browser that loses the session cookie
// after each answer, and returns the first page.
func (b *browser) followLosing(path string) *response {
	b.t.Helper()
	for range 50 {
		resp := b.get(path)
		for _, name := range b.cookieNames(sessionCookie) {
			if name == sessionCookie {
				b.setCookie(name, "")
			}
		}
		if resp.location() == "" {
			return resp
		}
		target, err := resp.Request.URL.Parse(resp.location())
		if err != nil {
			b.t.Fatal(err)
		}
		path = target.String()
	}
	b.t.Fatal("goes round for ever")
	return nil
}

// quarkusio/quarkus#30625, DuendeArchive/Support#376: a provider that asks no
// questions and a browser that loses the session go round for ever.
func TestLoopEnds(t *testing.T) {
	t.Parallel()
	a := newOfflineApp(t, offline{})
	b := a.browser(t)
	for try, want := range []int{4, 3} { // it is known by then that the user has just signed in
		before := a.provider.Count(oauthlogintest.Token)
		page := b.followLosing("/dashboard")
		if page.StatusCode != http.StatusBadRequest || !strings.Contains(page.body, "does not keep you signed in") {
			t.Fatalf("%d %s", page.StatusCode, page.body)
		}
		if logins := a.provider.Count(oauthlogintest.Token) - before; logins != want {
			t.Errorf("try %d: %d logins, want %d", try, logins, want)
		}
		links := page.links()
		if len(links) != 1 || links[0] != "/login?return_to=%2Fdashboard" {
			t.Fatalf("links %q", links)
		}
	}
	if a.called("/dashboard") > 0 || !strings.Contains(a.log.String(), "cookies_lost") {
		t.Errorf("handler ran %d times\n%s", a.called("/dashboard"), a.log)
	}
	// Cookies are allowed now, and "Try again" is pressed.
	if resp := b.follow("/login?return_to=%2Fdashboard"); resp.StatusCode != http.StatusOK || a.called("/dashboard") != 1 {
		t.Errorf("try again: %d %s", resp.StatusCode, resp.body)
	}
}

// A browser that keeps no cookie at all gets one page and no redirect.
func TestBrowserWithoutCookies(t *testing.T) {
	t.Parallel()
	a := newOfflineApp(t, offline{})
	b := a.bare(t)
	resp := b.follow("/dashboard")
	if resp.StatusCode != http.StatusBadRequest || resp.Request.URL.Path != "/auth/callback" || !strings.Contains(resp.body, "may not accept cookies") {
		t.Errorf("%s: %d %s", resp.Request.URL.Path, resp.StatusCode, resp.body)
	}
	if a.provider.Count(oauthlogintest.Token) > 0 || a.called("/dashboard") > 0 {
		t.Error("somebody signed in")
	}
}

// What people do is no loop.
func TestNoLoop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, a *app, b *browser)
	}{
		{"five tabs, one after the other", func(t *testing.T, _ *app, b *browser) {
			var callbacks []string
			for range 5 {
				callbacks = append(callbacks, b.callbackURL("/login?return_to=/dashboard"))
			}
			for _, callback := range callbacks {
				if resp := b.get(callback); resp.location() != "/dashboard" {
					t.Errorf("%d to %q", resp.StatusCode, resp.location())
				}
			}
		}},
		{"five tabs at once", func(t *testing.T, a *app, b *browser) {
			var callbacks []string
			for range 5 {
				callbacks = append(callbacks, b.callbackURL("/login?return_to=/dashboard"))
			}
			var wg sync.WaitGroup
			for _, callback := range callbacks {
				wg.Go(func() {
					if resp := b.get(callback); resp.location() != "/dashboard" {
						t.Errorf("%d to %q", resp.StatusCode, resp.location())
					}
				})
			}
			wg.Wait()
		}},
		{"signing out and in, again and again", func(t *testing.T, _ *app, b *browser) {
			for range 10 {
				b.login("/dashboard")
				b.post("/logout", nil)
			}
		}},
		{"signing in, again and again", func(t *testing.T, _ *app, b *browser) {
			for range 10 {
				b.login("/dashboard")
			}
		}},
		{"one person after the other", func(t *testing.T, a *app, b *browser) {
			for _, name := range []string{"alice", "bob", "carol", "alice", "bob", "carol"} {
				a.provider.AutoApprove(name)
				b.login("/dashboard")
			}
			a.provider.AutoApprove("alice")
		}},
		{"giving up, again and again", func(t *testing.T, _ *app, b *browser) {
			for range 10 {
				b.callbackURL("/login?return_to=/dashboard")
			}
		}},
		{"a session that stays after all, and signing in again", func(t *testing.T, _ *app, b *browser) {
			for range 4 {
				b.setCookie(sessionCookie, "")
				b.login("/dashboard")
			}
			b.login("/dashboard")
		}},
		{"losing a session once after many logins", func(t *testing.T, _ *app, b *browser) {
			for range 6 {
				b.login("/dashboard")
			}
			b.setCookie(sessionCookie, "")
			b.login("/dashboard")
		}},
		{"rounds that are not ours", func(t *testing.T, _ *app, b *browser) {
			b.setCookie(sessionCookie+".rounds", "999")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newOfflineApp(t, offline{})
			b := a.browser(t)
			tt.do(t, a, b)
			b.login("/dashboard")
			if strings.Contains(a.log.String(), "cookies_lost") {
				t.Error("counted as a loop")
			}
		})
	}
}

// Logins that take their time are no loop either.
func TestNoLoopOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newOfflineApp(t, offline{})
		b := a.browser(t)
		for range 10 {
			b.get(b.callbackURL("/login?return_to=/dashboard"))
			names := b.cookieNames(sessionCookie)
			if !slices.Contains(names, sessionCookie) {
				t.Fatal("no session")
			}
			b.setCookie(sessionCookie, "")
			time.Sleep(61 * time.Second)
		}
		b.login("/dashboard")
	})
}
