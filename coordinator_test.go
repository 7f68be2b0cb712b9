package oauthlogin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A fleet is an application of several instances, which take requests in turn.
type fleet struct {
	*apptest.App
	shared    *countingCoordinator
	instances []*oauthlogin.Middleware
}

// newFleet begins in a synctest bubble, and ends before it does.
func newFleet(t *testing.T, n int, with apptest.Config) *fleet {
	t.Helper()
	f := &fleet{shared: &countingCoordinator{Coordinator: oauthlogintest.NewCoordinator()}}
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		opts.Coordinator = f.shared
		if change != nil {
			change(opts)
		}
	}
	f.App = apptest.New(t, with)
	f.instances = append(f.instances, f.Auth)
	for range n - 1 {
		f.instances = append(f.instances, f.Replica(t, with.Change))
	}
	t.Cleanup(f.close)
	return f
}

func (f *fleet) close() {
	for _, instance := range f.instances {
		instance.Close()
	}
}

// at makes instance i the one that serves.
func (f *fleet) at(i int) { f.Auth = f.instances[i] }

// ask sends a script's request with these cookies to instance i, beside others.
func (f *fleet) ask(i int, cookies map[string]string) *httptest.ResponseRecorder {
	r := f.request("https://app.test/api/me", cookies)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return f.record(f.instances[i].RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		io.WriteString(w, s.User.Subject)
	})), r)
}

func (f *fleet) request(target string, cookies map[string]string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (f *fleet) record(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A countingCoordinator counts round trips, and can be slow.
type countingCoordinator struct {
	*oauthlogintest.Coordinator
	mu    sync.Mutex
	calls int
	delay time.Duration
	hold  time.Duration // of the next look after a lock was taken
	all   strings.Builder
	keys  map[string][]byte // the last value of each

	beforeDelete func(key string) // called once, before the next swap that deletes
}

// taken returns the round trips since the last time.
func (c *countingCoordinator) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.calls
	c.calls = 0
	return n
}

func (c *countingCoordinator) call(ctx context.Context) error {
	c.mu.Lock()
	c.calls++
	delay := c.delay
	c.mu.Unlock()
	if delay == 0 {
		return nil
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// holdUp has the next look after a lock was taken take d, as if the instance slept.
func (c *countingCoordinator) holdUp(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = d
}

func (c *countingCoordinator) held() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.hold
	c.hold = 0
	return d
}

// see notes what an engine's log of commands would have.
func (c *countingCoordinator) see(value []byte, keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(&c.all, "%s %s\n", strings.Join(keys, " "), value)
}

func (c *countingCoordinator) keep(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = map[string][]byte{}
	}
	c.keys[key] = value
}

// stored returns the keys of sessions.
func (c *countingCoordinator) stored() (keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.keys {
		if strings.HasPrefix(key, "stored:") {
			keys = append(keys, key)
		}
	}
	return keys
}

// holds returns how many keys with a prefix are there.
func (c *countingCoordinator) holds(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.keys {
		values, _ := c.Coordinator.Load(context.Background(), key)
		if strings.HasPrefix(key, prefix) && values[0] != nil {
			n++
		}
	}
	return n
}

// drop deletes the keys with a prefix, and tells no instance.
func (c *countingCoordinator) drop(t *testing.T, prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.keys {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		values, err := c.Coordinator.Load(t.Context(), key)
		if err == nil && values[0] != nil {
			_, err = c.Coordinator.Swap(t.Context(), key, values[0], nil, 0, false)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// move puts the value of one key into another, as somebody with access to the engine can.
func (c *countingCoordinator) move(from, to string) {
	values, _ := c.Coordinator.Load(context.Background(), from, to)
	c.Coordinator.Swap(context.Background(), to, values[1], values[0], time.Hour, false)
}

func (c *countingCoordinator) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.String()
}

func (c *countingCoordinator) setDelay(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delay = d
}

func (c *countingCoordinator) Load(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := c.call(ctx); err != nil {
		return nil, err
	}
	c.see(nil, keys...)
	if strings.HasPrefix(keys[len(keys)-1], "lock:") {
		time.Sleep(c.held())
	}
	return c.Coordinator.Load(ctx, keys...)
}

func (c *countingCoordinator) Swap(ctx context.Context, key string, old, to []byte, ttl time.Duration, tell bool) (bool, error) {
	if err := c.call(ctx); err != nil {
		return false, err
	}
	c.see(to, key)
	if to == nil {
		c.mu.Lock()
		before := c.beforeDelete
		c.beforeDelete = nil
		c.mu.Unlock()
		if before != nil {
			before(key)
		}
	}
	swapped, err := c.Coordinator.Swap(ctx, key, old, to, ttl, tell)
	if swapped {
		c.keep(key, to)
	}
	return swapped, err
}

// What each costs in round trips to the Coordinator.
func TestCoordinatorRoundTrips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		other := f.SignIn(t, "bob")
		for i := range f.instances { // each begins to watch
			f.at(i)
			other.WantUser("/api/me", "bob")
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
		b := f.Browser(t)
		step("login", 2, func() { b.Login("/api/me") })
		step("warm request", 0, func() { b.WantUser("/api/me", "alice") })
		f.at(0)
		step("first request at another instance", 1, func() { b.WantUser("/api/me", "alice") })
		step("warm request there", 0, func() { b.WantUser("/api/me", "alice") })
		time.Sleep(59*time.Minute + 30*time.Second) // longer than a look counts, and a refresh is due
		step("rotation", 1+4, func() { b.WantUser("/api/me", "alice") })
		step("the new cookie there", 1+1, func() { b.WantUser("/api/me", "alice") })
		step("warm request after it", 0, func() { b.WantUser("/api/me", "alice") })
		f.at(1)
		step("the new cookie elsewhere", 1, func() { b.WantUser("/api/me", "alice") })
		step("logout", 2, func() { b.LogOut("/") })
		f.WantRefreshes(t, 1)
	})
}

// A session that many requests at all instances need refreshed is refreshed once.
func TestCoordinatorOneRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, apptest.Config{})
		b := f.SignIn(t, "alice")
		for round := range 5 {
			time.Sleep(59*time.Minute + 30*time.Second)
			f.SlowTokens(2 * time.Second)
			cookies := b.Cookies()
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					if w := f.ask(i%3, cookies); w.Code != http.StatusOK {
						t.Errorf("round %d, request %d: %d", round, i, w.Code)
					}
				})
			}
			wg.Wait()
			f.WantRefreshes(t, round+1)
			f.at(round % 3)
			b.WantUser("/api/me", "alice")
		}
	})
}

