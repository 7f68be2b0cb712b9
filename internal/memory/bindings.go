package memory

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxBindings bounds the sessions that are remembered to be bound. They take about 28 MiB.
// The oldest go first.
const maxBindings = 1 << 17

// A Binding is the key that a session is bound to.
type Binding struct {
	Key [32]byte // its thumbprint
	At  time.Time
	// Generation is the latest one that has been shown.
	Generation uint64
}

// Bindings are the sessions that this instance has seen bound to a device. The key that was
// bound first counts, also if it is seen later: whoever copied the cookies before may have
// registered another one here.
type Bindings struct {
	Lifetime time.Duration // of sessions

	disputed atomic.Bool

	mu    sync.RWMutex
	of    map[ID]Binding
	order []boundAt // the oldest in front
}

type boundAt struct {
	id ID
	at time.Time
}

// Add remembers that a session is bound, and returns the binding that counts: the earliest.
// It reports whether the session was not known to be bound.
func (b *Bindings) Add(id ID, binding Binding, now time.Time) (counts Binding, isNew bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.of[id]; ok {
		counts = known
		isEarlier := binding.At.Before(known.At)
		switch {
		case known.Key == binding.Key:
			counts.Generation = max(known.Generation, binding.Generation)
			if isEarlier {
				counts.At = binding.At
			}
		case isEarlier:
			counts = binding
			b.disputed.Store(true)
		}
		if counts != known {
			b.of[id] = counts
		}
		return counts, false
	}
	if b.of == nil {
		b.of = map[ID]Binding{}
	}
	for len(b.order) > 0 && (len(b.order) >= maxBindings || now.Sub(b.order[0].at) > b.Lifetime) {
		delete(b.of, b.order[0].id)
		b.order = b.order[1:]
	}
	b.of[id] = binding
	b.order = append(b.order, boundAt{id, now})
	return binding, true
}

// Of returns the binding of a session; ok is false if none is known.
func (b *Bindings) Of(id ID) (binding Binding, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	binding, ok = b.of[id]
	return binding, ok
}

// Disputed reports whether a key has ever taken the place of one that was seen before it.
// Until then, no record that has been read needs to be compared with what is known.
func (b *Bindings) Disputed() bool { return b.disputed.Load() }
