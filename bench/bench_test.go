package bench_test

import (
	"fmt"
	"testing"

	"github.com/oauthlogin/oauthlogin/bench"
)

// A target must not be fast by skipping work: each must serve the right session.
func TestTargets(t *testing.T) {
	for _, target := range targets(t) {
		if target.Refusal != nil {
			t.Logf("%s %s does not support this size: %v", target.Size, target.Name, target.Refusal)
			continue
		}
		if err := target.Check(); err != nil {
			t.Error(err)
		}
		t.Logf("%s %s: %d bytes", target.Size, target.Name, target.CookieBytes)
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, target := range targets(b) {
		b.Run(string(target.Size)+"/"+target.Name, target.Benchmark)
	}
}

func targets(tb testing.TB) []*bench.Target {
	tb.Helper()
	targets, err := bench.Targets()
	if err != nil {
		tb.Fatal(err)
	}
	return targets
}

// BenchmarkUsers shows whether the cost of a request grows with the number of
// users. For 1,000,000 requests, use -benchtime 1000000x.
func BenchmarkUsers(b *testing.B) {
	for _, size := range []bench.Size{bench.Small, bench.Large} {
		for _, users := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", size, users), func(b *testing.B) {
				m, err := bench.NewMany(size, users)
				if err != nil {
					b.Fatal(err)
				}
				m.Benchmark(b)
			})
		}
	}
}
