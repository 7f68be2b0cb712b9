package instances

import (
	"context"
	"sync"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// lines are the calls of this instance that wait to send the refresh token of a session, a
// line for each. The zero lines are empty.
type lines struct {
	mu    sync.Mutex
	first map[memory.ID]chan struct{} // closed when the first of the line leaves
}

// enter waits until the caller is the first of a session's line.
func (l *lines) enter(ctx context.Context, id memory.ID) error {
	for {
		before := l.take(id)
		if before == nil {
			return nil
		}
		select {
		case <-before:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take makes the caller the first, or returns when to try again.
func (l *lines) take(id memory.ID) (before <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := l.first[id]; first != nil {
		return first
	}
	if l.first == nil {
		l.first = map[memory.ID]chan struct{}{}
	}
	l.first[id] = make(chan struct{})
	return nil
}

func (l *lines) leave(id memory.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.first[id])
	delete(l.first, id)
}
