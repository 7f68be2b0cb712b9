package memory

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What browsers have is given up before what only memory has, and in the end
// memory is bounded all the same.
func TestGrantsAreBounded(t *testing.T) {
	const size = 1 << 20
	const most = maxGrantBytes / size // one less fits, with what an entry costs
	token := strings.Repeat("t", size)
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	for n := range most / 2 {
		g.Refreshed(numbered(n, 1, token), now)
		g.Shown(numbered(n, 1, token), now)
	}
	for n := most / 2; n < most; n++ {
		g.Refreshed(numbered(n, 1, token), now)
	}
	for n := most; n < most+most/2-1; n++ {
		g.Refreshed(numbered(n, 1, token), now)
	}
	for n := range most + most/2 - 1 {
		if holds(g, n) != (n >= most/2) {
			t.Errorf("of %d that browsers have shown and as many that they have not, session %d is kept: %t", most/2, n, holds(g, n))
		}
	}
	for n := 2 * most; n < 3*most; n++ {
		g.Refreshed(numbered(n, 1, token), now)
	}
	if g.bytes > maxGrantBytes || len(g.live) != most-1 || !holds(g, 3*most-1) || holds(g, 2*most) {
		t.Errorf("%d sessions with %d bytes are kept", len(g.live), g.bytes)
	}
	g.Refreshed(numbered(-1, 1, strings.Repeat("t", maxGrantBytes)), now)
	if len(g.live) != 0 || g.bytes != 0 || g.seen.Len()+g.unseen.Len() != 0 {
		t.Errorf("after one that is too large %d sessions with %d bytes are kept", len(g.live), g.bytes)
	}
}

// Every way out gives back what was counted on the way in.
func TestGrantsCount(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	for n := range 100 {
		g.Refreshed(numbered(n, 1, "token"), now)
		g.Refreshed(numbered(n, 2, "longer token"), now)
		g.Failed(numbered(n, 2, "longer token"), errors.New("down"), now, 0)
		g.Shown(numbered(n, n%4, "token"), now)
		g.Failed(numbered(1000+n, 0, "token"), errors.New("down"), now, 0)
	}
	for n := range 100 {
		g.End(numbered(n, 0, ""), now)
		g.End(numbered(1000+n, 0, ""), now)
		g.End(numbered(2000+n, 0, ""), now) // never known
	}
	if g.bytes != 0 || len(g.live) != 0 || g.seen.Len()+g.unseen.Len() != 0 {
		t.Errorf("%d bytes, %d sessions, lists of %d and %d", g.bytes, len(g.live), g.seen.Len(), g.unseen.Len())
	}
}

// What is not used any more goes: after ten minutes if the browser has it, and with
// the session if it does not.
func TestGrantsForget(t *testing.T) {
	start := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	g.Refreshed(numbered(1, 1, "token"), start)
	g.Refreshed(numbered(2, 1, "token"), start)
	g.Shown(numbered(2, 1, "token"), start)
	g.Failed(numbered(3, 0, "token"), errors.New("down"), start, 0)
	for _, tt := range []struct {
		after time.Duration
		want  [4]bool
	}{
		{10 * time.Minute, [4]bool{1: true, 2: true, 3: true}},
		{10*time.Minute + 1, [4]bool{1: true}},
		{time.Hour, [4]bool{1: true}},
		{time.Hour + 1, [4]bool{}},
	} {
		g.Refreshed(numbered(99, 1, "token"), start.Add(tt.after)) // another user's
		for n := 1; n < len(tt.want); n++ {
			if holds(g, n) != tt.want[n] {
				t.Errorf("after %v session %d is kept: %t", tt.after, n, holds(g, n))
			}
		}
	}
	if len(g.live) != 1 {
		t.Errorf("%d sessions are left", len(g.live))
	}
}

// Sessions that have ended are remembered for as long as there is room, and
// nothing brings one back.
func TestGrantsRememberEndedSessions(t *testing.T) {
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, 24*time.Hour)
	g.Refreshed(numbered(0, 1, "token"), now)
	for n := range maxEnded {
		first := g.End(numbered(n, 0, ""), now)
		again := g.End(numbered(n, 0, ""), now) // takes no room
		if len(first) != 1 || len(again) != 0 {
			t.Fatalf("session %d ends with %d records, and again with %d", n, len(first), len(again))
		}
	}
	first := numbered(0, 2, "token")
	if !remembers(g, 0) || !g.Ended(first) || g.Refreshed(first, now) {
		t.Error("a session that has ended takes new tokens")
	}
	if g.Failed(first, errors.New("down"), now, 0); len(g.live) != 0 || g.Refusal(first, now) != nil {
		t.Error("a session that has ended is kept")
	}
	const more = 10
	for n := range more {
		g.End(numbered(maxEnded+n, 0, ""), now)
	}
	if len(g.ended.upTo) != maxEnded || len(g.ended.order) != maxEnded {
		t.Errorf("%d ended sessions in an order of %d", len(g.ended.upTo), len(g.ended.order))
	}
	if remembers(g, more-1) || !remembers(g, more) || !remembers(g, maxEnded+more-1) {
		t.Error("it is not the oldest that are forgotten")
	}
	// And not for longer than any session lives.
	g.End(numbered(-1, 0, ""), now.Add(24*time.Hour+1))
	if len(g.ended.upTo) != 1 || len(g.ended.order) != 1 {
		t.Errorf("%d ended sessions are remembered after their lifetime", len(g.ended.upTo))
	}
}
