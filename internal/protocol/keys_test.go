package protocol

import (
	"crypto/rsa"
	"encoding/json"
	"maps"
	"math/big"
	"strings"
	"testing"
)

// with returns a copy of a key with some members set; nil removes one.
func with(key object, members object) object {
	changed := object{}
	maps.Copy(changed, key)
	for name, value := range members {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	return changed
}

// parseList parses a key set of these keys.
func parseList(t testing.TB, keys ...any) (*keySet, int, error) {
	t.Helper()
	body, err := json.Marshal(object{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return parseKeys(body)
}

// RFC 7517 section 5: a key that cannot be used does not spoil those beside it.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	good := newSigner(t, "good", "ES256").jwk()
	ec, rsaKey, ed := newSigner(t, "bad", "ES256").jwk(), newSigner(t, "bad", "RS256").jwk(), newSigner(t, "bad", "EdDSA").jwk()
	p384 := newSigner(t, "bad", "ES384").jwk()
	even := new(big.Int).Lsh(big.NewInt(1), 2047)
	for _, tt := range []struct {
		name string
		key  any
	}{
		{"null", nil},
		{"a number", 1},
		{"a string", "kty"},
		{"a list", []any{ec}},
		{"an empty object", object{}},
		{"no kty", with(ec, object{"kty": nil})},
		{"a kty of another type", with(ec, object{"kty": 5})},
		{"an unknown kty", with(ec, object{"kty": "LWE"})},
		{"a kty in other case", with(ec, object{"kty": "ec"})},
		{"a kty by another name", with(ec, object{"kty": nil, "KTY": "EC"})},
		{"no coordinates", object{"kty": "EC", "crv": "P-256", "kid": "n"}},
		{"no y", with(ec, object{"y": nil})},
		{"an x that is a number", with(ec, object{"x": 5})},
		{"an x that is not base64url", with(ec, object{"x": "***"})},
		{"an x that is too long", with(ec, object{"x": "AA" + ec["x"].(string)})},
		{"an x that is too short", with(ec, object{"x": "AAAA"})},
		{"a point that is not on the curve", with(ec, object{"x": ec["y"]})},
		{"the point at infinity", with(ec, object{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))})},
		{"no crv", with(ec, object{"crv": nil})},
		{"an unknown crv", with(ec, object{"crv": "secp256k1"})},
		{"the crv of another key", with(p384, object{"crv": "P-256"})},
		{"an empty n", with(rsaKey, object{"n": ""})},
		{"no n", with(rsaKey, object{"n": nil})},
		{"an n of 1,024 bits", with(rsaKey, object{"n": b64(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 1023), 0, 1).Bytes())})},
		{"an n of 2,047 bits", with(rsaKey, object{"n": b64(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 2046), 0, 1).Bytes())})},
		{"an n of 100,000 bits", with(rsaKey, object{"n": b64(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 99_999), 0, 1).Bytes())})},
		{"an even n", with(rsaKey, object{"n": b64(even.Bytes())})},
		{"no e", with(rsaKey, object{"e": nil})},
		{"an empty e", with(rsaKey, object{"e": ""})},
		{"an e of 0", with(rsaKey, object{"e": "AA"})},
		{"an e of 1", with(rsaKey, object{"e": "AQ"})},
		{"an e of 2", with(rsaKey, object{"e": "Ag"})},
		{"an even e", with(rsaKey, object{"e": "AQAA"})},
		{"an e of 33 bits", with(rsaKey, object{"e": "AQAAAAE"})},
		{"an e whose low bits are 65537", with(rsaKey, object{"e": b64(append([]byte{1, 0, 0, 0, 0, 0}, 1, 0, 1))})},
		{"an e of 2,048 bits", with(rsaKey, object{"e": rsaKey["n"]})},
		{"an e that is a number", with(rsaKey, object{"e": 65537})},
		{"Ed448", with(ed, object{"crv": "Ed448"})},
		{"X25519", with(ed, object{"crv": "X25519"})},
		{"Ed25519 without x", with(ed, object{"x": nil})},
		{"Ed25519 with a short x", with(ed, object{"x": "AAAA"})},
		{"a kid of another type", with(ec, object{"kid": 5})},
		{"an alg of another type", with(ec, object{"alg": []string{"ES256"}})},
		{"the alg of another kind of key", with(ec, object{"alg": "RS256"})},
		{"the alg of another curve", with(ec, object{"alg": "ES384"})},
		{"a symmetric alg", with(rsaKey, object{"alg": "HS256"})},
		{"an alg for encryption", with(rsaKey, object{"alg": "RSA-OAEP"})},
		{"alg none", with(rsaKey, object{"alg": "none"})},
		{"use enc", with(ec, object{"use": "enc"})},
		{"an empty use", with(ec, object{"use": ""})},
		{"a use of another type", with(ec, object{"use": 1})},
		{"key_ops sign", with(ec, object{"key_ops": []string{"sign"}})},
		{"empty key_ops", with(ec, object{"key_ops": []string{}})},
		{"key_ops of another type", with(ec, object{"key_ops": "verify"})},
		{"a private EC key", with(ec, object{"d": b64(make([]byte, 32))})},
		{"a private key whose d is garbage", with(ec, object{"d": 5})},
		{"a private RSA key", with(rsaKey, object{"d": "AQAB", "p": "AQAB", "q": "AQAB"})},
		{"a private Ed25519 key", with(ed, object{"d": b64(make([]byte, 32))})},
		{"a symmetric key", object{"kty": "oct", "kid": "bad", "alg": "HS256", "k": b64(make([]byte, 32))}},
		{"a public key with a k", with(ec, object{"k": "AAAA"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, keys := range [][]any{{tt.key, good}, {good, tt.key}} {
				if set, leftOut, err := parseList(t, keys...); err != nil || leftOut != 1 || len(set.keys) != 1 || set.keys[0].id != "good" {
					t.Errorf("set is %+v, %d left out: %v", set, leftOut, err)
				}
			}
			if set, leftOut, err := parseList(t, tt.key); err == nil || leftOut != 1 {
				t.Errorf("alone it makes %+v, %d left out", set, leftOut)
			}
		})
	}
}

