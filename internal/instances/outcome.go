package instances

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Keep keeps the refreshed record, here at once and for all instances, and returns the
// record that counts: another instance may have refreshed as well. It reports that the
// session has ended meanwhile, so that its tokens must not be used. revoke is called for
// tokens of which that becomes known only later.
func (t *Turn[R]) Keep(ctx context.Context, fresh R, revoke func(context.Context)) (latest R, ended bool) {
	if t.stop != nil && !t.s.known.has(fresh.SessionID(), time.Now()) {
		// The session may have ended meanwhile, or the lock was lost.
		if latest, _, err := t.look(ctx); err == nil && latest.Generation() > t.old.Generation() {
			t.end(ctx)
			return latest, false
		}
	}
	if !t.s.Grants.Refreshed(fresh, time.Now()) {
		t.end(ctx)
		return fresh, true
	}
	if t.stop == nil {
		return fresh, false
	}
	key := sessionKey(fresh.SessionID())
	sealed, err := t.s.codec.Seal(key, fresh)
	if err != nil { // the browser gets it from this instance
		t.s.log.ErrorContext(ctx, "oauthlogin: refreshed tokens cannot be kept for other instances", "error", err)
		t.end(ctx)
		return fresh, false
	}
	value := append([]byte{unseenTag}, sealed...)
	if latest, ended, err = t.write(ctx, key, value, fresh); err == nil {
		t.end(ctx)
		return latest, ended
	}
	t.over = true
	// Under a name of its own: a logout adds a job for the same key, after which this one has
	// tokens to revoke.
	t.s.jobs.addOr("keep "+key, func(ctx context.Context) error {
		_, ended, err := t.write(ctx, key, value, fresh)
		if err != nil {
			return err
		}
		if ended {
			revoke(ctx)
		}
		t.stopRenewing()
		t.release(ctx)
		return nil
	}, t.stopRenewing)
	return fresh, false
}

// write tells all instances of a refreshed record, unless the session has ended or another
// instance was faster.
func (t *Turn[R]) write(ctx context.Context, key string, value []byte, fresh R) (latest R, ended bool, err error) {
	const attempts = 4
	old := t.value
	for range attempts {
		swapped, err := t.s.engine.swap(ctx, key, old, value, t.s.idle, true)
		if swapped || err != nil {
			return fresh, false, err
		}
		values, err := t.s.engine.load(ctx, key)
		if err != nil {
			return fresh, false, err
		}
		if old = values[0]; isEnd(old) {
			t.s.Grants.EndAlone(fresh, time.Now()) // a lineage that has ended is found by whoever looks
			return fresh, true, nil
		}
		if other, _, ok := t.s.open(key, old); ok && other.Generation() >= fresh.Generation() {
			return other, !t.s.Grants.Refreshed(other, time.Now()), nil
		}
	}
	return fresh, false, errContended
}

// TurnInPause returns a Turn without a lock, for Refused alone: between the refresh that has
// failed and the next, no instance sends the refresh token.
func (s *Sessions[R]) TurnInPause(rec R) *Turn[R] {
	return &Turn[R]{s: s, old: rec, key: lockKey(rec.SessionID()), stop: make(chan struct{}), over: true}
}

// Refused ends the session whose refresh token the provider has refused, unless another
// instance has newer tokens, which it returns. With ErrEnded the session was over before: the
// browser may have another one by now.
func (t *Turn[R]) Refused(ctx context.Context) (latest R, ended bool, err error) {
	defer t.end(ctx)
	if t.stop != nil {
		if latest, _, err = t.look(ctx); err != nil && !errors.Is(err, ErrEnded) {
			return latest, false, fmt.Errorf("the provider refuses the refresh token, and %w", err)
		}
	}
	if t.s.Grants.Ended(t.old) {
		return t.old, false, ErrEnded
	}
	if !t.s.Grants.Spend(t.old, time.Now()) {
		latest, _ = t.s.Grants.Latest(t.old)
		return latest, false, nil
	}
	if t.stop != nil {
		t.s.Grants.EndAlone(t.old, time.Now())
		ctx, cancel := context.WithTimeout(ctx, endTimeout)
		defer cancel()
		t.s.endKey(ctx, t.old.SessionID(), endAloneValue, time.Until(t.old.Begun().Add(t.s.lifetime)))
	}
	return t.old, true, nil
}

// Failed keeps all instances from trying again for a while.
func (t *Turn[R]) Failed(ctx context.Context, err error, wait time.Duration) {
	now := time.Now()
	failures, pause := t.s.Grants.Failed(t.old, err, now, wait)
	if t.stop == nil {
		return
	}
	t.over = true
	t.stopRenewing()
	value := append([]byte{failedTag}, strconv.Itoa(failures)...)
	t.s.engine.swap(ctx, t.key, t.owner, value, pause, false)
}
