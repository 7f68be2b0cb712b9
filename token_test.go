package oauthlogin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RFC 6749 section 4.1.2: a code goes out once, whatever comes back.
func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	form := "application/x-www-form-urlencoded"
	const (
		rejected    = "provider_rejected"
		unavailable = "provider_unavailable"
	)
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		status int
		code   string
	}{
		{"400 invalid_grant", apptest.RespondWith(400, `{"error":"invalid_grant","error_description":"`+apptest.Hostile[:8]+`hostile"}`), 400, "invalid_grant"},
		{"401 invalid_client", apptest.RespondWith(401, `{"error":"invalid_client"}`), 502, rejected},
		{"400 with an error that is no code", apptest.RespondWith(400, `{"error":"\n\u0000`+strings.Repeat("x", 64)+`hostile"}`), 502, rejected},
		{"400 that asks for DPoP", apptest.RespondWith(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", "hostile"), 502, rejected}, // RFC 9449 section 8
		{"400 without JSON", apptest.RespondWith(400, apptest.Hostile, "Content-Type", "text/html"), 502, unavailable},
		{"403 with a page", apptest.RespondWith(403, apptest.Hostile, "Content-Type", "text/html"), 502, unavailable},
		{"429", apptest.RespondWith(429, `{"error":"slow_down"}`), 502, unavailable},
		{"500 with an error", apptest.RespondWith(500, `{"error":"server_error"}`), 502, unavailable},
		{"503 with a page", apptest.RespondWith(503, apptest.Hostile, "Content-Type", "text/html"), 502, unavailable},
		{"500 with tokens", apptest.RespondWith(500, goodTokens), 502, unavailable},

		// passport-oauth2 CVE-2021-41580.
		{"200 with an error, as GitHub does", apptest.RespondWith(200, `{"error":"bad_verification_code","error_description":"hostile"}`), 400, "invalid_grant"},
		{"200 with an error in a form", apptest.RespondWith(200, "error=bad_verification_code&error_description=hostile", "Content-Type", form), 400, "invalid_grant"},
		{"200 with an error and tokens", apptest.RespondWith(200, `{"error":"server_error","access_token":"from-elsewhere","token_type":"Bearer"}`), 502, rejected},
		{"200 with another error", apptest.RespondWith(200, `{"error":"incorrect_client_credentials"}`), 502, rejected},
		{"200 with an error that is no string", apptest.RespondWith(200, `{"error":{"message":"hostile"}}`), 502, rejected},

		{"200 with a page", apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html"), 502, rejected},
		{"200 with a broken form", apptest.RespondWith(200, "access_token=%zzhostile", "Content-Type", form), 502, rejected},
		{"200 with nothing", apptest.RespondWith(200, ""), 502, rejected},
		{"204", apptest.RespondWith(204, ""), 502, rejected},
		{"null", apptest.RespondWith(200, "null"), 502, rejected},
		{"a list", apptest.RespondWith(200, `[`+goodTokens+`]`), 502, rejected},
		{"a string", apptest.RespondWith(200, `"hostile"`), 502, rejected},
		{"half of an answer", apptest.RespondWith(200, goodTokens[:40]), 502, rejected},
		{"an answer of 2 MiB", apptest.RespondWith(200, `{"access_token":"`+strings.Repeat("a", 2<<20)+`"}`), 502, rejected},

		{"no access token", apptest.RespondWith(200, `{"token_type":"Bearer","expires_in":3600}`), 502, rejected},
		{"an empty access token", apptest.RespondWith(200, `{"access_token":"","token_type":"Bearer"}`), 502, rejected},
		{"an access token that is a number", apptest.RespondWith(200, `{"access_token":12345678,"token_type":"Bearer"}`), 502, rejected},
		{"an access token in upper case letters", apptest.RespondWith(200, `{"ACCESS_TOKEN":"from-elsewhere","token_type":"Bearer"}`), 502, rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			a.Provider.Intercept(oauthlogintest.Token, tt.answer)
			resp := b.TryLogin()
			if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
			a.Refused(t, b, resp, tt.status, tt.code)
			if a.Provider.Count(oauthlogintest.UserInfo)+a.Provider.Count(oauthlogintest.JWKS) > 0 {
				t.Error("user info or keys were asked for")
			}
			a.Provider.Intercept(oauthlogintest.Token, nil)
			a.Recovers(t, b)
		})
	}
}

// A token endpoint that redirects would have code, verifier and secret sent
// elsewhere, or elsewhere's tokens taken for its own: RFC 9700 section 4.12.
func TestTokenEndpointRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{"https://evil.test/token", "/token", "https://evil.test/%zzhostile", ""} {
			t.Run(fmt.Sprint(status, " to ", target), func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				a.Net["evil.test"] = a.Count(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, goodTokens) })
				a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(status, goodTokens, "Location", target))
				resp := b.TryLogin()
				if n := a.Provider.Count(oauthlogintest.Token); n != 1 || a.Called("/token") > 0 {
					t.Errorf("%d token requests, %d elsewhere", n, a.Called("/token"))
				}
				a.Refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
				a.Provider.Intercept(oauthlogintest.Token, nil)
				a.Recovers(t, b)
			})
		}
	}
}

