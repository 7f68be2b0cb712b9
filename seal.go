package oauthlogin

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gorilla/securecookie"
)

// A sealer encrypts and authenticates values for one purpose. What one
// purpose sealed, another does not open: each has keys of its own, and the
// name that a value is stored under is authenticated with it.
type sealer struct {
	codecs []*securecookie.SecureCookie // the first one seals, all of them open
}

// newSealer derives, from each key, a hash key and a block key for purpose by
// HKDF (RFC 5869). securecookie without a block key would only sign.
func newSealer(keys [][]byte, purpose string) (*sealer, error) {
	s := &sealer{}
	for _, key := range keys {
		derived, err := hkdf.Key(sha256.New, key, nil, "oauthlogin v1 "+purpose, 64)
		if err != nil {
			return nil, fmt.Errorf("oauthlogin: derive keys: %w", err)
		}
		s.codecs = append(s.codecs, securecookie.New(derived[:32], derived[32:]).
			SetSerializer(securecookie.NopEncoder{}).
			MaxAge(0).    // limits are inside the value, and checked by its reader
			MaxLength(0)) // browsers limit name and value together: see cookieStore
	}
	return s, nil
}

func (s *sealer) seal(name string, value []byte) (string, error) {
	sealed, err := s.codecs[0].Encode(name, value)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

var errNotSealed = errors.New("value does not open")

// open returns the value, and whether a key other than the first sealed it.
func (s *sealer) open(name, sealed string) (value []byte, oldKey bool, err error) {
	for i, codec := range s.codecs {
		if codec.Decode(name, sealed, &value) == nil {
			return value, i > 0, nil
		}
	}
	return nil, false, errNotSealed
}

// randomToken returns 256 random bits in the alphabet of RFC 7636 section 4.1.
func randomToken() string {
	var b [32]byte
	rand.Read(b[:])
	return encode(b[:])
}

// encode is base64url without padding, of at most 48 bytes in one allocation.
func encode(b []byte) string {
	var text [64]byte
	return string(base64.RawURLEncoding.AppendEncode(text[:0], b))
}
