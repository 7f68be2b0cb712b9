package apptest

import "testing"

// SignedIn is New with a browser that alice has signed in with.
func SignedIn(t *testing.T, with Config) (*App, *Browser) {
	t.Helper()
	a := New(t, with)
	b := a.Browser(t)
	b.Login("/dashboard")
	return a, b
}
