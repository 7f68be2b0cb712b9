package oauthlogintest_test

import (
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestConfigFaults(t *testing.T) {
	_, err := oauthlogintest.New(oauthlogintest.Config{
		Issuer: "https://op.example/?q",
		Clients: []oauthlogintest.Client{
			{},
			{ID: "a", RedirectURIs: []string{"/relative"}},
			{ID: "b", Secret: "s", PublicKey: struct{}{}},
			{ID: "a", PostLogoutRedirectURIs: []string{"https://a.example/#fragment"}},
		},
		Users: []oauthlogintest.User{{}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Issuer", "Clients[0].ID", `"/relative"`, "Clients[2] has a Secret and a PublicKey", "Clients[3].ID", "#fragment", "Users[0].Subject"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not mention %s:\n%v", want, err)
		}
	}
}
