package protocol

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// metadataWith returns good metadata with some members set; nil removes one.
func metadataWith(members object) []byte {
	body, _ := json.Marshal(with(newFakeProvider().doc, members))
	return body
}

// OpenID Connect Discovery sections 3 and 4.3.
func TestMetadataRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any
		want         string // in the error
	}{
		{"no issuer", "issuer", nil, "issuer is missing"},
		{"an issuer that is a list", "issuer", []string{testIssuer}, "issuer is missing or not a string"},
		{"an issuer that is null", "issuer", json.RawMessage("null"), "issuer is missing or not a string"},
		// oidcc-client-test-discovery-issuer-mismatch,
		// fapi2-security-profile-final-client-test-discovery-issuer-mismatch.
		{"an issuer in other case", "issuer", "https://PROVIDER.test", "issuer mismatch"},
		{"an issuer over http", "issuer", "http://provider.test", "issuer mismatch"},
		{"another issuer", "issuer", "https://other.test", `issuer mismatch: want "https://provider.test", metadata says "https://other.test"`},
		{"a trailing slash", "issuer", testIssuer + "/", `want "https://provider.test", metadata says "https://provider.test/": they differ by the trailing slash`},
		{"a template", "issuer", "https://provider.test/{tenantid}/v2.0", `metadata says "https://provider.test/{tenantid}/v2.0": the metadata has a template instead of an issuer`},
		{"half a template", "issuer", "https://provider.test/}{", `metadata says "https://provider.test/}{"`},
		{"an issuer with a line break", "issuer", "https://other.test/\nlevel=ERROR", `metadata says "https://other.test/\nlevel=ERROR"`},
		{"no authorization endpoint", "authorization_endpoint", nil, "authorization_endpoint is missing"},
		{"no token endpoint", "token_endpoint", nil, "token_endpoint is missing"},
		{"a token endpoint that is null", "token_endpoint", json.RawMessage("null"), "token_endpoint is missing"},
		{"an empty token endpoint", "token_endpoint", "", "token_endpoint is missing"},
		{"a token endpoint that is a number", "token_endpoint", 1, "token_endpoint is not a string"},
		{"an authorization endpoint that is a list", "authorization_endpoint", []string{"x"}, "authorization_endpoint is not a string"},
		{"no keys", "jwks_uri", nil, "jwks_uri is missing"},
		{"keys that are an object", "jwks_uri", object{}, "jwks_uri is not a string"},
		{"a script", "authorization_endpoint", "javascript:alert('hostile')//", "authorization_endpoint is not an absolute"},
		{"a path", "token_endpoint", "/token", "token_endpoint is not an absolute"},
		{"a fragment", "authorization_endpoint", testIssuer + "/authorize#", "authorization_endpoint has a fragment"},
		{"a password", "token_endpoint", "https://user:hostile@provider.test/", "token_endpoint has user information"},
		{"a malformed escape", "authorization_endpoint", testIssuer + "/%zzhostile", "authorization_endpoint is not"},
		{"plain http", "token_endpoint", "http://provider.test/token", "token_endpoint is plain http"},
		{"a host that begins like loopback", "token_endpoint", "http://127.0.0.1.evil.test/token", "token_endpoint is plain http"},
		{"authorization over http", "authorization_endpoint", "http://provider.test/authorize", "authorization_endpoint is plain http"},
		{"keys over http", "jwks_uri", "http://provider.test/jwks", "jwks_uri is plain http"},
		{"plain http on loopback", "jwks_uri", "http://127.0.0.1/jwks", "jwks_uri is plain http, and the issuer is https"},
		{"user info over http", "userinfo_endpoint", "http://provider.test/userinfo", "userinfo_endpoint is plain http"},
		{"revocation over http", "revocation_endpoint", "http://provider.test/revoke", "revocation_endpoint is plain http"},
		{"end of session over http", "end_session_endpoint", "http://provider.test/logout", "end_session_endpoint is plain http"},
		{"revocation on loopback", "revocation_endpoint", "http://localhost/revoke", "revocation_endpoint is plain http, and the issuer is https"},
		{"end of session that is a path", "end_session_endpoint", "/logout", "end_session_endpoint is not an absolute"},
		{"HS256 alone", "id_token_signing_alg_values_supported", []string{"HS256"}, "no asymmetric algorithm"},
		{"none alone", "id_token_signing_alg_values_supported", []string{"none"}, "no asymmetric algorithm"},
		{"unknown algorithms", "id_token_signing_alg_values_supported", []string{"hostile"}, "no asymmetric algorithm"},
		{"algorithms in other case", "id_token_signing_alg_values_supported", []string{"rs256"}, "no asymmetric algorithm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			md, _, err := parseMetadataOf(testIssuer, metadataWith(object{tt.member: tt.value}))
			if err == nil || md != nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hostile") {
				t.Errorf("%v; want %s", err, tt.want)
			}
		})
	}
	for _, body := range []string{"", "null", "[]", "<html>hostile", `{"issuer":"` + testIssuer + `","hostile`, `{"ISSUER":"` + testIssuer + `"}`} {
		if _, _, err := parseMetadataOf(testIssuer, []byte(body)); err == nil || strings.Contains(err.Error(), "hostile") {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, algs := range []any{"ES256", []any{"ES256", 7}} {
		if _, _, err := parseMetadataOf(testIssuer, metadataWith(object{"id_token_signing_alg_values_supported": algs})); err == nil || !strings.Contains(err.Error(), "id_token_signing_alg_values_supported") {
			t.Errorf("algorithms %v: %v", algs, err)
		}
	}
	_, _, err := parseMetadataOf(testIssuer, metadataWith(object{"issuer": "https://" + strings.Repeat("a", 1000)}))
	if len(err.Error()) > 250 {
		t.Errorf("a long issuer: %v", err)
	}
}

// An optional member of a wrong type is ignored by name; what is unknown, or null,
// is not worth a word.
func TestMetadataMembers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any
		ignored      bool
		got          func(md *metadata) bool
	}{
		{"all", "hostile", 1, false, func(md *metadata) bool {
			return md.AuthURL == testIssuer+"/authorize" && md.TokenURL == testIssuer+"/token" && md.JWKSURL == testIssuer+"/jwks" && md.UserInfoURL == testIssuer+"/userinfo" &&
				md.RevocationURL == testIssuer+"/revoke" && md.EndSessionURL == testIssuer+"/logout?a=b" && slices.Equal(md.SigningAlgs, []string{"ES256"}) && !md.IssInResponse
		}},
		{"methods that are a string", "token_endpoint_auth_methods_supported", "client_secret_post", true, func(md *metadata) bool { return md.AuthMethods == nil }},
		{"methods that are not strings", "token_endpoint_auth_methods_supported", []any{"client_secret_post", 5}, true, func(md *metadata) bool { return md.AuthMethods == nil }},
		{"methods", "token_endpoint_auth_methods_supported", []any{"client_secret_post"}, false, func(md *metadata) bool { return len(md.AuthMethods) == 1 }},
		{"methods by another name", "Token_Endpoint_Auth_Methods_Supported", []any{"client_secret_post"}, false, func(md *metadata) bool { return md.AuthMethods == nil }},
		{"user info that is a list", "userinfo_endpoint", []string{testIssuer}, true, func(md *metadata) bool { return md.UserInfoURL == "" }},
		{"user info that is null", "userinfo_endpoint", json.RawMessage("null"), false, func(md *metadata) bool { return md.UserInfoURL == "" }},
		{"user info that is empty", "userinfo_endpoint", "", false, func(md *metadata) bool { return md.UserInfoURL == "" }},
		{"revocation that is a boolean", "revocation_endpoint", true, true, func(md *metadata) bool { return md.RevocationURL == "" }},
		{"end of session that is a number", "end_session_endpoint", 5, true, func(md *metadata) bool { return md.EndSessionURL == "" }},
		{"iss in responses", "authorization_response_iss_parameter_supported", true, false, func(md *metadata) bool { return md.IssInResponse }},
		{"iss in responses as a string", "authorization_response_iss_parameter_supported", "true", true, func(md *metadata) bool { return !md.IssInResponse }},
		{"no algorithms", "id_token_signing_alg_values_supported", nil, false, func(md *metadata) bool { return slices.Equal(md.SigningAlgs, []string{"RS256"}) }},
		{"algorithms that are null", "id_token_signing_alg_values_supported", json.RawMessage("null"), false, func(md *metadata) bool { return slices.Equal(md.SigningAlgs, []string{"RS256"}) }},
		{"algorithms that are empty", "id_token_signing_alg_values_supported", []string{}, false, func(md *metadata) bool { return slices.Equal(md.SigningAlgs, []string{"RS256"}) }},
		{"algorithms good and bad", "id_token_signing_alg_values_supported", []string{"none", "HS256", "ES256", "hostile", "EdDSA"}, false, func(md *metadata) bool { return slices.Equal(md.SigningAlgs, []string{"ES256", "EdDSA"}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			md, ignored, err := parseMetadataOf(testIssuer, metadataWith(object{tt.member: tt.value}))
			if err != nil || !tt.got(md) || (len(ignored) > 0) != tt.ignored || tt.ignored && ignored[0] != tt.member {
				t.Errorf("%+v, ignored %q: %v", md, ignored, err)
			}
		})
	}
}

