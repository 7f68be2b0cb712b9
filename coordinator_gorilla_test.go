package oauthlogin_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// Sessions in any gorilla store that instances share agree as those in cookies do.
func TestCoordinatorWithGorillaStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{}
		f := newFleet(t, 3, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := f.known(t, "alice")
		old := b.Cookies()
		for round := range 3 {
			time.Sleep(refreshDue)
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					if w := f.ask(i%3, old); w.Code != http.StatusOK {
						t.Errorf("round %d, instance %d: %d", round, i%3, w.Code)
					}
				})
			}
			wg.Wait()
			f.WantRefreshes(t, round+1)
		}
		// What the store has is old, and the Coordinator knows better.
		store.OnSave = func(*sessions.Session) error { return http.ErrHandlerTimeout }
		time.Sleep(refreshDue)
		for i := range f.instances {
			if w := f.ask(i, old); w.Code != http.StatusOK {
				t.Errorf("instance %d without the store: %d", i, w.Code)
			}
		}
		f.WantRefreshes(t, 4)
		store.OnSave = nil
		time.Sleep(refreshDue)
		if w := f.ask(1, old); w.Code != http.StatusOK {
			t.Errorf("after the store is back: %d", w.Code)
		}
		f.WantRefreshes(t, 5)
	})
}

// A session that one instance deletes from a store while another one saves it there is
// refused everywhere, and does not stay in the store.
func TestCoordinatorLogoutDuringGorillaSave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{}
		f := newFleet(t, 2, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := f.known(t, "alice")
		cookies := b.Cookies()
		time.Sleep(3 * time.Hour) // so that the next request saves the session
		var slow atomic.Bool
		store.OnSave = func(s *sessions.Session) error {
			if s.Options.MaxAge > 0 && slow.CompareAndSwap(false, true) {
				time.Sleep(2 * time.Second)
			}
			return nil
		}
		var wg sync.WaitGroup
		wg.Go(func() { f.ask(1, cookies) })
		time.Sleep(time.Second)
		f.at(0)
		b.LogOut("/")
		wg.Wait()
		synctest.Wait()
		if n := store.Len(); n > 0 {
			t.Errorf("%d sessions are in the store", n)
		}
		for i := range f.instances {
			if w := f.ask(i, cookies); w.Code != http.StatusUnauthorized {
				t.Errorf("instance %d: %d", i, w.Code)
			}
		}
	})
}

// A provider that refuses a refresh, and does not say that the grant has ended, ends a session
// with its access token: also while the instances pause.
func TestCoordinatorRefusalEndsWithToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.known(t, "alice")
		f.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"error":"access_denied"}`))
		})
		cookies := b.Cookies()
		time.Sleep(59*time.Minute + 50*time.Second)
		for _, next := range []time.Duration{3 * time.Second, 6 * time.Second, 2 * time.Second} {
			if w := f.ask(0, cookies); w.Code != http.StatusOK {
				t.Errorf("while the token lives: %d", w.Code)
			}
			time.Sleep(next)
		}
		// An hour after the login now, in the third pause, which takes eight seconds.
		if w := f.ask(0, cookies); w.Code != http.StatusUnauthorized {
			t.Errorf("at the instance that was refused: %d", w.Code)
		}
		synctest.Wait()
		if w := f.ask(1, cookies); w.Code != http.StatusUnauthorized {
			t.Errorf("at another instance: %d", w.Code)
		}
	})
}
