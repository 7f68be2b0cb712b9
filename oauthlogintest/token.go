package oauthlogintest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveToken exchanges codes and refresh tokens for tokens (RFC 6749 sections
// 4.1.3 and 6).
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	client, form, err := p.authenticatedForm(r)
	jkt := ""
	if err == nil {
		jkt, err = p.clientProof(w, r)
	}
	if err != nil {
		writeOAuthError(w, err)
		return
	}
	var g *grant
	var scopes []string
	var nonce, audience string
	switch form.Get("grant_type") {
	case "authorization_code":
		if g, err = p.redeemCode(client, form, jkt); err == nil {
			scopes, nonce = g.scopes, g.nonce
		}
	case "refresh_token":
		// OpenID Connect Core 1.0 section 12.2: the new ID token should not
		// have a nonce.
		requested := strings.Fields(form.Get("scope"))
		if audience, err = p.audienceOf(form); err != nil {
			break
		}
		g, scopes, err = p.store.rotateRefreshToken(p.config.Now(), client, form.Get("refresh_token"), jkt, requested)
	case "":
		err = &oauthError{Code: "invalid_request", Description: "grant_type is missing"}
	default:
		err = &oauthError{Code: "unsupported_grant_type"}
	}
	if err != nil {
		writeOAuthError(w, err)
		return
	}
	resp := p.issueTokens(g, scopes, nonce, audience)
	edit(p.hook().editTokenResponse, resp)
	writeJSON(w, http.StatusOK, resp)
}

func (p *Provider) redeemCode(client *Client, form url.Values, jkt string) (*grant, *oauthError) {
	code, verifier := form.Get("code"), form.Get("code_verifier")
	switch {
	case code == "":
		return nil, &oauthError{Code: "invalid_request", Description: "code is missing"}
	case !isVerifier(verifier):
		return nil, &oauthError{Code: "invalid_request", Description: "code_verifier must be 43 to 128 unreserved characters"}
	}
	return p.store.redeemCode(p.config.Now(), client, code, form.Get("redirect_uri"), verifier, jkt)
}

// issueTokens issues tokens and returns the token response (RFC 6749 section
// 5.1). audience is the API that the access token is for; "": user info.
func (p *Provider) issueTokens(g *grant, scopes []string, nonce, audience string) map[string]any {
	now := p.config.Now()
	access, refresh := rand.Text(), rand.Text()
	if p.config.JWTAccessTokens {
		access = p.jwtAccessToken(g, scopes, audience, now)
	}
	resp := map[string]any{
		"access_token": access,
		"token_type":   "Bearer",
		"expires_in":   int(p.config.AccessTokenTTL.Seconds()),
		"scope":        strings.Join(scopes, " "),
	}
	if g.jkt != "" {
		resp["token_type"] = dpopScheme
	}
	p.store.update(now, func() {
		p.store.access[access] = accessToken{grant: g, scopes: scopes, audience: audience, expires: now.Add(p.config.AccessTokenTTL)}
		if !p.config.NoRefreshTokens {
			p.store.refresh[refresh] = &refreshToken{grant: g, expires: now.Add(p.config.RefreshTokenTTL)}
			resp["refresh_token"] = refresh
		}
	})
	if slices.Contains(scopes, "openid") {
		resp["id_token"] = p.idToken(g, scopes, nonce, access, now)
	}
	return resp
}

// isVerifier reports whether s is a well-formed code_verifier (RFC 7636 section
// 4.1).
func isVerifier(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("-._~", rune(c)) {
			return false
		}
	}
	return len(s) >= 43 && len(s) <= 128
}
