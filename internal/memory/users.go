package memory

import (
	"crypto/rand"
	"crypto/sha256"
	"time"
)

// A UserID stands for a provider's user.
type UserID [16]byte

// UserIDOf returns the ID of a user, which differs for every pair of issuer and subject.
func UserIDOf(issuer, subject string) (id UserID) {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject)) // an issuer contains no NUL
	copy(id[:], sum[:])
	return id
}

// A Mark says after which sign-out everywhere a session began; zero: after none.
type Mark [8]byte

// maxMarks bounds the users who are remembered to have been signed out everywhere. They
// take about 5 MiB. The oldest go first.
const maxMarks = 1 << 16

// marks are the latest sign-outs everywhere, by user. A session of another mark than its
// user's is over: order decides, and no clock.
type marks struct {
	of    map[UserID]Mark
	order []markedAt // the oldest in front
}

type markedAt struct {
	user UserID
	mark Mark
	at   time.Time
}

func (m *marks) put(user UserID, now time.Time, lifetime time.Duration) {
	if m.of == nil {
		m.of = map[UserID]Mark{}
	}
	for len(m.order) > 0 && (len(m.order) >= maxMarks || now.Sub(m.order[0].at) > lifetime) {
		if first := m.order[0]; m.of[first.user] == first.mark { // not of a later one
			delete(m.of, first.user)
		}
		m.order = m.order[1:]
	}
	var mark Mark
	rand.Read(mark[:])
	m.of[user] = mark
	m.order = append(m.order, markedAt{user, mark, now})
}

// has reports whether a session began before the latest sign-out of its user everywhere.
func (m *marks) has(rec Record) bool {
	if len(m.of) == 0 {
		return false
	}
	mark, ok := m.of[rec.UserID()]
	return ok && mark != rec.Mark()
}

// EndUser ends all sessions of a user that have begun so far.
func (g *Grants[R]) EndUser(user UserID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended.users.put(user, now, g.lifetime)
}

// MarkOf returns the mark of a session of the user that begins now.
func (g *Grants[R]) MarkOf(user UserID) Mark {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended.users.of[user]
}
