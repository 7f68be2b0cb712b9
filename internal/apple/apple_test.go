package apple_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/apple"
)

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The secret is as Apple's documentation describes it, and good for an hour.
func TestSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := apple.Key{TeamID: "DEF123GHIJ", KeyID: "ABC123DEFG", ClientID: "com.mytest.app", Private: newKey(t, elliptic.P256())}
		for range 2 {
			secret, err := k.Secret(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			jws, err := jose.ParseSignedCompact(secret, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			payload, err := jws.Verify(k.Private.Public())
			if err != nil || jws.Signatures[0].Protected.KeyID != "ABC123DEFG" {
				t.Fatalf("%v, %+v", err, jws.Signatures[0].Protected)
			}
			var claims map[string]any
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			now := float64(time.Now().Unix())
			for name, want := range map[string]any{
				"iss": "DEF123GHIJ", "sub": "com.mytest.app", "aud": "https://appleid.apple.com", "iat": now, "exp": now + 3600,
			} {
				if claims[name] != want {
					t.Errorf("%s is %v, want %v", name, claims[name], want)
				}
			}
			time.Sleep(365 * 24 * time.Hour)
		}
	})
}

func TestFaults(t *testing.T) {
	good := newKey(t, elliptic.P256())
	for _, tt := range []struct {
		name string
		key  apple.Key
		n    int
	}{
		{"nothing wrong", apple.Key{TeamID: "t", KeyID: "k", Private: good}, 0},
		{"no team", apple.Key{KeyID: "k", Private: good}, 1},
		{"no key ID", apple.Key{TeamID: "t", Private: good}, 1},
		{"no key", apple.Key{TeamID: "t", KeyID: "k"}, 1},
		{"a key on another curve", apple.Key{TeamID: "t", KeyID: "k", Private: newKey(t, elliptic.P384())}, 1},
		{"a zero key", apple.Key{TeamID: "t", KeyID: "k", Private: &ecdsa.PrivateKey{}}, 1},
		{"nothing", apple.Key{}, 3},
	} {
		if faults := tt.key.Faults(); len(faults) != tt.n {
			t.Errorf("%s: %v", tt.name, faults)
		}
	}
}

func TestName(t *testing.T) {
	user := func(first, last string) string {
		text, _ := json.Marshal(map[string]any{"name": map[string]string{"firstName": first, "lastName": last}, "email": "hostile@example.com"})
		return string(text)
	}
	for _, tt := range []struct{ name, field, want string }{
		{"as Apple writes it", `{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"ada@privaterelay.appleid.com"}`, "Ada Lovelace"},
		{"a first name", `{"name":{"firstName":"Ada"}}`, "Ada"},
		{"a last name", `{"name":{"firstName":"","lastName":"Lovelace"}}`, "Lovelace"},
		{"other scripts", user("Оле́г", "毛泽东"), "Оле́г 毛泽东"},
		{"spaces around", user("  Ada ", "\tvan  der\u00a0Meer\u3000"), "Ada van der Meer"},
		{"lines", user("Ada\r\nSet-Cookie: a=b", "x\u2028y\u2029z\u0085"), "Ada Set-Cookie: a=b x y z"},
		{"control characters", user("A\x00d\x1ba\x7f", "\u009b31mB"), "Ada 31mB"},
		{"direction", user("\u202eada\u202c", "\u2066b\u2069\u200e\u200f\u061cc"), "ada bc"},
		{"invalid UTF-8", "{\"name\":{\"firstName\":\"A\xff\"}}", "A"},
		{"half a surrogate", `{"name":{"firstName":"A\ud800"}}`, "A"},
		{"HTML is a name like any other", user("<script>alert(1)</script>", "&amp;"), "<script>alert(1)</script> &amp;"},
		{"1,024 bytes", user(strings.Repeat("a", 1024), ""), strings.Repeat("a", 1024)},
		{"1,025 bytes", user(strings.Repeat("a", 1025), ""), ""},
		{"two long names", user(strings.Repeat("a", 600), strings.Repeat("b", 600)), ""},
		{"controls do not count", user(strings.Repeat("\x01", 1000)+"Ada", ""), "Ada"},
		{"9 KiB", `{"name":{"firstName":"Ada"},"x":"` + strings.Repeat("a", 9<<10) + `"}`, ""},
		{"nothing", "", ""},
		{"no JSON", "Ada Lovelace", ""},
		{"null", "null", ""},
		{"a list", `["name"]`, ""},
		{"a name that is a string", `{"name":"Ada Lovelace"}`, ""},
		{"a list for a name", `{"name":["Ada"]}`, ""},
		{"a number, and an object", `{"name":{"firstName":1,"lastName":{"lastName":"Lovelace"}}}`, ""},
		{"an object, and a name", `{"name":{"firstName":{"a":"b"},"lastName":"Lovelace"}}`, "Lovelace"},
		{"names in another place", `{"firstName":"Ada","lastName":"Lovelace"}`, ""},
		{"names in other letters", `{"name":{"FIRSTNAME":"Ada"}}`, ""},
		{"deep", strings.Repeat("[", 5000), ""},
		{"two objects", `{"name":{"firstName":"Ada"}}{"name":{"firstName":"Bob"}}`, ""},
	} {
		if got := apple.Name(tt.field); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add(`{"name":{"firstName":"Ada","lastName":"Lovelace"}}`)
	f.Add("{\"name\":{\"firstName\":\"\\u202eA\xff\"}}")
	f.Fuzz(func(t *testing.T, field string) {
		name := apple.Name(field)
		if len(name) > 1024 || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
			strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) }) {
			t.Errorf("%q from %q", name, field)
		}
	})
}