func TestUsableKeys(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		s := newSigner(t, "k", alg)
		for _, more := range []object{
			{},
			{"alg": alg},
			{"use": "sig"},
			{"key_ops": []string{"verify"}},
			{"key_ops": []string{"sign", "verify"}},
			{"kid": nil},
			{"x5c": []string{"garbage"}, "x5t": "garbage", "x5u": 5},
			{"ext": true, "hostile": object{}},
			{"KTY": "oct", "D": "AAAA"},
		} {
			if set, leftOut, err := parseList(t, with(s.jwk(), more)); err != nil || leftOut > 0 || len(set.keys) != 1 {
				t.Errorf("%s %v: %v", alg, more, err)
			}
		}
	}
	twin := newSigner(t, "k", "ES256").jwk()
	if set, _, err := parseList(t, twin, twin, newSigner(t, "k", "ES256").jwk()); err != nil || len(set.keys) != 3 {
		t.Errorf("keys with one ID: %v", err)
	}
}

func TestKeySets(t *testing.T) {
	t.Parallel()
	good, _ := json.Marshal(newSigner(t, "k", "ES256").jwk())
	for _, tt := range []struct {
		body          string
		used, leftOut int
	}{
		{`{"keys":[` + string(good) + `],"hostile":1}`, 1, 0},
		{`{"keys":[` + strings.Repeat("null,", 99) + string(good) + `]}`, 1, 99},
		{`{"keys":[` + strings.Repeat("null,", 100) + string(good) + `]}`, 0, 101},
		{`{"keys":[` + strings.Repeat(string(good)+",", 149) + string(good) + `]}`, 100, 50},
		{`{"keys":[]}`, 0, 0},
		{`{"keys":null}`, 0, 0},
		{`{"keys":{}}`, 0, 0},
		{`{"keys":"x"}`, 0, 0},
		{`{"KEYS":[` + string(good) + `]}`, 0, 0},
		{`{}`, 0, 0},
		{`[` + string(good) + `]`, 0, 0},
		{string(good), 0, 0},
		{`null`, 0, 0},
		{``, 0, 0},
		{`<html>`, 0, 0},
		{`{"keys":[` + string(good), 0, 0},
	} {
		set, leftOut, err := parseKeys([]byte(tt.body))
		if len(set.keys) != tt.used || leftOut != tt.leftOut || (err == nil) != (tt.used > 0) {
			t.Errorf("%.40s: %d keys, %d left out: %v", tt.body, len(set.keys), leftOut, err)
		}
	}
}

