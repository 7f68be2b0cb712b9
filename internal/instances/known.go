package instances

import (
	"sync"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

const (
	// knownFor is how long an instance relies on what it was told about a session.
	knownFor = 10 * time.Minute
	// maxNamed bounds what is known of sessions, of which each has two keys or three. It takes
	// about 60 MiB.
	maxNamed = 1 << 18
	// maxStale bounds the keys that are known to have changed. They take about 13 MiB.
	maxStale = 1 << 17
)

// known are the sessions of which this instance knows that they have not ended and have
// no newer tokens: since it looked, and until it hears that one of their keys has changed.
type known struct {
	mu      sync.RWMutex
	hearing bool // every change is heard
	// complete says that the Coordinator has everything that this instance has told it.
	complete bool
	of       map[memory.ID]*knowledge
	by       map[string][]memory.ID   // what depends on a key, or did
	named    int                      // IDs in by
	waits    map[string]chan struct{} // closed when a key changes
	// stale are keys that have changed, as this instance has heard, and that it has not
	// read since, each with what hear returned then. They live in two generations.
	stale, staleBefore map[string]uint64
	hear               func() uint64 // gives a change its place among all ends; nil: it has none
}

type knowledge struct {
	keys  []string
	since time.Time
	sure  bool // the look has ended, and nothing has changed meanwhile
}

// has reports whether a session is known.
func (k *known) has(id memory.ID, now time.Time) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	e := k.of[id]
	return e != nil && e.sure && now.Sub(e.since) < knownFor
}

// begin notes that a session is being looked at. Looks at the same time are one: a change
// since the first of them began counts for all.
func (k *known) begin(id memory.ID, keys []string, now time.Time) *knowledge {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.named >= maxNamed {
		k.forget()
	}
	before := k.of[id]
	if before != nil && !before.sure {
		return before
	}
	e := &knowledge{keys: keys, since: now}
	if before == nil { // or its keys have it
		for _, key := range keys {
			k.by[key] = append(k.by[key], id)
			k.named++
		}
	}
	k.of[id] = e
	return e
}

// looked ends what begin began. It reports false if a key has changed meanwhile, perhaps
// after it was read. Otherwise it calls learn, before anything else can change, and says
// whether a key that is not there was never written, or is over.
func (k *known) looked(id memory.ID, e *knowledge, learn func(complete bool)) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of[id] != e {
		return false
	}
	learn(k.complete)
	e.sure = k.hearing
	for _, key := range e.keys {
		delete(k.stale, key)
		delete(k.staleBefore, key)
	}
	return true
}

// isStale reports whether one of the keys has changed since it was read.
func (k *known) isStale(keys []string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range keys {
		_, young := k.stale[key]
		_, old := k.staleBefore[key]
		if young || old {
			return true
		}
	}
	return false
}

// heard returns the place among all ends of the last change of a stale key, 0 if it is not
// stale. It needs the lock.
func (k *known) heard(key string) uint64 { return max(k.stale[key], k.staleBefore[key]) }

func (k *known) changed(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range k.by[key] {
		delete(k.of, id)
	}
	k.named -= len(k.by[key])
	delete(k.by, key)
	if len(k.stale) >= maxStale/2 {
		k.staleBefore, k.stale = k.stale, nil
	}
	if k.stale == nil {
		k.stale = map[string]uint64{}
	}
	k.stale[key] = 0
	if k.hear != nil {
		k.stale[key] = k.hear()
	}
	if c := k.waits[key]; c != nil {
		close(c)
		delete(k.waits, key)
	}
}

// unknow has the next request of a session look at it anew.
func (k *known) unknow(id memory.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, id)
}

// change returns a channel that is closed when a key has changed.
func (k *known) change(key string) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.waits[key]
	if c == nil {
		if k.waits == nil {
			k.waits = map[string]chan struct{}{}
		}
		c = make(chan struct{})
		k.waits[key] = c
	}
	return c
}

// ignore forgets a channel of change.
func (k *known) ignore(key string, c <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if (<-chan struct{})(k.waits[key]) == c {
		delete(k.waits, key)
	}
}

// hears notes whether every change is heard from now on. Either way, nothing is known
// any more.
func (k *known) hears(yes bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hearing, k.complete = yes, false
	k.forget()
}

// completes notes that the Coordinator has everything that this instance has told it, and
// will have it while every change is heard.
func (k *known) completes() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.complete = k.hearing
}

// forget needs the lock.
func (k *known) forget() {
	k.named = 0
	k.of, k.by = map[memory.ID]*knowledge{}, map[string][]memory.ID{}
}
