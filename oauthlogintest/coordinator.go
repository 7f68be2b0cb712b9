package oauthlogintest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// A Coordinator is an [oauthlogin.Coordinator] in memory. Several Middlewares that share
// one act as the instances of an application do:
//
//	shared := oauthlogintest.NewCoordinator()
//	first := newApp(shared)  // each sets Options.Coordinator
//	second := newApp(shared)
//
// Its methods are safe for concurrent use. It starts no goroutine, and its clock is that of
// the [testing/synctest] bubble it is used in.
type Coordinator struct {
	mu       sync.Mutex
	entries  map[string]entry
	watchers map[*watcher]struct{}
	down     bool
}

var _ oauthlogin.Coordinator = (*Coordinator)(nil)

var errDown = errors.New("oauthlogintest: the Coordinator is down")

type entry struct {
	value   []byte
	expires time.Time
}

// A watcher holds the changes that one call of Watch has not reported yet.
type watcher struct {
	pending []string
	lost    bool          // the Coordinator has been down
	more    chan struct{} // has room for one: pending or lost has changed
}

// NewCoordinator returns an empty Coordinator.
func NewCoordinator() *Coordinator {
	return &Coordinator{entries: map[string]entry{}, watchers: map[*watcher]struct{}{}}
}

// SetDown makes the Coordinator unreachable, or reachable again with what it held. While it
// is down, Load and Swap fail at once and change nothing, and Watch returns.
func (c *Coordinator) SetDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	if down {
		for w := range c.watchers {
			w.lost = true
			w.wake()
		}
	}
}

// Clear deletes everything, as a server does that restarts empty. No watcher hears of it.
func (c *Coordinator) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}

// Load implements [oauthlogin.Coordinator].
func (c *Coordinator) Load(ctx context.Context, keys ...string) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing(ctx); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = bytes.Clone(c.value(key))
	}
	return values, nil
}

// Swap implements [oauthlogin.Coordinator].
func (c *Coordinator) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing(ctx); err != nil {
		return false, err
	}
	if new != nil && ttl <= 0 {
		return false, errors.New("oauthlogintest: Swap needs a positive ttl")
	}
	if !bytes.Equal(c.value(key), old) {
		return false, nil
	}
	if new == nil {
		delete(c.entries, key)
	} else {
		c.entries[key] = entry{bytes.Clone(new), time.Now().Add(ttl)}
	}
	if tell {
		for w := range c.watchers {
			w.pending = append(w.pending, key)
			w.wake()
		}
	}
	return true, nil
}

// Watch implements [oauthlogin.Coordinator].
func (c *Coordinator) Watch(ctx context.Context, ready func(), changed func(key string)) error {
	w := &watcher{more: make(chan struct{}, 1)}
	c.mu.Lock()
	if err := c.failing(ctx); err != nil {
		c.mu.Unlock()
		return err
	}
	c.watchers[w] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, w)
	}()

	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.more:
		}
		c.mu.Lock()
		keys, lost := w.pending, w.lost
		w.pending = nil
		c.mu.Unlock()
		if lost {
			return errDown
		}
		for _, key := range keys {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			changed(key)
		}
	}
}

func (c *Coordinator) failing(ctx context.Context) error {
	if c.down {
		return errDown
	}
	return ctx.Err()
}

// value returns the value of a key, nil if the key is not there or has expired.
func (c *Coordinator) value(key string) []byte {
	held, ok := c.entries[key]
	if ok && !time.Now().Before(held.expires) {
		delete(c.entries, key)
		return nil
	}
	return held.value
}

func (w *watcher) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}
