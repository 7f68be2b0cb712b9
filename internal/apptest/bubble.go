package apptest

import (
	"testing"
	"testing/synctest"
)

// Attack runs a test in a bubble, against an application from NewAttacked, with
// the browser of the victim.
func Attack(t *testing.T, f func(t *testing.T, a *App, b *Browser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := NewAttacked(t, Config{})
		f(t, a, a.Browser(t))
	})
}

// InBubble runs a parallel subtest in a bubble.
func InBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}
