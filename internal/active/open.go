package active

import (
	"errors"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/binding"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/vault"
)

// opened is what a sealed value has opened to.
type opened struct {
	record *record.Record
	oldKey bool           // a key other than the first has sealed it
	shown  *binding.Shown // with it; nil without Options.BindDevices
}

// Bytes makes opened a [memory.Sized].
func (o opened) Bytes() int { return o.record.Bytes() }

// read returns what the sealed value of a request opens to, zero if there is none or it
// does not open.
func (s *Sessions) read(r *http.Request) (o opened, err error) {
	v, err := s.vault.Read(r)
	if err != nil || v.IsZero() {
		return opened{}, err
	}
	o, _ = s.lookup(&v)
	return o, nil
}

// lookup returns what a sealed value opens to; ok is false if it does not open.
func (s *Sessions) lookup(v *cookies.Value) (o opened, ok bool) {
	if o, ok = s.opened.Get(v.Parts()); ok {
		return o, true
	}
	if o, ok = s.open(v); ok {
		s.opened.Put(v.Parts(), o)
	}
	return o, ok
}

// open does what depends on the sealed value and the keys alone.
func (s *Sessions) open(v *cookies.Value) (o opened, ok bool) {
	sealed, ok := v.Sealed()
	if !ok {
		return opened{}, false
	}
	packed, oldKey, err := s.sealer.Open(s.cookies.Session, sealed)
	if err != nil {
		return opened{}, false
	}
	rec, err := s.Unpack(packed)
	if err != nil {
		return opened{}, false
	}
	o = opened{record: rec, oldKey: oldKey}
	if s.bindings != nil {
		o.shown = &binding.Shown{}
	}
	return o, true
}

var errUnknownProvider = errors.New("session of a provider that is not configured")

// Unpack returns the record of a session, if its provider is configured.
func (s *Sessions) Unpack(packed []byte) (*record.Record, error) {
	rec, err := record.Unpack(packed)
	if err != nil {
		return nil, err
	}
	source := s.source(rec.Provider)
	if source == nil {
		return nil, errUnknownProvider
	}
	source.Complete(rec)
	s.bindings.Saw(rec, time.Now())
	return rec, nil
}

// opens reports whether a sealed value is one of a session here.
func (s *Sessions) opens(v cookies.Value) bool {
	_, ok := s.open(&v)
	return ok
}

// sealForInstances and openOfInstances are what other instances read.

func (s *Sessions) sealForInstances(key string, rec *record.Record) (string, error) {
	return s.shared.Seal(key, s.bindings.Complete(rec).Pack(time.Now()))
}

func (s *Sessions) openOfInstances(key, sealed string) (*record.Record, error) {
	packed, _, err := s.shared.Open(key, sealed)
	if err != nil {
		return nil, err
	}
	return s.Unpack(packed)
}

// maxInCookies bounds a record in memory that cookies can hold, compressed, in bytes.
const maxInCookies = 128 << 10

// seal returns the sealed record, and for how many seconds a browser keeps it.
func (s *Sessions) seal(rec *record.Record) (sealed string, maxAge int, err error) {
	now := time.Now()
	rec = s.bindings.Complete(rec)
	// Before the work of packing and sealing what cannot fit.
	_, inCookies := s.vault.(*vault.Cookies)
	if inCookies && rec.Bytes() > maxInCookies {
		return "", 0, cookies.ErrTooLarge
	}
	packed := rec.Pack(now)
	if inCookies && len(packed) > cookies.MaxPacked {
		return "", 0, cookies.ErrTooLarge
	}
	sealed, err = s.sealer.Seal(s.cookies.Session, packed)
	left := min(s.Idle, rec.Created.Add(s.Lifetime).Sub(now))
	return sealed, max(1, int(left/time.Second)), err
}

// CheckSize returns an error if cookies are to keep a record, and cannot: the tokens of the
// generations after it would be lost with this instance's memory.
func (s *Sessions) CheckSize(rec *record.Record) error {
	if _, inCookies := s.vault.(*vault.Cookies); !inCookies {
		return nil
	}
	sealed, _, err := s.seal(rec)
	if err == nil && !s.cookies.Holds(sealed) {
		err = cookies.ErrTooLarge
	}
	return err
}