// What goes wrong below HTTP needs sockets.
func TestTokenEndpointBreaks(t *testing.T) {
	t.Parallel()
	a := apptest.NewTLS(t, apptest.Config{})
	hijack := func(answer string, more ...func(io.Writer)) func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(conn, answer)
				for _, write := range more {
					write(conn)
				}
				conn.Close()
			}
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	}{
		{"hangs up", func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }},
		{"hangs up within the answer", hijack("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"access_token\":\"hostile")},
		{"hangs up within a chunk", hijack("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{\"access_token\":\"hostile")},
		{"answers in no HTTP", hijack("220 hostile SMTP\r\n\r\n")},
		{"answers with a broken header", hijack("HTTP/1.1 200 OK\r\nhostile\r\n\r\n")},
		{"answers with a header without end", hijack(statusLine, func(w io.Writer) { again(w, strings.Repeat("X-Hostile: a\r\n", 1<<10), 0) })},
		{"answers with 1xx without end", hijack("", func(w io.Writer) {
			again(w, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: hostile\r\n\r\n", 1<<10), 0)
		})},
		{"answers well, with a header of 128 KiB", func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			w.Header().Set("X-Hostile", strings.Repeat("a", 128<<10))
			next(w, r)
		}},
		{"answers with no gzip", apptest.RespondWith(200, "hostile", "Content-Encoding", "gzip")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser(t)
			before, logged := a.Provider.Count(oauthlogintest.Token), len(a.Log.String())
			a.Provider.Intercept(oauthlogintest.Token, tt.answer)
			resp := b.TryLogin()
			if n := a.Provider.Count(oauthlogintest.Token) - before; n != 1 {
				t.Errorf("%d token requests", n)
			}
			if resp.StatusCode != http.StatusBadGateway || resp.Location() != "" {
				t.Errorf("answer is %d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
			}
			if len(b.Cookies()) > 0 || b.SignedIn() {
				t.Errorf("browser has %v", b.Cookies())
			}
			if log := a.Log.String()[logged:]; strings.Contains(log, "hostile") || strings.Contains(resp.Text, "hostile") {
				t.Errorf("page or log has the provider's words in it: %.500s", log)
			}
			a.Provider.Intercept(oauthlogintest.Token, nil)
			b.Login("/dashboard")
		})
	}
}

