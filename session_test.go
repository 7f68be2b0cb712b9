package oauthlogin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

func TestFromContext(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Guard("/claims", func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		var claims struct {
			Issuer string `json:"iss"`
			Nick   string `json:"nick"`
		}
		if err := s.User.Claims(&claims); err != nil {
			t.Error(err)
		}
		if err := s.User.Claims(&[]string{}); err == nil {
			t.Error("claims are decoded into a list")
		}
		if err := (&oauthlogin.User{}).Claims(&claims); err == nil {
			t.Error("the zero User has claims")
		}
		if token := s.Token(); token.RefreshToken != "" || token.Extra("id_token") != nil || token.Type() != "Bearer" || !token.Valid() {
			t.Error("the token is more, or less, than an access token")
		}
		u := s.User
		fmt.Fprintf(w, "%s|%s|%s|%s|%t|%s|%s", u.Provider, u.Issuer, u.Subject, u.Email, u.EmailVerified, claims.Issuer, claims.Nick)
	})
	a.Provider.EditIDToken(func(_, claims map[string]any) { claims["nick"] = "Ali" })
	b := a.Browser(t)
	b.Login("/")
	const want = "test|https://provider.test|alice|alice@example.com|true|https://provider.test|Ali"
	if got := b.Get("/claims").Text; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s, ok := oauthlogin.FromContext(t.Context()); ok || s != nil {
		t.Error("a context without a request has a session")
	}
}

// An outer handler's goroutine reads the session while RequireAuth inside refreshes it.
// The race detector watches.
func TestSessionIsReadDuringRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		inner := a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			json.NewEncoder(w).Encode(s.User)
		}))
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/raced", func(w http.ResponseWriter, r *http.Request) {
				s, _ := oauthlogin.FromContext(r.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for range 1000 {
						if s.User.Subject != "alice" {
							t.Error(s.User.Subject)
						}
					}
				})
				inner.ServeHTTP(w, r)
				wg.Wait()
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(2 * time.Hour)
		if resp := b.Get("/raced"); apptest.UserOf(t, resp).Subject != "alice" {
			t.Error(resp.Text)
		}
		a.WantRefreshes(t, 1)
	})
}

// After a logout in the same request, and behind an inner Middleware without a session,
// FromContext has none.
func TestFromContextHasNone(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	inner := apptest.NewAuth(t, apptest.ValidOptions())
	has := func(r *http.Request) string { _, ok := oauthlogin.FromContext(r.Context()); return fmt.Sprint(ok) }
	a.Guard("/out", func(w http.ResponseWriter, r *http.Request) {
		before := has(r)
		a.Auth.SignOut(w, r)
		fmt.Fprint(w, before, has(r))
	})
	a.Guard("/nested", func(w http.ResponseWriter, r *http.Request) {
		outside := has(r)
		inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, outside, has(r))
			a.Auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, has(r)) })).ServeHTTP(w, r)
		})).ServeHTTP(w, r)
	})
	b := a.Browser(t)
	b.Login("/dashboard")
	if got := b.Get("/nested").Text; got != "truefalsetrue" {
		t.Errorf("nested: %s", got)
	}
	if got := b.Get("/out").Text; got != "truefalse" {
		t.Errorf("after SignOut: %s", got)
	}
}

// A session belongs to its request, although the instance keeps what it has opened.
func TestHandlersCannotChangeCachedSessions(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	cookies := a.SignIn(t, "alice").Cookies()
	first, _ := apptest.Visit(t, a.Auth, cookies)
	claims, token := bytes.Clone(first.User.RawClaims), first.Token().AccessToken

	for range 3 {
		s, _ := apptest.Visit(t, a.Auth, cookies)
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

// However the application gets a session, its claims are there, and are its own.
func TestClaimsAreOfTheRequest(t *testing.T) {
	var auth *oauthlogin.Middleware
	var claims []string
	look := func(s *oauthlogin.Session) {
		if s == nil {
			t.Error("no session")
			return
		}
		claims = append(claims, string(s.User.RawClaims))
		clear(s.User.RawClaims)
	}
	fromContext := func(ctx context.Context) {
		s, _ := oauthlogin.FromContext(ctx)
		look(s)
	}
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
			if in.Previous != nil {
				look(in.Previous)
			}
			return nil
		}
	}})
	auth = a.Auth
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/allowed", auth.Require(oauthlogin.Policy{Allow: func(_ context.Context, s *oauthlogin.Session) error {
			look(s)
			return nil
		}})(http.NotFoundHandler()))
		mux.HandleFunc("/open", func(_ http.ResponseWriter, r *http.Request) {
			for _, r := range []*http.Request{r, r.Clone(context.Background())} {
				s, err := auth.Session(r)
				if err != nil {
					t.Error(err)
				}
				look(s)
			}
		})
	}
	a.Guard("/guarded", func(_ http.ResponseWriter, r *http.Request) {
		var both sync.WaitGroup
		both.Go(func() { oauthlogin.FromContext(r.Context()) })
		both.Go(func() { oauthlogin.FromContext(r.Context()) })
		both.Wait()
		fromContext(r.Context())
	})
	b := a.Browser(t)
	b.Login("/guarded")
	b.Get("/allowed")
	b.Get("/open")
	b.Login("/guarded")
	if len(claims) != 6 {
		t.Errorf("saw %d sessions, want 6", len(claims))
	}
	for i, got := range claims[:min(5, len(claims))] { // the last is of the second login
		if got == "" || got != claims[0] {
			t.Errorf("session %d has the claims %q, want %q", i, got, claims[0])
		}
	}
}

