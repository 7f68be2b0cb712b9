package seal

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func TestFieldsPackExactly(t *testing.T) {
	check := func(n uint64, raw [5]byte, b []byte, s, in string, start, at uint32, yes bool, tag uint64, optional []byte) bool {
		started, later := time.Unix(int64(start), 0), time.UnixMilli(int64(at))
		text := []byte("before " + s + " after")
		p := NewPacker()
		p.Uint(n)
		p.Raw(raw[:])
		p.Bytes(b)
		p.String(s)
		p.StringIn(text, s)
		p.StringIn(text, in)
		p.Time(started)
		p.Time(time.Time{})
		p.TimeFrom(started, later)
		p.Bool(yes)
		p.Field(tag, optional)
		p.Field(tag+1, []byte("last"))
		u, err := Unpack(p.Pack())
		if err != nil {
			t.Error(err)
			return false
		}
		ok := u.Uint() == n && bytes.Equal(u.Take(5), raw[:]) && bytes.Equal(u.Bytes(), b) && u.String() == s &&
			u.StringIn(text) == s && u.StringIn(text) == in && u.Time().Equal(started) && u.Time().IsZero() &&
			u.TimeFrom(started).Equal(later) && u.Bool() == yes
		got, want := map[uint64]string{}, map[uint64]string{tag + 1: "last"}
		if len(optional) > 0 {
			want[tag] = string(optional)
		}
		u.Fields(func(tag uint64, value []byte) { got[tag] = string(value) })
		return ok && reflect.DeepEqual(got, want) && u.Err() == nil
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// Text that others contain costs two numbers, and a time before 1970 is the first
// that there is.
func TestFieldsThatAreShort(t *testing.T) {
	for _, tt := range []struct {
		name string
		pack func(*Packer)
		want []byte
	}{
		{"a place in a text", func(p *Packer) { p.StringIn([]byte("0123456789abc"), "789abc") }, []byte{8, 6}},
		{"an empty string in a text", func(p *Packer) { p.StringIn([]byte("0123"), "") }, []byte{0, 0}},
		{"a string that is not in a text", func(p *Packer) { p.StringIn(nil, "a") }, []byte{0, 1, 'a'}},
		{"a time before 1970", func(p *Packer) { p.Time(time.Unix(-9, 0)) }, []byte{1}},
		{"an optional field that is empty", func(p *Packer) { p.Field(3, nil) }, nil},
		{"an optional field", func(p *Packer) { p.Field(3, []byte{7}) }, []byte{3, 1, 7}},
	} {
		p := NewPacker()
		tt.pack(p)
		if got := p.Pack(); !bytes.Equal(got, append([]byte{version, 0, 0}, tt.want...)) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// With another dictionary, what was sealed before inflates to other text.
func TestDictionaryBelongsToVersion(t *testing.T) {
	if got := fmt.Sprintf("%d %d %x", versionBefore, version, sha256.Sum256(dictionary)); !strings.HasPrefix(got, "1 2 2a0bbed3ba7f9408") {
		t.Errorf("%s: change version with the dictionary", got)
	}
}

// Short fields are kept as they are, long ones are deflated if that saves a byte,
// and no value inflates beyond the limit.
func TestDeflation(t *testing.T) {
	random := make([]byte, 2*minDeflate)
	for i := range random {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		random[i] = sum[0]
	}
	for _, tt := range []struct {
		name     string
		raw      []byte
		deflated bool
	}{
		{"nothing", nil, false},
		{"short", bytes.Repeat([]byte("a"), minDeflate-1), false},
		{"long", bytes.Repeat([]byte("a"), minDeflate), true},
		{"random", random, false},
		{"as long as it may be", bytes.Repeat([]byte("a"), maxUnpackedBytes), true},
		{"longer", bytes.Repeat([]byte("a"), maxUnpackedBytes+1), false},
	} {
		p := NewPacker()
		p.Raw(tt.raw)
		packed := p.Pack()
		if packed[0] != version || (packed[1] != 0) != tt.deflated {
			t.Errorf("%s: begins with %v", tt.name, packed[:2])
		}
		u, err := Unpack(packed)
		if err != nil || !bytes.Equal(u.Take(uint64(len(tt.raw))), tt.raw) || u.Err() != nil {
			t.Errorf("%s: does not unpack: %v", tt.name, err)
		}
	}
}

// The version before opens, deflated or not. Only the current one is written.
func TestVersions(t *testing.T) {
	for _, size := range []int{3, 5000} {
		token := NewToken("e30.eyJzdWIiOiJhbGljZSJ9.c2ln")
		p := NewPacker()
		p.Token(&token)
		p.Bytes(bytes.Repeat([]byte("b"), size))
		packed := p.Pack()
		for v := range 256 {
			packed[0] = byte(v)
			u, err := Unpack(packed)
			if (err == nil) != (v == 1 || v == 2) {
				t.Errorf("version %d of %d bytes: %v", v, size, err)
			}
			if err != nil {
				continue
			}
			if got := u.Token(); got.Text() != token.Text() || len(u.Bytes()) != size || u.Err() != nil {
				t.Errorf("version %d of %d bytes reads other fields", v, size)
			}
		}
	}
	// As the version before wrote it.
	u, err := Unpack([]byte{1, 0, 2, 's', 'g', 7, 1, 1, 'h', 1, 'p', 2})
	if err != nil {
		t.Fatal(err)
	}
	if n, token := u.Uint(), u.Token(); n != 7 || token.Text() != "aA.cA.c2c" || u.Err() != nil {
		t.Errorf("%d, %q, %v", n, token.Text(), u.Err())
	}
}

// bomb is n zero bytes, deflated, that claim to be size.
func bomb(n int, size uint64) []byte {
	var b bytes.Buffer
	b.Write(binary.AppendUvarint([]byte{version}, size))
	b.WriteByte(0) // nothing random
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, n))
	w.Close()
	return b.Bytes()
}

// go-jose CVE-2024-28180: a small value that inflates without end.
func TestDecompressionBomb(t *testing.T) {
	for _, tt := range []struct {
		name     string
		n        int
		size     uint64
		unpacked bool
	}{
		{"as large as it may be", maxUnpackedBytes, maxUnpackedBytes, true},
		{"larger than it may be", maxUnpackedBytes + 1, maxUnpackedBytes + 1, false},
		{"larger than it says", 4 << 20, 100, false},
		{"by one byte larger than it says", 101, 100, false},
		{"smaller than it says", 99, 100, false},
		{"of all the memory that there is", 100, 1 << 62, false},
		{"of more than that", 100, 1<<64 - 1, false},
	} {
		u, err := Unpack(bomb(tt.n, tt.size))
		if (err == nil) != tt.unpacked {
			t.Errorf("%s: %v", tt.name, err)
		}
		if u != nil && len(u.buf) != tt.n {
			t.Errorf("%s: %d bytes", tt.name, len(u.buf))
		}
	}
}
