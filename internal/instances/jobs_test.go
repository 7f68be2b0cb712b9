package instances

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newJobs(t *testing.T, log *slog.Logger) (*jobs, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &workers{log: log}
	t.Cleanup(func() { cancel(); w.close() })
	return &jobs{ctx: ctx, workers: w, log: log}, cancel
}

// What fails is tried again, behind the others, until it is done.
func TestJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, _ := newJobs(t, slog.New(slog.DiscardHandler))
		var done []string
		job := func(name string, failures int) func(context.Context) error {
			return func(context.Context) error {
				if failures--; failures >= 0 {
					return errDown
				}
				done = append(done, name)
				return nil
			}
		}
		j.add("a", job("a", 3))
		j.add("b", func(context.Context) error { panic("b") })
		j.add("c", job("c", 0))
		j.add("b", job("b", 1)) // in place of the one that panics
		if !j.has("a") || j.has("d") {
			t.Error("what waits is not known")
		}
		start := time.Now()
		j.wait(t.Context())
		if slices.Sort(done); strings.Join(done, " ") != "a b c" || time.Since(start) > 5*time.Second {
			t.Errorf("done: %q after %v", done, time.Since(start))
		}
		j.wait(t.Context()) // for nothing
		j.add("d", job("d", 0))
		j.wait(t.Context())
		if len(done) != 4 {
			t.Errorf("done: %q", done)
		}
	})
}

func TestJobsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		j, cancel := newJobs(t, slog.New(slog.NewTextHandler(&log, nil)))
		for n := range maxJobs + 1 {
			j.add(strconv.Itoa(n), func(context.Context) error { return errDown })
		}
		if len(j.order) != maxJobs || len(j.byName) != maxJobs || j.has("0") || !strings.Contains(log.String(), "unreachable for too long") {
			t.Errorf("%d jobs; log: %s", len(j.order), log.String())
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		j.wait(ctx) // not for ever
		cancel()
		if j.add("late", func(context.Context) error { return nil }); j.has("late") {
			t.Error("a job is taken after the end")
		}
	})
}
