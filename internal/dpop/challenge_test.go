package dpop_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

// RFC 9110 section 11.6.1, RFC 9449 sections 7.1 and 9.
var challenges = []struct {
	lines []string
	want  string
}{
	{nil, ""},
	{[]string{""}, ""},
	{[]string{`DPoP error="use_dpop_nonce", error_description="a nonce, please"`}, "use_dpop_nonce"},
	{[]string{`dpop ERROR="use_dpop_nonce"`}, "use_dpop_nonce"},
	{[]string{`DPoP error=invalid_token`}, "invalid_token"},
	{[]string{`DPoP  realm="a" , error = "invalid_token"`}, "invalid_token"},
	{[]string{`DPoP algs="ES256 PS256",error="use_dpop_nonce"`}, "use_dpop_nonce"},
	{[]string{`Bearer, DPoP algs="ES256", error="use_dpop_nonce"`}, "use_dpop_nonce"},
	{[]string{`Bearer error="invalid_token", DPoP algs="ES256"`}, ""},
	{[]string{`Bearer error="use_dpop_nonce"`}, ""},
	{[]string{`Basic realm="x"`, `DPoP error="use_dpop_nonce"`}, "use_dpop_nonce"},
	{[]string{`DPoP`, `error="use_dpop_nonce"`}, ""},
	{[]string{`Bearer error_description="x, DPoP error=\"use_dpop_nonce\""`}, ""},
	{[]string{`Bearer realm="\", DPoP error=use_dpop_nonce"`}, ""},
	{[]string{`Negotiate YII=, DPoP error="use_dpop_nonce"`}, "use_dpop_nonce"},
	{[]string{`DPoP error="a\"b"`}, `a"b`},
	{[]string{`DPoP error_uri="use_dpop_nonce"`}, ""},
	{[]string{`XDPoP error="use_dpop_nonce"`}, ""},
	{[]string{`DPoP error="unfinished`}, `"unfinished`},
	{[]string{`,,DPoP error="use_dpop_nonce",,`}, "use_dpop_nonce"},
	{[]string{strings.Repeat("a", 9<<10) + `, DPoP error="use_dpop_nonce"`}, ""},
}

func TestChallengeError(t *testing.T) {
	t.Parallel()
	for _, tt := range challenges {
		resp := &http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": tt.lines}}
		if got := dpop.ChallengeError(resp); got != tt.want {
			t.Errorf("%.80q: %q, want %q", tt.lines, got, tt.want)
		}
		if resp.StatusCode = 403; dpop.ChallengeError(resp) != "" {
			t.Errorf("%.80q with status 403", tt.lines)
		}
	}
}

// FuzzChallenge: whatever a header has in it, reading it ends, and only a challenge of the
// scheme counts.
func FuzzChallenge(f *testing.F) {
	for _, tt := range challenges {
		f.Add(strings.Join(tt.lines, ", "))
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := dpop.ChallengeError(&http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {line}}})
		if got != "" && (!strings.Contains(strings.ToLower(line), "dpop") || !strings.Contains(strings.ToLower(line), "error")) {
			t.Errorf("%q: %q", line, got)
		}
	})
}
