package memory

import (
	"container/list"
	"sync"
	"time"
)

// An ID names a session from login to logout, whatever becomes of its tokens and
// cookies. It is random, and only ever read from a sealed value.
type ID [16]byte

// A Record is a session as one of its generations: each refresh of its tokens makes
// the next one. Records are shared between requests and must not be changed.
type Record interface {
	Sized
	SessionID() ID
	Generation() uint64
}

// Grants is what one instance knows of sessions beyond what their cookies say:
// tokens that were refreshed and have not reached the browser yet, tokens that
// cannot be refreshed for a while, and sessions that have ended.
type Grants[R Record] struct {
	maxAge time.Duration // after which a session that was not used has ended anyway

	mu           sync.Mutex
	live         map[ID]*list.Element // of *grant[R], in one of the lists
	unseen, seen list.List            // the oldest in front
	bytes        int

	ended      map[ID]struct{}
	endedOrder []ID // the oldest in front
}

const (
	// maxGrantBytes bounds refreshed tokens. Tokens that the browser has shown to have
	// go first; after that sessions lose tokens, and their users have to sign in again.
	maxGrantBytes = 32 << 20
	// seenFor is how long tokens stay after the browser has shown them: for requests
	// under way with the older cookie, and for a slow response whose older cookie
	// overwrites the newer one.
	seenFor  = 10 * time.Minute
	maxEnded = 1 << 16
)

type grant[R Record] struct {
	record R         // of the latest generation known here
	fresh  bool      // it came from a refresh here, and the browser may not have it
	at     time.Time // of the last change

	failures int // since the last success
	retryAt  time.Time
	err      error
}

// NewGrants returns a memory of sessions that end when they are not used for maxAge.
func NewGrants[R Record](maxAge time.Duration) *Grants[R] {
	return &Grants[R]{maxAge: maxAge, live: map[ID]*list.Element{}, ended: map[ID]struct{}{}}
}

// Shown returns the latest record of a session whose cookie has shown rec, whether
// that is newer than rec, and whether the session has ended. It notes that the
// browser has what it has shown.
func (g *Grants[R]) Shown(rec R, now time.Time) (latest R, newer, ended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ended = g.ended[rec.SessionID()]
	e := g.live[rec.SessionID()]
	if e == nil {
		return rec, false, ended
	}
	s := e.Value.(*grant[R])
	switch {
	case s.record.Generation() > rec.Generation():
		if !s.fresh { // a slow response has brought back the older cookie
			s.fresh = true
			g.put(s, now)
		}
		return s.record, true, ended
	case s.record.Generation() < rec.Generation(): // another instance refreshed
		g.remove(e)
	case s.fresh:
		s.fresh = false
		g.put(s, now)
	}
	return rec, false, ended
}

// Latest returns the latest record of rec's session, which may be rec, and whether
// the session has ended.
func (g *Grants[R]) Latest(rec R) (latest R, ended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ended = g.ended[rec.SessionID()]
	if e := g.live[rec.SessionID()]; e != nil && e.Value.(*grant[R]).record.Generation() > rec.Generation() {
		return e.Value.(*grant[R]).record, ended
	}
	return rec, ended
}

// Ended reports whether a session has ended on this instance.
func (g *Grants[R]) Ended(id ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ended := g.ended[id]
	return ended
}

// Refreshed keeps a record with new tokens. It reports false if the session has
// ended meanwhile.
func (g *Grants[R]) Refreshed(rec R, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ended := g.ended[rec.SessionID()]; ended {
		return false
	}
	g.put(&grant[R]{record: rec, fresh: true}, now)
	return true
}

// Failed keeps the refresh of rec's tokens from being tried again for a while: two
// seconds at first, twice as long each time, a minute at most.
func (g *Grants[R]) Failed(rec R, err error, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ended := g.ended[rec.SessionID()]; ended {
		return
	}
	s := &grant[R]{record: rec}
	if e := g.live[rec.SessionID()]; e != nil {
		s = e.Value.(*grant[R])
	}
	s.failures++
	s.err = err
	s.retryAt = now.Add(min(time.Minute, time.Second<<min(s.failures, 6)))
	g.put(s, now)
}

// Refusal returns why a refresh is not to be tried now, nil if it may be.
func (g *Grants[R]) Refusal(id ID, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.live[id]; e != nil && now.Before(e.Value.(*grant[R]).retryAt) {
		return e.Value.(*grant[R]).err
	}
	return nil
}

// End drops a session's tokens and remembers that it is over. It returns the latest
// record; ok is false if the session was over before.
func (g *Grants[R]) End(rec R) (latest R, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := rec.SessionID()
	if e := g.live[id]; e != nil {
		if latest := e.Value.(*grant[R]).record; latest.Generation() > rec.Generation() {
			rec = latest
		}
		g.remove(e)
	}
	if _, known := g.ended[id]; known {
		return rec, false
	}
	if len(g.endedOrder) >= maxEnded {
		delete(g.ended, g.endedOrder[0])
		g.endedOrder = g.endedOrder[1:]
	}
	g.ended[id] = struct{}{}
	g.endedOrder = append(g.endedOrder, id)
	return rec, true
}

// put, remove and trim need the lock.

func (g *Grants[R]) put(s *grant[R], now time.Time) {
	id := s.record.SessionID()
	if e := g.live[id]; e != nil {
		g.remove(e)
	}
	s.at = now
	to := &g.seen
	if s.fresh {
		to = &g.unseen
	}
	g.live[id] = to.PushBack(s)
	g.bytes += s.record.Bytes()
	g.trim(&g.seen, seenFor, now)
	g.trim(&g.unseen, g.maxAge, now)
}

func (g *Grants[R]) remove(e *list.Element) {
	s := e.Value.(*grant[R])
	delete(g.live, s.record.SessionID())
	g.bytes -= s.record.Bytes()
	// Each does nothing to an element of the other.
	g.unseen.Remove(e)
	g.seen.Remove(e)
}

func (g *Grants[R]) trim(l *list.List, maxAge time.Duration, now time.Time) {
	for e := l.Front(); e != nil && (g.bytes > maxGrantBytes || now.Sub(e.Value.(*grant[R]).at) > maxAge); e = l.Front() {
		g.remove(e)
	}
}
