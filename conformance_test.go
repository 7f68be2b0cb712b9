package oauthlogin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for crypto.SHA384 and SHA512
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Tokens in the answer (RFC 9700 section 2.1.2), OAuth 2.0 Form Post Response
// Mode and JARM are not offered, and what comes that way signs nobody in. Of the
// OpenID Foundation's oidcc-client-test-form-post-error,
// fapi2-security-profile-final-client-test-ensure-jarm-signature-is-not-none,
// fapi2-security-profile-final-client-test-ensure-jarm-with-expired-exp-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-aud-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-iss-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-sig-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-without-aud-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-without-exp-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-without-iss-fails.
func TestAnswersOfOtherKinds(t *testing.T) {
	t.Parallel()
	withoutCode := func(params ...string) func(*apptest.App, url.Values) {
		return func(_ *apptest.App, q url.Values) {
			q.Del("code")
			for i := 0; i < len(params); i += 2 {
				q.Set(params[i], params[i+1])
			}
		}
	}
	idToken := apptest.Segment(map[string]any{"alg": "none"}) + "." + apptest.Segment(map[string]any{"iss": "https://provider.test", "sub": "hostile", "aud": "app"}) + "."
	// A JARM response has its parameters in a JWT; keep are those beside it.
	jarm := func(alg string, keep ...string) func(*apptest.App, url.Values) {
		return func(a *apptest.App, q url.Values) {
			claims := map[string]any{"iss": a.Provider.Issuer(), "aud": "app", "exp": time.Now().Add(time.Minute).Unix(), "hostile": true}
			for name := range q {
				claims[name] = q.Get(name)
				if !slices.Contains(keep, name) {
					delete(q, name)
				}
			}
			key, kid := a.Provider.SigningKey()
			sign := apptest.ES256(key.(*ecdsa.PrivateKey))
			if alg == "none" {
				sign = apptest.Unsigned
			}
			q.Set("response", apptest.Compact(map[string]any{"alg": alg, "kid": kid}, claims, sign))
		}
	}
	for _, test := range []struct {
		name string
		edit func(a *apptest.App, q url.Values)
		post bool
		code string
		ends bool // the flow
	}{
		{"an access token", withoutCode("access_token", "hostile", "token_type", "Bearer", "expires_in", "3600"), false, "invalid_request", true},
		{"an ID token", withoutCode("id_token", idToken), false, "invalid_request", true},
		{"both", withoutCode("access_token", "hostile", "token_type", "Bearer", "id_token", idToken), false, "invalid_request", true},
		{"a signed response in a JWT", jarm("ES256"), false, "flow_not_found", false},
		{"a response in a JWT without a signature", jarm("none"), false, "flow_not_found", false},
		{"a signed response in a JWT, with state and issuer beside it", jarm("ES256", "state", "iss"), false, "invalid_request", true},
		{"a response in a JWT without a signature, with state and issuer beside it", jarm("none", "state", "iss"), false, "invalid_request", true},
		{"a form", func(*apptest.App, url.Values) {}, true, "method_not_allowed", false},
		{"a form with an error", withoutCode("error", "login_required", "error_description", "hostile"), true, "method_not_allowed", false},
		{"a form with tokens", withoutCode("access_token", "hostile", "id_token", idToken), true, "method_not_allowed", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			answer := apptest.Edited(t, cb, func(q url.Values) { test.edit(a, q) })
			status := http.StatusBadRequest
			var resp *apptest.Response
			if test.post {
				status = http.StatusMethodNotAllowed
				resp = b.Post("/auth/callback", apptest.QueryOf(answer), "Origin", "https://provider.test", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
			} else {
				resp = b.Get(answer)
			}
			a.RefusedAtOnce(b, resp, status)
			for _, fault := range pageFaults(resp) {
				t.Error(fault)
			}
			if !strings.Contains(a.Log.String(), "code="+test.code) {
				t.Errorf("log has no %s: %s", test.code, a.Log)
			}
			if strings.Contains(resp.Text+a.Log.String(), "hostile") || strings.Contains(a.Log.String(), idToken) {
				t.Errorf("reflected: %s\n%s", resp.Text, a.Log)
			}
			resp = b.Get(cb)
			if ended := resp.StatusCode != http.StatusSeeOther; ended != test.ends {
				t.Errorf("the true callback then: %d; want the login ended: %t", resp.StatusCode, test.ends)
			}
			b.Login("/dashboard")
		})
	}
}