// RFC 6749 section 5.1, and the values of expires_in that are seen in the wild.
// The OpenID Foundation's
// fapi2-security-profile-final-client-test-token-endpoint-response-without-expires_in.
func TestExpiresIn(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	for _, tt := range []struct {
		expiresIn string // "": none
		want      string // "expired", "unknown" or how long it lives
	}{
		{"", "unknown"},
		{"null", "unknown"},
		{"3600", "1h0m0s"},
		{`"3600"`, "1h0m0s"},
		{`" 3600 "`, "1h0m0s"},
		{"3600.5", "1h0m0s"},
		{"1e3", "16m40s"},
		{`"1e3"`, "16m40s"},
		{"0", "expired"},
		{"-0", "expired"},
		{"0.0", "expired"},
		{"-1", "expired"},
		{`"-1"`, "expired"},
		{"-4294963696", "expired"}, // 3600 in 32 bits
		{"-99999999999999999999", "expired"},
		{"-1e400", "expired"},
		{`""`, "expired"},
		{`"abc"`, "expired"},
		{`"NaN"`, "expired"},
		{`"-Inf"`, "expired"},
		{"true", "expired"},
		{"[3600]", "expired"},
		{`{"hostile":3600}`, "expired"},
		{"4294967297", year.String()}, // 1 in 32 bits
		{"9223372036854775807", year.String()},
		{"12345678901234567890", year.String()},
		{"1e400", year.String()},
		{`"Inf"`, year.String()},
	} {
		t.Run(tt.expiresIn, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Provider.EditTokenResponse(func(resp map[string]any) {
					delete(resp, "expires_in")
					delete(resp, "refresh_token")
					if tt.expiresIn != "" {
						resp["expires_in"] = json.RawMessage(tt.expiresIn)
					}
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				if got := b.Get("/token").Text; got != tt.want {
					t.Errorf("token: %s, want %s", got, tt.want)
				}
				if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
					t.Errorf("%d token requests", n)
				}
				// There is no refresh token to outlive it with.
				if d, err := time.ParseDuration(tt.want); err == nil {
					time.Sleep(d + time.Second)
					if b.SignedIn() {
						t.Errorf("signed in after %v", d)
					}
				}
				a.Leaks(t, "")
			})
		})
	}
}

// RFC 6749 sections 5.1 and 7.1. The OpenID Foundation's
// fapi2-security-profile-final-client-test-token-type-case-insensitivity.
func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any // nil: deleted
		ok           bool
	}{
		{"token_type bearer", "token_type", "bearer", true},
		{"token_type BEARER", "token_type", "BEARER", true},
		{"token_type bEARER", "token_type", "bEARER", true},
		{"no token_type", "token_type", nil, true},
		{"token_type mac", "token_type", "mac", false},
		{"token_type N_A", "token_type", "N_A", false},
		{"token_type DPoP", "token_type", "DPoP", false},
		{"token_type with a space before it", "token_type", " Bearer", false},
		{"two types in one", "token_type", "Bearer DPoP", false},
		{"token_type that is a list", "token_type", []string{"DPoP"}, false},
		{"token_type that is an object", "token_type", map[string]any{"type": "DPoP"}, false},
		{"token_type that is a number", "token_type", 1, false},
		{"token_type Bearer and more", "token_type", "Bearer\r\n" + strings.Repeat("x", 64) + "hostile", false},
		{"a member that nobody knows", "hostile", map[string]any{"hostile": []any{1, "hostile"}}, true},
		{"a scope other than asked for", "scope", "openid", true},
		{"a scope that is no string", "scope", []string{"openid"}, true},
		{"no refresh token", "refresh_token", nil, true},
		{"a refresh token that is no string", "refresh_token", 1, true},
		{"an access token with a line break", "access_token", "abcdefgh\r\nX-Hostile: 1", false},
		{"an access token with a NUL", "access_token", "abcdefgh\x00", false},
		{"an access token with a DEL", "access_token", "abcdefgh\x7f", false},
		{"an access token outside ASCII", "access_token", "abcdefghé", false},
		{"a refresh token with a line break", "refresh_token", "abcdefgh\nhostile", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			a.Provider.EditIDToken(apptest.Without("at_hash")) // which would notice a changed token
			a.Provider.EditTokenResponse(func(resp map[string]any) {
				resp[tt.member] = tt.value
				if tt.value == nil {
					delete(resp, tt.member)
				}
			})
			if tt.ok {
				a.Recovers(t, b)
				return
			}
			resp := b.TryLogin()
			if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
			a.Refused(t, b, resp, http.StatusBadGateway, "provider_rejected")
			a.Provider.EditTokenResponse(nil)
			a.Recovers(t, b)
		})
	}
}

