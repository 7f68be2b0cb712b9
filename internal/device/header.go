package device

import (
	"errors"
	"net/http"
	"strings"
)

// The header fields of the draft.
const (
	RegistrationField = "Secure-Session-Registration"
	ChallengeField    = "Secure-Session-Challenge"
	ResponseField     = "Secure-Session-Response"
	IdentifierField   = "Sec-Secure-Session-Id"
	SkippedField      = "Secure-Session-Skipped"
)

// maxHeader bounds all header fields of a request together, which has the session's
// cookies at most.
const maxHeader = 48 << 10

var (
	// ErrHeader is the error of a request whose header is too large.
	ErrHeader = errors.New("the header is too large")

	errField = errors.New("a header field is malformed")
)

// A Request is what the header of a browser's request says.
type Request struct {
	Identifier string // "": of a registration
	Proof      string // "": the browser asks for a challenge
}

// ParseRequest reads the header of a registration or a renewal.
func ParseRequest(h http.Header) (r Request, err error) {
	size := 0
	for name, values := range h {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > maxHeader {
		return Request{}, ErrHeader
	}
	if r.Identifier, err = item(h[IdentifierField], maxIdentifier); err != nil {
		return Request{}, err
	}
	if r.Proof, err = item(h[ResponseField], maxProof); err != nil {
		return Request{}, err
	}
	if r == (Request{}) {
		return Request{}, errField
	}
	return r, nil
}

// item returns the value of a field that is one item with parameters (RFC 9651 section
// 3.3): a string in quotes, as the draft has it, or without, as Chromium sends it. It is ""
// if the field is not there.
func item(lines []string, most int) (string, error) {
	switch {
	case len(lines) == 0:
		return "", nil
	case len(lines) > 1 || len(lines[0]) > most:
		return "", errField
	}
	line := strings.Trim(lines[0], " ")
	value, rest := "", ""
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		if value, rest, ok = unquote(quoted); !ok {
			return "", errField
		}
	} else if end := strings.IndexByte(line, ';'); end >= 0 {
		value, rest = strings.TrimRight(line[:end], " "), line[end:]
	} else {
		value = line
	}
	rest = strings.TrimLeft(rest, " ")
	if value == "" || strings.ContainsFunc(value, notInValue) || rest != "" && rest[0] != ';' {
		return "", errField
	}
	return value, nil
}

// unquote reads a string (RFC 9651 section 4.2.5) behind its first quote.
func unquote(line string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return b.String(), line[i+1:], true
		case c == '\\':
			if i++; i == len(line) || line[i] != '"' && line[i] != '\\' {
				return "", "", false
			}
			b.WriteByte(line[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// notInValue reports whether neither JWTs nor what is sealed have a character.
func notInValue(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.=", r))
}

// Offer returns the value of RegistrationField. The path has to be as a URL has it.
func Offer(path, challenge string) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, alg := range algs {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(alg))
	}
	b.WriteString(`);path=` + quote(path) + `;challenge=` + quote(challenge))
	return b.String()
}

// Challenge returns the value of ChallengeField. A registration has no identifier yet.
func Challenge(challenge, identifier string) string {
	if identifier == "" {
		return quote(challenge)
	}
	return quote(challenge) + ";id=" + quote(identifier)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quote(text string) string { return `"` + escapes.Replace(text) + `"` }

// Skipped returns why a browser has not renewed a bound cookie before a request, "" if it
// does not say so in a word of the draft.
func Skipped(h http.Header) string {
	reason, _, _ := strings.Cut(h.Get(SkippedField), ";")
	switch reason = strings.Trim(reason, ` "`); reason {
	case "quota_exceeded", "unreachable", "server_error":
		return reason
	}
	return ""
}

// RenewalFailed reports whether a browser says that the server kept it from renewing.
func RenewalFailed(h http.Header) bool {
	reason := Skipped(h)
	return reason == "server_error" || reason == "unreachable"
}
