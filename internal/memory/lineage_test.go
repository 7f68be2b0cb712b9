package memory

import (
	"errors"
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

// A refresh token that is refused ends its generation and those before it, and not one
// that a newer cookie has.
func TestSpend(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	if !g.Spend(numbered(1, 2, ""), now) {
		t.Error("not spent")
	}
	for generation, want := range []bool{true, true, true, false, false} {
		if got := g.Ended(numbered(1, generation, "")); got != want {
			t.Errorf("generation %d: ended %t", generation, got)
		}
	}
	if g.Spend(numbered(1, 1, ""), now); !g.Ended(numbered(1, 2, "")) {
		t.Error("an earlier refusal brings a generation back")
	}
	if g.End(numbered(1, 3, ""), now); !g.Ended(numbered(1, 9, "")) {
		t.Error("a generation outlives the session")
	}
	g.Refreshed(numbered(2, 3, "third"), now)
	if g.Spend(numbered(2, 2, ""), now) || g.Ended(numbered(2, 2, "")) {
		t.Error("a generation that is not the latest is spent")
	}
}

// An API that has never accepted a refreshed token may reject every one.
func TestUnproven(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	login, fresh := numbered(1, 0, "login"), numbered(1, 1, "fresh")
	if g.Unproven(login) || g.Unproven(fresh) {
		t.Error("tokens of which nothing is known")
	}
	g.Failed(login, errors.New("down"), now, 0)
	if g.Unproven(login) {
		t.Error("the login's token")
	}
	g.Refreshed(fresh, now)
	if !g.Unproven(fresh) || g.Unproven(login) {
		t.Error("a token that a refresh has brought")
	}
	g.Accepted(login)
	if !g.Unproven(fresh) {
		t.Error("another token was accepted")
	}
	if g.Accepted(fresh); g.Unproven(fresh) {
		t.Error("the token was accepted")
	}
	if g.Refreshed(numbered(1, 2, "newer"), now); !g.Unproven(numbered(1, 2, "newer")) {
		t.Error("the next token")
	}
}

// A lineage whose first generation was refused long before is remembered for a lifetime
// from its end.
func TestLineageEndsLate(t *testing.T) {
	const lifetime = 24 * time.Hour
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, lifetime)
	first, second := numbered(1, 0, "first"), numbered(2, 0, "second")
	second.lineage = first.id
	g.Spend(first, now)
	g.End(second, now.Add(20*time.Hour))
	g.End(numbered(3, 0, "third"), now.Add(30*time.Hour))
	if !g.Ended(second) || len(g.ended.order) != 2 {
		t.Errorf("the second session goes on; %d are remembered", len(g.ended.order))
	}
	g.End(numbered(4, 0, "fourth"), now.Add(45*time.Hour))
	if g.Ended(second) || len(g.ended.upTo) != 2 || len(g.ended.order) != 2 {
		t.Errorf("%d are remembered", len(g.ended.upTo))
	}
}
