package adversarial_test

import (
	"crypto/ecdsa"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Tokens in the authorization response (RFC 9700 section 2.1.2), OAuth 2.0 Form Post Response
// Mode and JARM are not offered, and no user is signed in by them. Of the
// OpenID Foundation's oidcc-client-test-form-post-error,
// fapi2-security-profile-final-client-test-ensure-jarm-signature-is-not-none,
// fapi2-security-profile-final-client-test-ensure-jarm-with-expired-exp-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-aud-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-iss-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-sig-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-without-aud-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-without-exp-fails,
// fapi2-security-profile-final-client-test-ensure-jarm-without-iss-fails.
func TestResponsesOfOtherKinds(t *testing.T) {
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
			edited := apptest.Edited(t, cb, func(q url.Values) { test.edit(a, q) })
			status := http.StatusBadRequest
			var resp *apptest.Response
			if test.post {
				status = http.StatusMethodNotAllowed
				resp = b.Post("/auth/callback", apptest.QueryOf(edited), "Origin", "https://provider.test", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
			} else {
				resp = b.Get(edited)
			}
			a.RefusedAtOnce(b, resp, status)
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

// The hybrid flow is not offered: of such a response the code counts, and no token. c_hash belongs to that flow and is not read here (OpenID Connect Core
// section 3.3.2.11). The OpenID Foundation's oidcc-client-test-missing-chash,
// oidcc-client-test-invalid-chash and oidcc-client-test-nonce-unless-code-flow.
func TestHybridResponse(t *testing.T) {
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

// RFC 7591, RFC 9101, OpenID Connect Session Management, WebFinger and the rest, and
// RFC 8705 and RFC 9449 for a client that is not set up for them: metadata may
// advertise what it likes, and nothing of it is called or sent. The OpenID Foundation's
// oidcc-client-test-dynamic-registration,
// oidcc-client-test-discovery-webfinger-acct, oidcc-client-test-discovery-webfinger-url,
// oidcc-client-test-request-uri-signed-rs256, oidcc-client-test-request-uri-signed-none,
// oidcc-client-test-session-management and oidcc-client-test-userinfo-bearer-body.
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
		a.Provider.EditIDToken(apptest.Without("name")) // so that user info is asked
		a.Provider.EditDiscovery(func(doc map[string]any) {
			for _, name := range []string{
				"registration_endpoint", "introspection_endpoint", "check_session_iframe",
				"device_authorization_endpoint", "backchannel_authentication_endpoint", "grant_management_endpoint",
				"op_policy_uri", "op_tos_uri", "service_documentation",
			} {
				doc[name] = "https://evil.test/" + name
			}
			doc["mtls_endpoint_aliases"] = map[string]any{
				"token_endpoint": "https://evil.test/token", "userinfo_endpoint": "https://evil.test/userinfo", "revocation_endpoint": "https://evil.test/revoke",
			}
			for _, name := range []string{
				"require_signed_request_object", "request_parameter_supported", "request_uri_parameter_supported",
				"claims_parameter_supported", "tls_client_certificate_bound_access_tokens", "frontchannel_logout_supported", "frontchannel_logout_session_supported",
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
			"GET /.well-known/openid-configuration": 1, "GET /authorize": 1, "POST /token": 2, "GET /jwks": 1, "GET /userinfo": 2, // at the login and at the refresh

			"POST /revoke": 1, "GET /end_session": 1,
		}; !maps.Equal(paths, want) {
			t.Errorf("requests to the provider %v; want %v", paths, want)
		}
	})
}

// A session without a DPoP key (RFC 9449): an API that asks for a proof costs one refresh,
// and its 401 stays one.
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
			resp, err := a.Auth.Client(r.Context()).Get("https://api.test/")
			if err != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("response of the API: %v, %v", resp, err)
				return
			}
			resp.Body.Close()
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

// OpenID Connect Core section 4 is not offered: whoever sends users to /login decides
// nothing but the provider, of those configured, and a local return path. The OpenID
// Foundation's oidcc-client-test-3rd-party-init-login.
func TestThirdPartyInitiatedLogin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, query string }{
		{"by the provider", "iss=https%3A%2F%2Fprovider.test&login_hint=mallory&target_link_uri=https%3A%2F%2Fapp.test%2Fdashboard"},
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

// OpenID Connect Front-Channel Logout is not offered, and the logout path takes no logout
// token: no such request ends a session, or a token (mod_auth_openidc revoked them for
// anyone who asked). The OpenID Foundation's
// oidcc-client-test-rp-frontchannel-rpinitlogout.
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
		// The response to a server is a redirect, which is neither 200 nor 204.
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
// does not trust its siblings, which are of the same site, puts
// http.CrossOriginProtection around everything. Logins still work.
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