// The hybrid flow is not offered: of such an answer the code counts, and no
// token. c_hash belongs to that flow and is not read here (OpenID Connect Core
// section 3.3.2.11). The OpenID Foundation's oidcc-client-test-missing-chash,
// oidcc-client-test-invalid-chash and oidcc-client-test-nonce-unless-code-flow.
func TestHybridAnswer(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(apptest.Claim("c_hash", "AAAAAAAAAAAAAAAAAAAAAA"))
	var issued string
	a.Provider.EditTokenResponse(func(resp map[string]any) { issued = resp["access_token"].(string) })
	b := a.Browser(t)
	_, params := b.StartLogin("/login?return_to=%2Fdashboard")
	if params.Get("response_type") != "code" || params.Get("nonce") == "" {
		t.Errorf("authorization request %v", params)
	}
	resp := b.Get(apptest.Edited(t, b.CallbackURL("/login?return_to=%2Fdashboard"), func(q url.Values) {
		q.Set("id_token", apptest.Segment(map[string]any{"alg": "none"})+"."+apptest.Segment(map[string]any{"iss": a.Provider.Issuer(), "sub": "mallory", "aud": "app"})+".")
		q.Set("access_token", "hostile-token")
		q.Set("token_type", "mac")
		q.Set("expires_in", "1")
		q.Set("scope", "admin")
	}))
	if resp.StatusCode != http.StatusSeeOther || resp.Location() != "/dashboard" || a.Provider.Count(oauthlogintest.Token) != 1 {
		t.Fatalf("%d to %q after %d token requests", resp.StatusCode, resp.Location(), a.Provider.Count(oauthlogintest.Token))
	}
	if user := apptest.UserOf(t, b.Get("/dashboard")); user.Subject != "alice" {
		t.Errorf("signed in as %s", user.Subject)
	}
	if got := b.Get("/access").Text; got != issued || issued == "" {
		t.Errorf("access token %q; the token endpoint gave %q", got, issued)
	}
	a.Leaks(t, resp.Text)
}

