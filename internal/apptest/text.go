package apptest

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/url"
	"testing"
)

// Edited returns a URL with its query changed.
func Edited(t *testing.T, rawURL string, change func(query url.Values)) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	change(query)
	u.RawQuery = query.Encode()
	return u.String()
}

// Noise is n characters that nothing compresses, and others every time.
func Noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + rand.IntN('~'-'!'))
	}
	return string(b)
}

// QueryOf returns the query of a URL, and panics if it is none.
func QueryOf(raw string) url.Values {
	u, err := url.Parse(raw)
	if err != nil {
		panic(errors.Join(errors.New("no URL"), err))
	}
	return u.Query()
}

// Incompressible is n bytes and more of text that JSON takes as it is.
func Incompressible(n int) string { return base64.RawURLEncoding.EncodeToString([]byte(Noise(n))) }
