package adversarial_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RFC 6749 section 4.1.2: a code goes out once, whatever comes back. internal/protocol
// has the table of responses.
func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	const form, rejected, unavailable = "application/x-www-form-urlencoded", "provider_rejected", "provider_unavailable"
	for _, tt := range []struct {
		name    string
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		status  int
		code    string
	}{
		{"400 invalid_grant", apptest.RespondWith(400, `{"error":"invalid_grant","error_description":"`+apptest.Hostile[:8]+`hostile"}`), 400, "invalid_grant"},
		{"401 invalid_client", apptest.RespondWith(401, `{"error":"invalid_client"}`), 502, rejected},
		{"400 that asks for DPoP", apptest.RespondWith(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", "hostile"), 502, rejected}, // RFC 9449 section 8
		{"503 with a page", apptest.RespondWith(503, apptest.Hostile, "Content-Type", "text/html"), 502, unavailable},
		// CVE-2021-41580 GHSA-f794-r6xc-hf3v of passport-oauth2: an error with status 200 was
		// a success.
		{"200 with an error, as GitHub does", apptest.RespondWith(200, `{"error":"bad_verification_code","error_description":"hostile"}`), 400, "invalid_grant"},
		{"200 with an error in a form", apptest.RespondWith(200, "error=bad_verification_code&error_description=hostile", "Content-Type", form), 400, "invalid_grant"},
		{"200 with an error and tokens", apptest.RespondWith(200, `{"error":"server_error","access_token":"from-elsewhere","token_type":"Bearer"}`), 502, rejected},
		{"200 with a page", apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html"), 502, rejected},
		{"a response of 2 MiB", apptest.RespondWith(200, `{"access_token":"`+strings.Repeat("a", 2<<20)+`"}`), 502, rejected},
		{"no access token", apptest.RespondWith(200, `{"token_type":"Bearer","expires_in":3600}`), 502, rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			a.Provider.Intercept(oauthlogintest.Token, tt.respond)
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

// What goes wrong below HTTP needs sockets.
func TestTokenEndpointBreaks(t *testing.T) {
	t.Parallel()
	a := apptest.NewTLS(t, apptest.Config{})
	type intercept = func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	// hijack writes bytes in place of a response, the second text a thousand times.
	hijack := func(once, again string) intercept {
		return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, err = io.WriteString(conn, once)
			for range 1 << 10 {
				if err == nil {
					_, err = io.WriteString(conn, again)
				}
			}
		}
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for _, tt := range []struct {
		name    string
		respond intercept
	}{
		{"hangs up", func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }},
		{"hangs up within the body", hijack(ok+"Content-Length: 500\r\n\r\n{\"access_token\":\"hostile", "")},
		{"hangs up within a chunk", hijack(ok+"Transfer-Encoding: chunked\r\n\r\nffff\r\n{\"access_token\":\"hostile", "")},
		{"does not speak HTTP", hijack("220 hostile SMTP\r\n\r\n", "")},
		{"sends a broken header", hijack("HTTP/1.1 200 OK\r\nhostile\r\n\r\n", "")},
		{"sends an endless header", hijack(ok, strings.Repeat("X-Hostile: a\r\n", 1<<10))},
		{"sends endless 1xx responses", hijack("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: hostile\r\n\r\n", 1<<10))},
		{"sends tokens, with a header of 128 KiB", func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			w.Header().Set("X-Hostile", strings.Repeat("a", 128<<10))
			next(w, r)
		}},
		{"sends broken gzip", apptest.RespondWith(200, "hostile", "Content-Encoding", "gzip")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser(t)
			before, logged := a.Provider.Count(oauthlogintest.Token), len(a.Log.String())
			a.Provider.Intercept(oauthlogintest.Token, tt.respond)
			resp := b.TryLogin()
			if n := a.Provider.Count(oauthlogintest.Token) - before; n != 1 {
				t.Errorf("%d token requests", n)
			}
			if resp.StatusCode != http.StatusBadGateway || resp.Location() != "" {
				t.Errorf("response is %d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
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

// RFC 6749 section 5.1: what is not a positive number is a token that has expired.
// internal/protocol has all the values. The OpenID Foundation's
// fapi2-security-profile-final-client-test-token-endpoint-response-without-expires_in.
func TestExpiresIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		expiresIn string // "": none
		want      string // "expired", "unknown" or how long it lives
	}{
		{"", "unknown"},
		{"null", "unknown"},
		{`" 3600 "`, "1h0m0s"},
		{"0", "expired"},
		{"-4294963696", "expired"}, // 3600 in 32 bits
		{`"abc"`, "expired"},
		{`{"hostile":3600}`, "expired"},
		{"1e400", (365 * 24 * time.Hour).String()},
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

// RFC 6749 sections 5.1 and 7.1; internal/protocol has the whole table. The OpenID
// Foundation's
// fapi2-security-profile-final-client-test-token-type-case-insensitivity.
func TestTokenResponse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any // nil: deleted
		ok           bool
	}{
		{"token_type bEARER", "token_type", "bEARER", true},
		{"no token_type", "token_type", nil, true},
		{"token_type DPoP", "token_type", "DPoP", false},
		{"an unknown member", "hostile", map[string]any{"hostile": []any{1, "hostile"}}, true},
		{"an access token with a line break", "access_token", "abcdefgh\r\nX-Hostile: 1", false},
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
