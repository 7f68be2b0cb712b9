package protocol

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

func newDPoPKey(t testing.TB) *dpop.Key {
	t.Helper()
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// proofClaims returns the claims of the proof of a request; nil: it has none.
func proofClaims(t testing.TB, r *http.Request) (claims map[string]any) {
	t.Helper()
	if len(r.Header.Values("DPoP")) == 0 {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(r.Header.Get("DPoP"), ".")[1])
	if err == nil {
		err = json.Unmarshal(b, &claims)
	}
	if err != nil || len(r.Header.Values("DPoP")) != 1 {
		t.Fatalf("DPoP %q: %v", r.Header.Values("DPoP"), err)
	}
	return claims
}

// wantsNonces has an endpoint refuse every proof without the nonce "n1", in this way, and
// records forms and proofs.
func (p *fakeProvider) wantsNonces(t testing.TB, path, says string, status int) (forms *[]url.Values, proofs *[]map[string]any) {
	t.Helper()
	forms, proofs = &[]url.Values{}, &[]map[string]any{}
	p.says[path] = func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		claims := proofClaims(t, r)
		*forms, *proofs = append(*forms, r.PostForm), append(*proofs, claims)
		if claims["nonce"] != "n1" {
			w.Header().Set("DPoP-Nonce", "n1")
			w.WriteHeader(status)
			w.Write([]byte(`{"error":"use_dpop_nonce"}`))
			return
		}
		w.Write([]byte(says))
	}
	return forms, proofs
}

// RFC 9449 sections 5 and 8: a request that asks for a nonce is sent once more, with another
// proof and another assertion; the code and all else is the same.
func TestNonceOfTheProvider(t *testing.T) {
	t.Parallel()
	for path, call := range map[string]func(*Client, *dpop.Key) error{
		"/token": func(c *Client, key *dpop.Key) error {
			_, err := c.Exchange(context.Background(), "the-code", "v", key)
			return err
		},
		"/token?refresh": func(c *Client, key *dpop.Key) error {
			_, err := c.Refresh(context.Background(), "the-refresh-token", key)
			return err
		},
		"/revoke": func(c *Client, key *dpop.Key) error { return c.Revoke(context.Background(), "r", key) },
		"/par": func(c *Client, _ *dpop.Key) error {
			c.DPoP = true
			_, err := c.AuthorizationRequest(context.Background(), nil)
			return err
		},
	} {
		for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized} {
			p := newFakeProvider()
			p.doc["pushed_authorization_request_endpoint"] = testIssuer + "/par"
			says := `{"access_token":"a","token_type":"DPoP","request_uri":"urn:x"}`
			forms, proofs := p.wantsNonces(t, strings.TrimSuffix(path, "?refresh"), says, status)
			c := p.client()
			c.OAuth2.ClientSecret = ""
			made := 0
			c.ClientAssertion = func(context.Context, string) (string, error) {
				made++
				return fmt.Sprint("assertion", made), nil
			}
			if err := call(c, newDPoPKey(t)); err != nil {
				t.Fatalf("%s, %d: %v", path, status, err)
			}
			if len(*forms) != 2 {
				t.Fatalf("%s: %d requests", path, len(*forms))
			}
			first, second := (*forms)[0], (*forms)[1]
			if first.Get("client_assertion") != "assertion1" || second.Get("client_assertion") != "assertion2" {
				t.Errorf("%s: assertions %q, %q", path, first.Get("client_assertion"), second.Get("client_assertion"))
			}
			first.Del("client_assertion")
			second.Del("client_assertion")
			if first.Encode() != second.Encode() {
				t.Errorf("%s: %v, then %v", path, first, second)
			}
			one, two := (*proofs)[0], (*proofs)[1]
			if one["nonce"] != nil || two["nonce"] != "n1" || one["jti"] == two["jti"] || two["htm"] != "POST" || two["htu"] != testIssuer+strings.TrimSuffix(path, "?refresh") || two["ath"] != nil {
				t.Errorf("%s: proofs %v, %v", path, one, two)
			}
			// Known from now on.
			if err := call(c, newDPoPKey(t)); err != nil || len(*forms) != 3 {
				t.Errorf("%s: %d requests, %v", path, len(*forms), err)
			}
		}
	}
}

