package oauthlogin_test

import (
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

// known signs a user in, in a browser whose session all instances know.
func (f *fleet) known(t *testing.T, subject string) *apptest.Browser {
	t.Helper()
	b := f.SignIn(t, subject)
	for range 2 { // the first request of an instance may come before it hears of changes
		for i := range f.instances {
			f.at(i)
			b.WantUser("/api/me", subject)
		}
		synctest.Wait()
	}
	f.at(0)
	return b
}

// A provider that takes longer than any lease is asked once. Requests wait for eight
// seconds, and go on with the token that still lives.
func TestCoordinatorSlowProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.known(t, "alice")
		f.SlowTokens(40 * time.Second)
		time.Sleep(59*time.Minute + 5*time.Second)
		cookies := b.Cookies()
		var wg sync.WaitGroup
		for i := range f.instances {
			wg.Go(func() {
				start := time.Now()
				w := f.ask(i, cookies)
				if took := time.Since(start); w.Code != http.StatusOK || took < 8*time.Second || took > 9*time.Second {
					t.Errorf("instance %d: %d after %v", i, w.Code, took)
				}
			})
		}
		wg.Wait()
		time.Sleep(40 * time.Second)
		for i := range f.instances {
			if w := f.ask(i, cookies); w.Code != http.StatusOK {
				t.Errorf("instance %d: %d", i, w.Code)
			}
		}
		f.WantRefreshes(t, 1)
	})
}

// A refreshed token that the Coordinator does not take lives in the memory of the instance
// that has it, and is told when the Coordinator is back.
func TestCoordinatorAwayAfterTheRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.known(t, "alice")
		time.Sleep(refreshDue)
		cookies := b.Cookies() // whose response gets lost
		f.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			f.shared.SetDown(true)
			next(w, r)
		})
		if w := f.ask(0, cookies); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
		time.Sleep(time.Minute)
		if w := f.ask(0, cookies); w.Code != http.StatusOK {
			t.Errorf("at the instance that has refreshed: %d", w.Code)
		}
		if w := f.ask(1, cookies); w.Code != http.StatusServiceUnavailable {
			t.Errorf("at another one: %d", w.Code)
		}
		f.shared.SetDown(false)
		time.Sleep(3 * time.Second)
		for i := range f.instances {
			if w := f.ask(i, cookies); w.Code != http.StatusOK {
				t.Errorf("instance %d: %d", i, w.Code)
			}
		}
		f.WantRefreshes(t, 1)
	})
}

// A session that ends at one instance while another one refreshes it stays ended, and the
// token that comes too late is revoked.
func TestCoordinatorEndDuringRefresh(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *fleet, b *apptest.Browser){
		"logout": func(_ *fleet, b *apptest.Browser) { b.LogOut("/") },
		"everywhere": func(f *fleet, _ *apptest.Browser) {
			f.Auth.SignOutUser(f.T.Context(), f.Provider.Issuer(), "alice")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 2, apptest.Config{})
				b := f.known(t, "alice")
				time.Sleep(refreshDue)
				f.SlowTokens(4 * time.Second)
				cookies := b.Cookies()
				var wg sync.WaitGroup
				wg.Go(func() {
					if w := f.ask(0, cookies); w.Code != http.StatusUnauthorized {
						t.Errorf("the request under way: %d", w.Code)
					}
				})
				time.Sleep(time.Second)
				f.at(1)
				end(f, b)
				wg.Wait()
				synctest.Wait()
				for i := range f.instances {
					if w := f.ask(i, cookies); w.Code != http.StatusUnauthorized {
						t.Errorf("instance %d: %d", i, w.Code)
					}
				}
				issued := f.Issued()
				last := issued[len(issued)-1]
				if !f.revoked(last) {
					t.Error("the late token is not revoked")
				}
			})
		})
	}
}

func (f *fleet) revoked(token string) bool {
	for _, r := range f.Provider.Requests(oauthlogintest.Revocation) {
		if r.Form.Get("token") == token {
			return true
		}
	}
	return false
}

// A provider that fails is asked by one instance at a time, and ever less often.
func TestCoordinatorSharedBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, apptest.Config{})
		b := f.known(t, "alice")
		time.Sleep(59*time.Minute + 5*time.Second)
		f.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { w.WriteHeader(http.StatusBadGateway) })
		cookies := b.Cookies()
		for range 30 { // one a second at each instance
			for i := range f.instances {
				if w := f.ask(i, cookies); w.Code != http.StatusOK {
					t.Errorf("instance %d: %d", i, w.Code)
				}
			}
			time.Sleep(time.Second)
		}
		// At 0, 2, 6 and 14 seconds, or a second later each.
		if n := len(f.Refreshes(t)); n < 3 || n > 5 {
			t.Errorf("%d refreshes in 30 seconds", n)
		}
		f.RespondToRefreshes(nil)
		time.Sleep(time.Minute)
		b.WantUser("/api/me", "alice")
	})
}

// An instance that was held up longer than its lock lasts sends nothing.
func TestCoordinatorHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.known(t, "alice")
		time.Sleep(refreshDue)
		cookies := b.Cookies()
		// The lock is taken, and the next response to a look takes longer than half a lease.
		f.shared.holdUp(6 * time.Second)
		if w := f.ask(0, cookies); w.Code != http.StatusOK {
			t.Errorf("%d", w.Code)
		}
		f.WantRefreshes(t, 0)
		time.Sleep(20 * time.Second)
		if w := f.ask(1, cookies); w.Code != http.StatusOK {
			t.Errorf("%d", w.Code)
		}
		f.WantRefreshes(t, 1)
	})
}

