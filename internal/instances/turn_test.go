package instances

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

// refresh takes a turn and keeps a new token, as the root does. sent says whether the
// refresh token went out.
func refresh(ctx context.Context, s *Sessions[*testRecord], old *testRecord, token string, takes time.Duration) (rec *testRecord, sent bool, err error) {
	turn, latest, err := s.Turn(ctx, old)
	if err != nil || turn == nil {
		return latest, false, err
	}
	defer turn.Leave()
	if err := turn.Check(); err != nil {
		turn.GiveUp(ctx)
		return nil, false, err
	}
	time.Sleep(takes)
	latest, ended := turn.Keep(ctx, old.next(token), func(context.Context) {})
	if ended {
		return nil, true, ErrEnded
	}
	return latest, true, nil
}

// A lock of an instance that has died ends by itself, and the next one takes over.
func TestTurnAfterDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		dead, s := e.instance(t), e.instance(t)
		turn, _, err := dead.Turn(t.Context(), alice(0))
		if err != nil {
			t.Fatal(err)
		}
		close(turn.stop) // renews nothing any more
		turn.stopped.Do(func() {})
		start := time.Now()
		rec, sent, err := refresh(t.Context(), s, alice(0), "second", 0)
		if took := time.Since(start); err != nil || !sent || rec.token != "second" || took < 9*time.Second || took > 11*time.Second {
			t.Errorf("%v, sent %t, %v after %v", rec, sent, err, took)
		}
		if turn.Check() == nil {
			t.Error("the instance that was held up may send")
		}
	})
}

// A lock is renewed for as long as the provider takes.
func TestTurnIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		first, second := e.instance(t), e.instance(t)
		done := make(chan bool)
		go func() {
			_, sent, err := refresh(t.Context(), first, alice(0), "first", 45*time.Second)
			if err != nil {
				t.Error(err)
			}
			done <- sent
		}()
		time.Sleep(time.Second)
		rec, sent, err := refresh(t.Context(), second, alice(0), "second", 0)
		if !<-done || sent || err != nil || rec.token != "first" {
			t.Errorf("%v, sent %t, %v", rec, sent, err)
		}
		if lock := e.get(lockKey(alice(0).id)); lock != "" {
			t.Errorf("the lock is left: %q", lock)
		}
	})
}

// A swap whose outcome is unknown may have taken the lock. It is given back as soon as the
// Coordinator responds, so that nobody waits until it ages.
func TestTurnUnknownSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s, other := e.instance(t), e.instance(t)
		resume := e.suspend()
		for range 5 {
			if _, _, err := refresh(t.Context(), s, alice(0), "second", 0); !errors.Is(err, ErrAway) {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Second)
		}
		resume()
		if e.get(lockKey(alice(0).id)) == "" {
			t.Fatal("the lock is not taken")
		}
		start := time.Now()
		_, sent, err := refresh(t.Context(), other, alice(0), "second", 0)
		if took := time.Since(start); err != nil || !sent || took > 3*time.Second {
			t.Errorf("sent %t, %v after %v", sent, err, took)
		}
	})
}

// A lock whose owner cannot look at the session is given back, too.
func TestTurnWithoutALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s, other := e.instance(t), e.instance(t)
		s.start()
		synctest.Wait()
		locked := false
		e.fail(func(_ context.Context, call string) error {
			if call == "load" {
				return errDown
			}
			locked = true
			return nil
		})
		if _, _, err := refresh(t.Context(), s, alice(0), "second", 0); !errors.Is(err, ErrAway) || !locked {
			t.Errorf("%v, locked: %t", err, locked)
		}
		e.fail(nil)
		start := time.Now()
		_, sent, err := refresh(t.Context(), other, alice(0), "second", 0)
		if took := time.Since(start); err != nil || !sent || took > 3*time.Second {
			t.Errorf("sent %t, %v after %v", sent, err, took)
		}
	})
}

