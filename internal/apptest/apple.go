package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// AppleKeyID and AppleTeamID are those of an application at Apple.
const (
	AppleTeamID = "DEF123GHIJ"
	AppleKeyID  = "ABC123DEFG"
)

// NewApple is New with a provider as Apple documents it: no user info, no logout, no iss in
// responses, and a JWT as the client secret, which it verifies. setUser sets the field user of
// its form, "" for none.
func NewApple(t *testing.T, change func(*oauthlogin.Options)) (a *App, setUser func(field string)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a = New(t, Config{
		Provider: oauthlogintest.Config{Issuer: "https://appleid.apple.com"},
		Change: func(opts *oauthlogin.Options) {
			client := *opts.Providers[0].OAuth2
			client.Scopes = nil
			opts.Providers[0] = oauthlogin.Apple(AppleTeamID, AppleKeyID, key, &client)
			if change != nil {
				change(opts)
			}
		},
	})
	a.Net["appleid.apple.com"] = a.Provider
	a.Provider.EditDiscovery(func(doc map[string]any) {
		for _, name := range []string{"userinfo_endpoint", "end_session_endpoint", "authorization_response_iss_parameter_supported"} {
			delete(doc, name)
		}
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		doc["response_modes_supported"] = []string{"query", "fragment", "form_post"}
	})
	setUser = func(field string) {
		a.Provider.EditAuthorizationResponse(func(params url.Values) {
			if params.Del("iss"); field != "" {
				params.Set("user", field)
			}
		})
	}
	setUser("")
	for _, e := range []oauthlogintest.Endpoint{oauthlogintest.Token, oauthlogintest.Revocation} {
		a.Provider.Intercept(e, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			if r.Header.Get("Authorization") != "" || !isAppleSecret(form.Get("client_secret"), &key.PublicKey) {
				JSON(http.StatusBadRequest, `{"error":"invalid_client"}`)(w, r)
				return
			}
			form.Set("client_secret", clientSecret)
			text := form.Encode()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			next(w, r)
		})
	}
	return a, setUser
}

// isAppleSecret reports whether a client secret is what Apple asks for.
func isAppleSecret(secret string, key *ecdsa.PublicKey) bool {
	jws, err := jose.ParseSignedCompact(secret, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || jws.Signatures[0].Protected.KeyID != AppleKeyID {
		return false
	}
	payload, err := jws.Verify(key)
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return false
	}
	now := time.Now().Unix()
	return claims.Iss == AppleTeamID && claims.Sub == "app" && claims.Aud == "https://appleid.apple.com" &&
		claims.Iat <= now && now < claims.Exp && claims.Exp <= now+15777000
}
