package oauthlogin_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// refusesTokens fails the test unless a login ends in an error page when the
// provider issues ID tokens like this, and name and e-mail are not asked for.
func (a *attackedApp) refusesTokens(what string, edit func(header, claims object), sign func(a *wiredApp, header, claims object) string) {
	a.t.Helper()
	a.provider.EditIDToken(func(header, claims object) {
		delete(claims, "name")
		if edit != nil {
			edit(header, claims)
		}
	})
	a.provider.SignWith(nil)
	if sign != nil {
		a.provider.SignWith(func(header, claims object) string { return sign(a.wiredApp, header, claims) })
	}
	b := a.browser(a.t)
	a.expect(what, b.get(b.callbackURL("/login?return_to=/dashboard")), http.StatusBadGateway, "")
	if b.signedIn() || a.provider.Count(oauthlogintest.UserInfo) > 0 {
		a.t.Errorf("%s: signed in: %t, %d user info requests", what, b.signedIn(), a.provider.Count(oauthlogintest.UserInfo))
	}
}

func errorWithStatusOK(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	answers := []string{
		`{"error":"access_denied"}`, `{"error":"attack","error_description":"hostile","access_token":"hostile","token_type":"Bearer"}`, `{"error":{"code":"hostile"}}`, `{"errors":["hostile"]}`,
		`{"message":"hostile"}`, `{}`, `[]`, `null`, `"hostile"`, ``, `{"ACCESS_TOKEN":"hostile"}`, `{"access_token":""}`, `{"access_token":null,"id_token":null}`, `{"access_token":{"hostile":1}}`,
	}
	for _, answer := range answers {
		a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusOK, answer))
		a.expect(answer, b.get(b.callbackURL("/login?return_to=/dashboard")), http.StatusBadGateway, "")
	}
	// Not even with tokens that are good: and neither in a form.
	a.provider.Intercept(oauthlogintest.Token, nil)
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["error"] = "invalid_grant" })
	a.expect("good tokens with an error", b.get(b.callbackURL("/login")), http.StatusBadRequest, "")
	a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusOK, "error=attack&access_token=hostile", "Content-Type", "application/x-www-form-urlencoded"))
	a.expect("a form", b.get(b.callbackURL("/login")), http.StatusBadGateway, "")
	a.leaves(b, aftermath{codes: len(answers) + 2})
}

func keyConfusion(t *testing.T) {
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := newAttackedApp(t, offline{})
	a.provider.SetKeyAlg("RS256") // whose public key makes a long secret
	tries := 0
	try := func(what string, edit func(header, claims object), sign func(a *wiredApp, header, claims object) string) {
		t.Helper()
		tries++
		a.refusesTokens(what, edit, sign)
	}
	pemKey := publicKeyPEM(a.provider)
	block, _ := pem.Decode(pemKey)
	for what, key := range map[string][]byte{"the public key as PEM": pemKey, "the public key as PEM, trimmed": bytes.TrimSpace(pemKey), "the public key as DER": block.Bytes, "the client secret": []byte("s3cret-of-the-app"), "nothing": nil} {
		for _, alg := range []string{"HS256", "RS256", "none"} {
			try("HMAC by "+what+" as "+alg, nil, func(_ *wiredApp, header, claims object) string {
				header["alg"] = alg
				return compact(header, claims, hs256(key))
			})
		}
	}
	sum := base64.RawURLEncoding.EncodeToString([]byte("hostile"))
	for name, value := range map[string]any{
		"jwk": ecJWK(attacker, "k"), "jku": "https://hostile.test/jwks", "x5u": "https://hostile.test/jwks", "x5c": []string{base64.StdEncoding.EncodeToString(block.Bytes)}, "x5t": sum, "x5t#S256": sum, "b64": false, "zip": "DEF", "cty": "JWT",
	} {
		for _, kid := range []any{nil, "k"} {
			try(fmt.Sprint(name, " with kid ", kid), nil, func(_ *wiredApp, header, claims object) string {
				if header["alg"], header[name] = "ES256", value; kid != nil {
					header["kid"] = kid
				}
				return compact(header, claims, es256(attacker))
			})
		}
	}
	// RFC 7515 section 7.2: the same token, and the attacker's signature beside.
	for _, layout := range []string{
		`{"payload":"%[2]s","protected":"%[1]s","signature":"%[3]s"}`, `{"payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"%[3]s"}]}`,
		`{"payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"AAAA"},{"protected":"%[1]s","signature":"%[3]s"}]}`, `{"payload":"%[2]s","signatures":[{}]}`, `{"payload":"%[2]s","signatures":[null]}`,
		`{"payload":"%[2]s"}`, `{"signature":""}`, `{"a":"..","payload":"%[2]s","protected":"%[1]s","signature":"%[3]s"}`, `{"payload":"%[2]s","header":{"alg":"none"},"signature":""}`, "%[1]s.%[2]s.%[3]s.", "%[1]s.%[2]s.%[3]s.%[3]s", "%[1]s. %[2]s.%[3]s", "%[1]s..%[3]s", "%[1]s.%[2]s.",
	} {
		try(layout, nil, func(a *wiredApp, header, claims object) string {
			key, _ := a.provider.SigningKey()
			part := strings.Split(compact(header, claims, rs256(key)), ".")
			if layout == "%[1]s.%[2]s." {
				return part[0] + "." + part[1] + "."
			}
			return strings.ReplaceAll(fmt.Sprintf(layout, part[0], part[1], part[2]), "%!(EXTRA", "")
		})
	}
	// A secret among the provider's public keys.
	a.provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		json.NewEncoder(w).Encode(object{"keys": []object{{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("public secret")), "kid": "oct", "alg": "HS256"}}})
	})
	time.Sleep(time.Minute)
	try("HMAC by a key of the set", nil, func(_ *wiredApp, header, claims object) string {
		header["alg"], header["kid"] = "HS256", "oct"
		return compact(header, claims, hs256([]byte("public secret")))
	})
	a.leaves(a.browser(t), aftermath{codes: tries})
}

