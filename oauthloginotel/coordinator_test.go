package oauthloginotel_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"go.opentelemetry.io/otel/codes"
)

// A Coordinator that is measured keeps the contract.
func TestCoordinatorContract(t *testing.T) {
	t.Parallel()
	inner := oauthlogintest.NewCoordinator()
	r := record(t)
	oauthlogintest.CheckCoordinator(t, func() oauthlogin.Coordinator { return r.Coordinator(inner) })
	oauthlogintest.CheckCoordinatorOutage(t, func() oauthlogin.Coordinator { return r.Coordinator(inner) },
		func() { inner.SetDown(true) }, func() { inner.SetDown(false) })
}

func TestNoCoordinator(t *testing.T) {
	t.Parallel()
	if c := record(t).Coordinator(nil); c != nil {
		t.Errorf("the Coordinator is %v", c)
	}
}

// A watch that never becomes ready is 0, and not absent.
func TestCoordinatorWatchFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := oauthlogintest.NewCoordinator()
		inner.SetDown(true)
		r := record(t)
		c := r.Coordinator(inner)
		for range 2 {
			if err := c.Watch(t.Context(), func() { t.Error("the watch is ready") }, func(string) {}); err == nil {
				t.Error("Watch returns no error")
			}
			r.want("", "oauthlogin.coordinator.watches{} 0")
		}
		inner.SetDown(false)
		go c.Watch(t.Context(), func() {}, func(string) {})
		synctest.Wait()
		r.want("", "oauthlogin.coordinator.watches{} 1")
	})
}

// Operations are timed by kind and outcome, and a watch counts as long as it is ready.
func TestCoordinator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := oauthlogintest.NewCoordinator()
		r := record(t)
		c := r.Coordinator(inner)
		r.want("") // an instance without users is not one that is not told of changes

		watched := make(chan error)
		go func() { watched <- c.Watch(t.Context(), func() {}, func(string) {}) }()
		synctest.Wait()
		swap := func(old, to string, tell bool) {
			c.Swap(t.Context(), "key", []byte(old), []byte(to), time.Minute, tell)
		}
		swap("", "1", true)
		swap("", "2", true)
		c.Load(t.Context(), "key")
		c.Load(t.Context(), "key", "other")
		synctest.Wait()
		r.want("oauthlogin.coordinator.watches", "oauthlogin.coordinator.watches{} 1")
		inner.SetDown(true)
		if err := <-watched; err == nil {
			t.Error("Watch returns no error")
		}
		swap("1", "2", false)
		r.want("oauthlogin.coordinator.",
			"oauthlogin.coordinator.watches{} 0",
			"oauthlogin.coordinator.changes{} 1",
			"oauthlogin.coordinator.operation.duration{oauthlogin.coordinator.operation=load} 2, 0 s",
			"oauthlogin.coordinator.operation.duration{oauthlogin.coordinator.operation=swap,oauthlogin.coordinator.swapped=true} 1, 0 s",
			"oauthlogin.coordinator.operation.duration{oauthlogin.coordinator.operation=swap,oauthlogin.coordinator.swapped=false} 1, 0 s",
			"oauthlogin.coordinator.operation.duration{error.type=_OTHER,oauthlogin.coordinator.operation=swap} 1, 0 s",
		)
		spans := r.ended("oauthlogin.coordinator.swap")
		if len(spans) != 3 || spans[1].Status().Code != codes.Unset || spans[2].Status().Code != codes.Error {
			t.Errorf("spans of swaps %v; want three, of which the last failed", spans)
		}
		for _, span := range r.spans.Ended() {
			for _, kv := range span.Attributes() {
				if kv.Value.String() == "key" {
					t.Errorf("%s has the key", span.Name())
				}
			}
		}
	})
}
