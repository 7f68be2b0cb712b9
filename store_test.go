package oauthlogin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Sessions of NewStore live in the Coordinator: the browser has an id, which every login
// changes.
func TestNewStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{
			Provider: oauthlogintest.Config{Users: []oauthlogintest.User{{
				Subject: "alice", Claims: map[string]any{"address": strings.Repeat("12 Long Street, ", 800)}, // too large for cookies
			}}},
			Change: func(opts *oauthlogin.Options) { opts.Store = oauthlogin.NewStore(opts.Coordinator) },
		})
		b := f.known(t, "alice")
		cookies := b.SessionCookies()
		first := cookies[apptest.SessionCookie]
		if len(cookies) != 1 || len(first) != 43 {
			t.Fatalf("cookies %v", cookies)
		}
		step := func(what string, want int, do func()) {
			t.Helper()
			synctest.Wait()
			f.shared.taken()
			do()
			synctest.Wait()
			if got := f.shared.taken(); got != want {
				t.Errorf("%s: %d round trips, want %d", what, got, want)
			}
		}
		// Marks, the state, the session; and reading it where the login leads.
		step("login", 1+1+1+1, func() { f.Browser(t).Login("/api/me") })
		step("warm request", 1, func() { b.WantUser("/api/me", "alice") })
		time.Sleep(refreshDue)
		// Reading, a look, the refresh, saving it at once, and again with the new Max-Age.
		step("rotation", 1+1+4+2+2, func() { b.WantUser("/api/me", "alice") })
		f.at(1)
		b.WantUser("/api/me", "alice")
		f.WantRefreshes(t, 1)
		if b.SessionCookies()[apptest.SessionCookie] != first {
			t.Error("a refresh changes the id")
		}
		old := b.Clone()
		b.Get(b.CallbackURL("/login"))
		if b.SessionCookies()[apptest.SessionCookie] == first {
			t.Error("a login keeps the id")
		}
		old.WantUser("/api/me", "")
		b.WantUser("/api/me", "alice")
		old = b.Clone()
		step("logout", 1+2+2+2, func() { b.LogOut("/") }) // of the second session in this browser, whose lineage ends too
		old.WantUser("/api/me", "")
		time.Sleep(25 * time.Hour)
		if left := f.shared.holds("stored:"); left != 0 {
			t.Errorf("%d sessions are left", left)
		}
	})
}

// A session that is used goes on, and one that is not ends.
func TestNewStoreLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 1)
		used, unused := f.SignIn(t, "alice"), f.SignIn(t, "bob")
		used.KeepForever()
		unused.KeepForever()
		for range 30 {
			time.Sleep(time.Hour)
			used.WantUser("/api/me", "alice")
		}
		unused.WantUser("/api/me", "")
		time.Sleep(7 * 24 * time.Hour)
		used.WantUser("/api/me", "")
	})
}

// A value that somebody moves to another key in the engine opens for nobody.
func TestNewStoreMovedValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 1)
		alice, mallory := f.SignIn(t, "alice"), f.SignIn(t, "mallory")
		alice.WantUser("/api/me", "alice")
		keys := f.shared.stored()
		if len(keys) != 2 {
			t.Fatalf("%d sessions are stored", len(keys))
		}
		f.shared.move(keys[0], keys[1])
		if got := alice.UserAt("/api/me") + mallory.UserAt("/api/me"); got != "alice" && got != "mallory" {
			t.Errorf("signed in as %q", got)
		}
	})
}

// A session that a logout deletes while a request saves it stays deleted.
func TestNewStoreLogoutDuringSave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 2)
		b := f.known(t, "alice")
		f.at(0)
		time.Sleep(refreshDue)
		f.SlowTokens(3 * time.Second)
		cookies := b.Cookies()
		var wg sync.WaitGroup
		wg.Go(func() { f.ask(0, cookies) })
		time.Sleep(time.Second)
		f.at(1)
		b.LogOut("/")
		wg.Wait()
		if left := f.shared.holds("stored:"); left != 0 {
			t.Errorf("%d sessions are stored", left)
		}
		for i := range f.instances {
			if w := f.ask(i, cookies); w.Code != http.StatusUnauthorized {
				t.Errorf("instance %d: %d", i, w.Code)
			}
		}
	})
}

