package oauthlogintest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestIntercept(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	jwks := p.Issuer() + "/jwks"

	p.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
	})
	if a := b.get(jwks); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("wrong response: %d, want 503", a.StatusCode)
	}

	p.Intercept(oauthlogintest.JWKS, func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
		panic(http.ErrAbortHandler)
	})
	if resp, err := b.Do(b.request("GET", jwks, nil)); err == nil {
		resp.Body.Close()
		t.Errorf("hung up: got %d", resp.StatusCode)
	}

	p.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})
	if resp, err := b.Do(b.request("GET", jwks, nil)); err == nil {
		resp.Body.Close()
		t.Errorf("hijacked: got %d", resp.StatusCode)
	}

	// The end of the body is sent only once the beginning has arrived.
	arrived := make(chan struct{})
	p.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		fmt.Fprint(w, "{")
		w.(http.Flusher).Flush()
		<-arrived
		fmt.Fprint(w, "}")
	})
	resp, err := b.Do(b.request("GET", jwks, nil))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := resp.Body.Read(first); err != nil {
		t.Error(err)
	}
	close(arrived)
	resp.Body.Close()

	p.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		w.Header().Set("X-Intercepted", "yes")
		next(w, r)
	})
	if a := b.get(jwks); a.Header.Get("X-Intercepted") != "yes" || !strings.Contains(a.body, `"keys"`) {
		t.Errorf("called next: %v %s", a.Header, a.body)
	}

	p.Intercept(oauthlogintest.JWKS, nil)
	if a := b.get(jwks); a.Header.Get("X-Intercepted") != "" || a.StatusCode != http.StatusOK {
		t.Errorf("removed: %v", a.Header)
	}

	var statuses []int
	for _, r := range p.Requests(oauthlogintest.JWKS) {
		statuses = append(statuses, r.Status)
	}
	// The number of dropped requests varies, because net/http retries a GET when
	// a reused connection closes.
	if got, want := slices.Compact(statuses), []int{503, 0, 200}; !slices.Equal(got, want) {
		t.Errorf("recorded statuses %v, want %v", got, want)
	}
}

func TestInterceptorMayReadTheForm(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	p.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if r.FormValue("grant_type") != "authorization_code" {
			t.Errorf("form %v", r.Form)
		}
		// The first response is lost.
		next(httptest.NewRecorder(), r)
		next(w, r)
	})
	b := newBrowser(t)
	l := newLogin(p)
	wantError(t, b.token(p, l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))), http.StatusBadRequest, "invalid_grant")
}

func TestEdits(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	p.EditDiscovery(func(doc map[string]any) { delete(doc, "userinfo_endpoint") })
	p.EditTokenResponse(func(resp map[string]any) { resp["token_type"] = "bearer" })
	p.EditUserInfo(func(claims map[string]any) { claims["sub"] = "mallory" })
	p.EditIDToken(func(header, claims map[string]any) {
		delete(claims, "at_hash")
		claims["aud"] = []string{clientID, "other"}
		header["typ"] = "odd"
	})
	if doc := b.get(p.Issuer() + "/.well-known/openid-configuration").json(t); doc["userinfo_endpoint"] != nil {
		t.Error("EditDiscovery did not edit")
	}
	resp := b.signIn(p)
	if resp["token_type"] != "bearer" {
		t.Error("EditTokenResponse did not edit")
	}
	if info := b.userInfo(p, resp["access_token"]).json(t); info["sub"] != "mallory" {
		t.Error("EditUserInfo did not edit")
	}
	header, claims := decode(t, resp["id_token"].(string))
	if header["typ"] != "odd" || claims["at_hash"] != nil || len(claims["aud"].([]any)) != 2 {
		t.Errorf("EditIDToken did not edit: %v %v", header, claims)
	}

	p.EditDiscovery(nil)
	p.EditTokenResponse(nil)
	p.EditUserInfo(nil)
	p.EditIDToken(nil)
	resp = b.signIn(p)
	info := b.userInfo(p, resp["access_token"]).json(t)
	if claims := verify(t, p, resp); claims["sub"] != "alice" || info["sub"] != "alice" || resp["token_type"] != "Bearer" {
		t.Errorf("hooks removed: %v, %v, %v", claims, info, resp)
	}
}

