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
	// Lineage is the session that this one and those before it in the same browser began
	// with: its own ID if it replaced none.
	Lineage() ID
	Generation() uint64
	Begun() time.Time
	// Owner returns the owner of a kind, and what MarkOf returned for it when the session
	// began. ok is false if the session has none of that kind.
	Owner(kind OwnerKind) (owner Owner, mark Mark, ok bool)
}

// Grants is what one instance knows of sessions beyond what their cookies say:
// tokens that were refreshed and have not reached the browser yet, tokens that
// cannot be refreshed for a while, and sessions that have ended.
type Grants[R Record] struct {
	idle     time.Duration // after which a session that was not used has ended anyway
	lifetime time.Duration // after which every session has

	mu           sync.Mutex
	live         map[ID]*list.Element // of *grant[R], in one of the lists
	unseen, seen list.List            // the oldest in front
	bytes        int

	ended    ended
	replaced replaced[R]
}

const (
	// maxGrantBytes bounds refreshed tokens. Tokens that the browser has shown to have
	// go first; after that sessions lose tokens, and their users have to sign in again.
	maxGrantBytes = 32 << 20
	// seenFor is how long tokens stay after the browser has shown them: for requests
	// under way with the older cookie, and for a slow response whose older cookie
	// overwrites the newer one.
	seenFor = 10 * time.Minute
)

type grant[R Record] struct {
	record R         // of the latest generation known here
	fresh  bool      // it came from a refresh here, and the browser may not have it
	at     time.Time // of the last change

	accepted bool // an API has accepted the access token
	failures int  // since the last success
	retryAt  time.Time
	err      error
}

// NewGrants returns a memory of sessions that end when they are not used for idle, and a
// lifetime after they began.
func NewGrants[R Record](idle, lifetime time.Duration) *Grants[R] {
	return &Grants[R]{idle: idle, lifetime: lifetime, live: map[ID]*list.Element{}}
}

// Shown returns the latest record of a session whose cookie has shown rec, whether
// that is newer than rec, and whether the session has ended. It notes that the
// browser has what it has shown.
func (g *Grants[R]) Shown(rec R, now time.Time) (latest R, newer, ended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ended = hasEnded(&g.ended, rec)
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
	ended = hasEnded(&g.ended, rec)
	if e := g.live[rec.SessionID()]; e != nil && e.Value.(*grant[R]).record.Generation() > rec.Generation() {
		return e.Value.(*grant[R]).record, ended
	}
	return rec, ended
}

// Ended reports whether rec's session has ended on this instance.
func (g *Grants[R]) Ended(rec R) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return hasEnded(&g.ended, rec)
}

// Refreshed keeps a record with new tokens, unless a later generation is known. It reports
// false if the session has ended meanwhile.
func (g *Grants[R]) Refreshed(rec R, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if hasEnded(&g.ended, rec) {
		return false
	}
	fresh := grant[R]{record: rec, fresh: true}
	if e := g.live[rec.SessionID()]; e != nil {
		switch known := e.Value.(*grant[R]); {
		case known.record.Generation() > rec.Generation(): // perhaps the only copy
			return true
		case known.record.Generation() == rec.Generation(): // a back-off goes on
			fresh = *known
			fresh.record, fresh.fresh = rec, true
		}
	}
	g.put(&fresh, now)
	return true
}

// Failed keeps the refresh of rec's tokens from being tried again for a while: two
// seconds at first, twice as long each time, a minute at most, and as long as the
// provider asks to wait.
//
// It returns how often it has failed in a row, and the pause.
func (g *Grants[R]) Failed(rec R, err error, now time.Time, wait time.Duration) (failures int, pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.failing(rec)
	if s == nil {
		return 0, wait
	}
	s.failures++
	pause = max(wait, min(time.Minute, time.Second<<min(s.failures, 6)))
	s.err, s.retryAt = err, now.Add(pause)
	g.put(s, now)
	return s.failures, pause
}

// failing returns what is known of rec's generation, nil if that is over. It needs the lock.
func (g *Grants[R]) failing(rec R) *grant[R] {
	if hasEnded(&g.ended, rec) {
		return nil
	}
	if e := g.live[rec.SessionID()]; e != nil {
		switch known := e.Value.(*grant[R]); {
		case known.record.Generation() > rec.Generation():
			return nil
		case known.record.Generation() == rec.Generation():
			return known
		}
	}
	return &grant[R]{record: rec}
}

// Refusal returns why a refresh of rec's tokens is not to be tried now, nil if it may be.
func (g *Grants[R]) Refusal(rec R, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.live[rec.SessionID()]; e != nil {
		if s := e.Value.(*grant[R]); s.record.Generation() == rec.Generation() && now.Before(s.retryAt) {
			return s.err
		}
	}
	return nil
}

// Accepted notes that an API has accepted rec's access token.
func (g *Grants[R]) Accepted(rec R) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.live[rec.SessionID()]; e != nil && e.Value.(*grant[R]).record.Generation() == rec.Generation() {
		e.Value.(*grant[R]).accepted = true
	}
}

// Unproven reports whether rec's access token came from a refresh here, and no API has
// accepted it yet.
func (g *Grants[R]) Unproven(rec R) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.live[rec.SessionID()]
	if e == nil {
		return false
	}
	s := e.Value.(*grant[R])
	return s.record.Generation() == rec.Generation() && rec.Generation() > 0 && !s.accepted
}

// End drops the tokens of rec's session and of those that it replaced, and remembers
// that they are over. It returns their latest records, that of rec's session first; none
// if the session was over before. A mark that another instance may have replaced meanwhile
// does not say that it was.
func (g *Grants[R]) End(rec R, now time.Time) (latest []R) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended.has(rec) || !g.ended.marks[OfUser].agreed && hasEnded(&g.ended, rec) {
		return nil
	}
	rec = g.drop(rec)
	g.ended.add(rec.Lineage(), allGenerations, now, g.lifetime)
	latest = []R{rec}
	for _, before := range g.replaced.take(rec.Lineage()) {
		if before.SessionID() != rec.SessionID() {
			latest = append(latest, g.drop(before))
		}
	}
	return latest
}

// Spend ends rec's generation of a session and those before it: its refresh token was
// refused. A later generation goes on; ok is false if one is known here.
func (g *Grants[R]) Spend(rec R, now time.Time) (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.live[rec.SessionID()]; e != nil {
		if e.Value.(*grant[R]).record.Generation() > rec.Generation() {
			return false
		}
		g.remove(e)
	}
	g.ended.add(rec.SessionID(), rec.Generation(), now, g.lifetime)
	return true
}

// Replace remembers that another sign-in has replaced rec's session in its browser.
func (g *Grants[R]) Replace(rec R, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replaced.add(rec, now, g.lifetime)
}

// Replaced reports whether another sign-in has replaced rec's session in its browser, as
// far as this instance remembers.
func (g *Grants[R]) Replaced(rec R) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.replaced.has(rec)
}

// drop forgets the tokens of rec's session and returns its latest record. It needs the
// lock.
func (g *Grants[R]) drop(rec R) R {
	if e := g.live[rec.SessionID()]; e != nil {
		if latest := e.Value.(*grant[R]).record; latest.Generation() > rec.Generation() {
			rec = latest
		}
		g.remove(e)
	}
	return rec
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
	g.trim(&g.unseen, g.idle, now)
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
