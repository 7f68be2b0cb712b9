package oauthlogintest_test

import (
	"fmt"
	"strings"
	"testing"
)

// A failingTest is a test that may fail without its surrounding test doing so.
type failingTest struct {
	testing.TB
	message string
}

func (t *failingTest) Helper() {}

type failure struct{}

func (t *failingTest) Fatal(args ...any) {
	t.message = fmt.Sprint(args...)
	panic(failure{})
}

func (t *failingTest) Fatalf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }

// wantFatal fails the test unless f fails its own with all these texts.
func wantFatal(t *testing.T, f func(t testing.TB), texts ...string) {
	t.Helper()
	inner := &failingTest{TB: t}
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(failure{}) {
				panic(v)
			}
		}()
		f(inner)
	}()
	if inner.message == "" {
		t.Errorf("the test does not fail; want %q", texts)
		return
	}
	for _, text := range append(texts, "oauthlogintest: ") {
		if !strings.Contains(inner.message, text) {
			t.Errorf("the test fails with %q; want %q", inner.message, text)
		}
	}
}
