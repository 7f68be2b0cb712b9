package apptest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A LeakHunt learns the secrets of a run, keeps whatever is said during it, and
// finds the one in the other.
type LeakHunt struct {
	Log, jsonLog LogBuffer

	mu      sync.Mutex
	Secrets map[string]string // what each is
	Said    map[Saying]bool
	Printed map[string]bool // exported types
}

// A Saying is a text, and where it could be read.
type Saying struct{ Where, Text string }

// NewLeakHunt returns a LeakHunt that knows nothing.
func NewLeakHunt() *LeakHunt {
	return &LeakHunt{Secrets: map[string]string{}, Said: map[Saying]bool{}, Printed: map[string]bool{}}
}

// Secret teaches the hunt a secret. What is shorter than a piece is none.
func (h *LeakHunt) Secret(what string, values ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, value := range values {
		if h.Secrets[value] == "" && len(value) >= ShortPiece {
			h.Secrets[value] = what
		}
	}
}

// Says keeps a text.
func (h *LeakHunt) Says(where, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Said[Saying{where, text}] = true
}

// A Leak is a secret where it does not belong.
type Leak struct{ What, Where, Excerpt string }

// Find returns what of the secrets was said, but for what is documented; and
// which of Documented was met.
func (h *LeakHunt) Find() (found []Leak, met map[int]bool) {
	h.Says("log", h.Log.String())
	h.Says("log in JSON", h.jsonLog.String())
	h.mu.Lock()
	defer h.mu.Unlock()
	pieces := map[int]map[string][]string{ShortPiece: {}, longPiece: {}}
	begins := make([]bool, 1<<20) // whether a piece may, by hash of four bytes; most do not
	hash := func(s string) uint32 {
		return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 2654435761 >> 12
	}
	for secret, what := range h.Secrets {
		short, long := formsOf(secret)
		for size, forms := range map[int][]string{ShortPiece: short, longPiece: long} {
			for _, form := range forms {
				for i := 0; i+size <= len(form); i += size {
					if piece := form[i : i+size]; !slices.Contains(pieces[size][piece], what) {
						pieces[size][piece] = append(pieces[size][piece], what)
						begins[hash(piece)] = true
					}
				}
			}
		}
	}
	met = map[int]bool{}
	for s := range h.Said {
		seen := map[string]bool{}
		for size, pieces := range pieces {
			for i := 0; i+size <= len(s.Text); i++ {
				if !begins[hash(s.Text[i:])] {
					continue
				}
				kinds, ok := pieces[s.Text[i:i+size]]
				if !ok || seen[strings.Join(kinds, "|")] {
					continue
				}
				seen[strings.Join(kinds, "|")] = true
				allowed := slices.IndexFunc(documentedPatterns, func(d [2]*regexp.Regexp) bool {
					return d[0].MatchString(s.Where) && slices.ContainsFunc(kinds, d[1].MatchString)
				})
				if allowed >= 0 {
					met[allowed] = true
					continue
				}
				found = append(found, Leak{strings.Join(kinds, "|"), s.Where, s.Text[max(0, i-80):min(len(s.Text), i+size+20)]})
			}
		}
	}
	return found, met
}

// Report fails the test for every secret that was said, with a few of the
// places.
func (h *LeakHunt) Report(t *testing.T) (met map[int]bool) {
	t.Helper()
	found, met := h.Find()
	places := map[string]map[string]string{}
	for _, l := range found {
		if places[l.What] == nil {
			places[l.What] = map[string]string{}
		}
		places[l.What][l.Where] = l.Excerpt
	}
	for what, excerpts := range places {
		for i, where := range slices.Sorted(maps.Keys(excerpts)) {
			if i == 10 {
				t.Errorf("%s in %d more places", what, len(excerpts)-i)
				break
			}
			t.Errorf("%s in %s: ...%q...", what, where, excerpts[where])
		}
	}
	return met
}
