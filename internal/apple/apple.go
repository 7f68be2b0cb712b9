// Package apple makes and reads what Sign in with Apple has of its own: the client secret,
// which is a JWT, and the form field with the user's name.
package apple

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oauthlogin/oauthlogin/internal/jwt"
)

const (
	// Issuer is Apple's.
	Issuer = "https://appleid.apple.com"
	// Cancelled is the error code of a user who cancels, in place of access_denied.
	Cancelled = "user_cancelled_authorize"

	// secretLifetime is how long a client secret is good. Apple accepts six months.
	secretLifetime = time.Hour
	// maxField bounds the form field, and maxName a name, in bytes.
	maxField = 8 << 10
	maxName  = 1024
)

// A Key signs client secrets of one client.
type Key struct {
	TeamID, KeyID, ClientID string
	Private                 *ecdsa.PrivateKey
}

// Faults says what is missing or wrong.
func (k *Key) Faults() (faults []error) {
	if k.TeamID == "" {
		faults = append(faults, errors.New("teamID is empty"))
	}
	if k.KeyID == "" {
		faults = append(faults, errors.New("keyID is empty"))
	}
	if k.Private == nil || k.Private.Curve != elliptic.P256() {
		faults = append(faults, errors.New("key is not an ECDSA key on P-256"))
	}
	return faults
}

// Secret makes a client secret for one request: a JWT that is good for an hour.
func (k *Key) Secret(context.Context) (string, error) {
	now := time.Now()
	return jwt.Sign(k.Private, jwt.Header{KeyID: k.KeyID}, map[string]any{
		"iss": k.TeamID, "iat": now.Unix(), "exp": now.Add(secretLifetime).Unix(), "aud": Issuer, "sub": k.ClientID,
	})
}

// Name reads a name from the form field user, which a browser brings to a user's first login
// and nothing signs. It returns at most 1,024 bytes in one line, without control characters
// and without those that turn the direction of text. A longer name, and a field that is not
// as Apple writes it, is "".
func Name(field string) string {
	if len(field) > maxField {
		return ""
	}
	var user struct {
		Name map[string]json.RawMessage `json:"name"`
	}
	if json.Unmarshal([]byte(field), &user) != nil {
		return ""
	}
	var words []string
	for _, part := range []string{"firstName", "lastName"} {
		var text string
		if json.Unmarshal(user.Name[part], &text) == nil {
			words = append(words, strings.Fields(strings.Map(shown, text))...)
		}
	}
	if name := strings.Join(words, " "); len(name) <= maxName {
		return name
	}
	return ""
}

// shown maps what separates words to a space, and leaves out what is not to be seen.
func shown(r rune) rune {
	switch {
	case unicode.IsSpace(r) || unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control), r == utf8.RuneError:
		return -1
	}
	return r
}
