package protocol

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// OpenID Connect Core section 5.3.2. User info in a JWT is neither offered nor believed,
// whoever signed it.
func TestUserInfo(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k", "ES256")
	jwt := s.sign(object{"alg": "ES256", "kid": "k"}, object{"iss": testIssuer, "aud": "app", "sub": "alice", "name": "hostile"})
	const good = `{"sub":"alice","name":"Alice"}`
	for _, tt := range []struct {
		name              string
		status            int
		contentType, body string
		ok, none, down    bool // claims; none and no error; Unavailable
	}{
		{"as it is", 200, "application/json", good, true, false, false},
		{"without a type", 200, "", good, true, false, false},

		// oidcc-client-test-userinfo-invalid-sub.
		{"another subject", 200, "", `{"sub":"hostile"}`, false, false, false},
		{"a subject in other case", 200, "", `{"sub":"Alice"}`, false, false, false},
		{"no subject", 200, "", `{"name":"hostile"}`, false, false, false},
		{"an empty subject", 200, "", `{"sub":""}`, false, false, false},
		{"a subject that is a list", 200, "", `{"sub":["alice"]}`, false, false, false},
		{"a subject by the name SUB", 200, "", `{"SUB":"alice"}`, false, false, false},

		{"401", 401, "text/html", "<html>hostile", false, false, true},
		{"401 with claims", 401, "", `{"sub":"hostile","name":"hostile"}`, false, false, true},
		{"403", 403, "", good, false, false, true},
		{"204", 204, "", "", false, false, true},
		{"302", 302, "", good, false, false, true},
		{"307", 307, "", good, false, false, true},
		{"404", 404, "", good, false, false, true},
		{"500", 500, "", "hostile", false, false, true},
		{"503 with claims", 503, "", good, false, false, true},
		{"no response", 599, "", "", false, false, true},

		{"a page", 200, "text/html", "<html>hostile", false, false, false},
		{"nothing", 200, "", "", false, false, false},
		{"null", 200, "", "null", false, false, false},
		{"a list", 200, "", "[" + good + "]", false, false, false},
		{"two objects", 200, "", good + good, false, false, false},
		{"2 MiB", 200, "", `{"sub":"alice","name":"` + strings.Repeat("a", 2<<20) + `"}`, false, false, false},

		// oidcc-client-test-userinfo-signed.
		{"signed by the provider", 200, "application/jwt", jwt, false, false, false},
		{"signed by the provider, as JSON", 200, "application/json", jwt, false, false, false},
		{"signed, in a JSON string", 200, "application/json", `"` + jwt + `"`, false, false, false},
		{"not signed", 200, "application/jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", false, false, false},
		{"encrypted", 200, "application/jwt", b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}`)) + ".AAAA.AAAA.AAAA.AAAA", false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider()
			p.jwks = []any{s.jwk()}
			p.says["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
				// RFC 6750 section 2.1: in the header, never in the URL.
				if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer at" || r.URL.RawQuery != "" {
					t.Errorf("request %s %s %v", r.Method, r.URL, r.Header)
				}
				w.Header().Set("Content-Type", tt.contentType)
				w.Header().Set("Location", "https://evil.test/hostile")
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			}
			info, err := p.client().UserInfo(t.Context(), "at", "alice", nil)
			if (info.String("sub") == "alice") != tt.ok || (err == nil) != (tt.ok || tt.none) || Unavailable(err) != tt.down {
				t.Errorf("%v, %v", info, err)
			}
			if err != nil && (strings.Contains(err.Error(), "hostile") || len(err.Error()) > 250) {
				t.Errorf("error is %v", err)
			}
			if len(p.asked) != 2 || p.count("/userinfo") != 1 {
				t.Errorf("asked %v", p.asked)
			}
		})
	}
	p := newFakeProvider()
	delete(p.doc, "userinfo_endpoint")
	if info, err := p.client().UserInfo(t.Context(), "at", "alice", nil); info != nil || err != nil {
		t.Errorf("without an endpoint: %v, %v", info, err)
	}
	p.down(metadataPath)
	if _, err := p.client().UserInfo(t.Context(), "at", "alice", nil); !Unavailable(err) {
		t.Errorf("without metadata: %v", err)
	}
}

// RFC 6750 section 3: a resource describes an error in its challenge.
func TestUserInfoChallengeIsLogged(t *testing.T) {
	t.Parallel()
	for challenge, want := range map[string]string{
		`Bearer realm="x", error="invalid_token", error_description="The access token expired"`:             "The access token expired",
		`Bearer error_description="needs <openid>", error="insufficient_scope"`:                             "needs openid",
		`Bearer error_description="the \"aud\" is wrong"`:                                                   "the aud is wrong",
		`Basic realm="x, error_description=\"y\"", Bearer error=invalid_token, error_description="expired"`: "provider_code=invalid_token description=expired",
		`Bearer error="invalid_token"`:                                                                      "",
		`Bearer error_description="token the-access-token is bad"`:                                          "",
		`Bearer error_description="token the-access-\token is bad"`:                                         "",
		`Bearer error_description="half`:                                                                    "half",
	} {
		p := newFakeProvider()
		p.says["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(http.StatusUnauthorized)
		}
		var log bytes.Buffer
		c := p.client()
		c.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if _, err := c.UserInfo(t.Context(), "the-access-token", "alice", nil); err == nil {
			t.Error("no error")
		}
		if text := log.String(); strings.Contains(text, "describes an error") != (want != "") || !strings.Contains(text, want) || strings.Contains(text, "the-access-token") {
			t.Errorf("%s: %s", challenge, text)
		}
	}
}
