package instances

import (
	"context"
	"time"
)

// giveUpAfter is how long a lock waits to be given back. Its lease is over by then.
const giveUpAfter = time.Minute

// Leave lets the next call of this instance have its turn, and gives the lock back if
// nothing else has. Whoever has a Turn defers it: a fault must not keep others waiting.
func (t *Turn[R]) Leave() {
	t.end(context.Background())
	t.s.lines.leave(t.old.SessionID())
}

// GiveUp ends a turn in which nothing has changed that other instances have to know.
func (t *Turn[R]) GiveUp(ctx context.Context) { t.end(ctx) }

// end gives the lock back. One that is not given back ages.
func (t *Turn[R]) end(ctx context.Context) {
	if t.stop == nil || t.over {
		return
	}
	t.over = true
	t.stopRenewing()
	t.release(ctx)
}

func (t *Turn[R]) stopRenewing() { t.stopped.Do(func() { close(t.stop) }) }

func (t *Turn[R]) release(ctx context.Context) {
	t.s.engine.swap(ctx, t.key, t.owner, nil, lease, false)
}

// giveBackLater gives the lock back once the Coordinator responds: a Swap that failed may have
// taken it, or may take it when a server that was suspended goes on, and every instance would
// wait for a lease.
func (t *Turn[R]) giveBackLater() {
	t.s.jobs.add(t.key+string(t.owner), func(ctx context.Context) error {
		if time.Since(t.begun) > giveUpAfter {
			return nil
		}
		_, err := t.s.engine.swap(ctx, t.key, t.owner, nil, lease, false)
		return err
	})
}
