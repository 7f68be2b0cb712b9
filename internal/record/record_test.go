package record

import (
	"bytes"
	"encoding/base64"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// sampleRecord is a session with a bit of everything but extra fields.
func sampleRecord() *Record {
	return &Record{
		ID: memory.ID{1, 2, 3}, Provider: ProviderTag{4, 5, 6}, Created: time.Unix(1_700_000_000, 0),
		User: User{Subject: "alice", Name: "Alice", Email: "alice@example.com", RawClaims: []byte(`{"sub":"alice"}`)},
		Tokens: Tokens{
			Access: strings.Repeat("access", 200), Refresh: seal.NewToken("refresh"), ID: seal.NewToken("e30.eyJzdWIiOiJhbGljZSJ9.c2ln"),
			Scope: "openid", Issued: time.Unix(1_700_000_000, 0), Expiry: time.Unix(1_700_003_600, 0),
		},
	}
}

// smallRecord is not deflated, so that a test can append to it.
func smallRecord() *Record {
	rec := sampleRecord()
	rec.Tokens.Access = "access"
	return rec
}

// sameForm gives tokens and empty slices the same form, whether they were packed or
// not.
func sameForm(rec *Record) *Record {
	same := *rec
	same.known = nil
	same.Tokens.Refresh, same.Tokens.ID = seal.NewToken(rec.Tokens.Refresh.Text()), seal.NewToken(rec.Tokens.ID.Text())
	if len(same.User.RawClaims) == 0 {
		same.User.RawClaims = nil
	}
	return &same
}

// otherForm is packed by the rules of records, and is something else.
func otherForm() []byte {
	p := seal.NewPacker()
	p.Raw(make([]byte, 8))
	for range 3 {
		p.Bytes(bytes.Repeat([]byte{7}, 32))
	}
	p.Time(time.Unix(1_700_000_000, 0))
	p.String("/x")
	return p.Pack()
}

func TestRecordsPackExactly(t *testing.T) {
	check := func(id memory.ID, tag ProviderTag, generation uint64, subject, name, email string, verified bool, claims string, fromIDToken bool, access, refresh, idToken, scope string, times [4]uint32,
		issuer, sid, tokenType, asked string, appClaims, deviceKey []byte, userMark, sidMark [8]byte, unknown map[uint16][]byte,
	) bool {
		at := func(i int) time.Time { return time.Unix(int64(times[i]), 0) }
		user := User{Subject: subject, Name: name, Email: email, EmailVerified: verified}
		rec := &Record{
			ID: id, Provider: tag, generation: generation, Created: at(0), Written: at(3), User: user,
			Tokens: Tokens{
				Access: access, Type: tokenType, Refresh: seal.NewToken(refresh), ID: seal.NewToken(idToken),
				Scope: scope, Issued: at(1), Expiry: at(2),
			},
		}
		if times[2]%4 == 0 {
			rec.Tokens.Expiry = time.Time{}
		}
		if generation%2 == 0 {
			claims += user.Name + user.Subject + user.Name + user.Email
		}
		rec.User.RawClaims = []byte(claims)
		if fromIDToken {
			rec.Tokens.ID = seal.NewToken("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln")
		}
		if times[3]%2 == 0 {
			rec.Extra = Extra{Issuer: issuer, SID: sid, Asked: asked, UserMark: userMark, SIDMark: sidMark}
			if len(appClaims) > 0 {
				rec.Extra.AppClaims = appClaims
			}
			if len(deviceKey) > 0 {
				rec.Extra.DeviceKey = deviceKey
			}
			if generation%3 == 0 {
				rec.Extra.DPoPKey = bytes.Repeat([]byte{byte(generation)}, dpop.SeedBytes)
			}
			for _, tag := range slices.Sorted(maps.Keys(unknown)) {
				if tag > tagFormName && len(unknown[tag]) > 0 {
					rec.Extra.unknown = append(rec.Extra.unknown, unknownField{uint64(tag), unknown[tag]})
				}
			}
		}
		got, err := Unpack(rec.Pack(rec.Written))
		if err != nil {
			t.Error(err)
			return false
		}
		if !reflect.DeepEqual(sameForm(got), sameForm(rec)) {
			t.Errorf("%+v became %+v", rec, got)
			return false
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// Each extra field comes back, alone and from a record packed again, and costs its
// tag, its length and its bytes.
func TestExtraFields(t *testing.T) {
	mark := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	without := len(smallRecord().Pack(time.Unix(1_700_000_000, 0)))
	for _, tt := range []struct {
		name  string
		set   func(*Record)
		bytes int
	}{
		{"nothing", func(*Record) {}, 0},
		{"what is empty", func(rec *Record) {
			rec.Extra = Extra{AppClaims: []byte{}, DeviceKey: []byte{}, unknown: []unknownField{}}
		}, 0},
		{"issuer", func(rec *Record) { rec.Extra.Issuer = "https://issuer.test" }, 2 + 19},
		{"sid", func(rec *Record) { rec.Extra.SID = "s-1" }, 2 + 3},
		{"claims of the application", func(rec *Record) { rec.Extra.AppClaims = []byte(`{"role":"admin"}`) }, 2 + 16},
		{"token type", func(rec *Record) { rec.Tokens.Type = "DPoP" }, 2 + 4},
		{"mark of the user", func(rec *Record) { rec.Extra.UserMark = mark }, 2 + 8},
		{"mark of the provider's session", func(rec *Record) { rec.Extra.SIDMark = mark }, 2 + 8},
		{"device key", func(rec *Record) { rec.Extra.DeviceKey = []byte{0, 1} }, 2 + 2},
		{"DPoP key", func(rec *Record) { rec.Extra.DPoPKey = bytes.Repeat([]byte{0, 1}, 16) }, 2 + 32},
		{"time of the binding", func(rec *Record) { rec.Extra.BoundAt = time.UnixMilli(1_700_000_000_000) }, 2 + 6},
		{"scopes", func(rec *Record) { rec.Extra.Asked = "mail calendar" }, 2 + 13},
		{"unknown", func(rec *Record) { rec.Extra.unknown = []unknownField{{120, []byte("x")}, {121, []byte("y")}} }, 4 + 2},
	} {
		rec := smallRecord()
		rec.Written = time.Unix(1_700_000_000, 0)
		tt.set(rec)
		packed := rec.Pack(rec.Written)
		if len(packed) != without+tt.bytes {
			t.Errorf("%s: %d bytes, want %d", tt.name, len(packed)-without, tt.bytes)
		}
		for range 2 {
			got, err := Unpack(packed)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if tt.bytes > 0 && !reflect.DeepEqual(sameForm(got), sameForm(rec)) || tt.bytes == 0 && !reflect.DeepEqual(got.Extra, Extra{}) {
				t.Errorf("%s: %+v became %+v", tt.name, rec.Extra, got.Extra)
			}
			packed = got.Pack(got.Written)
		}
	}
}

// A record is sealed as version 2. The version before opens, no other one does, and
// nothing that is shorter, longer or malformed.
func TestMalformedRecordsDoNotUnpack(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	packed, small := sampleRecord().Pack(at), smallRecord().Pack(at)
	whole, err := Unpack(packed)
	if err != nil || packed[0] != 2 || small[0] != 2 {
		t.Fatalf("version %d, %v", packed[0], err)
	}
	for version := range 256 {
		packed[0] = byte(version)
		if rec, err := Unpack(packed); (err == nil) != (version == 1 || version == 2) || err == nil && !reflect.DeepEqual(rec, whole) {
			t.Errorf("version %d: %+v, %v", version, rec, err)
		}
	}
	packed[0] = 2
	for n := range packed {
		// Deflate may end after the last byte that counts.
		if part, err := Unpack(packed[:n]); err == nil && !reflect.DeepEqual(part, whole) {
			t.Errorf("%d of %d bytes unpacked", n, len(packed))
		}
	}
	for n := range small {
		if _, err := Unpack(small[:n]); err == nil {
			t.Errorf("%d of %d bytes unpacked", n, len(small))
		}
	}
	flow := otherForm()
	field := func(tag byte, value string) []byte {
		return append(append(bytes.Clone(small), tag, byte(len(value))), value...)
	}
	for name, packed := range map[string][]byte{
		"lengths past the end":       append([]byte{2, 0}, bytes.Repeat([]byte{0xff}, 64)...),
		"a byte past the end":        append(bytes.Clone(small), 0),
		"a field without a value":    field(tagSID, ""),
		"a field that is cut short":  append(bytes.Clone(small), tagSID, 3, 's'),
		"a mark of 7 bytes":          field(tagUserMark, "1234567"),
		"a mark of 9 bytes":          field(tagUserMark, "123456789"),
		"another mark of 1 byte":     field(tagSIDMark, "1"),
		"another mark of 100 bytes":  field(tagSIDMark, strings.Repeat("1", 100)),
		"a DPoP key of 31 bytes":     field(tagDPoPKey, strings.Repeat("1", 31)),
		"a DPoP key of 33 bytes":     field(tagDPoPKey, strings.Repeat("1", 33)),
		"a flow":                     flow,
		"a bomb":                     bomb(4<<20, 100),
		"a bomb that says so":        bomb(4<<20, 4<<20),
		"a bomb as large as allowed": bomb(1<<20, 1<<20),
	} {
		if rec, err := Unpack(packed); err == nil {
			t.Errorf("%s unpacked: %+v", name, rec)
		}
	}
	if _, err := Unpack(field(tagUserMark, "12345678")); err != nil {
		t.Errorf("a mark of 8 bytes: %v", err)
	}
}

// A record counts what it holds, so that memory stays bounded.
func TestRecordBytes(t *testing.T) {
	small, large := smallRecord(), smallRecord()
	text := strings.Repeat("x", 1000)
	large.User = User{Subject: text, Name: text, Email: text, RawClaims: []byte(text)}
	large.Tokens = Tokens{Access: text, Refresh: seal.NewToken(text), ID: seal.NewToken(text), Scope: text, Type: text}
	large.Extra = Extra{Issuer: text, SID: text, AppClaims: []byte(text), DeviceKey: []byte(text), DPoPKey: []byte(text), Asked: text, unknown: []unknownField{{99, []byte(text)}}}
	if n := large.Bytes(); n < 16*1000 || n > 17*1000 || small.Bytes() > 1000 {
		t.Errorf("%d and %d bytes", n, small.Bytes())
	}
}
