package seal

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"sync"
	"time"
)

// Fields are packed before they are sealed because every byte costs almost two in
// a cookie: segments of JWTs become bytes instead of base64url, and all fields are
// deflated when that saves anything.
//
// Compression makes the length of a sealed value depend on its content. That gives
// nothing away here: an attacker who sees lengths on the wire cannot mix chosen
// text with another user's tokens, over and over, as CRIME requires.

const (
	// version is the layout that Pack writes. Unpack reads the one before as well, so
	// that a rolling deployment signs no user out. Version 2 added Field.
	version       = 2
	versionBefore = 1
	// maxUnpackedBytes bounds what a sealed value can inflate to: each request that has it
	// pays for that. Longer fields are not deflated.
	maxUnpackedBytes = 128 << 10
)

// A Packer appends fields, in the order in which an Unpacker reads them.
type Packer struct {
	buf    []byte
	random []byte // kept apart: deflating it would take time and save nothing
}

// NewPacker returns a Packer with room for most flows and small sessions.
func NewPacker() *Packer { return &Packer{buf: make([]byte, 0, 256)} }

// Uint packs v in as few bytes as it takes.
func (p *Packer) Uint(v uint64) { p.buf = binary.AppendUvarint(p.buf, v) }

// Raw packs b without its length: the reader has to know it.
func (p *Packer) Raw(b []byte) { p.buf = append(p.buf, b...) }

// Bytes packs b with its length.
func (p *Packer) Bytes(b []byte) {
	p.Uint(uint64(len(b)))
	p.buf = append(p.buf, b...)
}

// String packs s with its length.
func (p *Packer) String(s string) {
	p.Uint(uint64(len(s)))
	p.buf = append(p.buf, s...)
}

// StringIn packs s as a place in text if text contains it, and as String otherwise.
func (p *Packer) StringIn(text []byte, s string) {
	i := bytes.Index(text, []byte(s))
	if i < 0 || s == "" {
		p.Uint(0)
		p.String(s)
		return
	}
	p.Uint(uint64(i) + 1)
	p.Uint(uint64(len(s)))
}

// Time packs t in milliseconds. The zero time stays the zero time.
func (p *Packer) Time(t time.Time) {
	if t.IsZero() {
		p.Uint(0)
		return
	}
	p.Uint(uint64(max(t.UnixMilli(), 0)) + 1)
}

// TimeFrom packs the milliseconds from start to t. Neither may be the zero time.
func (p *Packer) TimeFrom(start, t time.Time) {
	p.buf = binary.AppendVarint(p.buf, t.UnixMilli()-start.UnixMilli())
}

// Bool packs b in one byte.
func (p *Packer) Bool(b bool) {
	if b {
		p.Uint(1)
	} else {
		p.Uint(0)
	}
}

// Token packs a JWT as its three segments, and any other token as it is.
func (p *Packer) Token(t *Token) {
	segments, isJWT := t.jwt()
	p.Bool(isJWT)
	if !isJWT {
		p.String(t.whole)
		return
	}
	p.Bytes(segments[0])
	p.Bytes(segments[1])
	p.Uint(uint64(len(segments[2])))
	p.random = append(p.random, segments[2]...) // the signature
}

// Field packs an optional field behind all others. A value without the field
// costs no byte, and readers that do not know the tag keep it as it is.
func (p *Packer) Field(tag uint64, value []byte) {
	if len(value) > 0 {
		p.Uint(tag)
		p.Bytes(value)
	}
}

// minDeflate is the number of bytes from which fields are deflated. Below it the
// bytes saved are not worth the time that each request takes to inflate them.
const minDeflate = 512

// Pack returns the version; the length of the fields when inflated, 0 if they are
// not deflated; the random bytes, with their length; and the fields.
func (p *Packer) Pack() []byte {
	if len(p.buf) >= minDeflate && len(p.buf) <= maxUnpackedBytes {
		b := bytes.NewBuffer(p.packHeader(len(p.buf)))
		before := b.Len()
		w := deflaters.Get().(*flate.Writer)
		defer deflaters.Put(w)
		w.Reset(b)
		w.Write(p.buf) // a bytes.Buffer takes everything
		w.Close()
		if b.Len()-before < len(p.buf) {
			return b.Bytes()
		}
	}
	return append(p.packHeader(0), p.buf...)
}

// packHeader returns everything before the fields, with room for them.
func (p *Packer) packHeader(inflated int) []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen32+len(p.random)+len(p.buf))
	b = binary.AppendUvarint(append(b, version), uint64(inflated))
	b = binary.AppendUvarint(b, uint64(len(p.random)))
	return append(b, p.random...)
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriterDict(nil, flate.BestCompression, dictionary) // the level is valid
	return w
}}
