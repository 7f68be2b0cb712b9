package oauthlogin

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
func sampleRecord() *record {
	return &record{
		id: memory.ID{1, 2, 3}, provider: providerTag{4, 5, 6}, created: time.Unix(1_700_000_000, 0),
		user: User{Subject: "alice", Name: "Alice", Email: "alice@example.com", RawClaims: []byte(`{"sub":"alice"}`)},
		tokens: tokens{
			access: strings.Repeat("access", 200), refresh: seal.NewToken("refresh"), id: seal.NewToken("e30.eyJzdWIiOiJhbGljZSJ9.c2ln"),
			scope: "openid", issued: time.Unix(1_700_000_000, 0), expiry: time.Unix(1_700_003_600, 0),
		},
	}
}

// smallRecord is not deflated, so that a test can append to it.
func smallRecord() *record {
	rec := sampleRecord()
	rec.tokens.access = "access"
	return rec
}

// sameForm gives tokens and empty slices the same form, whether they were packed or
// not.
func sameForm(rec *record) *record {
	same := *rec
	same.tokens.refresh, same.tokens.id = seal.NewToken(rec.tokens.refresh.Text()), seal.NewToken(rec.tokens.id.Text())
	if len(same.user.RawClaims) == 0 {
		same.user.RawClaims = nil
	}
	return &same
}

