package protocol

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const testEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is a good one, after edit. nil removes a claim.
func (s *signer) logoutToken(header, edit object) string {
	now := time.Now().Unix()
	return s.sign(with(object{"alg": s.alg, "kid": s.kid, "typ": "logout+jwt"}, header), with(object{
		"iss": testIssuer, "sub": "alice", "sid": "s-1", "aud": "app", "exp": now + 120, "iat": now, "jti": "j-1", "events": object{testEvent: object{}},
	}, edit))
}

// OpenID Connect Back-Channel Logout sections 2.4 and 2.6.
func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	s := newSigner(t, "k", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	c.TrustedAudiences = []string{"api"}
	now, null := time.Now().Unix(), json.RawMessage("null")
	for _, tt := range []struct {
		name   string
		header object
		claims object
		ok     bool
	}{
		{"as it is", nil, nil, true},
		{"typ in other case", object{"typ": "Logout+JWT"}, nil, true},
		{"typ as a media type", object{"typ": "application/logout+jwt"}, nil, true},
		{"typ JWT", object{"typ": "JWT"}, nil, true},
		{"no typ", object{"typ": nil}, nil, true},
		{"an empty typ", object{"typ": ""}, nil, false},
		{"typ that is a list", object{"typ": []string{"logout+jwt"}}, nil, false},
		{"typ of an access token", object{"typ": "at+jwt"}, nil, false},
		{"typ of a security event", object{"typ": "secevent+jwt"}, nil, false},
		{"typ of an ID token's kind", object{"typ": "id+jwt"}, nil, false},
		{"a critical header", object{"crit": []string{"exp"}}, nil, false},

		{"another iss", nil, object{"iss": "https://evil.test"}, false},
		{"iss with a slash more", nil, object{"iss": testIssuer + "/"}, false},
		{"no iss", nil, object{"iss": nil}, false},
		{"another aud", nil, object{"aud": "other"}, false},
		{"no aud", nil, object{"aud": nil}, false},
		{"aud a list", nil, object{"aud": []string{"app"}}, true},
		{"aud trusted", nil, object{"aud": []string{"app", "api"}}, true}, // azp is no claim of logout tokens
		{"aud trusted alone", nil, object{"aud": "api"}, false},
		{"aud untrusted", nil, object{"aud": []string{"app", "other"}}, false},
		{"azp", nil, object{"azp": "app"}, true},
		{"another azp", nil, object{"azp": "other"}, false},

		{"no exp", nil, object{"exp": nil}, false},
		{"exp that is a string", nil, object{"exp": "99999999999"}, false},
		{"exp 90 seconds ago", nil, object{"exp": now - 90}, false},
		{"exp within the leeway", nil, object{"exp": now - 30}, true},
		{"exp in a day", nil, object{"exp": now + 24*3600}, true},
		{"exp in two days", nil, object{"exp": now + 48*3600}, false},
		{"exp in ten years", nil, object{"exp": now + 10*365*24*3600}, false},
		{"no iat", nil, object{"iat": nil}, false},
		{"iat that is null", nil, object{"iat": null}, false},
		{"iat in 90 seconds", nil, object{"iat": now + 90}, false},
		{"iat within the leeway", nil, object{"iat": now + 30}, true},
		{"iat ten minutes ago", nil, object{"iat": now - 600}, true},
		{"iat twelve minutes ago", nil, object{"iat": now - 720}, false},
		{"iat a day ago", nil, object{"iat": now - 24*3600}, false},
		{"nbf in 90 seconds", nil, object{"nbf": now + 90}, false},

		{"no events", nil, object{"events": nil}, false},
		{"events that are null", nil, object{"events": null}, false},
		{"events that are a string", nil, object{"events": testEvent}, false},
		{"events that are a list", nil, object{"events": []string{testEvent}}, false},
		{"no event", nil, object{"events": object{}}, false},
		{"another event", nil, object{"events": object{testEvent + "/": object{}}}, false},
		{"an event in other case", nil, object{"events": object{strings.ToUpper(testEvent): object{}}}, false},
		{"an event beside another", nil, object{"events": object{"urn:x": 1, testEvent: object{}}}, true},
		{"an event with members", nil, object{"events": object{testEvent: object{"reason": "x"}}}, true},
		{"an event that is null", nil, object{"events": object{testEvent: null}}, false},
		{"an event that is a list", nil, object{"events": object{testEvent: []any{}}}, false},
		{"an event that is true", nil, object{"events": object{testEvent: true}}, false},
		{"an event that is a string", nil, object{"events": object{testEvent: "{}"}}, false},

		{"a nonce", nil, object{"nonce": "n"}, false},
		{"an empty nonce", nil, object{"nonce": ""}, false},
		{"a nonce that is null", nil, object{"nonce": null}, false},
		{"Nonce", nil, object{"Nonce": "n"}, true}, // claims that are not understood are ignored

		{"no jti", nil, object{"jti": nil}, false},
		{"an empty jti", nil, object{"jti": ""}, false},
		{"jti that is a number", nil, object{"jti": 1}, false},

		{"sub alone", nil, object{"sid": nil}, true},
		{"sid alone", nil, object{"sub": nil}, true},
		{"neither sub nor sid", nil, object{"sub": nil, "sid": nil}, false},
		{"an empty sub", nil, object{"sub": ""}, false},
		{"sub that is null", nil, object{"sub": null}, false},
		{"sub of 256 bytes", nil, object{"sub": strings.Repeat("a", 256)}, false},
		{"sub outside ASCII", nil, object{"sub": "é"}, false},
		{"an empty sid", nil, object{"sid": ""}, false},
		{"sid that is null", nil, object{"sid": null}, false},
		{"sid that is a number", nil, object{"sid": 1}, false},
	} {
		token, err := c.VerifyLogoutToken(t.Context(), s.logoutToken(tt.header, tt.claims))
		if (err == nil) != tt.ok || KeysUnavailable(err) || err != nil && token != (LogoutToken{}) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	token, err := c.VerifyLogoutToken(t.Context(), s.logoutToken(nil, nil))
	if want := (LogoutToken{testIssuer, "alice", "s-1", "j-1"}); err != nil || token != want {
		t.Errorf("%+v, %v", token, err)
	}
	good := s.logoutToken(nil, nil)
	for name, raw := range map[string]string{
		"nothing": "", "no JWT": "x", "three empty parts": "..", "no claims": s.sign(object{"alg": "ES256", "kid": "k"}, nil), "an ID token": s.idToken(nil),
		"an ID token without a nonce": s.idToken(func(_, claims object) { delete(claims, "nonce") }), "a line break": good + "\n", "an encrypted token": "e30.AAAA.AAAA.AAAA.AAAA",
		"a token of another key": newSigner(t, "k", "ES256").logoutToken(nil, nil), "no signature": good[:strings.LastIndexByte(good, '.')+1],
		"alg none": s.logoutToken(object{"alg": "none"}, nil), "alg HS256": s.logoutToken(object{"alg": "HS256"}, nil), "a long token": s.logoutToken(nil, object{"x": strings.Repeat("x", maxJWTBytes)}),
	} {
		if _, err := c.VerifyLogoutToken(t.Context(), raw); err == nil || KeysUnavailable(err) || len(err.Error()) > 250 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if verify(c, s.logoutToken(nil, object{"nonce": "n"})) == nil {
		t.Error("a logout token is an ID token")
	}
	plain := NewClient(Registration{OAuth2: c.OAuth2}, c.transport, c.log)
	if _, err := plain.VerifyLogoutToken(t.Context(), s.logoutToken(nil, object{"iss": ""})); err == nil {
		t.Error("a plain OAuth 2.0 provider has logout tokens")
	}
}

// Which client a token may be for is told before anything is verified.
func TestClaimsToBeFor(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k", "ES256")
	c := newFakeProvider().client()
	for _, tt := range []struct {
		raw              string
		issuer, audience bool
	}{
		{s.logoutToken(nil, nil), true, true},
		{s.logoutToken(nil, object{"aud": []string{"other", "app"}}), true, true},
		{s.logoutToken(nil, object{"aud": "other"}), true, false},
		{s.logoutToken(nil, object{"iss": "https://evil.test"}), false, false},
		{"x", false, false},
		{"e30.%%.e30", false, false},
		{"e30.bnVsbA.e30", false, false},
	} {
		if issuer, audience := c.ClaimsToBeFor(tt.raw); issuer != tt.issuer || audience != tt.audience {
			t.Errorf("%s: %t, %t", tt.raw, issuer, audience)
		}
	}
	c.Issuer = ""
	if issuer, _ := c.ClaimsToBeFor(s.logoutToken(nil, object{"iss": ""})); issuer {
		t.Error("a token without an issuer is for a client without one")
	}
}

// Anyone can send logout tokens: they cause no request if something else is wrong with
// them, and few if nothing is but the signature. They take no turn from ID tokens.
func TestLogoutTokensOfStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		s, next, stranger := newSigner(t, "k", "ES256"), newSigner(t, "next", "ES256"), newSigner(t, "x", "ES256")
		p.jwks = []any{s.jwk()}
		c := p.client()
		send := func(raw string) error {
			_, err := c.VerifyLogoutToken(t.Context(), raw)
			return err
		}
		want := func(what string, metadata, keys int) {
			t.Helper()
			if p.count(metadataPath) != metadata || p.count(keysPath) != keys {
				t.Errorf("%s: metadata were read %d times, keys %d times; want %d, %d", what, p.count(metadataPath), p.count(keysPath), metadata, keys)
			}
		}
		for _, claims := range []object{{"exp": 1}, {"aud": "other"}, {"iss": "https://evil.test"}, {"nonce": "n"}, {"events": nil}, {"jti": nil}, {"sub": nil, "sid": nil}, {"iat": 1}} {
			if send(stranger.logoutToken(nil, claims)) == nil {
				t.Errorf("%v: accepted", claims)
			}
		}
		want("bad claims", 0, 0)
		p.down(keysPath)
		for range 20 {
			if err := send(stranger.logoutToken(nil, nil)); !KeysUnavailable(err) {
				t.Errorf("without keys: %v", err)
			}
		}
		want("a provider without keys", 1, 1)
		p.up(keysPath)
		if err := verify(c, s.idToken(nil)); err != nil { // which waits for no pause
			t.Error(err)
		}
		want("an ID token", 1, 2)
		for range 20 {
			if err := send(stranger.logoutToken(nil, nil)); err == nil || KeysUnavailable(err) {
				t.Errorf("an unknown key: %v", err)
			}
			if err := send(stranger.logoutToken(object{"alg": "RS256"}, nil)); err == nil || KeysUnavailable(err) {
				t.Errorf("an unknown algorithm: %v", err)
			}
		}
		want("unknown keys and algorithms", 2, 3)
		p.edit(func() { p.jwks = []any{s.jwk(), next.jwk()} })
		if err := send(next.logoutToken(nil, nil)); err == nil {
			t.Error("keys are read all the time")
		}
		if err := verify(c, next.idToken(nil)); err != nil {
			t.Errorf("strangers keep an ID token of a new key from being verified: %v", err)
		}
		if err := send(next.logoutToken(nil, nil)); err != nil {
			t.Error(err)
		}
		want("a new key", 2, 4)
		time.Sleep(time.Minute)
		p.down(keysPath)
		for range 20 {
			if err := send(stranger.logoutToken(nil, nil)); !KeysUnavailable(err) {
				t.Errorf("an unknown key while keys cannot be read: %v", err)
			}
		}
		want("an unknown key while keys cannot be read", 2, 5)
		time.Sleep(10 * time.Second)
		if err := send(stranger.logoutToken(nil, nil)); !KeysUnavailable(err) {
			t.Error(err)
		}
		want("ten seconds later", 2, 6)
		if err := send(s.logoutToken(nil, nil)); err != nil {
			t.Errorf("a known key while keys cannot be read: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.client().VerifyLogoutToken(gone, s.logoutToken(nil, nil)); !KeysUnavailable(err) {
			t.Errorf("a provider that hangs up: %v", err)
		}
	})
}
