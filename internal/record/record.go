// Package record defines a session as it is sealed: who signed in, the tokens, its limits of
// time, its scopes, and what policies know of its claims.
package record

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// A Record is a session as it is sealed. Records are shared between requests, so
// they are never changed: a caller that wants another one makes a copy.
type Record struct {
	ID         memory.ID
	generation uint64 // how often its tokens were refreshed
	Provider   ProviderTag
	Created    time.Time // at login
	Written    time.Time // when it was last sealed
	User       User      // whose Provider, and often Issuer, follow from Provider
	Tokens     Tokens
	Extra      Extra

	known *atomic.Pointer[Facts] // nil: the claims are read each time
}

// A ProviderTag stands for provider, client and configured name inside sealed values.
// What was sealed for one is worthless to another, whatever keys they share.
type ProviderTag [8]byte

// Tokens are the tokens of a session.
type Tokens struct {
	Access      string
	Type        string // "": Bearer
	Refresh, ID seal.Token
	Scope       string    // that was granted
	Issued      time.Time // when they were requested
	Expiry      time.Time // zero: the provider did not name it
}

// Extra is what only some sessions have. An empty field costs no byte.
type Extra struct {
	Issuer    string          // of the user, where it is not the provider's
	SID       string          // of the ID token at the login: OpenID Connect Back-Channel Logout
	AppClaims json.RawMessage // an object of the application, which refreshes leave alone
	UserMark  memory.Mark     // of sign-outs everywhere that came before the login; zero: none
	SIDMark   memory.Mark     // the same for sid
	DeviceKey []byte          // thumbprint of the key that the session is bound to
	BoundAt   time.Time       // when it was bound; without a key, when that was first offered
	Lineage   memory.ID       // of the sessions that this one replaced in its browser; zero: none
	UserInfo  bool            // its claims come from user info too
	Asked     string          // scopes that logins requested beside Provider.OAuth2.Scopes
	FormName  string          // the name of the user that the form of Apple brought
	DPoPKey   []byte          // that the access token is bound to; nil: it is a bearer token
	Settled   bool            // user info is not read: a refresh took a claim away, or cookies have no room
	unknown   []unknownField  // of a later version
}

type unknownField struct {
	tag   uint64
	value []byte
}

// New returns a new session of a user.
func New(provider ProviderTag, user User, t *protocol.Tokens) *Record {
	rec := &Record{Provider: provider, Created: time.Now(), User: user, Tokens: NewTokens(t), known: new(atomic.Pointer[Facts])}
	rand.Read(rec.ID[:])
	return rec
}

// NewTokens returns what a session keeps of a token response.
func NewTokens(t *protocol.Tokens) Tokens {
	tokenType := ""
	if strings.EqualFold(t.Type, typeDPoP) {
		tokenType = typeDPoP
	}
	return Tokens{
		Access: t.Access, Type: tokenType, Refresh: seal.NewToken(t.Refresh), ID: seal.NewToken(t.ID),
		Scope: t.Scope, Issued: t.Issued, Expiry: t.Expiry,
	}
}

// typeDPoP is the token_type of a token that is bound to a key (RFC 9449 section 5).
const typeDPoP = "DPoP"

// Key returns what the tokens are bound to, nil for bearer tokens. It is that of the login,
// also after Provider.DPoP has changed.
func (rec *Record) Key() *dpop.Key { return dpop.KeyOf(rec.Extra.DPoPKey) }

// Valid reports whether there is an access token that has not expired.
func (t *Tokens) Valid(now time.Time) bool {
	return t.Access != "" && (t.Expiry.IsZero() || now.Before(t.Expiry))
}

// IsOf reports whether two records are of one user.
func (rec *Record) IsOf(other *Record) bool {
	return rec.Provider == other.Provider && rec.User.Issuer == other.User.Issuer && rec.User.Subject == other.User.Subject
}

// Next returns a copy that is the generation after rec.
func (rec *Record) Next() *Record {
	next := *rec
	next.generation++
	return &next
}

