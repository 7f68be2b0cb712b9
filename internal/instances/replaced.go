package instances

import (
	"context"
	"time"
)

// Follows is called for a session that Begin was called for, once it has a lineage to end with.
// The next request looks at that too.
func (s *Sessions[R]) Follows(rec R) {
	if s.engine != nil {
		s.known.unknow(rec.SessionID())
	}
}

// TellReplaced is Replace for all instances. They can do without.
func (s *Sessions[R]) TellReplaced(ctx context.Context, rec R, now time.Time) {
	s.Replace(rec, now)
	s.Put(ctx, replacedKey(rec.SessionID()), nil, []byte("1"), rec.Begun().Add(s.lifetime).Sub(now))
}

// IsReplaced is Replaced for all instances, as far as the Coordinator can tell.
func (s *Sessions[R]) IsReplaced(ctx context.Context, rec R) bool {
	if s.Replaced(rec) {
		return true
	}
	value, err := s.Value(ctx, replacedKey(rec.SessionID()))
	return err == nil && value != nil
}
