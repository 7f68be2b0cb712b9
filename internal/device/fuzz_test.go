package device_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// Header fields never panic, and what they yield is no more than was sent.
func FuzzParseRequest(f *testing.F) {
	f.Add("a.b.c", "id")
	f.Add(`"a.b.c";x=1`, `"id"`)
	f.Add(`"\"`, `"\\";`)
	f.Add(";;", `""`)
	f.Fuzz(func(t *testing.T, response, identifier string) {
		r, err := device.ParseRequest(http.Header{"Secure-Session-Response": {response}, "Sec-Secure-Session-Id": {identifier}})
		if err != nil {
			return
		}
		if !strings.Contains(response, r.Proof) || !strings.Contains(identifier, r.Identifier) || r.Proof == "" || r.Identifier == "" {
			t.Errorf("%q and %q became %+v", response, identifier, r)
		}
		if strings.ContainsAny(r.Proof+r.Identifier, "\" ;,\\") {
			t.Errorf("%q and %q became %+v", response, identifier, r)
		}
	})
}

// No proof but one of the key registers or renews, whatever its header and payload are.
func FuzzProof(f *testing.F) {
	s := randomSealer(f)
	signer := keys()["ES256"].(*ecdsa.PrivateKey)
	offered, err := s.RegistrationChallenge(session, start)
	if err != nil {
		f.Fatal(err)
	}
	good := devicetest.Proof(signer, offered, true)
	b, err := s.Register(good, start)
	if err != nil {
		f.Fatal(err)
	}
	asked, err := s.RenewalChallenge(&b, start)
	if err != nil {
		f.Fatal(err)
	}
	renewal := devicetest.Proof(signer, asked, false)
	f.Add(good)
	f.Add(renewal)
	f.Add("..")
	f.Add(b64(map[string]any{"alg": "ES256", "typ": "dbsc+jwt", "jwk": map[string]any{"kty": "EC", "crv": "P-256", "x": "", "y": ""}}) + ".e30.AAAA")
	f.Add(b64(map[string]any{"alg": "RS256", "typ": "dbsc+jwt", "jwk": map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"}}) + ".e30.AAAA")
	f.Fuzz(func(t *testing.T, proof string) {
		// A signature is 64 bytes in base64url without padding, whose last character has bits to spare.
		same := func(want string) bool { return len(proof) == len(want) && proof[:len(want)-1] == want[:len(want)-1] }
		if _, err := s.Register(proof, start); err == nil && !same(good) {
			t.Errorf("registered with %q", proof)
		}
		if err := s.Renew(&b, proof, start); err == nil && !same(renewal) {
			t.Errorf("renewed with %q", proof)
		}
	})
}

// Nothing opens that was not sealed.
func FuzzSealed(f *testing.F) {
	s := randomSealer(f)
	b := device.Binding{Session: session}
	cookie, _, err := s.Cookie(&b, start)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cookie)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := s.Identify(text); ok {
			t.Errorf("%q is an identifier", text)
		}
		// base64 leaves bits of its last characters unused.
		same := len(text) == len(cookie) && text[:len(text)-4] == cookie[:len(cookie)-4]
		if _, ok := s.ReadCookie(text); ok && !same {
			t.Errorf("%q is a cookie", text)
		}
	})
}

// randomSealer opens nothing that another process, such as one that fuzzes, has sealed.
func randomSealer(f *testing.F) *device.Sealer {
	f.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	s, err := device.NewSealer([][]byte{key}, "app.device")
	if err != nil {
		f.Fatal(err)
	}
	return s
}
