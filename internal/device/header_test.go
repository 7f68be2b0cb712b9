package device_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/device"
)

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct {
		name, response, identifier string
		want                       device.Request
		ok                         bool
	}{
		{"as Chromium sends it", "a.b.c", "id_-=", device.Request{Proof: "a.b.c", Identifier: "id_-="}, true},
		{"as the draft has it", `"a.b.c"`, `"id"`, device.Request{Proof: "a.b.c", Identifier: "id"}, true},
		{"with parameters", `"a.b.c";x=1;y="z"`, `id;v=2`, device.Request{Proof: "a.b.c", Identifier: "id"}, true},
		{"with spaces", `  "a.b.c" ;x`, ` id ; v`, device.Request{Proof: "a.b.c", Identifier: "id"}, true},
		{"a registration", "a.b.c", "", device.Request{Proof: "a.b.c"}, true},
		{"a renewal without a proof", "", "id", device.Request{Identifier: "id"}, true},
		{"nothing", "", "", device.Request{}, false},
		{"an empty string", `""`, "id", device.Request{}, false},
		{"parameters alone", ";x=1", "id", device.Request{}, false},
		{"a string without its end", `"a.b.c`, "id", device.Request{}, false},
		{"a backslash at the end", `"a.b.c\`, "id", device.Request{}, false},
		{"an escape that there is not", `"a\b"`, "id", device.Request{}, false},
		{"a quote in a string", `"a\"b"`, "id", device.Request{}, false},
		{"something behind a string", `"a.b.c" x`, "id", device.Request{}, false},
		{"a list", `"a.b.c", "d.e.f"`, "id", device.Request{}, false},
		{"a list without quotes", "a.b.c, d.e.f", "id", device.Request{}, false},
		{"a tab", "a.b\t.c", "id", device.Request{}, false},
		{"another alphabet", "a.b.ç", "id", device.Request{}, false},
		{"the longest identifier", "a.b.c", strings.Repeat("i", 3000), device.Request{Proof: "a.b.c", Identifier: strings.Repeat("i", 3000)}, true},
		{"a longer one", "a.b.c", strings.Repeat("i", 3001), device.Request{}, false},
		{"a long proof", strings.Repeat("p", 8193), "id", device.Request{}, false},
	} {
		h := http.Header{}
		if tt.response != "" {
			h.Set("Secure-Session-Response", tt.response)
		}
		if tt.identifier != "" {
			h.Set("Sec-Secure-Session-Id", tt.identifier)
		}
		if got, err := device.ParseRequest(h); got != tt.want && tt.ok || (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
	twice := http.Header{"Secure-Session-Response": {"a.b.c", "a.b.c"}}
	if got, err := device.ParseRequest(twice); err == nil {
		t.Errorf("a field that is there twice: %+v", got)
	}
	large := http.Header{"Secure-Session-Response": {"a.b.c"}, "X": {strings.Repeat("x", 64<<10)}}
	if _, err := device.ParseRequest(large); !errors.Is(err, device.ErrHeader) {
		t.Errorf("64 KiB of header: %v", err)
	}
}

func TestWrittenFields(t *testing.T) {
	for got, want := range map[string]string{
		device.Offer("/login/device", "C0"): `(ES256 RS256);path="/login/device";challenge="C0"`,
		device.Offer(`/a"b\c`, "C0"):        `(ES256 RS256);path="/a\"b\\c";challenge="C0"`,
		device.Challenge("C1", "S"):         `"C1";id="S"`,
		device.Challenge("C1", ""):          `"C1"`,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What a browser says goes into logs only if it is a word of the draft.
func TestSkipped(t *testing.T) {
	for field, want := range map[string]string{
		"": "", `quota_exceeded;session_identifier="S"`: "quota_exceeded", "unreachable": "unreachable", `"server_error"`: "server_error",
		"eyJhbGciOiJ": "", "quota_exceeded, x": "",
	} {
		if got := device.Skipped(http.Header{"Secure-Session-Skipped": {field}}); got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}
