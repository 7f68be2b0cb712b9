package challenge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/challenge"
)

var lines = []struct{ line, schemes, scope string }{
	{"", "", ""},
	{",,", "", ""},
	{"Bearer", "Bearer", ""},
	{`scope="of none", Bearer`, "Bearer", ""},
	{`Bearer scope="a b", error=x`, "Bearer", "a b"},
	{`Bearer SCOPE=a, scope=b`, "Bearer", "a"},
	{`Basic realm="x, y", Bearer  scope = "a\"b"`, "Basic Bearer", `a"b`},
	{`Negotiate YII=, DPoP scope=c`, "Negotiate DPoP", "c"},
	{`Bearer scope="unfinished`, "Bearer", `"unfinished`},
}

// RFC 9110 sections 11.3 and 11.6.1.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range lines {
		var schemes []string
		var scope strings.Builder
		for _, c := range challenge.Parse(http.Header{"Www-Authenticate": {tt.line}}) {
			schemes = append(schemes, c.Scheme)
			scope.WriteString(c.Param("scope"))
		}
		if got := strings.Join(schemes, " "); got != tt.schemes || scope.String() != tt.scope {
			t.Errorf("%q: schemes %q, scope %q", tt.line, got, scope.String())
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	h := http.Header{"Www-Authenticate": {strings.Repeat("Bearer ,", 2<<10)}}
	for range 100 {
		h.Add("WWW-Authenticate", "DPoP")
	}
	got := challenge.Parse(h)
	if n := len(got); n > 1024+15 || !got[n-1].Is("dpop") {
		t.Errorf("%d challenges", n)
	}
}

// FuzzParse: reading ends, and everything that is read is in the line.
func FuzzParse(f *testing.F) {
	for _, tt := range lines {
		f.Add(tt.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, c := range challenge.Parse(http.Header{"Www-Authenticate": {line}}) {
			if !strings.Contains(line, c.Scheme) || !c.Is(c.Scheme) {
				t.Errorf("%q: scheme %q", line, c.Scheme)
			}
			if got := c.Param("scope"); !strings.Contains(strings.ReplaceAll(line, `\`, ""), strings.ReplaceAll(got, `\`, "")) {
				t.Errorf("%q: scope %q", line, got)
			}
		}
	})
}
