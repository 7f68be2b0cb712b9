package memory

import (
	"testing"
	"time"
)

func TestEndUser(t *testing.T) {
	const lifetime = 24 * time.Hour
	now := time.Now()
	g := NewGrants[*testRecord](time.Hour, lifetime)
	alice, bob := UserIDOf("https://a.test", "alice"), UserIDOf("https://a.test", "bob")
	begin := func(n int, user UserID) *testRecord {
		rec := numbered(n, 0, "")
		rec.user, rec.mark = user, g.MarkOf(user)
		return rec
	}
	before, other := begin(1, alice), begin(2, bob)
	g.EndUser(alice, now)
	between := begin(3, alice)
	if !g.Ended(before) || g.Ended(between) || g.Ended(other) {
		t.Errorf("ended: before %t, after %t, of another user %t", g.Ended(before), g.Ended(between), g.Ended(other))
	}
	g.EndUser(alice, now) // at the same time
	after := begin(4, alice)
	if !g.Ended(before) || !g.Ended(between) || g.Ended(after) {
		t.Errorf("ended: before %t, between %t, after %t", g.Ended(before), g.Ended(between), g.Ended(after))
	}
	if g.Refreshed(between, now) {
		t.Error("a refresh brings a session back")
	}
	g.EndUser(bob, now.Add(lifetime+time.Second)) // when no session of before can live
	if len(g.ended.users.of) != 1 || len(g.ended.users.order) != 1 {
		t.Errorf("%d users are remembered", len(g.ended.users.of))
	}
	for range maxMarks + 1 {
		g.EndUser(alice, now.Add(lifetime+time.Second))
	}
	if len(g.ended.users.order) != maxMarks || !g.Ended(after) || g.Ended(other) {
		t.Errorf("%d sign-outs are remembered", len(g.ended.users.order))
	}
}

func TestUserIDOf(t *testing.T) {
	seen := map[UserID]bool{}
	for _, user := range [][2]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"a", "bc"}, {"ab", "c"}} {
		seen[UserIDOf(user[0], user[1])] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d IDs of 5 users", len(seen))
	}
}
