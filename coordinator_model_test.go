package oauthlogin_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// With -args -models 500, by hand.
var models = flag.Int("models", 6, "how many random histories TestCoordinatorModel runs")

// In random histories of three instances, a browser is never signed out for nothing, a
// session that has ended is over at all instances, and no refresh token is sent twice: with
// overlapping requests, lost responses, logouts, and a Coordinator that is away at times.
func TestCoordinatorModel(t *testing.T) {
	t.Parallel()
	for seed := range *models {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &model{
					fleet:  newFleet(t, 3, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.IdleTimeout = 20 * time.Hour }}),
					random: rand.New(rand.NewPCG(uint64(seed), 13)),
				}
				m.login()
				for range 60 {
					m.step()
					if m.Refreshes(t); t.Failed() {
						m.fail("in %d events", len(m.log))
					}
				}
				m.settle()
			})
		})
	}
}

type model struct {
	*fleet
	random *rand.Rand
	login0 time.Time

	mu      sync.Mutex
	cookies map[string]string // that the browser has
	changed time.Time         // when they came
	ended   []map[string]string
	recent  []map[string]string // cookies of the session, the latest last
	log     []string
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, time.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (m *model) note2(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(format, args...)
}

func (m *model) fail(format string, args ...any) {
	m.T.Helper()
	m.T.Errorf(format, args...)
	for _, line := range m.log[max(0, len(m.log)-80):] {
		m.T.Log(line)
	}
	m.T.FailNow()
}

func (m *model) login() {
	m.at(m.random.IntN(3))
	b := m.SignIn(m.T, "alice")
	m.cookies = b.Cookies()
	m.recent, m.login0 = []map[string]string{m.cookies}, time.Now()
	m.note("login")
}

func (m *model) step() {
	if time.Since(m.login0) > 15*time.Hour {
		m.logout(false)
		return
	}
	switch n := m.random.IntN(20); {
	case n < 9:
		d := time.Duration(m.random.IntN(20 * int(time.Minute)))
		m.note("sleep %v", d)
		time.Sleep(d)
	case n < 16:
		m.burst(1+m.random.IntN(6), false)
	case n < 17:
		m.outage()
	case n < 18:
		m.SlowTokens(time.Duration(m.random.IntN(7)) * time.Second)
	case n < 19:
		m.checkEnded()
	default:
		m.logout(m.random.IntN(2) == 0)
	}
}

// burst sends n requests within three seconds, to any instance.
func (m *model) burst(n int, away bool) {
	var wg sync.WaitGroup
	m.note("%d requests, away %t", n, away)
	codes := make([]int, n)
	for i := range n {
		at, wait, lost := m.random.IntN(3), time.Duration(m.random.IntN(int(3*time.Second))), m.random.IntN(3) == 0
		from := m.cookiesFor()
		wg.Go(func() {
			time.Sleep(wait)
			m.note2("  > %d", at)
			w := m.ask(at, from())
			m.note2("  < %d %d lost %t %d cookies", at, w.Code, lost, len(w.Result().Cookies()))
			codes[i] = w.Code
			if !lost {
				m.apply(w.Result().Cookies())
			}
		})
	}
	wg.Wait()
	for _, code := range codes {
		if code != http.StatusOK && (!away || code != http.StatusServiceUnavailable) {
			m.fail("responses %v, away %t", codes, away)
		}
	}
}

// cookiesFor returns what gives a request its cookies: those of the browser when it is
// sent, or for a few minutes those from before.
func (m *model) cookiesFor() func() map[string]string {
	old := m.random.IntN(6) == 0
	return func() map[string]string {
		m.mu.Lock()
		defer m.mu.Unlock()
		if old && len(m.recent) > 1 && time.Since(m.changed) < 9*time.Minute {
			return m.recent[len(m.recent)-2]
		}
		return m.cookies
	}
}

func (m *model) apply(set []*http.Cookie) {
	if len(set) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]string{}
	maps.Copy(next, m.cookies)
	for _, c := range set {
		if next[c.Name] = c.Value; c.MaxAge < 0 {
			delete(next, c.Name)
		}
	}
	m.cookies, m.changed = next, time.Now()
	m.recent = append(m.recent, next)
}

