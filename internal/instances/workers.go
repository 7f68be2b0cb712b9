package instances

import (
	"log/slog"
	"sync"

	"github.com/oauthlogin/oauthlogin/internal/flight"
)

// workers are what runs in the background. A panic ends one of them, and not the process.
type workers struct {
	log *slog.Logger

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// run begins do, unless close was called. It reports whether it has.
func (w *workers) run(do func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running.Go(func() { w.contain(do) })
	return true
}

func (w *workers) contain(do func()) {
	err := func() (err error) {
		defer flight.Recover(&err)
		do()
		return nil
	}()
	if err != nil {
		w.log.Error("oauthlogin: a fault in the background", "error", err)
	}
}

// close waits for all of them. Nothing begins any more.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.running.Wait()
}
