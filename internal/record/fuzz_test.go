package record

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/seal"
)

func FuzzUnpackRecord(f *testing.F) {
	f.Add(sampleRecord().Pack(time.Unix(1_700_000_000, 0)))
	f.Add(otherForm())
	f.Add(bomb(1<<20, 1<<20))
	f.Add([]byte{1, 0})
	f.Add(append([]byte{2, 0}, bytes.Repeat([]byte{0xff}, 40)...))
	for _, text := range []string{"", "opaque", "a.b", "...", "e30.e30.", "AB.AAA.AAA", "e30=.e30.e30", "QUJD\nREVG.e30.e30", "e30.e30.e\u00e9", "\x00.\xff.\x80", "a.b.c.d", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"} {
		rec := sampleRecord()
		rec.generation, rec.Tokens.Access, rec.Tokens.Refresh, rec.Tokens.ID = 7, text, seal.NewToken(text), seal.NewToken(text)
		rec.Tokens.Type = "DPoP"
		rec.Extra = Extra{
			Issuer: text, SID: "s", AppClaims: []byte(`{}`), UserMark: [8]byte{1}, SIDMark: [8]byte{7: 1}, DeviceKey: []byte(text),
			unknown: []unknownField{{99, []byte("later")}},
		}
		f.Add(rec.Pack(rec.Created.Add(time.Hour)))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		rec, err := Unpack(packed)
		if err != nil {
			return
		}
		if size := rec.Bytes(); size > 4<<20 { // 1 MiB, of which some may be there twice, and segments grow when they are encoded
			t.Errorf("%d bytes became %d", len(packed), size)
		}
		// What unpacks packs, and stays what it is. Times that no clock shows do not.
		again, err := Unpack(rec.Pack(rec.Written))
		if err != nil {
			t.Fatal(err)
		}
		if !ordinaryTime(rec.Created, rec.Written, rec.Tokens.Issued, rec.Tokens.Expiry) {
			again.Created, again.Written, again.Tokens.Issued, again.Tokens.Expiry = rec.Created, rec.Written, rec.Tokens.Issued, rec.Tokens.Expiry
		}
		if !reflect.DeepEqual(sameForm(again), sameForm(rec)) {
			t.Errorf("%+v became %+v", rec, again)
		}
		l := Limits{Idle: 24 * time.Hour, Lifetime: 7 * 24 * time.Hour}
		l.Over(rec, time.Now())
		l.End(rec)
	})
}

// ordinaryTime reports whether all times are of this age, to the millisecond, or
// zero.
func ordinaryTime(times ...time.Time) bool {
	return !slices.ContainsFunc(times, func(t time.Time) bool {
		return !t.IsZero() && (t.Before(time.UnixMilli(0)) || t.After(time.UnixMilli(1<<42)) || t.Nanosecond()%1e6 > 0)
	})
}

// bomb is n zero bytes, deflated, that claim to be size.
func bomb(n int, size uint64) []byte {
	var b bytes.Buffer
	b.Write(binary.AppendUvarint([]byte{2}, size))
	b.WriteByte(0) // nothing random
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, n))
	w.Close()
	return b.Bytes()
}