// A callback that comes to several instances at once sends its code once, and one that
// comes late leads on.
func TestCoordinatorCallbackOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, apptest.Config{})
		b := f.Browser(t)
		callback := b.CallbackURL("/login?return_to=%2Fdashboard%3Fa%3Db")
		cookies := b.Cookies()
		codes := make([]int, 3)
		var wg sync.WaitGroup
		for i, instance := range f.instances {
			wg.Go(func() {
				r := f.request(callback, cookies)
				codes[i] = f.record(instance.Handler(http.NotFoundHandler()), r).Code
			})
		}
		wg.Wait()
		signedIn := 0
		for _, code := range codes {
			if code == http.StatusSeeOther {
				signedIn++
			}
		}
		exchanges := 0
		for _, r := range f.Provider.Requests(oauthlogintest.Token) {
			if r.Form.Get("grant_type") == "authorization_code" {
				exchanges++
			}
		}
		if signedIn != 1 || exchanges != 1 {
			t.Errorf("responses %v, %d exchanges", codes, exchanges)
		}
		// Another browser session, whose callback comes again elsewhere.
		b.Get(b.CallbackURL("/login?return_to=%2Fdashboard%3Fa%3Db"))
		callback = b.CallbackURL("/login?return_to=%2Fdashboard%3Fc%3Dd")
		f.at(1)
		b.Get(callback)
		f.at(2)
		resp := b.Get(callback)
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != "/dashboard?c=d" {
			t.Errorf("a late callback: %d %s", resp.StatusCode, got)
		}
	})
}

// Close lets a refresh end and be told, and returns when it takes too long.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.known(t, "alice")
		time.Sleep(refreshDue)
		cookies := b.Cookies()
		f.SlowTokens(2 * time.Second)
		go f.ask(0, cookies)
		time.Sleep(time.Second)
		start := time.Now()
		if err := f.instances[0].Close(); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if w := f.ask(1, cookies); w.Code != http.StatusOK {
			t.Errorf("the other instance: %d", w.Code)
		}
		f.WantRefreshes(t, 1)

		time.Sleep(time.Hour)
		f.SlowTokens(20 * time.Second)
		go f.ask(1, cookies)
		time.Sleep(time.Second)
		start = time.Now()
		if err := f.instances[1].Close(); err == nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := f.instances[1].Close(); err == nil {
			t.Log("closed again")
		}
		time.Sleep(time.Minute)
	})
	var zero oauthlogin.Middleware
	if zero.Close() == nil {
		t.Error("the zero Middleware is closed without an error")
	}
	if err := apptest.NewAuth(t, apptest.ValidOptions()).Close(); err != nil {
		t.Errorf("without a Coordinator: %v", err)
	}
}

// The Coordinator sees hashes and sealed values alone.
func TestCoordinatorSeesNoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, open := range []func(*testing.T, int) *fleet{newStoreFleet, func(t *testing.T, n int) *fleet { return newFleet(t, n, apptest.Config{}) }} {
			f := open(t, 2)
			b := f.known(t, "alice")
			time.Sleep(refreshDue)
			b.WantUser("/api/me", "alice")
			b.WantUser("/api/me", "alice")
			cookies := b.Cookies()
			f.Auth.SignOutUser(t.Context(), f.Provider.Issuer(), "alice")
			b.LogOut("/")
			seen := f.shared.seen()
			secrets := append(f.Secrets(), "alice", "Archer", "example.com", "refresh_token")
			for _, cookie := range cookies {
				secrets = append(secrets, cookie)
			}
			for _, secret := range secrets {
				if len(secret) > 3 && strings.Contains(seen, secret) {
					t.Errorf("the Coordinator sees %q", secret)
				}
			}
			if len(seen) < 1000 {
				t.Errorf("%d bytes were seen", len(seen))
			}
			f.close()
		}
	})
}

// Instances go on together while their keys are being rotated.
func TestCoordinatorKeyRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, apptest.Config{})
		shared := f.shared
		for _, keys := range [][][]byte{{apptest.Key(1), apptest.Key(9)}, {apptest.Key(9), apptest.Key(1)}} {
			f.instances = append(f.instances, f.Replica(t, func(opts *oauthlogin.Options) {
				opts.Coordinator, opts.Keys = shared, keys
			}))
		}
		for from := range f.instances[1:] {
			f.at(from + 1)
			b := f.SignIn(t, "alice")
			time.Sleep(refreshDue)
			cookies := b.Cookies()
			b.WantUser("/api/me", "alice")
			if w := f.ask(2-from, cookies); w.Code != http.StatusOK {
				t.Errorf("old cookie at another instance: %d", w.Code)
			}
			synctest.Wait()
		}
		f.WantRefreshes(t, 2)
	})
}

// A panic of the application's HTTP client gives the lock back: other instances go on.
func TestCoordinatorPanicInRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		panics := false
		f := newFleet(t, 2, apptest.Config{Change: func(opts *oauthlogin.Options) {
			next := opts.HTTPClient.Transport
			opts.HTTPClient = &http.Client{Transport: apptest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if panics && r.Method == http.MethodPost {
					panic("the disco")
				}
				return next.RoundTrip(r)
			})}
		}})
		b := f.known(t, "alice")
		time.Sleep(59*time.Minute + 5*time.Second)
		cookies := b.Cookies()
		panics = true
		if w := f.ask(0, cookies); w.Code != http.StatusOK {
			t.Errorf("a refresh that panics: %d", w.Code)
		}
		panics = false
		time.Sleep(15 * time.Second)
		start := time.Now()
		if w := f.ask(1, cookies); w.Code != http.StatusOK || time.Since(start) > 0 {
			t.Errorf("the other instance: %d after %v", w.Code, time.Since(start))
		}
		f.WantRefreshes(t, 1)
	})
}
