package interop_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// replicas are three instances of the example behind a balancer, an engine through which they agree, and a provider that
// rotates refresh tokens and revokes all tokens of a login if one is sent twice.
type replicas struct {
	*balancer
	engine   *engine
	provider *oauthlogintest.Provider
}

// tokenTTL is how long access tokens live; they are refreshed after three quarters of it.
const tokenTTL = 4 * time.Second

func startReplicas(t *testing.T, newEngine func(*testing.T) *engine, env ...string) *replicas {
	t.Helper()
	s := &replicas{balancer: newBalancer(t), engine: newEngine(t)}
	s.provider = oauthlogintest.Start(oauthlogintest.Config{
		AccessTokenTTL: tokenTTL,
		Clients: []oauthlogintest.Client{{
			ID: clientID, Secret: clientSecret, RedirectURIs: []string{s.url + "/auth/callback"},
			BackChannelLogoutURI: s.url + "/logout/backchannel",
		}},
	})
	t.Cleanup(s.provider.Close)
	s.provider.AutoApprove("alice")
	s.engine.start(t)
	for range 3 {
		a := newApp(t)
		a.registered(append(env, "OAUTH_ISSUER="+s.provider.Issuer(), "OAUTH_REDIRECT_URI="+s.url+"/auth/callback", s.engine.env)...)
		a.start(t)
		s.apps = append(s.apps, a)
	}
	return s
}

// refreshes returns how often each refresh token was sent.
func (s *replicas) refreshes() map[string]int {
	sent := map[string]int{}
	for _, r := range s.provider.Requests(oauthlogintest.Token) {
		if token := r.Form.Get("refresh_token"); token != "" {
			sent[token]++
		}
	}
	return sent
}

// wantOneCallEach fails the test if a refresh token was sent twice, or fewer than least were sent.
func (s *replicas) wantOneCallEach(t *testing.T, least int) {
	t.Helper()
	sent := s.refreshes()
	if len(sent) < least || slices.Max(append(slices.Collect(maps.Values(sent)), 0)) > 1 {
		t.Errorf("%d refresh tokens were sent, each %v times; want at least %d, each once", len(sent), slices.Sorted(maps.Values(sent)), least)
	}
}

// me returns the status of /api/me. url is that of the balancer or of an instance.
func (v *visitor) me(url string) int {
	v.t.Helper()
	return v.get(url+"/api/me", "application/json").status
}

// signInAt signs a visitor in.
func (s *replicas) signInAt(t *testing.T) *visitor {
	t.Helper()
	v := newVisitor(t)
	v.open(s.url+"/dashboard").want(http.StatusOK, s.url+"/dashboard")
	return v
}

// TestReplicas runs several instances of the example.
func TestReplicas(t *testing.T) {
	for name, kind := range map[string]struct {
		newEngine func(*testing.T) *engine
		env       []string
	}{
		"cookies and Redis":      {newRedis, nil},
		"sessions in Redis":      {newRedis, []string{"SESSION_STORE=redis"}},
		"cookies and PostgreSQL": {newPostgres, nil},
		"sessions in PostgreSQL": {newPostgres, []string{"SESSION_STORE=postgres"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startReplicas(t, kind.newEngine, kind.env...)
			t.Run("tokens expire under load", s.expiry)
			t.Run("a logout reaches all", s.logout)
			t.Run("a logout at the provider reaches all", s.logoutAtProvider)
		})
	}
	t.Run("what the engine sees", func(t *testing.T) {
		t.Parallel()
		startReplicas(t, newRedis, "SESSION_STORE=redis").sealed(t)
	})
	t.Run("an instance is killed while it refreshes", func(t *testing.T) {
		t.Parallel()
		startReplicas(t, newRedis).holderKilled(t)
	})
	t.Run("faults, cookies", func(t *testing.T) {
		t.Parallel()
		startReplicas(t, newRedis).faults(t, false)
	})
	t.Run("faults, sessions in Redis", func(t *testing.T) {
		t.Parallel()
		startReplicas(t, newRedis, "SESSION_STORE=redis").faults(t, true)
	})
}

// expiry sends 300 requests, 50 at a time, whenever the access token is due.
func (s *replicas) expiry(t *testing.T) {
	v := s.signInAt(t)
	for range 3 {
		time.Sleep(tokenTTL * 4 / 5)
		statuses := make([]int, 300)
		var sending sync.WaitGroup
		slots := make(chan struct{}, 50) // a machine that is too slow for more would say so with 503
		for i := range statuses {
			slots <- struct{}{}
			sending.Go(func() {
				statuses[i] = v.me(s.url)
				<-slots
			})
		}
		sending.Wait()
		if others := slices.DeleteFunc(statuses, func(status int) bool { return status == http.StatusOK }); len(others) > 0 {
			t.Errorf("%d of 300 requests have these statuses: %v", len(others), slices.Compact(others))
		}
	}
	s.wantOneCallEach(t, 3)
}