// An http issuer is one on loopback, and so may its endpoints be.
func TestMetadataOnLoopback(t *testing.T) {
	t.Parallel()
	const issuer = "http://127.0.0.1:9000"
	members := object{"issuer": issuer, "token_endpoint": "http://localhost/token", "jwks_uri": issuer + "/jwks"}
	if _, _, err := parseMetadataOf(issuer, metadataWith(members)); err != nil {
		t.Error(err)
	}
	members["token_endpoint"] = "http://provider.test/token"
	if _, _, err := parseMetadataOf(issuer, metadataWith(members)); err == nil {
		t.Error("plain http away from loopback is accepted")
	}
}

func TestIgnoredMembersAreLogged(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.doc["token_endpoint_auth_methods_supported"] = "client_secret_post"
	p.doc["userinfo_endpoint"] = []string{"hostile"}
	c := p.client()
	for range 3 {
		if err := c.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	log := p.logged()
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "token_endpoint_auth_methods_supported") ||
		!strings.Contains(log, "userinfo_endpoint") || strings.Contains(log, "hostile") || strings.Contains(log, "client_secret_post") {
		t.Errorf("log: %s", log)
	}
}

// A first read that fails is the provider's fault, names the issuer and not the
// provider's words, and is tried again after five seconds.
func TestMetadataUnavailable(t *testing.T) {
	t.Parallel()
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://evil.test/hostile")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	good := string(metadataWith(nil))
	for _, tt := range []struct {
		name string
		say  http.HandlerFunc
		want string
	}{
		{"down", say(599, ""), "discover https://provider.test: call failed: connection refused"},
		{"404", say(404, good), "response with status 404"},
		{"203", say(203, good), "response with status 203"},
		{"500", say(500, good), "response with status 500"},
		{"204", say(204, ""), "response with status 204"},
		{"301", say(301, good), "response with status 301"},
		{"302", say(302, good), "response with status 302"},
		{"307", say(307, good), "response with status 307"},
		{"308", say(308, good), "response with status 308"},
		{"a page", say(200, "<html>hostile"), "response is not a JSON object"},
		{"2 MiB", say(200, strings.TrimSuffix(good, "}")+`,"hostile":"`+strings.Repeat("a", 2<<20)+`"}`), "response of over 1048576 bytes"},
		{"no token endpoint", say(200, string(metadataWith(object{"token_endpoint": nil}))), "token_endpoint is missing"},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("hostile") }, "panic: string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakeProvider()
				p.says[metadataPath] = tt.say
				c := p.client()
				for range 3 {
					err := c.ready(t.Context())
					if !Unavailable(err) || KeysUnavailable(err) || !strings.Contains(err.Error(), tt.want) || strings.Contains(strings.Split(err.Error(), "\n")[0], "hostile") {
						t.Errorf("error is %v; want %s", err, tt.want)
					}
				}
				if n := p.count(metadataPath); n != 1 {
					t.Errorf("asked %d times", n)
				}
				for range 10 { // a failure starts another cool-down
					after(discoveryCooldown / 2)
					c.ready(t.Context())
				}
				if n := p.count(metadataPath); n != 6 {
					t.Errorf("asked %d times in 25 seconds", n)
				}
				p.up(metadataPath)
				after(discoveryCooldown - 1)
				if c.ready(t.Context()) == nil {
					t.Error("asked during the cool-down")
				}
				after(1)
				if err := c.ready(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// FuzzMetadata holds whatever metadata is accepted to what the client relies on.
func FuzzMetadata(f *testing.F) {
	for _, members := range []object{
		{},
		{"issuer": testIssuer + "/"},
		{"issuer": 5},
		{"token_endpoint": "http://127.0.0.1/"},
		{"jwks_uri": nil},
		{"userinfo_endpoint": 5},
		{"revocation_endpoint": "https://user@x/"},
		{"id_token_signing_alg_values_supported": []string{"HS256", "RS256"}},
		{"id_token_signing_alg_values_supported": "RS256"},
		{"authorization_endpoint": "https://a.test/?state=x"},
	} {
		f.Add(metadataWith(members))
	}
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		md, ignored, err := parseMetadataOf(testIssuer, body)
		if err != nil {
			if md != nil || strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 600 {
				t.Fatalf("%v with %v", md, err)
			}
			return
		}
		for i, endpoint := range []string{md.AuthURL, md.TokenURL, md.JWKSURL, md.UserInfoURL, md.RevocationURL, md.EndSessionURL} {
			if _, fault := weburl.Check(endpoint); (endpoint != "" || i < 3) && (fault != "" || !weburl.IsHTTPS(endpoint)) {
				t.Fatalf("endpoint %d is %q: %s", i, endpoint, fault)
			}
		}
		if len(md.SigningAlgs) == 0 || slices.ContainsFunc(md.SigningAlgs, func(alg string) bool { return alg == "none" || strings.HasPrefix(alg, "HS") }) || slices.Contains(ignored, "issuer") {
			t.Fatalf("algorithms %q, ignored %q", md.SigningAlgs, ignored)
		}
	})
}
