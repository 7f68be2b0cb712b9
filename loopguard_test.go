package oauthlogin_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// followLosing follows redirects in a browser that loses the session cookie
// after each response, and returns the first page.
func followLosing(b *apptest.Browser, path string) *apptest.Response {
	b.T.Helper()
	for range 50 {
		resp := b.Get(path)
		b.SetCookie(apptest.SessionCookie, "")
		if resp.Location() == "" {
			return resp
		}
		target, err := resp.Request.URL.Parse(resp.Location())
		if err != nil {
			b.T.Fatal(err)
		}
		path = target.String()
	}
	b.T.Fatal("the redirects never end")
	return nil
}

// quarkusio/quarkus#30625, DuendeArchive/Support#376: a provider that asks no
// questions and a browser that loses the session would redirect forever.
func TestLoopEnds(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	for try, want := range []int{4, 3} { // it is known by then that the user has just signed in
		before := a.Provider.Count(oauthlogintest.Token)
		page := followLosing(b, "/dashboard")
		if page.StatusCode != http.StatusBadRequest || !strings.Contains(page.Text, "does not keep you signed in") {
			t.Fatalf("%d %s", page.StatusCode, page.Text)
		}
		if logins := a.Provider.Count(oauthlogintest.Token) - before; logins != want {
			t.Errorf("try %d: %d logins, want %d", try, logins, want)
		}
		links := page.Links()
		if len(links) != 1 || links[0] != "/login?return_to=%2Fdashboard" {
			t.Fatalf("links %q", links)
		}
	}
	if a.Called("/dashboard") > 0 || !strings.Contains(a.Log.String(), "cookies_lost") {
		t.Errorf("handler ran %d times\n%s", a.Called("/dashboard"), a.Log)
	}
	// Cookies are allowed now, and "Try again" is pressed.
	if resp := b.Follow("/login?return_to=%2Fdashboard"); resp.StatusCode != http.StatusOK || a.Called("/dashboard") != 1 {
		t.Errorf("try again: %d %s", resp.StatusCode, resp.Text)
	}
}

// A browser that keeps no cookies gets one page that says so, and no redirect.
func TestNoCookiesNoLoop(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.BareBrowser(t)
	resp := b.Follow("/dashboard")
	if resp.StatusCode != http.StatusBadRequest || resp.Request.URL.Path != "/auth/callback" || !strings.Contains(resp.Text, "may not accept cookies") {
		t.Errorf("%s: %d %s", resp.Request.URL.Path, resp.StatusCode, resp.Text)
	}
	if a.Provider.Count(oauthlogintest.Token) > 0 || a.Called("/dashboard") > 0 {
		t.Error("a login was completed")
	}
}

// What people do is not taken for a loop.
func TestNoLoop(t *testing.T) {
	t.Parallel()
	fiveTabs := func(b *apptest.Browser) (callbacks []string) {
		for range 5 {
			callbacks = append(callbacks, b.CallbackURL("/login?return_to=/dashboard"))
		}
		return callbacks
	}
	for _, tt := range []struct {
		name string
		do   func(a *apptest.App, b *apptest.Browser)
	}{
		{"five tabs, one after the other", func(a *apptest.App, b *apptest.Browser) {
			for _, callback := range fiveTabs(b) {
				a.Expect("a tab", b.Get(callback), http.StatusSeeOther, "/dashboard")
			}
		}},
		{"five tabs at once", func(a *apptest.App, b *apptest.Browser) {
			var wg sync.WaitGroup
			for _, callback := range fiveTabs(b) {
				wg.Go(func() { a.Expect("a tab", b.Get(callback), http.StatusSeeOther, "/dashboard") })
			}
			wg.Wait()
		}},
		{"signing out and in, again and again", func(_ *apptest.App, b *apptest.Browser) {
			for range 10 {
				b.Login("/dashboard")
				b.Post("/logout", nil)
			}
		}},
		{"signing in, again and again", func(_ *apptest.App, b *apptest.Browser) {
			for range 10 {
				b.Login("/dashboard")
			}
		}},
		{"one person after the other", func(a *apptest.App, b *apptest.Browser) {
			for _, name := range []string{"alice", "bob", "carol", "alice", "bob", "carol"} {
				a.Provider.AutoApprove(name)
				b.Login("/dashboard")
			}
			a.Provider.AutoApprove("alice")
		}},
		{"giving up, again and again", func(_ *apptest.App, b *apptest.Browser) {
			for range 10 {
				b.CallbackURL("/login?return_to=/dashboard")
			}
		}},
		{"a session that stays after all, and signing in again", func(_ *apptest.App, b *apptest.Browser) {
			for range 4 {
				b.SetCookie(apptest.SessionCookie, "")
				b.Login("/dashboard")
			}
			b.Login("/dashboard")
		}},
		{"losing a session once after many logins", func(_ *apptest.App, b *apptest.Browser) {
			for range 6 {
				b.Login("/dashboard")
			}
			b.SetCookie(apptest.SessionCookie, "")
			b.Login("/dashboard")
		}},
		{"a count that was not sealed here", func(_ *apptest.App, b *apptest.Browser) {
			b.SetCookie(apptest.SessionCookie+".rounds", "999")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			tt.do(a, b)
			b.Login("/dashboard")
			if strings.Contains(a.Log.String(), "cookies_lost") {
				t.Error("counted as a loop")
			}
		})
	}
}

// Neither are logins more than a minute apart, however often the session is lost.
func TestNoLoopOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		for range 10 {
			b.Get(b.CallbackURL("/login?return_to=/dashboard"))
			if b.Cookies()[apptest.SessionCookie] == "" {
				t.Fatal("no session")
			}
			b.SetCookie(apptest.SessionCookie, "")
			time.Sleep(61 * time.Second)
		}
		b.Login("/dashboard")
	})
}
