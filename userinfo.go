package oauthlogin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// userFromClaims makes a User of an ID token, and of user info when that is
// advertised and name or e-mail are missing.
func (p *provider) userFromClaims(ctx context.Context, md *metadata, payload json.RawMessage, claims object, accessToken string) (User, error) {
	if md.UserInfoURL != "" && (claims.str("name") == "" || claims.str("email") == "") {
		info, err := p.userInfo(ctx, md, accessToken)
		if err != nil {
			return User{}, fmt.Errorf("read user info: %w", err)
		}
		// OpenID Connect Core section 5.3.2.
		if info != nil && info.str("sub") != claims.str("sub") {
			return User{}, errors.New("user info is of another subject")
		}
		// How the user signed in is for the ID token to say. An e-mail address and
		// its verification come from one place or the other, never mixed.
		signed := slices.Clone(authenticationClaims)
		if claims.str("email") != "" {
			signed = append(signed, "email_verified")
		} else if info.str("email") != "" {
			delete(claims, "email")
			delete(claims, "email_verified")
		}
		for _, name := range []string{"name", "preferred_username"} {
			if claims.str(name) == "" {
				delete(claims, name)
			}
		}
		// What the provider signed goes before what it did not, also for readers
		// that ignore case, as encoding/json does.
		names := map[string]bool{}
		for _, name := range slices.AppendSeq(signed, maps.Keys(claims)) {
			names[folded(name)] = true
		}
		maps.DeleteFunc(info, func(name string, _ json.RawMessage) bool { return names[folded(name)] })
		merged := object{}
		maps.Copy(merged, info)
		maps.Copy(merged, claims)
		if claims = merged; len(info) > 0 {
			if payload, err = json.Marshal(merged); err != nil {
				return User{}, err
			}
		}
	}
	return userOf(claims, payload), nil
}

// folded is a name as encoding/json compares it with those of struct fields.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return next
			}
			r = next
		}
	}, name)
}

// userOf reads the standard claims (OpenID Connect Core section 5.1).
func userOf(claims object, raw json.RawMessage) User {
	name := claims.str("name")
	if name == "" {
		name = claims.str("preferred_username")
	}
	return User{
		Subject:       claims.str("sub"),
		Name:          name,
		Email:         claims.str("email"),
		EmailVerified: claims.str("email") != "" && claims.isTrue("email_verified"),
		RawClaims:     raw,
	}
}

// userInfo asks the user info endpoint (OpenID Connect Core section 5.3). It
// returns nil where the provider does not let the token's scopes ask.
func (p *provider) userInfo(ctx context.Context, md *metadata, accessToken string) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, md.UserInfoURL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	resp, err := p.do(req)
	if err != nil {
		return nil, err
	}
	body, err := readBody(resp)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp.StatusCode)
	}
	return parseObject(body)
}
