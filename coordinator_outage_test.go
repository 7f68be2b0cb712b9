package oauthlogin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// refreshDue is when the tokens of a login are due for a refresh, and the access token
// still lives.
const refreshDue = 59*time.Minute + 30*time.Second

// wantLater fails the test unless a page and a script are told to come back, and no cookie
// is set or cleared.
func (f *fleet) wantLater(b *apptest.Browser) {
	f.T.Helper()
	page := b.Get("/dashboard")
	if page.StatusCode != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" || len(page.Header["Set-Cookie"]) > 0 ||
		!strings.Contains(page.Header.Get("Content-Type"), "text/html") {
		f.T.Errorf("a page: %d %v", page.StatusCode, page.Header)
	}
	script := b.Get("/api/me", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty", "Accept", "*/*")
	if script.StatusCode != http.StatusServiceUnavailable || script.Header.Get("Retry-After") == "" || len(script.Header["Set-Cookie"]) > 0 ||
		strings.TrimSpace(script.Text) != `{"error":"unavailable"}` {
		f.T.Errorf("a script: %d %s", script.StatusCode, script.Text)
	}
	if public := b.Get("/"); public.StatusCode != http.StatusOK || public.Text != "home of nobody" {
		f.T.Errorf("a public page: %d", public.StatusCode)
	}
}

// While the Coordinator is away, a session in cookies is honored as long as its access
// token lives, and no longer.
func TestCoordinatorAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(c *countingCoordinator){
		"down":                     func(c *countingCoordinator) { c.SetDown(true) },
		"slow, and the watch ends": func(c *countingCoordinator) { c.SetDown(true); c.setDelay(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 2, apptest.Config{})
				b, heard := f.SignIn(t, "alice"), f.SignIn(t, "bob")
				f.at(1)
				for _, subject := range []string{"alice", "bob"} {
					map[string]*apptest.Browser{"alice": b, "bob": heard}[subject].WantUser("/api/me", subject)
				}
				synctest.Wait()
				f.at(0)
				old := heard.Clone()
				heard.LogOut("/")
				synctest.Wait()
				away(f.shared)
				synctest.Wait()
				f.at(1) // which has heard that bob's session has changed
				f.wantLater(old)
				f.at(0) // which has ended it
				old.WantUser("/api/me", "")
				for i := range f.instances {
					f.at(i)
					b.WantUser("/api/me", "alice")
				}
				time.Sleep(refreshDue)
				b.WantUser("/api/me", "alice") // as it cannot be refreshed now
				time.Sleep(time.Minute)
				for i := range f.instances {
					f.at(i)
					f.wantLater(b)
				}
				f.WantRefreshes(t, 0)
				f.shared.setDelay(0)
				f.shared.SetDown(false)
				time.Sleep(3 * time.Second)
				for i := range f.instances {
					f.at(i)
					b.WantUser("/api/me", "alice")
				}
				f.WantRefreshes(t, 1)
			})
		})
	}
}

// An access token without an expiry is good for a minute without the Coordinator.
func TestCoordinatorAwayWithoutExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, apptest.Config{})
		f.Provider.EditTokenResponse(func(resp map[string]any) { delete(resp, "expires_in") })
		b := f.SignIn(t, "alice")
		b.WantUser("/api/me", "alice")
		synctest.Wait()
		time.Sleep(time.Hour)
		f.shared.SetDown(true)
		synctest.Wait()
		time.Sleep(59 * time.Second)
		b.WantUser("/api/me", "alice")
		time.Sleep(2 * time.Second)
		f.wantLater(b)
		f.shared.SetDown(false)
		time.Sleep(3 * time.Second)
		b.WantUser("/api/me", "alice")
	})
}

// A slow Coordinator costs the first request a second, one in a while a moment, and sessions
// that are known nothing.
func TestCoordinatorSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, apptest.Config{})
		known, unknown := f.SignIn(t, "alice"), f.SignIn(t, "bob")
		known.WantUser("/api/me", "alice")
		time.Sleep(9 * time.Minute)
		known.WantUser("/api/me", "alice")
		f.shared.setDelay(time.Hour)
		start := time.Now()
		known.WantUser("/api/me", "alice")
		if took := time.Since(start); took > 0 {
			t.Errorf("a known session waits %v", took)
		}
		time.Sleep(5 * time.Minute)
		start = time.Now()
		for range 10 {
			unknown.WantUser("/api/me", "bob")
		}
		if took := time.Since(start); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("ten requests wait %v", took)
		}
		for range 20 {
			time.Sleep(200 * time.Millisecond)
			start = time.Now()
			unknown.WantUser("/api/me", "bob")
			if took := time.Since(start); took > 50*time.Millisecond {
				t.Errorf("a later request waits %v", took)
			}
		}
	})
}

// A login and a logout do what they can while the Coordinator is away.
func TestCoordinatorAwayAtLoginAndLogout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		f.shared.SetDown(true) // at the start
		b := f.SignIn(t, "alice")
		other := f.SignIn(t, "bob")
		for i := range f.instances {
			f.at(i)
			b.WantUser("/api/me", "alice")
		}
		old, elsewhere := b.Clone(), other.Clone()
		f.at(0)
		b.LogOut("/")
		if n := len(b.SessionCookies()); n > 0 {
			t.Errorf("%d cookies are left", n)
		}
		if err := f.Auth.SignOutUser(t.Context(), f.Provider.Issuer(), "bob"); err == nil {
			t.Error("no error, although other instances do not know")
		}
		old.WantUser("/api/me", "")
		f.at(1)
		old.WantUser("/api/me", "alice")
		elsewhere.WantUser("/api/me", "bob")
		f.shared.SetDown(false)
		time.Sleep(5 * time.Second)
		for i := range f.instances {
			f.at(i)
			old.WantUser("/api/me", "")
			elsewhere.WantUser("/api/me", "")
		}
	})
}

// A session that is known is served while calls fail and changes are still heard, until its
// access token has expired. Then public pages go on without it.
func TestCoordinatorHeardButAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, apptest.Config{})
		f.Routes = func(mux *http.ServeMux) {
			mux.Handle("/public", f.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, ok := oauthlogin.FromContext(r.Context())
				fmt.Fprint(w, ok && s.User.Subject == "alice")
			})))
		}
		b := f.known(t, "alice")
		time.Sleep(58 * time.Minute)
		b.WantUser("/api/me", "alice") // which looks again
		f.shared.setDelay(time.Hour)
		for _, tt := range []struct {
			after  time.Duration
			code   int
			public string
		}{{time.Minute, http.StatusOK, "true"}, {2 * time.Minute, http.StatusServiceUnavailable, "false"}} {
			time.Sleep(tt.after)
			if w := f.ask(0, b.Cookies()); w.Code != tt.code {
				t.Errorf("%v later: %d", tt.after, w.Code)
			}
			if public := b.Get("/public"); public.StatusCode != http.StatusOK || public.Text != tt.public {
				t.Errorf("%v later, a public page: %d %s", tt.after, public.StatusCode, public.Text)
			}
		}
	})
}

// A session of which it cannot be told whether it goes on ends all the same when its user
// signs out, and when another user signs in, as soon as the Coordinator is back.
func TestCoordinatorEndsWhatCannotBeTold(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *fleet, b *apptest.Browser){
		"logout":               func(_ *fleet, b *apptest.Browser) { b.LogOut("/") },
		"another user's login": func(f *fleet, b *apptest.Browser) { f.Provider.AutoApprove("bob"); b.Get(b.CallbackURL("/login")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 2, apptest.Config{})
				b := f.known(t, "alice")
				old := b.Clone()
				time.Sleep(2 * time.Hour)
				f.shared.SetDown(true)
				f.wantLater(b)
				end(f, b)
				time.Sleep(time.Second)
				f.shared.SetDown(false)
				time.Sleep(5 * time.Second)
				for i := range f.instances {
					f.at(i)
					old.WantUser("/api/me", "")
				}
				f.WantRefreshes(t, 0)
			})
		})
	}
}

// What has ended is told again when the Coordinator has lost everything.
func TestCoordinatorRestartsEmpty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b, other, third := f.SignIn(t, "alice"), f.SignIn(t, "bob"), f.SignIn(t, "carol")
		old := b.Clone()
		b.LogOut("/")
		f.Auth.SignOutUser(t.Context(), f.Provider.Issuer(), "bob")
		synctest.Wait()
		f.shared.SetDown(true)
		f.shared.Clear()
		f.shared.SetDown(false)
		time.Sleep(5 * time.Second)
		f.at(1)
		old.WantUser("/api/me", "")
		other.WantUser("/api/me", "")
		third.WantUser("/api/me", "carol")
		f.SignIn(t, "bob").WantUser("/api/me", "bob")
	})
}

// Sessions that the Coordinator holds cannot be told without it.
func TestNewStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 2)
		b, out := f.SignIn(t, "alice"), f.SignIn(t, "bob")
		b.WantUser("/api/me", "alice")
		old := out.Clone()
		f.shared.SetDown(true)
		synctest.Wait()
		for i := range f.instances {
			f.at(i)
			f.wantLater(b)
		}
		f.at(0)
		late := f.Browser(t)
		if resp := late.Get(late.CallbackURL("/login")); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || len(late.SessionCookies()) > 0 {
			t.Errorf("a login: %d %v", resp.StatusCode, resp.Header)
		}
		out.LogOut("/")
		if n := len(out.SessionCookies()); n > 0 {
			t.Errorf("%d cookies are left", n)
		}
		f.wantLater(old)
		f.shared.SetDown(false)
		time.Sleep(5 * time.Second)
		for i := range f.instances {
			f.at(i)
			b.WantUser("/api/me", "alice")
			old.WantUser("/api/me", "")
		}
	})
}

// newStoreFleet is newFleet with sessions in the Coordinator.
func newStoreFleet(t *testing.T, n int) *fleet {
	t.Helper()
	return newFleet(t, n, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.Store = oauthlogin.NewStore(opts.Coordinator)
	}})
}

// A session that the instance knows goes no further than its access token while calls to the
// Coordinator fail, although it is told of changes.
func TestCoordinatorFailsAtRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, apptest.Config{})
		f.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 300 })
		b := f.SignIn(t, "alice")
		b.WantUser("/api/me", "alice")
		synctest.Wait()
		f.shared.setDelay(time.Hour)
		time.Sleep(4*time.Minute + 30*time.Second)
		b.WantUser("/api/me", "alice") // as it cannot be refreshed now
		time.Sleep(time.Minute)
		if page := b.Get("/dashboard"); page.StatusCode != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" || len(page.Header["Set-Cookie"]) > 0 {
			t.Errorf("a page: %d %v", page.StatusCode, page.Header)
		}
		f.WantRefreshes(t, 0)
		f.shared.setDelay(0)
		time.Sleep(time.Minute)
		b.WantUser("/api/me", "alice")
		f.WantRefreshes(t, 1)
	})
}

// Of sign-outs everywhere at two instances, while the Coordinator is unreachable, no session
// that began between them survives, whichever instance writes last.
func TestSignOutsAtTwoInstancesDuringAnOutage(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{0, 400 * time.Millisecond, 900 * time.Millisecond, 1700 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 2, apptest.Config{})
			f.SignIn(t, "bob")
			synctest.Wait()
			f.shared.SetDown(true)
			signOut := func(i int) {
				if err := f.instances[i].SignOutUser(t.Context(), f.Provider.Issuer(), "alice"); err == nil {
					t.Error("the Coordinator has taken it")
				}
			}
			signOut(0)
			f.at(0)
			b := f.SignIn(t, "alice")
			b.WantUser("/api/me", "alice")
			time.Sleep(wait)
			signOut(1)
			f.shared.SetDown(false)
			time.Sleep(10 * time.Second)
			for i := range f.instances {
				f.at(i)
				b.WantUser("/api/me", "")
				f.SignIn(t, "alice").WantUser("/api/me", "alice")
			}
		})
	}
}
