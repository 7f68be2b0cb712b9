package oauthlogintest

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// CheckCoordinatorOutage tests an [oauthlogin.Coordinator] whose server becomes unreachable and
// responds again later. stop makes the server unreachable in one way, such as killing it,
// suspending it or cutting connections; start ends that. The server may lose its data. open is
// as for [CheckCoordinator].
func CheckCoordinatorOutage(t *testing.T, open func() oauthlogin.Coordinator, stop, start func()) {
	c := &coordinatorCheck{t: t, open: open, c: open(), prefix: rand.Text()}
	other := c.open()
	watches := []*checkedWatch{c.watch(c.c), c.watch(other)}
	key, unknown := c.key("before"), c.key("unknown")
	c.swap(true, key, "", "1", time.Hour, true)
	for _, w := range watches {
		w.want(key)
	}

	stopped := time.Now()
	stop()
	for _, w := range watches {
		w.wantLost(stopped)
	}
	c.wantFailure(func(ctx context.Context) error {
		_, err := c.c.Load(ctx, key)
		return err
	})
	c.wantFailure(func(ctx context.Context) error {
		_, err := other.Swap(ctx, unknown, nil, []byte("1"), time.Hour, true)
		return err
	})
	watching, cancel := context.WithTimeout(t.Context(), checkPatience)
	defer cancel()
	if err := c.c.Watch(watching, func() { t.Error("Watch is ready without the server") }, func(string) {}); err == nil || watching.Err() != nil {
		t.Errorf("Watch returns %v without the server", err)
	}

	start()
	var loaded [][]byte
	c.eventually(func(ctx context.Context) (err error) {
		loaded, err = c.c.Load(ctx, unknown, key)
		return err
	})
	// An error of Swap means unknown.
	if value := string(loaded[0]); value != "" && value != "1" {
		t.Errorf("the key holds %q", value)
	}
	c.eventually(func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		return ignoreCanceled(ctx, c.c.Watch(ctx, cancel, func(string) {}))
	})
	again := c.watch(c.c)
	c.eventually(func(ctx context.Context) error {
		_, err := other.Swap(ctx, c.key("after"), nil, []byte("1"), time.Hour, true)
		return err
	})
	// The swap of unknown outcome may be carried out first, and heard.
	for late := time.After(checkPatience); ; {
		select {
		case heard := <-again.heard:
			if heard == c.key("after") {
				return
			}
		case <-late:
			t.Fatal("a change after the outage is not heard")
		}
	}
}

// wantLost fails the test unless Watch has returned within 4 seconds after the server became
// unreachable: [oauthlogin.Coordinator] allows 3.
func (w *checkedWatch) wantLost(since time.Time) {
	w.t.Helper()
	select {
	case err := <-w.returned:
		w.returned <- err
		if err == nil {
			w.t.Error("Watch returns no error")
		}
		w.t.Logf("Watch returned after %v: %v", time.Since(since).Round(time.Millisecond), err)
	case <-time.After(time.Until(since.Add(4 * time.Second))):
		w.t.Error("Watch still runs 4 seconds after the server became unreachable")
	}
}

// wantFailure fails the test unless f fails within 2 seconds.
func (c *coordinatorCheck) wantFailure(f func(context.Context) error) {
	c.t.Helper()
	start := time.Now()
	if err := f(c.t.Context()); err == nil {
		c.t.Error("a call succeeds without the server")
	}
	if took := time.Since(start); took > 2*time.Second {
		c.t.Errorf("a call without the server takes %v", took)
	}
}

// eventually calls f until it succeeds.
func (c *coordinatorCheck) eventually(f func(context.Context) error) {
	c.t.Helper()
	var errs []error
	for deadline := time.Now().Add(checkPatience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		err := f(c.t.Context())
		if err == nil {
			return
		}
		errs = append(errs, err)
	}
	c.t.Fatalf("still failing %v after the server came back: %v", checkPatience, slices.Compact(errs))
}

// ignoreCanceled returns nil if ctx is over, else err.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
