package apptest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// Events keeps what Options.OnEvent was told.
type Events struct {
	mu     sync.Mutex
	events []oauthlogin.Event
}

// Add is an Options.OnEvent.
func (l *Events) Add(_ context.Context, e oauthlogin.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// Take returns the events since the last time, and forgets them.
func (l *Events) Take() []oauthlogin.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

// Want fails the test unless exactly these events came since the last time,
// in this order: "login test/alice", and with an error "login test/
// access_denied", by the code of an *Error, or "refresh_failed test/alice error".
func (l *Events) Want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, e := range l.Take() {
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
