package memory

import (
	"errors"
	"testing"
	"time"
)

// Requests that carry the older cookie get the newer tokens, and one that carries
// tokens of another instance keeps them.
func TestShown(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	g.Refreshed(numbered(1, 2, "second"), now)
	for _, tt := range []struct {
		name       string
		shown      *testRecord
		generation uint64
		newer      bool
		fresh      bool // the browser may not have the latest
		held       bool
	}{
		{"a session that is not known", numbered(9, 1, "x"), 1, false, false, false},
		{"the older cookie", numbered(1, 1, "first"), 2, true, true, true},
		{"the newer cookie", numbered(1, 2, "second"), 2, false, false, true},
		{"the newer cookie again", numbered(1, 2, "second"), 2, false, false, true},
		{"the older cookie, which a slow response brought back", numbered(1, 1, "first"), 2, true, true, true},
		{"a cookie of another instance", numbered(1, 3, "third"), 3, false, false, false},
		{"the older cookie, once that was seen", numbered(1, 1, "first"), 1, false, false, false},
	} {
		latest, newer, ended := g.Shown(tt.shown, now)
		if latest.generation != tt.generation || latest.id != tt.shown.id || newer != tt.newer || ended {
			t.Errorf("%s: generation %d, newer: %t, ended: %t", tt.name, latest.generation, newer, ended)
		}
		e := g.live[tt.shown.id]
		if (e != nil) != tt.held || e != nil && e.Value.(*grant[*testRecord]).fresh != tt.fresh {
			t.Errorf("%s: held: %t, want %t", tt.name, e != nil, tt.held)
		}
	}
}

func TestLatest(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	g.Refreshed(numbered(1, 2, "second"), now)
	for _, tt := range []struct {
		rec  *testRecord
		want uint64
	}{{numbered(1, 1, "first"), 2}, {numbered(1, 2, "second"), 2}, {numbered(1, 3, "third"), 3}, {numbered(2, 0, ""), 0}} {
		if got, ended := g.Latest(tt.rec); got.generation != tt.want || got.id != tt.rec.id || ended {
			t.Errorf("of generation %d the latest is %d, ended: %t", tt.rec.generation, got.generation, ended)
		}
	}
	// The tokens of the latest generation are those to revoke.
	if latest := g.End(numbered(1, 1, "first"), now); len(latest) != 1 || latest[0].token != "second" {
		t.Errorf("ended with %v", latest)
	}
	if latest, ended := g.Latest(numbered(1, 1, "first")); !ended || latest.token != "first" || holds(g, 1) {
		t.Errorf("an ended session has %q", latest.token)
	}
	g.Refreshed(numbered(3, 1, "first"), now)
	if latest := g.End(numbered(3, 2, "second"), now); len(latest) != 1 || latest[0].token != "second" {
		t.Errorf("a session with newer tokens than are known ended with %v", latest)
	}
}

// Two seconds at first, twice as long each time, a minute at most; a success starts
// from the beginning.
func TestBackOff(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	rec := numbered(1, 1, "token")
	if err := g.Refusal(rec, now); err != nil {
		t.Errorf("before a failure: %v", err)
	}
	check := func(wait time.Duration) {
		t.Helper()
		down := errors.New("down")
		g.Failed(rec, down, now, 0)
		if g.Refusal(rec, now.Add(wait-1)) != down || g.Refusal(rec, now.Add(wait)) != nil {
			t.Errorf("does not pause for %v", wait)
		}
		now = now.Add(wait)
	}
	for _, wait := range []time.Duration{2, 4, 8, 16, 32, 60, 60, 60} {
		check(wait * time.Second)
	}
	for range 100 {
		g.Failed(rec, errors.New("down"), now, 0)
	}
	check(time.Minute)
	if err := g.Refusal(numbered(2, 1, ""), now); err != nil {
		t.Errorf("another session: %v", err)
	}
	rec = numbered(1, 2, "token")
	g.Refreshed(rec, now)
	if err := g.Refusal(rec, now); err != nil {
		t.Errorf("after a success: %v", err)
	}
	check(2 * time.Second)
	if latest, _ := g.Latest(numbered(1, 1, "")); latest != rec {
		t.Errorf("a failure replaced the tokens of generation 2 by %v", latest)
	}
}

// A refusal is one of a refresh token. Another generation of the session has another.
func TestRefusalIsOfOneGeneration(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	refused := errors.New("refused")
	g.Failed(numbered(1, 0, "old"), refused, now, 0)
	if g.Refusal(numbered(1, 0, "old"), now) != refused {
		t.Error("the refusal is forgotten")
	}
	if err := g.Refusal(numbered(1, 1, "new"), now); err != nil {
		t.Errorf("the next generation: %v", err)
	}
	g.Refreshed(numbered(2, 1, "new"), now)
	if g.Failed(numbered(2, 0, "old"), refused, now, 0); g.Refusal(numbered(2, 1, "new"), now) != nil {
		t.Error("the generation before is refused, and this one pauses")
	}
}

// An older generation does not replace a newer one, which may be the only copy. Another
// record of the same generation does, and a back-off goes on.
func TestRefreshedKeepsNewest(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	g.Refreshed(numbered(1, 2, "second"), now)
	g.Failed(numbered(1, 2, "second"), errors.New("down"), now, 0)
	if !g.Refreshed(numbered(1, 1, "first"), now) {
		t.Error("ended")
	}
	if latest, _ := g.Latest(numbered(1, 0, "login")); latest.token != "second" {
		t.Errorf("latest %q", latest.token)
	}
	g.Refreshed(numbered(1, 2, "other"), now)
	if latest, _ := g.Latest(numbered(1, 0, "login")); latest.token != "other" || g.Refusal(latest, now) == nil {
		t.Errorf("latest %q, refusal %v", latest.token, g.Refusal(latest, now))
	}
	g.Refreshed(numbered(1, 3, "third"), now)
	if latest, _ := g.Latest(numbered(1, 0, "login")); latest.token != "third" || g.Refusal(latest, now) != nil {
		t.Errorf("latest %q", latest.token)
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
