package seal

import (
	"strings"
	"testing"
)

// The version before sealed texts as they are.
func TestText(t *testing.T) {
	for _, text := range []string{"", "/", "/goodbye?x=1", "acr_values=phr&prompt=login", strings.Repeat("/long", 400)} {
		packed := PackText(text)
		if packed[0] != version {
			t.Errorf("%q is packed as version %d", text, packed[0])
		}
		if got, err := UnpackText(packed); err != nil || got != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
		if got, err := UnpackText([]byte(text)); text != "" && (err != nil || got != text) {
			t.Errorf("%q of the version before became %q, %v", text, got, err)
		}
	}
	for name, packed := range map[string][]byte{
		"nothing": nil, "version 3": {3, 0, 0, 1, 'a'}, "too long": {version, 0, 0, 9, 'a'}, "too short": {version, 0, 0, 1, 'a', 'b'},
	} {
		if got, err := UnpackText(packed); err == nil {
			t.Errorf("%s unpacks as %q", name, got)
		}
	}
}
