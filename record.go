package oauthlogin

import (
	"bytes"
	"crypto/rand"
	"time"
)

// A record is a session as it is sealed. Records are shared between requests:
// whoever wants another one makes a copy.
type record struct {
	id         sessionID
	generation uint64 // how often its tokens were refreshed
	provider   providerTag
	created    time.Time // at login
	written    time.Time // when it was last sealed
	user       User      // Provider and Issuer follow from provider
	tokens     tokens
}

func newRecord(p *provider, user User, t *tokens) *record {
	rec := &record{provider: p.tag, created: time.Now(), user: user, tokens: *t}
	rec.user.Provider, rec.user.Issuer = p.Name, p.issuer
	rand.Read(rec.id[:])
	return rec
}

// pack returns the record as it is sealed at the time written.
func (rec *record) pack(written time.Time) []byte {
	p := packer{buf: make([]byte, 0, packedBytes)}
	p.raw(rec.provider[:])
	p.raw(rec.id[:])
	p.uint(rec.generation)
	p.time(rec.created)
	p.timeFrom(rec.created, written)
	p.token(&rec.tokens.id)
	fromIDToken := len(rec.user.RawClaims) > 0 && bytes.Equal(rec.user.RawClaims, rec.tokens.id.payload())
	p.bool(fromIDToken)
	if !fromIDToken {
		p.bytes(rec.user.RawClaims)
	}
	p.stringIn(rec.user.RawClaims, rec.user.Subject)
	p.stringIn(rec.user.RawClaims, rec.user.Name)
	p.stringIn(rec.user.RawClaims, rec.user.Email)
	p.bool(rec.user.EmailVerified)
	p.token(&token{whole: rec.tokens.access})
	p.token(&rec.tokens.refresh)
	p.string(rec.tokens.scope)
	p.timeFrom(rec.created, rec.tokens.issued)
	p.bool(!rec.tokens.expiry.IsZero())
	if !rec.tokens.expiry.IsZero() {
		p.timeFrom(rec.tokens.issued, rec.tokens.expiry)
	}
	return p.pack()
}

func unpackRecord(packed []byte) (*record, error) {
	u, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	rec := &record{}
	copy(rec.provider[:], u.take(uint64(len(rec.provider))))
	copy(rec.id[:], u.take(uint64(len(rec.id))))
	rec.generation = u.uint()
	rec.created = u.time()
	rec.written = u.timeFrom(rec.created)
	rec.tokens.id = u.token()
	if u.bool() {
		rec.user.RawClaims = rec.tokens.id.payload()
	} else {
		rec.user.RawClaims = u.bytes() // handlers get copies, and tokens point into the same bytes
	}
	rec.user.Subject = u.stringIn(rec.user.RawClaims)
	rec.user.Name = u.stringIn(rec.user.RawClaims)
	rec.user.Email = u.stringIn(rec.user.RawClaims)
	rec.user.EmailVerified = u.bool()
	access := u.token()
	rec.tokens.access = access.text()
	rec.tokens.refresh = u.token()
	rec.tokens.scope = u.string()
	rec.tokens.issued = u.timeFrom(rec.created)
	if u.bool() {
		rec.tokens.expiry = u.timeFrom(rec.tokens.issued)
	}
	return rec, u.err()
}

// expired reports whether a session that is in use has come to its end.
func (rec *record) expired(opts *Options, now time.Time) bool {
	if !now.Before(rec.created.Add(opts.MaxLifetime)) {
		return true
	}
	// Without a refresh token, the provider's word is as good as its last token.
	t := &rec.tokens
	return t.refresh.isZero() && t.expiry.After(t.issued) && !t.valid(now) && !opts.InsecureOutliveTokens
}

// ownUser returns a user that a handler may do with as it likes.
func (rec *record) ownUser() User {
	user := rec.user
	user.RawClaims = bytes.Clone(user.RawClaims)
	return user
}
