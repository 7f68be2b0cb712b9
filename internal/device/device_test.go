package device_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

var (
	start   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	session = device.Session{ID: [16]byte{1, 2, 3}, Reference: []byte("alice's session")}
)

func key(seed byte) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = seed + byte(i*7)
	}
	return key
}

func newSealer(t *testing.T, keys ...[]byte) *device.Sealer {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{key(1)}
	}
	s, err := device.NewSealer(keys, "app.device")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keys are one of each kind.
func keys() map[string]crypto.Signer {
	ec, other := &devicetest.Device{}, &devicetest.Device{RSA: true}
	return map[string]crypto.Signer{"ES256": ec.NewKey(), "RS256": other.NewKey()}
}

// register binds session to a key.
func register(t *testing.T, s *device.Sealer, key crypto.Signer) device.Binding {
	t.Helper()
	challenge, err := s.RegistrationChallenge(session, start)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Register(devicetest.Proof(key, challenge, true), start)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRegisterAndRenew(t *testing.T) {
	for alg, key := range keys() {
		s := newSealer(t)
		b := register(t, s, key)
		if b.ID != session.ID || !bytes.Equal(b.Reference, session.Reference) {
			t.Fatalf("%s: registered %v %q", alg, b.ID, b.Reference)
		}
		identifier, err := s.Identifier(b)
		if err != nil || len(identifier) > 3000 {
			t.Fatalf("%s: identifier of %d bytes, %v", alg, len(identifier), err)
		}
		same, ok := s.Identify(identifier)
		if !ok || same.ID != b.ID || !bytes.Equal(same.Reference, b.Reference) || same.Key.Thumbprint != b.Key.Thumbprint {
			t.Fatalf("%s: identified %+v, want %+v", alg, same, b)
		}
		now := start.Add(time.Hour)
		challenge, err := s.RenewalChallenge(&same, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Renew(&same, devicetest.Proof(key, challenge, false), now.Add(9*time.Minute)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		value, maxAge, err := s.Cookie(&same, now)
		if err != nil || maxAge != 600 || len(value) > 1024 {
			t.Errorf("%s: cookie of %d bytes for %d seconds, %v", alg, len(value), maxAge, err)
		}
		c, ok := s.ReadCookie(value)
		if !ok || c.Session != session.ID || c.Key != b.Key.Thumbprint {
			t.Errorf("%s: cookie says %+v", alg, c)
		}
		// Browsers do not renew a cookie that they still have; a copy is worth 13 minutes.
		if left := c.End.Sub(now); left < 11*time.Minute || left > 13*time.Minute {
			t.Errorf("%s: the cookie counts for %v", alg, left)
		}
	}
}

// RFC 7638 section 3.1, its example.
func TestThumbprint(t *testing.T) {
	s := newSealer(t)
	key := keys()["ES256"].(*ecdsa.PrivateKey)
	b := register(t, s, key)
	x, y := make([]byte, 32), make([]byte, 32)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	copy(x, point[1:33])
	copy(y, point[33:])
	b64 := base64.RawURLEncoding.EncodeToString
	if want := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + b64(x) + `","y":"` + b64(y) + `"}`)); b.Key.Thumbprint != want {
		t.Errorf("thumbprint %x, want %x", b.Key.Thumbprint, want)
	}
}

func TestChallengesEnd(t *testing.T) {
	s, key := newSealer(t), keys()["ES256"]
	b := register(t, s, key)
	offered, _ := s.RegistrationChallenge(session, start)
	asked, _ := s.RenewalChallenge(&b, start)
	for _, tt := range []struct {
		after             time.Duration
		register, renewed bool
	}{
		{-6 * time.Minute, false, false},
		{-4 * time.Minute, true, true},
		{0, true, true},
		{19 * time.Minute, true, true},
		{21 * time.Minute, false, true},
		{24 * time.Minute, false, true},
		{26 * time.Minute, false, false},
		{30 * 24 * time.Hour, false, false},
	} {
		stale, err := s.Register(devicetest.Proof(key, offered, true), start.Add(tt.after))
		if (err == nil) != tt.register || err != nil && !errors.Is(err, device.ErrStale) {
			t.Errorf("registration after %v: %v", tt.after, err)
		}
		if stale.ID != session.ID || stale.Key.Thumbprint != b.Key.Thumbprint {
			t.Errorf("registration after %v is one of %v", tt.after, stale.ID)
		}
		if err := s.Renew(&b, devicetest.Proof(key, asked, false), start.Add(tt.after)); (err == nil) != tt.renewed || err != nil && !errors.Is(err, device.ErrStale) {
			t.Errorf("renewal after %v: %v", tt.after, err)
		}
	}
}

// b64 encodes a part of a JWT.
func b64(v any) string {
	text, ok := v.([]byte)
	if !ok {
		text, _ = json.Marshal(v)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// signed makes a JWT with any header, signed with ES256.
func signed(key *ecdsa.PrivateKey, header map[string]any, payload any) string {
	input := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(signature)
}

func jwk(key *ecdsa.PrivateKey) map[string]any {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func with(base map[string]any, name string, value any) map[string]any {
	changed := maps.Clone(base)
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}

// A proof that is not exactly one of the session's key and challenge is refused, and is not
// taken for one that is too late.
func TestWrongProofs(t *testing.T) {
	s := newSealer(t)
	ec, rs := keys()["ES256"].(*ecdsa.PrivateKey), keys()["RS256"].(*rsa.PrivateKey)
	other := keys()["ES256"].(*ecdsa.PrivateKey)
	b := register(t, s, ec)
	offered, _ := s.RegistrationChallenge(session, start)
	asked, _ := s.RenewalChallenge(&b, start)

	private := with(jwk(ec), "d", b64(make([]byte, 32)))
	header := map[string]any{"alg": "ES256", "typ": "dbsc+jwt"}
	good := with(header, "jwk", jwk(ec))
	off := with(jwk(ec), "x", b64(make([]byte, 32)))
	claims := func(challenge string) map[string]any { return map[string]any{"jti": challenge} }
	mac := hmac.New(sha256.New, []byte("secret"))
	hs := b64(with(good, "alg", "HS256")) + "." + b64(claims(offered))
	mac.Write([]byte(hs))

	if _, err := s.Register(signed(ec, good, claims(offered)), start); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, proof := range map[string]string{
		"empty":                      "",
		"not a JWT":                  "x.y.z",
		"two parts":                  b64(good) + "." + b64(claims(offered)),
		"JSON serialization":         `{"payload":"","signatures":[]}`,
		"alg none":                   b64(with(good, "alg", "none")) + "." + b64(claims(offered)) + ".",
		"alg HS256":                  hs + "." + b64(mac.Sum(nil)),
		"alg ES384":                  signed(ec, with(good, "alg", "ES384"), claims(offered)),
		"alg of another key":         signed(ec, with(good, "alg", "RS256"), claims(offered)),
		"alg in small letters":       signed(ec, with(good, "alg", "es256"), claims(offered)),
		"no alg":                     signed(ec, with(good, "alg", nil), claims(offered)),
		"no typ":                     signed(ec, with(good, "typ", nil), claims(offered)),
		"typ JWT":                    signed(ec, with(good, "typ", "JWT"), claims(offered)),
		"typ in capitals":            signed(ec, with(good, "typ", "DBSC+JWT"), claims(offered)),
		"typ with application":       signed(ec, with(good, "typ", "application/dbsc+jwt"), claims(offered)),
		"something critical":         signed(ec, with(with(good, "crit", []string{"exp"}), "exp", 1), claims(offered)),
		"b64":                        signed(ec, with(good, "b64", false), claims(offered)),
		"no key":                     signed(ec, header, claims(offered)),
		"null for a key":             signed(ec, with(good, "jwk", []byte(nil)), claims(offered)),
		"a private key":              signed(ec, with(good, "jwk", private), claims(offered)),
		"a key off the curve":        signed(ec, with(good, "jwk", off), claims(offered)),
		"a symmetric key":            signed(ec, with(good, "jwk", map[string]any{"kty": "oct", "k": "AAAA"}), claims(offered)),
		"a key on P-384":             signed(ec, with(good, "jwk", with(jwk(ec), "crv", "P-384")), claims(offered)),
		"the key of another":         signed(ec, with(good, "jwk", jwk(other)), claims(offered)),
		"signed by another":          signed(other, good, claims(offered)),
		"no challenge":               signed(ec, good, map[string]any{}),
		"a challenge that is a list": signed(ec, good, map[string]any{"jti": []string{offered}}),
		"a payload that is a list":   signed(ec, good, []string{offered}),
		"garbage for a challenge":    signed(ec, good, claims("garbage")),
		"a renewal's challenge":      signed(ec, good, claims(asked)),
		"another name's challenge":   signed(ec, good, claims(challengeOf(t, "other.device", key(1)))),
		"another key's challenge":    signed(ec, good, claims(challengeOf(t, "app.device", key(9)))),
		"a large one":                signed(ec, good, map[string]any{"jti": offered, "x": strings.Repeat("x", 9<<10)}),
	} {
		if got, err := s.Register(proof, start); err == nil || errors.Is(err, device.ErrStale) || got.ID != [16]byte{} {
			t.Errorf("registration, %s: %v, %v", name, got.ID, err)
		}
	}

	if err := s.Renew(&b, signed(ec, header, claims(asked)), start); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	foreign := b
	foreign.ID = [16]byte{9}
	ofOther, _ := s.RenewalChallenge(&foreign, start)
	sibling := register(t, s, other)
	ofSibling, _ := s.RenewalChallenge(&sibling, start)
	identifier, _ := s.Identifier(b)
	cookie, _, _ := s.Cookie(&b, start)
	for name, proof := range map[string]string{
		"empty":                        "",
		"its key in the header":        signed(ec, good, claims(asked)),
		"another key in the header":    signed(other, with(header, "jwk", jwk(other)), claims(asked)),
		"null for a key in the header": signed(ec, with(header, "jwk", []byte(nil)), claims(asked)),
		"signed by another":            signed(other, header, claims(asked)),
		"signed with RSA":              devicetest.Proof(rs, asked, false),
		"alg none":                     b64(with(header, "alg", "none")) + "." + b64(claims(asked)) + ".",
		"alg RS256":                    signed(ec, with(header, "alg", "RS256"), claims(asked)),
		"typ JWT":                      signed(ec, with(header, "typ", "JWT"), claims(asked)),
		"a registration's challenge":   signed(ec, header, claims(offered)),
		"another session's challenge":  signed(ec, header, claims(ofOther)),
		"another key's challenge":      signed(ec, header, claims(ofSibling)),
		"the identifier":               signed(ec, header, claims(identifier)),
		"the bound cookie":             signed(ec, header, claims(cookie)),
	} {
		if err := s.Renew(&b, proof, start); err == nil || errors.Is(err, device.ErrStale) {
			t.Errorf("renewal, %s: %v", name, err)
		}
	}
}

func challengeOf(t *testing.T, name string, key []byte) string {
	t.Helper()
	s, err := device.NewSealer([][]byte{key}, name)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := s.RegistrationChallenge(session, start)
	if err != nil {
		t.Fatal(err)
	}
	return challenge
}

func TestLongReferencesAreRefused(t *testing.T) {
	s, long := newSealer(t), device.Session{Reference: make([]byte, 901)}
	if _, err := s.RegistrationChallenge(long, start); !errors.Is(err, device.ErrReference) {
		t.Errorf("challenge: %v", err)
	}
	if _, err := s.Identifier(device.Binding{Session: long}); !errors.Is(err, device.ErrReference) {
		t.Errorf("identifier: %v", err)
	}
	longest := device.Session{ID: session.ID, Reference: bytes.Repeat([]byte{0xa5}, 900)}
	challenge, err := s.RegistrationChallenge(longest, start)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Register(devicetest.Proof(keys()["ES256"], challenge, true), start); err != nil || len(b.Reference) != 900 {
		t.Errorf("%d bytes, %v", len(b.Reference), err)
	}
}

// What is sealed for one purpose opens for no other, under no other name, and with old keys.
func TestPurposes(t *testing.T) {
	s := newSealer(t)
	b := register(t, s, keys()["ES256"])
	offered, _ := s.RegistrationChallenge(session, start)
	asked, _ := s.RenewalChallenge(&b, start)
	identifier, _ := s.Identifier(b)
	cookie, _, _ := s.Cookie(&b, start)
	for name, text := range map[string]string{"registration": offered, "renewal": asked, "identifier": identifier, "cookie": cookie} {
		if _, ok := s.Identify(text); ok != (name == "identifier") {
			t.Errorf("%s as an identifier: %t", name, ok)
		}
		if _, ok := s.ReadCookie(text); ok != (name == "cookie") {
			t.Errorf("%s as a cookie: %t", name, ok)
		}
	}
	rotated, removed := newSealer(t, key(2), key(1)), newSealer(t, key(2))
	if _, ok := rotated.Identify(identifier); !ok {
		t.Error("an identifier of an old key does not open")
	}
	if _, ok := rotated.ReadCookie(cookie); !ok {
		t.Error("a cookie of an old key does not open")
	}
	if _, ok := removed.Identify(identifier); ok {
		t.Error("an identifier of a removed key opens")
	}
	other, err := device.NewSealer([][]byte{key(1)}, "other.device")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.ReadCookie(cookie); ok {
		t.Error("a cookie of another name opens")
	}
	for n := range cookie {
		if _, ok := s.ReadCookie(cookie[:n]); ok {
			t.Errorf("%d characters of a cookie open", n)
		}
	}
}