// A logout at one instance ends the session at all of them, also that of an old cookie.
func TestCoordinatorEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(f *fleet, b *apptest.Browser)
		// others says whether alice's session in another browser ends too.
		others bool
	}{
		{"logout", func(f *fleet, b *apptest.Browser) { b.LogOut("/") }, false},
		{"logout everywhere", func(f *fleet, b *apptest.Browser) {
			b.Post("/logout", url.Values{"everywhere": {"1"}}, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
		}, true},
		{"SignOutUser", func(f *fleet, b *apptest.Browser) {
			if err := f.Auth.SignOutUser(f.T.Context(), f.Provider.Issuer(), "alice"); err != nil {
				f.T.Error(err)
			}
		}, true},
		{"another user's login in the same browser", func(f *fleet, b *apptest.Browser) {
			f.Provider.AutoApprove("bob")
			defer f.Provider.AutoApprove("alice")
			b.Get(b.CallbackURL("/login"))
		}, false},
		{"a refresh that is refused", func(f *fleet, b *apptest.Browser) {
			time.Sleep(59*time.Minute + 30*time.Second)
			f.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"error":"invalid_grant"}`)
			})
			b.WantUser("/api/me", "")
			f.RespondToRefreshes(nil)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 4, apptest.Config{})
				b := f.SignIn(t, "alice")
				other, bystander := f.SignIn(t, "alice"), f.SignIn(t, "carol")
				for i := range f.instances[:2] { // the third does not know the sessions
					f.at(i)
					for _, b := range []*apptest.Browser{b, other, bystander} {
						b.UserAt("/api/me")
					}
				}
				synctest.Wait()
				old := b.Clone()
				tt.end(f, b)
				synctest.Wait()
				for i := range f.instances[:3] {
					f.at(i)
					old.WantUser("/api/me", "")
					bystander.WantUser("/api/me", "carol")
					want := "alice"
					if tt.others {
						want = ""
					}
					other.WantUser("/api/me", want)
				}
				f.at(3) // which has not heard of it
				logins := f.Provider.Count(oauthlogintest.Token)
				b = f.SignIn(t, "alice")
				if n := f.Provider.Count(oauthlogintest.Token) - logins; n != 1 {
					t.Errorf("%d logins until the user is signed in", n)
				}
				for i := range f.instances {
					f.at(i)
					b.WantUser("/api/me", "alice")
				}
			})
		})
	}
}

// A logout token that comes to one instance ends sessions at all of them, once.
func TestCoordinatorBackChannelLogout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		f.Provider.EditIDToken(func(_, claims map[string]any) { claims["sid"] = "one" })
		b := f.known(t, "alice")
		f.Provider.EditIDToken(func(_, claims map[string]any) { claims["sid"] = "two" })
		other := f.known(t, "alice")
		f.Provider.EditIDToken(nil)
		deliver := func(i int, token string, want int) {
			t.Helper()
			f.at(i)
			wantBackChannel(t, "a logout token", f.SendLogoutToken(token), want)
			synctest.Wait()
		}
		want := func(b *apptest.Browser, subject string) {
			t.Helper()
			for i := range f.instances {
				f.at(i)
				b.WantUser("/api/me", subject)
			}
		}
		sid := f.Provider.LogoutToken(clientID, "alice", "one")
		f.shared.SetDown(true)
		deliver(0, sid, http.StatusServiceUnavailable)
		f.shared.SetDown(false)
		time.Sleep(3 * time.Second)
		deliver(1, sid, http.StatusOK)
		want(b, "")
		want(other, "alice")
		sub := f.Provider.LogoutToken(clientID, "alice", "")
		deliver(0, sub, http.StatusOK)
		want(other, "")
		b = f.known(t, "alice")
		deliver(1, sub, http.StatusBadRequest)
		want(b, "alice")
	})
}

// A login whose code was sent to the provider before a logout token came to another instance
// is over.
func TestCoordinatorBackChannelLogoutDuringLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, bySID := range []bool{false, true} {
			f := newFleet(t, 2, apptest.Config{})
			f.Provider.EditIDToken(apptest.Claim("sid", "s-1"))
			sub, sid := "alice", ""
			if bySID {
				sub, sid = "", "s-1"
			}
			send := func() {
				form := url.Values{"logout_token": {f.Provider.LogoutToken(clientID, sub, sid)}}
				r := httptest.NewRequest(http.MethodPost, "https://app.test/logout/backchannel", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				wantBackChannel(t, "the token", f.record(http.HandlerFunc(f.instances[1].BackChannelLogout), r), http.StatusOK)
			}
			f.known(t, "alice") // so that both instances hear of changes
			send()              // an earlier one changes nothing
			f.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				next(w, r)
				time.Sleep(5 * time.Second)
			})
			b := f.Browser(t)
			callback := b.CallbackURL("/login")
			go func() {
				time.Sleep(2 * time.Second)
				send()
			}()
			b.Get(callback)
			synctest.Wait()
			for i := range f.instances {
				f.at(i)
				b.WantUser("/api/me", "")
			}
			b.Login("/dashboard")
			for i := range f.instances {
				f.at(i)
				b.WantUser("/api/me", "alice")
			}
		}
	})
}

// A logout ends, at all instances, the sessions that logins have replaced in the browser.
func TestCoordinatorEndsReplacedSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.SignIn(t, "alice")
		b.Login("/dashboard")
		second := b.Clone() // neither the first session nor the last
		b.Login("/dashboard")
		f.at(1)
		second.WantUser("/api/me", "alice") // only the instance of the login knows what it replaced
		synctest.Wait()
		f.at(0)
		b.LogOut("/")
		synctest.Wait()
		f.at(1)
		second.WantUser("/api/me", "")
	})
}

// behindASignOut returns alice's browser, who has signed in at the second instance after a
// sign-out everywhere of which the first one has heard only. It knows an earlier one.
func (f *fleet) behindASignOut(t *testing.T) *apptest.Browser {
	t.Helper()
	for i := range 2 {
		if err := f.instances[i].SignOutUser(t.Context(), f.Provider.Issuer(), "alice"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	}
	f.at(1)
	return f.SignIn(t, "alice")
}

// An instance that learns at once of a sign-out everywhere before a session, and of what became
// of the session, does not take the session for one from before the sign-out.
func TestCoordinatorLearnsOfASignOutAndTheSession(t *testing.T) {
	t.Parallel()
	t.Run("logout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 2, apptest.Config{})
			b := f.behindASignOut(t)
			old := b.Clone()
			b.LogOut("/")
			synctest.Wait()
			f.at(0)
			old.WantUser("/api/me", "")
		})
	})
	t.Run("refresh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 2, apptest.Config{})
			f.Routes = func(mux *http.ServeMux) {
				mux.HandleFunc("/public", func(w http.ResponseWriter, r *http.Request) {
					s, _ := oauthlogin.FromContext(r.Context())
					fmt.Fprint(w, s.Token() != nil)
				})
			}
			b := f.behindASignOut(t)
			time.Sleep(refreshDue)
			f.ask(1, b.Cookies()) // whose response is lost
			time.Sleep(time.Minute)
			f.at(0)
			if text := b.Get("/public").Text; text != "true" {
				t.Errorf("the newer token is there: %s", text)
			}
		})
	})
	t.Run("logout without the Coordinator", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 2, apptest.Config{})
			b := f.behindASignOut(t)
			old := b.Clone()
			f.shared.SetDown(true)
			f.at(0)
			b.LogOut("/")
			f.shared.SetDown(false)
			time.Sleep(10 * time.Second)
			f.at(1)
			old.WantUser("/api/me", "")
		})
	})
}

// An instance hears of the end of what a session has replaced, also if it has known the session
// since its login.
func TestCoordinatorEndsWhatReplacedASession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, apptest.Config{})
		b := f.SignIn(t, "alice")
		first := b.Clone()
		synctest.Wait()
		b.Login("/dashboard")
		b.WantUser("/api/me", "alice")
		f.at(1)
		first.LogOut("/")
		synctest.Wait()
		for i := range f.instances {
			f.at(i)
			b.WantUser("/api/me", "")
		}
	})
}
