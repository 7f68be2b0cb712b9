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
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// exampleKey stands for 32 bytes from a random source, kept secret.
var exampleKey = []byte("not random, but good for examples")

func exampleOptions() oauthlogin.Options {
	return oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{{
			Issuer: "https://login.example.com",
			OAuth2: &oauth2.Config{
				ClientID:     "my-app",
				ClientSecret: "secret of my-app",
				RedirectURL:  "https://app.example.com/auth/callback",
				Scopes:       []string{"openid", "profile", "email"},
			},
		}},
	}
}

func mustNew(opts oauthlogin.Options) *oauthlogin.Middleware {
	auth, err := oauthlogin.New(opts)
	if err != nil {
		panic(err)
	}
	return auth
}

// show asks a handler for a page, as a browser without cookies would.
func show(h http.Handler, path string, header ...string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(strings.TrimSpace(fmt.Sprintf("%d %s%s", w.Code, w.Header().Get("Location"), w.Body)))
}

func Example() {
	auth, err := oauthlogin.New(exampleOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "public")
	})
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "Hello, %s", session.User.Name)
	})))
	app := auth.Handler(mux) // http.ListenAndServe("localhost:3000", app)

	show(app, "/")
	show(app, "/dashboard")
	show(app, "/dashboard", "Accept", "application/json")
	// Output:
	// 200 public
	// 302 /login?return_to=%2Fdashboard
	// 401 {"error":"unauthenticated","login_url":"/login?return_to=%2Fdashboard"}
}

// The faults of Options are found at start, all at once.
func ExampleNew_incorrect() {
	_, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{[]byte("too short")},
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			RedirectURL: "http://app.example.com/auth/callback",
		})},
	})
	fmt.Println(err)
	// Output:
	// oauthlogin: Options.Keys[0] has 9 bytes; at least 32 are required
	// oauthlogin: Options.Providers[0].OAuth2.ClientID is empty
	// oauthlogin: Options.Providers[0].OAuth2.RedirectURL "http://app.example.com/auth/callback" is plain http on a host that is not loopback
}

func ExampleGitHub() {
	opts := exampleOptions()
	opts.Providers = []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
		ClientID:     "id of the OAuth app",
		ClientSecret: "its secret",
		RedirectURL:  "http://localhost:3000/auth/callback",
	})}
	_, err := oauthlogin.New(opts)
	fmt.Println(err)
	// Output: <nil>
}

// A plain OAuth 2.0 server, which has its own way to say who a token belongs to.
func ExampleProvider_identify() {
	provider := oauthlogin.Provider{
		Name: "forge",
		OAuth2: &oauth2.Config{
			ClientID:    "my-app",
			Endpoint:    oauth2.Endpoint{AuthURL: "https://forge.example/authorize", TokenURL: "https://forge.example/token"},
			RedirectURL: "https://app.example.com/auth/callback",
		},
		Identify: func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://forge.example/api/user", nil)
			if err != nil {
				return oauthlogin.User{}, err
			}
			resp, err := client.Do(req)
			if err != nil {
				return oauthlogin.User{}, err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return oauthlogin.User{}, fmt.Errorf("forge: %s", resp.Status)
			}
			var user struct{ ID, Name string }
			if err := json.NewDecoder(resp.Body).Decode(&user); err != nil {
				return oauthlogin.User{}, err
			}
			return oauthlogin.User{Subject: user.ID, Name: user.Name}, nil
		},
	}
	opts := exampleOptions()
	opts.Providers = append(opts.Providers, provider)
	opts.Providers[1].OAuth2.RedirectURL = "https://app.example.com/auth/forge" // a path of its own for each
	_, err := oauthlogin.New(opts)
	fmt.Println(err)
	// Output: <nil>
}

