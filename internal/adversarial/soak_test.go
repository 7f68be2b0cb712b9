package adversarial_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An hour with short-lived tokens, browsers with several tabs that hang up and lose
// responses, slow handlers, calls to an API and a provider that sometimes fails: no
// user is signed out, and no refresh token is sent twice.
func TestSoak(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	synctest.Test(t, func(t *testing.T) { soak(t, seed, time.Hour) })
}

// A die is safe for concurrent use.
type die struct {
	mu sync.Mutex
	*rand.Rand
}

// below returns a number from 0 to n-1.
func (d *die) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.IntN(n)
}

// upTo returns a duration in milliseconds.
func (d *die) upTo(most time.Duration) time.Duration {
	return time.Duration(d.below(int(most/time.Millisecond)+1)) * time.Millisecond
}

func soak(t *testing.T, seed uint64, long time.Duration) {
	chance := &die{Rand: rand.New(rand.NewPCG(seed, 0))}
	a := apptest.New(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["expires_in"] = 5 + chance.below(56) })

	a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		time.Sleep(chance.upTo([]time.Duration{0, 300 * time.Millisecond, 3 * time.Second}[chance.below(3)]))
		if status := []int{500, 503, 429}[chance.below(3)]; r.FormValue("refresh_token") != "" && chance.below(8) == 0 {
			w.WriteHeader(status)
			return
		}
		next(w, r)
		time.Sleep(chance.upTo(500 * time.Millisecond))
	})
	a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/token" && chance.below(16) == 0 {
			return nil, errors.New("connection reset")
		}
		return nil, nil
	})
	// An API that rejects some tokens early.
	a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" || chance.below(10) == 0 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	call := func(_ http.ResponseWriter, r *http.Request) {
		resp, err := a.Auth.Client(r.Context()).Get("https://api.test/")
		if err == nil {
			resp.Body.Close()
		} else if !errors.Is(err, oauthlogin.ErrNoToken) && r.Context().Err() == nil {
			t.Error(err)
		}
	}
	a.Guard("/call", call)
	a.Guard("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(chance.upTo(20 * time.Second)) // others refresh meanwhile
		call(w, r)
	})

	end := time.Now().Add(long)
	var wg sync.WaitGroup
	for _, user := range []string{"alice", "bob"} {
		a.Provider.AutoApprove(user)
		b := a.Browser(t)
		a.Wire.Mended(func() { b.Login("/dashboard") })

		var jar sync.Mutex
		cookies := b.Cookies()
		for tab := range 3 {
			wg.Go(func() {
				chance := &die{Rand: rand.New(rand.NewPCG(seed, uint64(tab)+1))}
				for time.Now().Before(end) {
					time.Sleep(chance.upTo(12 * time.Second))
					jar.Lock()
					sent := maps.Clone(cookies)
					jar.Unlock()
					path := []string{"/api/me", "/access", "/access", "/call", "/slow"}[chance.below(5)]
					ctx, hangUp := context.WithCancel(t.Context())
					if chance.below(6) == 0 {
						time.AfterFunc(chance.upTo(2*time.Second), hangUp)
					}
					w := a.Ask(ctx, sent, path)
					gone := ctx.Err() != nil
					hangUp()
					if w.Code != http.StatusOK && !(gone && w.Code == http.StatusServiceUnavailable) {
						t.Errorf("%s at %s for %s: %d", time.Until(end), path, user, w.Code)
						return
					}
					if gone || chance.below(12) == 0 {
						continue // the response is lost
					}
					time.Sleep(chance.upTo(200 * time.Millisecond)) // or arrives out of order
					jar.Lock()
					cookies = apptest.Kept(cookies, w)
					jar.Unlock()
				}
			})
		}
	}
	wg.Wait()
	time.Sleep(time.Minute) // for refreshes whose clients hung up

	a.Wire.CutBy(nil)
	faults := 0
	for _, r := range a.Provider.Requests(oauthlogintest.Token) {
		if r.Status != http.StatusOK {
			faults++
		}
	}
	if sent := a.Refreshes(t); len(sent) < 100 || faults == 0 || faults > len(sent)/2 {
		t.Errorf("%d refreshes, %d faults: too few of either", len(sent), faults)
	}
}
