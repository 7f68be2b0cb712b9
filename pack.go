package oauthlogin

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// What is sealed is packed first, because every byte of it costs almost two
// in a cookie: the segments of JWTs as bytes instead of base64url, and all of
// it deflated when that saves anything.
//
// Compression makes the length of a sealed value depend on its content. That
// gives nothing away here: nobody who sees lengths on the wire can mix text of
// his choice with another's tokens, over and over, the way CRIME needs it.

// packVersion changes with the layout of a sealed value; others do not open.
const packVersion = 1

// maxUnpackedBytes bounds what a sealed value can inflate to.
const maxUnpackedBytes = 1 << 20

// A packer appends fields, in the order in which an unpacker reads them.
type packer struct {
	buf    []byte
	random []byte // kept apart: deflating it would take time and save nothing
}

// packedBytes is more than most flows and small sessions take.
const packedBytes = 256

func (p *packer) uint(v uint64) { p.buf = binary.AppendUvarint(p.buf, v) }

func (p *packer) raw(b []byte) { p.buf = append(p.buf, b...) }

func (p *packer) bytes(b []byte) {
	p.uint(uint64(len(b)))
	p.buf = append(p.buf, b...)
}

func (p *packer) string(s string) {
	p.uint(uint64(len(s)))
	p.buf = append(p.buf, s...)
}

// stringIn packs s as a place in text, if it is there.
func (p *packer) stringIn(text []byte, s string) {
	i := bytes.Index(text, []byte(s))
	if i < 0 || s == "" {
		p.uint(0)
		p.string(s)
		return
	}
	p.uint(uint64(i) + 1)
	p.uint(uint64(len(s)))
}

// time has a resolution of milliseconds; the zero time is kept.
func (p *packer) time(t time.Time) {
	if t.IsZero() {
		p.uint(0)
		return
	}
	p.uint(uint64(max(t.UnixMilli(), 0)) + 1)
}

// timeFrom packs t, which is not the zero time, as what it is later than start.
func (p *packer) timeFrom(start, t time.Time) {
	p.buf = binary.AppendVarint(p.buf, t.UnixMilli()-start.UnixMilli())
}

func (p *packer) bool(b bool) {
	if b {
		p.uint(1)
	} else {
		p.uint(0)
	}
}

// token packs a JWT as its three segments, and anything else as it is.
func (p *packer) token(t *token) {
	segments, isJWT := t.jwt()
	p.bool(isJWT)
	if !isJWT {
		p.string(t.whole)
		return
	}
	p.bytes(segments[0])
	p.bytes(segments[1])
	p.uint(uint64(len(segments[2])))
	p.random = append(p.random, segments[2]...) // the signature
}

// splitJWT decodes three segments of base64url; ok is false if that is not what
// s is.
func splitJWT(s string) (segments [3][]byte, ok bool) {
	if strings.Count(s, ".") != len(segments)-1 || s[0] == '.' {
		return segments, false
	}
	i := 0
	for part := range strings.SplitSeq(s, ".") {
		segment, err := base64.RawURLEncoding.Strict().DecodeString(part)
		// The decoder skips line breaks: only what encodes back is split.
		if err != nil || base64.RawURLEncoding.EncodedLen(len(segment)) != len(part) {
			return [3][]byte{}, false
		}
		segments[i] = segment
		i++
	}
	return segments, true
}

func joinJWT(segments *[3][]byte) string {
	size := len(segments) - 1
	for _, segment := range segments {
		size += base64.RawURLEncoding.EncodedLen(len(segment))
	}
	var jwt strings.Builder
	jwt.Grow(size)
	for i, segment := range segments {
		if i > 0 {
			jwt.WriteByte('.')
		}
		var encoded [512]byte // of 384 bytes, so that only the last is a part of four
		for part := range slices.Chunk(segment, len(encoded)/4*3) {
			jwt.Write(base64.RawURLEncoding.AppendEncode(encoded[:0], part))
		}
	}
	return jwt.String()
}

// minDeflate is from how many bytes on fields are deflated: what is saved on
// fewer is not worth the time that each request for them takes.
const minDeflate = 512

// pack returns the version; the length that the fields have when inflated, 0
// if they are not deflated; the length of what is random, and that; and the
// fields.
func (p *packer) pack() []byte {
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

// packHeader returns all but the fields, with room for them.
func (p *packer) packHeader(inflated int) []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen32+len(p.random)+len(p.buf))
	b = binary.AppendUvarint(append(b, packVersion), uint64(inflated))
	b = binary.AppendUvarint(b, uint64(len(p.random)))
	return append(b, p.random...)
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriterDict(nil, flate.BestCompression, dictionary) // the level is valid
	return w
}}

