package bench

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// Many is a handler and the sessions of many users.
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

// one serves a request of a random user.
func (m *Many) one() {
	clear(m.w.header)
	m.handler.ServeHTTP(m.w, m.requests[rand.IntN(len(m.requests))])
}

// Benchmark serves requests in random order. Each session has been seen once
// before the measurement starts.
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

// A Stretch is a measured part of a long run.
type Stretch struct {
	Requests   int
	PerRequest time.Duration
	Heap       uint64 // bytes after a garbage collection, without the requests
}

// Run serves requests in random order and returns a measurement for each tenth of
// them.
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
