// Package seal turns what a session or a login must remember into text that only
// the holder of a key can make or read. Fields are packed into bytes (Packer), and
// bytes are encrypted and authenticated (Sealer).
package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gorilla/securecookie"
)

// A Sealer encrypts and authenticates values for one purpose, with AES-256-CTR
// and HMAC-SHA256. It does not open what was sealed for another purpose, because
// each purpose has its own keys, or under another name, because the name is
// authenticated with the value.
type Sealer struct {
	maxLen int                          // of sealed text, in bytes; 0: none
	codecs []*securecookie.SecureCookie // the first one seals, all of them open
}

// New derives a hash key and a block key for purpose from each key by HKDF (RFC
// 5869). The first key seals; every key opens. Text of over maxLen bytes is not opened,
// because opening takes time; 0 means no limit.
func New(keys [][]byte, purpose string, maxLen int) (*Sealer, error) {
	s := &Sealer{maxLen: maxLen}
	for _, key := range keys {
		derived, err := hkdf.Key(sha256.New, key, nil, "oauthlogin v1 "+purpose, 64)
		if err != nil {
			return nil, fmt.Errorf("derive keys: %w", err)
		}
		// Without the block key, securecookie would sign and not encrypt.
		s.codecs = append(s.codecs, securecookie.New(derived[:32], derived[32:]).
			SetSerializer(securecookie.NopEncoder{}).
			MaxAge(0).    // the value has its own limits, which its reader checks
			MaxLength(0)) // browsers limit name and value together: package cookies does
	}
	return s, nil
}

// Seal returns value as text of base64url characters. It overwrites value.
func (s *Sealer) Seal(name string, value []byte) (string, error) {
	sealed, err := s.codecs[0].Encode(name, value)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

var errNotSealed = errors.New("value does not open")

// Open returns the value, and whether a key other than the first sealed it.
func (s *Sealer) Open(name, sealed string) (value []byte, oldKey bool, err error) {
	if s.maxLen > 0 && len(sealed) > s.maxLen {
		return nil, false, errNotSealed
	}
	if !isCanonical(sealed) {
		return nil, false, errNotSealed
	}
	for i, codec := range s.codecs {
		if codec.Decode(name, sealed, &value) == nil {
			return value, i > 0, nil
		}
	}
	return nil, false, errNotSealed
}

// isCanonical reports whether the end of sealed text is as Seal writes it. The bits that
// base64 leaves over there are in no authentication code, so that several texts would open
// to one value.
func isCanonical(sealed string) bool {
	const quantum = 4 // characters
	if len(sealed) < quantum {
		return false
	}
	var last [quantum]byte
	_, err := base64.URLEncoding.Strict().Decode(last[:], []byte(sealed[len(sealed)-quantum:]))
	return err == nil
}