// A provider that never has enough, or that gives no nonce, gets no third request, and its
// refusal says nothing about the grant.
func TestNonceOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header http.Header
		status int
		body   string
		sent   int
	}{
		"always another nonce": {http.Header{"Dpop-Nonce": {"x"}}, 400, `{"error":"use_dpop_nonce"}`, 2},
		"no nonce":             {nil, 400, `{"error":"use_dpop_nonce"}`, 1},
		"two nonces":           {http.Header{"Dpop-Nonce": {"x", "y"}}, 400, `{"error":"use_dpop_nonce"}`, 1},
		"a malformed nonce":    {http.Header{"Dpop-Nonce": {"x y"}}, 400, `{"error":"use_dpop_nonce"}`, 1},
		"another error":        {http.Header{"Dpop-Nonce": {"x"}}, 400, `{"error":"invalid_dpop_proof"}`, 1},
		"an outage":            {http.Header{"Dpop-Nonce": {"x"}}, 503, `{"error":"use_dpop_nonce"}`, 1},
		"a page":               {http.Header{"Dpop-Nonce": {"x"}}, 400, `<html>use_dpop_nonce`, 1},
		"a success":            {http.Header{"Dpop-Nonce": {"x"}}, 200, `{"error":"use_dpop_nonce"}`, 1},
	} {
		p := newFakeProvider()
		p.says["/token"] = func(w http.ResponseWriter, _ *http.Request) {
			for _, nonce := range tt.header["Dpop-Nonce"] {
				w.Header().Add("DPoP-Nonce", nonce)
			}
			w.WriteHeader(tt.status)
			w.Write([]byte(tt.body))
		}
		_, err := p.client().Refresh(t.Context(), "r", newDPoPKey(t))
		if n := p.count("/token"); err == nil || n != tt.sent || RefusalOf(err) != NotRefused {
			t.Errorf("%s: %d requests, %v", name, n, err)
		}
	}
	// Without a key there is nothing to prove, and no second request.
	p := newFakeProvider()
	p.wantsNonces(t, "/token", "", 400)
	if _, err := p.client().Exchange(t.Context(), "c", "v", nil); err == nil || p.count("/token") != 1 {
		t.Errorf("%d requests, %v", p.count("/token"), err)
	}
}

// Both requests together take no longer than one may.
func TestNonceIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		p.says["/token"] = func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(requestTimeout - time.Second):
				w.Header().Set("DPoP-Nonce", "x")
				w.WriteHeader(http.StatusBadRequest)
				w.Write([]byte(`{"error":"use_dpop_nonce"}`))
			case <-r.Context().Done():
				w.WriteHeader(599)
			}
		}
		start := time.Now()
		_, err := p.client().Exchange(t.Context(), "c", "v", newDPoPKey(t))
		if took := time.Since(start); !Unavailable(err) || took != requestTimeout || p.count("/token") != 2 {
			t.Errorf("after %v and %d requests: %v", took, p.count("/token"), err)
		}
	})
}

// The second request has the nonce that the first was refused for, and not one that an API
// at the same origin has given meanwhile.
func TestNonceOfTheRefusal(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	_, proofs := p.wantsNonces(t, "/token", `{"access_token":"a","token_type":"DPoP"}`, http.StatusBadRequest)
	c := p.client()
	c.OAuth2.ClientSecret = ""
	c.ClientAssertion = func(context.Context, string) (string, error) { // before each request
		api, err := http.NewRequest(http.MethodGet, testIssuer+"/api", nil)
		if err != nil {
			return "", err
		}
		c.transport.Nonces.Learn(api, http.Header{"Dpop-Nonce": {"of-an-api"}})
		return "assertion", nil
	}
	if _, err := c.Refresh(t.Context(), "r", newDPoPKey(t)); err != nil || len(*proofs) != 2 {
		t.Errorf("%v, proofs %v", err, *proofs)
	}
}