// RFC 9126, RFC 8705, RFC 9449, RFC 7591, RFC 9101, OpenID Connect Session
// Management, WebFinger and the rest: metadata may advertise what it likes, and
// nothing of it is called or sent. The OpenID Foundation's
// oidcc-client-test-mtls-endpoint-aliases, oidcc-client-test-dynamic-registration,
// oidcc-client-test-discovery-webfinger-acct, oidcc-client-test-discovery-webfinger-url,
// oidcc-client-test-request-uri-signed-rs256, oidcc-client-test-request-uri-signed-none,
// oidcc-client-test-session-management, oidcc-client-test-userinfo-bearer-body,
// fapi2-security-profile-final-client-test-happy-path,
// fapi2-security-profile-final-client-test-happy-path-no-dpop-nonce and
// fapi2-security-profile-final-client-test-happy-path-no-mtls-endpoint-aliases.
func TestMetadataOfWhatIsNotOffered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Net["evil.test"] = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) })
		paths := map[string]int{}
		a.Net["provider.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths[r.Method+" "+r.URL.Path]++
			if body, _ := io.ReadAll(r.Body); len(body) > 0 {
				r.Body = io.NopCloser(strings.NewReader(string(body)))
				if form := apptest.QueryOf("?" + string(body)); form.Has("client_assertion") || form.Has("resource") || form.Has("request") || form.Has("access_token") {
					t.Errorf("%s has %v", r.URL.Path, slices.Sorted(maps.Keys(form)))
				}
			}
			if r.Header.Get("DPoP") != "" {
				t.Errorf("%s has a DPoP proof", r.URL.Path)
			}
			a.Provider.ServeHTTP(w, r)
		})
		a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "name") }) // so that user info is asked
		a.Provider.EditDiscovery(func(doc map[string]any) {
			for _, name := range []string{
				"pushed_authorization_request_endpoint", "registration_endpoint", "introspection_endpoint", "check_session_iframe",
				"device_authorization_endpoint", "backchannel_authentication_endpoint", "grant_management_endpoint",
				"op_policy_uri", "op_tos_uri", "service_documentation",
			} {
				doc[name] = "https://evil.test/" + name
			}
			doc["mtls_endpoint_aliases"] = map[string]any{
				"token_endpoint": "https://evil.test/token", "userinfo_endpoint": "https://evil.test/userinfo", "revocation_endpoint": "https://evil.test/revoke",
			}
			for _, name := range []string{
				"require_pushed_authorization_requests", "require_signed_request_object", "request_parameter_supported", "request_uri_parameter_supported",
				"claims_parameter_supported", "tls_client_certificate_bound_access_tokens", "backchannel_logout_supported",
				"backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported",
			} {
				doc[name] = true
			}
			doc["response_modes_supported"] = []string{"form_post", "fragment", "jwt"}
			doc["response_types_supported"] = []string{"id_token token", "code id_token", "code"}
			doc["dpop_signing_alg_values_supported"] = []string{"ES256"}
			doc["authorization_signing_alg_values_supported"] = []string{"ES256"}
			doc["userinfo_signing_alg_values_supported"] = []string{"ES256"}
			doc["id_token_encryption_alg_values_supported"] = []string{"RSA-OAEP"}
			doc["claim_types_supported"] = []string{"normal", "aggregated", "distributed"}
			doc["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt", "tls_client_auth", "client_secret_basic"}
			doc["signed_metadata"] = apptest.Segment(map[string]any{"alg": "none"}) + "." + apptest.Segment(map[string]any{"token_endpoint": "https://evil.test/token"}) + "."
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(time.Hour)
		if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
			t.Errorf("after a refresh: %d, token %q", resp.StatusCode, resp.Text)
		}
		out := b.LogOut("/")
		if !strings.HasPrefix(out.Location(), "https://provider.test/end_session?") {
			t.Errorf("logout led to %s", out.Location())
		}
		b.Follow(out.Location())

		query := a.Provider.Requests(oauthlogintest.Authorization)[0].Query
		if got, want := slices.Sorted(maps.Keys(query)), []string{
			"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type", "scope", "state",
		}; !slices.Equal(got, want) || query.Get("response_type") != "code" {
			t.Errorf("authorization request %v", query)
		}
		if want := map[string]int{
			"GET /.well-known/openid-configuration": 1, "GET /authorize": 1, "POST /token": 2, "GET /jwks": 1, "GET /userinfo": 1,
			"POST /revoke": 1, "GET /end_session": 1,
		}; !maps.Equal(paths, want) {
			t.Errorf("requests to the provider %v; want %v", paths, want)
		}
	})
}

// RFC 9449 is not offered: an API that asks for a proof is one that says no, and
// costs one refresh. The OpenID Foundation's
// fapi2-security-profile-final-client-test-rs-dpop-auth-scheme-case-insensitivity.
func TestAPIAsksForDPoP(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"DPoP", "dpOp"} {
		a := apptest.New(t, apptest.Config{})
		var sent []http.Header
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Header.Clone())
			w.Header().Set("WWW-Authenticate", scheme+` error="use_dpop_nonce"`)
			w.Header().Set("DPoP-Nonce", "hostile")
			w.WriteHeader(http.StatusUnauthorized)
		})
		a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
			if got := answered(a.Auth.Client(r.Context()).Get("https://api.test/")); got != "401 " {
				t.Errorf("answer is %q", got)
			}
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Get("/call")
		if len(sent) != 2 {
			t.Fatalf("%d calls", len(sent))
		}
		for _, header := range sent {
			if !strings.HasPrefix(header.Get("Authorization"), "Bearer ") || header.Get("DPoP") != "" {
				t.Errorf("headers %v", slices.Sorted(maps.Keys(header)))
			}
		}
		a.WantRefreshes(t, 1)
		if !b.SignedIn() {
			t.Error("signed out")
		}
	}
}