func decode(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, v := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestIDTokenAlgorithms(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	for _, alg := range []string{"ES256", "EdDSA", "PS256", "RS256"} {
		p.SetKeyAlg(alg)
		resp := b.signIn(p)
		if header, _ := decode(t, resp["id_token"].(string)); header["alg"] != alg {
			t.Errorf("alg = %v, want %s", header["alg"], alg)
		}
		verify(t, p, resp)
		// The provider accepts its own ID token as a hint.
		if back := b.get(newLogin(p, "id_token_hint", resp["id_token"].(string)).url()).redirect(t); !back.Has("code") {
			t.Errorf("%s: id_token_hint refused: %v", alg, back)
		}
	}

	p.EditIDToken(func(header, _ map[string]any) { header["alg"] = "none" })
	if token := b.signIn(p)["id_token"].(string); !strings.HasSuffix(token, ".") {
		t.Errorf("alg none: %s", token)
	}
	p.EditIDToken(func(header, _ map[string]any) { header["alg"] = "HS256" })
	token := b.signIn(p)["id_token"].(string)
	input, sig, _ := strings.Cut(token[strings.Index(token, ".")+1:], ".")
	mac := hmac.New(sha256.New, []byte(clientSecret))
	mac.Write([]byte(token[:strings.Index(token, ".")] + "." + input))
	if sig != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
		t.Error("alg HS256: not signed with the client's secret")
	}
	p.EditIDToken(func(header, _ map[string]any) { header["alg"] = "ES256" })
	if _, err := tryVerify(t, p, b.signIn(p)); err == nil {
		t.Error("an RSA signature was accepted as ES256")
	}
}

func TestSignWith(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	p.SignWith(func(_, claims map[string]any) string {
		claims["sub"] = "signed elsewhere"
		key, kid := p.SigningKey()
		token, err := signRS256(jose.JSONWebKey{Key: key, KeyID: kid}, claims)
		if err != nil {
			t.Error(err)
		}
		return token
	})
	if claims := verify(t, p, b.signIn(p)); claims["sub"] != "signed elsewhere" {
		t.Errorf("claims %v", claims)
	}
	p.SignWith(func(map[string]any, map[string]any) string { return "nonsense" })
	if token := b.signIn(p)["id_token"]; token != "nonsense" {
		t.Errorf("ID token %v", token)
	}
}

// signRS256 signs claims with a JOSE library instead of the Provider.
func signRS256(key jose.JSONWebKey, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

func TestAutoApprove(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	p.AutoApprove("carol")
	claims := verify(t, p, b.signIn(p, "prompt", "login", "acr_values", "phrh"))
	if claims["sub"] != "carol" || claims["acr"] != "phrh" || claims["auth_time"] == nil {
		t.Errorf("claims %v", claims)
	}
	p.AutoApprove("")
	if a := b.get(newLogin(p, "prompt", "login").url()); !strings.Contains(a.body, "<form") {
		t.Errorf("the page is not shown again: %d", a.StatusCode)
	}
}

// Hooks can change, and can call the Provider, while it is serving.
func TestHooksConcurrently(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { newBrowser(t).signIn(p) })
	}
	for range 20 {
		p.AutoApprove("alice")
		p.SetKeyAlg("ES256")
		p.EditIDToken(func(_, claims map[string]any) { claims["n"] = p.Count(oauthlogintest.Token) })
		p.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			p.Intercept(oauthlogintest.Token, nil)
			next(w, r)
		})
		p.Requests(oauthlogintest.Authorization)
	}
	wg.Wait()
}

func TestNegativeLifetimes(t *testing.T) {
	p := start(t, func(c *oauthlogintest.Config) { c.IDTokenTTL, c.AccessTokenTTL = -time.Hour, -time.Hour })
	p.AutoApprove("alice")
	b := newBrowser(t)
	resp := b.signIn(p)
	if _, err := tryVerify(t, p, resp); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("verify: %v, want expired", err)
	}
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo: %d, want 401", a.StatusCode)
	}
}
