// Package challenge reads what servers write into WWW-Authenticate.
package challenge

import (
	"net/http"
	"strings"
)

const (
	// maxLine bounds what is read of a line, in bytes.
	maxLine = 8 << 10
	// maxLines bounds how many lines are read.
	maxLines = 16
)

// A Challenge is what one scheme asks for (RFC 9110 section 11.3).
type Challenge struct {
	Scheme string // as the server wrote it
	params []param
}

type param struct{ name, value string }

// Is reports whether a challenge is of a scheme, in any case.
func (c *Challenge) Is(scheme string) bool { return strings.EqualFold(c.Scheme, scheme) }

// Param returns the first parameter of a name, in any case; "" if there is none. It is what
// the server wrote: of any length up to that of the line, with any characters.
func (c *Challenge) Param(name string) string {
	for _, p := range c.params {
		if strings.EqualFold(p.name, name) {
			return p.value
		}
	}
	return ""
}

// Parse returns the challenges of a response (RFC 9110 section 11.6.1), in their order:
// commas separate both challenges and their parameters. Parameters before the first scheme
// of a line belong to none.
func Parse(h http.Header) (challenges []Challenge) {
	lines := h.Values("WWW-Authenticate")
	for _, line := range lines[:min(len(lines), maxLines)] {
		challenges = append(challenges, parseLine(line[:min(len(line), maxLine)])...)
	}
	return challenges
}

func parseLine(line string) (challenges []Challenge) {
	for _, item := range splitList(line) {
		name, value, isParam := strings.Cut(item, "=")
		if scheme, rest, ok := strings.Cut(strings.TrimSpace(name), " "); ok || !isParam && item != "" {
			challenges = append(challenges, Challenge{Scheme: scheme})
			name = rest
		}
		if !isParam || len(challenges) == 0 {
			continue
		}
		last := &challenges[len(challenges)-1]
		last.params = append(last.params, param{strings.TrimSpace(name), unquote(strings.TrimSpace(value))})
	}
	return challenges
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
