package memory

import (
	"math"
	"time"
)

const (
	// maxEnded bounds the sessions that are remembered to have ended. They take about 14
	// MiB. The oldest go first.
	maxEnded = 1 << 17
	// allGenerations of a session are those of its lineage, too.
	allGenerations = math.MaxUint64
	// ownGenerations of a session leave its lineage alone.
	ownGenerations = allGenerations - 1
	// maxReplacedBytes bounds the records of replaced sessions.
	maxReplacedBytes = 8 << 20
)

// ended are sessions and lineages that are over, until their lifetime would be.
type ended struct {
	upTo  map[ID]uint64 // the last generation that has ended
	order []endedAt     // the oldest in front
	marks [ownerKinds]marks
	seq   uint64 // of the latest mark
}

type endedAt struct {
	id         ID
	generation uint64
	at         time.Time
}

func (e *ended) add(id ID, generation uint64, now time.Time, lifetime time.Duration) {
	if e.upTo == nil {
		e.upTo = map[ID]uint64{}
	}
	for len(e.order) > 0 && (len(e.order) >= maxEnded || now.Sub(e.order[0].at) > lifetime) {
		if first := e.order[0]; e.upTo[first.id] == first.generation { // not of a later end
			delete(e.upTo, first.id)
		}
		e.order = e.order[1:]
	}
	if before, known := e.upTo[id]; known && before >= generation {
		return
	}
	e.upTo[id] = generation
	e.order = append(e.order, endedAt{id, generation, now})
}

func hasEnded[R Record](e *ended, rec R) bool { return e.superseded(rec) || e.has(rec) }

// superseded reports whether all sessions of an owner have ended since rec's began.
func (e *ended) superseded(rec Record) bool {
	for kind := range e.marks {
		if len(e.marks[kind].of) == 0 { // naming the owner takes time
			continue
		}
		if owner, mark, ok := rec.Owner(OwnerKind(kind)); ok && e.marks[kind].hasEnded(owner, mark, rec.Begun()) {
			return true
		}
	}
	return false
}

// has reports whether rec's session, or its lineage, has ended.
func (e *ended) has(rec Record) bool {
	if len(e.upTo) == 0 {
		return false
	}
	id, lineage := rec.SessionID(), rec.Lineage()
	upTo, ok := e.upTo[id]
	if ok && rec.Generation() <= upTo {
		return true
	}
	return id != lineage && e.upTo[lineage] == allGenerations
}

// replaced are the sessions that another sign-in in the same browser has replaced.
type replaced[R Record] struct {
	by    map[ID][]R      // by lineage, the oldest in front
	order []replacedAt[R] // the oldest in front
	bytes int
}

type replacedAt[R Record] struct {
	record R
	at     time.Time
}

func (p *replaced[R]) add(rec R, now time.Time, lifetime time.Duration) {
	if p.by == nil {
		p.by = map[ID][]R{}
	}
	p.by[rec.Lineage()] = append(p.by[rec.Lineage()], rec)
	p.order = append(p.order, replacedAt[R]{rec, now})
	p.bytes += rec.Bytes()
	for len(p.order) > 0 && (p.bytes > maxReplacedBytes || now.Sub(p.order[0].at) > lifetime) {
		oldest := p.order[0].record
		p.order[0] = replacedAt[R]{} // which the array would hold on to
		p.order = p.order[1:]
		p.bytes -= oldest.Bytes()
		records := p.by[oldest.Lineage()]
		switch {
		case len(records) == 0 || records[0].SessionID() != oldest.SessionID(): // take has removed it
		case len(records) == 1:
			delete(p.by, oldest.Lineage())
		default:
			clear(records[:1])
			p.by[oldest.Lineage()] = records[1:]
		}
	}
}

func (p *replaced[R]) take(lineage ID) []R {
	records := p.by[lineage]
	delete(p.by, lineage)
	return records
}

func (p *replaced[R]) has(rec R) bool {
	for _, known := range p.by[rec.Lineage()] {
		if known.SessionID() == rec.SessionID() {
			return true
		}
	}
	return false
}
