// Package instances is what the instances of an application agree on through a
// Coordinator: the newest tokens of sessions, whose turn it is to refresh them, which
// sessions have ended, and what may happen once. Without a Coordinator it is what one
// instance remembers.
package instances

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
)

// A Coordinator is what package oauthlogin calls by the same name, and documents.
type Coordinator interface {
	Load(ctx context.Context, keys ...string) ([][]byte, error)
	Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error)
	Watch(ctx context.Context, ready func(), changed func(key string)) error
}

const (
	// callTimeout bounds one call.
	callTimeout = time.Second
	// pause is how long no call is tried after one that failed: an unreachable Coordinator
	// must not cost each request a timeout.
	pause = 100 * time.Millisecond
	// probeWait is how long the call after a pause waits to learn whether the Coordinator
	// responds again. The probe itself goes on.
	probeWait = 50 * time.Millisecond
	// loudEvery is how often the log says, at most, that the Coordinator is unreachable.
	loudEvery = time.Minute
)

// ErrAway means that the Coordinator has not responded, and what it holds is not known.
var ErrAway = errors.New("the Coordinator does not respond")

// An Engine calls a Coordinator, bounded in time, and knows when it was last heard.
type Engine struct {
	coordinator Coordinator
	log         *slog.Logger
	// background begins what no request waits for, and reports whether it has; nil: requests
	// wait.
	background func(func(context.Context)) bool

	mu       sync.Mutex
	failing  bool // the last call that ended has failed
	probing  bool // one call looks whether it still does
	retryAt  time.Time
	heard    time.Time // when it last responded
	watching bool      // and so hears it now
	lost     bool      // it was unreachable, and has not responded since
	backAt   time.Time // when it first responded after that
	loudAt   time.Time // when the log may say again that it is unreachable
	told     bool      // the log has said that it is unreachable
}

// NewEngine returns an Engine that has not called c yet.
func NewEngine(c Coordinator, log *slog.Logger) *Engine {
	return &Engine{coordinator: c, log: log, heard: time.Now()}
}

// Value returns the value of a key, nil if there is none.
func (e *Engine) Value(ctx context.Context, key string) ([]byte, error) {
	values, err := e.load(ctx, key)
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// Swap replaces the value of a key, which no instance is told of.
func (e *Engine) Swap(ctx context.Context, key string, old, to []byte, ttl time.Duration) (bool, error) {
	return e.swap(ctx, key, old, to, ttl, false)
}

func (e *Engine) load(ctx context.Context, keys ...string) (values [][]byte, err error) {
	err = e.call(ctx, func(ctx context.Context) (err error) {
		values, err = e.coordinator.Load(ctx, keys...)
		if err == nil && len(values) != len(keys) {
			err = fmt.Errorf("%d values for %d keys", len(values), len(keys))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

func (e *Engine) swap(ctx context.Context, key string, old, to []byte, ttl time.Duration, tell bool) (swapped bool, err error) {
	err = e.call(ctx, func(ctx context.Context) (err error) {
		swapped, err = e.coordinator.Swap(ctx, key, old, to, max(ttl, time.Second), tell)
		return err
	})
	return swapped && err == nil, err
}

// call ends when its own time is over, and not with the request that needs it: what is
// written must not depend on a client that hangs up.
func (e *Engine) call(ctx context.Context, do func(context.Context) error) error {
	if !e.isThere(ctx) {
		return ErrAway
	}
	ctx, cancel := forCall(ctx)
	defer cancel()
	began := time.Now()
	err := contained(ctx, do)
	// A caller with little time left learns nothing of the Coordinator.
	if now := time.Now(); err == nil || ctx.Err() == nil || now.Sub(began) >= callTimeout/2 {
		e.tried(ctx, err, now)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// forCall returns a context with what is left of a caller's time, and no more than one call may
// take. It does not end when the caller hangs up.
func forCall(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(callTimeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(deadline) {
		deadline = sooner
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

func contained(ctx context.Context, do func(context.Context) error) (err error) {
	defer flight.Recover(&err)
	return do(ctx)
}

// isThere reports whether a call may go out. After one that failed, and a pause, it looks
// whether the Coordinator responds again, for one caller at a time.
func (e *Engine) isThere(ctx context.Context) bool {
	e.mu.Lock()
	failing := e.failing
	probe := failing && !e.probing && !time.Now().Before(e.retryAt)
	if probe {
		e.probing = true
	}
	e.mu.Unlock()
	if !probe {
		return !failing
	}
	probed := make(chan struct{})
	inBackground := e.background != nil && e.background(func(ctx context.Context) {
		defer close(probed)
		e.probe(ctx)
	})
	if !inBackground {
		ctx, cancel := forCall(ctx)
		e.probe(ctx)
		cancel()
		close(probed)
	}
	select {
	case <-probed:
	case <-time.After(probeWait):
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.failing
}

func (e *Engine) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := contained(ctx, func(ctx context.Context) error {
		_, err := e.coordinator.Load(ctx, aliveKey)
		return err
	})
	if !errors.Is(ctx.Err(), context.Canceled) {
		e.tried(ctx, err, time.Now())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.probing = false
}

func (e *Engine) tried(ctx context.Context, err error, now time.Time) {
	e.mu.Lock()
	loud := err != nil && !now.Before(e.loudAt)
	back := err == nil && e.told
	switch {
	case err == nil:
		e.responds(now)
	case e.watching && !e.failing: // until now
		e.heard = now
	}
	e.failing = err != nil
	if err != nil {
		e.lost, e.retryAt = true, now.Add(pause)
	}
	if loud {
		e.loudAt, e.told = now.Add(loudEvery), true
	}
	if back {
		e.told = false
	}
	e.mu.Unlock()
	switch {
	case loud:
		e.log.ErrorContext(ctx, "oauthlogin: Options.Coordinator does not respond", "error", err)
	case back:
		e.log.InfoContext(ctx, "oauthlogin: Options.Coordinator responds again")
	}
}

// responds needs the lock.
func (e *Engine) responds(now time.Time) {
	e.heard = now
	if e.lost {
		e.lost, e.backAt = false, now
	}
}

// lastHeard returns when the Coordinator was last known to respond.
func (e *Engine) lastHeard(now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watching && !e.failing {
		return now
	}
	return e.heard
}

// WasAway reports whether the Coordinator does not respond, or did not a moment ago.
func (e *Engine) WasAway(now time.Time) bool {
	e.mu.Lock()
	lost := e.lost
	e.mu.Unlock()
	return lost || e.settling(now) > 0
}

func (e *Engine) watches(yes bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case yes:
		e.responds(now)
	case e.watching:
		e.lost = true
		if !e.failing {
			e.heard = now
		}
	}
	e.watching = yes
}

// settleFor is how long other instances may take, after the Coordinator was unreachable, to
// write what it has not taken meanwhile.
const settleFor = lastRetry + time.Second

// settling returns what is left of that.
func (e *Engine) settling(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.backAt.IsZero() {
		return 0
	}
	return e.backAt.Add(settleFor).Sub(now)
}
