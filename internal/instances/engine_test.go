package instances

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func runsInBackground(t *testing.T) func(func(context.Context)) bool {
	return func(do func(context.Context)) bool {
		go do(t.Context())
		return true
	}
}

// An engine that hangs costs the first caller a second, one caller a moment after each pause,
// and the others nothing.
func TestEngineThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestEngine()
		var log strings.Builder
		e := NewEngine(c, slog.New(slog.NewTextHandler(&log, nil)))
		e.background = runsInBackground(t)
		c.fail(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ask := func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			_, err := e.load(ctx, "a")
			return time.Since(start), err
		}
		if took, err := ask(t.Context()); took != callTimeout || !errors.Is(err, ErrAway) {
			t.Errorf("%v after %v", err, took)
		}
		if took, err := ask(t.Context()); took != 0 || !errors.Is(err, ErrAway) {
			t.Errorf("right after it: %v after %v", err, took)
		}
		time.Sleep(pause)
		var waited sync.Map
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				took, _ := ask(t.Context())
				waited.Store(i, took)
			})
		}
		wg.Wait()
		var total time.Duration
		waited.Range(func(_, took any) bool {
			total += took.(time.Duration)
			return true
		})
		if total != probeWait {
			t.Errorf("20 callers wait %v together", total)
		}
		for range 9 {
			time.Sleep(pause)
			if took, err := ask(t.Context()); took != 0 || !errors.Is(err, ErrAway) {
				t.Errorf("during the probe: %v after %v", err, took)
			}
		}
		c.fail(nil)
		time.Sleep(2 * pause) // which the probe that hangs ends in
		if _, err := ask(t.Context()); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if n := strings.Count(log.String(), "does not respond"); n != 1 || !strings.Contains(log.String(), "responds again") {
			t.Errorf("the log says: %s", log.String())
		}
	})
}

// One that takes longer than a caller waits for the probe is back for the next.
func TestEngineThatIsSlowlyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestEngine()
		e := NewEngine(c, slog.New(slog.DiscardHandler))
		e.background = runsInBackground(t)
		c.fail(func(context.Context, string) error { return errDown })
		for range 2 {
			if _, err := e.load(t.Context(), "a"); !errors.Is(err, ErrAway) {
				t.Error(err)
			}
		}
		c.fail(func(context.Context, string) error {
			time.Sleep(2 * probeWait)
			return nil
		})
		time.Sleep(pause)
		for i, want := range []bool{false, true} {
			if _, err := e.load(t.Context(), "a"); (err == nil) != want {
				t.Errorf("call %d: %v", i, err)
			}
			time.Sleep(probeWait)
			synctest.Wait()
		}
	})
}

// Close does not wait for a probe, which then says nothing of the engine.
func TestEngineProbeEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestEngine()
		s := c.instance(t)
		c.fail(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		s.engine.load(t.Context(), "a")
		time.Sleep(pause)
		s.engine.load(t.Context(), "a")
		start, retryAt := time.Now(), s.engine.retryAt
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Close(ctx)
		if took := time.Since(start); took > 0 || s.engine.retryAt != retryAt {
			t.Errorf("Close took %v; the next call is tried at %v, was at %v", took, s.engine.retryAt, retryAt)
		}
	})
}

// A caller with less time than a call may take learns nothing of the engine.
func TestEngineOfCallerWithLittleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestEngine()
		e := NewEngine(c, slog.New(slog.DiscardHandler))
		c.fail(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), callTimeout/4)
		defer cancel()
		start := time.Now()
		if _, err := e.load(ctx, "a"); !errors.Is(err, ErrAway) || time.Since(start) != callTimeout/4 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		c.fail(nil)
		if _, err := e.load(t.Context(), "a"); err != nil {
			t.Errorf("the next call: %v", err)
		}

		// Nor does one that looks itself whether the engine is back wait longer.
		c.fail(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		e.load(t.Context(), "a")
		time.Sleep(pause)
		ctx, cancel = context.WithTimeout(t.Context(), callTimeout/2)
		defer cancel()
		start = time.Now()
		if _, err := e.load(ctx, "a"); !errors.Is(err, ErrAway) || time.Since(start) != callTimeout/2 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A caller that hangs up says nothing of the engine, and what it writes is written.
func TestEngineOutlivesCaller(t *testing.T) {
	c := newTestEngine()
	e := NewEngine(c, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if swapped, err := e.Swap(ctx, "a", nil, []byte("1"), time.Minute); !swapped || err != nil {
		t.Errorf("%t, %v", swapped, err)
	}
	if value, err := e.Value(ctx, "a"); string(value) != "1" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
}

// Faults of a Coordinator are errors, and never more than that.
func TestEngineFaults(t *testing.T) {
	for name, before := range map[string]func(context.Context, string) error{
		"an error": func(context.Context, string) error { return errDown },
		"a panic":  func(context.Context, string) error { panic("at the disco") },
	} {
		c := newTestEngine()
		c.fail(before)
		e := NewEngine(c, slog.New(slog.DiscardHandler))
		if _, err := e.load(t.Context(), "a"); !errors.Is(err, ErrAway) || strings.Contains(err.Error(), "disco") {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := NewEngine(shortEngine{}, slog.New(slog.DiscardHandler))
	if _, err := e.load(t.Context(), "a", "b"); !errors.Is(err, ErrAway) {
		t.Errorf("too few values: %v", err)
	}
	if swapped, err := e.swap(t.Context(), "a", nil, nil, 0, false); swapped || err == nil {
		t.Errorf("swapped %t with an error", swapped)
	}
}

// A shortEngine returns fewer values than were asked for, and a swap with an error.
type shortEngine struct{ Coordinator }

func (shortEngine) Load(context.Context, ...string) ([][]byte, error) { return make([][]byte, 1), nil }

func (shortEngine) Swap(context.Context, string, []byte, []byte, time.Duration, bool) (bool, error) {
	return true, errDown
}
