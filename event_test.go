package oauthlogin_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Each kind once for each thing that happens, in the order in which it does,
// with provider and subject.
func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newWatchedApp(t, offline{})
		a.more = func(mux *http.ServeMux) {
			page := a.count(func(http.ResponseWriter, *http.Request) {})
			mux.Handle("/admin", a.auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(page))
			mux.Handle("/recent", a.auth.Require(oauthlogin.Policy{MaxAge: time.Minute})(page))
		}
		b := a.browser(t)

		b.get("/")
		b.get("/dashboard")
		b.get("/login")
		a.events.want(t)
		b.login("/dashboard")
		a.events.want(t, "login test/alice")
		b.get("/dashboard")
		a.events.want(t)

		b.get("/admin")
		a.events.want(t, "denied test/alice forbidden")
		b.get("/admin", asScript...)
		a.events.want(t, "denied test/alice forbidden")

		time.Sleep(3 * time.Minute)
		b.get("/recent", asScript...)
		a.events.want(t, "step_up test/alice")
		b.follow("/recent")
		a.events.want(t, "step_up test/alice", "login test/alice")

		// A refresh that many wait for is one.
		time.Sleep(59*time.Minute + 30*time.Second)
		var requests sync.WaitGroup
		for range 4 {
			other := b.sameCookies(a.app)
			requests.Go(func() { other.get("/dashboard") })
		}
		requests.Wait()
		a.events.want(t, "refresh test/alice")
		b.get("/dashboard")
		a.events.want(t)

		// One that fails is not tried again at once.
		time.Sleep(59*time.Minute + 30*time.Second)
		a.wire.cutBy(func(*http.Request) (*http.Response, error) { return nil, errors.New("cut") })
		b.get("/dashboard")
		b.get("/dashboard")
		a.events.want(t, "refresh_failed test/alice error")
		a.wire.cutBy(nil)
		time.Sleep(time.Minute)
		b.get("/dashboard")
		a.events.want(t, "refresh test/alice")

		b.post("/logout", nil)
		a.events.want(t, "logout test/alice")
		b.post("/logout", nil)
		a.events.want(t)

		// A session that the provider ends is no logout.
		b.login("/dashboard")
		a.events.want(t, "login test/alice")
		a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
		})
		time.Sleep(59*time.Minute + 30*time.Second)
		for range 2 {
			if b.signedIn() {
				t.Error("the session outlived its grant")
			}
		}
		a.events.want(t, "refresh_failed test/alice error")
	})
}

// A login that failed has the *Error that Options.ErrorHandler gets, and no
// subject: nobody has signed in.
func TestEventsOfFailedLogins(t *testing.T) {
	t.Parallel()
	a := newWatchedApp(t, offline{})
	answer := func(change func(query url.Values)) func() {
		return func() {
			a.provider.Intercept(oauthlogintest.Authorization, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
				query := url.Values{"state": {r.URL.Query().Get("state")}, "iss": {a.provider.Issuer()}}
				change(query)
				w.Header().Set("Location", "https://app.test/auth/callback?"+query.Encode())
				w.WriteHeader(http.StatusSeeOther)
			})
		}
	}
	tokenEndpoint := func(status int, body string) func() {
		return func() {
			a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			})
		}
	}
	for _, test := range []struct {
		name  string
		setUp func()
		code  string
	}{
		{"the user says no", answer(func(q url.Values) { q.Set("error", "access_denied") }), "access_denied"},
		{"the provider says no", answer(func(q url.Values) { q.Set("error", "server_error") }), "authorization_failed"},
		{"another issuer answers", answer(func(q url.Values) { q.Set("iss", "https://evil.test"); q.Set("code", "x") }), "issuer_mismatch"},
		{"neither code nor error", answer(func(url.Values) {}), "invalid_request"},
		{"a code that is not accepted", tokenEndpoint(400, `{"error":"invalid_grant"}`), "invalid_grant"},
		{"a client that is not accepted", tokenEndpoint(401, `{"error":"invalid_client"}`), "provider_rejected"},
		{"an answer without an ID token", tokenEndpoint(200, `{"access_token":"x","token_type":"Bearer"}`), "provider_rejected"},
		{"a token endpoint that fails", tokenEndpoint(500, `oops`), "provider_unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.provider.Intercept(oauthlogintest.Authorization, nil)
			a.provider.Intercept(oauthlogintest.Token, nil)
			test.setUp()
			b := a.browser(t)
			if resp := b.follow("/login"); resp.StatusCode < 400 || b.signedIn() {
				t.Errorf("login: %d", resp.StatusCode)
			}
			a.events.want(t, "login test/ "+test.code)
		})
	}
}
