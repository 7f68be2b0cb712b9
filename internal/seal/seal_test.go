package seal

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

var key1, key2 = bytes.Repeat([]byte("key 1"), 8), bytes.Repeat([]byte("key 2"), 8)

func newSealer(t *testing.T, purpose string, keys ...[]byte) *Sealer {
	t.Helper()
	s, err := New(keys, purpose, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealed(t *testing.T, s *Sealer, name, value string) string {
	t.Helper()
	text, err := s.Seal(name, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The name that a value is sealed under would be enough to tell it from others;
// keys of its own make each purpose safe from the names of another.
func TestSealers(t *testing.T) {
	s := newSealer(t, "a", key1, key2)
	text := sealed(t, s, "name", "value")
	for _, tt := range []struct {
		name   string
		sealer *Sealer
		under  string
		opens  bool
		oldKey bool
	}{
		{"the same", s, "name", true, false},
		{"another with the same keys", newSealer(t, "a", key1, key2), "name", true, false},
		{"one with the sealing key alone", newSealer(t, "a", key1), "name", true, false},
		{"one with a new key in front", newSealer(t, "a", key2, key1), "name", true, true},
		{"another name", s, "other", false, false},
		{"a name that is longer", s, "name2", false, false},
		{"another purpose", newSealer(t, "b", key1, key2), "name", false, false},
		{"another key", newSealer(t, "a", key2), "name", false, false},
		{"without keys", newSealer(t, "a"), "name", false, false},
	} {
		value, oldKey, err := tt.sealer.Open(tt.under, text)
		if (err == nil) != tt.opens || oldKey != tt.oldKey || tt.opens != (string(value) == "value") {
			t.Errorf("%s: %q, by an old key: %t, %v", tt.name, value, oldKey, err)
		}
	}
}

// A value can be in a cookie and in a query, does not show what it contains, and
// differs from write to write.
func TestSealedText(t *testing.T) {
	s := newSealer(t, "a", key1)
	one, other := sealed(t, s, "name", "a secret value"), sealed(t, s, "name", "a secret value")
	if one == other {
		t.Error("two writes have the same text")
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+={0,2}$`).MatchString(one) {
		t.Errorf("%q is not base64url", one)
	}
	if value, _, err := s.Open("name", sealed(t, s, "name", strings.Repeat("x", 1<<17))); err != nil || len(value) != 1<<17 {
		t.Errorf("a large value: %d bytes, %v", len(value), err)
	}
}

// No byte can be changed, and nothing that is shorter or longer opens.
func TestChangedTextDoesNotOpen(t *testing.T) {
	s := newSealer(t, "a", key1)
	text := sealed(t, s, "name", "value")
	for i := range len(text) {
		b := []byte(text)
		if b[i] = 'A'; text[i] == 'A' {
			b[i] = 'B'
		}
		if value, _, err := s.Open("name", string(b)); err == nil {
			t.Errorf("opens with byte %d changed, to %q", i, value)
		}
		if _, _, err := s.Open("name", text[:i]); err == nil {
			t.Errorf("%d of %d bytes open", i, len(text))
		}
	}
	for _, more := range []string{text + "A", text + text, "A" + text} {
		if _, _, err := s.Open("name", more); err == nil {
			t.Errorf("%d bytes instead of %d open", len(more), len(text))
		}
	}
}

// A sealed text is the only one of its value: what base64 leaves over in the last character
// does not make another one.
func TestOneTextForAValue(t *testing.T) {
	s, err := New([][]byte{bytes.Repeat([]byte("k3y"), 11)}, "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
	for n := range 9 { // every length of the last group
		sealed, err := s.Seal("name", make([]byte, n+1))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Open("name", sealed); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		for at := len(sealed) - 4; at < len(sealed); at++ {
			for _, c := range alphabet {
				other := sealed[:at] + string(c) + sealed[at+1:]
				if _, _, err := s.Open("name", other); other != sealed && err == nil {
					t.Errorf("%d bytes: character %d may be %q", n, at-len(sealed), c)
				}
			}
		}
	}
}