// OpenID Connect Core section 4 is not offered: who sends users to /login decides
// nothing but the provider, among ours, and a local return path. The OpenID
// Foundation's oidcc-client-test-3rd-party-init-login.
func TestThirdPartyInitiatedLogin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, query string }{
		{"by our provider", "iss=https%3A%2F%2Fprovider.test&login_hint=mallory&target_link_uri=https%3A%2F%2Fapp.test%2Fdashboard"},
		{"by another provider", "iss=https%3A%2F%2Fevil.test&login_hint=mallory&target_link_uri=https%3A%2F%2Fapp.test%2Fdashboard"},
		{"by a provider over http", "iss=http%3A%2F%2Fprovider.test&target_link_uri=%2Fdashboard"},
		{"to a page elsewhere", "iss=https%3A%2F%2Fprovider.test&target_link_uri=https%3A%2F%2Fevil.test%2F&return_to=https%3A%2F%2Fevil.test%2F"},
		{"with an id_token_hint", "iss=https%3A%2F%2Fprovider.test&id_token_hint=mallory&prompt=none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			a.Net["evil.test"] = a.Count(func(http.ResponseWriter, *http.Request) {})
			b := a.Browser(t)
			resp := b.Get("/login?"+test.query, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
			if !strings.HasPrefix(resp.Location(), "https://provider.test/authorize?") || strings.Contains(resp.Location(), "mallory") || len(apptest.QueryOf(resp.Location())) != 8 {
				t.Fatalf("%d to %s", resp.StatusCode, resp.Location())
			}
			if resp := b.Follow(resp.Location()); resp.Request.URL.String() != "https://app.test/" || resp.Text != "home of alice" {
				t.Errorf("led to %s: %s", resp.Request.URL, resp.Text)
			}
			if a.Called("/") != 1 || a.Called("/dashboard") > 0 {
				t.Errorf("handlers ran %d and %d times", a.Called("/"), a.Called("/dashboard"))
			}
			posted := a.Browser(t).Post("/login", apptest.QueryOf("?"+test.query), "Origin", "https://provider.test", "Sec-Fetch-Site", "cross-site")
			if posted.StatusCode != http.StatusMethodNotAllowed || posted.Location() != "" || len(posted.Cookies()) > 0 {
				t.Errorf("a form: %d to %q", posted.StatusCode, posted.Location())
			}
		})
	}
}

// OpenID Connect Core section 5.3.2: user info in a JWT is not offered and not
// believed, whoever signed it. oidcc-client-test-userinfo-signed.
func TestSignedUserInfo(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"iss": "https://provider.test", "aud": "app", "sub": "alice", "name": "hostile", "email": "hostile@example.com"}
	bySigner := func(a *apptest.App) string {
		key, kid := a.Provider.SigningKey()
		return apptest.Compact(map[string]any{"alg": "RS256", "kid": kid}, claims, apptest.RS256(key))
	}
	for _, tt := range []struct {
		name, contentType string
		body              func(a *apptest.App) string
	}{
		{"signed by the provider", "application/jwt", bySigner},
		{"signed by the provider, as JSON", "application/json", bySigner},
		{"not signed", "application/jwt", func(*apptest.App) string {
			return apptest.Compact(map[string]any{"alg": "none"}, claims, apptest.Unsigned)
		}},
		{"encrypted", "application/jwt", func(*apptest.App) string {
			return apptest.Segment(map[string]any{"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT"}) + ".AAAA.AAAA.AAAA.AAAA"
		}},
		{"in a JSON string", "application/json", func(a *apptest.App) string { return `"` + bySigner(a) + `"` }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "name") })
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(200, tt.body(a), "Content-Type", tt.contentType))
			b := a.Browser(t)
			a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
			if n := a.Provider.Count(oauthlogintest.UserInfo); n != 1 {
				t.Errorf("%d user info requests", n)
			}
			a.Provider.Intercept(oauthlogintest.UserInfo, nil)
			a.Recovers(t, b)
		})
	}
}

