package oauthlogin

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// A record is a session as it is sealed. Records are shared between requests, so
// they are never changed: a caller that wants another one makes a copy.
type record struct {
	id         memory.ID
	generation uint64 // how often its tokens were refreshed
	provider   providerTag
	created    time.Time // at login
	written    time.Time // when it was last sealed
	user       User      // Provider follows from provider
	tokens     tokens
	extra      extra

	known *atomic.Pointer[policyFacts] // nil: is read each time
}

// tokens are the tokens of a session.
type tokens struct {
	access      string
	tokenType   string // "": Bearer
	refresh, id seal.Token
	scope       string    // that was granted
	issued      time.Time // when they were requested
	expiry      time.Time // zero: the provider did not name it
}

// extra is what only some sessions have. An empty field costs no byte.
type extra struct {
	issuer    string          // of the user, where it is not the provider's
	sid       string          // of the ID token at the login: OpenID Connect Back-Channel Logout
	appClaims json.RawMessage // an object of the application, which refreshes leave alone
	userMark  memory.Mark     // of sign-outs everywhere that came before the login; zero: none
	sidMark   memory.Mark     // the same for sid
	deviceKey []byte          // thumbprint of the key that the session is bound to
	boundAt   time.Time       // when it was bound; without a key, when that was first offered
	lineage   memory.ID       // of the sessions that this one replaced in its browser; zero: none
	userInfo  bool            // its claims come from user info too
	asked     string          // scopes that logins requested beside Provider.OAuth2.Scopes
	formName  string          // the name of the user that a form brought: see Apple
	dpopKey   []byte          // that the access token is bound to; nil: it is a bearer token
	settled   bool            // user info is not read: a refresh took a claim away, or cookies have no room
	unknown   []unknownField  // of a later version
}

type unknownField struct {
	tag   uint64
	value []byte
}

// The tags of extra's fields. They are part of the format: none is ever reused.
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

func newRecord(p *provider, user User, t *protocol.Tokens) *record {
	rec := &record{provider: p.tag, created: time.Now(), user: user, tokens: newTokens(t), known: new(atomic.Pointer[policyFacts])}
	rec.user.Provider = p.Name
	if rec.user.Issuer != p.issuer {
		rec.extra.issuer = rec.user.Issuer
	}
	rand.Read(rec.id[:])
	return rec
}

func newTokens(t *protocol.Tokens) tokens {
	tokenType := ""
	if strings.EqualFold(t.Type, typeDPoP) {
		tokenType = typeDPoP
	}
	return tokens{
		access: t.Access, tokenType: tokenType, refresh: seal.NewToken(t.Refresh), id: seal.NewToken(t.ID),
		scope: t.Scope, issued: t.Issued, expiry: t.Expiry,
	}
}

// pack returns the record as it is sealed at the time written.
func (rec *record) pack(written time.Time) []byte {
	p := seal.NewPacker()
	p.Raw(rec.provider[:])
	p.Raw(rec.id[:])
	p.Uint(rec.generation)
	p.Time(rec.created)
	p.TimeFrom(rec.created, written)
	p.Token(&rec.tokens.id)
	claims := rec.user.RawClaims
	fromIDToken := len(claims) > 0 && bytes.Equal(claims, rec.tokens.id.Payload())
	p.Bool(fromIDToken)
	if !fromIDToken {
		p.Bytes(claims)
	}
	p.StringIn(claims, rec.user.Subject)
	p.StringIn(claims, rec.user.Name)
	p.StringIn(claims, rec.user.Email)
	p.Bool(rec.user.EmailVerified)
	access := seal.NewToken(rec.tokens.access)
	p.Token(&access)
	p.Token(&rec.tokens.refresh)
	p.String(rec.tokens.scope)
	p.TimeFrom(rec.created, rec.tokens.issued)
	p.Bool(!rec.tokens.expiry.IsZero())
	if !rec.tokens.expiry.IsZero() {
		p.TimeFrom(rec.tokens.issued, rec.tokens.expiry)
	}
	rec.packExtra(p)
	return p.Pack()
}

