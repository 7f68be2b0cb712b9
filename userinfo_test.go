package oauthlogin_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// slowGroups has the groups of a user at user info alone, which takes its time.
func slowGroups(p *oauthlogintest.Provider, d time.Duration) {
	p.EditUserInfo(func(claims map[string]any) { inGroup(claims, "admin") })
	p.Intercept(oauthlogintest.UserInfo, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(w, r)
		time.Sleep(d)
	})
}

// A policy that reads user info loses no refresh token that is rotated meanwhile for the token
// of an API, whichever of both is first.
func TestPolicyReadsUserInfoDuringRotation(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string][2]time.Duration{ // of user info, and of the token endpoint
		"user info comes last": {3 * time.Second, time.Second},
		"the token comes last": {time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a, _ := withAPIs(t, with)
				slowGroups(a.Provider, wait[0])
				a.SlowTokens(wait[1])
				a.GuardBy(admins)
				b := a.Browser(t)
				b.Login("/dashboard")
				var both sync.WaitGroup
				page, script := b, b.Clone()
				both.Go(func() { wantGuarded(t, a, page, true) })
				both.Go(func() {
					if resp := script.Get("/orders"); resp.StatusCode != http.StatusOK {
						t.Errorf("%d %s", resp.StatusCode, resp.Text)
					}
				})
				both.Wait()
				time.Sleep(2 * time.Hour)
				for range 2 {
					wantGuarded(t, a, b, true)
				}
				a.WantRefreshes(t, 2)
			})
		})
	}
}

// The same at two instances, which know each other's tokens.
func TestCoordinatorPolicyReadsUserInfoDuringRotation(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string][2]time.Duration{
		"user info comes last": {3 * time.Second, time.Second},
		"the token comes last": {time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, _ := fleetWithAPIs(t, 2)
				defer f.close()
				slowGroups(f.Provider, wait[0])
				f.SlowTokens(wait[1])
				f.GuardBy(admins)
				b := f.known(t, "alice")
				cookies := b.Cookies()
				f.at(0)
				var both sync.WaitGroup
				both.Go(func() { wantGuarded(t, f.App, b, true) })
				both.Go(func() {
					if w := f.callAt(1, cookies, ordersAPI, oauthlogin.Resource{URL: ordersAPI}); w.Code != http.StatusOK {
						t.Errorf("%d %s", w.Code, w.Body)
					}
				})
				both.Wait()
				time.Sleep(2 * time.Hour)
				for i := range f.instances {
					f.at(i)
					wantGuarded(t, f.App, b, true)
				}
				f.WantRefreshes(t, 2)
			})
		})
	}
}

// While the Coordinator is away, no instance has its turn to read user info: it cannot be told
// whether the user is in the group. Once it is back, the user is.
func TestCoordinatorAwayForPolicyThatReadsUserInfo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		defer f.close()
		slowGroups(f.Provider, 0)
		f.GuardBy(admins)
		b := f.known(t, "alice")
		f.shared.SetDown(true)
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		if !b.SignedIn() {
			t.Error("signed out")
		}
		f.shared.SetDown(false)
		time.Sleep(10 * time.Second)
		for i := range f.instances {
			f.at(i)
			wantGuarded(t, f.App, b, true)
		}
		if n := f.Provider.Count(oauthlogintest.UserInfo); n != 1 {
			t.Errorf("read %d times", n)
		}
	})
}

// Claims of user info that make a session too large count for nothing. In cookies they would
// keep the tokens of every later refresh from the browser.
func TestPolicyReadsTooMuchUserInfo(t *testing.T) {
	t.Parallel()
	for name, padding := range map[string]string{"for cookies": apptest.Noise(30000), "for a login": strings.Repeat("a", 64900)} {
		apptest.InBubble(t, name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims["bio"] = strings.Repeat("b", 1000) })
			a.Provider.EditUserInfo(func(claims map[string]any) {
				inGroup(claims, "admin")
				claims["padding"] = padding
			})
			a.GuardBy(admins)
			b := a.Browser(t)
			b.Login("/dashboard")
			for range 3 {
				wantGuarded(t, a, b, false)
			}
			if log := a.Log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "too large") && !strings.Contains(log, "too much") {
				t.Errorf("log:\n%s", log)
			}
			time.Sleep(2 * time.Hour)
			if !b.SignedIn() {
				t.Error("signed out by a refresh")
			}
			a.Restart(t)
			if !b.SignedIn() {
				t.Error("signed out by a restart")
			}
			a.WantRefreshes(t, 1)
		})
	}
}

// A user is not denied what user info has not said yet: to a request that waits for it in vain,
// or whose client goes away.
func TestPolicyWaitsForUserInfo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.HTTPClient.Timeout = time.Minute }})
		slowGroups(a.Provider, 15*time.Second)
		a.GuardBy(admins)
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Events.Take()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a.Ask(ctx, b.Cookies(), "/guarded")
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		time.Sleep(10 * time.Second)
		wantGuarded(t, a, b, true)
		a.Events.Want(t)
		if n := a.Provider.Count(oauthlogintest.UserInfo); n != 1 {
			t.Errorf("read %d times", n)
		}
	})
}
