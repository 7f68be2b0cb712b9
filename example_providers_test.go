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
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

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
	mux.Handle("GET /contoso/", contoso(http.NotFoundHandler()))
}
