package memory

import (
	"container/list"
	"sync"
	"time"
)

// maxLastingBytes bounds a Lasting, roughly.
const maxLastingBytes = 16 << 20

// A Lasting remembers values by name, each until its time is over. If there is no room, the
// oldest go first. The zero Lasting is empty.
type Lasting[V Sized] struct {
	mu     sync.Mutex
	byName map[string]*list.Element // of *lasting[V], in order
	order  list.List                // the oldest in front
	bytes  int
}

type lasting[V Sized] struct {
	name  string
	value V
	until time.Time
	bytes int // when it was put
}

// Get returns the value of a name.
func (l *Lasting[V]) Get(name string, now time.Time) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byName[name]
	if e == nil {
		return value, false
	}
	found := e.Value.(*lasting[V])
	if !now.Before(found.until) {
		l.remove(e)
		return value, false
	}
	return found.value, true
}

// Put remembers a value in place of the one before.
func (l *Lasting[V]) Put(name string, value V, until, now time.Time) {
	const entry = 192 // map, list and string headers, roughly
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byName[name]; e != nil {
		l.remove(e)
	}
	if l.byName == nil {
		l.byName = map[string]*list.Element{}
	}
	added := &lasting[V]{name, value, until, entry + len(name) + value.Bytes()}
	l.byName[name] = l.order.PushBack(added)
	l.bytes += added.bytes
	for e := l.order.Front(); e != nil && (l.bytes > maxLastingBytes || !now.Before(e.Value.(*lasting[V]).until)); e = l.order.Front() {
		l.remove(e)
	}
}

// remove needs the lock.
func (l *Lasting[V]) remove(e *list.Element) {
	gone := l.order.Remove(e).(*lasting[V])
	delete(l.byName, gone.name)
	l.bytes -= gone.bytes
}