// logout presents the cookies of a session that has ended to each instance.
func (s *replicas) logout(t *testing.T) {
	v := s.signInAt(t)
	thief := newVisitor(t)
	thief.client.Jar.SetCookies(thief.parse(s.url), v.client.Jar.Cookies(v.parse(s.url)))
	for _, a := range s.apps {
		if status := thief.me(a.url); status != http.StatusOK {
			t.Fatalf("status %d before the logout", status)
		}
	}
	v.fetch(http.MethodPost, s.url, s.url+"/logout")
	s.wantRefused(t, thief)
}

func (s *replicas) logoutAtProvider(t *testing.T) {
	v := s.signInAt(t)
	if err := s.provider.LogOut("alice"); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(t, v)
}

// wantRefused fails the test unless all instances soon refuse the visitor.
func (s *replicas) wantRefused(t *testing.T, v *visitor) {
	t.Helper()
	start := time.Now()
	for i, a := range s.apps {
		eventually(t, 3*time.Second, fmt.Sprintf("instance %d to refuse", i), func() bool { return v.me(a.url) == http.StatusUnauthorized })
	}
	t.Logf("refused by all instances after %v", time.Since(start).Round(time.Millisecond))
}

// holderKilled kills the instance whose refresh has not reached the provider. Another one takes over.
func (s *replicas) holderKilled(t *testing.T) {
	v := s.signInAt(t)
	asked, first := make(chan struct{}), true
	var mu sync.Mutex
	s.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		mu.Lock()
		hangs := first
		first = false
		mu.Unlock()
		if hangs {
			close(asked)
			<-r.Context().Done() // the provider never sees it
			return
		}
		next(w, r)
	})
	time.Sleep(tokenTTL * 4 / 5)
	go func() { _, _ = v.client.Do(v.request(http.MethodGet, v.parse(s.apps[0].url+"/api/me"), nil)) }()
	<-asked
	s.apps[0].process.kill()
	start := time.Now()
	eventually(t, 20*time.Second, "another instance to refresh", func() bool {
		status := v.me(s.url)
		if status == http.StatusUnauthorized {
			t.Fatal("the user is signed out")
		}
		return status == http.StatusOK && len(s.refreshes()) > 0 && s.provider.Count(oauthlogintest.Token) >= 3 // code, hanging refresh, refresh
	})
	took := time.Since(start).Round(time.Millisecond)
	t.Logf("taken over after %v", took)
	if took > 15*time.Second {
		t.Error("the lease of an instance that is gone is ten seconds")
	}
}

// faults keeps visitors busy while the engine is suspended and killed, and while instances restart. isStored says that the
// engine, which restarts empty, keeps the sessions.
func (s *replicas) faults(t *testing.T, isStored bool) {
	load := s.keepBusy(t, 10)
	step := func(name string, d time.Duration, act func(), allowed ...int) {
		t.Helper()
		act()
		time.Sleep(d)
		statuses := load.take()
		t.Logf("%s: %v", name, statuses)
		for status, n := range statuses {
			if status != http.StatusOK && !slices.Contains(allowed, status) {
				t.Errorf("%s: %d responses have status %d", name, n, status)
			}
		}
		if len(allowed) == 0 && statuses[http.StatusOK] == 0 {
			t.Errorf("%s: no response has status 200", name)
		}
	}
	step("all is well", 5*time.Second, func() {})
	step("engine suspended", 5*time.Second, s.engine.pause, http.StatusServiceUnavailable)
	// A lock that an instance asked for meanwhile may be taken only now. It is given back, or ages in ten seconds.
	step("engine goes on", 11*time.Second, s.engine.resume, http.StatusServiceUnavailable)
	step("all is well again", 4*time.Second, func() {})
	step("instances restart in turn", 4*time.Second, func() {
		for _, a := range s.apps {
			a.stop(t)
			a.start(t)
		}
	})
	step("engine killed", 5*time.Second, s.engine.kill, http.StatusServiceUnavailable)
	afterwards := []int{http.StatusServiceUnavailable}
	if isStored {
		afterwards = append(afterwards, http.StatusUnauthorized)
	}
	step("engine restarts empty", 5*time.Second, func() { s.engine.start(t) }, afterwards...)
	for _, v := range load.stop() {
		if status := v.me(s.url); status != http.StatusOK && !isStored {
			t.Errorf("a visitor is left with status %d", status)
		}
	}
	s.wantOneCallEach(t, 20)
}

// A load is visitors who ask one thing after the other, and the statuses that they got.
type load struct {
	visitors []*visitor
	done     chan struct{}
	busy     sync.WaitGroup
	mu       sync.Mutex
	statuses map[int]int
}

func (s *replicas) keepBusy(t *testing.T, visitors int) *load {
	t.Helper()
	l := &load{done: make(chan struct{}), statuses: map[int]int{}}
	for range visitors {
		v := s.signInAt(t)
		l.visitors = append(l.visitors, v)
		l.busy.Go(func() {
			for {
				select {
				case <-l.done:
					return
				case <-time.After(30 * time.Millisecond):
				}
				status := v.me(s.url)
				l.mu.Lock()
				l.statuses[status]++
				l.mu.Unlock()
			}
		})
	}
	return l
}

// take returns how many responses had each status since the last call.
func (l *load) take() map[int]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	statuses := l.statuses
	l.statuses = map[int]int{}
	return statuses
}

func (l *load) stop() []*visitor {
	close(l.done)
	l.busy.Wait()
	return l.visitors
}
