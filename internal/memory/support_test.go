package memory

import (
	"encoding/binary"
	"time"
)

// A testRecord is the smallest Record.
type testRecord struct {
	id, lineage ID
	generation  uint64
	token       string
	owners      [ownerKinds]*testOwner
}

type testOwner struct {
	Owner
	mark Mark
}

func (r *testRecord) SessionID() ID { return r.id }

func (r *testRecord) Lineage() ID {
	if r.lineage != (ID{}) {
		return r.lineage
	}
	return r.id
}

func (r *testRecord) Owner(kind OwnerKind) (Owner, Mark, bool) {
	if o := r.owners[kind]; o != nil {
		return o.Owner, o.mark, true
	}
	return Owner{}, Mark{}, false
}

func (r *testRecord) Begun() time.Time { return time.Time{} }

func (r *testRecord) Generation() uint64 { return r.generation }

func (r *testRecord) Bytes() int { return 512 + len(r.token) }

// numbered returns the record of a session of its own.
func numbered(n, generation int, token string) *testRecord {
	rec := &testRecord{generation: uint64(generation), token: token}
	binary.BigEndian.PutUint64(rec.id[:], uint64(n))
	return rec
}

// holds reports whether g knows of a session.
func holds(g *Grants[*testRecord], n int) bool { return g.live[numbered(n, 0, "").id] != nil }

// remembers reports whether a request learns that its session has ended.
func remembers(g *Grants[*testRecord], n int) bool {
	rec := numbered(n, 0, "")
	latest, newer, ended := g.Shown(rec, time.Time{})
	return latest == rec && !newer && ended
}
