package oauthlogin

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

// numbered returns the record of a session of its own.
func numbered(n, generation int, token string) *record {
	rec := &record{generation: uint64(generation)}
	binary.BigEndian.PutUint64(rec.id[:], uint64(n))
	rec.tokens.access = token
	return rec
}

// holds reports whether m knows tokens newer than those of the login.
func (m *memory) holds(n int) bool { return m.live[numbered(n, 0, "").id] != nil }

// remembers reports whether a request learns that its session has ended.
func (m *memory) remembers(n int) bool {
	newer, ended := m.look(numbered(n, 0, ""), time.Time{})
	return newer == nil && ended
}

// What browsers have is given up before what only memory has, and in the end
// memory is bounded all the same.
func TestMemoryIsBounded(t *testing.T) {
	const size = 1 << 20
	const most = maxMemoryBytes / size // one less fits, with what an entry costs
	token := strings.Repeat("t", size)
	now := time.Now()
	m := memory{maxAge: time.Hour}
	for n := range most / 2 {
		m.refreshed(numbered(n, 1, token), now)
		m.look(numbered(n, 1, token), now) // shown
	}
	for n := most / 2; n < most; n++ {
		m.refreshed(numbered(n, 1, token), now)
	}
	for n := most; n < most+most/2-1; n++ {
		m.refreshed(numbered(n, 1, token), now)
	}
	for n := range most + most/2 - 1 {
		if m.holds(n) != (n >= most/2) {
			t.Errorf("of %d that browsers have shown and as many that they have not, session %d is kept: %t", most/2, n, m.holds(n))
		}
	}
	for n := 2 * most; n < 3*most; n++ {
		m.refreshed(numbered(n, 1, token), now)
	}
	if m.bytes > maxMemoryBytes || len(m.live) != most-1 || !m.holds(3*most-1) || m.holds(2*most) {
		t.Errorf("%d sessions with %d bytes are kept", len(m.live), m.bytes)
	}
	if m.refreshed(numbered(-1, 1, strings.Repeat("t", maxMemoryBytes)), now); len(m.live) != 0 || m.bytes != 0 || m.seen.Len()+m.unseen.Len() != 0 {
		t.Errorf("after one that is too large %d sessions with %d bytes are kept", len(m.live), m.bytes)
	}
}

// Every way out gives back what was counted on the way in.
func TestMemoryCounts(t *testing.T) {
	now := time.Now()
	m := memory{maxAge: time.Hour}
	for n := range 100 {
		m.refreshed(numbered(n, 1, "token"), now)
		m.refreshed(numbered(n, 2, "longer token"), now)
		m.failed(numbered(n, 2, "longer token"), errors.New("down"), now)
		m.look(numbered(n, n%4, "token"), now)
		m.failed(numbered(1000+n, 0, "token"), errors.New("down"), now)
	}
	for n := range 100 {
		m.end(numbered(n, 0, ""))
		m.end(numbered(1000+n, 0, ""))
		m.end(numbered(2000+n, 0, "")) // never known
	}
	if m.bytes != 0 || len(m.live) != 0 || m.seen.Len()+m.unseen.Len() != 0 {
		t.Errorf("%d bytes, %d sessions, lists of %d and %d", m.bytes, len(m.live), m.seen.Len(), m.unseen.Len())
	}
}

// What nobody uses any more goes: after ten minutes if the browser has it, and
// with the session if it does not.
func TestMemoryForgets(t *testing.T) {
	start := time.Now()
	m := memory{maxAge: time.Hour}
	m.refreshed(numbered(1, 1, "token"), start)
	m.refreshed(numbered(2, 1, "token"), start)
	m.look(numbered(2, 1, "token"), start) // shown
	m.failed(numbered(3, 0, "token"), errors.New("down"), start)
	for _, tt := range []struct {
		after time.Duration
		want  [4]bool
	}{
		{10 * time.Minute, [4]bool{1: true, 2: true, 3: true}},
		{10*time.Minute + 1, [4]bool{1: true}},
		{time.Hour, [4]bool{1: true}},
		{time.Hour + 1, [4]bool{}},
	} {
		m.refreshed(numbered(99, 1, "token"), start.Add(tt.after)) // somebody else's
		for n := 1; n < len(tt.want); n++ {
			if m.holds(n) != tt.want[n] {
				t.Errorf("after %v session %d is kept: %t", tt.after, n, m.holds(n))
			}
		}
	}
	if len(m.live) != 1 {
		t.Errorf("%d sessions are left", len(m.live))
	}
}

// Sessions that have ended are remembered for as long as there is room, and
// nothing brings one back.
func TestMemoryOfEndedSessions(t *testing.T) {
	now := time.Now()
	m := memory{maxAge: time.Hour}
	m.refreshed(numbered(0, 1, "token"), now)
	for n := range maxEnded {
		id := numbered(n, 0, "").id
		m.end(&record{id: id})
		m.end(&record{id: id}) // takes no room
	}
	first := numbered(0, 2, "token")
	if !m.remembers(0) || m.refreshed(first, now) {
		t.Error("a session that has ended takes new tokens")
	}
	if m.failed(first, errors.New("down"), now); len(m.live) != 0 {
		t.Error("a session that has ended is kept")
	}
	const more = 10
	for n := range more {
		m.end(numbered(maxEnded+n, 0, ""))
	}
	if len(m.ended) != maxEnded || len(m.endedOrder) != maxEnded {
		t.Errorf("%d ended sessions in an order of %d", len(m.ended), len(m.endedOrder))
	}
	if m.remembers(more-1) || !m.remembers(more) || !m.remembers(maxEnded+more-1) {
		t.Error("it is not the oldest that are forgotten")
	}
}
