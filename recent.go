package oauthlogin

import (
	"hash/maphash"
	"sync"
	"time"
)

// maxRecent bounds what a recent remembers. The last half of that is remembered
// for maxAge at least.
const maxRecent = 2048

// A recent remembers for a while what this instance has just seen: states that
// came back, so that a code does not go out again when a browser puts its flow
// cookie back, and users who signed in. Like a cache, it keeps two generations.
type recent struct {
	maxAge time.Duration

	mu         sync.Mutex
	young, old map[uint64]string // by hash
	since      time.Time         // when the young generation began
}

// recentSeed is nobody's to know: two names with one hash cannot be made.
var recentSeed = maphash.MakeSeed()

// add reports whether name is new, and remembers it with a value.
func (r *recent) add(name, value string) bool {
	key := maphash.String(recentSeed, name)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.since); age > r.maxAge || len(r.young) >= maxRecent/2 {
		r.young, r.old, r.since = r.old, r.young, now
		clear(r.young)
		if age > 2*r.maxAge {
			clear(r.old)
		}
		if r.young == nil {
			r.young = map[uint64]string{}
		}
	}
	if _, known := r.lookup(key); known {
		return false
	}
	r.young[key] = value
	return true
}

// value returns what name was remembered with, "" if it is not known any more.
func (r *recent) value(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, _ := r.lookup(maphash.String(recentSeed, name))
	return value
}

func (r *recent) lookup(key uint64) (value string, known bool) {
	if value, known = r.young[key]; !known {
		value, known = r.old[key]
	}
	return value, known
}