// outage takes the Coordinator away for a while, in which requests come.
func (m *model) outage() {
	m.note("away")
	if m.random.IntN(2) == 0 { // in the middle of what requests do
		var wg sync.WaitGroup
		wait := time.Duration(m.random.IntN(int(3 * time.Second)))
		wg.Go(func() {
			time.Sleep(wait)
			m.shared.SetDown(true)
		})
		m.burst(1+m.random.IntN(6), true)
		wg.Wait()
	}
	m.shared.SetDown(true)
	for range m.random.IntN(4) {
		time.Sleep(time.Duration(m.random.IntN(int(2 * time.Minute))))
		m.burst(1+m.random.IntN(3), true)
	}
	m.shared.SetDown(false)
	m.note("back")
	m.burst(1+m.random.IntN(3), true)
	m.settle()
}

// settle waits until all instances hear of changes and have told theirs.
func (m *model) settle() {
	time.Sleep(10 * time.Second)
	synctest.Wait()
}

func (m *model) logout(away bool) {
	at := m.random.IntN(3)
	m.note("logout, away %t", away)
	m.shared.SetDown(away)
	r := m.request("https://app.test/logout", m.cookies)
	r.Method = http.MethodPost
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if w := m.record(m.instances[at].Handler(http.NotFoundHandler()), r); w.Code != http.StatusSeeOther {
		m.fail("logout: %d", w.Code)
	}
	synctest.Wait()
	if away {
		time.Sleep(time.Duration(m.random.IntN(int(2 * time.Minute))))
		m.shared.SetDown(false)
		m.settle()
	}
	m.ended = append(m.ended, m.recent...)
	m.checkEnded()
	m.login()
}

// checkEnded asks each instance with cookies of sessions that have ended.
func (m *model) checkEnded() {
	for range min(6, len(m.ended)) {
		cookies := m.ended[m.random.IntN(len(m.ended))]
		for i := range m.instances {
			m.note("ended > %d", i)
			if w := m.ask(i, cookies); w.Code != http.StatusUnauthorized {
				m.fail("an ended session at instance %d: %d", i, w.Code)
			}
		}
	}
	m.ended = slices.Clip(m.ended)
}

// In random histories of three instances, all of them agree which sessions have ended: after
// sign-ins on top of others, logouts with older cookies, sign-outs everywhere, logout tokens and
// restarts.
func TestCoordinatorEndsModel(t *testing.T) {
	t.Parallel()
	for seed := range *models {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &endsModel{random: rand.New(rand.NewPCG(uint64(seed), 7)), stored: seed%2 == 1, last: map[int]*signedIn{}}
				m.fleet = newFleet(t, 3, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 100 * time.Hour}, Change: m.change})
				m.login(0)
				for range 100 {
					m.step()
				}
			})
		})
	}
}

// A signedIn is a session, with the cookies of its browser. Sessions of one lineage end together.
type signedIn struct {
	user    string
	lineage int
	cookies map[string]string
	ended   bool
}

type endsModel struct {
	*fleet
	random *rand.Rand
	stored bool // with NewStore
	all    []*signedIn
	last   map[int]*signedIn // by browser
	log    []string
}

func (m *endsModel) change(opts *oauthlogin.Options) {
	if m.stored {
		opts.Store = oauthlogin.NewStore(opts.Coordinator)
	}
}

