package memory

import (
	"cmp"
	"hash/maphash"
	"sync"
	"time"
)

// maxRecent bounds the names that a Recent without a Max remembers.
const maxRecent = 2048

// A Recent remembers names for a while, with a value each. Like a Cache it keeps
// two generations. Of at most Max names, 2,048 by default, it remembers the last half for
// MaxAge at least.
type Recent struct {
	MaxAge time.Duration
	Max    int

	mu         sync.Mutex
	young, old map[uint64]string // by hash
	since      time.Time         // when the young generation began
}

// recentSeed is random, so that no client can make two names with one hash.
var recentSeed = maphash.MakeSeed()

// Add reports whether name is new, and remembers it with a value.
func (r *Recent) Add(name, value string) bool {
	key := maphash.String(recentSeed, name)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.since); age > r.MaxAge || len(r.young) >= cmp.Or(r.Max, maxRecent)/2 {
		r.young, r.old, r.since = r.old, r.young, now
		clear(r.young)
		if age > 2*r.MaxAge {
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

// Value returns the value that name was remembered with, "" if it is not known.
func (r *Recent) Value(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, _ := r.lookup(maphash.String(recentSeed, name))
	return value
}

func (r *Recent) lookup(key uint64) (value string, known bool) {
	if value, known = r.young[key]; !known {
		value, known = r.old[key]
	}
	return value, known
}
