package oauthlogintest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A mounted Provider can serve any issuer.
func TestMetadata(t *testing.T) {
	p, err := oauthlogintest.New(oauthlogintest.Config{Issuer: "https://op.example/tenant"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/tenant/.well-known/openid-configuration", nil))
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"issuer": "", "authorization_endpoint": "/authorize", "token_endpoint": "/token", "userinfo_endpoint": "/userinfo",
		"jwks_uri": "/jwks", "revocation_endpoint": "/revoke", "end_session_endpoint": "/end_session",
	} {
		if want := "https://op.example/tenant" + path; doc[name] != want {
			t.Errorf("%s = %v, want %s", name, doc[name], want)
		}
	}
	for name, want := range map[string]string{
		"code_challenge_methods_supported":      "S256",
		"token_endpoint_auth_methods_supported": "client_secret_basic client_secret_post none",
		"id_token_signing_alg_values_supported": "RS256 PS256 ES256 EdDSA",
		"response_types_supported":              "code",
		"response_modes_supported":              "query form_post",
		"grant_types_supported":                 "authorization_code refresh_token",
		"scopes_supported":                      "openid profile email offline_access",
		"prompt_values_supported":               "none login consent select_account",
		"subject_types_supported":               "public",
	} {
		var got []string
		for _, v := range doc[name].([]any) {
			got = append(got, v.(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if doc["authorization_response_iss_parameter_supported"] != true || doc["request_uri_parameter_supported"] != false {
		t.Error("iss is not advertised, or request_uri is advertised")
	}
}
