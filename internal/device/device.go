// Package device binds sessions to keys of browsers: the server's side of Device Bound
// Session Credentials (W3C draft). It is pure: whatever depends on the time is told it, and
// nothing is stored.
//
// A registration challenge names a session and is offered to its browser. The browser makes
// a key and signs the challenge. The session identifier that it gets names session and key,
// and with each proof by that key comes a bound cookie, which names both as well.
package device

import (
	"crypto/subtle"
	"errors"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/seal"
)

const (
	// Life is how long a browser keeps a bound cookie.
	Life = 10 * time.Minute
	// maxRegistrationAge and maxRenewalAge are how old challenges may be. Browsers keep the
	// challenge that came with a bound cookie until they renew it.
	maxRegistrationAge = 20 * time.Minute
	maxRenewalAge      = 25 * time.Minute
	// maxClockSkew is how far clocks of instances may differ.
	maxClockSkew = 5 * time.Minute

	maxIdentifier = 3000 // in bytes, as is everything below
	maxProof      = 8 << 10
	maxCookie     = 512
	// maxReference leaves room for the largest key in an identifier.
	maxReference = 900
)

var (
	// ErrStale is the error of a proof of a challenge that is too old.
	ErrStale = errors.New("the challenge is too old")
	// ErrReference is the error of a reference that does not fit an identifier.
	ErrReference = errors.New("the session's names are too long for an identifier")

	errChallenge = errors.New("the challenge is not one of this session")
)

// A Session is a session as this package knows it: its ID, and what the caller finds it by.
type Session struct {
	ID        [16]byte
	Reference []byte
}

// A Binding is a session with the key that it is to be bound to.
type Binding struct {
	Session

	Key Key
}

// A Cookie is what a bound cookie says: a browser has shown the session's key.
type Cookie struct {
	Session [16]byte
	Key     [32]byte // its thumbprint
	End     time.Time
}

// A Sealer makes and reads challenges, identifiers and bound cookies.
type Sealer struct {
	// Life is how long browsers keep a bound cookie. It counts for a fifth longer: browsers
	// do not renew one that they still have.
	Life time.Duration

	name                                      string
	registration, renewal, identifier, cookie *seal.Sealer
}

// NewSealer returns a Sealer with keys derived from keys, of which the first seals and all
// open. What was sealed under another name does not open.
func NewSealer(keys [][]byte, name string) (*Sealer, error) {
	s := &Sealer{Life: Life, name: name}
	for _, purpose := range []struct {
		name   string
		max    int
		sealer **seal.Sealer
	}{
		{"device registration", maxIdentifier, &s.registration},
		{"device renewal", maxCookie, &s.renewal},
		{"device identifier", maxIdentifier, &s.identifier},
		{"device cookie", maxCookie, &s.cookie},
	} {
		sealer, err := seal.New(keys, purpose.name, purpose.max)
		if err != nil {
			return nil, err
		}
		*purpose.sealer = sealer
	}
	return s, nil
}

// RegistrationChallenge returns a challenge that a browser signs to bind session to a key.
func (s *Sealer) RegistrationChallenge(session Session, now time.Time) (string, error) {
	if len(session.Reference) > maxReference {
		return "", ErrReference
	}
	p := seal.NewPacker()
	p.Raw(session.ID[:])
	p.Time(now)
	p.Bytes(session.Reference)
	return s.registration.Seal(s.name, p.Pack())
}

// Register verifies the proof that a browser registers a key with, and returns session and
// key. With ErrStale it returns them as well.
func (s *Sealer) Register(proof string, now time.Time) (Binding, error) {
	jwt, err := parseProof(proof)
	if err != nil {
		return Binding{}, err
	}
	key, err := jwt.embeddedKey()
	if err != nil {
		return Binding{}, err
	}
	challenge, err := jwt.challenge(key)
	if err != nil {
		return Binding{}, err
	}
	packed, _, err := s.registration.Open(s.name, challenge)
	if err != nil {
		return Binding{}, errChallenge
	}
	u, err := seal.Unpack(packed)
	if err != nil {
		return Binding{}, errChallenge
	}
	b := Binding{Key: key}
	copy(b.ID[:], u.Take(uint64(len(b.ID))))
	issued := u.Time()
	b.Reference = u.Bytes()
	if u.Err() != nil {
		return Binding{}, errChallenge
	}
	return b, checkAge(issued, now, maxRegistrationAge)
}

