package memory

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

type value int // how many bytes it takes

func (v value) Bytes() int { return int(v) }

// Whoever presents a session may cut its cookies anywhere: sessions do not push
// each other out, and are not counted twice.
func TestCacheKeys(t *testing.T) {
	parts := func(first string) []string { return []string{strings.Repeat(first, 3000), "="} }
	one, other := parts("1"), parts("2")
	if cacheKey(one) == cacheKey(other) {
		t.Errorf("both are found by %q", cacheKey(one))
	}
	var c Cache[value]
	text := strings.Join(one, "")
	size := (&cached[value]{text, 10}).bytes()
	same := []string{"2" + text[1:]}
	for range 3 {
		c.Put(one, 10)
		c.Put(same, 10)
	}
	if len(c.young) != 1 || c.youngBytes != size {
		t.Errorf("%d sessions of %d bytes count as %d", len(c.young), size, c.youngBytes)
	}
	if _, ok := c.Get(one); ok {
		t.Error("found by its key alone")
	}
	if _, ok := c.Get(same); !ok {
		t.Error("the last one is not found")
	}
}

// A text is found however it is cut, and only as a whole.
func TestCacheComparesAll(t *testing.T) {
	var c Cache[value]
	text := strings.Repeat("a", 40) + strings.Repeat("b", 40)
	if _, ok := c.Get([]string{text}); ok {
		t.Error("found before it came")
	}
	c.Put([]string{text[:30], text[30:]}, 7)
	for _, tt := range []struct {
		name  string
		parts []string
		found bool
	}{
		{"whole", []string{text}, true},
		{"cut as it came", []string{text[:30], text[30:]}, true},
		{"cut elsewhere", []string{text[:10], text[10:75], text[75:]}, true},
		{"another beginning", []string{"c" + text[1:]}, false},
		{"longer", []string{"a" + text}, false},
		{"shorter", []string{text[1:]}, false},
		{"the last part alone", []string{text[30:]}, false},
		{"the parts exchanged", []string{text[30:], text[:30]}, false},
		{"nothing", []string{""}, false},
	} {
		if v, ok := c.Get(tt.parts); ok != tt.found || ok && v != 7 {
			t.Errorf("%s: found: %t, %d", tt.name, ok, v)
		}
	}
}

// A cache that pointed into requests' headers would keep all of them.
func TestCacheCopiesText(t *testing.T) {
	var c Cache[value]
	text := strings.Repeat("a", 40)
	c.Put([]string{text}, 1)
	for key, e := range c.young {
		for _, s := range []string{key, e.text} {
			from, to := uintptr(unsafe.Pointer(unsafe.StringData(text))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
			if to >= from && to < from+uintptr(len(text)) {
				t.Error("the cache holds on to the text that it was given")
			}
		}
	}
}

// Values that are used stay; memory is bounded whatever comes.
func TestCacheIsBounded(t *testing.T) {
	const size = 1 << 20
	text := func(n int) []string { return []string{fmt.Sprintf("%040d", n+1000)} }
	var c Cache[value]
	c.Put(text(-1), size)
	c.Put(text(-2), size)
	c.Put(text(-2), size) // which counts once
	if one := (&cached[value]{text(-1)[0], size}).bytes(); c.youngBytes != 2*one {
		t.Errorf("two values of %d bytes count as %d", one, c.youngBytes)
	}
	for n := range 500 {
		c.Put(text(n), size)
		if _, ok := c.Get(text(-1)); !ok {
			t.Fatalf("a value that is used is dropped after %d others", n)
		}
		if _, ok := c.Get(text(n)); !ok {
			t.Fatalf("value %d is not kept", n)
		}
		for last := max(0, n-25); last < n; last++ {
			key := cacheKey(text(last))
			if c.young[key].value+c.old[key].value == 0 {
				t.Fatalf("of %d values the 25 before the last are not kept", n)
			}
		}
		total := 0
		for _, generation := range []map[string]cached[value]{c.young, c.old} {
			for _, e := range generation {
				total += e.bytes()
			}
		}
		if total > maxCacheBytes {
			t.Fatalf("%d values take %d bytes", n, total)
		}
	}
	if _, ok := c.Get(text(-2)); ok {
		t.Error("a value that is not used is kept")
	}
	before := c.youngBytes
	if c.Put(text(1000), maxCacheBytes/16); c.youngBytes != before {
		t.Error("a value too large for the cache is kept")
	}
}
