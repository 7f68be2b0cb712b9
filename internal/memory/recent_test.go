package memory

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxAge = time.Minute
		r := Recent{MaxAge: maxAge}
		others := 0
		add := func(n int) {
			for range n {
				others++
				if !r.Add(fmt.Sprint("other ", others), "elsewhere") {
					t.Fatalf("other %d is known before it came", others)
				}
				if n := len(r.young) + len(r.old); n > maxRecent {
					t.Fatalf("remembers %d", n)
				}
			}
		}
		for _, tt := range []struct {
			name   string
			before int // others
			then   func()
			known  bool
		}{
			{"at once", 0, func() {}, true},
			{"until the end of its time", 0, func() { time.Sleep(maxAge) }, true},
			{"until the end of its time, with others", 100, func() {
				for range 60 {
					add(10)
					time.Sleep(maxAge / 60)
				}
			}, true},
			{"while as many others come as are remembered for certain", 1000, func() { add(maxRecent/2 - 1) }, true},
			{"not when too many others come", 0, func() { add(maxRecent) }, false},
			{"not for ever, with others", 0, func() { add(1); time.Sleep(2*maxAge + 1); add(1); time.Sleep(maxAge + 1); add(1) }, false},
			{"not for ever, alone", 0, func() { time.Sleep(2*maxAge + 1) }, false},
		} {
			add(tt.before)
			if !r.Add(tt.name, "there") {
				t.Fatalf("%s: known before it came", tt.name)
			}
			tt.then()
			if got := !r.Add(tt.name, "again"); got != tt.known {
				t.Errorf("%s: known: %t, want %t", tt.name, got, tt.known)
			}
			want := "again"
			if tt.known {
				want = "there"
			}
			if got := r.Value(tt.name); got != want {
				t.Errorf("%s: value %q, want %q", tt.name, got, want)
			}
		}
	})
}

// The zero Recent knows nothing.
func TestRecentIsEmpty(t *testing.T) {
	var r Recent
	if got := r.Value("name"); got != "" {
		t.Errorf("value %q", got)
	}
}
