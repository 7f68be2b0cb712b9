package dpop

import (
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/challenge"
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
	for _, c := range challenge.Parse(resp.Header) {
		if code := c.Param("error"); code != "" && c.Is("DPoP") {
			return code
		}
	}
	return ""
}
