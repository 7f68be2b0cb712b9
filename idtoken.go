package oauthlogin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	clockLeeway     = time.Minute
	maxIDTokenBytes = 128 << 10
)

// A keysError is a failure to get a provider's keys: its fault, and no word
// on the token.
type keysError struct{ err error }

func (e *keysError) Error() string { return "fetch keys: " + e.err.Error() }

func (e *keysError) Unwrap() error { return e.err }

// verifyIDToken checks all that holds for every ID token of the provider
// (OpenID Connect Core section 3.1.3.7) and returns its payload. The caller
// compares what depends on the occasion: nonce, subject, times, acr.
func (p *provider) verifyIDToken(ctx context.Context, md *metadata, raw, accessToken string) (json.RawMessage, object, error) {
	switch {
	case raw == "":
		return nil, nil, errors.New("answer has no id_token")
	case len(raw) > maxIDTokenBytes:
		return nil, nil, fmt.Errorf("ID token of over %d bytes", maxIDTokenBytes)
	// A JWS in compact serialisation, and neither a JWE nor a JSON object.
	case strings.Count(raw, ".") != 2 || strings.ContainsFunc(raw, notInJWT):
		return nil, nil, errors.New("ID token is not a signed JWT")
	}
	keys := &watchedKeys{KeySet: md.keys}
	verifier := oidc.NewVerifier(p.Issuer, keys, &oidc.Config{
		ClientID:             p.OAuth2.ClientID,
		SupportedSigningAlgs: md.SigningAlgs,
		SkipExpiryCheck:      true, // below, with leeway
	})
	token, err := verifier.Verify(ctx, raw)
	if keys.err != nil {
		return nil, nil, keys.err
	}
	if err != nil {
		return nil, nil, errors.New(beforeQuote(err))
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, nil, err
	}
	claims, err := parseObject(payload)
	if err != nil {
		return nil, nil, err
	}

	// sub is at most 255 ASCII characters (OpenID Connect Core section 2).
	sub := claims.str("sub")
	if sub == "" || len(sub) > 255 || strings.IndexFunc(sub, func(r rune) bool { return r < 0x20 || r > 0x7e }) >= 0 {
		return nil, nil, errors.New("ID token has no valid sub")
	}
	// go-oidc has compared iss and aud, but under any spelling of their names.
	aud := claims.audience()
	extra := slices.DeleteFunc(slices.Clone(aud), func(aud string) bool {
		return aud == p.OAuth2.ClientID || slices.Contains(p.TrustedAudiences, aud)
	})
	_, hasAZP := claims["azp"]
	switch {
	case claims.str("iss") != token.Issuer:
		return nil, nil, errors.New("ID token has no iss")
	case !slices.Contains(aud, p.OAuth2.ClientID):
		return nil, nil, errors.New("ID token has no aud")
	case len(extra) > 0:
		return nil, nil, errors.New("ID token has an untrusted audience")
	case hasAZP && claims.str("azp") != p.OAuth2.ClientID:
		return nil, nil, errors.New("ID token was issued to another client (azp)")
	case len(aud) > 1 && !hasAZP:
		return nil, nil, errors.New("ID token has several audiences and no azp")
	}
	now := time.Now()
	exp, hasExp := claims.seconds("exp")
	iat, hasIAT := claims.seconds("iat")
	nbf, hasNBF := claims.seconds("nbf")
	switch {
	case !hasExp || !now.Before(exp.Add(clockLeeway)):
		return nil, nil, errors.New("ID token has expired (exp)")
	case !hasIAT:
		return nil, nil, errors.New("ID token has no valid iat")
	case iat.After(now.Add(clockLeeway)):
		return nil, nil, errors.New("ID token is from the future (iat)")
	case claims["nbf"] != nil && !hasNBF, nbf.After(now.Add(clockLeeway)):
		return nil, nil, errors.New("ID token is not valid yet (nbf)")
	}
	// OpenID Connect Core section 3.1.3.8.
	if _, ok := claims["at_hash"]; ok {
		if hash := claims.str("at_hash"); hash == "" || hash != token.AccessTokenHash || token.VerifyAccessToken(accessToken) != nil {
			return nil, nil, errors.New("ID token belongs to another access token (at_hash)")
		}
	}
	return payload, claims, nil
}

func notInJWT(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// watchedKeys tells a failure to fetch keys from a signature that is wrong.
type watchedKeys struct {
	oidc.KeySet
	err error
}

func (k *watchedKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	if errors.Is(err, errKeysJustFetched) {
		// Perhaps by another login, between go-oidc's look at its keys and its fetch.
		payload, err = k.KeySet.VerifySignature(ctx, jwt)
	}
	// go-oidc wraps what the fetch returned, and nothing else.
	if err != nil && errors.Unwrap(err) != nil {
		k.err = &keysError{fetchFailed(err)}
	}
	return payload, err
}

// checkNonce compares in constant time (OpenID Connect Core section 15.5.2).
func checkNonce(claims object, nonce string) error {
	// Logins at providers of another kind have none.
	if nonce == "" || subtle.ConstantTimeCompare([]byte(claims.str("nonce")), []byte(nonce)) != 1 {
		return errors.New("ID token has another nonce")
	}
	return nil
}

// errInsufficient is an authentication that is not what was asked for.
var errInsufficient = errors.New("the user signed in otherwise than asked")

// authenticationClaims are about a sign-in and not about its user.
var authenticationClaims = []string{"auth_time", "acr", "amr", "nonce"}

// authTime returns when the user signed in, if the claims say so credibly.
func (o object) authTime(now time.Time) (time.Time, bool) {
	t, ok := o.seconds("auth_time")
	return t, ok && !t.After(now.Add(clockLeeway))
}

// checkAuthentication holds the provider to the max_age and acr_values of
// the authorization request (OpenID Connect Core sections 3.1.2.1, 3.1.3.7).
func checkAuthentication(claims object, f *flow) error {
	if f.maxAge >= 0 {
		now := time.Now()
		authTime, ok := claims.authTime(now)
		if !ok || now.Sub(authTime) > f.maxAge+clockLeeway {
			return fmt.Errorf("%w: too long ago (auth_time)", errInsufficient)
		}
	}
	if f.acrValues != "" && !slices.Contains(strings.Fields(f.acrValues), claims.str("acr")) {
		return fmt.Errorf("%w: by other means than required (acr)", errInsufficient)
	}
	return nil
}
