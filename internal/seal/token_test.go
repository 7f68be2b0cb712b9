package seal

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
)

// sampleTokens are tokens of every kind, and what only looks like one.
var sampleTokens = []string{
	"", "opaque", "gho_16C7e42F292c6912E7710c838347Ae178B4a", "a.b", "a.b.c.d", ".", "..", "...", "AA.AA.AA", "AAA.AAAA.AA",
	"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
	"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
	"AB.AAA.AAA",                      // the last two bits are not zero: not what encoding gives
	"QUJD\nREVG.e30.e30",              // the decoder would skip the line break
	"QUJDREVG\r\n.e30.e30",            //
	"QUJD=.e30.e30", "e30=.e30=.e30=", // padding
	"+/+/.e30.e30", // the other alphabet
	"e30.e30.e\u00e9", "\x00.\xff.\x80", " e30.e30.e30", "e30.e30.e30 ",
	strings.Repeat(".", 5000), strings.Repeat("A", 5000), strings.Repeat("QUJD", 900) + "." + strings.Repeat("REVG", 900) + ".e30",
}

func TestTokensPackExactly(t *testing.T) {
	for _, token := range sampleTokens {
		checkToken(t, token)
	}
	for range 500 { // JWTs, and JWTs with a byte changed
		segment := func() string {
			b := make([]byte, rand.IntN(60))
			for i := range b {
				b[i] = byte(rand.IntN(256))
			}
			return base64.RawURLEncoding.EncodeToString(b)
		}
		token := []byte(segment() + "." + segment() + "." + segment())
		checkToken(t, string(token))
		token[rand.IntN(len(token))] = byte(rand.IntN(256))
		checkToken(t, string(token))
	}
}

func FuzzTokenPacking(f *testing.F) {
	for _, token := range sampleTokens {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) { checkToken(t, token) })
}

func checkToken(t *testing.T, text string) {
	t.Helper()
	var p Packer
	token := NewToken(text)
	p.Token(&token)
	p.String("next")
	u, err := Unpack(p.Pack())
	if err != nil {
		t.Fatal(err)
	}
	got := u.Token()
	if got.Text() != text || got.IsZero() != (text == "") {
		t.Errorf("%q became %q", text, got.Text())
	}
	if u.String() != "next" || u.Err() != nil {
		t.Errorf("%q upset what came after it", text)
	}
	if segments, ok := splitJWT(text); ok && (!bytes.Equal(got.Payload(), segments[1]) || !bytes.Equal(token.Payload(), segments[1])) {
		t.Errorf("%q has the payloads %q and %q, want %q", text, token.Payload(), got.Payload(), segments[1])
	}
	if got.Size() > token.Size() || (got.Size() == 0) != (text == "") {
		t.Errorf("%q of %d bytes takes %d", text, token.Size(), got.Size())
	}
	// What was unpacked is packed again without being encoded in between.
	var again Packer
	again.Token(&got)
	again.String("next")
	if !bytes.Equal(again.Pack(), p.Pack()) {
		t.Errorf("%q is packed in another way the second time", text)
	}
}

// A JWT takes three quarters of its text and little more.
func TestTokensShrink(t *testing.T) {
	jwt := NewToken(strings.Repeat("QUJD", 90) + "." + strings.Repeat("QUJD", 9) + "." + strings.Repeat("REVG", 9))
	opaque := NewToken(strings.Repeat("x", 432))
	for _, tt := range []struct {
		token Token
		most  int
	}{{jwt, 432/4*3 + 10}, {opaque, 432 + 10}} {
		p := NewPacker()
		if p.Token(&tt.token); len(p.Pack()) > tt.most {
			t.Errorf("%d bytes for %q, want %d at most", len(p.Pack()), tt.token.Text(), tt.most)
		}
	}
}

func TestPayloads(t *testing.T) {
	for text, want := range map[string]string{
		"e30.eyJzdWIiOiJhIn0.c2ln": `{"sub":"a"}`, "e30.eyJzdWIiOiJhIn0.not+strict": `{"sub":"a"}`,
		"": "", "opaque": "", "a.!.c": "", "a..c": "",
	} {
		token := NewToken(text)
		if got := string(token.Payload()); got != want {
			t.Errorf("%q has the payload %q, want %q", text, got, want)
		}
	}
}