func TestRecordsPackExactly(t *testing.T) {
	check := func(id memory.ID, tag providerTag, generation uint64, subject, name, email string, verified bool, claims string, fromIDToken bool, access, refresh, idToken, scope string, times [4]uint32,
		issuer, sid, tokenType, asked string, appClaims, deviceKey []byte, userMark, sidMark [8]byte, unknown map[uint16][]byte,
	) bool {
		at := func(i int) time.Time { return time.Unix(int64(times[i]), 0) }
		user := User{Subject: subject, Name: name, Email: email, EmailVerified: verified}
		rec := &record{
			id: id, provider: tag, generation: generation, created: at(0), written: at(3), user: user,
			tokens: tokens{
				access: access, tokenType: tokenType, refresh: seal.NewToken(refresh), id: seal.NewToken(idToken),
				scope: scope, issued: at(1), expiry: at(2),
			},
		}
		if times[2]%4 == 0 {
			rec.tokens.expiry = time.Time{}
		}
		if generation%2 == 0 {
			claims += user.Name + user.Subject + user.Name + user.Email
		}
		rec.user.RawClaims = []byte(claims)
		if fromIDToken {
			rec.tokens.id = seal.NewToken("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln")
		}
		if times[3]%2 == 0 {
			rec.extra = extra{issuer: issuer, sid: sid, asked: asked, userMark: userMark, sidMark: sidMark}
			if len(appClaims) > 0 {
				rec.extra.appClaims = appClaims
			}
			if len(deviceKey) > 0 {
				rec.extra.deviceKey = deviceKey
			}
			if generation%3 == 0 {
				rec.extra.dpopKey = bytes.Repeat([]byte{byte(generation)}, dpop.SeedBytes)
			}
			for _, tag := range slices.Sorted(maps.Keys(unknown)) {
				if tag > tagFormName && len(unknown[tag]) > 0 {
					rec.extra.unknown = append(rec.extra.unknown, unknownField{uint64(tag), unknown[tag]})
				}
			}
		}
		got, err := unpackRecord(rec.pack(rec.written))
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
	without := len(smallRecord().pack(time.Unix(1_700_000_000, 0)))
	for _, tt := range []struct {
		name  string
		set   func(*record)
		bytes int
	}{
		{"nothing", func(*record) {}, 0},
		{"what is empty", func(rec *record) {
			rec.extra = extra{appClaims: []byte{}, deviceKey: []byte{}, unknown: []unknownField{}}
		}, 0},
		{"issuer", func(rec *record) { rec.extra.issuer = "https://issuer.test" }, 2 + 19},
		{"sid", func(rec *record) { rec.extra.sid = "s-1" }, 2 + 3},
		{"claims of the application", func(rec *record) { rec.extra.appClaims = []byte(`{"role":"admin"}`) }, 2 + 16},
		{"token type", func(rec *record) { rec.tokens.tokenType = "DPoP" }, 2 + 4},
		{"mark of the user", func(rec *record) { rec.extra.userMark = mark }, 2 + 8},
		{"mark of the provider's session", func(rec *record) { rec.extra.sidMark = mark }, 2 + 8},
		{"device key", func(rec *record) { rec.extra.deviceKey = []byte{0, 1} }, 2 + 2},
		{"DPoP key", func(rec *record) { rec.extra.dpopKey = bytes.Repeat([]byte{0, 1}, 16) }, 2 + 32},
		{"time of the binding", func(rec *record) { rec.extra.boundAt = time.UnixMilli(1_700_000_000_000) }, 2 + 6},
		{"scopes", func(rec *record) { rec.extra.asked = "mail calendar" }, 2 + 13},
		{"unknown", func(rec *record) { rec.extra.unknown = []unknownField{{120, []byte("x")}, {121, []byte("y")}} }, 4 + 2},
	} {
		rec := smallRecord()
		rec.written = time.Unix(1_700_000_000, 0)
		tt.set(rec)
		packed := rec.pack(rec.written)
		if len(packed) != without+tt.bytes {
			t.Errorf("%s: %d bytes, want %d", tt.name, len(packed)-without, tt.bytes)
		}
		for range 2 {
			got, err := unpackRecord(packed)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if tt.bytes > 0 && !reflect.DeepEqual(sameForm(got), sameForm(rec)) || tt.bytes == 0 && !reflect.DeepEqual(got.extra, extra{}) {
				t.Errorf("%s: %+v became %+v", tt.name, rec.extra, got.extra)
			}
			packed = got.pack(got.written)
		}
	}
}

// A record is sealed as version 2. The version before opens, no other one does, and
// nothing that is shorter, longer or malformed.
func TestMalformedRecordsDoNotUnpack(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	packed, small := sampleRecord().pack(at), smallRecord().pack(at)
	whole, err := unpackRecord(packed)
	if err != nil || packed[0] != 2 || small[0] != 2 {
		t.Fatalf("version %d, %v", packed[0], err)
	}
	for version := range 256 {
		packed[0] = byte(version)
		if rec, err := unpackRecord(packed); (err == nil) != (version == 1 || version == 2) || err == nil && !reflect.DeepEqual(rec, whole) {
			t.Errorf("version %d: %+v, %v", version, rec, err)
		}
	}
	packed[0] = 2
	for n := range packed {
		// Deflate may end after the last byte that counts.
		if part, err := unpackRecord(packed[:n]); err == nil && !reflect.DeepEqual(part, whole) {
			t.Errorf("%d of %d bytes unpacked", n, len(packed))
		}
	}
	for n := range small {
		if _, err := unpackRecord(small[:n]); err == nil {
			t.Errorf("%d of %d bytes unpacked", n, len(small))
		}
	}
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
		"a flow":                     sampleFlow().pack(),
		"a bomb":                     bomb(4<<20, 100),
		"a bomb that says so":        bomb(4<<20, 4<<20),
		"a bomb as large as allowed": bomb(1<<20, 1<<20),
	} {
		if rec, err := unpackRecord(packed); err == nil {
			t.Errorf("%s unpacked: %+v", name, rec)
		}
	}
	if _, err := unpackRecord(field(tagUserMark, "12345678")); err != nil {
		t.Errorf("a mark of 8 bytes: %v", err)
	}
}

// A record counts what it holds, so that memory stays bounded.
func TestRecordBytes(t *testing.T) {
	small, large := smallRecord(), smallRecord()
	text := strings.Repeat("x", 1000)
	large.user = User{Subject: text, Name: text, Email: text, RawClaims: []byte(text)}
	large.tokens = tokens{access: text, refresh: seal.NewToken(text), id: seal.NewToken(text), scope: text, tokenType: text}
	large.extra = extra{issuer: text, sid: text, appClaims: []byte(text), deviceKey: []byte(text), dpopKey: []byte(text), asked: text, unknown: []unknownField{{99, []byte(text)}}}
	if n := large.Bytes(); n < 16*1000 || n > 17*1000 || small.Bytes() > 1000 {
		t.Errorf("%d and %d bytes", n, small.Bytes())
	}
}
