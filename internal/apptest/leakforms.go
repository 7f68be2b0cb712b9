package apptest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// A secret counts as found when a piece of any of its forms is: this many
// characters, and more of forms that use many for each byte.
const ShortPiece, longPiece = 16, 48

// formsOf returns what becomes of a secret on its way through printers and
// encoders.
func formsOf(secret string) (short, long []string) {
	b := []byte(secret)
	inner := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	inJSON, _ := json.Marshal(secret)
	short = []string{
		secret, url.QueryEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.PathEscape(secret), html.EscapeString(secret),
		inner(strconv.Quote(secret)), inner(strconv.QuoteToASCII(secret)), inner(strconv.Quote(strconv.Quote(secret))), inner(string(inJSON)),
		fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for shift, first := range []int{0, 2, 3} { // what stands before it moves the bits
			encoded := encoding.EncodeToString(append(make([]byte, shift), b...))
			short = append(short, strings.TrimRight(encoded, "=")[first:])
		}
	}
	for _, verb := range []string{"% x", "% X", "%d", "%o", "%b", "%c", "%U", "%#v"} {
		long = append(long, strings.Trim(strings.TrimPrefix(fmt.Sprintf(verb, b), "[]byte"), "[]{}"))
	}
	return short, long
}