// dictionary is what tokens are likely to have in them, the likeliest at the end: of
// the registered claims (RFC 7519, RFC 9068, OpenID Connect Core) and of those that
// common providers add. Changing it is changing packVersion.
var dictionary = []byte(`"picture":"https://","updated_at":,"locale":"en","phone_number":"+","groups":["","hd":"","tid":"","oid":"","upn":"","unique_name":"",` +
	`"ver":"2.0","amr":["pwd","mfa"],"cid":"","uid":"","scp":["openid","profile","email","offline_access"],"client_id":"","permissions":["read:",` +
	`"allowed-origins":["https://"],"realm_access":{"roles":["offline_access","uma_authorization","default-roles-"]},` +
	`"resource_access":{"account":{"roles":["manage-account","manage-account-links","view-profile"]}},"scope":"openid profile email offline_access",` +
	`"session_state":"","at_hash":"","nonce":"","nbf":17,"jti":"","azp":"","acr":"1","auth_time":17,"exp":17,"iat":17,"sid":"","sub":"","typ":"Bearer",` +
	`"aud":"","iss":"https://accounts.","email_verified":true,"email":"@gmail.com","name":"","given_name":"","family_name":"","preferred_username":"` +
	`{"alg":"ES256","typ":"JWT","kid":"{"alg":"RS256","typ":"JWT","kid":"`)

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

var errPacked = errors.New("sealed value is malformed")

// An unpacker reads fields; after the last one, err says if all were there.
type unpacker struct {
	buf, random []byte
	bad         bool
}

func unpack(packed []byte) (*unpacker, error) {
	if len(packed) < 2 || packed[0] != packVersion {
		return nil, errPacked
	}
	size, n := binary.Uvarint(packed[1:])
	if n <= 0 || size > maxUnpackedBytes {
		return nil, errPacked
	}
	u := &unpacker{buf: packed[1+n:]}
	random := u.bytes()
	if u.bad {
		return nil, errPacked
	}
	if size == 0 {
		return &unpacker{buf: u.buf, random: random}, nil
	}
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(u.buf), dictionary); err != nil {
		return nil, errPacked
	}
	// One byte more than there should be, to see the end.
	inflated := make([]byte, size+1)
	if n, err := io.ReadFull(r, inflated); uint64(n) != size || err != io.ErrUnexpectedEOF {
		return nil, errPacked
	}
	// A copy of what is random, which tokens point into: it does not hold on to
	// all that was sealed.
	return &unpacker{buf: inflated[:size], random: bytes.Clone(random)}, nil
}

func (u *unpacker) err() error {
	if u.bad || len(u.buf) > 0 || len(u.random) > 0 {
		return errPacked
	}
	return nil
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.buf)
	if n <= 0 {
		u.bad, u.buf = true, nil
		return 0
	}
	u.buf = u.buf[n:]
	return v
}

func (u *unpacker) take(n uint64) []byte {
	if n > uint64(len(u.buf)) {
		u.bad, u.buf = true, nil
		return nil
	}
	b := u.buf[:n:n]
	u.buf = u.buf[n:]
	return b
}

func (u *unpacker) takeRandom(n uint64) []byte {
	if n > uint64(len(u.random)) {
		u.bad = true
		return nil
	}
	b := u.random[:n:n]
	u.random = u.random[n:]
	return b
}

func (u *unpacker) bytes() []byte { return u.take(u.uint()) }

func (u *unpacker) string() string { return string(u.bytes()) }

func (u *unpacker) stringIn(text []byte) string {
	i := u.uint()
	if i == 0 {
		return u.string()
	}
	t := unpacker{buf: text}
	t.take(i - 1)
	s := string(t.take(u.uint()))
	u.bad = u.bad || t.bad
	return s
}

func (u *unpacker) timeFrom(start time.Time) time.Time {
	v, n := binary.Varint(u.buf)
	if n <= 0 {
		u.bad, u.buf = true, nil
		return time.Time{}
	}
	u.buf = u.buf[n:]
	return start.Add(time.Duration(v) * time.Millisecond)
}

func (u *unpacker) bool() bool { return u.uint() == 1 }

func (u *unpacker) time() time.Time {
	v := u.uint()
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(v - 1))
}

// token returns a token that points into what was unpacked.
func (u *unpacker) token() token {
	if !u.bool() {
		return token{whole: u.string()}
	}
	var t token
	t.segments[0], t.segments[1] = u.bytes(), u.bytes()
	t.segments[2] = u.takeRandom(u.uint())
	u.bad = u.bad || len(t.segments[0]) == 0
	return t
}
