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

// maxClockSkew is how far clocks of instances may differ, in seconds.
const maxClockSkew = 5 * 60

// marks are the latest sign-outs everywhere, by user. A session of another mark than its
// user's is over: order decides, and no clock. Other instances have marks of their own, so
// that a session which is later by any clock goes on.
type marks struct {
	of    map[UserID]marked
	order []markedUser // the oldest in front
}

type marked struct {
	mark Mark
	at   int64 // Unix seconds
}

type markedUser struct {
	user UserID
	marked
}

func (m *marks) put(user UserID, now time.Time, lifetime time.Duration) {
	if m.of == nil {
		m.of = map[UserID]marked{}
	}
	for len(m.order) > 0 && (len(m.order) >= maxMarks || now.Sub(time.Unix(m.order[0].at, 0)) > lifetime) {
		if first := m.order[0]; m.of[first.user] == first.marked { // not of a later one
			delete(m.of, first.user)
		}
		m.order = m.order[1:]
	}
	latest := marked{at: now.Unix()}
	rand.Read(latest.mark[:])
	m.of[user] = latest
	m.order = append(m.order, markedUser{user, latest})
}

// has reports whether a session began before the latest sign-out of its user everywhere.
func (m *marks) has(rec Record) bool {
	if len(m.of) == 0 {
		return false
	}
	latest, ok := m.of[rec.UserID()]
	return ok && latest.mark != rec.Mark() && rec.Begun().Unix() <= latest.at+maxClockSkew
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
	return g.ended.users.of[user].mark
}
