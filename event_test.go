package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// eventLog keeps what Options.OnEvent was told.
type eventLog struct {
	mu     sync.Mutex
	events []oauthlogin.Event
}

func (l *eventLog) add(_ context.Context, e oauthlogin.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take returns the events since the last time, and forgets them.
func (l *eventLog) take() []oauthlogin.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

// want fails the test unless exactly these events came since the last time,
// in this order: "login test/alice", and with an error "login test/
// access_denied", by the code of an *Error, or "refresh_failed test/alice error".
func (l *eventLog) want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, e := range l.take() {
		text := fmt.Sprintf("%s %s/%s", e.Kind, e.Provider, e.Subject)
		var failed *oauthlogin.Error
		switch {
		case errors.As(e.Err, &failed):
			text += " " + failed.Code
		case e.Err != nil:
			text += " error"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q; want %q", got, want)
	}
}

// A watchedApp is a wiredApp whose events are kept, and whose provider has a
// key that is quick to make.
type watchedApp struct {
	*wiredApp
	events *eventLog
}

func newWatchedApp(t *testing.T, with offline) *watchedApp {
	t.Helper()
	a := &watchedApp{events: &eventLog{}}
	change := with.change
	with.change = func(opts *oauthlogin.Options) {
		opts.OnEvent = a.events.add
		if change != nil {
			change(opts)
		}
	}
	a.wiredApp = newWiredApp(t, with)
	a.provider.SetKeyAlg("ES256")
	return a
}

// restart puts a new middleware with the same keys in place of the old one.
func (a *watchedApp) restart(t *testing.T) {
	t.Helper()
	a.auth = newAuth(t, a.options(a.URL, func(opts *oauthlogin.Options) {
		opts.HTTPClient = &http.Client{Transport: a.wire}
		opts.OnEvent = a.events.add
	}))
}

// issued returns the last token of this name that the token endpoint gave.
func (a *watchedApp) issued(name string) string {
	a.wire.mu.Lock()
	defer a.wire.mu.Unlock()
	for _, answer := range slices.Backward(a.wire.answers) {
		var tokens map[string]any
		if json.Unmarshal([]byte(answer), &tokens) == nil && tokens[name] != nil {
			return fmt.Sprint(tokens[name])
		}
	}
	return ""
}

// sameCookies returns another browser with the cookies of this one.
func (b *browser) sameCookies(a *app) *browser {
	other := a.browser(b.t)
	for name, value := range b.cookies() {
		other.setCookie(name, value)
	}
	return other
}

// asScript are the headers of a fetch by a page.
var asScript = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "application/json"}

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