func encryptedTokens(t *testing.T) {
	a := newAttackedApp(t, offline{})
	jwe := func(header object, parts ...string) func(*wiredApp, object, object) string {
		return func(*wiredApp, object, object) string { return segment(header) + "." + strings.Join(parts, ".") }
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	zipped := base64.RawURLEncoding.EncodeToString(bomb.Bytes())
	tries := 0
	for what, sign := range map[string]func(*wiredApp, object, object) string{
		"a zip bomb":                        jwe(object{"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, "", "AAAAAAAAAAAAAAAA", zipped, "AAAAAAAAAAAAAAAAAAAAAA"),
		"2 billion rounds of PBES2":         jwe(object{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA", "AAAA", "AAAA", "AAAA"),
		"PBES2 in three parts":              jwe(object{"alg": "PBES2-HS512+A256KW", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA", "AAAA"),
		"a key wrap of nothing":             jwe(object{"alg": "A128KW", "enc": "A128GCM"}, "", "AAAA", "AAAA", "AAAA"),
		"an ephemeral key off the curve":    jwe(object{"alg": "ECDH-ES", "enc": "A128GCM", "epk": object{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, "", "AAAA", "AAAA", "AAAA"),
		"RSA1_5":                            jwe(object{"alg": "RSA1_5", "enc": "A128CBC-HS256"}, strings.Repeat("A", 342), "AAAA", "AAAA", "AAAA"),
		"four parts":                        jwe(object{"alg": "ES256"}, "AAAA", "AAAA", "AAAA"),
		"JSON with recipients":              func(*wiredApp, object, object) string { return `{"ciphertext":"AAAA","recipients":[{}],"tag":"AAAA"}` },
		"JSON, 10,000 deep":                 func(*wiredApp, object, object) string { return strings.Repeat("[", 10_000) },
		"a header 10,000 deep":              jwe(object{"alg": "ES256", "x": json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))}, "AAAA", "AAAA"),
		"a JWS in the payload, and in that": nestedTokens,
		"a header that is a number":         func(*wiredApp, object, object) string { return "MQ.AAAA.AAAA" },
		"an empty header":                   func(*wiredApp, object, object) string { return ".AAAA.AAAA" },
		"a p2c that is no number in a JWS": func(_ *wiredApp, header, claims object) string {
			header["p2c"] = -1
			return compact(header, claims, unsigned)
		},
		"a critical header of a million":       jwe(object{"alg": "ES256", "crit": strings.Split(strings.Repeat("x ", 20_000), " ")}, "AAAA", "AAAA"),
		"an ID token that is the access token": func(*wiredApp, object, object) string { return "opaque-as-an-access-token" },
	} {
		tries++
		a.refusesTokens(what, nil, sign)
	}
	a.leaves(a.browser(t), aftermath{codes: tries})
}

// nestedTokens signs a token whose payload is a signed token.
func nestedTokens(a *wiredApp, header, claims object) string {
	key, _ := a.provider.SigningKey()
	signer, _ := key.(*ecdsa.PrivateKey)
	token := compact(header, claims, es256(signer))
	for range 3 {
		input := segment(object{"alg": "ES256", "cty": "JWT", "kid": header["kid"]}) + "." + base64.RawURLEncoding.EncodeToString([]byte(token))
		token = input + "." + base64.RawURLEncoding.EncodeToString(es256(signer)(input))
	}
	return token
}

func noAudience(t *testing.T) {
	opts := validOptions()
	opts.Providers[0].OAuth2.ClientID = ""
	if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
		t.Error("no client ID, and no error")
	}
	a := newAttackedApp(t, offline{})
	tries := 0
	for _, aud := range []any{nil, "", "hostile", []any{}, []any{""}, []any{"hostile", "app"}, "app ", "APP", []any{[]any{"app"}}, object{"app": true}, true, "*", "https://app.test"} {
		tries++
		a.refusesTokens(fmt.Sprint("aud ", aud), claim("aud", aud), nil)
	}
	a.refusesTokens("no aud", without("aud"), nil)
	a.refusesTokens("no aud, and azp", without("aud", "azp"), nil)
	a.refusesTokens("azp of another client", claim("azp", "hostile"), nil)
	a.leaves(a.browser(t), aftermath{codes: tries + 3})
}

func coercedClaims(t *testing.T) {
	a := newAttackedApp(t, offline{})
	logins := 0
	for _, verified := range []any{"true", "false", 1, "1", nil, []any{true}, object{}, "yes", false} {
		logins++
		a.provider.EditIDToken(claim("email_verified", verified))
		if user := userOf(t, a.browser(t).login("/dashboard")); user.EmailVerified || user.Email != "alice@example.com" {
			t.Errorf("email_verified %#v: %+v", verified, user)
		}
	}
	logins++
	a.provider.EditIDToken(without("email_verified"))
	if user := userOf(t, a.browser(t).login("/dashboard")); user.EmailVerified {
		t.Error("no email_verified, and verified")
	}
	for what, edit := range map[string]func(header, claims object){
		"no sub": without("sub"), "empty sub": claim("sub", ""), "a sub of 256": claim("sub", strings.Repeat("x", 256)), "sub 0": claim("sub", 0), "sub null": claim("sub", nil), "no claims": func(_, claims object) { clear(claims) },
		"no claims but iss and aud": without("sub", "exp", "iat", "nonce"), "sub of spaces and more": claim("sub", "alice\x00"),
	} {
		logins++
		a.refusesTokens(what, edit, nil)
	}
	// The same address, verified, at the same provider: another user.
	a.provider.EditIDToken(func(_, claims object) { claims["email"], claims["email_verified"] = "alice@example.com", true })
	a.provider.SignWith(nil)
	a.provider.AutoApprove("mallory")
	b := a.browser(t)
	if user := userOf(t, b.login("/dashboard")); user.Subject != "mallory" || user.Issuer != "https://provider.test" {
		t.Errorf("mallory with alice's address is %+v", user)
	}
	runs := a.called("/dashboard")
	a.leaves(b, aftermath{user: "mallory", codes: logins + 1, runs: runs})
}

// The address is for the application to compare; claims are compared whole.
func emailAddresses(t *testing.T) {
	a := newAttackedApp(t, offline{})
	gate := a.recorded(a.auth.Require(oauthlogin.Policy{Claims: map[string][]string{"email": {"alice@example.com", "@example.com", "*"}}})(a.gate()))
	var b *browser
	addresses := []string{
		"mallory@evil.test@example.com", "mallory@evil.test\uff20example.com", "alice@example.com@evil.test", "alice@example.com.evil.test", "Alice@example.com", "alice@EXAMPLE.com", " alice@example.com", "alice@example.com ", "alice@example.com\x00", "alice@example.com,mallory@evil.test",
		"alic\u0435@example.com", "alice+x@example.com", "*@example.com", "\"alice@example.com\"@evil.test", "alice@\uff45xample.com",
	}
	a.provider.AutoApprove("mallory")
	for _, address := range addresses {
		a.provider.EditIDToken(func(_, claims object) { claims["email"], claims["email_verified"] = address, true })
		b = a.browser(t)
		if user := userOf(t, b.login("/dashboard")); user.Email != address || user.Subject != "mallory" {
			t.Errorf("%q became %+v", address, user)
		}
		if resp := a.raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %d", address, resp.StatusCode)
		}
	}
	a.leaves(b, aftermath{user: "mallory", codes: len(addresses), runs: len(addresses)})
	if resp := a.raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusOK {
		t.Errorf("alice: %d", resp.StatusCode)
	}
}

func sessionsOutliveTokens(t *testing.T) {
	a := newAttackedApp(t, offline{provider: oauthlogintest.Config{NoRefreshTokens: true}})
	b := a.browser(t)
	b.login("/")
	time.Sleep(59 * time.Minute)
	if body := b.get("/").body; body != "home of alice" {
		t.Errorf("within the hour: %s", body)
	}
	time.Sleep(time.Minute)
	a.expect("after it", a.closed(b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.leaves(b, aftermath{codes: 1})
}
