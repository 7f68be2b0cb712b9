package oauthlogintest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A prover makes proofs that a test can change.
type prover struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newProver(t *testing.T) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &prover{t, key}
}

func (p *prover) thumbprint() string {
	sum, err := (&jose.JSONWebKey{Key: p.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// proof returns a good proof, but for changes of the claims.
func (p *prover) proof(typ, method, target, nonce string, changes map[string]any) string {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType(jose.ContentType(typ)))
	if err != nil {
		p.t.Fatal(err)
	}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": target, "iat": time.Now().Unix(), "nonce": nonce}
	maps.Copy(claims, changes)
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// bind signs in and returns tokens that are bound to the prover's key, and the nonce.
func (p *prover) bind(provider *oauthlogintest.Provider, b *browser) (tokens map[string]any, nonce string) {
	p.t.Helper()
	l := newLogin(provider, "dpop_jkt", p.thumbprint())
	form := l.exchangeForm(b.get(l.url()).redirect(p.t).Get("code"))
	token := provider.Issuer() + "/token"
	first := b.post(token, form, append(basic(), "DPoP", p.proof("dpop+jwt", "POST", token, "", nil))...)
	wantError(p.t, first, http.StatusBadRequest, "use_dpop_nonce")
	nonce = first.Header.Get("DPoP-Nonce")
	a := b.post(token, form, append(basic(), "DPoP", p.proof("dpop+jwt", "POST", token, nonce, nil))...)
	if a.StatusCode != http.StatusOK || a.json(p.t)["token_type"] != "DPoP" {
		p.t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	return a.json(p.t), nonce
}

// RFC 9449 section 4.3: what a server has to refuse, at the token endpoint and at an API.
func TestProofs(t *testing.T) {
	p := start(t, func(c *oauthlogintest.Config) { c.RequireDPoP = true })
	p.AutoApprove("alice")
	b, holder, thief := newBrowser(t), newProver(t), newProver(t)
	tokens, nonce := holder.bind(p, b)
	token, userInfo := p.Issuer()+"/token", p.Issuer()+"/userinfo"
	access, _ := tokens["access_token"].(string)
	sum := sha256.Sum256([]byte(access))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])

	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}
	for name, tt := range map[string]struct {
		proof string
		code  string
	}{
		"another type":           {holder.proof("JWT", "POST", token, nonce, nil), "invalid_dpop_proof"},
		"another method":         {holder.proof("dpop+jwt", "GET", token, nonce, nil), "invalid_dpop_proof"},
		"another URL":            {holder.proof("dpop+jwt", "POST", userInfo, nonce, nil), "invalid_dpop_proof"},
		"a query":                {holder.proof("dpop+jwt", "POST", token+"?x", nonce, nil), "invalid_dpop_proof"},
		"an old one":             {holder.proof("dpop+jwt", "POST", token, nonce, map[string]any{"iat": time.Now().Add(-2 * time.Minute).Unix()}), "invalid_dpop_proof"},
		"one from the future":    {holder.proof("dpop+jwt", "POST", token, nonce, map[string]any{"iat": time.Now().Add(2 * time.Minute).Unix()}), "invalid_dpop_proof"},
		"an iat in a string":     {holder.proof("dpop+jwt", "POST", token, nonce, map[string]any{"iat": "now"}), "invalid_dpop_proof"},
		"a short jti":            {holder.proof("dpop+jwt", "POST", token, nonce, map[string]any{"jti": "1"}), "invalid_dpop_proof"},
		"an ath":                 {holder.proof("dpop+jwt", "POST", token, nonce, map[string]any{"ath": ath}), "invalid_dpop_proof"},
		"no nonce":               {holder.proof("dpop+jwt", "POST", token, "", nil), "use_dpop_nonce"},
		"another nonce":          {holder.proof("dpop+jwt", "POST", token, "x", nil), "use_dpop_nonce"},
		"another key":            {thief.proof("dpop+jwt", "POST", token, nonce, nil), "invalid_grant"},
		"no proof":               {"", "invalid_dpop_proof"},
		"something that is none": {"x", "invalid_dpop_proof"},
	} {
		a := b.post(token, refresh, append(basic(), "DPoP", tt.proof)...)
		wantError(t, a, http.StatusBadRequest, tt.code)
		if a.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: no nonce is offered", name)
		}
	}
	once := holder.proof("dpop+jwt", "POST", token, nonce, nil)
	if a := b.post(token, refresh, append(basic(), "DPoP", once)...); a.StatusCode != http.StatusOK {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	wantError(t, b.post(token, refresh, append(basic(), "DPoP", once)...), http.StatusBadRequest, "invalid_dpop_proof")

	for name, tt := range map[string]struct{ scheme, proof, code string }{
		"good":                   {"DPoP", holder.proof("dpop+jwt", "GET", userInfo, nonce, map[string]any{"ath": ath}), ""},
		"in any case":            {"dpop", holder.proof("dpop+jwt", "GET", userInfo, nonce, map[string]any{"ath": ath}), ""},
		"as a bearer token":      {"Bearer", holder.proof("dpop+jwt", "GET", userInfo, nonce, map[string]any{"ath": ath}), "invalid_token"},
		"without a proof":        {"DPoP", "", "invalid_dpop_proof"},
		"without ath":            {"DPoP", holder.proof("dpop+jwt", "GET", userInfo, nonce, nil), "invalid_dpop_proof"},
		"with another ath":       {"DPoP", holder.proof("dpop+jwt", "GET", userInfo, nonce, map[string]any{"ath": "x"}), "invalid_dpop_proof"},
		"without a nonce":        {"DPoP", holder.proof("dpop+jwt", "GET", userInfo, "", map[string]any{"ath": ath}), "use_dpop_nonce"},
		"by a thief with a key":  {"DPoP", thief.proof("dpop+jwt", "GET", userInfo, nonce, map[string]any{"ath": ath}), "invalid_token"},
		"with a proof for token": {"DPoP", holder.proof("dpop+jwt", "POST", token, nonce, map[string]any{"ath": ath}), "invalid_dpop_proof"},
	} {
		a := b.get(userInfo, "Authorization", tt.scheme+" "+access, "DPoP", tt.proof)
		if ok := a.StatusCode == http.StatusOK; ok != (tt.code == "") || !ok && !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="`+tt.code+`"`) {
			t.Errorf("%s: %d %q", name, a.StatusCode, a.Header.Get("WWW-Authenticate"))
		}
	}
	if a := b.get(userInfo); a.StatusCode != http.StatusUnauthorized || strings.Contains(a.Header.Get("WWW-Authenticate"), "error") {
		t.Errorf("without credentials: %d %q", a.StatusCode, a.Header.Get("WWW-Authenticate"))
	}
	p.ForgetNonces()
	a := b.get(userInfo, "Authorization", "DPoP "+access, "DPoP", holder.proof("dpop+jwt", "GET", userInfo, nonce, map[string]any{"ath": ath}))
	if !strings.Contains(a.Header.Get("WWW-Authenticate"), "use_dpop_nonce") {
		t.Errorf("after ForgetNonces: %d %q", a.StatusCode, a.Header.Get("WWW-Authenticate"))
	}
}

// Section 10: the code is bound to the key that the authorization request names.
func TestCodeIsBoundToKey(t *testing.T) {
	p := start(t, func(c *oauthlogintest.Config) { c.RequireDPoP, c.RequirePAR = true, true })
	p.AutoApprove("alice")
	b, holder, thief := newBrowser(t), newProver(t), newProver(t)
	par, token := p.Issuer()+"/par", p.Issuer()+"/token"
	l := newLogin(p, "dpop_jkt", holder.thumbprint())
	nonce := b.post(par, l.params, append(basic(), "DPoP", holder.proof("dpop+jwt", "POST", par, "", nil))...).Header.Get("DPoP-Nonce")
	wantError(t, b.post(par, l.params, append(basic(), "DPoP", thief.proof("dpop+jwt", "POST", par, nonce, nil))...), http.StatusBadRequest, "invalid_dpop_proof")
	wantError(t, b.post(par, newLogin(p).params, append(basic(), "DPoP", holder.proof("dpop+jwt", "POST", par, nonce, nil))...), http.StatusBadRequest, "invalid_request")
	a := b.post(par, l.params, append(basic(), "DPoP", holder.proof("dpop+jwt", "POST", par, nonce, nil))...)
	if a.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	form := l.exchangeForm(b.get(reference(p, a.json(t)["request_uri"].(string))).redirect(t).Get("code"))
	wantError(t, b.post(token, form, append(basic(), "DPoP", thief.proof("dpop+jwt", "POST", token, nonce, nil))...), http.StatusBadRequest, "invalid_grant")
	if doc := b.get(p.Issuer() + "/.well-known/openid-configuration").json(t); doc["dpop_signing_alg_values_supported"] == nil {
		t.Errorf("metadata %v", doc)
	}
	if !p.Registration("http://127.0.0.1:9").DPoP {
		t.Error("Registration does not say so")
	}
}
