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
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// refusesTokens fails the test unless a login ends in an error page when the
// provider issues ID tokens like this, and name and e-mail are not asked for.
func refusesTokens(a *apptest.App, what string, edit func(header, claims map[string]any), sign func(a *apptest.App, header, claims map[string]any) string) {
	a.T.Helper()
	a.Provider.EditIDToken(func(header, claims map[string]any) {
		delete(claims, "name")
		if edit != nil {
			edit(header, claims)
		}
	})
	a.Provider.SignWith(nil)
	if sign != nil {
		a.Provider.SignWith(func(header, claims map[string]any) string { return sign(a, header, claims) })
	}
	b := a.Browser(a.T)
	a.Expect(what, b.Get(b.CallbackURL("/login?return_to=/dashboard")), http.StatusBadGateway, "")
	if b.SignedIn() || a.Provider.Count(oauthlogintest.UserInfo) > 0 {
		a.T.Errorf("%s: signed in: %t, %d user info requests", what, b.SignedIn(), a.Provider.Count(oauthlogintest.UserInfo))
	}
}

func errorWithStatusOK(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	answers := []string{
		`{"error":"access_denied"}`, `{"error":"attack","error_description":"hostile","access_token":"hostile","token_type":"Bearer"}`, `{"error":{"code":"hostile"}}`, `{"errors":["hostile"]}`,
		`{"message":"hostile"}`, `{}`, `[]`, `null`, `"hostile"`, ``, `{"ACCESS_TOKEN":"hostile"}`, `{"access_token":""}`, `{"access_token":null,"id_token":null}`, `{"access_token":{"hostile":1}}`,
	}
	for _, answer := range answers {
		a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusOK, answer))
		a.Expect(answer, b.Get(b.CallbackURL("/login?return_to=/dashboard")), http.StatusBadGateway, "")
	}
	// Not even with tokens that are good: and neither in a form.
	a.Provider.Intercept(oauthlogintest.Token, nil)
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["error"] = "invalid_grant" })
	a.Expect("good tokens with an error", b.Get(b.CallbackURL("/login")), http.StatusBadRequest, "")
	a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusOK, "error=attack&access_token=hostile", "Content-Type", "application/x-www-form-urlencoded"))
	a.Expect("a form", b.Get(b.CallbackURL("/login")), http.StatusBadGateway, "")
	a.Leaves(b, apptest.Aftermath{Codes: len(answers) + 2})
}

func keyConfusion(t *testing.T) {
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := apptest.NewAttacked(t, apptest.Config{})
	a.Provider.SetKeyAlg("RS256") // whose public key makes a long secret
	tries := 0
	try := func(what string, edit func(header, claims map[string]any), sign func(a *apptest.App, header, claims map[string]any) string) {
		t.Helper()
		tries++
		refusesTokens(a, what, edit, sign)
	}
	pemKey := apptest.PublicKeyPEM(a.Provider)
	block, _ := pem.Decode(pemKey)
	for what, key := range map[string][]byte{"the public key as PEM": pemKey, "the public key as PEM, trimmed": bytes.TrimSpace(pemKey), "the public key as DER": block.Bytes, "the client secret": []byte("s3cret-of-the-app"), "nothing": nil} {
		for _, alg := range []string{"HS256", "RS256", "none"} {
			try("HMAC by "+what+" as "+alg, nil, func(_ *apptest.App, header, claims map[string]any) string {
				header["alg"] = alg
				return apptest.Compact(header, claims, apptest.HS256(key))
			})
		}
	}
	sum := base64.RawURLEncoding.EncodeToString([]byte("hostile"))
	for name, value := range map[string]any{
		"jwk": apptest.ECJWK(attacker, "k"), "jku": "https://hostile.test/jwks", "x5u": "https://hostile.test/jwks", "x5c": []string{base64.StdEncoding.EncodeToString(block.Bytes)}, "x5t": sum, "x5t#S256": sum, "b64": false, "zip": "DEF", "cty": "JWT",
	} {
		for _, kid := range []any{nil, "k"} {
			try(fmt.Sprint(name, " with kid ", kid), nil, func(_ *apptest.App, header, claims map[string]any) string {
				if header["alg"], header[name] = "ES256", value; kid != nil {
					header["kid"] = kid
				}
				return apptest.Compact(header, claims, apptest.ES256(attacker))
			})
		}
	}
	// RFC 7515 section 7.2: the same token, and the attacker's signature beside.
	for _, layout := range []string{
		`{"payload":"%[2]s","protected":"%[1]s","signature":"%[3]s"}`, `{"payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"%[3]s"}]}`,
		`{"payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"AAAA"},{"protected":"%[1]s","signature":"%[3]s"}]}`, `{"payload":"%[2]s","signatures":[{}]}`, `{"payload":"%[2]s","signatures":[null]}`,
		`{"payload":"%[2]s"}`, `{"signature":""}`, `{"a":"..","payload":"%[2]s","protected":"%[1]s","signature":"%[3]s"}`, `{"payload":"%[2]s","header":{"alg":"none"},"signature":""}`, "%[1]s.%[2]s.%[3]s.", "%[1]s.%[2]s.%[3]s.%[3]s", "%[1]s. %[2]s.%[3]s", "%[1]s..%[3]s", "%[1]s.%[2]s.",
	} {
		try(layout, nil, func(a *apptest.App, header, claims map[string]any) string {
			key, _ := a.Provider.SigningKey()
			part := strings.Split(apptest.Compact(header, claims, apptest.RS256(key)), ".")
			if layout == "%[1]s.%[2]s." {
				return part[0] + "." + part[1] + "."
			}
			return strings.ReplaceAll(fmt.Sprintf(layout, part[0], part[1], part[2]), "%!(EXTRA", "")
		})
	}
	// A secret among the provider's public keys.
	a.Provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]any{{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("public secret")), "kid": "oct", "alg": "HS256"}}})
	})
	time.Sleep(time.Minute)
	try("HMAC by a key of the set", nil, func(_ *apptest.App, header, claims map[string]any) string {
		header["alg"], header["kid"] = "HS256", "oct"
		return apptest.Compact(header, claims, apptest.HS256([]byte("public secret")))
	})
	a.Leaves(a.Browser(t), apptest.Aftermath{Codes: tries})
}

