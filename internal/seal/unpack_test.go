package seal

import (
	"bytes"
	"testing"
	"time"
)

func TestMalformedValuesDoNotUnpack(t *testing.T) {
	for name, packed := range map[string][]byte{
		"nothing":                         nil,
		"a version alone":                 {version},
		"a size that does not end":        {version, 0x80},
		"no random bytes":                 {version, 0},
		"a size of random bytes past end": {version, 0, 5, 1},
		"a size and nothing deflated":     {version, 100, 0},
		"what is no deflate":              append([]byte{version, 3, 0}, 0xff, 0xff, 0xff),
	} {
		if _, err := Unpack(packed); err == nil {
			t.Errorf("%s unpacks", name)
		}
	}
}

// Each reader stops at the end of what is there, and the value is refused.
func TestFieldsPastTheEnd(t *testing.T) {
	past := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // as a length
	for name, read := range map[string]func(*Unpacker){
		"a number":            func(u *Unpacker) { u.Take(uint64(len(past))); u.Uint() },
		"bytes":               func(u *Unpacker) { u.Bytes() },
		"a string":            func(u *Unpacker) { _ = u.String() },
		"a place in a text":   func(u *Unpacker) { u.StringIn([]byte("text")) },
		"a part of a text":    func(u *Unpacker) { u.buf = []byte{3, 9}; u.StringIn([]byte("text")) },
		"a time from another": func(u *Unpacker) { u.Take(uint64(len(past))); u.TimeFrom(time.Time{}) },
		"a token":             func(u *Unpacker) { u.buf = append([]byte{0}, past...); u.Token() },
		"a JWT":               func(u *Unpacker) { u.buf = append([]byte{1}, past...); u.Token() },
		"a JWT's signature":   func(u *Unpacker) { u.buf = []byte{1, 1, 'h', 1, 'p', 4}; u.Token() },
		"a JWT's header":      func(u *Unpacker) { u.buf = []byte{1, 0, 1, 'p', 0}; u.Token() },
		"an optional field":   func(u *Unpacker) { u.Fields(func(uint64, []byte) {}) },
		"an empty field":      func(u *Unpacker) { u.buf = []byte{9, 0}; u.Fields(func(uint64, []byte) {}) },
		"a field cut short":   func(u *Unpacker) { u.buf = []byte{9, 2, 1}; u.Fields(func(uint64, []byte) {}) },
		"half a field":        func(u *Unpacker) { u.buf = []byte{9}; u.Fields(func(uint64, []byte) {}) },
		"a value refused":     func(u *Unpacker) { u.buf = nil; u.Fail() },
		"bytes that are left": func(u *Unpacker) { u.Take(1) },
		"random that is left": func(u *Unpacker) { u.buf, u.random = nil, []byte{1} },
	} {
		u := &Unpacker{buf: past}
		if read(u); u.Err() == nil {
			t.Errorf("%s unpacks", name)
		}
	}
}

// A reader learns every field that a value has, in its order.
func TestFieldsInOrder(t *testing.T) {
	p := NewPacker()
	p.Field(9, []byte("a"))
	p.Field(1<<40, []byte("b"))
	p.Field(9, []byte("c"))
	u, err := Unpack(p.Pack())
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	u.Fields(func(tag uint64, value []byte) { got += string(rune('0'+tag%10)) + string(value) })
	if got != "9a6b9c" || u.Err() != nil {
		t.Errorf("%s, %v", got, u.Err())
	}
}

// Whatever bytes come, reading ends, and takes no more memory than is allowed.
func FuzzUnpack(f *testing.F) {
	token := NewToken("e30.e30.c2ln")
	p := NewPacker()
	p.Token(&token)
	p.StringIn([]byte("text"), "ex")
	p.TimeFrom(time.Unix(0, 0), time.Unix(9, 0))
	p.Field(1, []byte("field"))
	f.Add(p.Pack())
	p.Raw(bytes.Repeat([]byte("a"), minDeflate))
	f.Add(p.Pack())
	f.Add(PackText("/"))
	f.Add(bomb(1<<20, 1<<20))
	f.Add([]byte{versionBefore, 0, 0})
	f.Fuzz(func(t *testing.T, packed []byte) {
		text, err := UnpackText(packed)
		if err == nil && len(packed) > 0 && packed[0] < ' ' {
			if again, err := UnpackText(PackText(text)); err != nil || again != text {
				t.Errorf("%q became %q, %v", text, again, err)
			}
		}
		u, err := Unpack(packed)
		if err != nil {
			return
		}
		if n := len(u.buf) + len(u.random); n > maxUnpackedBytes+len(packed) {
			t.Errorf("%d bytes became %d", len(packed), n)
		}
		read := u.Token()
		before := len(u.buf)
		_, _ = u.StringIn([]byte("text")), u.TimeFrom(time.Time{})
		left := 0
		u.Fields(func(_ uint64, value []byte) { left += len(value) })
		if left > before || u.Err() == nil && len(u.buf) > 0 || !read.IsZero() && read.Text() == "" {
			t.Errorf("%d bytes of fields in %d, %d left, token %q", left, before, len(u.buf), read.Text())
		}
	})
}

// A token keeps no sealed value in memory: what was inflated is all that it points to.
func TestTokensDoNotHoldWholeValue(t *testing.T) {
	token := NewToken("e30.e30.c2lnbmF0dXJl")
	p := NewPacker()
	p.Token(&token)
	p.Raw(bytes.Repeat([]byte("a"), minDeflate))
	packed := p.Pack()
	u, err := Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Token()
	clear(packed)
	if got.Text() != token.Text() {
		t.Errorf("%q points into the packed value", got.Text())
	}
}