// During a long outage, locks do not crowd out what else waits for the Coordinator.
func TestUnknownSwapsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s := e.instance(t)
		e.fail(func(context.Context, string) error { return errDown })
		for range 1000 { // a hundred seconds, in which each third attempt or so reaches the Coordinator
			_, _, _ = refresh(t.Context(), s, alice(0), "second", 0)
			time.Sleep(pause)
		}
		time.Sleep(2 * time.Minute)
		s.jobs.mu.Lock()
		defer s.jobs.mu.Unlock()
		if n := len(s.jobs.order); n > 0 {
			t.Errorf("%d locks wait to be given back", n)
		}
	})
}

// Of two instances that both refreshed, because a lock was lost, the first that came
// through counts.
func TestTurnLostLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		first, second := e.instance(t), e.instance(t)
		slow, _, err := first.Turn(t.Context(), alice(0))
		if err != nil {
			t.Fatal(err)
		}
		e.mu.Lock()
		clear(e.values)
		e.mu.Unlock()
		if _, sent, err := refresh(t.Context(), second, alice(0), "second", 0); !sent || err != nil {
			t.Fatal(err)
		}
		rec, ended := slow.Keep(t.Context(), alice(0).next("first"), nil)
		if slow.Leave(); ended || rec.token != "second" {
			t.Errorf("%v, ended %t", rec, ended)
		}
		// So does one whose token was refused: it looks again before it believes that.
		old, _, err := first.Turn(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		e.mu.Lock()
		delete(e.values, lockKey(rec.id))
		e.mu.Unlock()
		refresh(t.Context(), second, rec, "third", 0)
		if latest, ended, err := old.Refused(t.Context()); ended || err != nil || latest.token != "third" {
			t.Errorf("%v, ended %t, %v", latest, ended, err)
		}
	})
}

// A refusal ends the session for all, and while it cannot be looked up, for none.
func TestTurnRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		first, second := e.instance(t), e.instance(t)
		turn, _, _ := first.Turn(t.Context(), alice(0))
		e.fail(func(context.Context, string) error { return errDown })
		if _, ended, err := turn.Refused(t.Context()); ended || !errors.Is(err, ErrAway) || first.Ended(alice(0)) {
			t.Errorf("ended %t, %v", ended, err)
		}
		turn.Leave()
		e.fail(nil)
		time.Sleep(lease + pause)
		turn, _, err := first.Turn(t.Context(), alice(0))
		if err != nil {
			t.Fatal(err)
		}
		if _, ended, err := turn.Refused(t.Context()); !ended || err != nil {
			t.Errorf("ended %t, %v", ended, err)
		}
		if _, _, ended, err := second.Shown(t.Context(), alice(0), time.Now()); !ended || err != nil {
			t.Errorf("at another instance: ended %t, %v", ended, err)
		}
	})
}

// What a failure costs all instances: the pause doubles, whoever tries.
func TestTurnPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		all := []*Sessions[*testRecord]{e.instance(t), e.instance(t), e.instance(t)}
		var tries []time.Duration
		start := time.Now()
		for i := 0; time.Since(start) < 40*time.Second; i++ {
			s := all[i%3]
			if turn, _, err := s.Turn(t.Context(), alice(0)); err == nil {
				tries = append(tries, time.Since(start).Round(time.Second))
				turn.Failed(t.Context(), errDown, 0)
				turn.Leave()
			} else if !errors.Is(err, ErrPaused) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if len(tries) != 5 || tries[1] < 2*time.Second || tries[4] < 30*time.Second {
			t.Errorf("tries at %v", tries)
		}
	})
}

