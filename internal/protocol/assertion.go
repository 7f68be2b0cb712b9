package protocol

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/jwt"
)

// assertionLifetime is how long an assertion is good. RFC 7523 names no maximum; ten
// minutes are the longest that providers accept.
const assertionLifetime = time.Minute

// PrivateKeyJWT returns an assertion that authenticates a client (RFC 7523 section 3 as
// RFC 10070 updates it, OpenID Connect Core section 9). It is for one request.
func PrivateKeyJWT(clientID, keyID string, key crypto.Signer, audience string) (string, error) {
	now := time.Now()
	return jwt.Sign(key, jwt.Header{Type: "client-authentication+jwt", KeyID: keyID}, struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"` // a string: RFC 10070 and FAPI 2.0 forbid a list
		ID       string `json:"jti"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{clientID, clientID, audience, rand.Text(), now.Unix(), now.Add(assertionLifetime).Unix()})
}

// AssertionFile returns the JWT in a file, without white space around it. Errors contain
// nothing of the file. The file is opened by its path each time, because a platform
// replaces it through a symbolic link.
func AssertionFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxCredential+1))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(content))
	switch {
	case len(content) > maxCredential:
		return "", fmt.Errorf("%s has over 64 KiB", path)
	case text == "":
		return "", fmt.Errorf("%s is empty", path)
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("%s has more than one line", path)
	case strings.ContainsFunc(text, notInJWT):
		return "", fmt.Errorf("%s has characters that no JWT has", path)
	case !isCompact(text): // such as a password, which must not go to the provider
		return "", fmt.Errorf("%s has no JWT", path)
	}
	return text, nil
}

// isCompact reports whether a text has the parts of a JWS or of a JWE in compact
// serialization (RFC 7515 section 7.1, RFC 7516 section 7.1).
func isCompact(text string) bool {
	dots := strings.Count(text, ".")
	return (dots == 2 || dots == 4) && text[0] != '.'
}
