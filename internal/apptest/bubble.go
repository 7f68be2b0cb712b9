package apptest

import (
	"testing"
	"testing/synctest"
)

// Bubble runs a parallel subtest in a synctest bubble.
func Bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// SignedIn is New with a browser that alice has signed in with.
func SignedIn(t *testing.T, with Config) (*App, *Browser) {
	t.Helper()
	a := New(t, with)
	b := a.Browser(t)
	b.Login("/dashboard")
	return a, b
}
