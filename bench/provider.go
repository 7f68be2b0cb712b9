package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Size is the kind of session that a login at a provider leads to.
type Size string

const (
	// Small has an opaque OAuth 2.0 access token of 40 bytes, and the login,
	// name, email address and ID from a user endpoint.
	Small Size = "SMALL"
	// Large is an OpenID Connect session. Access token, refresh token and ID
	// token are all JWTs signed with RS256.
	Large Size = "LARGE"
)

// The client registered with a [Provider].
const (
	ClientID     = "dashboard"
	clientSecret = "a secret of thirty-two characters"
)

// A Provider is an authorization server that does as little as possible: it stores
// nothing, checks nothing and signs in every user. The nonce of a request becomes
// the code.
type Provider struct {
	Issuer string

	size  Size
	users atomic.Uint32 // number of users so far
	key   *rsa.PrivateKey
	keys  []byte // as a JSON Web Key Set

	// unsigned puts random bytes instead of signatures into access and refresh
	// tokens, which is faster for thousands of sessions.
	unsigned bool
	issued   func(*tokenResponse) // called with each token response, unless nil
}

const keyID = "kTq9v3cV0bJX2wq7nF5yMZp8dHs1LrGaEoYiUx4Wt6A"

// NewProvider returns a provider whose logins lead to sessions of the given size.
func NewProvider(issuer string, size Size) (*Provider, error) {
	p := &Provider{Issuer: issuer, size: size}
	if size == Small {
		return p, nil
	}
	var err error
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	p.keys, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: p.key.Public(), KeyID: keyID, Algorithm: "RS256", Use: "sig"},
	}})
	return p, err
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/authorize":
		query := r.URL.Query()
		code := query.Get("nonce")
		if code == "" {
			code = randomText(16)
		}
		response := url.Values{"code": {code}, "state": {query.Get("state")}}
		w.Header().Set("Location", query.Get("redirect_uri")+"?"+response.Encode())
		w.WriteHeader(http.StatusFound)
	case "/token":
		w.Header().Set("Content-Type", "application/json")
		t := p.tokens(r.FormValue("code"))
		if p.issued != nil {
			p.issued(t)
		}
		json.NewEncoder(w).Encode(t)
	case "/user":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, smallUser, 100_000+p.users.Add(1)%900_000)
	case "/.well-known/openid-configuration":
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"issuer":                                p.Issuer,
			"authorization_endpoint":                p.Issuer + "/authorize",
			"token_endpoint":                        p.Issuer + "/token",
			"jwks_uri":                              p.Issuer + "/keys",
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"code_challenge_methods_supported":      []string{"S256"},
		})
	case "/keys":
		w.Header().Set("Content-Type", "application/json")
		w.Write(p.keys)
	default:
		http.NotFound(w, r)
	}
}

// smallUser is the format of a user; each request gets a different ID.
const smallUser = `{"login":"octocat","id":%d,"name":"The Octocat","email":"octocat@github.com"}`

type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ExpiresIn    int    `json:"expires_in,omitempty"`
}

func (p *Provider) tokens(nonce string) *tokenResponse {
	if p.size == Small {
		return &tokenResponse{AccessToken: "gho_" + randomText(18), TokenType: "bearer"}
	}
	now := time.Now().Unix()
	subject, session := randomUUID(), randomUUID()
	accessID, refreshID, idID := randomUUID(), randomUUID(), randomUUID()
	const scope = "openid offline_access email profile"
	access := p.sign(p.unsigned, map[string]any{
		"exp": now + 3600, "iat": now, "auth_time": now - 1, "jti": "onrtac:" + accessID,
		"iss": p.Issuer, "aud": []string{"reports", "account"}, "sub": subject, "typ": "Bearer", "azp": ClientID, "sid": session, "acr": "1",
		"allowed-origins": []string{"https://dashboard.example.com"},
		"realm_access":    map[string]any{"roles": []string{"default-roles-example", "offline_access", "uma_authorization"}},
		"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "manage-account-links", "view-profile"}}},
		"scope":           scope, "email_verified": true, "name": "Alexandra Appleseed", "preferred_username": "alexandra.appleseed",
		"given_name": "Alexandra", "family_name": "Appleseed", "email": "alexandra.appleseed@example.com",
	})
	refresh := p.sign(p.unsigned, map[string]any{
		"exp": now + 30*86400, "iat": now, "jti": refreshID, "iss": p.Issuer, "aud": p.Issuer, "sub": subject,
		"typ": "Offline", "azp": ClientID, "sid": session, "scope": scope + " roles web-origins acr basic",
	})
	half := sha256.Sum256([]byte(access))
	id := p.sign(false, map[string]any{
		"exp": now + 3600, "iat": now, "auth_time": now - 1, "jti": idID, "iss": p.Issuer, "aud": ClientID, "sub": subject,
		"typ": "ID", "azp": ClientID, "nonce": nonce, "sid": session, "at_hash": base64.RawURLEncoding.EncodeToString(half[:16]), "acr": "1",
		"email_verified": true, "name": "Alexandra Appleseed", "preferred_username": "alexandra.appleseed",
		"given_name": "Alexandra", "family_name": "Appleseed", "email": "alexandra.appleseed@example.com",
	})
	return &tokenResponse{AccessToken: access, TokenType: "Bearer", RefreshToken: refresh, IDToken: id, ExpiresIn: 3600}
}

func (p *Provider) sign(fake bool, claims map[string]any) string {
	header, _ := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID})
	payload, _ := json.Marshal(claims)
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature := make([]byte, p.key.Size())
	if fake {
		rand.Read(signature)
	} else {
		hash := sha256.Sum256([]byte(signed))
		signature, _ = rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, hash[:])
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// randomText returns 2n random hexadecimal digits.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func randomUUID() string {
	s := randomText(16)
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// inProcess is a RoundTripper that calls a handler directly.
type inProcess struct{ http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.ServeHTTP(w, r)
	return w.Result(), nil
}

// unexpected returns an error that describes an unexpected response.
func unexpected(resp *http.Response) error {
	return fmt.Errorf("bench: unexpected response: %d to %q with %d cookies", resp.StatusCode, resp.Header.Get("Location"), len(resp.Cookies()))
}
