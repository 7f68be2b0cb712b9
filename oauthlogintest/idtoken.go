package oauthlogintest

import (
	"cmp"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"time"
)

// idToken returns a signed ID token (OpenID Connect Core 1.0 sections 2, 3.1.3.6
// and 12.2).
func (p *Provider) idToken(g *grant, scopes []string, nonce, accessToken string, now time.Time) string {
	key := p.keys.current()
	claims := userClaims(p.user(g.session.subject), scopes)
	maps.Copy(claims, map[string]any{
		"iss":       p.config.Issuer,
		"aud":       g.client.ID,
		"azp":       g.client.ID,
		"iat":       now.Unix(),
		"exp":       now.Add(p.config.IDTokenTTL).Unix(),
		"auth_time": g.session.authTime.Unix(),
		"acr":       g.session.acr,
		"sid":       g.session.sid,
		"at_hash":   key.leftHalfHash(accessToken),
	})
	if nonce != "" {
		claims["nonce"] = nonce
	}
	header := key.header("JWT")

	hooks := p.hook()
	if hooks.editIDToken != nil {
		hooks.editIDToken(header, claims)
	}
	if hooks.signWith != nil {
		return hooks.signWith(header, claims)
	}
	return key.signAs(header, claims, g.client.Secret)
}

// signAs signs as the header's alg says if that is none or HS256, and otherwise with k.
func (k *signingKey) signAs(header, claims map[string]any, clientSecret string) string {
	switch header["alg"] {
	case "none":
		return signJWT(header, claims, unsigned)
	case "HS256":
		return signJWT(header, claims, signHS256(clientSecret))
	}
	return signJWT(header, claims, k.sign)
}

// jwtAccessToken returns a JWT access token (RFC 9068 section 2.2).
func (p *Provider) jwtAccessToken(g *grant, scopes []string, audience string, now time.Time) string {
	key := p.keys.current()
	claims := map[string]any{
		"iss":       p.config.Issuer,
		"sub":       g.session.subject,
		"aud":       cmp.Or(audience, p.config.Issuer),
		"client_id": g.client.ID,
		"iat":       now.Unix(),
		"exp":       now.Add(p.config.AccessTokenTTL).Unix(),
		"jti":       rand.Text(),
		"scope":     strings.Join(scopes, " "),
		"auth_time": g.session.authTime.Unix(),
		"acr":       g.session.acr,
	}
	if g.jkt != "" { // RFC 9449 section 6.1
		claims["cnf"] = map[string]any{"jkt": g.jkt}
	}
	return signJWT(key.header("at+jwt"), claims, key.sign)
}

// userClaims returns the user's claims that the scopes release (OpenID Connect
// Core 1.0 section 5.4).
func userClaims(user User, scopes []string) map[string]any {
	profile, email := slices.Contains(scopes, "profile"), slices.Contains(scopes, "email")
	claims := map[string]any{}
	if profile || email {
		maps.Copy(claims, user.Claims)
	}
	if profile && user.Name != "" {
		claims["name"] = user.Name
	}
	if email && user.Email != "" {
		claims["email"] = user.Email
		claims["email_verified"] = user.EmailVerified
	}
	claims["sub"] = user.Subject
	return claims
}

// claimsSupported lists the claims that idToken and userClaims can return.
func (p *Provider) claimsSupported() []string {
	claims := []string{
		"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "azp", "acr", "sid",
		"name", "email", "email_verified",
	}
	for _, user := range p.knownUsers() {
		for name := range maps.Keys(user.Claims) {
			if !slices.Contains(claims, name) {
				claims = append(claims, name)
			}
		}
	}
	return claims
}
