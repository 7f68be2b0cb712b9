package oauthlogin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// An OAuth app of GitHub, which is plain OAuth 2.0.
func ExampleGitHub() {
	_, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			ClientID:     "id of the OAuth app",
			ClientSecret: "its secret",
			RedirectURL:  "http://localhost:3000/auth/callback",
		})},
	})
	fmt.Println(err)
	// Output: <nil>
}

// The users of one Google Workspace domain.
func ExampleGoogle() {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{oauthlogin.Google(&oauth2.Config{
			ClientID:     "123.apps.googleusercontent.com",
			ClientSecret: "secret of the client",
			RedirectURL:  "https://app.example.com/auth/callback",
		})},
		SessionsOutliveTokens: true, // Google gives a refresh token to the first login alone
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	staff := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"hd": {"example.com"}}})
	show(staff(http.HandlerFunc(hello)), "/intranet")
	// Output: 302 /login?return_to=%2Fintranet
}

// Several providers: each has a redirect path of its own, and /login lets the user choose.
func ExampleOptions_providers() {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{
			oauthlogin.Google(&oauth2.Config{ClientID: "1", ClientSecret: "a", RedirectURL: "https://app.example.com/auth/google"}),
			oauthlogin.GitHub(&oauth2.Config{ClientID: "2", ClientSecret: "b", RedirectURL: "https://app.example.com/auth/github"}),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := auth.Handler(http.NotFoundHandler())
	for _, path := range []string{"/login", "/login?provider=github"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://app.example.com"+path, nil))
		to, _, redirected := strings.Cut(w.Header().Get("Location"), "?")
		if !redirected {
			to = "a page with the choice"
		}
		fmt.Println(path, w.Code, to)
	}
	// What the providers of a policy vouch for is said with it.
	_ = auth.Require(oauthlogin.Policy{Providers: []string{"google"}, Claims: map[string][]string{"hd": {"example.com"}}})
	// Output:
	// /login 200 a page with the choice
	// /login?provider=github 303 https://github.com/login/oauth/authorize
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
	_, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{exampleKey}, Providers: []oauthlogin.Provider{provider}})
	fmt.Println(err)
	// Output: <nil>
}

// authKey is the content of a .p8 file as Apple gives it out.
func authKey() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// The key is in the file AuthKey_ABC123DEFG.p8, which Apple gives out once. Apple says what
// its user is called at the first login alone: keep it.
func ExampleApple() {
	block, _ := pem.Decode(authKey())
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		fmt.Println("not an ECDSA key")
		return
	}
	_, err = oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{oauthlogin.Apple("DEF123GHIJ", "ABC123DEFG", key, &oauth2.Config{
			ClientID:    "com.example.app", // the Services ID
			RedirectURL: "https://app.example.com/auth/callback",
		})},
		OnSignIn: func(ctx context.Context, in *oauthlogin.SignIn) error {
			if in.User.Name != "" {
				return saveName(ctx, in.User.Issuer, in.User.Subject, in.User.Name)
			}
			return nil
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

func saveName(_ context.Context, _, _, _ string) error { return nil }

// readGroups is an OnSignIn for applications whose users may be in more than 200 groups: the
// ID token then has no groups, and says so. It asks Microsoft Graph, which takes the access
// token of a login without scopes of other APIs, and not the URL that the token names.
func readGroups(ctx context.Context, in *oauthlogin.SignIn) error {
	var claims struct {
		Names struct {
			Groups string `json:"groups"`
		} `json:"_claim_names"`
		HasGroups bool `json:"hasgroups"`
	}
	if err := in.User.Claims(&claims); err != nil {
		return err
	}
	if claims.Names.Groups == "" && !claims.HasGroups {
		return nil
	}
	body := strings.NewReader(`{"securityEnabledOnly":true}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://graph.microsoft.com/v1.0/me/getMemberObjects", body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := in.Client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("read groups: status %d", resp.StatusCode)
	}
	var groups struct {
		Value []string `json:"value"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&groups); err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	return in.User.SetClaim("groups", groups.Value)
}

// Any organization's users could sign in. OnSignIn lets in those of two tenants, and readGroups
// asks for groups that do not fit an ID token.
func ExampleMicrosoft() {
	customers := []string{"aaaabbbb-0000-cccc-1111-dddd2222eeee", "bbbbcccc-1111-dddd-2222-eeee3333ffff"}
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{exampleKey},
		Providers: []oauthlogin.Provider{oauthlogin.Microsoft("organizations", &oauth2.Config{
			ClientID:     "00001111-aaaa-2222-bbbb-3333cccc4444",
			ClientSecret: "secret of the application",
			RedirectURL:  "https://app.example.com/auth/callback",
		})},
		OnSignIn: func(ctx context.Context, in *oauthlogin.SignIn) error {
			var claims struct {
				Tenant string `json:"tid"`
			}
			if err := in.User.Claims(&claims); err != nil {
				return err
			}
			if !slices.Contains(customers, claims.Tenant) {
				return errors.New("the organization is no customer")
			}
			return readGroups(ctx, in)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The same for one route.
	contoso := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"tid": customers[:1]}})
	mux := http.NewServeMux()
	mux.Handle("GET /contoso/", contoso(http.HandlerFunc(hello)))
	show(mux, "/contoso/")
	// Output: 302 /login?return_to=%2Fcontoso%2F
}
