package oauthlogin

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"golang.org/x/oauth2"
)

// sampleTokens are tokens of every kind, and what only looks like one.
var sampleTokens = []string{
	"", "opaque", "gho_16C7e42F292c6912E7710c838347Ae178B4a", "a.b", "a.b.c.d", ".", "..", "...", "AA.AA.AA", "AAA.AAAA.AA",
	"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
	"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
	"AB.AAA.AAA",                      // the last two bits are not zero: not what encoding gives
	"QUJD\nREVG.e30.e30",              // the decoder would skip the line break
	"QUJDREVG\r\n.e30.e30",            //
	"QUJD=.e30.e30", "e30=.e30=.e30=", // padding
	"+/+/.e30.e30", // the other alphabet
	"e30.e30.e\u00e9", "\x00.\xff.\x80", " e30.e30.e30", "e30.e30.e30 ",
	strings.Repeat(".", 5000), strings.Repeat("A", 5000), strings.Repeat("QUJD", 900) + "." + strings.Repeat("REVG", 900) + ".e30",
}

func TestTokensPackExactly(t *testing.T) {
	for _, token := range sampleTokens {
		checkToken(t, token)
	}
	for range 500 { // JWTs, and JWTs with a byte changed
		segment := func() string {
			b := make([]byte, rand.IntN(60))
			for i := range b {
				b[i] = byte(rand.IntN(256))
			}
			return base64.RawURLEncoding.EncodeToString(b)
		}
		token := []byte(segment() + "." + segment() + "." + segment())
		checkToken(t, string(token))
		token[rand.IntN(len(token))] = byte(rand.IntN(256))
		checkToken(t, string(token))
	}
}

func FuzzTokenPacking(f *testing.F) {
	for _, token := range sampleTokens {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) { checkToken(t, token) })
}

func checkToken(t *testing.T, text string) {
	t.Helper()
	var p packer
	p.token(&token{whole: text})
	p.string("next")
	u, err := unpack(p.pack())
	if err != nil {
		t.Fatal(err)
	}
	got := u.token()
	if got.text() != text || got.isZero() != (text == "") {
		t.Errorf("%q became %q", text, got.text())
	}
	if u.string() != "next" || u.err() != nil {
		t.Errorf("%q upset what came after it", text)
	}
	// What was unpacked is packed again without being encoded in between.
	var again packer
	again.token(&got)
	again.string("next")
	if !bytes.Equal(again.pack(), p.pack()) {
		t.Errorf("%q is packed in another way the second time", text)
	}
}