// Calling an API as the user, from a handler behind RequireAuth.
func ExampleMiddleware_Client() {
	auth := mustNew(exampleOptions())
	repos := func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.Client(r.Context()).Get("https://api.example.com/repos")
		if err != nil {
			http.Error(w, "the API cannot be reached", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	}
	show(auth.RequireAuth(http.HandlerFunc(repos)), "/repos")
	// Output: 302 /login?return_to=%2Frepos
}

// A policy for each page.
func ExampleMiddleware_Require() {
	auth := mustNew(exampleOptions())
	page := http.NotFoundHandler()

	admins := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin", "ops"}}})
	recently := auth.Require(oauthlogin.Policy{MaxAge: 10 * time.Minute})

	show(admins(page), "/admin")
	show(recently(page), "/change-password")
	// Output:
	// 302 /login?return_to=%2Fadmin
	// 302 /login?return_to=%2Fchange-password
}

// A login with parameters of its own, started by a handler.
func ExampleMiddleware_StartLogin() {
	auth := mustNew(exampleOptions())
	invite := func(w http.ResponseWriter, r *http.Request) {
		auth.StartLogin(w, r, oauthlogin.LoginOptions{
			ReturnTo:   "/welcome",
			AuthParams: url.Values{"login_hint": {"new.user@example.com"}},
		})
	}
	_ = http.HandlerFunc(invite)
}

// Deleting an account ends its session.
func ExampleMiddleware_SignOut() {
	auth := mustNew(exampleOptions())
	deleteAccount := func(w http.ResponseWriter, r *http.Request) {
		// ... delete what belongs to the account, then:
		auth.SignOut(w, r)
		fmt.Fprint(w, "Good-bye")
	}
	_ = auth.RequireAuth(http.HandlerFunc(deleteAccount))
}

// A page whose scripts ask who is signed in, and until when.
func ExampleMiddleware_SessionInfo() {
	auth := mustNew(exampleOptions())
	mux := http.NewServeMux()
	mux.HandleFunc("/api/session", auth.SessionInfo)

	show(auth.Handler(mux), "/api/session", "Referer", "https://app.example.com/inbox")
	// Output: 200 {"signed_in":false,"login_url":"/login?return_to=%2Finbox"}
}

// A handler that decides by itself, without RequireAuth.
func ExampleMiddleware_Session() {
	auth := mustNew(exampleOptions())
	page := func(w http.ResponseWriter, r *http.Request) {
		switch session, err := auth.Session(r); {
		case err != nil:
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		case session == nil:
			fmt.Fprint(w, "Welcome, guest")
		default:
			fmt.Fprintf(w, "Welcome back, %s. You signed in at %s.", session.User.Name, session.SignedInAt().Format(time.Kitchen))
		}
	}
	show(http.HandlerFunc(page), "/")
	// Output: 200 Welcome, guest
}

// Counting what happens.
func ExampleEvent() {
	opts := exampleOptions()
	opts.OnEvent = func(ctx context.Context, e oauthlogin.Event) {
		slog.InfoContext(ctx, "audit", "event", e.Kind, "provider", e.Provider, "subject", e.Subject, "failed", e.Err != nil)
	}
	_ = mustNew(opts)
}

// An allow-list, a role from the application's own tables, and a page for new users.
func ExampleOptions_onSignIn() {
	// roleOf reads the application's own tables.
	roleOf := func(ctx context.Context, issuer, subject string) (role string, known bool) { return "member", false }
	opts := exampleOptions()
	opts.OnSignIn = func(ctx context.Context, in *oauthlogin.SignIn) error {
		if !in.User.EmailVerified || !strings.HasSuffix(in.User.Email, "@example.com") {
			return errors.New("not one of us")
		}
		role, known := roleOf(ctx, in.User.Issuer, in.User.Subject)
		if !known {
			in.ReturnTo = "/welcome"
		}
		return in.User.SetClaim("role", role)
	}
	auth := mustNew(opts)
	_ = auth.Require(oauthlogin.Policy{Claims: map[string][]string{"role": {"admin"}}})
}

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
	mustNew(opts)
}

func ExampleAssertionFile() {
	opts := exampleOptions()
	opts.Providers[0].OAuth2.ClientSecret = ""
	opts.Providers[0].ClientAssertion = oauthlogin.AssertionFile("/var/run/secrets/tokens/login")
	mustNew(opts)
}