// OpenID Connect Core section 5.6.2: claims of other sources are left as they
// are. None is fetched, and none becomes the user's. The OpenID Foundation's
// oidcc-client-test-aggregated-claims and oidcc-client-test-distributed-claims.
func TestAggregatedAndDistributedClaims(t *testing.T) {
	t.Parallel()
	names := map[string]any{"email": "aggregated", "email_verified": "aggregated", "name": "aggregated", "credit_score": "distributed", "sub": "distributed"}
	from := map[string]any{
		"aggregated":  map[string]any{"JWT": apptest.Compact(map[string]any{"alg": "none"}, map[string]any{"email": "mallory@evil.test", "email_verified": true, "name": "Mallory", "sub": "mallory"}, apptest.Unsigned)},
		"distributed": map[string]any{"endpoint": "https://evil.test/claims", "access_token": "a-token-of-others"},
	}
	add := func(claims map[string]any) {
		for _, name := range []string{"name", "email", "email_verified"} {
			delete(claims, name)
		}
		claims["_claim_names"], claims["_claim_sources"] = names, from
	}
	for _, tt := range []struct {
		name     string
		idToken  func(map[string]any)
		userInfo func(map[string]any)
	}{
		{"in the ID token", add, func(claims map[string]any) {
			add(claims)
			delete(claims, "_claim_names")
			delete(claims, "_claim_sources")
		}},
		{"in user info", func(claims map[string]any) {
			add(claims)
			delete(claims, "_claim_names")
			delete(claims, "_claim_sources")
		}, add},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Net["evil.test"] = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) })
			a.Provider.EditIDToken(func(_, claims map[string]any) { tt.idToken(claims) })
			a.Provider.EditUserInfo(tt.userInfo)
			user := apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
			if user.Subject != "alice" || user.Name != "" || user.Email != "" || user.EmailVerified {
				t.Errorf("user is %+v", user)
			}
			var claims, want map[string]any
			if err := user.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			b, _ := json.Marshal(map[string]any{"_claim_names": names, "_claim_sources": from})
			json.Unmarshal(b, &want)
			for name := range want {
				if fmt.Sprint(claims[name]) != fmt.Sprint(want[name]) {
					t.Errorf("%s is %v; want %v", name, claims[name], want[name])
				}
			}
			if claims["credit_score"] != nil {
				t.Error("a claim was fetched")
			}
		})
	}
}

