package instances

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lease is how long a lock outlives an instance that dies.
	lease = 10 * time.Second
	// renewEvery is how often an instance that lives renews it.
	renewEvery = 3 * time.Second
	// lookAgain is when an instance that waits looks whether the refresh has ended, if it was
	// not told.
	lookAgain = 300 * time.Millisecond
	// longestTurn bounds what a refresh waits for others.
	longestTurn = 75 * time.Second
	// failedTag begins the value of a lock after a refresh has failed; how often it did
	// follows.
	failedTag = 'F'
	// ownerBytes is the length of an owner's value, its tag included.
	ownerBytes = 17
	ownerTag   = 'L'
)

var (
	// ErrEnded means that the session has ended meanwhile.
	ErrEnded = errors.New("session has ended")
	// ErrPaused means that the refresh has failed at another instance a moment ago.
	ErrPaused = errors.New("the refresh has just failed at another instance")
	// ErrNotOurTurn means that another instance may have taken over the refresh.
	ErrNotOurTurn = errors.New("this instance was held up, and another one may refresh the session")
)

// A Turn is the right of one call alone, of all at all instances, to send the refresh token
// of a session. It ends with Keep, Refused, Failed or GiveUp, and then with Leave.
type Turn[R Record] struct {
	s     *Sessions[R]
	old   R
	key   string // of the lock
	owner []byte
	value []byte // of the session's key when the turn began

	confirmed atomic.Int64 // when the lock was last known to be held, since begun
	begun     time.Time
	stop      chan struct{}
	stopped   sync.Once
	over      bool // the lock is given back, or will be by another call
}

// Turn waits until the caller alone may send rec's refresh token. It returns no Turn if
// that has been sent meanwhile, here or at another instance, and the record that it brought.
func (s *Sessions[R]) Turn(ctx context.Context, rec R) (_ *Turn[R], latest R, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestTurn, ErrNotOurTurn)
	defer cancel()
	if err := s.lines.enter(ctx, rec.SessionID()); err != nil {
		return nil, rec, err
	}
	t, latest, err := s.turn(ctx, rec)
	if t == nil {
		s.lines.leave(rec.SessionID())
	}
	return t, latest, err
}

// turn is Turn for the first of this instance's line.
func (s *Sessions[R]) turn(ctx context.Context, rec R) (*Turn[R], R, error) {
	latest, ended := s.Grants.Latest(rec)
	switch {
	case ended:
		return nil, latest, ErrEnded
	case latest.Generation() > rec.Generation():
		return nil, latest, nil
	}
	t := &Turn[R]{s: s, old: rec}
	if s.engine == nil {
		return t, rec, nil
	}
	s.start()
	t.begun, t.key, t.stop = time.Now(), lockKey(rec.SessionID()), make(chan struct{})
	t.owner = make([]byte, ownerBytes)
	rand.Read(t.owner)
	t.owner[0] = ownerTag
	latest, held, err := t.acquire(ctx)
	switch {
	case err != nil, !held:
		return nil, latest, err
	}
	s.workers.run(t.renew)
	if latest, err := t.settle(ctx); err != nil || latest.Generation() > rec.Generation() {
		t.end(ctx)
		return nil, latest, err
	}
	return t, rec, nil
}

// settle lets other instances write their results if the Coordinator was unreachable: the lock
// of a refresh may have ended meanwhile, and its result wait in the memory of the one that has
// it.
func (t *Turn[R]) settle(ctx context.Context) (latest R, err error) {
	wait := t.s.engine.settling(time.Now())
	if wait <= 0 {
		return t.old, nil
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return t.old, context.Cause(ctx)
	}
	latest, lock, err := t.look(ctx)
	if err == nil && !bytes.Equal(lock, t.owner) {
		err = ErrNotOurTurn
	}
	return latest, err
}

// acquire waits for the lock, or for another instance's result.
func (t *Turn[R]) acquire(ctx context.Context) (latest R, held bool, err error) {
	session := sessionKey(t.old.SessionID())
	for free := true; ; {
		if free {
			asked := time.Since(t.begun)
			if _, err = t.s.engine.swap(ctx, t.key, nil, t.owner, lease, false); err != nil {
				if err != ErrAway { // as it is when nothing was tried
					t.giveBackLater()
				}
				return t.old, false, err
			}
			t.confirmed.Store(int64(asked))
		}
		changed := t.s.known.change(session)
		latest, lock, err := t.look(ctx)
		held = bytes.Equal(lock, t.owner)
		switch {
		case err != nil || latest.Generation() > t.old.Generation():
			t.s.known.ignore(session, changed)
			if held {
				t.release(ctx)
			} else if errors.Is(err, ErrAway) {
				t.giveBackLater()
			}
			return latest, false, err
		case held:
			t.s.known.ignore(session, changed)
			return latest, true, nil
		case len(lock) > 0 && lock[0] == failedTag:
			t.s.known.ignore(session, changed)
			return latest, false, t.paused(lock)
		}
		free = len(lock) == 0 // given back meanwhile
		if !free {
			err = t.wait(ctx, changed)
		}
		t.s.known.ignore(session, changed)
		if err != nil {
			return latest, false, err
		}
	}
}

func (t *Turn[R]) wait(ctx context.Context, changed <-chan struct{}) error {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	select {
	case <-changed:
	case <-again.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// look reads what became of the session, after the lock has been asked for.
func (t *Turn[R]) look(ctx context.Context) (latest R, lock []byte, err error) {
	now := time.Now()
	keys := keysOf(t.old)
	e := t.s.known.begin(t.old.SessionID(), keys, now)
	values, err := t.s.engine.load(ctx, append(slices.Clip(keys), t.key)...)
	if err != nil {
		return t.old, nil, err
	}
	t.value, lock = values[0], values[len(keys)]
	t.s.learn(ctx, t.old, e, values[:len(keys)], now)
	latest, ended := t.s.Grants.Latest(t.old)
	if ended {
		return latest, lock, ErrEnded
	}
	return latest, lock, nil
}

// paused keeps this instance from trying as well, for as long as the one that has tried.
func (t *Turn[R]) paused(lock []byte) error {
	failures, _ := strconv.Atoi(string(lock[1:]))
	t.s.Grants.FailedElsewhere(t.old, failures, ErrPaused, time.Now())
	return ErrPaused
}

// renew keeps the lock while the provider takes its time.
func (t *Turn[R]) renew() {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-t.s.ctx.Done():
			return
		case <-ticker.C:
		}
		asked := time.Since(t.begun)
		held, err := t.s.engine.swap(t.s.ctx, t.key, t.owner, t.owner, lease, false)
		switch {
		case err != nil: // it may still be held
		case !held:
			return
		default:
			t.confirmed.Store(int64(asked))
		}
	}
}

// Check returns an error if this instance was held up for so long that another one may be
// refreshing the session. It is called right before the refresh token is sent.
func (t *Turn[R]) Check() error {
	if t.stop == nil || time.Since(t.begun)-time.Duration(t.confirmed.Load()) < lease/2 {
		return nil
	}
	return ErrNotOurTurn
}
