package protocol

import (
	"context"
	"crypto"
	_ "crypto/sha256" // at_hash
	_ "crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// VerifyIDToken checks everything that holds for every ID token of the provider
// (OpenID Connect Core section 3.1.3.7), and returns its claims and its payload. The
// caller compares what depends on the occasion: [CheckAuthentication] after a login,
// [CheckRefreshed] after a refresh.
func (c *Client) VerifyIDToken(ctx context.Context, raw, accessToken string) (claims.Object, json.RawMessage, error) {
	switch {
	case c.Issuer == "":
		return nil, nil, errors.New("provider has no issuer that ID tokens could be checked against")
	case raw == "":
		return nil, nil, errors.New("response has no id_token")
	}
	token, err := parseJWT(raw, "", "jwt")
	if err != nil {
		return nil, nil, err
	}
	payload, err := c.verifySignature(ctx, token, idTokens)
	if err != nil {
		return nil, nil, err
	}
	o, err := claims.Parse(payload)
	if err != nil {
		return nil, nil, errors.New("ID token is not a JSON object")
	}
	if c.isOfVersion1(o) {
		return nil, nil, errors.New("ID token is one of v1.0 of Microsoft's endpoints (ver)")
	}
	if !hasSubject(o) {
		return nil, nil, errors.New("ID token has no valid sub")
	}
	if err := c.checkIssued("ID token", o, time.Now()); err != nil {
		return nil, nil, err
	}
	if !c.isOfTenant(o) {
		return nil, nil, errors.New("ID token is of another issuer than its tenant's (iss, tid)")
	}
	if _, hasAZP := o["azp"]; len(o.Audience()) > 1 && !hasAZP {
		return nil, nil, errors.New("ID token has several audiences and no azp")
	}
	if _, ok := o["at_hash"]; ok && !hasATHash(o, token.alg, accessToken) {
		return nil, nil, errors.New("ID token belongs to another access token (at_hash)")
	}
	return o, payload, nil
}

// atHashes are the hashes of the signature algorithms. That of EdDSA is the hash
// inside Ed25519.
var atHashes = map[jose.SignatureAlgorithm]crypto.Hash{
	jose.RS256: crypto.SHA256, jose.ES256: crypto.SHA256, jose.PS256: crypto.SHA256,
	jose.RS384: crypto.SHA384, jose.ES384: crypto.SHA384, jose.PS384: crypto.SHA384,
	jose.RS512: crypto.SHA512, jose.ES512: crypto.SHA512, jose.PS512: crypto.SHA512,
	jose.EdDSA: crypto.SHA512,
}

// hasATHash compares at_hash with the left half of the access token's hash (OpenID
// Connect Core section 3.1.3.8).
func hasATHash(o claims.Object, alg jose.SignatureAlgorithm, accessToken string) bool {
	h := atHashes[alg].New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	return subtle.ConstantTimeCompare([]byte(o.String("at_hash")), []byte(want)) == 1
}

// An Authentication is what an authorization request asks of the sign-in.
type Authentication struct {
	Nonce     string
	MaxAge    time.Duration // negative: not requested
	ACRValues string        // separated by spaces; "": not requested
}

// CheckAuthentication compares the claims of a verified ID token with what the
// authorization request asked for: the nonce (OpenID Connect Core section 15.5.2),
// max_age and acr_values (sections 3.1.2.1 and 3.1.3.7). It returns an
// [ErrInsufficient] for the latter two. A request without a nonce is refused.
func CheckAuthentication(o claims.Object, want Authentication) error {
	if raw := string(o["nonce"]); raw == "" || raw == "null" || raw == `""` {
		return errors.New("the nonce of the ID token is missing")
	}
	if want.Nonce == "" || subtle.ConstantTimeCompare([]byte(o.String("nonce")), []byte(want.Nonce)) != 1 {
		return errors.New("ID token has another nonce")
	}
	if want.MaxAge >= 0 {
		now := time.Now()
		authTime, ok := o.AuthTime(now)
		if !ok || now.Sub(authTime) > want.MaxAge+claims.ClockLeeway {
			return fmt.Errorf("%w: too long ago (auth_time)", ErrInsufficient)
		}
	}
	if want.ACRValues != "" && !slices.Contains(strings.Fields(want.ACRValues), o.String("acr")) {
		return fmt.Errorf("%w: by other means than required (acr)", ErrInsufficient)
	}
	return nil
}

// ClaimedUser returns the iss and sub that an ID token claims, which nothing has verified.
// ok is false if it claims no sub. It is for refusing a token, and never for accepting one.
func ClaimedUser(raw string) (issuer, subject string, ok bool) {
	o, ok := unverified(raw)
	if !ok || o.String("sub") == "" {
		return "", "", false
	}
	return o.String("iss"), o.String("sub"), true
}

// CheckRefreshed compares the claims of a verified ID token that came with a refresh
// with those of the first one (OpenID Connect Core section 12.2).
func CheckRefreshed(before claims.Object, subject string, fresh claims.Object) error {
	switch _, hasNonce := fresh["nonce"]; {
	case fresh.String("iss") != before.String("iss"):
		return errors.New("refreshed ID token has another iss")
	case fresh.String("sub") != subject:
		return errors.New("refreshed ID token has another sub")
	case !slices.Equal(fresh.Audience(), before.Audience()):
		return errors.New("refreshed ID token has another aud")
	case hasNonce && fresh.String("nonce") != before.String("nonce"):
		return errors.New("refreshed ID token has another nonce")
	}
	return nil
}