// OpenID Connect Core section 3.1.3.8: at_hash is by the hash of the algorithm
// that signed, whichever that is; and each signature is verified.
func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	pss := func(h crypto.Hash) crypto.SignerOpts {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	for _, tt := range []struct {
		alg, key string // the algorithm that the provider makes a key for; or the curve
		hash     crypto.Hash
		opts     crypto.SignerOpts // nil: ECDSA
	}{
		{"RS256", "RS256", crypto.SHA256, crypto.SHA256},
		{"RS384", "RS256", crypto.SHA384, crypto.SHA384},
		{"RS512", "RS256", crypto.SHA512, crypto.SHA512},
		{"PS256", "RS256", crypto.SHA256, pss(crypto.SHA256)},
		{"PS384", "RS256", crypto.SHA384, pss(crypto.SHA384)},
		{"PS512", "RS256", crypto.SHA512, pss(crypto.SHA512)},
		{"ES256", "ES256", crypto.SHA256, nil},
		{"ES384", "P-384", crypto.SHA384, nil},
		{"ES512", "P-521", crypto.SHA512, nil},
		{"EdDSA", "EdDSA", crypto.SHA512, crypto.Hash(0)},
	} {
		t.Run(tt.alg, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			var key crypto.Signer
			kid := "k"
			if curve := map[string]elliptic.Curve{"P-384": elliptic.P384(), "P-521": elliptic.P521()}[tt.key]; curve != nil {
				own, err := ecdsa.GenerateKey(curve, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				point, _ := own.PublicKey.Bytes()
				half := len(point) / 2
				jwk := map[string]any{
					"kty": "EC", "crv": tt.key, "kid": kid,
					"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+half]), "y": base64.RawURLEncoding.EncodeToString(point[1+half:]),
				}
				keys, _ := json.Marshal(map[string]any{"keys": []map[string]any{jwk}})
				a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(200, string(keys)))
				key = own
			} else {
				a.Provider.SetKeyAlg(tt.key)
				key, kid = a.Provider.SigningKey()
			}
			sign := func(input string) []byte {
				message := []byte(input)
				if tt.opts != crypto.Hash(0) {
					h := tt.hash.New()
					h.Write(message)
					message = h.Sum(nil)
				}
				if own, ok := key.(*ecdsa.PrivateKey); ok {
					r, s, _ := ecdsa.Sign(rand.Reader, own, message)
					size := (own.Curve.Params().BitSize + 7) / 8
					return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
				}
				signature, err := key.Sign(rand.Reader, message, tt.opts)
				if err != nil {
					t.Error(err)
				}
				return signature
			}
			leftHalf := func(hash crypto.Hash, token string) string {
				h := hash.New()
				io.WriteString(h, token)
				return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:hash.Size()/2])
			}
			other := crypto.SHA256
			if tt.hash == crypto.SHA256 {
				other = crypto.SHA512
			}
			a.Provider.EditDiscovery(func(doc map[string]any) { doc["id_token_signing_alg_values_supported"] = []string{tt.alg} })
			var claims map[string]any
			a.Provider.EditIDToken(func(_, c map[string]any) { claims = maps.Clone(c) })
			for _, token := range []struct {
				name string
				hash crypto.Hash
				sign func(string) []byte
				ok   bool
			}{
				{"right", tt.hash, sign, true},
				{"with an at_hash by another hash", other, sign, false},
				{"with a bit of the signature flipped", tt.hash, func(input string) []byte {
					signature := sign(input)
					signature[len(signature)/2] ^= 1
					return signature
				}, false},
				{"with the signature of another", tt.hash, func(input string) []byte { return sign(input + "x") }, false},
				{"right again", tt.hash, sign, true},
			} {
				a.Provider.EditTokenResponse(func(resp map[string]any) {
					claims["at_hash"] = leftHalf(token.hash, resp["access_token"].(string))
					resp["id_token"] = apptest.Compact(map[string]any{"alg": tt.alg, "kid": kid}, claims, token.sign)
				})
				b, before := a.Browser(t), a.Called("/dashboard")
				resp := b.TryLogin()
				if ok := resp.StatusCode == http.StatusOK; ok != token.ok || b.SignedIn() != token.ok || (a.Called("/dashboard") > before) != token.ok {
					t.Errorf("%s: %d %s", token.name, resp.StatusCode, a.Log)
				}
				a.Leaks(t, "")
			}
		})
	}
}

