package instances

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

func numbered(n int) (id memory.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

func TestKnown(t *testing.T) {
	id, keys := numbered(1), []string{"session:1", "user:a"}
	now := time.Now()
	for _, tt := range []struct {
		name string
		do   func(k *known)
		at   time.Duration
		want bool
	}{
		{"after a look", func(*known) {}, 0, true},
		{"for ten minutes", func(*known) {}, knownFor - 1, true},
		{"not for longer", func(*known) {}, knownFor, false},
		{"not after its key has changed", func(k *known) { k.changed("session:1") }, 0, false},
		{"not after its user's key has changed", func(k *known) { k.changed("user:a") }, 0, false},
		{"after another key has changed", func(k *known) { k.changed("user:b") }, 0, true},
		{"not after changes may have been missed", func(k *known) { k.hears(false); k.hears(true) }, 0, false},
		{"again after another look", func(k *known) {
			k.changed("user:a")
			k.looked(id, k.begin(id, keys, now), func(bool) {})
		}, 0, true},
		{"not if a key has changed during the look", func(k *known) {
			k.hears(true)
			e := k.begin(id, keys, now)
			k.changed("user:a")
			k.looked(id, e, func(bool) {})
		}, 0, false},
		{"not if changes were missed during the look", func(k *known) {
			e := k.begin(id, keys, now)
			k.hears(true)
			k.looked(id, e, func(bool) {})
		}, 0, false},
		{"not while changes are not heard", func(k *known) {
			k.hears(false)
			k.looked(id, k.begin(id, keys, now), func(bool) {})
		}, 0, false},
	} {
		var k known
		k.hears(true)
		k.looked(id, k.begin(id, keys, now), func(bool) {})
		tt.do(&k)
		if got := k.has(id, now.Add(tt.at)); got != tt.want {
			t.Errorf("%s: known %t", tt.name, got)
		}
	}
}

// A key that has changed stays suspect until it was read.
func TestStale(t *testing.T) {
	var k known
	id, keys := numbered(1), []string{"session:1", "user:a"}
	k.hears(true)
	k.changed("user:a")
	if !k.isStale(keys) || k.isStale(keys[:1]) {
		t.Error("what has changed is not told apart")
	}
	k.hears(false)
	if !k.isStale(keys) {
		t.Error("forgotten with the watch")
	}
	k.looked(id, k.begin(id, keys, time.Now()), func(bool) {})
	if k.isStale(keys) {
		t.Error("stale after it was read")
	}
	for n := range maxStale/2 + 1 {
		k.changed("user:a" + strconv.Itoa(n))
	}
	if !k.isStale([]string{"user:a0"}) {
		t.Error("the last half is not remembered")
	}
	for n := range maxStale {
		k.changed("user:b" + strconv.Itoa(n))
	}
	if n := len(k.stale) + len(k.staleBefore); n > maxStale || k.isStale([]string{"user:a0"}) {
		t.Errorf("%d keys are remembered", n)
	}
}

func TestKnownIsBounded(t *testing.T) {
	var k known
	k.hears(true)
	for n := range maxNamed/2 + 1 {
		keys := []string{"session:" + strconv.Itoa(n), "user:a"}
		k.begin(numbered(n), keys, time.Now())
		k.begin(numbered(n), keys, time.Now()) // again
	}
	if len(k.of) > 2 || k.named != 2*len(k.of) {
		t.Errorf("%d sessions, %d names", len(k.of), k.named)
	}
	// A session that changes again and again, whose user does not.
	for range maxNamed {
		k.begin(numbered(1), []string{"session:1", "user:a"}, time.Now())
		k.changed("session:1")
	}
	if n := len(k.by["user:a"]); n > maxNamed || k.named != n {
		t.Errorf("%d names, %d of the user", k.named, n)
	}
}

// Whoever waits for a change hears of the next one.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k known
		k.hears(true)
		c := k.change("a")
		go func() {
			time.Sleep(time.Second)
			k.changed("b")
			k.changed("a")
		}()
		start := time.Now()
		<-c
		if time.Since(start) != time.Second {
			t.Errorf("after %v", time.Since(start))
		}
		k.ignore("a", c)
		c = k.change("a")
		if k.ignore("a", c); len(k.waits) != 0 {
			t.Errorf("%d are left", len(k.waits))
		}
	})
}

// Looks of one session at the same time do not disturb each other, and a change during any
// of them counts for all.
func TestLooksAtOnce(t *testing.T) {
	var k known
	k.hears(true)
	id, keys, now := numbered(1), []string{"session:1", "user:a"}, time.Now()
	learn := func(bool) {}
	first, second := k.begin(id, keys, now), k.begin(id, keys, now)
	if !k.looked(id, second, learn) || !k.looked(id, first, learn) || !k.has(id, now) {
		t.Error("one look disturbs the other")
	}
	k.changed("user:a")
	first, second = k.begin(id, keys, now), k.begin(id, keys, now)
	k.changed("user:a")
	if k.looked(id, second, learn) || k.looked(id, first, learn) || k.has(id, now) {
		t.Error("a change is missed")
	}
}

// What is full takes the memory that docs/operations.md states.
func TestFullTakes(t *testing.T) {
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // sync.Pool lets go after two
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	var k known
	k.hears(true)
	now := time.Now()
	before := heap()
	for n := range maxNamed / 2 {
		id := numbered(n)
		keys := []string{sessionKey(id), Key(kindUser, string(id[:]))}
		k.looked(id, k.begin(id, keys, now), func(bool) {})
	}
	sessions := heap() - before
	k.hears(true)
	before = heap()
	for n := range maxStale {
		k.changed(sessionKey(numbered(n)))
	}
	keys := heap() - before
	runtime.KeepAlive(&k)
	for name, tt := range map[string]struct{ is, want int64 }{"sessions": {sessions, 60 << 20}, "keys that have changed": {keys, 13 << 20}} {
		if tt.is > tt.want || tt.is < tt.want/2 {
			t.Errorf("%s: %.1f MiB, want %d", name, float64(tt.is)/(1<<20), tt.want>>20)
		}
	}
}