// The log says once for each read how many keys were left out.
func TestLeftOutKeysAreLogged(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s := newSigner(t, "k", "ES256")
	p.jwks = []any{with(s.jwk(), object{"use": "enc", "kid": "hostile"}), s.jwk(), nil}
	c := p.client()
	for range 2 {
		if err := verify(c, s.idToken(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if log := p.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "left_out=2 used=1") || !strings.Contains(log, "issuer="+testIssuer) || strings.Contains(log, "hostile") {
		t.Errorf("log: %s", log)
	}
}

// forAnyIssuer lets every key sign for every issuer.
func forAnyIssuer(*key, []byte) bool { return true }

// FuzzJWKS holds every key that comes out of a key set to what makes it usable. A set
// without the provider's key verifies nothing of it (RFC 7517).
func FuzzJWKS(f *testing.F) {
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		k := newSigner(f, "k", alg).jwk()
		for _, more := range []object{{}, {"d": "AAAA"}, {"use": "enc"}, {"alg": alg}, {"key_ops": []string{"verify"}}, {"e": "AQ"}, {"crv": "P-384"}, {"x": "AAAA"}, {"kid": 5}, {"x5c": []string{"AAAA"}}} {
			body, _ := json.Marshal(object{"keys": []any{nil, with(k, more), k}})
			f.Add(body)
		}
	}
	for _, body := range []string{`{"keys":[{"kty":"EC","crv":"P-256","kid":"n"}]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[]}`, `null`, ``} {
		f.Add([]byte(body))
	}
	s := newSigner(f, "k", "ES256")
	x, y := s.jwk()["x"].(string), s.jwk()["y"].(string)
	const key = `{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","use":"sig","x":"{x}","y":"{y}"}`
	for _, body := range []string{
		`{"keys":[` + key + `]}`, `{"KEYS":[` + key + `]}`, `{"keys":` + key + `}`, `{"keys":[null,1,"x",` + key + `]}`, `{"keys":[],"keys":[` + key + `]}`, `{"keys":[` + key + `],"keys":[]}`,
		`{"keys":[` + strings.Replace(key, "{x}", "{y}", 1) + `]}`, `{"keys":[{"kty":"oct","kid":"k","alg":"ES256","k":"{x}"},` + key + `]}`, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}]}`,
	} {
		f.Add([]byte(body))
	}
	token, err := parseJWT(s.idToken(nil), "jwt")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = []byte(strings.NewReplacer("{x}", x, "{y}", y).Replace(string(body)))
		set, leftOut, err := parseKeys(body)
		if (err == nil) != (len(set.keys) > 0) || len(set.keys) > maxKeys || leftOut < 0 {
			t.Fatalf("%d keys, %d left out: %v", len(set.keys), leftOut, err)
		}
		if err == nil && strings.Count(string(body), "{") <= len(set.keys) {
			t.Fatalf("%d keys of %s", len(set.keys), body)
		}
		if _, ok := token.verify(set, forAnyIssuer); ok && !(strings.Contains(string(body), x) && strings.Contains(string(body), y)) || !ok && string(body) == strings.NewReplacer("{x}", x, "{y}", y).Replace(`{"keys":[`+key+`]}`) {
			t.Fatalf("token verified: %t, by %s", ok, body)
		}
		for _, k := range set.keys {
			if len(k.fits) == 0 {
				t.Fatal("key fits no algorithm")
			}
			if public, ok := k.public.(*rsa.PublicKey); ok && (public.N.BitLen() < 2048 || public.E < 3 || public.E%2 == 0) {
				t.Fatalf("RSA key of %d bits, e %d", public.N.BitLen(), public.E)
			}
		}
	})
}
