package instances

import (
	"context"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
)

const (
	// How soon a watch that has ended begins again: twice as long each time.
	firstRewatch, lastRewatch = 50 * time.Millisecond, 2 * time.Second
	// aliveFor is how long the Coordinator remembers that it has lost nothing.
	aliveFor = time.Hour
)

// start begins to hear what changes, once.
func (s *Sessions[R]) start() {
	s.begun.Do(func() { s.workers.run(s.watch) })
}

func (s *Sessions[R]) watch() {
	wait := firstRewatch
	for s.ctx.Err() == nil {
		began := time.Now()
		err := s.watchOnce()
		s.known.hears(false)
		s.engine.watches(false, time.Now())
		if s.ctx.Err() != nil {
			return
		}
		s.log.WarnContext(s.ctx, "oauthlogin: not told of changes by Options.Coordinator for now", "error", err)
		if time.Since(began) > lastRewatch {
			wait = firstRewatch
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRewatch)
	}
}

func (s *Sessions[R]) watchOnce() (err error) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer flight.Recover(&err)
	return s.engine.coordinator.Watch(ctx, func() {
		s.known.hears(true)
		s.engine.watches(true, time.Now())
		s.workers.run(func() { s.keepAlive(ctx) })
	}, s.known.changed)
}

// keepAlive finds out whether the Coordinator has lost what it held, and then tells it
// again what has ended. It goes on as long as the watch.
func (s *Sessions[R]) keepAlive(ctx context.Context) {
	key := Key(kindAlive, "")
	for {
		wait := aliveFor / 2
		if !s.restore(ctx, key) {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// restore reports whether the Coordinator knows what has ended.
func (s *Sessions[R]) restore(ctx context.Context, alive string) bool {
	renewed, err := s.engine.swap(ctx, alive, aliveValue, aliveValue, aliveFor, false)
	if renewed || err != nil {
		return renewed
	}
	now := time.Now()
	for end := range s.Grants.AllEnded(now) {
		value := endValue
		if end.Alone {
			value = endAloneValue
		}
		if _, err := s.engine.swap(ctx, sessionKey(end.ID), nil, value, end.Left, true); err != nil || ctx.Err() != nil {
			return false
		}
	}
	for _, m := range s.Grants.AllMarks(now) {
		if _, err := s.engine.swap(ctx, ownerKey(m.Owner), nil, m.Mark[:], m.Left, true); err != nil || ctx.Err() != nil {
			return false
		}
	}
	_, err = s.engine.swap(ctx, alive, nil, aliveValue, aliveFor, false)
	return err == nil
}