// A session that goes without a word while its tokens are refreshed does not come back.
func TestNewStoreGoneDuringSave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 1)
		b := f.known(t, "alice")
		time.Sleep(refreshDue)
		f.SlowTokens(3 * time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { f.ask(0, b.Cookies()) })
		time.Sleep(time.Second)
		f.shared.drop(t, "stored:")
		wg.Wait()
		f.WantRefreshes(t, 1)
		if left := f.shared.holds("stored:"); left != 0 {
			t.Errorf("%d sessions are stored", left)
		}
	})
}

// A session that a request saves while a login or a logout deletes it is deleted.
func TestNewStoreSaveDuringDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 1)
		b := f.known(t, "alice")
		save := func(key string) { // what a request of another instance may have saved
			values, _ := f.shared.Coordinator.Load(t.Context(), key)
			f.shared.Coordinator.Swap(t.Context(), key, values[0], append(values[0], '='), time.Hour, false)
		}
		f.shared.beforeDelete = save
		b.Get(b.CallbackURL("/login"))
		if n := f.shared.holds("stored:"); n != 1 {
			t.Errorf("%d sessions after a login in place of another", n)
		}
		f.shared.beforeDelete = save
		b.LogOut("/")
		if n := f.shared.holds("stored:"); n != 0 {
			t.Errorf("%d sessions after a logout", n)
		}
	})
}

// Cookies that are no ids cost no round trip, and are no sessions.
func TestNewStoreForeignCookies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFleet(t, 1)
		for _, tt := range []struct {
			value string
			calls int
		}{{"", 0}, {"x", 0}, {strings.Repeat("x", 43), 1}, {strings.Repeat("x", 44), 0}, {strings.Repeat("x", 4000), 0}} {
			synctest.Wait()
			f.shared.taken()
			w := f.ask(0, map[string]string{apptest.SessionCookie: tt.value})
			if n := f.shared.taken(); w.Code != http.StatusUnauthorized || n != tt.calls {
				t.Errorf("%q: %d, %d round trips", tt.value, w.Code, n)
			}
		}
		b := f.SignIn(t, "alice")
		r := f.request("https://app.test/api/me", b.Cookies())
		r.AddCookie(&http.Cookie{Name: apptest.SessionCookie, Value: strings.Repeat("x", 43)})
		r.Header.Set("Sec-Fetch-Mode", "cors")
		if w := f.record(f.Auth.RequireAuth(http.NotFoundHandler()), r); w.Code != http.StatusUnauthorized {
			t.Errorf("two cookies of one name: %d", w.Code)
		}
	})
}

// The store serves Options.Store alone, and brings its Coordinator with it.
func TestNewStoreAlone(t *testing.T) {
	t.Parallel()
	shared := oauthlogintest.NewCoordinator()
	store := oauthlogin.NewStore(shared)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if s, err := store.Get(r, "name"); s != nil || err == nil {
		t.Errorf("Get returns %v, %v", s, err)
	}
	if s, err := store.New(r, "name"); s != nil || err == nil {
		t.Errorf("New returns %v, %v", s, err)
	}
	if err := store.Save(r, httptest.NewRecorder(), sessions.NewSession(store, "name")); err == nil {
		t.Error("Save returns no error")
	}
	opts := apptest.ValidOptions()
	opts.Store = store
	auth := apptest.NewAuth(t, opts)
	if err := auth.SignOutUser(t.Context(), "https://op.example", "alice"); err != nil {
		t.Error(err)
	}
	if values, err := shared.Load(t.Context(), "x"); err != nil || len(values) != 1 {
		t.Fatal(err)
	}
	shared.SetDown(true)
	if err := auth.SignOutUser(context.Background(), "https://op.example", "alice"); err == nil {
		t.Error("the Coordinator of the store is not asked")
	}
	auth.Close()
}