// Session is the decision of RequireAuth alone: it has no response to write to,
// and writes nothing in a store.
func TestSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &stubbornStore{Store: apptest.FileStore(t)}
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Store = store }})
		same := false
		decide := func(w http.ResponseWriter, r *http.Request) {
			s, err := a.Auth.Session(r)
			known, ok := oauthlogin.FromContext(r.Context())
			same = ok && s == known
			if s == nil {
				fmt.Fprint(w, "signed out, ", err)
				return
			}
			fmt.Fprint(w, s.User.Subject, s.User.Email, err)
		}
		ask := func(h http.Handler, cookies map[string]string) string {
			r := httptest.NewRequest(http.MethodGet, "https://app.test/x", nil)
			for name, value := range cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Body.String()
		}
		bare := http.HandlerFunc(decide)
		b := a.Browser(t)
		for name, h := range map[string]http.Handler{"bare": bare, "behind Handler": a.Auth.Handler(bare)} {
			if got := ask(h, nil); got != "signed out, <nil>" {
				t.Errorf("%s, without a cookie: %s", name, got)
			}
			if got := ask(h, map[string]string{apptest.SessionCookie: "nonsense"}); got != "signed out, <nil>" {
				t.Errorf("%s, with a cookie of nonsense: %s", name, got)
			}
		}
		b.Login("/dashboard")
		time.Sleep(23 * time.Hour) // a refresh and a reseal are due
		saved, cookies := store.saved, b.Cookies()
		const alice = "alicealice@example.com<nil>"
		if got := ask(bare, cookies); got != alice || store.saved != saved {
			t.Errorf("bare: %s, after %d writes", got, store.saved-saved)
		}
		a.WantRefreshes(t, 0)
		// Behind Handler it is the session in the context, read once.
		if got := ask(a.Auth.Handler(bare), cookies); got != alice || !same {
			t.Errorf("behind Handler: %s, the same as FromContext: %t", got, same)
		}
		a.WantRefreshes(t, 0)
		store.err = errors.New("down")
		for name, h := range map[string]http.Handler{"bare": bare, "behind Handler": a.Auth.Handler(bare)} {
			if got := ask(h, cookies); !strings.HasPrefix(got, "signed out, oauthlogin: load session: ") || !strings.Contains(got, "down") {
				t.Errorf("%s, while the store is down: %s", name, got)
			}
		}
		store.err = nil
		b.Post("/logout", nil)
		if got := ask(bare, cookies); got != "signed out, <nil>" {
			t.Errorf("after a logout: %s", got)
		}
	})
}

// SignedInAt stays for the whole session; Expires moves with its use, up to the
// lifetime.
func TestSessionTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
			o.IdleTimeout, o.MaxLifetime = 10*time.Hour, 24*time.Hour
		}})
		var session *oauthlogin.Session
		a.Guard("/times", func(_ http.ResponseWriter, r *http.Request) { session, _ = oauthlogin.FromContext(r.Context()) })
		b := a.Browser(t)
		login := time.Now()
		b.Login("/times")
		used := login // when the cookie was written
		for range 3 {
			want := used.Add(10 * time.Hour)
			if end := login.Add(24 * time.Hour); end.Before(want) {
				want = end
			}
			if in, end := session.SignedInAt(), session.Expires(); !in.Equal(login) || !end.Equal(want) {
				t.Errorf("after %v: signed in at %v, expires at %v; want %v and %v", time.Since(login), in, end, login, want)
			}
			time.Sleep(8 * time.Hour)
			used = time.Now()
			b.Get("/times") // writes the cookie
			b.Get("/times") // is shown it
		}
		if session.Expires().After(login.Add(24 * time.Hour)) {
			t.Errorf("expires at %v", session.Expires())
		}
	})
}
