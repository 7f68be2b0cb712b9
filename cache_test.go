package oauthlogin_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Sessions that were opened once are kept in memory. Nobody may notice, but
// for the time it takes.

// replay serves a request with exactly these cookies, and returns the session
// that the handler got, nil if it did not run.
func replay(auth *oauthlogin.Middleware, cookies map[string]string) (s *oauthlogin.Session) {
	r := httptest.NewRequest(http.MethodGet, "https://app.test/page", nil)
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ = oauthlogin.FromContext(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
	return s
}

// signInAs returns the cookies of a new session.
func signInAs(t *testing.T, a *apptest.App, subject string) map[string]string {
	t.Helper()
	a.Provider.AutoApprove(subject)
	b := a.Browser(t)
	b.Login("/dashboard")
	return b.Cookies()
}

func TestCachedSessionsNeverMix(t *testing.T) {
	for _, size := range []struct {
		name string
		more func(subject string) string // of the access token
	}{
		{"one cookie", func(string) string { return "" }},
		{"three cookies", func(string) string { return apptest.Noise(5000) }},
		{"three cookies, nearly the same", func(string) string { return nearlyRandom }},
	} {
		t.Run(size.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			const users = 12
			var cookies [users]map[string]string
			for i := range cookies {
				subject := fmt.Sprintf("user-%02d", i)
				a.Provider.EditTokenResponse(func(resp map[string]any) {
					resp["access_token"] = "token-of-" + subject + size.more(subject)
				})
				a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "at_hash") })
				cookies[i] = signInAs(t, a, subject)
			}
			// Two that have the same keys, and opened nothing yet: at first all
			// miss the cache together.
			auths := []*oauthlogin.Middleware{
				a.Replica(t, nil), a.Replica(t, nil),
			}
			var wg sync.WaitGroup
			for worker := range 8 {
				wg.Go(func() {
					for round := range 40 {
						i := (worker*5 + round*7) % users
						s := replay(auths[round%len(auths)], cookies[i])
						subject := fmt.Sprintf("user-%02d", i)
						if s == nil || s.User.Subject != subject || !strings.Contains(string(s.User.RawClaims), subject) ||
							!strings.HasPrefix(s.Token().AccessToken, "token-of-"+subject) {
							t.Errorf("cookies of %s lead to %v", subject, s)
							return
						}
						runtime.Gosched()
					}
				})
			}
			wg.Wait()
		})
	}
}

// nearlyRandom does not compress, and is the same in all sessions.
var nearlyRandom = apptest.Noise(5000)

func TestHandlersCannotChangeCachedSessions(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	cookies := signInAs(t, a, "alice")
	first := replay(a.Auth, cookies)
	claims, token := bytes.Clone(first.User.RawClaims), first.Token().AccessToken

	for range 3 {
		s := replay(a.Auth, cookies)
		if !bytes.Equal(s.User.RawClaims, claims) || s.User.Subject != "alice" || s.Token().AccessToken != token {
			t.Fatalf("session is %v with claims %s, want those of the first request", s, s.User.RawClaims)
		}
		for i := range s.User.RawClaims {
			s.User.RawClaims[i] = 'x'
		}
		s.User.RawClaims = append(s.User.RawClaims[:0], "scribble"...)
		s.User.Subject, s.User.Email, s.User.EmailVerified = "mallory", "mallory@example.com", true
		*s.Token() = oauth2.Token{AccessToken: "stolen"}
		if s.Token().AccessToken != token {
			t.Error("Token returns what a handler changed")
		}
	}
}

// What ends a session is asked for each request, whatever the cache has.
func TestLimitsOfCachedSessions(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration // between requests with the same cookie
		ends  time.Duration
	}{
		{"unused", 61 * time.Minute, time.Hour},
		{"used without its new cookie", 7 * time.Minute, time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{
					Provider: oauthlogintest.Config{AccessTokenTTL: 100 * time.Hour},
					Change:   func(opts *oauthlogin.Options) { opts.IdleTimeout = time.Hour },
				})
				cookies := signInAs(t, a, "alice")
				start := time.Now()
				for {
					since := time.Since(start)
					if got := replay(a.Auth, cookies) != nil; got != (since < test.ends) {
						t.Fatalf("signed in %v after %v, want %v", got, since, !got)
					}
					if since >= test.ends {
						return
					}
					time.Sleep(test.every)
				}
			})
		})
	}

	t.Run("absolute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{
				Provider: oauthlogintest.Config{AccessTokenTTL: 100 * time.Hour},
				Change: func(opts *oauthlogin.Options) {
					opts.IdleTimeout, opts.MaxLifetime = 3*time.Hour, 3*time.Hour
				},
			})
			cookies := signInAs(t, a, "alice")
			time.Sleep(3*time.Hour - time.Second)
			if replay(a.Auth, cookies) == nil {
				t.Fatal("signed out before the limit")
			}
			time.Sleep(time.Second)
			if replay(a.Auth, cookies) != nil {
				t.Error("signed in past the limit")
			}
		})
	})

	t.Run("access token without a refresh token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{NoRefreshTokens: true}})
			cookies := signInAs(t, a, "alice")
			time.Sleep(time.Hour - time.Second)
			if replay(a.Auth, cookies) == nil {
				t.Fatal("signed out before the token expired")
			}
			time.Sleep(time.Second)
			if replay(a.Auth, cookies) != nil {
				t.Error("signed in with an expired token")
			}
		})
	})
}