// As returns a copy that is of a generation.
func (rec *Record) As(generation uint64) *Record {
	other := *rec
	other.generation = generation
	return &other
}

// Successor names the next generation of a session, of which there is one.
func (rec *Record) Successor() string {
	return string(rec.ID[:]) + strconv.FormatUint(rec.generation, 36)
}

// HasNewerToken reports whether a refresh after old has brought the access token. A later
// generation may have it from before: a token for another API may have rotated the refresh
// token.
func (rec *Record) HasNewerToken(old *Record) bool {
	t, before := &rec.Tokens, &old.Tokens
	return rec.generation > old.generation && (t.Access != before.Access || t.Issued.UnixMilli() != before.Issued.UnixMilli())
}

// Binding returns what binds the session to a device.
func (x *Extra) Binding(generation uint64) memory.Binding {
	b := memory.Binding{At: x.BoundAt, Generation: generation}
	copy(b.Key[:], x.DeviceKey)
	return b
}

// Bind binds the session to a device.
func (x *Extra) Bind(b *memory.Binding) { x.DeviceKey, x.BoundAt = bytes.Clone(b.Key[:]), b.At }

// Reference returns, packed, what of a record says whether its session is over.
func (rec *Record) Reference() []byte {
	short := &Record{
		ID: rec.ID, Provider: rec.Provider, Created: rec.Created, User: User{Subject: rec.User.Subject},
		Tokens: Tokens{Issued: rec.Created},
		Extra: Extra{
			Issuer: rec.Extra.Issuer, SID: rec.Extra.SID, UserMark: rec.Extra.UserMark, SIDMark: rec.Extra.SIDMark, Lineage: rec.Extra.Lineage,
		},
	}
	return short.Pack(rec.Created)
}

// MarkAt gives a record the marks of a login that took a moment.
func (rec *Record) MarkAt(at memory.Moment, markOf func(memory.Owner, memory.Moment) memory.Mark) {
	owner, _, _ := rec.Owner(memory.OfUser)
	rec.Extra.UserMark = markOf(owner, at)
	if owner, _, ok := rec.Owner(memory.OfSID); ok {
		rec.Extra.SIDMark = markOf(owner, at)
	}
}

// SessionID, Lineage, Generation, Begun, TokenExpiry, Owner and Bytes make a Record what
// the packages memory and instances keep.

func (rec *Record) SessionID() memory.ID { return rec.ID }

func (rec *Record) Lineage() memory.ID {
	if rec.Extra.Lineage != (memory.ID{}) {
		return rec.Extra.Lineage
	}
	return rec.ID
}

func (rec *Record) Generation() uint64 { return rec.generation }

func (rec *Record) Begun() time.Time { return rec.Created }

func (rec *Record) TokenExpiry() time.Time { return rec.Tokens.Expiry }

func (rec *Record) Owner(kind memory.OwnerKind) (owner memory.Owner, mark memory.Mark, ok bool) {
	switch {
	case kind == memory.OfUser:
		return memory.OwnerOf(kind, rec.User.Issuer, rec.User.Subject), rec.Extra.UserMark, true
	case rec.Extra.SID != "":
		return memory.OwnerOf(kind, rec.User.Issuer, rec.Extra.SID), rec.Extra.SIDMark, true
	}
	return memory.Owner{}, memory.Mark{}, false
}

func (rec *Record) Bytes() int {
	const fixed = 512 // of the struct and what holds it, roughly
	u, t, x := &rec.User, &rec.Tokens, &rec.Extra
	n := fixed + len(u.Subject) + len(u.Name) + len(u.Email) + len(u.RawClaims) +
		len(t.Access) + len(t.Type) + t.Refresh.Size() + t.ID.Size() + len(t.Scope) +
		len(x.Issuer) + len(x.SID) + len(x.AppClaims) + len(x.DeviceKey) + len(x.DPoPKey) + len(x.Asked) + len(x.FormName)
	for _, field := range x.unknown {
		n += len(field.value)
	}
	return n
}
