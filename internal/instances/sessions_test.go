package instances

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A request that comes after an instance has heard of an end does not get the result of a
// look that has read before it.
func TestLookWhileSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s, other := e.instance(t), e.instance(t)
		wantEnded(t, "at first", other, map[*testRecord]bool{alice(0): false})
		s.start()
		synctest.Wait()
		var slow atomic.Bool
		e.slow = func() {
			if slow.CompareAndSwap(false, true) {
				time.Sleep(500 * time.Millisecond)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { s.Shown(t.Context(), alice(0), time.Now()) })
		time.Sleep(100 * time.Millisecond)
		other.End(t.Context(), alice(0), time.Now())
		synctest.Wait()
		wantEnded(t, "after it was heard", s, map[*testRecord]bool{alice(0): true})
		wg.Wait()
	})
}

// A look never holds a request up for more than a second, whatever changes meanwhile. A
// session that changes all the time cannot be told.
func TestLookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s := e.instance(t)
		s.start()
		synctest.Wait()
		e.slow = func() {
			time.Sleep(700 * time.Millisecond)
			s.known.changed(sessionKey(alice(0).id))
		}
		start := time.Now()
		_, _, _, err := s.Shown(t.Context(), alice(0), time.Now())
		if took := time.Since(start); !errors.Is(err, ErrAway) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		time.Sleep(5 * time.Second) // the look goes on
	})
}

// An older mark, of a look that was slow, does not replace a newer one.
func TestSlowLookKeepsNewerMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s, other := e.instance(t), e.instance(t)
		first := alice(0)
		wantEnded(t, "at first", s, map[*testRecord]bool{first: false})
		synctest.Wait()
		other.EndAll(t.Context(), first.user, time.Now())
		marked := e.login(t, other)
		synctest.Wait()
		var slow atomic.Bool
		e.slow = func() {
			if slow.CompareAndSwap(false, true) {
				time.Sleep(500 * time.Millisecond)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { s.Shown(t.Context(), first, time.Now()) }) // reads the first mark, slowly
		time.Sleep(100 * time.Millisecond)
		other.EndAll(t.Context(), first.user, time.Now())
		synctest.Wait()
		wantEnded(t, "after the second end", s, map[*testRecord]bool{marked: true})
		wg.Wait()
		wantEnded(t, "after the slow look", s, map[*testRecord]bool{marked: true})
	})
}
