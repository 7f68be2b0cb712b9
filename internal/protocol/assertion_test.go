package protocol

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// RFC 7523 section 3, RFC 10070, FAPI 2.0 sections 5.3.3.1 and 5.4.1.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k", "ES256")
	synctest.Test(t, func(t *testing.T) {
		seen := map[string]bool{}
		for range 3 {
			text, err := PrivateKeyJWT("app", "k1", s.key, testIssuer)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			payload, err := parsed.Verify(s.key.Public())
			if err != nil {
				t.Fatal(err)
			}
			var claims map[string]any
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			now := float64(time.Now().Unix())
			if claims["iss"] != "app" || claims["sub"] != "app" || claims["aud"] != testIssuer || claims["iat"] != now || claims["exp"] != now+60 || claims["nbf"] != nil {
				t.Errorf("claims %v", claims)
			}
			jti, _ := claims["jti"].(string)
			if len(jti) < 20 || seen[jti] {
				t.Errorf("jti %q", jti)
			}
			seen[jti] = true
			if header := parsed.Signatures[0].Protected; header.ExtraHeaders[jose.HeaderType] != "client-authentication+jwt" || header.KeyID != "k1" || header.JSONWebKey != nil {
				t.Errorf("header %+v", header)
			}
		}
	})
	if text, err := PrivateKeyJWT("app", "", nil, testIssuer); err == nil {
		t.Errorf("without a key: %q", text)
	}
	text, err := PrivateKeyJWT("app", "", s.key, testIssuer)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256}); err != nil || strings.Contains(text, "kid") || parsed.Signatures[0].Protected.KeyID != "" {
		t.Errorf("without a key ID: %v", err)
	}
}

func TestAssertionFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	for name, tt := range map[string]struct{ content, want string }{
		"a token":                   {"eyJh.eyJz.c2ln", "eyJh.eyJz.c2ln"},
		"white space around it":     {"\r\n\t eyJh.eyJz.c2-_ \n\n", "eyJh.eyJz.c2-_"},
		"the most":                  {"e.e." + strings.Repeat("a", maxCredential-4), "e.e." + strings.Repeat("a", maxCredential-4)},
		"more than that":            {"e.e." + strings.Repeat("a", maxCredential-3), ""},
		"white space beyond that":   {"eyJh.s3cret.c2ln" + strings.Repeat(" ", maxCredential), ""},
		"nothing":                   {"", ""},
		"white space":               {" \n", ""},
		"a second line":             {"eyJh.s3cret.c2ln\neyJh.s3cret.c2ln", ""},
		"a space":                   {"eyJh.s3cret c2ln", ""},
		"characters that JWTs lack": {"eyJh.s3cret.c2ln=", ""},
		"a null":                    {"eyJh.s3cret.\x00", ""},
		"JSON":                      {`{"token":"s3cret"}`, ""},
		"a byte order mark":         {"\ufeffeyJh.s3cret.c2ln", ""},
		"an encrypted token":        {"eyJh.a.b.c.d", "eyJh.a.b.c.d"},
		"a password":                {"s3cret", ""},
		"two parts":                 {"eyJh.s3cret", ""},
		"four parts":                {"eyJh.s3cret.a.b", ""},
		"dots":                      {"..", ""},
	} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := AssertionFile(path)
		if got != tt.want || (err == nil) != (tt.want != "") || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	for name, path := range map[string]string{"a missing file": filepath.Join(dir, "none"), "a directory": dir} {
		if got, err := AssertionFile(path); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	// As Kubernetes does it: the path stays, and leads elsewhere.
	link := filepath.Join(dir, "link")
	for _, content := range []string{"first.a.b", "second.a.b"} {
		target := filepath.Join(dir, content)
		if err := os.WriteFile(target, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(link)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if got, err := AssertionFile(link); err != nil || got != content {
			t.Errorf("%q, %v", got, err)
		}
	}
}
