package oauthlogin_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// What a request allocates is what its session costs when it was seen before:
// the request's copy, the context with the session in it, the response headers and, for a
// handler that asks for the session, the user's claims.
func TestAllocations(t *testing.T) {
	for _, size := range []struct {
		name     string
		provider oauthlogintest.Config
	}{
		{"small", oauthlogintest.Config{}},
		{"large", oauthlogintest.Config{JWTAccessTokens: true, Users: []oauthlogintest.User{{
			Subject: "alice", Name: "Alice Archer", Email: "alice@example.com", EmailVerified: true,
			Claims: map[string]any{"address": strings.Repeat("12 Long Street, ", 64)},
		}}}},
	} {
		a := apptest.New(t, apptest.Config{Provider: size.provider})
		signIn := func(a *apptest.App) (*apptest.Browser, *http.Request) {
			b := a.Browser(t).WithDevice()
			b.Login("/dashboard")
			b.Get("/dashboard") // which binds the session if the application asks for that
			r := b.Request(http.MethodGet, "/dashboard", nil)
			for name, value := range b.Cookies() {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			return b, r
		}
		b, signedIn := signIn(a)
		binding := apptest.New(t, apptest.Config{Provider: size.provider, Change: func(opts *oauthlogin.Options) { opts.BindDevices = true }})
		_, bound := signIn(binding)
		if s, err := binding.Auth.Session(bound); err != nil || s == nil || !s.Bound() {
			t.Fatalf("%v is not bound: %v", s, err)
		}
		anonymous := b.Request(http.MethodGet, "/dashboard", nil)
		served := 0
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ })
		asking := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, ok := oauthlogin.FromContext(r.Context()); ok {
				served++
			}
		})

		for _, test := range []struct {
			name string
			h    http.Handler
			r    *http.Request
			most float64
		}{
			{"RequireAuth", a.Auth.RequireAuth(next), signedIn, 3},
			{"RequireAuth behind Handler", a.Auth.Handler(a.Auth.RequireAuth(next)), signedIn, 3},
			{"RequireAuth and FromContext", a.Auth.RequireAuth(asking), signedIn, 4},
			{"Require with a policy that is satisfied", a.Auth.Require(oauthlogin.Policy{
				Claims: map[string][]string{"sub": {"alice"}, "email": {"alice@example.com"}}, MaxAge: time.Hour,
			})(next), signedIn, 3},
			{"Handler without a session", a.Auth.Handler(next), anonymous, 0},
			{"RequireAuth of a bound session", binding.Auth.RequireAuth(next), bound, 3},
			{"RequireAuth behind Handler of a bound session", binding.Auth.Handler(binding.Auth.RequireAuth(next)), bound, 3},
			{"Handler that binds, without a session", binding.Auth.Handler(next), anonymous, 0},
		} {
			t.Run(size.name+" "+test.name, func(t *testing.T) {
				const runs = 100
				w := apptest.NewDiscard()
				served = 0
				got := testing.AllocsPerRun(runs, func() {
					clear(w.Header())
					test.h.ServeHTTP(w, test.r)
				})
				if served != runs+1 { // once more to warm up
					t.Fatalf("handler ran %d times, want %d", served, runs+1)
				}
				if got > test.most {
					t.Errorf("%v allocations per request, want %v at most", got, test.most)
				}
			})
		}
	}
}

// A session that cannot be bound costs a request as little, but for the response that offers
// it again.
func TestAllocationsWithoutDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.BindDevices = true }})
		b := a.Browser(t)
		b.Login("/dashboard")
		r := b.Request(http.MethodGet, "/dashboard", nil)
		for name, value := range b.Cookies() {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		h := a.Auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for _, after := range []time.Duration{0, time.Minute} {
			time.Sleep(after)
			w := apptest.NewDiscard()
			if n := testing.AllocsPerRun(100, func() {
				clear(w.Header())
				h.ServeHTTP(w, r)
			}); n > 3 {
				t.Errorf("%v allocations %v after the login", n, after)
			}
		}
	})
}
