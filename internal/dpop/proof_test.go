package dpop_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

func newKey(t testing.TB) *dpop.Key {
	t.Helper()
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t testing.TB, method, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verified returns the claims of a proof, and its key.
func verified(t testing.TB, proof string) (map[string]any, *jose.JSONWebKey) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := jws.Signatures[0].Protected
	payload, err := jws.Verify(header.JSONWebKey)
	if err != nil || header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" || !header.JSONWebKey.IsPublic() || header.KeyID != "" {
		t.Fatalf("header %+v: %v", header, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, header.JSONWebKey
}

// RFC 9449 section 4.2, verified by another implementation.
func TestProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t)
		thumbprint, err := key.Thumbprint()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range 3 {
			proof, err := key.Proof(request(t, "POST", "https://api.test/a?b=c#d"), "the-token", "the-nonce")
			if err != nil {
				t.Fatal(err)
			}
			claims, jwk := verified(t, proof)
			// printf %s the-token | openssl dgst -sha256 -binary | basenc --base64url
			want := map[string]any{
				"jti": claims["jti"], "htm": "POST", "htu": "https://api.test/a", "iat": float64(time.Now().Unix()),
				"ath": "wqc_z2HfvcrceaELozCy7162b8Cmc17Wm3lrs8l7l64", "nonce": "the-nonce",
			}
			if fmt.Sprint(claims) != fmt.Sprint(want) {
				t.Errorf("claims %v, want %v", claims, want)
			}
			jti, _ := claims["jti"].(string)
			if len(jti) < 20 || seen[jti] {
				t.Errorf("jti %q", jti)
			}
			seen[jti] = true
			sum, err := jwk.Thumbprint(crypto.SHA256)
			if err != nil || base64.RawURLEncoding.EncodeToString(sum) != thumbprint {
				t.Errorf("thumbprint %q: %v", thumbprint, err)
			}
		}
	})
	proof, err := newKey(t).Proof(&http.Request{URL: &url.URL{Scheme: "https", Host: "api.test"}}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := verified(t, proof)
	if claims["htm"] != "GET" || claims["htu"] != "https://api.test/" || len(claims) != 4 {
		t.Errorf("claims %v", claims)
	}
}

// Section 4.3: servers compare the URI as it is written, or normalize it.
func TestTarget(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for raw, want := range map[string]string{
		"https://api.test":                     "https://api.test/",
		"https://api.test?x=1":                 "https://api.test/",
		"HTTPS://API.Test:443/A":               "https://api.test/A",
		"http://localhost:80/":                 "http://localhost/",
		"https://api.test:8443/a/":             "https://api.test:8443/a/",
		"https://api.test/a%2Fb%20c":           "https://api.test/a%2Fb%20c",
		"https://api.test/a b":                 "https://api.test/a%20b",
		"https://[::1]:443/a":                  "https://[::1]/a",
		"https://user:secret@api.test/a#there": "https://api.test/a",
		"https://bücher.test/":                 "https://xn--bcher-kva.test/",
	} {
		proof, err := key.Proof(request(t, "GET", raw), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if claims, _ := verified(t, proof); claims["htu"] != want {
			t.Errorf("%s: htu %v, want %s", raw, claims["htu"], want)
		}
	}
	r := request(t, "GET", "https://10.0.0.1/a")
	r.Host = "Api.Test" // what the server sees
	proof, err := key.Proof(r, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if claims, _ := verified(t, proof); claims["htu"] != "https://api.test/a" {
		t.Errorf("htu %v", claims["htu"])
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	seed := key.Seed()
	if len(seed) != dpop.SeedBytes {
		t.Errorf("%d bytes", len(seed))
	}
	again := dpop.KeyOf(seed)
	one, _ := key.Thumbprint()
	two, err := again.Thumbprint()
	if err != nil || one != two || len(one) != 43 {
		t.Errorf("%q became %q, %v", one, two, err)
	}
	if other, _ := newKey(t).Thumbprint(); other == one {
		t.Error("two keys are one")
	}
	if dpop.KeyOf(nil) != nil || dpop.KeyOf(nil).Seed() != nil {
		t.Error("there is a key without a seed")
	}
	seed[0] ^= 1
	if after, _ := key.Thumbprint(); after != one {
		t.Error("a seed that was given out changes the key")
	}
	for name, seed := range map[string][]byte{"zero": make([]byte, 32), "short": {1}, "beyond the order": []byte(strings.Repeat("\xff", 32))} {
		key := dpop.KeyOf(seed)
		if _, err := key.Thumbprint(); err == nil {
			t.Errorf("%s: a thumbprint", name)
		}
		if proof, err := key.Proof(request(t, "GET", "https://api.test/"), "", ""); err == nil {
			t.Errorf("%s: proof %s", name, proof)
		}
	}
	key = dpop.KeyOf([]byte("s3cret-of-the-key-32-bytes-long!"))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, value := range []any{key, *key, struct{ K *dpop.Key }{key}} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "s3cret") || strings.Contains(text, "733363726574") || strings.Contains(text, "115 51") {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
}
