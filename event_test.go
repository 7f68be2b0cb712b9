package oauthlogin_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Each event is reported once, in order, with provider and subject.
func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Routes = func(mux *http.ServeMux) {
			page := a.Count(func(http.ResponseWriter, *http.Request) {})
			mux.Handle("/admin", a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(page))
			mux.Handle("/recent", a.Auth.Require(oauthlogin.Policy{MaxAge: time.Minute})(page))
		}
		b := a.Browser(t)

		b.Get("/")
		b.Get("/dashboard")
		b.Get("/login")
		a.Events.Want(t)
		b.Login("/dashboard")
		a.Events.Want(t, "login test/alice")
		b.Get("/dashboard")
		a.Events.Want(t)

		b.Get("/admin")
		a.Events.Want(t, "denied test/alice forbidden")
		b.Get("/admin", apptest.AsScript...)
		a.Events.Want(t, "denied test/alice forbidden")

		time.Sleep(3 * time.Minute)
		b.Get("/recent", apptest.AsScript...)
		a.Events.Want(t, "step_up test/alice")
		b.Follow("/recent")
		a.Events.Want(t, "step_up test/alice", "login test/alice")

		// Concurrent requests share one refresh, and its event.
		time.Sleep(59*time.Minute + 30*time.Second)
		var requests sync.WaitGroup
		for range 4 {
			other := b.Clone()
			requests.Go(func() { other.Get("/dashboard") })
		}
		requests.Wait()
		a.Events.Want(t, "refresh test/alice")
		b.Get("/dashboard")
		a.Events.Want(t)

		// A refresh that fails is not tried again at once.
		time.Sleep(59*time.Minute + 30*time.Second)
		a.Wire.CutBy(func(*http.Request) (*http.Response, error) { return nil, errors.New("cut") })
		b.Get("/dashboard")
		b.Get("/dashboard")
		a.Events.Want(t, "refresh_failed test/alice error")
		a.Wire.CutBy(nil)
		time.Sleep(time.Minute)
		b.Get("/dashboard")
		a.Events.Want(t, "refresh test/alice")

		b.Post("/logout", nil)
		a.Events.Want(t, "logout test/alice")
		b.Post("/logout", nil)
		a.Events.Want(t)

		// A session that the provider ends is not a logout.
		b.Login("/dashboard")
		a.Events.Want(t, "login test/alice")
		a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
		time.Sleep(59*time.Minute + 30*time.Second)
		for range 2 {
			if b.SignedIn() {
				t.Error("the session outlived its grant")
			}
		}
		a.Events.Want(t, "refresh_failed test/alice error")
	})
}

// An event says how long it took, why it failed, and whether the session has ended with it.
func TestEventDetails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		want := func(kind oauthlogin.EventKind, code string, ended bool, duration time.Duration) {
			t.Helper()
			events := a.Events.Take()
			if len(events) != 1 {
				t.Fatalf("%d events %v; want one", len(events), events)
			}
			e := events[0]
			if e.Kind != kind || e.Code != code || e.Ended != ended || e.Duration.Truncate(time.Second) != duration {
				t.Errorf("%s, code %q, ended %t, after %v; want %s, %q, %t, %v", e.Kind, e.Code, e.Ended, e.Duration, kind, code, ended, duration)
			}
		}
		slowly := func(seconds time.Duration, status int, body string) {
			respond := apptest.RespondWith(status, body)
			a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				time.Sleep(seconds * time.Second)
				if status == http.StatusOK {
					next(w, r)
					return
				}
				respond(w, r, next)
			})
		}
		wait := func() { time.Sleep(59*time.Minute + 30*time.Second) }

		callback := b.CallbackURL("/dashboard")
		time.Sleep(40 * time.Second) // at the provider
		slowly(2, http.StatusOK, "")
		b.Follow(callback)
		want(oauthlogin.EventLogin, "", false, 42*time.Second)

		wait()
		b.Get("/dashboard")
		want(oauthlogin.EventRefresh, "", false, 2*time.Second)

		for _, failure := range []struct {
			status     int
			body, code string
		}{
			{http.StatusServiceUnavailable, "down", "provider_unavailable"},
			{http.StatusBadRequest, `{"error":"invalid_client"}`, "provider_rejected"},
			{http.StatusBadRequest, `{"error":"invalid_request"}`, "provider_rejected"},
		} {
			wait()
			slowly(3, failure.status, failure.body)
			b.Get("/dashboard")
			want(oauthlogin.EventRefreshFailed, failure.code, false, 3*time.Second)
			slowly(0, http.StatusOK, "")
			time.Sleep(5 * time.Minute)
			b.Get("/dashboard")
			want(oauthlogin.EventRefresh, "", false, 0)
		}

		b.Post("/logout", nil)
		want(oauthlogin.EventLogout, "", true, 0)

		b.Login("/dashboard")
		a.Events.Take()
		wait()
		slowly(1, http.StatusBadRequest, `{"error":"invalid_grant"}`)
		b.Get("/dashboard")
		want(oauthlogin.EventRefreshFailed, "invalid_grant", true, time.Second)

		callback = b.CallbackURL("/dashboard")
		time.Sleep(10 * time.Second)
		b.Follow(callback)
		want(oauthlogin.EventLogin, "invalid_grant", false, 11*time.Second)
	})
}
