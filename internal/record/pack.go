package record

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// The tags of Extra's fields. They are part of the format: none is ever reused.
const (
	tagIssuer = iota + 1
	tagSID
	tagAppClaims
	tagTokenType
	tagUserMark
	tagSIDMark
	tagDeviceKey
	tagLineage
	tagUserInfo
	tagAsked // scopes, granted or not, separated by spaces
	tagSettled
	tagDPoPKey
	tagBoundAt
	tagFormName
)

// Pack returns the record as it is sealed at the time written.
func (rec *Record) Pack(written time.Time) []byte {
	p := seal.NewPacker()
	p.Raw(rec.Provider[:])
	p.Raw(rec.ID[:])
	p.Uint(rec.generation)
	p.Time(rec.Created)
	p.TimeFrom(rec.Created, written)
	p.Token(&rec.Tokens.ID)
	claims := rec.User.RawClaims
	fromIDToken := len(claims) > 0 && bytes.Equal(claims, rec.Tokens.ID.Payload())
	p.Bool(fromIDToken)
	if !fromIDToken {
		p.Bytes(claims)
	}
	p.StringIn(claims, rec.User.Subject)
	p.StringIn(claims, rec.User.Name)
	p.StringIn(claims, rec.User.Email)
	p.Bool(rec.User.EmailVerified)
	access := seal.NewToken(rec.Tokens.Access)
	p.Token(&access)
	p.Token(&rec.Tokens.Refresh)
	p.String(rec.Tokens.Scope)
	p.TimeFrom(rec.Created, rec.Tokens.Issued)
	p.Bool(!rec.Tokens.Expiry.IsZero())
	if !rec.Tokens.Expiry.IsZero() {
		p.TimeFrom(rec.Tokens.Issued, rec.Tokens.Expiry)
	}
	rec.packExtra(p)
	return p.Pack()
}

func (rec *Record) packExtra(p *seal.Packer) {
	x := &rec.Extra
	p.Field(tagIssuer, []byte(x.Issuer))
	p.Field(tagSID, []byte(x.SID))
	p.Field(tagAppClaims, x.AppClaims)
	p.Field(tagTokenType, []byte(rec.Tokens.Type))
	packMark(p, tagUserMark, x.UserMark)
	packMark(p, tagSIDMark, x.SIDMark)
	p.Field(tagDeviceKey, x.DeviceKey)
	p.Field(tagDPoPKey, x.DPoPKey)
	if x.Lineage != (memory.ID{}) {
		p.Field(tagLineage, x.Lineage[:])
	}
	if x.UserInfo {
		p.Field(tagUserInfo, []byte{1})
	}
	p.Field(tagAsked, []byte(x.Asked))
	if x.Settled {
		p.Field(tagSettled, []byte{1})
	}
	p.Field(tagFormName, []byte(x.FormName))
	if !x.BoundAt.IsZero() {
		p.Field(tagBoundAt, binary.AppendUvarint(nil, uint64(max(x.BoundAt.UnixMilli(), 0))))
	}
	for _, field := range x.unknown {
		p.Field(field.tag, field.value)
	}
}

func packMark(p *seal.Packer, tag uint64, mark [8]byte) {
	if mark != [8]byte{} {
		p.Field(tag, mark[:])
	}
}

// Unpack returns the record that Pack has packed, also in the version before.
func Unpack(packed []byte) (*Record, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	rec := &Record{known: new(atomic.Pointer[Facts])}
	copy(rec.Provider[:], u.Take(uint64(len(rec.Provider))))
	copy(rec.ID[:], u.Take(uint64(len(rec.ID))))
	rec.generation = u.Uint()
	rec.Created = u.Time()
	rec.Written = u.TimeFrom(rec.Created)
	rec.Tokens.ID = u.Token()
	if u.Bool() {
		rec.User.RawClaims = rec.Tokens.ID.Payload()
	} else {
		rec.User.RawClaims = bytes.Clone(u.Bytes()) // which do not hold on to the whole value
	}
	rec.User.Subject = u.StringIn(rec.User.RawClaims)
	rec.User.Name = u.StringIn(rec.User.RawClaims)
	rec.User.Email = u.StringIn(rec.User.RawClaims)
	rec.User.EmailVerified = u.Bool()
	access := u.Token()
	rec.Tokens.Access = access.Text()
	rec.Tokens.Refresh = u.Token()
	rec.Tokens.Scope = u.String()
	rec.Tokens.Issued = u.TimeFrom(rec.Created)
	if u.Bool() {
		rec.Tokens.Expiry = u.TimeFrom(rec.Tokens.Issued)
	}
	u.Fields(func(tag uint64, value []byte) { rec.unpackExtra(u, tag, value) })
	return rec, u.Err()
}

func (rec *Record) unpackExtra(u *seal.Unpacker, tag uint64, value []byte) {
	x := &rec.Extra
	fixed := func(to []byte) {
		if len(value) != len(to) {
			u.Fail()
			return
		}
		copy(to, value)
	}
	switch tag {
	case tagIssuer:
		x.Issuer = string(value)
	case tagSID:
		x.SID = string(value)
	case tagAppClaims:
		x.AppClaims = value
	case tagTokenType:
		rec.Tokens.Type = string(value)
	case tagUserMark:
		fixed(x.UserMark[:])
	case tagSIDMark:
		fixed(x.SIDMark[:])
	case tagDeviceKey:
		x.DeviceKey = value
	case tagDPoPKey:
		x.DPoPKey = make([]byte, dpop.SeedBytes)
		fixed(x.DPoPKey)
	case tagLineage:
		fixed(x.Lineage[:])
	case tagSettled:
		x.Settled = true
	case tagUserInfo:
		x.UserInfo = true
	case tagFormName:
		x.FormName = string(value)
	case tagAsked:
		x.Asked = string(value)
	case tagBoundAt:
		at, n := binary.Uvarint(value)
		if n != len(value) {
			u.Fail()
		}
		x.BoundAt = time.UnixMilli(int64(at))
	default:
		x.unknown = append(x.unknown, unknownField{tag, value})
	}
}
