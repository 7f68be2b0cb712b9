package memory

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What is full takes the memory that docs/operations.md states.
func TestFullTakes(t *testing.T) {
	now := time.Now()
	var (
		over  ended
		bound = Bindings{Lifetime: time.Hour}
		all   [ownerKinds]marks
		came  = Recent{MaxAge: time.Hour, Max: 1 << 17} // as logout tokens
		left  replaced[*testRecord]
	)
	end := func(kind OwnerKind) func(ID) {
		return func(id ID) {
			over.seq++
			all[kind].put(Owner{kind, id}, marked{at: now.Unix(), seq: over.seq}, now, time.Hour)
		}
	}
	for _, tt := range []struct {
		name string
		most int // in MiB
		max  int
		add  func(ID)
	}{
		{"sessions that have ended", 14, maxEnded, func(id ID) { over.add(id, allGenerations, now, time.Hour) }},
		{"sessions that are bound", 28, maxBindings, func(id ID) { bound.Add(id, Binding{At: now}, now) }},
		{"sessions that were replaced", 8, maxReplacedBytes / 500, func(id ID) {
			left.add(&testRecord{id: id, token: strings.Repeat("a", 3000)}, now, time.Hour)
		}},
		{"users", 10, maxMarks[OfUser], end(OfUser)},
		{"sessions at the provider", 20, maxMarks[OfSID], end(OfSID)},
		{"logout tokens", 7, came.Max, func(id ID) { came.Add(string(id[:]), "1") }},
	} {
		before := heapBytes()
		for i := range 3 * tt.max / 2 {
			var id ID
			binary.LittleEndian.PutUint64(id[:], uint64(i)+1)
			tt.add(id)
		}
		grown := heapBytes() - before
		if most := int64(tt.most)<<20 + 1<<19; grown > most || grown < most/2 {
			t.Errorf("%s: %.1f MiB, want %d", tt.name, float64(grown)/(1<<20), tt.most)
		}
	}
	runtime.KeepAlive(&over)
	runtime.KeepAlive(&bound)
	runtime.KeepAlive(&all)
	runtime.KeepAlive(&came)
	runtime.KeepAlive(&left)
}

// heapBytes returns the size of what is reachable.
func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // sync.Pool lets go after two
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
