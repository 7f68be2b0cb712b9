package memory

import (
	"testing"
	"time"
)

// A session that another sign-in has replaced ends with its successor, and its tokens
// are to be revoked as well.
func TestLineage(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	first := numbered(1, 0, "first")
	second := numbered(2, 0, "second")
	second.lineage = first.id
	third := numbered(3, 0, "third")
	third.lineage = first.id
	other := numbered(4, 0, "other")
	g.Refreshed(&testRecord{id: first.id, generation: 1, token: "first, refreshed"}, now)
	g.Replace(first, now)
	g.Replace(second, now)
	g.Replace(other, now)
	for rec, want := range map[*testRecord]bool{first: true, second: true, third: false, other: true} {
		if g.Replaced(rec) != want || g.Ended(rec) {
			t.Errorf("%s: replaced %t, ended %t", rec.token, g.Replaced(rec), g.Ended(rec))
		}
	}
	var ended []string
	for _, rec := range g.End(third, now) {
		ended = append(ended, rec.token)
	}
	if len(ended) != 3 || ended[0] != "third" || ended[1] != "first, refreshed" || ended[2] != "second" {
		t.Errorf("ended %q", ended)
	}
	for rec, want := range map[*testRecord]bool{first: true, second: true, third: true, other: false} {
		if g.Ended(rec) != want {
			t.Errorf("%s: ended %t", rec.token, !want)
		}
	}
	if g.End(first, now) != nil || g.End(second, now) != nil {
		t.Error("what is over ends again")
	}
	// A replaced session that is signed out by its own old cookie ends the lineage too.
	g.Replace(numbered(5, 0, "fifth"), now)
	sixth := numbered(6, 0, "sixth")
	sixth.lineage = numbered(5, 0, "").id
	if len(g.End(numbered(5, 0, "fifth"), now)) != 1 || !g.Ended(sixth) {
		t.Error("the successor goes on")
	}
}

// Records of replaced sessions are bounded by bytes and by age.
func TestReplacedIsBounded(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	for n := range 100_000 {
		g.Replace(numbered(n, 0, "token"), now)
	}
	if g.replaced.bytes > maxReplacedBytes || len(g.replaced.by) != len(g.replaced.order) || g.Replaced(numbered(0, 0, "")) || !g.Replaced(numbered(99_999, 0, "")) {
		t.Errorf("%d bytes, %d and %d records", g.replaced.bytes, len(g.replaced.by), len(g.replaced.order))
	}
	g.Replace(numbered(-1, 0, ""), now.Add(24*time.Hour+1))
	if len(g.replaced.by) != 1 || len(g.replaced.order) != 1 || g.replaced.bytes != numbered(0, 0, "").Bytes() {
		t.Errorf("%d bytes, %d records after their lifetime", g.replaced.bytes, len(g.replaced.by))
	}
}

// A session whose refresh was refused begins a lineage like any other: that lineage is
// over for a whole lifetime after it has ended.
func TestEndAfterSpendIsRemembered(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	first, second := numbered(1, 0, "first"), numbered(2, 0, "second")
	second.lineage = first.id
	g.Spend(first, now)
	g.End(second, now.Add(20*time.Hour))
	g.End(numbered(3, 0, "other"), now.Add(25*time.Hour)) // forgets what is older than a day
	if !g.Ended(second) || !g.Ended(first) {
		t.Error("a session is back five hours after its logout")
	}
	g.End(numbered(4, 0, "other"), now.Add(44*time.Hour+1))
	if g.Ended(second) || len(g.ended.upTo) != 2 || len(g.ended.order) != 2 {
		t.Errorf("%d sessions, %d in order, after their lifetime", len(g.ended.upTo), len(g.ended.order))
	}
}
