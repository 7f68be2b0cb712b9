package instances

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
)

const (
	// maxJobs bounds what the Coordinator has not taken.
	maxJobs = 1 << 14
	// How soon it is tried again: twice as long each time.
	firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second
)

// jobs are what the Coordinator has not taken, tried again until it does. The zero jobs
// takes none.
type jobs struct {
	ctx     context.Context
	workers *workers
	log     *slog.Logger

	mu     sync.Mutex
	byName map[string]*job
	order  []string
	idle   chan struct{} // closed when none is left; nil: none is
}

type job struct {
	do      func(context.Context) error
	dropped func() // called instead, if it is given up
}

// add notes a job, in place of another of the same name.
func (j *jobs) add(name string, do func(context.Context) error) { j.addOr(name, do, func() {}) }

// addOr is add for a job that has something to do as well when it is given up.
func (j *jobs) addOr(name string, do func(context.Context) error, dropped func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ctx.Err() != nil {
		dropped()
		return
	}
	if j.byName == nil {
		j.byName = map[string]*job{}
	}
	if before := j.byName[name]; before != nil {
		before.dropped()
	} else {
		j.order = append(j.order, name)
	}
	j.byName[name] = &job{do, dropped}
	if len(j.order) > maxJobs {
		j.byName[j.order[0]].dropped()
		j.log.Error("oauthlogin: Options.Coordinator was unreachable for too long: other instances do not learn what became of the oldest sessions")
		delete(j.byName, j.order[0])
		j.order = j.order[1:]
	}
	if j.idle == nil {
		j.idle = make(chan struct{})
		j.workers.run(j.run)
	}
}

// has reports whether a job of this name waits.
func (j *jobs) has(name string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.byName[name] != nil
}

func (j *jobs) run() {
	wait := firstRetry
	for {
		select {
		case <-j.ctx.Done():
			return
		case <-time.After(wait):
		}
		name, next := j.next()
		if next == nil {
			return
		}
		err := attempt(j.ctx, next.do)
		if err == nil {
			wait = 0
		} else {
			wait = min(max(2*wait, firstRetry), lastRetry)
		}
		j.done(name, next, err == nil)
	}
}

// wait returns when none is left, or when ctx is done.
func (j *jobs) wait(ctx context.Context) {
	j.mu.Lock()
	idle := j.idle
	j.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
	case <-j.ctx.Done(): // nothing is tried again
	}
}

func attempt(ctx context.Context, do func(context.Context) error) (err error) {
	defer flight.Recover(&err)
	return do(ctx)
}

// next returns the oldest job. Without one, nothing runs any more.
func (j *jobs) next() (name string, next *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.order) == 0 {
		close(j.idle)
		j.idle = nil
		return "", nil
	}
	return j.order[0], j.byName[j.order[0]]
}

// done removes a job, or puts it behind the others. One that was replaced meanwhile stays.
func (j *jobs) done(name string, ended *job, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.byName[name] != ended {
		return
	}
	j.order = slices.DeleteFunc(j.order, func(other string) bool { return other == name })
	if ok {
		delete(j.byName, name)
		return
	}
	j.order = append(j.order, name)
}
