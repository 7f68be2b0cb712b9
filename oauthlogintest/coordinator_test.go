package oauthlogintest_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestCoordinator(t *testing.T) {
	t.Parallel()
	shared := oauthlogintest.NewCoordinator()
	oauthlogintest.CheckCoordinator(t, func() oauthlogin.Coordinator { return shared })
}

func TestCoordinatorOutage(t *testing.T) {
	t.Parallel()
	shared := oauthlogintest.NewCoordinator()
	open := func() oauthlogin.Coordinator { return shared }
	oauthlogintest.CheckCoordinatorOutage(t, open, func() { shared.SetDown(true) }, func() { shared.SetDown(false) })
}

// A restart that is over before a watcher has noticed anything is a gap all the same.
func TestCoordinatorRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := oauthlogintest.NewCoordinator()
		var watching sync.WaitGroup
		watching.Go(func() {
			if err := shared.Watch(t.Context(), func() {}, func(string) {}); err == nil {
				t.Error("Watch returns no error")
			}
		})
		swap(t, shared, "a", time.Hour)
		synctest.Wait()
		shared.SetDown(true)
		shared.Clear()
		shared.SetDown(false)
		watching.Wait()
		if values, err := shared.Load(t.Context(), "a"); err != nil || values[0] != nil {
			t.Errorf("Load returns %q, %v", values, err)
		}
	})
}

// Hours are over at once in a bubble, and a Watch that nothing stops does not keep it open.
func TestCoordinatorInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := oauthlogintest.NewCoordinator()
		ctx, cancel := context.WithCancel(t.Context())
		var heard []string
		go func() { _ = shared.Watch(ctx, func() {}, func(key string) { heard = append(heard, key) }) }()
		synctest.Wait()
		swap(t, shared, "a", time.Hour)
		time.Sleep(time.Hour - 1)
		if values, err := shared.Load(t.Context(), "a"); err != nil || values[0] == nil {
			t.Errorf("Load returns %q, %v", values, err)
		}
		time.Sleep(time.Nanosecond)
		if values, err := shared.Load(t.Context(), "a"); err != nil || values[0] != nil {
			t.Errorf("Load returns %q, %v after the ttl", values, err)
		}
		synctest.Wait()
		if len(heard) != 1 {
			t.Errorf("Watch reports %q", heard)
		}
		cancel()
	})
}

func swap(t *testing.T, c oauthlogin.Coordinator, key string, ttl time.Duration) {
	t.Helper()
	if done, err := c.Swap(t.Context(), key, nil, []byte("1"), ttl, true); err != nil || !done {
		t.Fatalf("Swap returns %t, %v", done, err)
	}
}
