package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestInstancesAgree(t *testing.T) {
	t.Parallel()
	for name, redisURL := range map[string]string{
		"Redis":  "redis://" + miniredis.RunT(t).Addr(),
		"memory": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site, served := run(t, redisURL)
			var tokens atomic.Int32
			site.Provider.EditTokenResponse(func(resp map[string]any) {
				if tokens.Add(1) == 1 {
					resp["expires_in"] = 1 // that of the login
				}
			})

			// The login begins at one instance and ends at the other, and both know the session.
			alice := site.SignIn("alice")
			signedIn := time.Now()
			if begun, ended := served.at("/login"), served.at("/auth/callback"); len(begun) != 1 || len(ended) != 1 || begun[0] == ended[0] {
				t.Errorf("the login begins at %v and ends at %v", begun, ended)
			}
			wantBoth(t, alice, func(resp *oauthlogintest.Response) bool {
				return resp.Status == 200 && strings.Contains(resp.Body, "Alice Archer is signed in")
			})

			// Requests at once, when the access token has expired: one of them refreshes.
			time.Sleep(time.Until(signedIn.Add(time.Second)))
			var requests sync.WaitGroup
			for range 20 {
				requests.Go(func() {
					if resp := alice.Fetch("/"); resp.Status != 200 {
						t.Errorf("instance %s: status %d", resp.Header.Get("X-Instance"), resp.Status)
					}
				})
			}
			requests.Wait()
			if n := site.Provider.Count(oauthlogintest.Token); n != 2 {
				t.Errorf("%d calls of the token endpoint; want one for the login and one refresh", n)
			}
			wantBoth(t, alice, func(resp *oauthlogintest.Response) bool { return resp.Status == 200 })

			// The logout at one ends the session at the other. A copy of the cookies shows it.
			thief := alice.Thief()
			wantBoth(t, thief, func(resp *oauthlogintest.Response) bool { return resp.Status == 200 })
			alice.PostForm("/logout", nil)
			wantBoth(t, thief, func(resp *oauthlogintest.Response) bool { return resp.Status == 401 })
		})
	}
}

// wantBoth waits until two requests in a row, which go to one instance each, get what is wanted.
func wantBoth(t *testing.T, b *oauthlogintest.Browser, wanted func(*oauthlogintest.Response) bool) {
	t.Helper()
	for begin := time.Now(); ; {
		first, second := b.Fetch("/"), b.Fetch("/")
		apart := first.Header.Get("X-Instance") != second.Header.Get("X-Instance")
		if apart && wanted(first) && wanted(second) {
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("status %d and %d, at different instances: %v", first.Status, second.Status, apart)
		}
		time.Sleep(10 * time.Millisecond) // instances hear of each other within milliseconds
	}
}

func TestWrongRedisURL(t *testing.T) {
	t.Parallel()
	if _, err := coordinator("redis://user:a-password@a host"); err == nil || strings.Contains(err.Error(), "a-password") {
		t.Error(err)
	}
}

// run serves two instances, and notes which requests each of them has served.
func run(t *testing.T, redisURL string) (*oauthlogintest.Site, *trail) {
	t.Helper()
	connect, err := coordinator(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	served := &trail{}
	return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		var instances []*instance
		for _, number := range []int{1, 2} {
			i, err := newInstance(number, connect(), "a secret of the tests, over 32 bytes long", p.Registration(base), p.HTTPClient())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { i.auth.Close() })
			instances = append(instances, i)
		}
		balanced := balance(instances)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			balanced.ServeHTTP(w, r)
			served.add(r.URL.Path, w.Header().Get("X-Instance"))
		})
	}), served
}

// A trail has the instances that served each path.
type trail struct {
	mu        sync.Mutex
	instances map[string][]string
}

func (l *trail) add(path, instance string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.instances == nil {
		l.instances = map[string][]string{}
	}
	l.instances[path] = append(l.instances[path], instance)
}

func (l *trail) at(path string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.instances[path])
}
