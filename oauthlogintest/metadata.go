package oauthlogintest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
)

// supportedScopes are the scopes that the provider grants. It ignores others.
var supportedScopes = []string{"openid", "profile", "email", "offline_access"}

// serveDiscovery serves the provider metadata of OpenID Connect Discovery 1.0
// section 3, RFC 8414 section 2 and RFC 9207 section 3.
func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	clientAuthMethods := []string{"client_secret_basic", "client_secret_post", "none"}
	if p.hasPublicKeys() {
		clientAuthMethods = append(clientAuthMethods, "private_key_jwt")
	}
	grantTypes := []string{"authorization_code"}
	if !p.config.NoRefreshTokens {
		grantTypes = append(grantTypes, "refresh_token")
	}
	doc := map[string]any{
		"issuer":                                         p.config.Issuer,
		"authorization_endpoint":                         p.endpointURL(authorizationPath),
		"token_endpoint":                                 p.endpointURL(tokenPath),
		"userinfo_endpoint":                              p.endpointURL(userInfoPath),
		"jwks_uri":                                       p.endpointURL(jwksPath),
		"revocation_endpoint":                            p.endpointURL(revocationPath),
		"end_session_endpoint":                           p.endpointURL(endSessionPath),
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"scopes_supported":                               slices.Clone(supportedScopes),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query", "form_post"},
		"grant_types_supported":                          grantTypes,
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          slices.Clone(signingAlgs),
		"token_endpoint_auth_methods_supported":          clientAuthMethods,
		"revocation_endpoint_auth_methods_supported":     clientAuthMethods,
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"prompt_values_supported":                        []string{"none", "login", "consent", "select_account"},
		"acr_values_supported":                           []string{noAssurance, "phr", "phrh"},
		"display_values_supported":                       []string{"page"},
		"claim_types_supported":                          []string{"normal"},
		"claims_supported":                               p.claimsSupported(),
		"claims_parameter_supported":                     false,
		"request_parameter_supported":                    false,
		// The default is true (OpenID Connect Discovery 1.0 section 3).
		"request_uri_parameter_supported": false,
	}
	if p.config.RequireDPoP { // RFC 9449 section 5.1
		doc["dpop_signing_alg_values_supported"] = []string{"ES256"}
	}
	if p.config.RequirePAR { // RFC 9126 section 5
		doc["pushed_authorization_request_endpoint"] = p.endpointURL(pushPath)
		doc["require_pushed_authorization_requests"] = true
	}
	if p.hasPublicKeys() { // RFC 8414 section 2
		doc["token_endpoint_auth_signing_alg_values_supported"] = assertionAlgs
		doc["revocation_endpoint_auth_signing_alg_values_supported"] = assertionAlgs
	}
	edit(p.hook().editDiscovery, doc)
	writeJSON(w, http.StatusOK, doc)
}

func (p *Provider) serveJWKS(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{p.keys.current().jwk()}})
}

// jwk returns the public key as a JSON Web Key (RFC 7517, RFC 7518 section 6,
// RFC 8037 section 2).
func (k *signingKey) jwk() map[string]any {
	encode := base64.RawURLEncoding.EncodeToString
	jwk := map[string]any{"use": "sig", "alg": k.alg, "kid": k.id}
	switch public := k.signer.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"] = "RSA"
		jwk["n"] = encode(public.N.Bytes())
		jwk["e"] = encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 0x04 || X || Y
		if err != nil {
			panic(fmt.Sprintf("oauthlogintest: %v", err))
		}
		jwk["kty"], jwk["crv"] = "EC", "P-256"
		jwk["x"], jwk["y"] = encode(point[1:33]), encode(point[33:])
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"] = "OKP", "Ed25519"
		jwk["x"] = encode(public)
	}
	return jwk
}

// writeJSON sends v as a JSON response that caches must not store.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: encode response: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
