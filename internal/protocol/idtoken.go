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
	token, payload, err := c.verifyJWT(ctx, raw, "", "jwt")
	if err != nil {
		return nil, nil, err
	}
	o, err := claims.Parse(payload)
	if err != nil {
		return nil, nil, errors.New("ID token is not a JSON object")
	}
	if err := c.checkParties(o); err != nil {
		return nil, nil, err
	}
	if err := checkTimes(o, time.Now()); err != nil {
		return nil, nil, err
	}
	if _, ok := o["at_hash"]; ok && !hasATHash(o, token.alg, accessToken) {
		return nil, nil, errors.New("ID token belongs to another access token (at_hash)")
	}
	return o, payload, nil
}

// checkParties checks who issued the token, about whom, and for whom.
func (c *Client) checkParties(o claims.Object) error {
	// sub is at most 255 ASCII characters (OpenID Connect Core section 2).
	sub := o.String("sub")
	if sub == "" || len(sub) > 255 || strings.ContainsFunc(sub, notPrintable) {
		return errors.New("ID token has no valid sub")
	}
	aud := o.Audience()
	_, hasAZP := o["azp"]
	switch {
	case o.String("iss") != c.Issuer:
		return errors.New("ID token is of another issuer (iss)")
	case !slices.Contains(aud, c.OAuth2.ClientID):
		return fmt.Errorf("ID token was issued to another client (aud): it has the audience %s; Provider.TrustedAudiences stands beside the client ID and not in its place", shownAudience(aud))
	case len(c.untrusted(aud)) > 0:
		return fmt.Errorf("ID token has the audience %s, which Provider.TrustedAudiences does not have", shownAudience(c.untrusted(aud)))
	case hasAZP && o.String("azp") != c.OAuth2.ClientID:
		return errors.New("ID token was issued to another client (azp)")
	case len(aud) > 1 && !hasAZP:
		return errors.New("ID token has several audiences and no azp")
	}
	return nil
}

// shownAudience shows the first of several audiences. One that may be an e-mail address
// is not shown.
func shownAudience(aud []string) string {
	if len(aud) == 0 || strings.Contains(aud[0], "@") {
		return `"?"`
	}
	return shown(aud[0])
}

// untrusted returns the audiences that are neither the client nor trusted.
func (c *Client) untrusted(aud []string) []string {
	return slices.DeleteFunc(slices.Clone(aud), func(aud string) bool {
		return aud == c.OAuth2.ClientID || slices.Contains(c.TrustedAudiences, aud)
	})
}

func notPrintable(r rune) bool { return r < 0x20 || r > 0x7e }

func checkTimes(o claims.Object, now time.Time) error {
	exp, hasExp := o.Time("exp")
	iat, hasIAT := o.Time("iat")
	nbf, hasNBF := o.Time("nbf")
	switch {
	case !hasExp:
		return errors.New("ID token has no valid exp")
	case !now.Before(exp.Add(claims.ClockLeeway)):
		return clockError("has expired", "exp", exp, now)
	case !hasIAT:
		return errors.New("ID token has no valid iat")
	case iat.After(now.Add(claims.ClockLeeway)):
		return clockError("is from the future", "iat", iat, now)
	case o["nbf"] != nil && !hasNBF:
		return errors.New("ID token has no valid nbf")
	case nbf.After(now.Add(claims.ClockLeeway)):
		return clockError("is not valid yet", "nbf", nbf, now)
	}
	return nil
}

// clockError names both times, because the cause is often a clock that is wrong.
func clockError(fault, claim string, at, now time.Time) error {
	return fmt.Errorf("ID token %s (%s): it says %s, this clock says %s, a difference of %v",
		fault, claim, at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), now.Sub(at).Abs().Truncate(time.Second))
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

// ClaimedSubject returns the sub that an ID token claims, which nothing has verified. ok
// is false if it claims none. It is for refusing a token, and never for accepting one.
func ClaimedSubject(raw string) (sub string, ok bool) {
	if strings.Count(raw, ".") != 2 || len(raw) > maxJWTBytes {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		return "", false
	}
	o, err := claims.Parse(payload)
	if err != nil {
		return "", false
	}
	sub = o.String("sub")
	return sub, sub != ""
}

// CheckRefreshed compares the claims of a verified ID token that came with a refresh
// with those of the first one (OpenID Connect Core section 12.2).
func CheckRefreshed(before claims.Object, subject string, fresh claims.Object) error {
	switch _, hasNonce := fresh["nonce"]; {
	case fresh.String("sub") != subject:
		return errors.New("refreshed ID token has another sub")
	case !slices.Equal(fresh.Audience(), before.Audience()):
		return errors.New("refreshed ID token has another aud")
	case hasNonce && fresh.String("nonce") != before.String("nonce"):
		return errors.New("refreshed ID token has another nonce")
	}
	return nil
}
