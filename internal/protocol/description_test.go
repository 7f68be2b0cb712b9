package protocol

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDescription(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                        "",
		"AADSTS50078: MFA is required.":           "AADSTS50078: MFA is required.",
		"line\r\nbreak\ttab\x00zero":              "line break tab zero",
		"<b>alert(1)</b>":                         "b alert(1) /b",
		"<script>alert(1)</script>":               "",
		"code=abc&state=x \"quoted\"":             "code abc state x quoted",
		"token eyJhbGciOi is bad":                 "token is bad",
		"the code 12345678901234567890 is bad":    "the code is bad",
		"the code 1234567890123456789 is allowed": "the code 1234567890123456789 is allowed",
		"Zugriff für äöü":                         "Zugriff für äöü",
		strings.Repeat("abc ", 100):               strings.TrimSpace(strings.Repeat("abc ", 50)),
	} {
		if got := Description(text); strings.TrimSpace(got) != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := Description(strings.Repeat("ä ", 1000)); len(got) > maxDescription || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
}

// A long word with characters in it that the log does not show is left out as a whole.
func TestDescriptionOmitsEscapedSecrets(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"dGhpcyBp%2BcyBhIHNlY3Jl%2BdCB0b2tlbg%3D%3D", "dGhpcyBp+cyBhIHNlY3Jl+dCB0b2tlbg==",
		"code=dGhpcyBp~cyBhIHNlY3Jl&x=1", "eyJhbGci%2EeyJzdWIi", "\"eyJhbGci\"",
	} {
		if got := Description("the token " + secret + " is bad"); got != "the token is bad" {
			t.Errorf("%s becomes %q", secret, got)
		}
	}
}
