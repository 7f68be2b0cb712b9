package memory

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEndAll(t *testing.T) {
	for kind, name := range []string{"user", "session at the provider"} {
		t.Run(name, func(t *testing.T) { testEndAll(t, OwnerKind(kind)) })
	}
}

func testEndAll(t *testing.T, kind OwnerKind) {
	const lifetime = 24 * time.Hour
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, lifetime)
	alice, bob := OwnerOf(kind, "https://a.test", "alice"), OwnerOf(kind, "https://a.test", "bob")
	begin := func(n int, owner Owner) *testRecord {
		rec := numbered(n, 0, "")
		rec.owners[kind] = &testOwner{owner, g.MarkOf(owner, g.Moment())}
		return rec
	}
	before, other, without := begin(1, alice), begin(2, bob), numbered(9, 0, "")
	g.EndAll(alice, now)
	between := begin(3, alice)
	if !g.Ended(before) || g.Ended(between) || g.Ended(other) || g.Ended(without) {
		t.Errorf("ended: before %t, after %t, of another %t, of none %t", g.Ended(before), g.Ended(between), g.Ended(other), g.Ended(without))
	}
	g.EndAll(alice, now) // at the same time
	after := begin(4, alice)
	if !g.Ended(before) || !g.Ended(between) || g.Ended(after) {
		t.Errorf("ended: before %t, between %t, after %t", g.Ended(before), g.Ended(between), g.Ended(after))
	}
	if g.Refreshed(between, now) {
		t.Error("a refresh brings a session back")
	}
	g.EndAll(bob, now.Add(lifetime+time.Second)) // when no session of before can live
	if m := &g.ended.marks[kind]; len(m.of) != 1 || len(m.order) != 1 {
		t.Errorf("%d owners are remembered", len(m.of))
	}
	for range 10 {
		g.EndAll(alice, now.Add(lifetime+time.Second))
	}
	for n := range maxMarks[kind] {
		if n == 10 {
			g.EndAll(alice, now.Add(lifetime+time.Second))
		}
		g.EndAll(OwnerOf(kind, "https://b.test", fmt.Sprint(n)), now.Add(lifetime+time.Second))
	}
	m := &g.ended.marks[kind]
	if len(m.order) != maxMarks[kind] || len(m.of) > maxMarks[kind] || !g.Ended(after) || g.Ended(other) {
		t.Errorf("%d ends of %d owners are remembered", len(m.order), len(m.of))
	}
}

// A login that has asked the provider for tokens before its user's sessions ended belongs
// to those.
func TestMarkOfALoginUnderWay(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	alice, bob := OwnerOf(OfSID, "https://a.test", "alice"), OwnerOf(OfSID, "https://a.test", "bob")
	g.EndAll(alice, now)
	g.EndAll(bob, now)
	moment := g.Moment()
	early := g.MarkOf(alice, moment)
	g.EndAll(alice, now)
	if early == (Mark{}) || g.MarkOf(alice, moment) != (Mark{}) || g.MarkOf(bob, moment) == (Mark{}) || g.MarkOf(alice, g.Moment()) == (Mark{}) {
		t.Errorf("%v, %v, %v", early, g.MarkOf(alice, moment), g.MarkOf(bob, moment))
	}
}

func TestOwnerOf(t *testing.T) {
	seen := map[Owner]bool{}
	long := strings.Repeat("x", 1000)
	for _, name := range [][2]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"a", "bc"}, {"ab", "c"}, {"a", long}, {"a", long + "x"}} {
		seen[OwnerOf(OfUser, name[0], name[1])] = true
		seen[OwnerOf(OfSID, name[0], name[1])] = true
		seen[Owner{OfUser, OwnerOf(OfSID, name[0], name[1]).id}] = true // the kind is in the ID as well
	}
	if len(seen) != 3*7 {
		t.Errorf("%d owners of %d", len(seen), 3*7)
	}
	if n := testing.AllocsPerRun(10, func() { OwnerOf(OfUser, "https://provider.test", "alice") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
