package seal

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"
)

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

var errPacked = errors.New("sealed value is malformed")

// An Unpacker reads fields in the order in which they were packed. After the last
// one, Err reports whether all of them were there.
type Unpacker struct {
	buf, random []byte
	bad         bool
}

// Unpack begins to read what Pack returned, or what the version before packed.
func Unpack(packed []byte) (*Unpacker, error) {
	if len(packed) < 2 || packed[0] != version && packed[0] != versionBefore {
		return nil, errPacked
	}
	size, n := binary.Uvarint(packed[1:])
	if n <= 0 || size > maxUnpackedBytes {
		return nil, errPacked
	}
	u := &Unpacker{buf: packed[1+n:]}
	random := u.Bytes()
	if u.bad {
		return nil, errPacked
	}
	if size == 0 {
		return &Unpacker{buf: u.buf, random: random}, nil
	}
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(u.buf), dictionary); err != nil {
		return nil, errPacked
	}
	// One byte more than expected, to see the end.
	inflated := make([]byte, size+1)
	if n, err := io.ReadFull(r, inflated); uint64(n) != size || err != io.ErrUnexpectedEOF {
		return nil, errPacked
	}
	// Tokens point into the random bytes: a copy does not hold on to the whole value.
	return &Unpacker{buf: inflated[:size], random: bytes.Clone(random)}, nil
}

// Err returns an error if a field was malformed or missing, or if bytes are left.
func (u *Unpacker) Err() error {
	if u.bad || len(u.buf) > 0 || len(u.random) > 0 {
		return errPacked
	}
	return nil
}

// Uint reads what Packer.Uint packed; the other methods likewise.
func (u *Unpacker) Uint() uint64 {
	v, n := binary.Uvarint(u.buf)
	if n <= 0 {
		u.bad, u.buf = true, nil
		return 0
	}
	u.buf = u.buf[n:]
	return v
}

// Take reads n bytes.
func (u *Unpacker) Take(n uint64) []byte {
	if n > uint64(len(u.buf)) {
		u.bad, u.buf = true, nil
		return nil
	}
	b := u.buf[:n:n]
	u.buf = u.buf[n:]
	return b
}

func (u *Unpacker) takeRandom(n uint64) []byte {
	if n > uint64(len(u.random)) {
		u.bad = true
		return nil
	}
	b := u.random[:n:n]
	u.random = u.random[n:]
	return b
}

// Bytes returns a part of what was unpacked, not a copy.
func (u *Unpacker) Bytes() []byte { return u.Take(u.Uint()) }

// String reads a string with its length.
func (u *Unpacker) String() string { return string(u.Bytes()) }

// StringIn reads a string that text may contain.
func (u *Unpacker) StringIn(text []byte) string {
	i := u.Uint()
	if i == 0 {
		return u.String()
	}
	t := Unpacker{buf: text}
	t.Take(i - 1)
	s := string(t.Take(u.Uint()))
	u.bad = u.bad || t.bad
	return s
}

// TimeFrom reads a time relative to start.
func (u *Unpacker) TimeFrom(start time.Time) time.Time {
	v, n := binary.Varint(u.buf)
	if n <= 0 {
		u.bad, u.buf = true, nil
		return time.Time{}
	}
	u.buf = u.buf[n:]
	return start.Add(time.Duration(v) * time.Millisecond)
}

// Bool reads a boolean.
func (u *Unpacker) Bool() bool { return u.Uint() == 1 }

// Time reads a time.
func (u *Unpacker) Time() time.Time {
	v := u.Uint()
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(v - 1))
}

// Token returns a token that points into what was unpacked.
func (u *Unpacker) Token() Token {
	if !u.Bool() {
		return Token{whole: u.String()}
	}
	var t Token
	t.segments[0], t.segments[1] = u.Bytes(), u.Bytes()
	t.segments[2] = u.takeRandom(u.Uint())
	u.bad = u.bad || len(t.segments[0]) == 0
	return t
}

// Fail marks the value as malformed: a field does not have a value that it can have.
func (u *Unpacker) Fail() { u.bad = true }

// Fields calls f for every optional field, to the end of the value.
func (u *Unpacker) Fields(f func(tag uint64, value []byte)) {
	for len(u.buf) > 0 {
		tag, value := u.Uint(), u.Bytes()
		if u.bad || len(value) == 0 {
			u.Fail()
			return
		}
		f(tag, value)
	}
}
