package instances

import (
	"context"
	"crypto/rand"
	"sync"
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
	wait, loudAt := firstRewatch, time.Time{}
	for s.ctx.Err() == nil {
		began := time.Now()
		err := s.watchOnce()
		if s.ctx.Err() != nil {
			return
		}
		if now := time.Now(); !now.Before(loudAt) {
			s.log.WarnContext(s.ctx, "oauthlogin: not told of changes by Options.Coordinator for now", "error", err)
			loudAt = now.Add(loudEvery)
		}
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
	var keeping sync.WaitGroup
	defer func() {
		s.known.hears(false)
		s.engine.watches(false, time.Now())
		cancel()
		keeping.Wait()
	}()
	defer flight.Recover(&err)
	return s.engine.coordinator.Watch(ctx, func() {
		s.known.hears(true)
		s.engine.watches(true, time.Now())
		keeping.Go(func() { s.workers.contain(func() { s.keepAlive(ctx) }) })
	}, s.known.changed)
}

// keepAlive finds out whether the Coordinator has lost what it held, and then tells it
// again what has ended. It goes on as long as the watch.
func (s *Sessions[R]) keepAlive(ctx context.Context) {
	for {
		wait := aliveFor / 2
		if s.isAlive(ctx) || s.restore(ctx) {
			s.known.completes()
		} else {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// aliveKey has a random value from when the Coordinator began empty until it loses what it
// holds. Each instance remembers the one that it has told everything, so that each tells
// what it knows alone, whoever is the first.
var aliveKey = Key(kindAlive, "")

func (s *Sessions[R]) isAlive(ctx context.Context) bool {
	if s.alive == nil {
		return false
	}
	renewed, _ := s.engine.swap(ctx, aliveKey, s.alive, s.alive, aliveFor, false)
	return renewed && ctx.Err() == nil
}

// restore tells the Coordinator what has ended, and reports whether it knows everything.
func (s *Sessions[R]) restore(ctx context.Context) bool {
	alive, err := s.engine.Value(ctx, aliveKey)
	if err != nil {
		return false
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
	if alive == nil {
		alive = []byte(rand.Text())
		if set, err := s.engine.swap(ctx, aliveKey, nil, alive, aliveFor, false); !set || err != nil {
			return false
		}
	}
	s.alive = alive
	return true
}
