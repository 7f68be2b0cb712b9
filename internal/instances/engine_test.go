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

// An engine that hangs costs one caller a second, and the others nothing.
func TestEngineThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestEngine()
		var log strings.Builder
		e := NewEngine(c, slog.New(slog.NewTextHandler(&log, nil)))
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
		if total != callTimeout {
			t.Errorf("20 callers wait %v together", total)
		}
		time.Sleep(pause)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if took, _ := ask(ctx); took != time.Second/2 {
			t.Errorf("a caller with less time waits %v", took)
		}
		c.fail(nil)
		time.Sleep(pause)
		if _, err := ask(t.Context()); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if n := strings.Count(log.String(), "does not respond"); n != 1 || !strings.Contains(log.String(), "responds again") {
			t.Errorf("the log says: %s", log.String())
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
