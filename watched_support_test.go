package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin"
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