func TestLogoutOfCachedSession(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	cookies := b.Cookies()
	if replay(a.Auth, cookies) == nil {
		t.Fatal("not signed in")
	}
	b.Post("/logout", nil)
	if replay(a.Auth, cookies) != nil {
		t.Error("signed in after the logout")
	}
}

func TestRemovedKeyOfCachedSession(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	cookies := signInAs(t, a, "alice")
	with := func(keys ...[]byte) *oauthlogin.Middleware {
		return a.Replica(t, func(opts *oauthlogin.Options) { opts.Keys = keys })
	}
	both, one := with(apptest.Key(2), apptest.Key(1)), with(apptest.Key(2))
	for range 2 {
		if replay(a.Auth, cookies) == nil || replay(both, cookies) == nil {
			t.Error("signed out with the key in place")
		}
		if replay(one, cookies) != nil {
			t.Error("signed in without the key")
		}
	}
}

// The cache is looked up by the first chunk.
func TestChunksOfCachedSessions(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "at_hash") })
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = apptest.Noise(3000) })
	alice, bob := signInAs(t, a, "alice"), signInAs(t, a, "bob")
	const second = apptest.SessionCookie + ".1"
	if alice[second] == "" || bob[second] == "" {
		t.Fatal("sessions are in one cookie")
	}
	mixed := func(change func(mixed map[string]string)) map[string]string {
		cookies := maps.Clone(alice)
		change(cookies)
		return cookies
	}
	// Every chunk begins with the mark of its write.
	mark := alice[second][:6]
	tests := []struct {
		name    string
		cookies map[string]string
	}{
		{"the second chunk of another", mixed(func(m map[string]string) { m[second] = bob[second] })},
		{"the second chunk of another with our mark", mixed(func(m map[string]string) { m[second] = mark + bob[second][6:] })},
		{"the second chunk cut short", mixed(func(m map[string]string) { m[second] = m[second][:len(m[second])-1] })},
		{"the second chunk empty but for the mark", mixed(func(m map[string]string) { m[second] = mark })},
		{"the second chunk and more", mixed(func(m map[string]string) { m[second] += "A" })},
		{"no second chunk", mixed(func(m map[string]string) { delete(m, second) })},
		{"the first chunk said to be all", mixed(func(m map[string]string) { m[apptest.SessionCookie] = "1" + m[apptest.SessionCookie][1:] })},
	}
	for range 2 {
		for _, cookies := range []map[string]string{alice, bob} {
			if replay(a.Auth, cookies) == nil {
				t.Fatal("signed out with its own chunks")
			}
		}
		for _, test := range tests {
			if s := replay(a.Auth, test.cookies); s != nil {
				t.Errorf("%s: signed in as %v", test.name, s)
			}
		}
	}
}

// Memory does not grow with the sessions that come by.
func TestCacheIsBounded(t *testing.T) {
	const (
		sealed = 1000
		most   = 80 << 20 // bytes; without a bound there would be over 95 MiB
	)
	a := apptest.New(t, apptest.Config{Change: apptest.PlainOAuth})
	// Long in memory, and short in a cookie.
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["access_token"] = strings.Repeat("a", 100_000) })
	cookies := signInAs(t, a, "alice")
	with := func(keys ...[]byte) *oauthlogin.Middleware {
		return a.Replica(t, func(opts *oauthlogin.Options) {
			apptest.PlainOAuth(opts)
			opts.Keys = keys
		})
	}
	// What was sealed with the old key is sealed anew for each request.
	rotating, auth := with(apptest.Key(2), apptest.Key(1)), with(apptest.Key(2))
	before := apptest.HeapBytes()
	for range sealed {
		if _, renewed := visit(rotating, cookies); replay(auth, renewed) == nil {
			t.Fatal("not signed in with the renewed cookies")
		}
	}
	if grown := apptest.HeapBytes() - before; grown > most {
		t.Errorf("%d sealed values take %d MiB, want %d at most", sealed, grown>>20, most>>20)
	}
	runtime.KeepAlive(auth)
}