// RFC 6750 section 5.3, OAuth 2.1 section 5.1: over a life with everything in it,
// no token, verifier or secret is in a URL or Referer, of ours or of the provider.
// The exception is the ID token on its way back to who issued it (OpenID Connect
// RP-Initiated Logout section 2).
func TestTokensInNoURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{JWTAccessTokens: true}})
		refusals := 1
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if refusals--; refusals >= 0 {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
			if got := answered(a.Auth.Client(r.Context()).Get("https://api.test/things?q=1")); got != "200 " {
				t.Errorf("API answers %q", got)
			}
		})
		a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "name") }) // so that user info is asked
		var mu sync.Mutex
		var urls []string
		for host, h := range a.Net {
			a.Net[host] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				urls = append(urls, r.URL.String(), r.Referer())
				mu.Unlock()
				h.ServeHTTP(w, r)
				mu.Lock()
				urls = append(urls, w.Header().Get("Location"))
				mu.Unlock()
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Get("/call") // with a refresh, because the API says no once
		time.Sleep(time.Hour)
		b.Get("/access") // with another
		b.Follow(b.LogOut("/left").Location())
		b.Follow("/login?return_to=%2Fdashboard")
		a.WantRefreshes(t, 2)

		tokens := map[string]string{"client secret": "s3cret-of-the-app"}
		for i, r := range a.Provider.Requests(oauthlogintest.Token) {
			tokens[fmt.Sprint("verifier ", i)] = r.Form.Get("code_verifier")
		}
		for i, answer := range a.Wire.Responses() {
			var resp map[string]any
			if json.Unmarshal([]byte(answer), &resp) != nil {
				continue // of the revocation
			}
			for _, name := range []string{"access_token", "refresh_token", "id_token"} {
				tokens[fmt.Sprint(name, " ", i)], _ = resp[name].(string)
			}
		}
		maps.DeleteFunc(tokens, func(_, token string) bool { return token == "" })
		hints := 0
		for _, u := range urls {
			for name, token := range tokens {
				switch {
				case !strings.Contains(u, token) && !strings.Contains(u, url.QueryEscape(token)):
				case strings.HasPrefix(name, "id_token") && strings.HasPrefix(u, "https://provider.test/end_session?id_token_hint="), strings.HasPrefix(name, "id_token") && apptest.QueryOf(u).Get("id_token_hint") == token:
					hints++
				default:
					t.Errorf("%s is in %.60s...", name, u)
				}
			}
		}
		if len(tokens) < 14 || len(urls) < 50 || hints != 2 { // asked for, and followed
			t.Errorf("%d tokens, %d URLs, %d hints", len(tokens), len(urls), hints)
		}
	})
}

// OAuth 2.1 section 7.1.3.2: the chain of certificates is verified, and so is the
// name in it. There is no option against that.
func TestProviderCertificates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, host string
		client     func(*x509.Certificate) *http.Client
		ok         bool
	}{
		{"of an authority that is trusted", "127.0.0.1", trusting, true},
		{"of an authority that nobody trusts", "127.0.0.1", func(*x509.Certificate) *http.Client { return nil }, false},
		{"of an authority that nobody trusts, with a client that says nothing of it", "127.0.0.1", func(*x509.Certificate) *http.Client { return &http.Client{} }, false},
		{"for another host", "localhost", trusting, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var provider *oauthlogintest.Provider
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
			_, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if provider, err = oauthlogintest.New(oauthlogintest.Config{Issuer: "https://" + net.JoinHostPort(test.host, port)}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(provider.Close)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256", Change: func(opts *oauthlogin.Options) {
				opts.Providers[0].Issuer, opts.HTTPClient = provider.Issuer(), test.client(server.Certificate())
			}})
			b := a.Browser(t)
			if test.ok {
				b.StartLogin("/login")
				return
			}
			a.RefusedAtOnce(b, b.Get("/login"), http.StatusBadGateway)
			if n := provider.Count(oauthlogintest.Discovery); n > 0 || !strings.Contains(a.Log.String(), "provider_unavailable") {
				t.Errorf("%d discoveries: %s", n, a.Log)
			}
		})
	}
}

// trusting is a client for which the certificate is an authority.
func trusting(authority *x509.Certificate) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	transport.TLSClientConfig.RootCAs.AddCert(authority)
	return &http.Client{Transport: transport}
}

