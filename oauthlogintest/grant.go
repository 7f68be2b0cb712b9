package oauthlogintest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"slices"
	"sync"
	"time"
)

// sessionTTL is how long a browser stays signed in at the provider.
const sessionTTL = 24 * time.Hour

// A session is the sign-in of a browser at the provider.
type session struct {
	subject  string
	authTime time.Time
	acr      string
	sid      string
	expires  time.Time
}

// A grant is what a user granted to a client. The code and all tokens issued from
// it share one grant, so revoking the grant revokes the whole family.
type grant struct {
	client  *Client
	session session // at the time of the grant
	scopes  []string
	nonce   string
	jkt     string // thumbprint of the key that its tokens are bound to; "": none
	revoked bool
}

type authorizationCode struct {
	*grant
	redirectURI string
	challenge   string
	expires     time.Time
	used        bool
}

type accessToken struct {
	*grant
	scopes   []string
	audience string // of another API; "": good for user info
	expires  time.Time
}

type refreshToken struct {
	*grant
	expires time.Time
	used    bool
}

// A store holds sessions, codes and tokens until they expire. The zero value is
// ready to use.
type store struct {
	mu       sync.Mutex
	sessions map[string]session
	codes    map[string]*authorizationCode
	access   map[string]accessToken
	refresh  map[string]*refreshToken
	pushed   map[string]pushedRequest
	seen     map[string]time.Time // jti of JWTs that are good once, with their ends
	swept    time.Time
}

// update calls f with the store locked. Before that it deletes expired entries,
// at most once a minute.
func (s *store) update(now time.Time, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codes == nil {
		s.sessions = map[string]session{}
		s.codes = map[string]*authorizationCode{}
		s.access = map[string]accessToken{}
		s.refresh = map[string]*refreshToken{}
		s.pushed = map[string]pushedRequest{}
		s.seen = map[string]time.Time{}
	}
	if now.Sub(s.swept) >= time.Minute {
		s.swept = now
		maps.DeleteFunc(s.sessions, func(_ string, v session) bool { return !now.Before(v.expires) })
		maps.DeleteFunc(s.codes, func(_ string, v *authorizationCode) bool { return !now.Before(v.expires) })
		maps.DeleteFunc(s.access, func(_ string, v accessToken) bool { return v.revoked || !now.Before(v.expires) })
		maps.DeleteFunc(s.pushed, func(_ string, v pushedRequest) bool { return !now.Before(v.expires) })
		maps.DeleteFunc(s.seen, func(_ string, end time.Time) bool { return !now.Before(end) })
		maps.DeleteFunc(s.refresh, func(_ string, v *refreshToken) bool { return v.revoked || !now.Before(v.expires) })
	}
	f()
}

// firstUse reports whether it is asked about the id of a JWT for the first time.
func (s *store) firstUse(now time.Time, id string, end time.Time) (first bool) {
	s.update(now, func() {
		_, used := s.seen[id]
		s.seen[id] = end
		first = !used
	})
	return first
}

// redeemCode returns the grant of a code and marks the code as used.
func (s *store) redeemCode(now time.Time, client *Client, code, redirectURI, verifier, jkt string) (g *grant, err *oauthError) {
	s.update(now, func() {
		c := s.codes[code]
		switch {
		case c == nil || c.client != client || !now.Before(c.expires):
			err = invalidGrant("the code is unknown, expired or belongs to another client")
		case c.used:
			// RFC 6749 section 4.1.2: reuse of a code revokes its tokens.
			c.revoked = true
			err = invalidGrant("the code has already been used")
		case c.redirectURI != redirectURI:
			err = invalidGrant("redirect_uri differs from the authorization request")
		case c.jkt != jkt:
			err = invalidGrant("the code is bound to another key")
		case !challengeMatches(c.challenge, verifier):
			err = invalidGrant("code_verifier does not match the code_challenge")
		default:
			g = c.grant
		}
		if c != nil && c.client == client {
			c.used = true
		}
	})
	return g, err
}

// challengeMatches verifies a code_verifier (RFC 7636 section 4.6).
func challengeMatches(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	computed := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(computed), []byte(challenge)) == 1
}

// rotateRefreshToken marks a refresh token as used and returns its grant and the
// scopes to issue: the requested ones, or all granted ones if none are requested.
func (s *store) rotateRefreshToken(now time.Time, client *Client, token, jkt string, requested []string) (g *grant, scopes []string, err *oauthError) {
	s.update(now, func() {
		t := s.refresh[token]
		switch {
		case t == nil || t.client != client || t.revoked || !now.Before(t.expires):
			err = invalidGrant("the refresh token is unknown, expired, revoked or belongs to another client")
			return
		case t.jkt != jkt:
			err = invalidGrant("the refresh token is bound to another key")
			return
		case t.used:
			// RFC 9700 section 4.14.2: reuse means that the token leaked, so
			// the family is revoked.
			t.revoked = true
			err = invalidGrant("the refresh token has already been used")
			return
		}
		scopes = t.grant.scopes
		if len(requested) > 0 {
			if slices.ContainsFunc(requested, func(scope string) bool { return !slices.Contains(scopes, scope) }) {
				err = &oauthError{Code: "invalid_scope", Description: "scope exceeds the granted scopes"}
				return
			}
			scopes = requested
		}
		t.used = true
		g = t.grant
	})
	return g, scopes, err
}

// accessToken looks up an access token that is valid for user info.
func (s *store) accessToken(now time.Time, token string) (t accessToken, ok bool) {
	s.update(now, func() {
		t, ok = s.access[token]
		ok = ok && t.audience == "" && !t.revoked && now.Before(t.expires)
	})
	return t, ok
}

// revoke revokes an access token, or the whole family of a refresh token. It
// returns false if the token belongs to another client. Revoking an unknown token
// succeeds (RFC 7009 section 2.2).
func (s *store) revoke(now time.Time, client *Client, token string) (allowed bool) {
	s.update(now, func() {
		access, isAccess := s.access[token]
		refresh, isRefresh := s.refresh[token]
		switch {
		case isAccess && access.client == client:
			delete(s.access, token)
			allowed = true
		case isRefresh && refresh.client == client:
			refresh.revoked = true
			allowed = true
		default:
			allowed = !isAccess && !isRefresh
		}
	})
	return allowed
}