// RFC 6749 section 2.3: one method of client authentication a request, and
// section 2.3.1: credentials are form-urlencoded before HTTP Basic. The OpenID
// Foundation's oidcc-client-test-client-secret-basic.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	const odd = "a:b+c d%/é&="
	for _, tt := range []struct {
		name       string
		id, secret string
		style      oauth2.AuthStyle
		methods    any // in the metadata; nil: none
		inParams   bool
	}{
		{"nothing said of methods", "app", "s3cret-of-the-app", 0, nil, false},
		{"both methods", "app", "s3cret-of-the-app", 0, []string{"client_secret_post", "client_secret_basic"}, false},
		{"post alone", "app", "s3cret-of-the-app", 0, []string{"private_key_jwt", "client_secret_post"}, true},
		{"neither method", "app", "s3cret-of-the-app", 0, []string{"private_key_jwt"}, false},
		{"told to post", "app", "s3cret-of-the-app", oauth2.AuthStyleInParams, []string{"client_secret_basic"}, true},
		{"told to use Basic", "app", "s3cret-of-the-app", oauth2.AuthStyleInHeader, []string{"client_secret_post"}, false},
		{"odd characters with Basic", "a:b c%é", odd, oauth2.AuthStyleInHeader, nil, false},
		{"odd characters in the body", "a:b c%é", odd, oauth2.AuthStyleInParams, nil, true},
		{"no secret", "public", "", 0, nil, true},
		{"no secret, told to use Basic", "public", "", oauth2.AuthStyleInHeader, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
				client := opts.Providers[0].OAuth2
				client.ClientID, client.ClientSecret, client.Endpoint.AuthStyle = tt.id, tt.secret, tt.style
			}})
			provider, err := oauthlogintest.New(oauthlogintest.Config{
				Issuer:  a.Provider.Issuer(),
				Clients: []oauthlogintest.Client{{ID: tt.id, Secret: tt.secret, RedirectURIs: []string{a.URL + "/auth/callback"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(provider.Close)
			provider.AutoApprove("alice")
			provider.EditDiscovery(func(doc map[string]any) { doc["token_endpoint_auth_methods_supported"] = tt.methods })
			a.Net["provider.test"] = provider
			a.Provider = provider

			a.Browser(t).Login("/dashboard")
			requests := provider.Requests(oauthlogintest.Token)
			if len(requests) != 1 || requests[0].Method != http.MethodPost || len(requests[0].Query) > 0 {
				t.Fatalf("token requests: %d", len(requests))
			}
			r := requests[0]
			basic := r.Header.Get("Authorization") != ""
			if basic == tt.inParams || r.Form.Has("client_id") != tt.inParams || r.Form.Has("client_secret") != (tt.inParams && tt.secret != "") {
				t.Errorf("Authorization %q, form %v", r.Header.Get("Authorization"), r.Form)
			}
		})
	}
}

// A provider that cannot be reached is no reason to send a code twice either.
func TestTokenEndpointDown(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	asked := 0
	a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/token" {
			return nil, nil
		}
		asked++
		return nil, errors.New("connection refused")
	})
	resp := b.TryLogin()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	a.Refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
	if links := resp.Links(); !slices.Contains(links, "/login?return_to=%2Fdashboard") {
		t.Errorf("page leads to %q", links)
	}
	a.Wire.CutBy(nil)
	a.Recovers(t, b)
}

// goodTokens is an answer that a plain OAuth 2.0 client would take.
const goodTokens = `{"access_token":"from-elsewhere","token_type":"Bearer","expires_in":3600}`