// Identifier returns the session identifier of a binding.
func (s *Sealer) Identifier(b Binding) (string, error) {
	if len(b.Reference) > maxReference {
		return "", ErrReference
	}
	p := seal.NewPacker()
	p.Raw(b.ID[:])
	p.Bytes(b.Key.der)
	p.Bytes(b.Reference)
	return s.identifier.Seal(s.name, p.Pack())
}

// Identify returns the binding of an identifier; ok is false if it is none.
func (s *Sealer) Identify(identifier string) (b Binding, ok bool) {
	packed, _, err := s.identifier.Open(s.name, identifier)
	if err != nil {
		return Binding{}, false
	}
	u, err := seal.Unpack(packed)
	if err != nil {
		return Binding{}, false
	}
	copy(b.ID[:], u.Take(uint64(len(b.ID))))
	der := u.Bytes()
	b.Reference = u.Bytes()
	if u.Err() != nil {
		return Binding{}, false
	}
	b.Key, err = unpackKey(der)
	return b, err == nil
}

// RenewalChallenge returns a challenge that the browser of a binding signs to renew its
// bound cookie.
func (s *Sealer) RenewalChallenge(b *Binding, now time.Time) (string, error) {
	p := seal.NewPacker()
	p.Raw(b.ID[:])
	p.Raw(b.Key.Thumbprint[:])
	p.Time(now)
	return s.renewal.Seal(s.name, p.Pack())
}

// Renew verifies a proof by the key of a binding, of a challenge for that binding.
func (s *Sealer) Renew(b *Binding, proof string, now time.Time) error {
	jwt, err := parseProof(proof)
	if err != nil {
		return err
	}
	if jwt.hasKey {
		return errForeignKey
	}
	challenge, err := jwt.challenge(b.Key)
	if err != nil {
		return err
	}
	packed, _, err := s.renewal.Open(s.name, challenge)
	if err != nil {
		return errChallenge
	}
	u, err := seal.Unpack(packed)
	if err != nil {
		return errChallenge
	}
	id, key := u.Take(uint64(len(b.ID))), u.Take(uint64(len(b.Key.Thumbprint)))
	issued := u.Time()
	if u.Err() != nil || !equal(id, b.ID[:]) || !equal(key, b.Key.Thumbprint[:]) {
		return errChallenge
	}
	return checkAge(issued, now, maxRenewalAge)
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func checkAge(issued, now time.Time, most time.Duration) error {
	if age := now.Sub(issued); age >= most || age < -maxClockSkew {
		return ErrStale
	}
	return nil
}

// Cookie returns the value of a bound cookie, and for how many seconds a browser keeps it.
func (s *Sealer) Cookie(b *Binding, now time.Time) (value string, maxAge int, err error) {
	p := seal.NewPacker()
	p.Raw(b.ID[:])
	p.Raw(b.Key.Thumbprint[:])
	p.Time(now.Add(s.Life + s.Life/5))
	value, err = s.cookie.Seal(s.name, p.Pack())
	return value, int(s.Life / time.Second), err
}

// ReadCookie returns what a bound cookie says; ok is false if it does not open. The caller
// compares session, key and end.
func (s *Sealer) ReadCookie(value string) (c Cookie, ok bool) {
	packed, _, err := s.cookie.Open(s.name, value)
	if err != nil {
		return Cookie{}, false
	}
	u, err := seal.Unpack(packed)
	if err != nil {
		return Cookie{}, false
	}
	copy(c.Session[:], u.Take(uint64(len(c.Session))))
	copy(c.Key[:], u.Take(uint64(len(c.Key))))
	c.End = u.Time()
	return c, u.Err() == nil
}
