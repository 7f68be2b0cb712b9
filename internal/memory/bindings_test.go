package memory_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

func bindingID(n int) (id memory.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// The key that was bound first stays, whatever is shown later.
func TestBindingsKeepTheFirstKey(t *testing.T) {
	b := memory.Bindings{Lifetime: time.Hour}
	now := time.Unix(1_700_000_000, 0)
	first, second := memory.Binding{Key: [32]byte{1}, At: now}, memory.Binding{Key: [32]byte{2}, At: now.Add(time.Second), Generation: 7}
	if _, ok := b.Of(bindingID(1)); ok {
		t.Error("a session that no request has shown is bound")
	}
	if counts, isNew := b.Add(bindingID(1), first, now); counts != first || !isNew {
		t.Errorf("first: %+v, %t", counts, isNew)
	}
	if counts, isNew := b.Add(bindingID(1), second, now); counts != first || isNew {
		t.Errorf("second: %+v, %t", counts, isNew)
	}
	later := first
	later.Generation = 3
	if counts, isNew := b.Add(bindingID(1), later, now); counts != later || isNew {
		t.Errorf("a later generation: %+v, %t", counts, isNew)
	}
	if counts, _ := b.Add(bindingID(1), first, now); counts != later {
		t.Errorf("an earlier generation: %+v", counts)
	}
	if counts, ok := b.Of(bindingID(1)); counts != later || !ok {
		t.Errorf("known: %+v, %t", counts, ok)
	}
	earlier := memory.Binding{Key: [32]byte{3}, At: now.Add(-time.Second)}
	if counts, isNew := b.Add(bindingID(1), earlier, now); counts != earlier || isNew {
		t.Errorf("bound before: %+v, %t", counts, isNew)
	}
	again := memory.Binding{Key: earlier.Key, At: now.Add(-time.Minute)}
	if counts, _ := b.Add(bindingID(1), again, now); counts != again {
		t.Errorf("the same key, bound before: %+v", counts)
	}
}

// Bindings are forgotten with their sessions, and the oldest when there are too many.
func TestBindingsAreBounded(t *testing.T) {
	b := memory.Bindings{Lifetime: time.Hour}
	now := time.Unix(1_700_000_000, 0)
	const most = 1 << 17
	for n := range most + 10 {
		b.Add(bindingID(n), memory.Binding{At: now}, now)
	}
	for n, want := range map[int]bool{0: false, 9: false, 10: true, most + 9: true} {
		if _, ok := b.Of(bindingID(n)); ok != want {
			t.Errorf("binding %d: %t, want %t", n, ok, want)
		}
	}
	b.Add(bindingID(-1), memory.Binding{At: now}, now.Add(time.Hour+time.Second))
	if _, ok := b.Of(bindingID(most)); ok {
		t.Error("a binding outlives its session")
	}
}
