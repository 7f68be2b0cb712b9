package oauthlogin

import (
	"strings"
	"sync"
)

// maxCacheBytes bounds a cache of opened sessions, roughly: up to this much is
// kept, and half of it at least when sessions keep coming.
const maxCacheBytes = 64 << 20

// A cache remembers what sealed values have opened to, because opening one
// costs ten times as much as all else that a request needs.
//
// It cannot serve one user another's session. What is found is compared, byte
// for byte, with the whole sealed value; what that opens to depends on nothing
// else, for the keys of a Middleware never change; and only values that did
// open get in, so who presents one already has the session. Records are never
// changed, and handlers get copies. Everything that can end a session or change
// its tokens is checked for each request, after the cache.
//
// Values live in two generations. New ones, and old ones that are used again,
// go to the young one; when that is full it becomes the old one, and what was not
// used since is dropped. A hit in the young generation changes nothing.
type cache struct {
	mu         sync.RWMutex
	young, old map[string]opened // by sealedValue.key
	youngBytes int
}

// opened is what a sealed value has opened to.
type opened struct {
	sealed string
	record *record
	oldKey bool // a key other than the first has sealed it
}

func (o opened) bytes() int {
	const entry = 512 // map, struct and string headers, roughly
	u, t := &o.record.user, &o.record.tokens
	return entry + len(o.sealed) + len(u.Subject) + len(u.Name) + len(u.Email) + len(u.RawClaims) +
		len(t.access) + t.refresh.size() + t.id.size() + len(t.scope)
}

func (c *cache) get(v *sealedValue) (opened, bool) {
	key := v.key()
	c.mu.RLock()
	o, young := c.young[key]
	if !young {
		o = c.old[key]
	}
	c.mu.RUnlock()
	if o.record == nil || !v.is(o.sealed) {
		return opened{}, false
	}
	if !young {
		c.put(v, o)
	}
	return o, true
}

func (c *cache) put(v *sealedValue, o opened) {
	size := o.bytes()
	if size > maxCacheBytes/16 {
		return
	}
	// Copies, which do not hold on to the request's header.
	o.sealed = strings.Clone(o.sealed)
	key := o.sealed[len(o.sealed)-len(v.key()):]
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.young[key]; ok {
		if old.sealed == o.sealed {
			return
		}
		c.youngBytes -= old.bytes() // it goes
	}
	if c.young == nil || c.youngBytes+size > maxCacheBytes/2 {
		c.old, c.young, c.youngBytes = c.young, map[string]opened{}, 0
	}
	c.young[key] = o
	c.youngBytes += size
}
