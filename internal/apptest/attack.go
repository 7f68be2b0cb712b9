package apptest

import (
	"testing"
	"testing/synctest"
)

// Attack runs a parallel test in a synctest bubble, with an application that
// NewAttacked made and a victim's browser.
func Attack(t *testing.T, with Config, run func(t *testing.T, a *App, b *Browser)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := NewAttacked(t, with)
		run(t, a, a.Browser(t))
	})
}
