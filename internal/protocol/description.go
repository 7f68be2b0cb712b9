package protocol

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oauthlogin/oauthlogin/internal/challenge"
)

// minEcho is the length, in bytes, from which on a text that was sent is looked for.
const minEcho = 6

// maxDescription bounds an error_description in the log, in bytes.
const maxDescription = 200

// Description is an error_description as the log may show it: letters, digits, spaces
// and some punctuation. Words that may repeat what was sent are left out: those of 20
// characters and more, and those with the beginning of a JWT.
func Description(text string) string {
	isSpace := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	var words []string
	for word := range strings.FieldsFuncSeq(text[:min(len(text), 16*maxDescription)], isSpace) {
		// Before anything is taken out of it: escapes would split a secret.
		if utf8.RuneCountInString(word) < 20 && !strings.Contains(word, "eyJ") {
			words = append(words, strings.Fields(strings.Map(asShown, word))...)
		}
	}
	clean := strings.Join(words, " ")
	if len(clean) > maxDescription {
		clean = strings.ToValidUTF8(clean[:maxDescription], "")
	}
	return clean
}

// asShown returns a character that the log may show, and a space for any other.
func asShown(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".,:;_()/'-", r) {
		return r
	}
	return ' '
}

// logDescription logs, at Debug, how an endpoint describes an error, unless the
// description repeats something of what was sent.
func (c *Client) logDescription(ctx context.Context, endpoint, contentType string, body []byte, sent ...string) {
	if o, err := parseTokenResponse(contentType, body); err == nil {
		c.describe(ctx, endpoint, o.String("error"), o.String("error_description"), sent...)
	}
}

// logChallenge is logDescription for a resource, which describes an error in its
// challenge (RFC 6750 section 3). Of several, the first that does counts.
func (c *Client) logChallenge(ctx context.Context, endpoint string, header http.Header, sent ...string) {
	for _, asked := range challenge.Parse(header) {
		if description := asked.Param("error_description"); description != "" {
			c.describe(ctx, endpoint, asked.Param("error"), description, sent...)
			return
		}
	}
}

func (c *Client) describe(ctx context.Context, endpoint, code, description string, sent ...string) {
	if description == "" {
		return
	}
	for _, text := range append(sent, c.OAuth2.ClientSecret) {
		if len(text) >= minEcho && strings.Contains(description, text) {
			return
		}
	}
	c.log.DebugContext(ctx, "oauthlogin: the provider describes an error", "endpoint", endpoint,
		"provider_code", shownCode(code), "description", Description(description))
}
