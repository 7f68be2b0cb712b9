package oauthlogin

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

// RFC 6749 section 5.1: however expires_in is written, what comes of it is
// between nothing and a year, and for a number what the number says.
func FuzzExpiresIn(f *testing.F) {
	for _, seed := range []string{
		"3600", `"3600"`, `" 3600 "`, "3600.5", "1e3", `"1e3"`, "0", "-0", "0.0", "-1", `"-1"`, "-4294963696", "-99999999999999999999", "-1e400", `""`, `"abc"`, `"NaN"`, `"-Inf"`, `"Inf"`,
		"true", "[3600]", `{"x":3600}`, "4294967297", "9223372036854775807", "12345678901234567890", "1e400", "1e-400", `"0x10p2"`, `"1_000"`, `"+1"`, `"\u0031"`, "31536000", "31535999.999",
	} {
		f.Add(seed)
	}
	const year = 365 * 24 * time.Hour
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || len(text) > 1000 {
			return
		}
		text = strings.Trim(text, " \t\r\n") // as a json.RawMessage comes
		got := parseExpiresIn(json.RawMessage(text))
		if got < 0 || got > year {
			t.Fatalf("%s is %v", text, got)
		}
		n, _, err := big.ParseFloat(text, 10, 200, big.ToNearestEven)
		if err != nil {
			if strings.ContainsAny(text[:1], "tfn[{") && got != 0 {
				t.Fatalf("%s is %v", text, got)
			}
			return
		}
		want := new(big.Float).Mul(n, big.NewFloat(float64(time.Second)))
		switch {
		case n.Sign() <= 0:
			want.SetInt64(0)
		case n.Cmp(big.NewFloat(year.Seconds())) >= 0:
			want.SetInt64(int64(year))
		}
		off := new(big.Float).Sub(want, new(big.Float).SetInt64(int64(got)))
		if off.Abs(off).Cmp(big.NewFloat(16)) > 0 { // nanoseconds, of 53 bits
			t.Fatalf("%s is %v", text, got)
		}
	})
}
