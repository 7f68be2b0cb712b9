package memory

import (
	"crypto/rand"
	"crypto/sha256"
	"time"
)

// An OwnerKind is what sessions belong to.
type OwnerKind int

const (
	// OfUser is a provider's user.
	OfUser OwnerKind = iota
	// OfSID is a user's session at the provider, which ID tokens name in sid.
	OfSID
	ownerKinds
)

// An Owner stands for a user, or for a session at a provider. All sessions that belong to
// one can end together.
type Owner struct {
	kind OwnerKind
	id   [16]byte
}

// OwnerOf returns the owner that an issuer names by sub or sid. It differs for every kind,
// issuer and name.
func OwnerOf(kind OwnerKind, issuer, name string) Owner {
	o := Owner{kind: kind}
	var short [512]byte // most names need no allocation
	text := append(short[:0], byte(kind))
	text = append(append(text, issuer...), 0) // an issuer contains no NUL
	sum := sha256.Sum256(append(text, name...))
	copy(o.id[:], sum[:])
	return o
}

// A Mark says after which end of all its owner's sessions a session began; zero: after
// none.
type Mark [8]byte

// maxMarks bounds the owners whose sessions are remembered to have ended. Users take
// about 10 MiB, and sessions at the provider, of which a busy provider ends many, about 20
// MiB. The oldest go first.
var maxMarks = [ownerKinds]int{OfUser: 1 << 16, OfSID: 1 << 17}

// MaxClockSkew is how far clocks of instances may differ.
const MaxClockSkew = 5 * time.Minute

// marks are the latest ends of all sessions of owners of one kind. A session of another
// mark than its owner's is over: order decides, and no clock. Other instances have marks
// of their own, so that a session which is later by any clock goes on.
type marks struct {
	of    map[[16]byte]marked
	order []endOfAll // the oldest in front
	// agreed says that no instance has marks of its own.
	agreed bool
}

type marked struct {
	mark Mark
	at   int64  // Unix seconds
	seq  uint64 // among all ends
	// foreign says that another instance has made it: seq says only when this one learned of it.
	foreign bool
	heard   uint64 // among all ends, when this instance was told of a foreign one; 0: it was not
}

type endOfAll struct {
	id  [16]byte
	seq uint64
}

func (m *marks) put(owner Owner, end marked, now time.Time, lifetime time.Duration) {
	if m.of == nil {
		m.of = map[[16]byte]marked{}
	}
	for len(m.order) > 0 {
		first := m.order[0]
		if latest := m.of[first.id]; latest.seq == first.seq { // and no later end
			if len(m.order) < maxMarks[owner.kind] && now.Sub(time.Unix(latest.at, 0)) <= lifetime {
				break
			}
			delete(m.of, first.id)
		}
		m.order = m.order[1:]
	}
	m.of[owner.id] = end
	m.order = append(m.order, endOfAll{owner.id, end.seq})
}

// hasEnded reports whether a session that began at a time, with a mark, began before the
// latest end of its owner's sessions.
func (m *marks) hasEnded(owner Owner, mark Mark, begun time.Time) bool {
	latest, ok := m.of[owner.id]
	return ok && latest.mark != mark && (m.agreed || begun.Unix() <= latest.at+int64(MaxClockSkew/time.Second))
}

// EndAll ends all sessions of an owner that have begun so far. It returns the mark of those
// that begin from now on.
func (g *Grants[R]) EndAll(owner Owner, now time.Time) (mark Mark) {
	g.mu.Lock()
	defer g.mu.Unlock()
	rand.Read(mark[:])
	g.endAll(owner, marked{mark: mark, at: now.Unix()}, now)
	return mark
}

// endAll needs the lock.
func (g *Grants[R]) endAll(owner Owner, end marked, now time.Time) {
	g.ended.seq++
	end.seq = g.ended.seq
	g.ended.marks[owner.kind].put(owner, end, now, g.lifetime)
}

// A Moment tells ends of an owner's sessions that came before from those that come after.
type Moment uint64

// Moment returns the present one. A login takes it before it asks the provider for tokens.
func (g *Grants[R]) Moment() Moment {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Moment(g.ended.seq)
}

// MarkOf returns the mark of a session of the owner whose login took the moment. If its
// sessions have ended since, the session is over from the start.
func (g *Grants[R]) MarkOf(owner Owner, at Moment) Mark {
	g.mu.Lock()
	defer g.mu.Unlock()
	latest := g.ended.marks[owner.kind].of[owner.id]
	made := latest.seq
	if latest.foreign {
		made = latest.heard
	}
	if made > uint64(at) {
		return Mark{}
	}
	return latest.mark
}
