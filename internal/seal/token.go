package seal

import (
	"encoding/base64"
	"slices"
	"strings"
)

// A Token is a token that requests seldom need. A JWT that was unpacked stays in
// its decoded segments until its text is asked for, because encoding takes time.
type Token struct {
	whole    string
	segments [3][]byte // of a JWT, decoded, the first not empty; whole is "" then
}

// NewToken returns the token that a provider issued as text; "" is the zero Token.
func NewToken(text string) Token { return Token{whole: text} }

// IsZero reports whether there is no token.
func (t *Token) IsZero() bool { return t.whole == "" && len(t.segments[0]) == 0 }

// Text returns the token as the provider issued it, "" for the zero Token.
func (t *Token) Text() string {
	if len(t.segments[0]) == 0 {
		return t.whole
	}
	return joinJWT(&t.segments)
}

// Payload returns the payload of a JWT, which the caller has verified before, and
// nil for any other token. It may be a part of what was unpacked.
func (t *Token) Payload() []byte {
	if len(t.segments[0]) > 0 {
		return t.segments[1]
	}
	_, rest, _ := strings.Cut(t.whole, ".")
	segment, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(segment) // signatures need not be strict
	if err != nil {
		return nil
	}
	return payload
}

// Size returns how many bytes of memory the token takes.
func (t *Token) Size() int {
	return len(t.whole) + len(t.segments[0]) + len(t.segments[1]) + len(t.segments[2])
}

// jwt returns the segments of a JWT; ok is false for any other token.
func (t *Token) jwt() (segments [3][]byte, ok bool) {
	if len(t.segments[0]) > 0 {
		return t.segments, true
	}
	return splitJWT(t.whole)
}

// splitJWT decodes s as three segments of base64url; ok is false if s is not that.
func splitJWT(s string) (segments [3][]byte, ok bool) {
	if strings.Count(s, ".") != len(segments)-1 || s[0] == '.' {
		return segments, false
	}
	i := 0
	for part := range strings.SplitSeq(s, ".") {
		segment, err := base64.RawURLEncoding.Strict().DecodeString(part)
		// The decoder skips line breaks: only text that encodes back is split.
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