// OpenID Connect Front-Channel and Back-Channel Logout are not offered: nothing
// that is asked for that way ends a session, or a token (mod_auth_openidc revoked
// them for whoever asked). The OpenID Foundation's
// oidcc-client-test-rp-frontchannel-rpinitlogout,
// oidcc-client-test-rp-backchannel-rpinitlogout,
// oidcc-client-test-rp-backchannel-rpinitlogout-alg-none,
// oidcc-client-test-rp-backchannel-rpinitlogout-no-event,
// oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce,
// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg,
// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud,
// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event and
// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss.
func TestLogoutsOfOtherKinds(t *testing.T) {
	t.Parallel()
	logoutToken := func(a *apptest.App, alg string) url.Values {
		key, kid := a.Provider.SigningKey()
		sign := apptest.ES256(key.(*ecdsa.PrivateKey))
		if alg == "none" {
			sign = apptest.Unsigned
		}
		return url.Values{"logout_token": {apptest.Compact(map[string]any{"alg": alg, "kid": kid, "typ": "logout+jwt"}, map[string]any{
			"iss": a.Provider.Issuer(), "aud": "app", "sub": "alice", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": "x",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}, sign)}}
	}
	inFrame := []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site", "Referer", "https://provider.test/"}
	for _, test := range []struct {
		name   string
		ask    func(a *apptest.App, b *apptest.Browser) *apptest.Response
		status int
	}{
		{"a frame of the provider's", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get("/logout?iss=https%3A%2F%2Fprovider.test&sid=08a5019c", inFrame...)
		}, http.StatusMethodNotAllowed},
		{"a frame without iss and sid", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Get("/logout", inFrame...) }, http.StatusMethodNotAllowed},
		{"a frame of another issuer's", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get("/logout?iss=https%3A%2F%2Fevil.test&sid=08a5019c", inFrame...)
		}, http.StatusMethodNotAllowed},
		// What answers a server is a redirect, which is neither 200 nor 204.
		{"the provider's server", func(a *apptest.App, _ *apptest.Browser) *apptest.Response {
			return a.BareBrowser(t).Post("/logout", logoutToken(a, "ES256"))
		}, http.StatusSeeOther},
		{"a server without a signature", func(a *apptest.App, _ *apptest.Browser) *apptest.Response {
			return a.BareBrowser(t).Post("/logout", logoutToken(a, "none"))
		}, http.StatusSeeOther},
		{"a page with a logout token", func(a *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Post("/logout", logoutToken(a, "ES256"), "Origin", "https://provider.test", "Sec-Fetch-Site", "cross-site")
		}, http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
			cookies, calls := b.Cookies(), a.Provider.Count(oauthlogintest.Token)+a.Provider.Count(oauthlogintest.JWKS)
			resp := test.ask(a, b)
			if resp.StatusCode != test.status || strings.HasPrefix(resp.Location(), "http") {
				t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", resp.Header.Get("Cache-Control"))
			}
			if !b.SignedIn() || !maps.Equal(b.Cookies(), cookies) {
				t.Error("the session has ended")
			}
			if n := a.Provider.Count(oauthlogintest.Token) + a.Provider.Count(oauthlogintest.JWKS); n != calls || a.Provider.Count(oauthlogintest.Revocation) > 0 {
				t.Errorf("%d calls, %d revocations", n-calls, a.Provider.Count(oauthlogintest.Revocation))
			}
		})
	}
}

// OAuth 2.0 for Browser-Based Applications section 6.1.3.3: an application that
// has to fear siblings, which are of the same site, puts
// http.CrossOriginProtection around all of it. Logins go on to work.
func TestCrossOriginProtectionAround(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Net["app.test"] = http.NewCrossOriginProtection().Handler(a)
	b := a.Browser(t)
	for _, site := range []string{"cross-site", "same-site", "same-origin", "none"} {
		// The browser says of the callback where its chain of redirects began.
		if resp := b.Get(b.CallbackURL("/login?return_to=%2Fdashboard"), "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate"); resp.Location() != "/dashboard" {
			t.Errorf("callback, %s: %d to %q", site, resp.StatusCode, resp.Location())
		}
	}
	for _, test := range []struct {
		name   string
		header []string
		status int
	}{
		{"our own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://app.test"}, http.StatusOK},
		{"a sibling", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.app.test"}, http.StatusForbidden},
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, http.StatusForbidden},
		{"another site, in an old browser", []string{"Origin", "https://evil.test"}, http.StatusForbidden},
	} {
		before := a.Called("/api/me")
		resp := b.Post("/api/me", nil, test.header...)
		if resp.StatusCode != test.status || (a.Called("/api/me") > before) != (test.status == http.StatusOK) {
			t.Errorf("%s: %d, handler ran %d times", test.name, resp.StatusCode, a.Called("/api/me")-before)
		}
	}
}
