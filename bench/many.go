package bench

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// Many is a Handler with sessions of many users.
type Many struct {
	handler  http.Handler
	requests []*http.Request
	served   int
	w        *discard
}

// NewMany signs in n users.
func NewMany(size Size, n int) (*Many, error) {
	p, err := NewProvider("https://provider.example.com", size)
	if err != nil {
		return nil, err
	}
	p.unsigned = true
	logins, err := p.Logins(n)
	if err != nil {
		return nil, err
	}
	m := &Many{w: &discard{header: http.Header{}}}
	for _, login := range logins {
		m.requests = append(m.requests, newRequest(publicOrigin+"/dashboard", login.Cookies))
	}
	m.handler, err = p.serve(application)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { m.served++ }))
	return m, err
}

// one serves a request of any of the users.
func (m *Many) one() {
	clear(m.w.header)
	m.handler.ServeHTTP(m.w, m.requests[rand.IntN(len(m.requests))])
}

// Benchmark serves requests of users in random order, all of whom were here
// before.
func (m *Many) Benchmark(b *testing.B) {
	for _, r := range m.requests {
		clear(m.w.header)
		m.handler.ServeHTTP(m.w, r)
	}
	m.served = 0
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		m.one()
		n++
	}
	if m.served != n {
		b.Fatal("not every request reached the handler")
	}
}

// A Stretch is a part of many requests.
type Stretch struct {
	Requests   int
	PerRequest time.Duration
	Heap       uint64 // bytes after a garbage collection, the requests' own not counted
}

// Run serves requests in random order, and returns what each tenth of them
// took.
func (m *Many) Run(requests int) ([]Stretch, error) {
	before := heap()
	var stretches []Stretch
	for range 10 {
		n := requests / 10
		m.served = 0
		start := CPUTime()
		for range n {
			m.one()
		}
		took := CPUTime() - start
		if m.served != n {
			return nil, fmt.Errorf("bench: %d of %d requests reached the handler", m.served, n)
		}
		after := heap()
		stretches = append(stretches, Stretch{n, took / time.Duration(n), after - min(before, after)})
	}
	return stretches, nil
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
