package protocol

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/challenge"
)

// The error codes with which an API asks for more than its access token shows.
const (
	InsufficientScope          = "insufficient_scope"               // RFC 6750 section 3.1
	InsufficientAuthentication = "insufficient_user_authentication" // RFC 9470 section 3
)

// Needs is what an API asks for. It is the API's word, bounded and of the right characters.
type Needs struct {
	Code string
	// Scopes are what insufficient_scope names; nil: nothing that can be requested.
	Scopes []string
	// ACR are acr_values, by preference, and MaxAge is max_age, of
	// insufficient_user_authentication; nil and 0: not named. A max_age of 0 seconds is a
	// nanosecond.
	ACR    []string
	MaxAge time.Duration
}

const (
	// maxNeeds bounds scope and acr_values, in bytes. They go into the URL of an
	// authorization request.
	maxNeeds = 1 << 10
	// maxNeedsMany bounds how many scopes and acr_values there are.
	maxNeedsMany = 32
)

// NeedsOf reads a response of an API with status 401 or 403. ok is false if it asks for
// nothing that a login could bring.
func NeedsOf(resp *http.Response) (n Needs, ok bool) {
	code := InsufficientAuthentication
	switch resp.StatusCode {
	case http.StatusForbidden:
		code = InsufficientScope
	case http.StatusUnauthorized:
	default:
		return Needs{}, false
	}
	for _, c := range challenge.Parse(resp.Header) {
		if !c.Is("Bearer") && !c.Is("DPoP") || c.Param("error") != code {
			continue
		}
		n = Needs{Code: code}
		if code == InsufficientScope {
			n.Scopes = words(c.Param("scope"))
			return n, true
		}
		n.ACR = words(c.Param("acr_values"))
		if age, err := ParseMaxAge(c.Param("max_age")); err == nil {
			n.MaxAge = max(age, 1)
		}
		return n, true
	}
	return Needs{}, false
}

// words returns the words of a list that spaces separate, each once; nil if the list is too
// long, or one of them cannot be sent. A part of what an API asks for would not help.
func words(list string) (words []string) {
	if len(list) > maxNeeds {
		return nil
	}
	for word := range strings.SplitSeq(list, " ") {
		switch {
		case word == "":
		case NoScopeToken(word):
			return nil
		case !slices.Contains(words, word):
			words = append(words, word)
		}
	}
	if len(words) > maxNeedsMany {
		return nil
	}
	return words
}
