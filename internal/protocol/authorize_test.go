package protocol

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1.
func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.doc["authorization_endpoint"] = testIssuer + "/authorize?tenant=a&STATE=x&nonce=x&prompt=x"
	c := p.client()
	c.AuthParams = url.Values{"prompt": {"consent"}, "max_age": {"60"}, "acr_values": {"a"}}
	seen := map[string]bool{}
	for range 2 {
		r, err := c.AuthorizationRequest(t.Context(), url.Values{"acr_values": {"b", "c"}, "login_hint": {"a & b"}})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(r.Verifier))
		want := url.Values{
			"client_id": {"app"}, "redirect_uri": {"https://app.test/auth/callback"}, "response_type": {"code"}, "scope": {"openid"},
			"state": {r.State}, "nonce": {r.Want.Nonce}, "code_challenge": {b64(sum[:])}, "code_challenge_method": {"S256"},
			"tenant": {"a"}, "prompt": {"consent"}, "max_age": {"60"}, "acr_values": {"b", "c"}, "login_hint": {"a & b"},
		}
		if got := u.Query(); got.Encode() != want.Encode() || u.Host != "provider.test" || u.Path != "/authorize" {
			t.Errorf("URL is %s", r.URL)
		}
		if r.Want.MaxAge != time.Minute || r.Want.ACRValues != "b c" {
			t.Errorf("wants %+v", r.Want)
		}
		for _, token := range []string{r.State, r.Verifier, r.Want.Nonce} {
			if seen[token] || len(token) != 43 {
				t.Errorf("token %q", token)
			}
			seen[token] = true
		}
	}
	p.doc["authorization_endpoint"] = testIssuer
	plain := NewClient(Registration{OAuth2: &oauth2.Config{ClientID: "app", Endpoint: oauth2.Endpoint{AuthURL: "https://forge.test/authorize"}}}, nil, c.log)
	r, err := plain.AuthorizationRequest(t.Context(), nil)
	if err != nil || r.Want != (Authentication{MaxAge: -1}) || strings.Contains(r.URL, "nonce") || strings.Contains(r.URL, "scope") {
		t.Errorf("plain OAuth 2.0: %+v, %v", r, err)
	}
}

// CVE-2025-67716: parameters may not override those that carry the security.
func TestOwnParameters(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	c := p.client()
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "request", "request_uri", "State"} {
		if _, err := c.AuthorizationRequest(t.Context(), url.Values{name: {"x"}}); err == nil || Unavailable(err) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckParams(url.Values{"prompt": {"x"}, "resource": {"x"}}); err != nil {
		t.Error(err)
	}
	if p.count(metadataPath) > 0 {
		t.Error("metadata was read for a request that is refused")
	}
	p.down(metadataPath)
	if _, err := c.AuthorizationRequest(t.Context(), nil); !Unavailable(err) {
		t.Errorf("without metadata: %v", err)
	}
}

func TestParseMaxAge(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"0": 0, "60": time.Minute, "2147483647": 2147483647 * time.Second, "": -1, "-1": -1, "1.5": -1, "+1": -1, "2147483648": -1, "60s": -1} {
		if got, err := ParseMaxAge(s); (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	if _, err := newFakeProvider().client().AuthorizationRequest(t.Context(), url.Values{"max_age": {"x"}}); err == nil || Unavailable(err) {
		t.Error(err)
	}
}

func TestRandomToken(t *testing.T) {
	t.Parallel()
	var tokens []string
	for range 100 {
		token := RandomToken()
		if len(token) != 43 || slices.Contains(tokens, token) || strings.ContainsFunc(token, notInJWT) {
			t.Errorf("token %q", token)
		}
		tokens = append(tokens, token)
	}
}
