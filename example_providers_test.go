package oauthlogin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"

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
