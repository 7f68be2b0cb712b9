package memory

import (
	"iter"
	"time"
)

// This file is what Grants has for instances that agree on sessions with others.

// Kind returns what kind of owner o is.
func (o Owner) Kind() OwnerKind { return o.kind }

// ID names the owner among those of its kind.
func (o Owner) ID() string { return string(o.id[:]) }

// OwnersOf returns what a session belongs to, in a fixed order, with the marks it began with.
func OwnersOf(rec Record) iter.Seq2[Owner, Mark] {
	return func(yield func(Owner, Mark) bool) {
		for kind := range ownerKinds {
			if owner, mark, ok := rec.Owner(kind); ok && !yield(owner, mark) {
				return
			}
		}
	}
}

// Agree says that all instances have the same marks. No clock tells any more which
// sessions began before an end of all their owner's.
func (g *Grants[R]) Agree() {
	for kind := range g.ended.marks {
		g.ended.marks[kind].agreed = true
	}
}

// HasEnded reports whether rec's session has ended by itself, and not with all of its
// owner's. Such an end is for good.
func (g *Grants[R]) HasEnded(rec R) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended.has(rec)
}

// Superseded reports whether rec's session began with another mark than the last one
// known of an owner.
func (g *Grants[R]) Superseded(rec R) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended.superseded(rec)
}

// Hear gives what another instance has just told its place among all ends: see SetMark.
func (g *Grants[R]) Hear() (heard uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended.seq++
	return g.ended.seq
}

// Mark returns the latest mark of an owner that is known, zero if there is none.
func (g *Grants[R]) Mark(owner Owner) Mark {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended.marks[owner.kind].of[owner.id].mark
}

// SetMark takes over the mark of an owner that another instance has made. heard is its place
// among all ends, 0 if this instance was not told when it was made.
func (g *Grants[R]) SetMark(owner Owner, mark Mark, heard uint64, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended.marks[owner.kind].of[owner.id].mark != mark {
		g.endAll(owner, marked{mark: mark, at: now.Unix(), foreign: true, heard: heard}, now)
	}
}

// MissMark is called for an owner whose mark the other instances do not have. It returns the
// mark that this instance has made, and for how long sessions from before it can live. It
// forgets one that another instance has made, and one that is over.
func (g *Grants[R]) MissMark(owner Owner, now time.Time) (mark Mark, left time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	marks := g.ended.marks[owner.kind].of
	latest, ok := marks[owner.id]
	left = time.Unix(latest.at, 0).Add(g.lifetime).Sub(now)
	if !ok || latest.foreign || left <= 0 {
		delete(marks, owner.id)
		return Mark{}, 0
	}
	return latest.mark, left
}

// EndAlone is End for a session whose lineage goes on.
func (g *Grants[R]) EndAlone(rec R, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(rec)
	g.ended.add(rec.SessionID(), ownGenerations, now, g.lifetime)
}

// A LiveEnd is a session that has ended, and its lineage with it unless Alone says
// otherwise, with what is left of their lifetimes.
type LiveEnd struct {
	ID    ID
	Alone bool
	Left  time.Duration
}

// AllEnded returns the sessions and lineages that have ended. Those of which a later
// generation may go on are not among them.
func (g *Grants[R]) AllEnded(now time.Time) iter.Seq[LiveEnd] {
	g.mu.Lock()
	order := g.ended.order // which is only ever appended to
	g.mu.Unlock()
	return func(yield func(LiveEnd) bool) {
		for _, e := range order {
			left := e.at.Add(g.lifetime).Sub(now)
			if e.generation >= ownGenerations && left > 0 && !yield(LiveEnd{e.id, e.generation == ownGenerations, left}) {
				return
			}
		}
	}
}

// A LiveMark is the mark of an owner, and for how long sessions from before it can live.
type LiveMark struct {
	Owner Owner
	Mark  Mark
	Left  time.Duration
}

// AllMarks returns the latest marks of all owners.
func (g *Grants[R]) AllMarks(now time.Time) (marks []LiveMark) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for kind := range ownerKinds {
		for id, latest := range g.ended.marks[kind].of {
			if left := time.Unix(latest.at, 0).Add(g.lifetime).Sub(now); left > 0 {
				marks = append(marks, LiveMark{Owner{kind, id}, latest.mark, left})
			}
		}
	}
	return marks
}

// pausedFor is how long a refresh that has failed at another instance is not tried here.
// Only that instance knows when it may be tried again.
const pausedFor = time.Second

// FailedElsewhere notes that the refresh of rec's tokens has failed at another instance,
// for the nth time in a row.
func (g *Grants[R]) FailedElsewhere(rec R, n int, err error, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.failing(rec); s != nil {
		s.failures = max(s.failures, n)
		s.err, s.retryAt = err, now.Add(pausedFor)
		g.put(s, now)
	}
}
