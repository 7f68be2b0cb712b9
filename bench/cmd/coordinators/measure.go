package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/bench"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const (
	sessions = 100
	// tokenTTL is the lifetime of access tokens, of which the last quarter is when they are
	// refreshed. Everything before has to be over by then.
	tokenTTL = 20 * time.Second
)

// The steps in the life of a session.
const (
	login     = "login, all its requests"
	warm      = "request with a session that the instance knows"
	elsewhere = "first request at another instance"
	rotation  = "request that refreshes the tokens"
	newCookie = "first request at another instance with the new cookie"
	logout    = "logout"
	heard     = "from the logout's response until the other instance refuses a copy of the cookie"
)

var steps = []string{login, warm, elsewhere, rotation, newCookie, logout, heard}

// A result has the milliseconds that each step took.
type result map[string][]float64

func (r result) time(step string, do func()) {
	start := time.Now()
	do()
	r[step] = append(r[step], float64(time.Since(start).Microseconds())/1000)
}

// measure takes sessions from login to logout, at two instances, with a provider in the same
// process that costs the same in all measurements.
func measure(b *testing.B, k kind) result {
	took := result{}
	var at atomic.Int32
	var instances []http.Handler
	site := oauthlogintest.Run(b, oauthlogintest.Config{AccessTokenTTL: tokenTTL, JWTAccessTokens: true}, func(base string, p *oauthlogintest.Provider) http.Handler {
		for range 2 {
			opts := oauthlogin.Options{
				Keys:       [][]byte{[]byte("not random, but this is a benchmark")},
				Providers:  []oauthlogin.Provider{p.Registration(base)},
				HTTPClient: p.HTTPClient(),
				Logger:     slog.New(slog.DiscardHandler),
			}
			if k.coordinator != nil {
				opts.Coordinator = k.coordinator
			}
			if k.store {
				opts.Store = oauthlogin.NewStore(k.coordinator)
			}
			auth, err := oauthlogin.New(opts)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { auth.Close() })
			mux := http.NewServeMux()
			mux.Handle("GET /api", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, r.Header.Get("Cookie"))
			})))
			instances = append(instances, auth.Handler(mux))
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { instances[at.Load()].ServeHTTP(w, r) })
	})
	fetch := func(browser *oauthlogintest.Browser) (cookies string) {
		resp := browser.Fetch("/api")
		if resp.Status != http.StatusOK {
			b.Fatalf("%s: status %d", k.name, resp.Status)
		}
		return resp.Body
	}

	for i := range instances { // each begins to watch
		at.Store(int32(i))
		fetch(site.SignIn("alice"))
	}
	time.Sleep(time.Second)

	at.Store(0)
	browsers := make([]*oauthlogintest.Browser, sessions)
	start := time.Now()
	for i := range browsers {
		took.time(login, func() { browsers[i] = site.SignIn(fmt.Sprintf("user%d", i)) })
	}
	fetchAll := func(step string, instance int32) {
		at.Store(instance)
		for _, browser := range browsers {
			took.time(step, func() { fetch(browser) })
		}
	}
	fetchAll("", 0)
	fetchAll(warm, 0)
	fetchAll(elsewhere, 1)
	refreshed := site.Provider.Count(oauthlogintest.Token)
	time.Sleep(time.Until(start.Add(tokenTTL)))
	fetchAll(rotation, 1)
	if got := site.Provider.Count(oauthlogintest.Token) - refreshed; got != sessions {
		b.Fatalf("%s: %d refreshes of %d sessions", k.name, got, sessions)
	}
	fetchAll(newCookie, 0)
	for _, browser := range browsers {
		at.Store(0)
		copied := httptest.NewRequest(http.MethodGet, site.URL+"/api", nil)
		copied.Header.Set("Cookie", fetch(browser))
		at.Store(1)
		took.time(logout, func() { browser.Do(httptest.NewRequest(http.MethodPost, "/logout", nil)) })
		for start := time.Now(); k.coordinator != nil; {
			w := httptest.NewRecorder()
			if instances[0].ServeHTTP(w, copied); w.Code != http.StatusOK {
				took[heard] = append(took[heard], float64(time.Since(start).Microseconds())/1000)
				break
			}
		}
	}
	return took
}

// A watcher notes how many bytes values have.
type watcher struct {
	oauthlogin.Coordinator
	mu    sync.Mutex
	bytes map[string][]float64 // by kind
}

func (w *watcher) Swap(ctx context.Context, key string, old, to []byte, ttl time.Duration, tell bool) (bool, error) {
	if len(to) > 0 {
		w.mu.Lock()
		if w.bytes == nil {
			w.bytes = map[string][]float64{}
		}
		w.bytes[kindOf(key)] = append(w.bytes[kindOf(key)], float64(len(to)))
		w.mu.Unlock()
	}
	return w.Coordinator.Swap(ctx, key, old, to, ttl, tell)
}

func (w *watcher) sizes() (lines []string) {
	for name, values := range w.bytes {
		lines = append(lines, fmt.Sprintf("%s: median %.0f, at most %.0f", name, bench.Median(values), slices.Max(values)))
	}
	slices.Sort(lines)
	return lines
}