func (m *endsModel) note(format string, args ...any) {
	m.log = append(m.log, time.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (m *endsModel) end(of func(*signedIn) bool) {
	for _, s := range m.all {
		s.ended = s.ended || of(s)
	}
	synctest.Wait() // for the other instances to hear of it
}

func (m *endsModel) step() {
	i, s := m.random.IntN(3), m.all[m.random.IntN(len(m.all))]
	ofUser := func(other *signedIn) bool { return other.user == s.user }
	ofLineage := func(other *signedIn) bool { return other.lineage == s.lineage }
	switch n := m.random.IntN(20); {
	case n < 5:
		m.login(m.random.IntN(3))
	case n < 8 && !s.ended:
		everywhere := m.random.IntN(4) == 0
		m.note("%s logs out of lineage %d at %d, everywhere %t", s.user, s.lineage, i, everywhere)
		m.logOut(i, s.cookies, everywhere)
		m.end(ofLineage)
		if everywhere {
			m.end(ofUser)
		}
	case n < 9:
		m.note("%s is signed out at %d", s.user, i)
		if err := m.instances[i].SignOutUser(m.T.Context(), m.Provider.Issuer(), s.user); err != nil {
			m.T.Error(err)
		}
		m.end(ofUser)
	case n < 10:
		m.note("a logout token for %s comes to %d", s.user, i)
		m.backChannelLogOut(i, s.user)
		m.end(ofUser)
	case n < 11:
		m.note("restart of %d", i)
		if err := m.instances[i].Close(); err != nil {
			m.T.Error(err)
		}
		m.instances[i] = m.Replica(m.T, func(opts *oauthlogin.Options) {
			opts.Coordinator = m.shared
			m.change(opts)
		})
	case n < 14:
		time.Sleep(time.Duration(m.random.IntN(int(4 * time.Minute))))
	default:
		m.check()
	}
}

// login signs a user in in a browser, which may have a session.
func (m *endsModel) login(browser int) {
	time.Sleep(time.Minute) // a browser that loses several sessions in one seems to lose its cookies
	i, user := m.random.IntN(3), []string{"alice", "alice", "alice", "bob"}[m.random.IntN(4)]
	m.at(i)
	m.Provider.AutoApprove(user)
	b := m.Browser(m.T)
	s, old := &signedIn{user: user, lineage: len(m.all)}, m.last[browser]
	if old != nil {
		for name, value := range old.cookies {
			b.SetCookie(name, value)
		}
	}
	b.Login("/dashboard")
	switch {
	case old == nil || old.ended:
	case old.user == user:
		s.lineage, old.ended = old.lineage, m.stored // a store has it no more
	default:
		m.end(func(other *signedIn) bool { return other.lineage == old.lineage })
	}
	m.note("%s signs in at %d, lineage %d", user, i, s.lineage)
	s.cookies = b.Cookies()
	m.all, m.last[browser] = append(m.all, s), s
}

func (m *endsModel) logOut(i int, cookies map[string]string, everywhere bool) {
	form := url.Values{}
	if everywhere {
		form.Set("everywhere", "1")
	}
	r := httptest.NewRequest(http.MethodPost, "https://app.test/logout", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if w := m.record(m.instances[i].Handler(http.NotFoundHandler()), r); w.Code != http.StatusSeeOther {
		m.T.Errorf("logout: %d", w.Code)
	}
}

func (m *endsModel) backChannelLogOut(i int, user string) {
	form := url.Values{"logout_token": {m.Provider.LogoutToken(clientID, user, "")}}
	r := httptest.NewRequest(http.MethodPost, "https://app.test/logout/backchannel", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := m.record(http.HandlerFunc(m.instances[i].BackChannelLogout), r); w.Code != http.StatusOK {
		m.T.Errorf("logout token: %d", w.Code)
	}
}

// check asks instances for sessions.
func (m *endsModel) check() {
	for range 10 {
		i, s := m.random.IntN(3), m.all[m.random.IntN(len(m.all))]
		want := http.StatusOK
		if s.ended {
			want = http.StatusUnauthorized
		}
		if w := m.ask(i, s.cookies); w.Code != want {
			for _, line := range m.log {
				m.T.Log(line)
			}
			m.T.Fatalf("instance %d: a session of %s, lineage %d: %d, want %d", i, s.user, s.lineage, w.Code, want)
		}
	}
}
