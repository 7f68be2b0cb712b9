package flight

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type key struct{}

// All callers for a key get the result of one call; those of another key do not wait.
func TestResultIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[int]
		var mu sync.Mutex
		calls := map[string]int{}
		var wg sync.WaitGroup
		for _, key := range []string{"a", "a", "b", "a", "b"} {
			wg.Go(func() {
				got, err := g.Do(t.Context(), key, func(context.Context) (int, error) {
					mu.Lock()
					calls[key]++
					n := calls[key]
					mu.Unlock()
					time.Sleep(time.Second)
					return n, nil
				})
				if got != 1 || err != nil {
					t.Errorf("%s: %d, %v", key, got, err)
				}
			})
		}
		start := time.Now()
		wg.Wait()
		if calls["a"] != 1 || calls["b"] != 1 || time.Since(start) != time.Second {
			t.Errorf("%v calls in %v", calls, time.Since(start))
		}
		// A call that has ended is not shared with those that come later.
		down := errors.New("down")
		if got, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return 9, down }); got != 9 || err != down {
			t.Errorf("later: %d, %v", got, err)
		}
	})
}

// The call goes on without the caller that began it, which stops waiting at once.
func TestCallOutlivesCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string]
		ctx, cancel := context.WithDeadline(context.WithValue(t.Context(), key{}, "value"), time.Now().Add(time.Minute))
		fn := func(ctx context.Context) (string, error) {
			if _, has := ctx.Deadline(); has || ctx.Done() != nil {
				t.Error("the call ends with its caller")
			}
			time.Sleep(time.Hour)
			value, _ := ctx.Value(key{}).(string)
			return value, ctx.Err()
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := g.Do(ctx, "k", fn); got != "" || err != context.Canceled {
				t.Errorf("%q, %v", got, err)
			}
		})
		synctest.Wait()
		start := time.Now()
		wg.Go(func() {
			got, err := g.Do(t.Context(), "k", func(context.Context) (string, error) {
				t.Error("a second call")
				return "", nil
			})
			if got != "value" || err != nil || time.Since(start) != time.Hour {
				t.Errorf("%q, %v after %v", got, err, time.Since(start))
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

// A panic does not end the process, and its value, which may be a secret, is not told.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name  string
			panic func()
			says  string
		}{
			{"a string", func() { panic("s3cret") }, "panic: string\n"},
			{"an error", func() { panic(errors.New("s3cret")) }, "panic: *errors.errorString\n"},
			{"a fault of the runtime", func() { s := []string{"s3cret"}; _ = s[len(s)] }, "panic: runtime error: index out of range [1] with length 1\n"},
		} {
			var g Group[*int]
			for range 2 { // the group is usable afterwards
				got, err := g.Do(t.Context(), "k", func(context.Context) (*int, error) {
					tt.panic()
					return new(int), nil
				})
				if got != nil || err == nil || !strings.HasPrefix(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s: %v, %v", tt.name, got, err)
				}
				if err != nil && !strings.Contains(err.Error(), "flight_test.go:") {
					t.Errorf("%s: the error does not say where: %v", tt.name, err)
				}
			}
		}
	})
}

// Without a panic the error stays what it is.
func TestRecover(t *testing.T) {
	down := errors.New("down")
	err := func() (err error) {
		defer Recover(&err)
		return down
	}()
	if err != down {
		t.Error(err)
	}
}
