package oauthlogin_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// readKey stands for os.ReadFile, pem.Decode and x509.ParsePKCS8PrivateKey.
func readKey(string) crypto.Signer {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), exampleKey[:32])
	if err != nil {
		panic(err)
	}
	return key
}

// The key is made once, with
//
//	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem
//
// and the JWK Set that this prints is registered at the provider.
func ExamplePrivateKeyJWT() {
	key := readKey("client.pem")

	opts := exampleOptions()
	opts.Providers[0].OAuth2.ClientSecret = ""
	opts.Providers[0].ClientAssertion = oauthlogin.PrivateKeyJWT("my-app", "k1", key)
	mustNew(opts)

	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"},
	}})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(jwks))
	// Output: {"keys":[{"use":"sig","kty":"EC","kid":"k1","crv":"P-256","alg":"ES256","x":"WHP9RBqvLWC0it7FENHCdS-9gJMd-K6bCXyGvO2hL70","y":"gXxo3PnigMfvdmNfVRPlqBjYUJmJc1KOB5Qj0AoWuVw"}]}
}

// A provider that documents something else gets a function of your own: here Entra's
// certificate credentials, with PS256, the thumbprint of the certificate, and the token
// endpoint of the tenant as the audience.
func ExampleProvider_clientAssertion() {
	const tokenURL = "https://login.microsoftonline.com/my-tenant/oauth2/v2.0/token"
	var certificate tls.Certificate // tls.LoadX509KeyPair in an application

	opts := exampleOptions()
	opts.Providers[0].OAuth2.ClientSecret = ""
	opts.Providers[0].ClientAssertion = func(context.Context, string) (string, error) {
		sum := sha256.Sum256(certificate.Certificate[0])
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.PS256, Key: certificate.PrivateKey},
			(&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:])),
		)
		if err != nil {
			return "", err
		}
		now := time.Now()
		return jwt.Signed(signer).Claims(map[string]any{
			"iss": "my-app", "sub": "my-app", "aud": tokenURL, "jti": rand.Text(),
			"nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		}).Serialize()
	}
	_, err := oauthlogin.New(opts)
	fmt.Println(err)
	// Output: <nil>
}

// A token that Kubernetes projects into a file, and rotates. It need not be there at the start.
func ExampleAssertionFile() {
	opts := exampleOptions()
	opts.Providers[0].OAuth2.ClientSecret = ""
	opts.Providers[0].ClientAssertion = oauthlogin.AssertionFile("/var/run/secrets/tokens/login")
	_, err := oauthlogin.New(opts)
	fmt.Println(err)
	// Output: <nil>
}

// Access tokens that are of no use without the session's key.
func ExampleProvider_dPoP() {
	site, end := exampleSite(oauthlogintest.Config{RequireDPoP: true}, func(opts oauthlogin.Options) http.Handler {
		opts.Providers[0].DPoP = true
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := oauthlogin.FromContext(r.Context())
			resp, err := auth.Client(r.Context()).Get("https://provider.test/userinfo") // with a proof
			if err != nil {
				http.Error(w, "the API cannot be reached", http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			fmt.Fprint(w, session.Token().TokenType, " ", resp.StatusCode)
		})))
	})
	defer end()

	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	// Output: DPoP 200
}

// The provider posts its response, so that the code is in no URL. A router that mounts the callback by
// itself lets GET and POST through.
func ExampleProvider_formPost() {
	site, end := exampleSite(oauthlogintest.Config{RequireFormPost: true}, func(opts oauthlogin.Options) http.Handler {
		opts.Providers[0].FormPost = true
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /login", auth.Login)
		mux.HandleFunc("GET /auth/callback", auth.Callback)
		mux.HandleFunc("POST /auth/callback", auth.Callback)
		mux.Handle("GET /", auth.RequireAuth(http.HandlerFunc(hello)))
		return mux
	})
	defer end()

	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	// Output: Hello, Alice Archer
}

// What the FAPI 2.0 Security Profile asks of a client: a key in place of a secret, tokens bound to
// a key, and authorization requests that are pushed, which needs no option.
func ExampleProvider_fapi2() {
	key := readKey("client.pem")
	cfg := oauthlogintest.Config{
		RequirePAR: true, RequireDPoP: true,
		Clients: []oauthlogintest.Client{{ID: "my-app", PublicKey: key.Public(), RedirectURIs: []string{"https://app.test/auth/callback"}}},
	}
	site, end := exampleSite(cfg, func(opts oauthlogin.Options) http.Handler {
		opts.Providers[0].ClientAssertion = oauthlogin.PrivateKeyJWT("my-app", "", key)
		opts.Providers[0].DPoP = true
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(hello)))
	})
	defer end()

	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	for name := range site.Provider.Requests(oauthlogintest.Authorization)[0].Query {
		fmt.Println(name) // what the browser carries
	}
	// Unordered output:
	// Hello, Alice Archer
	// client_id
	// request_uri
}