// Calls of one instance have their turns one after the other, with and without a
// Coordinator. Each is told of what the one before has brought.
func TestTurnsOfOneInstance(t *testing.T) {
	for name, instance := range map[string]func(t *testing.T) *Sessions[*testRecord]{
		"alone": func(*testing.T) *Sessions[*testRecord] {
			return New(nil, testCodec, 8*time.Hour, 24*time.Hour, slog.New(slog.DiscardHandler))
		},
		"with a Coordinator": func(t *testing.T) *Sessions[*testRecord] { return newTestEngine().instance(t) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := instance(t)
				sent := make(chan bool)
				for range 3 {
					go func() {
						rec, did, err := refresh(t.Context(), s, alice(0), "second", 5*time.Second)
						if err != nil || rec.token != "second" {
							t.Errorf("%v, %v", rec, err)
						}
						sent <- did
					}()
				}
				n := 0
				for range 3 {
					if <-sent {
						n++
					}
				}
				if n != 1 {
					t.Errorf("the refresh token went out %d times", n)
				}

				// One that gives up lets the next one try, and one that waits can stop.
				turn, _, err := s.Turn(t.Context(), alice(1))
				if err != nil || turn == nil {
					t.Fatal(turn, err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if other, _, err := s.Turn(ctx, alice(1)); other != nil || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v, %v while another call has its turn", other, err)
				}
				turn.GiveUp(t.Context())
				turn.Leave()
				if _, did, err := refresh(t.Context(), s, alice(1), "third", 0); !did || err != nil {
					t.Errorf("after one that gave up: sent %t, %v", did, err)
				}
				s.End(t.Context(), alice(0), time.Now())
				if turn, _, err := s.Turn(t.Context(), alice(2)); turn != nil || !errors.Is(err, ErrEnded) {
					t.Errorf("after the end: %v, %v", turn, err)
				}
			})
		})
	}
}

// A session that ends while its new tokens wait for the Coordinator gives its lock back, and
// its tokens are to be revoked.
func TestTurnEndedWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s := e.instance(t)
		turn, _, err := s.Turn(t.Context(), alice(0))
		if err != nil {
			t.Fatal(err)
		}
		e.fail(func(context.Context, string) error { return errDown })
		revoked := false
		if _, ended := turn.Keep(t.Context(), alice(1), func(context.Context) { revoked = true }); ended {
			t.Fatal("ended")
		}
		s.End(t.Context(), alice(0), time.Now())
		time.Sleep(time.Second)
		e.fail(nil)
		time.Sleep(5 * time.Second)
		if value := e.get(sessionKey(alice(0).id)); value != "E" || !revoked {
			t.Errorf("the session is %q, revoked %t", value, revoked)
		}
		time.Sleep(lease)
		if lock := e.get(lockKey(alice(0).id)); lock != "" {
			t.Errorf("the lock is kept: %q", lock)
		}
	})
}

// What is given up because there is too much of it keeps no lock.
func TestTurnDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		s := e.instance(t)
		turn, _, err := s.Turn(t.Context(), alice(0))
		if err != nil {
			t.Fatal(err)
		}
		e.fail(func(_ context.Context, call string) error {
			if call == "session" {
				return errDown
			}
			return nil
		})
		turn.Keep(t.Context(), alice(1), func(context.Context) {})
		for n := range maxJobs {
			s.jobs.add(strconv.Itoa(n), func(context.Context) error { return errDown })
		}
		time.Sleep(2 * lease)
		if lock := e.get(lockKey(alice(0).id)); lock != "" {
			t.Errorf("the lock is kept: %q", lock)
		}
	})
}

// After the Coordinator was away for longer than a lease, an instance waits for the result of
// another one, whose lock has ended.
func TestTurnAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		first, second := e.instance(t), e.instance(t)
		turn, _, err := first.Turn(t.Context(), alice(0))
		if err != nil {
			t.Fatal(err)
		}
		e.fail(func(context.Context, string) error { return errDown })
		turn.Keep(t.Context(), alice(0).next("first"), func(context.Context) {})
		time.Sleep(2 * lease)
		if _, _, err := second.Turn(t.Context(), alice(0)); !errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
		e.fail(nil)
		time.Sleep(2 * pause) // sooner than the first instance tries again
		rec, sent, err := refresh(t.Context(), second, alice(0), "second", 0)
		if err != nil || sent || rec.token != "first" {
			t.Errorf("%v, sent %t, %v", rec, sent, err)
		}
	})
}
