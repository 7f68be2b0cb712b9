package bench_test

import (
	"testing"

	"github.com/oauthlogin/oauthlogin/bench"
)

func newBound(tb testing.TB, size bench.Size) *bench.Bound {
	tb.Helper()
	b, err := bench.NewBound(size)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// BenchmarkBound is a request of a session that is bound to a device, and reports how many
// times as long it takes as one without Options.BindDevices.
func BenchmarkBound(b *testing.B) {
	for _, size := range []bench.Size{bench.Small, bench.Large} {
		b.Run(string(size), func(b *testing.B) {
			bound := newBound(b, size)
			bound.Serve(true, 1)
			b.ReportAllocs()
			n := bound.Served()
			for b.Loop() {
				bound.Serve(true, 1)
				n++
			}
			if bound.Served() != n {
				b.Fatal("not every request reached the handler")
			}
			b.ReportMetric(bound.Ratio(20), "x-unbound")
		})
	}
}

// A bound session costs half as much again at most.
func TestBoundCost(t *testing.T) {
	for _, size := range []bench.Size{bench.Small, bench.Large} {
		bound := newBound(t, size)
		const rounds = 30
		ratio := bound.Ratio(rounds)
		t.Logf("%s: %.2f times as long", size, ratio)
		if ratio > 1.5 && !raceEnabled {
			t.Errorf("%s: a request of a bound session takes %.2f times as long", size, ratio)
		}
		if bound.Served() < 2*rounds*2000 {
			t.Error("not every request reached the handler")
		}
	}
}
