package protocol

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrMixUp is the response of another provider (RFC 9700 section 4.4).
	ErrMixUp = errors.New("response of another provider")
	// ErrInsufficient is a sign-in that is not what the authorization request
	// asked for.
	ErrInsufficient = errors.New("the sign-in does not meet the requested max_age or acr_values")

	errMalformed = errors.New("response is malformed")
)

// A CallError is a request that brought no usable response.
type CallError struct{ err error }

func (e *CallError) Error() string { return "call failed: " + beforeQuote(e.err) }

// Is and As look into the cause. There is no Unwrap: code that walks down a chain
// of errors to show it would show what the provider sent.
func (e *CallError) Is(target error) bool { return errors.Is(e.err, target) }

// As is described at Is.
func (e *CallError) As(target any) bool { return errors.As(e.err, target) }

// CallFailed turns an error of [net/http.Client], whose text begins with the URL,
// into a [CallError]. It returns other errors as they are.
func CallFailed(err error) error {
	var call *url.Error
	if errors.As(err, &call) {
		return &CallError{call.Err}
	}
	return err
}

// beforeQuote returns an error's text up to the first quotation mark: what
// libraries quote is what the provider sent.
func beforeQuote(err error) string {
	text := err.Error()
	if i := strings.IndexAny(text, "\"'`"); i >= 0 {
		text = strings.TrimRight(text[:i], " :") + " ..."
	}
	return text[:min(len(text), 200)]
}

// A StatusError is a response whose status alone makes it an error. The body is
// not shown.
type StatusError int

func (e StatusError) Error() string { return fmt.Sprintf("response with status %d", int(e)) }

// A TokenError is an error response of the token endpoint (RFC 6749 section 5.2),
// without its description, which may repeat what was sent.
type TokenError struct {
	Status  int
	Code    string // as [ErrorCode] returns it; "": none
	refusal bool   // and no fault of the server or of what is in front of it
}

func (e *TokenError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("token endpoint responded %d without an error code", e.Status)
	}
	return fmt.Sprintf("token endpoint responded %d with error %q", e.Status, e.Code)
}

// shownCode is [ErrorCode], but for a missing code.
func shownCode(code string) string {
	if code == "" {
		return ""
	}
	return ErrorCode(code)
}

// ErrorCode returns an error code as it may be shown. Registered codes are
// lower-case letters and underscores; anything else may repeat what was sent and
// becomes "unknown".
func ErrorCode(code string) string {
	if len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		return "unknown"
	}
	return code
}

// A metadataError is a provider without usable metadata.
type metadataError struct {
	issuer string
	err    error
}

func (e *metadataError) Error() string { return "discover " + e.issuer + ": " + e.err.Error() }

func (e *metadataError) Unwrap() error { return e.err }

// A keysError is a failure to get the provider's keys. It says nothing about the
// token.
type keysError struct{ err error }

func (e *keysError) Error() string { return "fetch keys: " + e.err.Error() }

func (e *keysError) Unwrap() error { return e.err }

// Unavailable reports whether err means that the provider cannot be reached, or
// has no usable metadata or keys, as opposed to a response that is wrong.
func Unavailable(err error) bool {
	var (
		refused  *TokenError
		status   StatusError
		metadata *metadataError
		keys     *keysError
		call     *CallError
		foreign  *url.Error // of an HTTP client that is not made here
		push     *PushError
	)
	if errors.As(err, &push) {
		return push.unavailable()
	}
	return !errors.As(err, &refused) && !errors.Is(err, errNoUsableKey) &&
		(errors.As(err, &status) || errors.As(err, &metadata) || errors.As(err, &keys) || errors.As(err, &call) || errors.As(err, &foreign))
}

// KeysUnavailable reports whether err means that a token could not be checked
// because the provider's keys could not be read.
func KeysUnavailable(err error) bool {
	var keys *keysError
	return errors.As(err, &keys)
}

// A Refusal is what an error of a refresh means for the grant.
type Refusal int

const (
	// NotRefused is a fault of the provider, the network or the client's configuration.
	// It says nothing about the grant.
	NotRefused Refusal = iota
	// Refused means that the provider gives no new access token.
	Refused
	// GrantEnded means that the refresh token is worthless.
	GrantEnded
)

// RefusalOf reads an error of [Client.Refresh]. A refusal is 400, 401 or 403 that is
// not a page, or 200 with an error and without a token, whatever the code, or none (RFC
// 6749 section 5.2). Excepted are codes that mean the client's configuration, an outage,
// or DPoP (RFC 9449 sections 5 and 8). "bad_refresh_token" is GitHub's invalid_grant.
func RefusalOf(err error) Refusal {
	var refused *TokenError
	switch {
	case !errors.As(err, &refused) || !refused.refusal:
		return NotRefused
	case slices.Contains([]string{"invalid_grant", "bad_refresh_token"}, refused.Code):
		return GrantEnded
	case Misconfigured(err), slices.Contains([]string{"temporarily_unavailable", "server_error", "slow_down", "use_dpop_nonce", "invalid_dpop_proof"}, refused.Code):
		return NotRefused
	}
	return Refused
}

// Misconfigured reports whether err is an error response that every request of this
// client meets, until its configuration changes.
func Misconfigured(err error) bool {
	var push *PushError
	if errors.As(err, &push) {
		return slices.Contains([]string{"invalid_client", "unauthorized_client", "invalid_scope"}, push.Code)
	}
	return hasCode(err, "invalid_client", "unauthorized_client")
}

// RefusesCode reports whether err is an error response that rejects an authorization
// code. "bad_verification_code" is GitHub's invalid_grant, "invalid_code" and
// "code_already_used" are Slack's, and some providers call a code that is not good any more
// an invalid_request.
func RefusesCode(err error) bool {
	return hasCode(err, "invalid_grant", "bad_verification_code", "invalid_code", "code_already_used", "invalid_request")
}

func hasCode(err error, codes ...string) bool {
	var refused *TokenError
	return errors.As(err, &refused) && slices.Contains(codes, refused.Code)
}

// maxRetryAfter bounds how long a provider can keep a refresh from being tried again.
const maxRetryAfter = 10 * time.Minute

// A laterError is an error response with Retry-After.
type laterError struct {
	error
	after time.Duration
}

func (e *laterError) Unwrap() error { return e.error }

// later adds Retry-After to an error (RFC 9110 section 10.2.3).
func later(err error, h http.Header) error {
	text := h.Get("Retry-After")
	after := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = time.Until(at)
	}
	if after <= 0 {
		return err
	}
	return &laterError{err, min(after, maxRetryAfter)}
}

// RetryAfter returns how long the provider asks to wait after err, at most ten minutes;
// 0 if it does not.
func RetryAfter(err error) time.Duration {
	var e *laterError
	if errors.As(err, &e) {
		return e.after
	}
	return 0
}
