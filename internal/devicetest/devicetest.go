// Package devicetest is the browser's side of Device Bound Session Credentials, for tests:
// what Chromium does with keys, offers and bound cookies. It shares no code with package
// device.
package devicetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Send sends a POST without a body and returns the response. The caller adds the cookies
// that go with it, and keeps those of the response.
type Send func(u *url.URL, header http.Header) (status int, responded http.Header, body string)

// A Device has the keys of one browser.
type Device struct {
	RSA      bool // keys are for RS256
	Quoted   bool // values are in quotes, as in the draft
	Bare     bool // its requests have no cookies, as behind a page of another site
	Disabled bool // it registers and renews nothing: "quota_exceeded"
	Posts    int  // requests that it has sent

	mu       sync.Mutex
	Sessions []*Session // that it has registered
}

// A Session is a registered session.
type Session struct {
	Identifier, Cookie string
	Refresh            *url.URL
	Key                crypto.Signer
	Challenge          string // for the next proof; "": none
}

// NewKey returns a new key.
func (d *Device) NewKey() crypto.Signer {
	var key crypto.Signer
	var err error
	if d.RSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil { // of a random source that does not fail
		panic(err)
	}
	return key
}

// Proof signs a challenge. That of a registration brings its key along.
func Proof(key crypto.Signer, challenge string, withKey bool) string {
	return Sign(key, map[string]any{"jti": challenge}, "dbsc+jwt", withKey)
}

// Sign makes any JWT.
func Sign(key crypto.Signer, payload map[string]any, typ string, withKey bool) string {
	alg := jose.ES256
	if _, ok := key.Public().(*rsa.PublicKey); ok {
		alg = jose.RS256
	}
	opts := (&jose.SignerOptions{EmbedJWK: withKey}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

var (
	offer = regexp.MustCompile(`^\(([A-Z0-9 ]+)\);path="([^"]+)";challenge="([^"]+)"$`)
	asked = regexp.MustCompile(`^"([^"]+)"(?:;id="([^"]+)")?$`)
)

// Offer returns path and challenge of a response that offers a registration with one of
// the device's algorithms.
func (d *Device) Offer(h http.Header) (path, challenge string, ok bool) {
	match := offer.FindStringSubmatch(h.Get("Secure-Session-Registration"))
	alg := "ES256"
	if d.RSA {
		alg = "RS256"
	}
	if match == nil || !slices.Contains(strings.Fields(match[1]), alg) {
		return "", "", false
	}
	return match[2], match[3], true
}

// Challenged returns the challenge of a response.
func Challenged(h http.Header) (challenge, identifier string) {
	match := asked.FindStringSubmatch(h.Get("Secure-Session-Challenge"))
	if match == nil {
		return "", ""
	}
	return match[1], match[2]
}

// maxProofs is how often a browser proves what it is asked for in a row.
const maxProofs = 3

// Register takes the offer of a response from u, if it has one.
func (d *Device) Register(u *url.URL, h http.Header, send Send) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path, challenge, ok := d.Offer(h)
	if !ok || d.Disabled {
		return
	}
	target, err := u.Parse(path)
	if err != nil {
		return
	}
	s := &Session{Key: d.NewKey(), Challenge: challenge}
	for range maxProofs {
		d.Posts++
		status, responded, body := send(target, http.Header{"Secure-Session-Response": {d.item(Proof(s.Key, s.Challenge, true))}})
		next, _ := Challenged(responded)
		if status == http.StatusForbidden && next != "" {
			s.Challenge = next
			continue
		}
		var session struct {
			ID          string `json:"session_identifier"`
			Refresh     string `json:"refresh_url"`
			Credentials []struct{ Name string }
			Continue    *bool
		}
		if status != http.StatusOK || json.Unmarshal([]byte(body), &session) != nil || session.Continue != nil || session.ID == "" || len(session.Credentials) != 1 {
			return
		}
		if s.Refresh, err = target.Parse(session.Refresh); err != nil {
			return
		}
		s.Identifier, s.Cookie, s.Challenge = session.ID, session.Credentials[0].Name, next
		d.Sessions = append(d.Sessions, s)
		return
	}
}

// Renew renews the bound cookies that a request to u would lack, and returns the value of
// its Secure-Session-Skipped, "" if none is skipped.
func (d *Device) Renew(u *url.URL, has func(cookie string) bool, send Send) (skipped string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range slices.Clone(d.Sessions) {
		if u.Host != s.Refresh.Host || u.Path == s.Refresh.Path || has(s.Cookie) {
			continue
		}
		reason := "quota_exceeded"
		if !d.Disabled {
			reason = d.renew(s, send)
		}
		if reason != "" {
			skipped = reason + `;session_identifier="` + s.Identifier + `"`
		}
	}
	return skipped
}

func (d *Device) renew(s *Session, send Send) (reason string) {
	for range maxProofs {
		header := http.Header{"Sec-Secure-Session-Id": {d.item(s.Identifier)}}
		if s.Challenge != "" {
			header.Set("Secure-Session-Response", d.item(Proof(s.Key, s.Challenge, false)))
		}
		d.Posts++
		status, responded, body := send(s.Refresh, header)
		next, _ := Challenged(responded)
		s.Challenge = next
		var told struct{ Continue *bool }
		switch {
		case status == http.StatusForbidden && next != "":
			continue
		case status >= 500 || status == http.StatusTooManyRequests:
			return "server_error"
		case status != http.StatusOK, json.Unmarshal([]byte(body), &told) == nil && told.Continue != nil && !*told.Continue:
			d.Sessions = slices.DeleteFunc(d.Sessions, func(known *Session) bool { return known == s })
		}
		return ""
	}
	return "unreachable"
}

func (d *Device) item(value string) string {
	if d.Quoted {
		return `"` + value + `";x=1`
	}
	return value
}