// The fence is asked right before each request, also the one with a nonce, and after the
// assertion has been made: what it says may have changed meanwhile.
func TestFenceBeforeEachRequest(t *testing.T) {
	t.Parallel()
	errLost := errors.New("the turn is lost")
	for name, tt := range map[string]struct{ lostAt, sent int }{"while the assertion is made": {1, 0}, "before the nonce is used": {2, 1}, "never": {3, 2}} {
		p := newFakeProvider()
		p.wantsNonces(t, "/token", `{"access_token":"a","token_type":"DPoP"}`, http.StatusBadRequest)
		c := p.client()
		c.OAuth2.ClientSecret = ""
		made := 0
		c.ClientAssertion = func(context.Context, string) (string, error) {
			made++
			return "assertion", nil
		}
		ctx := WithFence(t.Context(), func() error {
			if made == tt.lostAt {
				return errLost
			}
			return nil
		})
		_, err := c.Refresh(ctx, "r", newDPoPKey(t))
		if n := p.count("/token"); n != tt.sent || errors.Is(err, errLost) != (name != "never") || name == "never" && err != nil {
			t.Errorf("%s: %d requests, %v", name, n, err)
		}
	}
}

// RFC 9449 section 5: with a key, a token of another type is discarded, and without one a
// bound token is.
func TestBoundTokenType(t *testing.T) {
	t.Parallel()
	for typ, bound := range map[string]bool{`"DPoP"`: true, `"dpop"`: true, `"Bearer"`: false, `""`: false, `null`: false, `7`: false, `"DPoP Bearer"`: false} {
		body := []byte(`{"access_token":"a","token_type":` + typ + `}`)
		if got, err := parseTokens(200, "", body, time.Now(), true); (err == nil) != bound || bound && !strings.EqualFold(got.Type, "DPoP") {
			t.Errorf("%s with a key: %v, %v", typ, got, err)
		}
		if _, err := parseTokens(200, "", body, time.Now(), false); err == nil && bound {
			t.Errorf("%s without a key is accepted", typ)
		}
	}
	if _, err := parseTokens(200, "", []byte(`{"access_token":"a"}`), time.Now(), true); err == nil {
		t.Error("no type with a key is accepted")
	}
}

// RFC 9449 section 10: each request has a key of its own, which the code is bound to.
func TestBoundAuthorizationRequest(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.doc["dpop_signing_alg_values_supported"] = []string{"RS256", "ES256"}
	c := p.client()
	c.DPoP = true
	seen := map[string]bool{}
	for range 2 {
		r, err := c.AuthorizationRequest(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		thumbprint, err := r.Key.Thumbprint()
		if got := u.Query().Get("dpop_jkt"); err != nil || got != thumbprint || seen[got] {
			t.Errorf("dpop_jkt %q of %q: %v", got, thumbprint, err)
		}
		seen[thumbprint] = true
	}
	c.DPoP = false
	if r, err := c.AuthorizationRequest(t.Context(), nil); err != nil || r.Key != nil || strings.Contains(r.URL, "dpop") {
		t.Errorf("without the option: %+v, %v", r, err)
	}
	if err := CheckParams(url.Values{"DPoP_jkt": {"x"}}); err == nil {
		t.Error("dpop_jkt can be set")
	}
	for name, algs := range map[string]any{"another algorithm": []string{"RS256"}, "a wrong type": "ES256", "none": []string{}} {
		p := newFakeProvider()
		p.doc["dpop_signing_alg_values_supported"] = algs
		c := p.client()
		c.DPoP = true
		if _, err := c.AuthorizationRequest(t.Context(), nil); (err != nil) != (name == "another algorithm") || err != nil && !Unavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// RFC 9449 section 7: user info of a bound token needs a proof, and may ask for a nonce.
func TestBoundUserInfo(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	var proofs []map[string]any
	p.says["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
		claims := proofClaims(t, r)
		proofs = append(proofs, claims)
		if r.Header.Get("Authorization") != "DPoP at" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		if claims["nonce"] != "n2" {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.Header().Set("DPoP-Nonce", "n2")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Write([]byte(`{"sub":"alice"}`))
	}
	info, err := p.client().UserInfo(t.Context(), "at", "alice", newDPoPKey(t))
	if err != nil || info.String("sub") != "alice" || len(proofs) != 2 || proofs[1]["ath"] == nil || proofs[1]["htu"] != testIssuer+"/userinfo" {
		t.Errorf("%v after %v: %v", info, proofs, err)
	}
}

// A key that cannot sign is a fault on this side.
func TestKeyThatCannotSign(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	key := dpop.KeyOf([]byte("short"))
	_, err := p.client().Refresh(t.Context(), "r", key)
	var refused *TokenError
	if err == nil || errors.As(err, &refused) || RefusalOf(err) != NotRefused || p.count("/token") != 0 {
		t.Errorf("%v, %d requests", err, p.count("/token"))
	}
}
