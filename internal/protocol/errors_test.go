package protocol

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// RFC 6749 section 5.2, and what providers make of it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	parse := func(status int, contentType, body string) error {
		_, err := parseTokens(status, contentType, []byte(body), time.Now(), false)
		return fmt.Errorf("refresh: %w", err)
	}
	inJSON := func(status int, code string) error { return parse(status, "application/json", `{"error":"`+code+`"}`) }
	for _, code := range []string{"invalid_grant", "bad_refresh_token"} {
		for _, status := range []int{200, 400, 401, 403} {
			if got := RefusalOf(inJSON(status, code)); got != GrantEnded {
				t.Errorf("%d %s: %d", status, code, got)
			}
		}
	}
	for _, code := range []string{"interaction_required", "consent_required", "login_required", "invalid_request", "access_denied", "invalid_token", "mfa_required", "Own.Code-7", ""} {
		for _, status := range []int{400, 401, 403} {
			if got := RefusalOf(inJSON(status, code)); got != Refused {
				t.Errorf("%d %s: %d", status, code, got)
			}
		}
	}
	if got := RefusalOf(inJSON(200, "interaction_required")); got != Refused {
		t.Errorf("200: %d", got)
	}
	for _, code := range []string{"invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error", "slow_down", "use_dpop_nonce", "invalid_dpop_proof"} {
		for _, status := range []int{200, 400, 401, 403} {
			err := inJSON(status, code)
			if got := RefusalOf(err); got != NotRefused {
				t.Errorf("%d %s: %d", status, code, got)
			}
			if got, want := Misconfigured(err), strings.HasSuffix(code, "_client"); got != want {
				t.Errorf("%d %s: misconfigured %t", status, code, got)
			}
		}
	}
	for _, status := range []int{302, 307, 404, 405, 408, 410, 425, 429, 500, 502, 503, 504} {
		for _, body := range []string{`{"error":"invalid_grant"}`, `{}`, ""} {
			if err := parse(status, "application/json", body); status != 404 && status != 405 && status != 408 && status != 410 && status != 425 && RefusalOf(err) != NotRefused {
				t.Errorf("%d %s: %v", status, body, err)
			} else if RefusalOf(err) != NotRefused {
				t.Errorf("%d %s is a refusal: %v", status, body, err)
			}
		}
	}
	for _, err := range []error{nil, errors.New("x"), &CallError{errors.New("reset")}, parse(400, "text/html", "<html>"), parse(403, "", "<!doctype html>"), parse(200, "", "{}")} {
		if got := RefusalOf(err); got != NotRefused {
			t.Errorf("%v: %d", err, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, "601": 10 * time.Minute, "4000000000": 10 * time.Minute, "99999999999999999999": 10 * time.Minute, "-1": 0, "soon": 0, "1.5": 0,
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat): 10 * time.Minute, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		err := later(StatusError(503), http.Header{"Retry-After": {value}})
		var status StatusError
		if got := RetryAfter(fmt.Errorf("x: %w", err)); got != want || !errors.As(err, &status) || !Unavailable(err) || err.Error() != "response with status 503" {
			t.Errorf("%q: %v of %v", value, got, err)
		}
	}
	if RetryAfter(nil) != 0 || RetryAfter(errors.New("x")) != 0 {
		t.Error("an error without Retry-After")
	}
}

// What a response is called does not make it a page, and no page refuses a grant.
func TestRefusalsByAnotherName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		contentType string
		status      int
		body        string
		want        Refusal
	}{
		{"text/html; charset=UTF-8", 400, `{"error":"invalid_grant"}`, GrantEnded},
		{"text/html", 401, "\n" + `{"error":"login_required"}`, Refused},
		{"text/html", 403, "Forbidden", NotRefused},
		{"application/json", 400, "\ufeff<!doctype html>", NotRefused},
		{"application/json", 200, `{"error":{"code":190,"message":"session has expired"}}`, Refused},
		{"application/json", 200, `{"error":null}`, NotRefused},
		{"application/json", 200, `{"error":{},"access_token":"a"}`, NotRefused},
		{"application/json", 503, `{"error":{"code":190}}`, NotRefused},
	} {
		_, err := parseTokens(tt.status, tt.contentType, []byte(tt.body), time.Now(), false)
		if got := RefusalOf(err); got != tt.want {
			t.Errorf("%d %s %s: %d, %v", tt.status, tt.contentType, tt.body, got, err)
		}
	}
}

// An error says what failed and never what the provider sent. Its cause can be
// looked for, and not be unwrapped.
func TestCallErrors(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]string{
		errors.New("connection refused"):                       "call failed: connection refused",
		errors.New(`malformed HTTP response "hostile"`):        "call failed: malformed HTTP response ...",
		errors.New("certificate is valid for 'hostile'"):       "call failed: certificate is valid for ...",
		errors.New(strings.Repeat("a", 1000)):                  "call failed: " + strings.Repeat("a", 200),
		fmt.Errorf("read: %w", io.ErrUnexpectedEOF):            "call failed: read: unexpected EOF",
		x509.UnknownAuthorityError{Cert: nil}:                  "call failed: x509: certificate signed by unknown authority",
		fmt.Errorf("a: %w", errors.New("`hostile` and so on")): "call failed: a ...",
	} {
		err := CallFailed(&url.Error{Op: "Get", URL: "https://x/?code=hostile", Err: cause})
		if err.Error() != want || !errors.Is(err, cause) || errors.Unwrap(err) != nil || !Unavailable(fmt.Errorf("call: %w", err)) {
			t.Errorf("%q", err)
		}
	}
	if err := errors.New("x"); CallFailed(err) != err || Unavailable(err) {
		t.Error("another error")
	}
	if err := (&url.Error{Op: "Get", URL: "x", Err: io.EOF}); !Unavailable(err) {
		t.Error("an error of another HTTP client")
	}
	if err := fmt.Errorf("%w, %w", StatusError(500), &TokenError{400, "invalid_grant", true}); Unavailable(err) {
		t.Error("an error response is not an outage")
	}
	for code, want := range map[string]string{"invalid_grant": "invalid_grant", "": "", "Hostile": "unknown", "a b": "unknown", "a\n": "unknown", strings.Repeat("a", 65): "unknown"} {
		if got := ErrorCode(code); got != want {
			t.Errorf("%q is shown as %q", code, got)
		}
	}
}
