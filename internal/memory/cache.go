// Package memory is what one instance remembers between requests. Everything in it
// is bounded, and a restart forgets it.
package memory

import (
	"strings"
	"sync"
)

// maxCacheBytes bounds a Cache, roughly: it keeps up to this much, and at least half
// of it while values keep coming.
const maxCacheBytes = 64 << 20

// A Sized says roughly how many bytes of memory it takes.
type Sized interface{ Bytes() int }

// A Cache remembers what sealed texts have opened to, because opening one costs ten
// times as much as everything else that a request needs.
//
// It cannot give one user another user's session. A text that is found is compared,
// byte for byte, with the whole of the one that was put in, and only texts that
// opened are put in: a client that presents one already has the session. Values are
// shared between requests, so they must not be changed; whatever can end a session is
// checked for each request, after the cache.
//
// Values live in two generations. New ones, and old ones that are used again, go to
// the young one. When that is full it becomes the old one, and values that were not
// used since are dropped. A hit in the young generation changes nothing.
type Cache[V Sized] struct {
	mu         sync.RWMutex
	young, old map[string]cached[V] // by cacheKey
	youngBytes int
}

type cached[V Sized] struct {
	text  string
	value V
}

func (c *cached[V]) bytes() int {
	const entry = 128 // map and string headers, roughly
	return entry + len(c.text) + c.value.Bytes()
}

// Get returns the value of the text that parts make together.
func (c *Cache[V]) Get(parts []string) (value V, ok bool) {
	key := cacheKey(parts)
	c.mu.RLock()
	found, young := c.young[key]
	ok = young
	if !young {
		found, ok = c.old[key]
	}
	c.mu.RUnlock()
	if !ok || !isText(parts, found.text) {
		return value, false
	}
	if !young {
		c.put(found)
	}
	return found.value, true
}

// Put remembers the value of the text that parts make together. It copies the text,
// and so does not hold on to a request's header.
func (c *Cache[V]) Put(parts []string, value V) {
	e := cached[V]{strings.Join(parts, ""), value}
	if len(parts) == 1 {
		e.text = strings.Clone(e.text)
	}
	c.put(e)
}

func (c *Cache[V]) put(e cached[V]) {
	size := e.bytes()
	if size > maxCacheBytes/16 {
		return
	}
	key := cacheKey([]string{e.text}) // a part of e.text, not of a request
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.young[key]; ok {
		if before.text == e.text {
			return
		}
		c.youngBytes -= before.bytes()
	}
	if c.young == nil || c.youngBytes+size > maxCacheBytes/2 {
		c.old, c.young, c.youngBytes = c.young, map[string]cached[V]{}, 0
	}
	c.young[key] = e
	c.youngBytes += size
}

// cacheKey is a part of the message authentication code at the end of the text.
// Hashing it takes less time than hashing the whole text.
func cacheKey(parts []string) string {
	const length = 32
	n := len(parts)
	last := parts[n-1]
	if len(last) < length && n > 1 { // or texts of one length would share a key
		last = parts[n-2] + last
	}
	return last[max(0, len(last)-length):]
}

// isText reports whether parts make the whole text.
func isText(parts []string, text string) bool {
	for _, part := range parts {
		rest, ok := strings.CutPrefix(text, part)
		if !ok {
			return false
		}
		text = rest
	}
	return text == ""
}
