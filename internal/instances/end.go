package instances

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// endTimeout bounds what a request waits for other instances to be told of an end.
const endTimeout = time.Second

// errContended means that a key changed each time it was to be written.
var errContended = fmt.Errorf("%w: a key changes too often", ErrAway)

// End ends rec's session and those that it replaced, here at once and at all instances. It
// returns their latest records, that of rec's session first; none if the session was over
// before. What the Coordinator does not take is tried again until it does.
func (s *Sessions[R]) End(ctx context.Context, rec R, now time.Time) (latest []R) {
	latest = s.Grants.End(rec, now)
	if s.engine == nil || len(latest) == 0 {
		return latest
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	s.endKey(ctx, rec.SessionID(), endValue, rec.Begun().Add(s.lifetime).Sub(now))
	if lineage := rec.Lineage(); lineage != rec.SessionID() { // sessions of which may have begun later
		s.endKey(ctx, lineage, endValue, s.lifetime)
	}
	return latest
}

func (s *Sessions[R]) endKey(ctx context.Context, id memory.ID, value []byte, ttl time.Duration) {
	key := sessionKey(id)
	end := func(ctx context.Context) error {
		return s.replace(ctx, key, ttl, func(old []byte) []byte {
			if isEndOfAll(old) || bytes.Equal(old, value) {
				return nil
			}
			return value
		})
	}
	if end(ctx) != nil {
		s.jobs.add(key, end)
	}
}

// replace puts what to returns in place of what a key has, and tells all instances. It
// leaves a key alone for which to returns nil.
func (s *Sessions[R]) replace(ctx context.Context, key string, ttl time.Duration, to func(old []byte) []byte) error {
	const attempts = 4
	for range attempts {
		values, err := s.engine.load(ctx, key)
		if err != nil {
			return err
		}
		value := to(values[0])
		if value == nil {
			return nil
		}
		if swapped, err := s.engine.swap(ctx, key, values[0], value, ttl, true); swapped || err != nil {
			return err
		}
	}
	return errContended
}

// EndAll ends all sessions of an owner that have begun so far. An error means that other
// instances do not know of it yet: they will when the Coordinator responds again.
func (s *Sessions[R]) EndAll(ctx context.Context, owner memory.Owner, now time.Time) error {
	before, mark := s.Grants.Mark(owner), s.Grants.EndAll(owner, now)
	if s.engine == nil {
		return nil
	}
	s.start()
	key := ownerKey(owner)
	isLate := false
	write := func(ctx context.Context) error {
		return s.replace(ctx, key, s.lifetime, func(old []byte) []byte {
			switch {
			case bytes.Equal(old, mark[:]):
				return nil
			case isLate && old != nil && !bytes.Equal(old, before[:]):
				// Another instance has ended them, too. Nothing tells which came later, and
				// sessions that began between the two would survive one of the marks.
				mark = s.Grants.EndAll(owner, time.Now())
			}
			return mark[:]
		})
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	err := write(ctx)
	if err != nil {
		isLate = true
		s.jobs.add(key, write)
	}
	return err
}

// learnMarks takes over the marks of rec's owners that all instances agree on. One that the
// Coordinator has not taken yet stays. It needs the lock of known.
func (s *Sessions[R]) learnMarks(rec R, values [][]byte, complete bool, now time.Time) {
	i := 0
	for owner := range memory.OwnersOf(rec) {
		var mark memory.Mark
		switch key := ownerKey(owner); {
		case s.jobs.has(key):
		case len(values[i]) == len(mark):
			copy(mark[:], values[i])
			s.Grants.SetMark(owner, mark, s.known.heard(key), now)
		case values[i] == nil && complete:
			s.missMark(owner, key, now)
		}
		i++
	}
}

// missMark is called for an owner without a mark. One that came from another instance is
// over: this one does not know when it was made, and sessions that begin now have none. One
// that was made here and should be there is written again.
func (s *Sessions[R]) missMark(owner memory.Owner, key string, now time.Time) {
	mark, left := s.Grants.MissMark(owner, now)
	if left <= 0 {
		return
	}
	s.jobs.add(key, func(ctx context.Context) error {
		_, err := s.engine.swap(ctx, key, nil, mark[:], left, true)
		return err
	})
}

// Begin learns the marks of a session that begins now, before the application decides on
// the login: MarkOf returns them. While the Coordinator is unreachable, MarkOf returns those
// that this instance knows.
func (s *Sessions[R]) Begin(ctx context.Context, rec R, now time.Time) {
	if s.engine == nil {
		return
	}
	s.start()
	keys := keysOf(rec)
	e := s.known.begin(rec.SessionID(), keys, now)
	// The session's own key has a new random name: only marks can be there.
	values, err := s.engine.load(ctx, keys[1:]...)
	if err == nil {
		s.known.looked(rec.SessionID(), e, func(complete bool) { s.learnMarks(rec, values, complete, now) })
	}
}

// Once claims what may happen once for ttl, and keeps a value with it. It reports false if
// another instance, or this one, has claimed it before. An error means that it cannot be
// told.
func (s *Sessions[R]) Once(ctx context.Context, key string, value []byte, ttl time.Duration) (first bool, err error) {
	if s.engine == nil {
		return true, nil
	}
	return s.engine.swap(ctx, key, nil, value, ttl, false)
}

// Value returns the value of a key, nil if there is none.
func (s *Sessions[R]) Value(ctx context.Context, key string) ([]byte, error) {
	if s.engine == nil {
		return nil, nil
	}
	return s.engine.Value(ctx, key)
}

// Put replaces the value of a key, unless it is not old any more. It is for what other
// instances can do without.
func (s *Sessions[R]) Put(ctx context.Context, key string, old, value []byte, ttl time.Duration) {
	if s.engine != nil {
		s.engine.swap(ctx, key, old, value, ttl, false)
	}
}

// Later does what the Coordinator has not taken, until do returns nil.
func (s *Sessions[R]) Later(name string, do func(context.Context) error) {
	if s.engine != nil {
		s.jobs.add(name, do)
	}
}
