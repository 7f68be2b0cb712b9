package protocol

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

const maxJWTBytes = 128 << 10

var errSignature = errors.New("signature does not verify with the provider's keys")

// A signedJWT is a JWT that has been parsed, and not verified.
type signedJWT struct {
	jws *jose.JSONWebSignature
	kid string // "": none
	alg jose.SignatureAlgorithm
}

// parseJWT reads a JWT that is a JWS in compact serialization, neither a JWE nor a
// JSON object. Its typ must be one of types; "" among them is a missing typ.
func parseJWT(raw string, types ...string) (*signedJWT, error) {
	switch {
	case len(raw) > maxJWTBytes:
		return nil, fmt.Errorf("JWT of over %d bytes", maxJWTBytes)
	case strings.Count(raw, ".") != 2 || strings.ContainsFunc(raw, notInJWT):
		return nil, errors.New("not a signed JWT")
	}
	encoded, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("header is malformed")
	}
	header, err := claims.Parse(text)
	if err != nil {
		return nil, errors.New("header is not a JSON object")
	}
	// RFC 7515 section 4.1.11, RFC 7797: nothing critical is understood.
	for _, name := range []string{"crit", "b64"} {
		if _, ok := header[name]; ok {
			return nil, fmt.Errorf("header has %s", name)
		}
	}
	// RFC 8725 section 3.11: tokens of one kind do not pass for another.
	if !slices.Contains(types, mediaType(header)) {
		return nil, errors.New("header has another typ")
	}
	jws, err := jose.ParseSignedCompact(raw, asymmetricAlgs)
	if err != nil {
		return nil, errors.New(beforeQuote(err))
	}
	// The header that go-jose verifies with, which refuses repeated members.
	signed := jws.Signatures[0].Protected
	return &signedJWT{jws, signed.KeyID, jose.SignatureAlgorithm(signed.Algorithm)}, nil
}

func notInJWT(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// mediaType returns typ in lower case and without "application/" (RFC 7515 section
// 4.1.9), "" if it is missing, and "?" if it is not a string or empty.
func mediaType(header claims.Object) string {
	if _, ok := header["typ"]; !ok {
		return ""
	}
	if typ := strings.TrimPrefix(strings.ToLower(header.String("typ")), "application/"); typ != "" {
		return typ
	}
	return "?"
}

// verify returns the payload if a key of the set that is fit for it verifies the
// signature. Keys that the token's header brings along are never used.
func (t *signedJWT) verify(set *keySet, fit func(*key, []byte) bool) (payload []byte, ok bool) {
	for i := range set.keys {
		k := &set.keys[i]
		if t.kid != "" && k.id != t.kid || !slices.Contains(k.fits, t.alg) {
			continue
		}
		if payload, err := t.jws.Verify(k.public); err == nil && fit(k, payload) {
			return payload, true
		}
	}
	return nil, false
}

// verifySignature verifies the signature of a JWT by the provider's keys, and returns
// the payload.
func (c *Client) verifySignature(ctx context.Context, t *signedJWT, from asker) (json.RawMessage, error) {
	md, err := c.accepting(ctx, t.alg, from)
	if err != nil {
		return nil, err
	}
	if from == logoutTokens && c.keys.known().seq == 0 {
		if err := c.keys.failedJustNow(); err != nil {
			return nil, &keysError{err}
		}
	}
	mark := c.keys.mark()
	keys, err := c.keys.get(ctx)
	if err == nil && keys.value.url != md.JWKSURL { // they have moved
		c.keys.outdate()
		keys, err = c.keys.get(ctx)
	}
	for err == nil {
		if payload, ok := t.verify(keys.value, c.signs); ok {
			return payload, nil
		}
		// OpenID Connect Core section 10.1.1: the provider may have rotated its
		// keys. Not if these were asked for after the token had come.
		if keys.seq > mark || !c.keys.mayAsk(from) {
			return nil, errSignature
		}
		keys, err = c.keys.readAgain(ctx, keys.seq, from)
	}
	return nil, &keysError{err}
}

// accepting returns the metadata if it lists the algorithm of a token. It asks for
// the metadata again if it does not: the algorithm may be new.
func (c *Client) accepting(ctx context.Context, alg jose.SignatureAlgorithm, from asker) (*metadata, error) {
	mark := c.published.mark()
	md, err := c.published.get(ctx)
	if err != nil {
		return nil, &keysError{&metadataError{c.Issuer, err}}
	}
	for {
		if slices.Contains(md.value.SigningAlgs, string(alg)) {
			return md.value, nil
		}
		if md.seq > mark || !c.published.mayAsk(from) {
			return nil, errors.New("signed with an algorithm that the provider's metadata does not list")
		}
		if md, err = c.published.readAgain(ctx, md.seq, from); err != nil {
			return nil, &keysError{&metadataError{c.Issuer, err}}
		}
	}
}
