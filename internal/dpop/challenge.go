package dpop

import (
	"net/http"
	"strings"
)

// The error codes of a proof that a server does not accept (RFC 9449 sections 5 and 8).
const (
	UseNonce     = "use_dpop_nonce"
	InvalidProof = "invalid_dpop_proof"
)

// ChallengeError returns the error code with which an API refuses a proof or a bound token
// (RFC 9449 section 7.1): that of the challenge with the scheme DPoP in WWW-Authenticate.
// It is "" for every other response.
func ChallengeError(resp *http.Response) string {
	if resp.StatusCode != http.StatusUnauthorized {
		return ""
	}
	for _, line := range resp.Header.Values("WWW-Authenticate") {
		scheme := ""
		for _, part := range challengeParts(line[:min(len(line), maxChallenge)]) {
			if part.scheme != "" {
				scheme = part.scheme
			}
			if strings.EqualFold(scheme, "DPoP") && strings.EqualFold(part.name, "error") {
				return part.value
			}
		}
	}
	return ""
}

// maxChallenge bounds what is read of a line of WWW-Authenticate, in bytes.
const maxChallenge = 8 << 10

// A challengePart is a parameter of a challenge, with the scheme if it is the first, or a
// scheme alone.
type challengePart struct{ scheme, name, value string }

// challengeParts reads a list of challenges (RFC 9110 section 11.6.1): commas separate
// both challenges and their parameters.
func challengeParts(line string) (parts []challengePart) {
	for _, item := range splitList(line) {
		var part challengePart
		name, value, isParam := strings.Cut(item, "=")
		if scheme, rest, ok := strings.Cut(strings.TrimSpace(name), " "); ok || !isParam {
			part.scheme, name = scheme, rest
		}
		part.name = strings.TrimSpace(name)
		if isParam {
			part.value = unquote(strings.TrimSpace(value))
		}
		parts = append(parts, part)
	}
	return parts
}

// splitList splits a list at the commas that are not in quoted strings.
func splitList(line string) (items []string) {
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ',' && !quoted:
			items = append(items, strings.TrimSpace(line[start:i]))
			start = i + 1
		}
	}
	return append(items, strings.TrimSpace(line[start:]))
}

// unquote returns the value of a token or of a quoted string (RFC 9110 section 5.6.4).
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
