package dpop

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/jwt"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// Proof returns a proof for one request (RFC 9449 section 4.2). accessToken is "" at an
// authorization server, and nonce where the server has given none.
func (k *Key) Proof(r *http.Request, accessToken, nonce string) (string, error) {
	private, err := k.private()
	if err != nil {
		return "", err
	}
	claims := struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		Target string `json:"htu"`
		Issued int64  `json:"iat"`
		Token  string `json:"ath,omitempty"`
		Nonce  string `json:"nonce,omitempty"`
	}{ID: rand.Text(), Method: method(r), Target: target(r), Issued: time.Now().Unix(), Nonce: nonce}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims.Token = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof, err := jwt.Sign(private, jwt.Header{Type: "dpop+jwt", JWK: jwkOf(&private.PublicKey)}, claims)
	if err != nil {
		return "", fmt.Errorf("sign DPoP proof: %w", err)
	}
	return proof, nil
}

func method(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// target is the URI of a request without query and fragment, normalized as servers compare
// it (RFC 9449 section 4.3, RFC 3986 sections 6.2.2 and 6.2.3).
func target(r *http.Request) string {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return origin(r) + path
}

// origin is that of the server that gets a request.
func origin(r *http.Request) string {
	host := r.URL.Host
	if r.Host != "" { // what net/http sends
		host = r.Host
	}
	if strings.IndexFunc(host, func(c rune) bool { return c > '~' }) >= 0 {
		host = weburl.ASCIIHost(host)
	}
	return weburl.Origin(&url.URL{Scheme: strings.ToLower(r.URL.Scheme), Host: host})
}
