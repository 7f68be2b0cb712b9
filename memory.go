package oauthlogin

import (
	"container/list"
	"sync"
	"time"
)

// A sessionID names a session from login to logout, whatever becomes of its
// tokens and cookies. It is random, and only ever read from a sealed value.
type sessionID [16]byte

// A memory is what one instance knows of sessions beyond what their cookies
// say: tokens that were refreshed and have not reached the browser yet, tokens
// that cannot be refreshed for a while, and sessions that have ended. All of it
// is bounded, and a restart forgets it.
type memory struct {
	maxAge time.Duration // after which a session that was not used has ended anyway

	mu           sync.Mutex
	live         map[sessionID]*list.Element // of *liveSession, in one of the lists
	unseen, seen list.List                   // the oldest in front
	bytes        int

	ended      map[sessionID]struct{}
	endedOrder []sessionID // the oldest in front
}

const (
	// maxMemoryBytes bounds refreshed tokens. What the browser has shown to have
	// goes first; after that, sessions lose tokens and have to sign in again.
	maxMemoryBytes = 32 << 20
	// seenFor is how long tokens stay after the browser has shown them: for
	// requests under way with the older cookie, and for a slow response whose
	// older cookie overwrites the newer one.
	seenFor  = 10 * time.Minute
	maxEnded = 1 << 16
)

type liveSession struct {
	record *record   // of the latest generation known here
	fresh  bool      // it came from a refresh here, and the browser may not have it
	at     time.Time // of the last change

	failures int // since the last success
	retryAt  time.Time
	err      error
}

func (s *liveSession) bytes() int {
	const entry = 512 // roughly, with map and list
	t := &s.record.tokens
	return entry + len(t.access) + t.refresh.size() + t.id.size() + len(t.scope) + len(s.record.user.RawClaims)
}

// look returns the record that is newer than the one in a request's cookie, or
// nil, and whether the session has ended; and notes that the browser has what
// it has. Nobody may change what it returns.
func (m *memory) look(rec *record, now time.Time) (newer *record, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ended = m.ended[rec.id]
	e := m.live[rec.id]
	if e == nil {
		return nil, ended
	}
	s := e.Value.(*liveSession)
	switch {
	case s.record.generation > rec.generation:
		if !s.fresh { // a slow response has brought back the older cookie
			s.fresh = true
			m.put(s, now)
		}
		return s.record, ended
	case s.record.generation < rec.generation: // another instance refreshed
		m.remove(e)
	case s.fresh:
		s.fresh = false
		m.put(s, now)
	}
	return nil, ended
}

// latest is look for a record that need not be the browser's.
func (m *memory) latest(rec *record) (latest *record, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ended = m.ended[rec.id]
	if e := m.live[rec.id]; e != nil && e.Value.(*liveSession).record.generation > rec.generation {
		return e.Value.(*liveSession).record, ended
	}
	return rec, ended
}

func (m *memory) hasEnded(id sessionID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ended := m.ended[id]
	return ended
}

// refreshed keeps a record with new tokens, unless the session has ended
// meanwhile.
func (m *memory) refreshed(rec *record, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ended := m.ended[rec.id]; ended {
		return false
	}
	m.put(&liveSession{record: rec, fresh: true}, now)
	return true
}

// failed keeps the tokens' refresh from being tried again for a while: two
// seconds at first, twice as long each time, a minute at most.
func (m *memory) failed(rec *record, err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ended := m.ended[rec.id]; ended {
		return
	}
	s := &liveSession{record: rec}
	if e := m.live[rec.id]; e != nil {
		s = e.Value.(*liveSession)
	}
	s.failures++
	s.err = err
	s.retryAt = now.Add(min(time.Minute, time.Second<<min(s.failures, 6)))
	m.put(s, now)
}

// refusal returns why a refresh is not to be tried now, nil if it may be.
func (m *memory) refusal(id sessionID, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.live[id]; e != nil && now.Before(e.Value.(*liveSession).retryAt) {
		return e.Value.(*liveSession).err
	}
	return nil
}

// end forgets a session's tokens and remembers that it is over. It returns the
// latest record that there was, nil if the session was over before.
func (m *memory) end(rec *record) *record {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := rec.id
	if e := m.live[id]; e != nil {
		if latest := e.Value.(*liveSession).record; latest.generation > rec.generation {
			rec = latest
		}
		m.remove(e)
	}
	if _, known := m.ended[id]; known {
		return nil
	}
	if m.ended == nil {
		m.ended = map[sessionID]struct{}{}
	}
	if len(m.endedOrder) >= maxEnded {
		delete(m.ended, m.endedOrder[0])
		m.endedOrder = m.endedOrder[1:]
	}
	m.ended[id] = struct{}{}
	m.endedOrder = append(m.endedOrder, id)
	return rec
}

// put, remove and trim need the lock.

func (m *memory) put(s *liveSession, now time.Time) {
	if e := m.live[s.record.id]; e != nil {
		m.remove(e)
	}
	if m.live == nil {
		m.live = map[sessionID]*list.Element{}
	}
	s.at = now
	to := &m.seen
	if s.fresh {
		to = &m.unseen
	}
	m.live[s.record.id] = to.PushBack(s)
	m.bytes += s.bytes()
	m.trim(&m.seen, seenFor, now)
	m.trim(&m.unseen, m.maxAge, now)
}

func (m *memory) remove(e *list.Element) {
	s := e.Value.(*liveSession)
	delete(m.live, s.record.id)
	m.bytes -= s.bytes()
	// Each does nothing to an element of the other.
	m.unseen.Remove(e)
	m.seen.Remove(e)
}

func (m *memory) trim(l *list.List, maxAge time.Duration, now time.Time) {
	for e := l.Front(); e != nil && (m.bytes > maxMemoryBytes || now.Sub(e.Value.(*liveSession).at) > maxAge); e = l.Front() {
		m.remove(e)
	}
}
