package docs_test

import (
	"slices"
	"strings"
	"testing"
)

// The keys of log lines: alerts and searches depend on them.
var logKeys = []string{
	// what most lines have
	"event", "provider", "issuer", "subject", "code", "error", "reference", "duration",
	// what is of one line
	"backchannel_logout_uri", "began_at", "bytes", "callbacks", "description", "document", "endpoint", "keys", "lang", "left_out",
	"login_path", "logout_path", "members", "path", "provider_code", "redirect_url", "request_bytes", "response_bytes", "used",
}

// Each log line has a constant message and keys of one list, so that "error" is not "err" elsewhere.
func TestLogKeys(t *testing.T) {
	begin(t)
	for message, line := range logLines(t) {
		if message != "…" && strings.Contains(message, "…") { // but for the kind of an event
			t.Errorf("%s: the message %q is not constant", line.where, message)
		}
		for _, key := range line.keys {
			if !slices.Contains(logKeys, key) {
				t.Errorf("%s: %q has the key %q, which is not one of the list", line.where, message, key)
			}
		}
	}
}
