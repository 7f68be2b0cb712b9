// Package flight runs one call at a time for a key and shares its result.
package flight

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/singleflight"
)

// A Group shares calls that return a V. The zero Group is ready to use.
type Group[V any] struct {
	calls singleflight.Group

	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when none is running; nil: Idle does not wait
}

// Do returns the result of fn, or of the call for key that is already running.
//
// fn is detached from its callers: its context has the values of the first
// caller's context but neither its cancellation nor its deadline. A caller whose
// context ends gets that context's error, and fn goes on for the others. A panic
// in fn becomes an error.
func (g *Group[V]) Do(ctx context.Context, key string, fn func(context.Context) (V, error)) (V, error) {
	detached := context.WithoutCancel(ctx)
	result := g.calls.DoChan(key, func() (_ any, err error) {
		g.count(1)
		defer g.count(-1)
		defer Recover(&err)
		return fn(detached)
	})
	select {
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	case r := <-result:
		v, _ := r.Val.(V) // nil after a panic
		return v, r.Err
	}
}

func (g *Group[V]) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running += n
	if g.running == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// Idle waits until no call is running, or returns the error of ctx.
func (g *Group[V]) Idle(ctx context.Context) error {
	g.mu.Lock()
	if g.running == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Recover turns a panic into an error. It is for functions that run in a
// goroutine of their own, where net/http cannot recover and the process would
// end. The error has the stack, and of the panic's value only what cannot
// contain a secret.
func Recover(err *error) {
	if p := recover(); p != nil {
		what := fmt.Sprintf("%T", p)
		if fault, ok := p.(runtime.Error); ok {
			what = fault.Error()
		}
		*err = fmt.Errorf("panic: %s\n%s", what, debug.Stack())
	}
}
