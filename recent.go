package oauthlogin

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxRecent bounds what a recent remembers.
const maxRecent = 4096

// A recent remembers for a while what this instance has just seen: states that
// came back, so that a code does not go out again when a browser puts its flow
// cookie back, and users who signed in. When it is full, the oldest goes.
type recent struct {
	maxAge time.Duration

	mu     sync.Mutex
	values map[recentKey]string
	order  []recentEntry // oldest first
}

type recentKey [sha256.Size]byte

type recentEntry struct {
	key recentKey
	at  time.Time
}

// add reports whether name is new, and remembers it with a value.
func (r *recent) add(name, value string) bool {
	key := recentKey(sha256.Sum256([]byte(name)))
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && (len(r.order) >= maxRecent || now.Sub(r.order[0].at) > r.maxAge) {
		delete(r.values, r.order[0].key)
		r.order = r.order[1:]
	}
	if _, known := r.values[key]; known {
		return false
	}
	if r.values == nil {
		r.values = map[recentKey]string{}
	}
	r.values[key] = value
	r.order = append(r.order, recentEntry{key, now})
	return true
}

// value returns what name was remembered with, "" if it is not known any more.
func (r *recent) value(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values[sha256.Sum256([]byte(name))]
}