func TestRecordsPackExactly(t *testing.T) {
	check := func(id sessionID, tag providerTag, generation uint64, user User, claims string, fromIDToken bool, access, refresh, idToken, scope string, times [4]uint32) bool {
		at := func(i int) time.Time { return time.Unix(int64(times[i]), 0) }
		rec := &record{
			id: id, provider: tag, generation: generation, created: at(0), user: user,
			tokens: tokens{access: access, refresh: token{whole: refresh}, id: token{whole: idToken}, scope: scope, issued: at(1), expiry: at(2)},
		}
		if times[2]%4 == 0 {
			rec.tokens.expiry = time.Time{}
		}
		if generation%2 == 0 {
			claims += user.Name + user.Subject + user.Name + user.Email
		}
		rec.user.RawClaims = []byte(claims)
		if fromIDToken {
			rec.tokens.id.whole = "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
		}
		// These follow from the provider.
		rec.user.Provider, rec.user.Issuer = "", ""
		written := at(3)
		got, err := unpackRecord(rec.pack(written))
		if err != nil {
			t.Error(err)
			return false
		}
		if !bytes.Equal(got.user.RawClaims, rec.user.RawClaims) {
			t.Errorf("claims %q became %q", rec.user.RawClaims, got.user.RawClaims)
			return false
		}
		got.user.RawClaims = rec.user.RawClaims
		for _, unpacked := range []*token{&got.tokens.refresh, &got.tokens.id} {
			*unpacked = token{whole: unpacked.text()}
		}
		rec.written = written
		if !reflect.DeepEqual(got, rec) {
			t.Errorf("%+v became %+v", rec, got)
			return false
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// With another dictionary, what was sealed before inflates to other text.
func TestDictionaryBelongsToVersion(t *testing.T) {
	if got := fmt.Sprintf("%d %x", packVersion, sha256.Sum256(dictionary)); !strings.HasPrefix(got, "1 2a0bbed3ba7f9408") {
		t.Errorf("%s: change packVersion with the dictionary", got)
	}
}

// Whoever presents a session may cut its cookies anywhere: sessions do not push
// each other out, and are not counted twice.
func TestCacheKeys(t *testing.T) {
	value := func(first string) *sealedValue {
		return &sealedValue{parts: [maxChunks]string{strings.Repeat(first, 3000), "="}, n: 2}
	}
	one, other := value("1"), value("2")
	if one.key() == other.key() {
		t.Errorf("both are found by %q", one.key())
	}
	var c cache
	rec := sampleRecord()
	size := opened{sealed: one.String(), record: rec}.bytes()
	same := &sealedValue{parts: [maxChunks]string{"2" + one.String()[1:]}, n: 1}
	for range 3 {
		c.put(one, opened{sealed: one.String(), record: rec})
		c.put(same, opened{sealed: same.String(), record: rec})
	}
	if len(c.young) != 1 || c.youngBytes != size {
		t.Errorf("%d sessions of %d bytes count as %d", len(c.young), size, c.youngBytes)
	}
	if _, ok := c.get(one); ok {
		t.Error("found by its key alone")
	}
}

func TestFlowsPackExactly(t *testing.T) {
	check := func(tag providerTag, returnPath, acrValues string, started uint32, maxAge int32, silent bool) bool {
		f := &flow{
			provider: tag, state: randomToken(), nonce: randomToken(), verifier: randomToken(), started: time.Unix(int64(started), 0),
			returnPath: returnPath, maxAge: time.Duration(max(maxAge, -1)) * time.Second, acrValues: acrValues, silent: silent,
		}
		if f.maxAge < 0 {
			f.maxAge = -1
		}
		got, err := unpackFlow(f.pack())
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%+v became %+v, %v", f, got, err)
			return false
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// sampleRecord is a session with a bit of everything.
func sampleRecord() *record {
	return &record{
		id: sessionID{1, 2, 3}, provider: providerTag{4, 5, 6}, created: time.Unix(1_700_000_000, 0),
		user: User{Subject: "alice", Name: "Alice", Email: "alice@example.com", RawClaims: []byte(`{"sub":"alice"}`)},
		tokens: tokens{
			access: strings.Repeat("access", 200), refresh: token{whole: "refresh"}, id: token{whole: "e30.eyJzdWIiOiJhbGljZSJ9.c2ln"},
			scope: "openid", expiry: time.Unix(1_700_003_600, 0),
		},
	}
}

func sampleFlow() *flow {
	return &flow{provider: providerTag{1}, state: randomToken(), nonce: randomToken(), verifier: randomToken(), started: time.Unix(1_700_000_000, 0), returnPath: "/x"}
}

// Sealed by another version, or by nobody.
func TestMalformedValuesDoNotUnpack(t *testing.T) {
	record, flow := sampleRecord().pack(time.Unix(1_700_000_000, 0)), sampleFlow().pack()
	for _, unpacks := range []struct {
		name   string
		packed []byte
		unpack func([]byte) (any, error)
	}{
		{"record", record, func(b []byte) (any, error) { return unpackRecord(b) }},
		{"flow", flow, func(b []byte) (any, error) { return unpackFlow(b) }},
	} {
		whole, err := unpacks.unpack(unpacks.packed)
		if err != nil {
			t.Fatal(err)
		}
		for version := range 256 {
			if version == packVersion {
				continue
			}
			packed := bytes.Clone(unpacks.packed)
			packed[0] = byte(version)
			if _, err := unpacks.unpack(packed); err == nil {
				t.Errorf("%s of version %d unpacked", unpacks.name, version)
			}
		}
		for n := range unpacks.packed {
			// Deflate may end after the last byte that counts.
			if part, err := unpacks.unpack(unpacks.packed[:n]); err == nil && !reflect.DeepEqual(part, whole) {
				t.Errorf("%d of %d bytes of a %s unpacked", n, len(unpacks.packed), unpacks.name)
			}
		}
	}
	if _, err := unpackRecord(append([]byte{packVersion, 0}, bytes.Repeat([]byte{0xff}, 64)...)); err == nil {
		t.Error("lengths past the end unpacked")
	}
	if _, err := unpackRecord(append(flow, 0)); err == nil {
		t.Error("bytes past the end unpacked")
	}
}

// bomb is n zero bytes, deflated, that claim to be size.
func bomb(n int, size uint64) []byte {
	var b bytes.Buffer
	b.Write(binary.AppendUvarint([]byte{packVersion}, size))
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
		packed := bomb(tt.n, tt.size)
		u, err := unpack(packed)
		if (err == nil) != tt.unpacked {
			t.Errorf("%s: %v", tt.name, err)
		}
		if u != nil && len(u.buf) != tt.n {
			t.Errorf("%s: %d bytes", tt.name, len(u.buf))
		}
	}
}

// The name that a value is sealed under would be enough to tell it from others;
// keys of its own make each purpose safe from the names of another.
func TestSealersOfTwoPurposes(t *testing.T) {
	keys := [][]byte{bytes.Repeat([]byte("key 1"), 8), bytes.Repeat([]byte("key 2"), 8)}
	seal := func(keys [][]byte, purpose, name string) (*sealer, string) {
		s, err := newSealer(keys, purpose)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := s.seal(name, []byte("value"))
		if err != nil {
			t.Fatal(err)
		}
		return s, sealed
	}
	m, err := New(Options{Keys: keys, Providers: []Provider{{
		Issuer: "https://provider.test",
		OAuth2: &oauth2.Config{ClientID: "app", RedirectURL: "https://app.test/auth/callback", Scopes: []string{"openid"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	opens := func(one, other *sealer) bool {
		sealed, err := other.seal("name", []byte("value"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = one.open("name", sealed)
		return err == nil
	}
	s, sealed := seal(keys, "a", "name")
	if value, oldKey, err := s.open("name", sealed); err != nil || oldKey || string(value) != "value" {
		t.Errorf("%q, by an old key: %t, %v", value, oldKey, err)
	}
	if _, _, err := s.open("other", sealed); err == nil {
		t.Error("opened under another name")
	}
	other, _ := seal(keys, "b", "name")
	if _, _, err := other.open("name", sealed); err == nil {
		t.Error("opened for another purpose")
	}
	if opens(m.flowSealer, m.sessionSealer) || opens(m.sessionSealer, m.flowSealer) {
		t.Error("sessions and flows are sealed by the same keys")
	}
	rotated, _ := seal([][]byte{keys[1], keys[0]}, "a", "name")
	if value, oldKey, err := rotated.open("name", sealed); err != nil || !oldKey || string(value) != "value" {
		t.Errorf("%q, by an old key: %t, %v", value, oldKey, err)
	}
}

func FuzzUnpackRecord(f *testing.F) {
	f.Add(sampleRecord().pack(time.Unix(1_700_000_000, 0)))
	f.Add(sampleFlow().pack())
	f.Add(bomb(1<<20, 1<<20))
	f.Add([]byte{packVersion, 0})
	f.Add(append([]byte{packVersion, 0}, bytes.Repeat([]byte{0xff}, 40)...))
	for _, text := range sampleTokens {
		rec := sampleRecord()
		rec.generation, rec.tokens.access, rec.tokens.refresh, rec.tokens.id = 7, text, token{whole: text}, token{whole: text}
		f.Add(rec.pack(rec.created.Add(time.Hour)))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		rec, err := unpackRecord(packed)
		if err != nil {
			return
		}
		size := len(rec.user.Subject) + len(rec.user.Name) + len(rec.user.Email) + len(rec.tokens.access) + rec.tokens.refresh.size() + len(rec.tokens.scope)
		if size > 2*maxUnpackedBytes { // segments grow when they are encoded
			t.Errorf("%d bytes became %d", len(packed), size)
		}
		// What unpacks packs, and stays what it is. Times that no clock shows do not.
		again, err := unpackRecord(rec.pack(rec.written))
		if err != nil {
			t.Fatal(err)
		}
		if !ordinaryTime(rec.created, rec.written, rec.tokens.issued, rec.tokens.expiry) {
			again.created, again.written, again.tokens.issued, again.tokens.expiry = rec.created, rec.written, rec.tokens.issued, rec.tokens.expiry
		}
		if len(again.user.RawClaims)+len(rec.user.RawClaims) == 0 {
			again.user.RawClaims = rec.user.RawClaims // nil or empty
		}
		for _, token := range []*token{&rec.tokens.refresh, &rec.tokens.id, &again.tokens.refresh, &again.tokens.id} {
			token.whole, token.segments = token.text(), [3][]byte{} // a JWT that was packed as text is packed as a JWT
		}
		if !reflect.DeepEqual(again, rec) {
			t.Errorf("%+v became %+v", rec, again)
		}
		opts := Options{}.withDefaults()
		rec.expired(&opts, time.Now())
	})
}

func FuzzUnpackFlow(f *testing.F) {
	f.Add(sampleFlow().pack())
	f.Add(sampleRecord().pack(time.Unix(1_700_000_000, 0)))
	f.Add(bomb(1<<20, 1<<20))
	silent, stepUp := sampleFlow(), sampleFlow()
	silent.silent, silent.returnPath = true, "/"+strings.Repeat("a", 1023)
	stepUp.maxAge, stepUp.acrValues = 0, "phr phrh"
	f.Add(silent.pack())
	f.Add(stepUp.pack())
	f.Fuzz(func(t *testing.T, packed []byte) {
		flow, err := unpackFlow(packed)
		if err != nil {
			return
		}
		again, err := unpackFlow(flow.pack())
		if err != nil {
			t.Fatal(err)
		}
		if !ordinaryTime(flow.started) {
			again.started = flow.started
		}
		// A login without max_age has none; none is over 2^31 seconds, or no whole number of them.
		if flow.maxAge < 0 || flow.maxAge > 1<<31*time.Second || flow.maxAge%time.Second > 0 {
			again.maxAge = flow.maxAge
		}
		if !reflect.DeepEqual(again, flow) {
			t.Errorf("%+v became %+v", flow, again)
		}
		flow.expired(time.Now())
	})
}

// ordinaryTime reports whether all times are of this age, to the millisecond, or
// zero.
func ordinaryTime(times ...time.Time) bool {
	return !slices.ContainsFunc(times, func(t time.Time) bool {
		return !t.IsZero() && (t.Before(time.UnixMilli(0)) || t.After(time.UnixMilli(1<<42)) || t.Nanosecond()%1e6 > 0)
	})
}

// joined is what the chunks of the lines of a Cookie header join to, by a reader
// of its own, and the mark that they have in common: "" unless all of them are
// there, each with one value.
func joined(name string, lines ...string) (whole, mark string) {
	values, ambiguous := map[string]string{}, map[string]bool{}
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			cookie, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if other, twice := values[cookie]; ok && twice && other != value {
				ambiguous[cookie] = true
			}
			if ok {
				values[cookie] = value
			}
		}
	}
	// Two values of any chunk make all of them doubtful, also of one past the end.
	for i := range maxChunks {
		if ambiguous[chunkName(name, i)] {
			return "", ""
		}
	}
	first := values[name]
	if len(first) < 7 || first[0] < '1' || first[0] > '5' {
		return "", ""
	}
	mark, whole = first[1:7], first[7:]
	for i := 1; i < int(first[0]-'0'); i++ {
		part, ok := strings.CutPrefix(values[chunkName(name, i)], mark)
		if !ok {
			return "", ""
		}
		whole += part
	}
	return whole, mark
}

func chunkName(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprint(name, ".", i)
}

// mod_auth_openidc CVE-2023-28625, CVE-2024-24814: what a Cookie header can do.
func FuzzReadChunks(f *testing.F) {
	store := &cookieStore{newCookieScheme("oauthlogin", true)}
	name := store.scheme.session
	long := store.split(strings.Repeat("value", 2000))
	f.Add(name+"="+store.split("value")[0], "")
	f.Add(name+"="+long[0]+"; "+name+".1="+long[1]+"; "+name+".2="+long[2], "")
	f.Add(name+"="+long[0], name+".2="+long[2]+";"+name+".1="+long[1])
	f.Add(name+"="+long[0]+"; "+name+".1="+long[2], name+"=")
	f.Add(name+"=99999999", name+".99999999=x; "+name+".-1=y; "+name+".0=z")
	f.Add(name+"="+long[0], name+"="+long[0]+"; "+name+".1="+long[1]+"; "+name+".2="+long[2]+"; "+name+".4="+long[1]+"; "+name+".4=")
	f.Add(name+"=1AAAAAAA", name+"=1AAAAAAA") // shorter than a mark
	f.Add(name+"=;;; ="+name+"; "+name, `"`+name+`"="x"`)
	f.Fuzz(func(t *testing.T, first, second string) {
		r := &http.Request{Header: http.Header{"Cookie": {first, second}}}
		value := storedValue(t, store, r)
		want, mark := joined(name, first, second)
		if markOf(want) != mark {
			want = ""
		}
		if value != want {
			t.Errorf("header became %q, want %q", value, want)
		}
		for _, chunk := range store.split(value) {
			if len(chunk)+len(name)+2 > maxCookieBytes {
				t.Errorf("chunk of %d bytes", len(chunk))
			}
		}
	})
}

// storedValue returns what the cookies of r keep, "" if that is nothing.
func storedValue(t *testing.T, store *cookieStore, r *http.Request) string {
	t.Helper()
	session, err := store.New(r, store.scheme.session)
	if err != nil {
		t.Fatal(err)
	}
	value, _ := session.Values[valueKey].(string)
	if session.IsNew != (value == "") {
		t.Errorf("new: %t, with %d bytes", session.IsNew, len(value))
	}
	return value
}

// What is split is read back, whole, at every size around the limits.
func TestChunksJoin(t *testing.T) {
	store := &cookieStore{newCookieScheme("oauthlogin", true)}
	room := len(store.split(strings.Repeat("x", 20000))[1]) - markLength
	for chunks := 1; chunks <= maxChunks; chunks++ {
		for _, n := range []int{(chunks-1)*room + 1, chunks*room - 1, chunks * room} {
			value := strings.Repeat("x", n-1) + "y"
			r := &http.Request{Header: http.Header{}}
			parts := store.split(value)
			if len(parts) != chunks {
				t.Errorf("%d bytes in %d chunks, want %d", n, len(parts), chunks)
			}
			for i, part := range parts {
				if len(part)+len(store.scheme.chunks[i]) > maxCookieBytes {
					t.Errorf("chunk %d of %d has %d bytes", i, chunks, len(part))
				}
				r.Header.Add("Cookie", store.scheme.chunks[i]+"="+part)
			}
			if got := storedValue(t, store, r); got != value {
				t.Errorf("%d bytes in %d chunks came back as %d", n, chunks, len(got))
			}
		}
	}
}