func (rec *record) packExtra(p *seal.Packer) {
	x := &rec.extra
	p.Field(tagIssuer, []byte(x.issuer))
	p.Field(tagSID, []byte(x.sid))
	p.Field(tagAppClaims, x.appClaims)
	p.Field(tagTokenType, []byte(rec.tokens.tokenType))
	packMark(p, tagUserMark, x.userMark)
	packMark(p, tagSIDMark, x.sidMark)
	p.Field(tagDeviceKey, x.deviceKey)
	p.Field(tagDPoPKey, x.dpopKey)
	if x.lineage != (memory.ID{}) {
		p.Field(tagLineage, x.lineage[:])
	}
	if x.userInfo {
		p.Field(tagUserInfo, []byte{1})
	}
	p.Field(tagAsked, []byte(x.asked))
	if x.settled {
		p.Field(tagSettled, []byte{1})
	}
	p.Field(tagFormName, []byte(x.formName))
	if !x.boundAt.IsZero() {
		p.Field(tagBoundAt, binary.AppendUvarint(nil, uint64(max(x.boundAt.UnixMilli(), 0))))
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

func unpackRecord(packed []byte) (*record, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	rec := &record{}
	copy(rec.provider[:], u.Take(uint64(len(rec.provider))))
	copy(rec.id[:], u.Take(uint64(len(rec.id))))
	rec.generation = u.Uint()
	rec.created = u.Time()
	rec.written = u.TimeFrom(rec.created)
	rec.tokens.id = u.Token()
	if u.Bool() {
		rec.user.RawClaims = rec.tokens.id.Payload()
	} else {
		rec.user.RawClaims = bytes.Clone(u.Bytes()) // which do not hold on to the whole value
	}
	rec.user.Subject = u.StringIn(rec.user.RawClaims)
	rec.user.Name = u.StringIn(rec.user.RawClaims)
	rec.user.Email = u.StringIn(rec.user.RawClaims)
	rec.user.EmailVerified = u.Bool()
	access := u.Token()
	rec.tokens.access = access.Text()
	rec.tokens.refresh = u.Token()
	rec.tokens.scope = u.String()
	rec.tokens.issued = u.TimeFrom(rec.created)
	if u.Bool() {
		rec.tokens.expiry = u.TimeFrom(rec.tokens.issued)
	}
	u.Fields(func(tag uint64, value []byte) { rec.unpackExtra(u, tag, value) })
	return rec, u.Err()
}

func (rec *record) unpackExtra(u *seal.Unpacker, tag uint64, value []byte) {
	x := &rec.extra
	fixed := func(to []byte) {
		if len(value) != len(to) {
			u.Fail()
			return
		}
		copy(to, value)
	}
	switch tag {
	case tagIssuer:
		x.issuer = string(value)
	case tagSID:
		x.sid = string(value)
	case tagAppClaims:
		x.appClaims = value
	case tagTokenType:
		rec.tokens.tokenType = string(value)
	case tagUserMark:
		fixed(x.userMark[:])
	case tagSIDMark:
		fixed(x.sidMark[:])
	case tagDeviceKey:
		x.deviceKey = value
	case tagDPoPKey:
		x.dpopKey = make([]byte, dpop.SeedBytes)
		fixed(x.dpopKey)
	case tagLineage:
		fixed(x.lineage[:])
	case tagSettled:
		x.settled = true
	case tagUserInfo:
		x.userInfo = true
	case tagFormName:
		x.formName = string(value)
	case tagAsked:
		x.asked = string(value)
	case tagBoundAt:
		at, n := binary.Uvarint(value)
		if n != len(value) {
			u.Fail()
		}
		x.boundAt = time.UnixMilli(int64(at))
	default:
		x.unknown = append(x.unknown, unknownField{tag, value})
	}
}

// SessionID, Lineage, Generation, Begun, TokenExpiry, Owner and Bytes make a record an
// [instances.Record].

func (rec *record) SessionID() memory.ID { return rec.id }

func (rec *record) Lineage() memory.ID {
	if rec.extra.lineage != (memory.ID{}) {
		return rec.extra.lineage
	}
	return rec.id
}

func (rec *record) Generation() uint64 { return rec.generation }

// isOf reports whether two records are of one user.
func (rec *record) isOf(other *record) bool {
	return rec.provider == other.provider && rec.user.Issuer == other.user.Issuer && rec.user.Subject == other.user.Subject
}

func (rec *record) Begun() time.Time { return rec.created }

func (rec *record) TokenExpiry() time.Time { return rec.tokens.expiry }

func (rec *record) Owner(kind memory.OwnerKind) (owner memory.Owner, mark memory.Mark, ok bool) {
	switch {
	case kind == memory.OfUser:
		return memory.OwnerOf(kind, rec.user.Issuer, rec.user.Subject), rec.extra.userMark, true
	case rec.extra.sid != "":
		return memory.OwnerOf(kind, rec.user.Issuer, rec.extra.sid), rec.extra.sidMark, true
	}
	return memory.Owner{}, memory.Mark{}, false
}

// markAt gives a record the marks of a login that took a moment.
func (rec *record) markAt(at memory.Moment, grants *instances.Sessions[*record]) {
	owner, _, _ := rec.Owner(memory.OfUser)
	rec.extra.userMark = grants.MarkOf(owner, at)
	if owner, _, ok := rec.Owner(memory.OfSID); ok {
		rec.extra.sidMark = grants.MarkOf(owner, at)
	}
}

func (rec *record) Bytes() int {
	const fixed = 512 // of the struct and what holds it, roughly
	u, t, x := &rec.user, &rec.tokens, &rec.extra
	n := fixed + len(u.Subject) + len(u.Name) + len(u.Email) + len(u.RawClaims) +
		len(t.access) + len(t.tokenType) + t.refresh.Size() + t.id.Size() + len(t.scope) +
		len(x.issuer) + len(x.sid) + len(x.appClaims) + len(x.deviceKey) + len(x.dpopKey) + len(x.asked) + len(x.formName)
	for _, field := range x.unknown {
		n += len(field.value)
	}
	return n
}

// typeDPoP is the token_type of a token that is bound to a key (RFC 9449 section 5).
const typeDPoP = "DPoP"

// key returns what the tokens are bound to, nil for bearer tokens. It is that of the login,
// also after Provider.DPoP has changed.
func (rec *record) key() *dpop.Key { return dpop.KeyOf(rec.extra.dpopKey) }

// valid reports whether there is an access token that has not expired.
func (t *tokens) valid(now time.Time) bool {
	return t.access != "" && (t.expiry.IsZero() || now.Before(t.expiry))
}
