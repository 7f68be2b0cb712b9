package oauthlogin_test

import (
	"errors"
	"net/http"
	"net/url"
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

// The event of a failed login has the *Error that Options.ErrorHandler gets, and
// no subject.
func TestEventsOfFailedLogins(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	respond := func(change func(query url.Values)) func() {
		return func() { a.AuthorizationResponse(change) }
	}
	tokenEndpoint := func(status int, body string) func() {
		return func() { a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(status, body)) }
	}
	for _, test := range []struct {
		name  string
		setUp func()
		code  string
	}{
		{"the user cancels", respond(func(q url.Values) { q.Set("error", "access_denied") }), "access_denied"},
		{"the provider refuses", respond(func(q url.Values) { q.Set("error", "server_error") }), "authorization_failed"},
		{"another issuer responds", respond(func(q url.Values) { q.Set("iss", "https://evil.test"); q.Set("code", "x") }), "issuer_mismatch"},
		{"neither code nor error", respond(func(url.Values) {}), "invalid_request"},
		{"a code that is not accepted", tokenEndpoint(400, `{"error":"invalid_grant"}`), "invalid_grant"},
		{"a client that is not accepted", tokenEndpoint(401, `{"error":"invalid_client"}`), "provider_rejected"},
		{"a token response without an ID token", tokenEndpoint(200, `{"access_token":"x","token_type":"Bearer"}`), "provider_rejected"},
		{"a token endpoint that fails", tokenEndpoint(500, `oops`), "provider_unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.Provider.Intercept(oauthlogintest.Authorization, nil)
			a.Provider.Intercept(oauthlogintest.Token, nil)
			test.setUp()
			b := a.Browser(t)
			if resp := b.Follow("/login"); resp.StatusCode < 400 || b.SignedIn() {
				t.Errorf("login: %d", resp.StatusCode)
			}
			a.Events.Want(t, "login test/ "+test.code)
		})
	}
}
