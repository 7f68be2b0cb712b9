package apptest

import (
	"context"
	"fmt"
	"testing"
)

// An Example is what an example function has in place of the [testing.TB] of a test.
type Example struct {
	testing.TB // whose other methods are not called
	cleanups   []func()
}

func (*Example) Helper() {}

func (*Example) Context() context.Context { return context.Background() }

func (e *Example) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (*Example) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (e *Example) Fatalf(format string, args ...any) { e.Fatal(fmt.Sprintf(format, args...)) }

// End runs the cleanups.
func (e *Example) End() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
}