func encryptedTokens(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	jwe := func(header map[string]any, parts ...string) func(*apptest.App, map[string]any, map[string]any) string {
		return func(*apptest.App, map[string]any, map[string]any) string {
			return apptest.Segment(header) + "." + strings.Join(parts, ".")
		}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	zipped := base64.RawURLEncoding.EncodeToString(bomb.Bytes())
	tries := 0
	for what, sign := range map[string]func(*apptest.App, map[string]any, map[string]any) string{
		"a zip bomb":                     jwe(map[string]any{"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, "", "AAAAAAAAAAAAAAAA", zipped, "AAAAAAAAAAAAAAAAAAAAAA"),
		"2 billion rounds of PBES2":      jwe(map[string]any{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA", "AAAA", "AAAA", "AAAA"),
		"PBES2 in three parts":           jwe(map[string]any{"alg": "PBES2-HS512+A256KW", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA", "AAAA"),
		"a key wrap of nothing":          jwe(map[string]any{"alg": "A128KW", "enc": "A128GCM"}, "", "AAAA", "AAAA", "AAAA"),
		"an ephemeral key off the curve": jwe(map[string]any{"alg": "ECDH-ES", "enc": "A128GCM", "epk": map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, "", "AAAA", "AAAA", "AAAA"),
		"RSA1_5":                         jwe(map[string]any{"alg": "RSA1_5", "enc": "A128CBC-HS256"}, strings.Repeat("A", 342), "AAAA", "AAAA", "AAAA"),
		"four parts":                     jwe(map[string]any{"alg": "ES256"}, "AAAA", "AAAA", "AAAA"),
		"JSON with recipients": func(*apptest.App, map[string]any, map[string]any) string {
			return `{"ciphertext":"AAAA","recipients":[{}],"tag":"AAAA"}`
		},
		"JSON, 10,000 deep":                 func(*apptest.App, map[string]any, map[string]any) string { return strings.Repeat("[", 10_000) },
		"a header 10,000 deep":              jwe(map[string]any{"alg": "ES256", "x": json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))}, "AAAA", "AAAA"),
		"a JWS in the payload, and in that": nestedTokens,
		"a header that is a number":         func(*apptest.App, map[string]any, map[string]any) string { return "MQ.AAAA.AAAA" },
		"an empty header":                   func(*apptest.App, map[string]any, map[string]any) string { return ".AAAA.AAAA" },
		"a p2c that is no number in a JWS": func(_ *apptest.App, header, claims map[string]any) string {
			header["p2c"] = -1
			return apptest.Compact(header, claims, apptest.Unsigned)
		},
		"a critical header of a million":       jwe(map[string]any{"alg": "ES256", "crit": strings.Split(strings.Repeat("x ", 20_000), " ")}, "AAAA", "AAAA"),
		"an ID token that is the access token": func(*apptest.App, map[string]any, map[string]any) string { return "opaque-as-an-access-token" },
	} {
		tries++
		refusesTokens(a, what, nil, sign)
	}
	a.Leaves(a.Browser(t), apptest.Aftermath{Codes: tries})
}

// nestedTokens signs a token whose payload is a signed token.
func nestedTokens(a *apptest.App, header, claims map[string]any) string {
	key, _ := a.Provider.SigningKey()
	signer, _ := key.(*ecdsa.PrivateKey)
	token := apptest.Compact(header, claims, apptest.ES256(signer))
	for range 3 {
		input := apptest.Segment(map[string]any{"alg": "ES256", "cty": "JWT", "kid": header["kid"]}) + "." + base64.RawURLEncoding.EncodeToString([]byte(token))
		token = input + "." + base64.RawURLEncoding.EncodeToString(apptest.ES256(signer)(input))
	}
	return token
}

func noAudience(t *testing.T) {
	opts := apptest.ValidOptions()
	opts.Providers[0].OAuth2.ClientID = ""
	if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
		t.Error("no client ID, and no error")
	}
	a := apptest.NewAttacked(t, apptest.Config{})
	tries := 0
	for _, aud := range []any{nil, "", "hostile", []any{}, []any{""}, []any{"hostile", "app"}, "app ", "APP", []any{[]any{"app"}}, map[string]any{"app": true}, true, "*", "https://app.test"} {
		tries++
		refusesTokens(a, fmt.Sprint("aud ", aud), apptest.Claim("aud", aud), nil)
	}
	refusesTokens(a, "no aud", apptest.Without("aud"), nil)
	refusesTokens(a, "no aud, and azp", apptest.Without("aud", "azp"), nil)
	refusesTokens(a, "azp of another client", apptest.Claim("azp", "hostile"), nil)
	a.Leaves(a.Browser(t), apptest.Aftermath{Codes: tries + 3})
}

func coercedClaims(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	logins := 0
	for _, verified := range []any{"true", "false", 1, "1", nil, []any{true}, map[string]any{}, "yes", false} {
		logins++
		a.Provider.EditIDToken(apptest.Claim("email_verified", verified))
		if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.EmailVerified || user.Email != "alice@example.com" {
			t.Errorf("email_verified %#v: %+v", verified, user)
		}
	}
	logins++
	a.Provider.EditIDToken(apptest.Without("email_verified"))
	if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.EmailVerified {
		t.Error("no email_verified, and verified")
	}
	for what, edit := range map[string]func(header, claims map[string]any){
		"no sub": apptest.Without("sub"), "empty sub": apptest.Claim("sub", ""), "a sub of 256": apptest.Claim("sub", strings.Repeat("x", 256)), "sub 0": apptest.Claim("sub", 0), "sub null": apptest.Claim("sub", nil), "no claims": func(_, claims map[string]any) { clear(claims) },
		"no claims but iss and aud": apptest.Without("sub", "exp", "iat", "nonce"), "sub of spaces and more": apptest.Claim("sub", "alice\x00"),
	} {
		logins++
		refusesTokens(a, what, edit, nil)
	}
	// The same address, verified, at the same provider: another user.
	a.Provider.EditIDToken(func(_, claims map[string]any) { claims["email"], claims["email_verified"] = "alice@example.com", true })
	a.Provider.SignWith(nil)
	a.Provider.AutoApprove("mallory")
	b := a.Browser(t)
	if user := apptest.UserOf(t, b.Login("/dashboard")); user.Subject != "mallory" || user.Issuer != "https://provider.test" {
		t.Errorf("mallory with alice's address is %+v", user)
	}
	runs := a.Called("/dashboard")
	a.Leaves(b, apptest.Aftermath{User: "mallory", Codes: logins + 1, Runs: runs})
}

// The address is for the application to compare; claims are compared whole.
func emailAddresses(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	gate := a.Recorded(a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"email": {"alice@example.com", "@example.com", "*"}}})(a.Gate()))
	var b *apptest.Browser
	addresses := []string{
		"mallory@evil.test@example.com", "mallory@evil.test\uff20example.com", "alice@example.com@evil.test", "alice@example.com.evil.test", "Alice@example.com", "alice@EXAMPLE.com", " alice@example.com", "alice@example.com ", "alice@example.com\x00", "alice@example.com,mallory@evil.test",
		"alic\u0435@example.com", "alice+x@example.com", "*@example.com", "\"alice@example.com\"@evil.test", "alice@\uff45xample.com",
	}
	a.Provider.AutoApprove("mallory")
	for _, address := range addresses {
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["email"], claims["email_verified"] = address, true })
		b = a.Browser(t)
		if user := apptest.UserOf(t, b.Login("/dashboard")); user.Email != address || user.Subject != "mallory" {
			t.Errorf("%q became %+v", address, user)
		}
		if resp := a.Raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %d", address, resp.StatusCode)
		}
	}
	a.Leaves(b, apptest.Aftermath{User: "mallory", Codes: len(addresses), Runs: len(addresses)})
	if resp := a.Raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusOK {
		t.Errorf("alice: %d", resp.StatusCode)
	}
}

func sessionsOutliveTokens(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{Provider: oauthlogintest.Config{NoRefreshTokens: true}})
	b := a.Browser(t)
	b.Login("/")
	time.Sleep(59 * time.Minute)
	if body := b.Get("/").Text; body != "home of alice" {
		t.Errorf("within the hour: %s", body)
	}
	time.Sleep(time.Minute)
	a.Expect("after it", closed(a, b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.Leaves(b, apptest.Aftermath{Codes: 1})
}
