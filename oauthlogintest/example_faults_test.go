package oauthlogintest_test

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Faults of a provider: no login succeeds.
func ExampleProvider_EditIDToken() {
	for _, fault := range []struct {
		name string
		set  func(p *oauthlogintest.Provider)
	}{
		{"an ID token for another client", func(p *oauthlogintest.Provider) {
			p.EditIDToken(func(_, claims map[string]any) { claims["aud"] = "another" })
		}},
		{"an ID token without a signature", func(p *oauthlogintest.Provider) {
			p.SignWith(func(_, _ map[string]any) string { return "e30.e30." })
		}},
		{"a response without an ID token", func(p *oauthlogintest.Provider) {
			p.EditTokenResponse(func(resp map[string]any) { delete(resp, "id_token") })
		}},
		{"user info of another user", func(p *oauthlogintest.Provider) {
			p.EditIDToken(func(_, claims map[string]any) { delete(claims, "name") }) // so that user info is read
			p.EditUserInfo(func(claims map[string]any) { claims["sub"] = "bob" })
		}},
		{"metadata of another issuer", func(p *oauthlogintest.Provider) {
			p.EditDiscovery(func(doc map[string]any) { doc["issuer"] = "https://other.test" })
		}},
		{"a response of another issuer", func(p *oauthlogintest.Provider) {
			p.EditAuthorizationResponse(func(params url.Values) { params.Set("iss", "https://other.test") })
		}},
	} {
		t := new(apptest.Example) // the *testing.T of a test
		site := runShop(t)
		site.Provider.AutoApprove("alice")
		fault.set(site.Provider)
		fmt.Println(fault.name, site.Browser().Navigate("/dashboard").Status)
		t.End()
	}
	// Output:
	// an ID token for another client 502
	// an ID token without a signature 502
	// a response without an ID token 502
	// user info of another user 502
	// metadata of another issuer 502
	// a response of another issuer 400
}

// A provider changes its keys. The application reads them again when it needs a new one.
func ExampleProvider_RotateKeys() {
	t := new(apptest.Example)
	defer t.End()

	site := runShop(t)
	site.Provider.SetKeyAlg("EdDSA")
	fmt.Println(site.SignIn("alice").Navigate("/dashboard").Status)
	_, before := site.Provider.SigningKey()
	site.Provider.RotateKeys()
	_, after := site.Provider.SigningKey()
	fmt.Println(before != after, site.SignIn("alice").Navigate("/dashboard").Status)
	// Output:
	// 200
	// true 200
}

// A logout token that is not as it should be, and one that is.
func ExampleProvider_LogoutToken() {
	t := new(apptest.Example)
	defer t.End()

	site := runShop(t)
	alice := site.SignIn("alice")
	for _, event := range []string{"https://example.com/another-event", "http://schemas.openid.net/event/backchannel-logout"} {
		site.Provider.EditLogoutToken(func(_, claims map[string]any) {
			claims["events"] = map[string]any{event: map[string]any{}}
		})
		token := site.Provider.LogoutToken("app", "alice", "")
		resp, err := site.Provider.HTTPClient().PostForm(site.URL+"/logout/backchannel", url.Values{"logout_token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode, alice.Fetch("/dashboard").Status)
	}
	// Output:
	// 400 200
	// 200 401
}

// A user who is signed in at the provider does not see its page again.
func ExampleProvider_RememberUsers() {
	t := new(apptest.Example)
	defer t.End()

	site := runShop(t)
	site.Provider.RememberUsers(true)
	alice := site.SignIn("alice")
	fmt.Println(alice.Navigate("/login?return_to=/dashboard").Body)
	// Output: Hello, Alice Archer!
}

// A provider that asks for a new DPoP nonce gets the request once more.
func ExampleProvider_ForgetNonces() {
	t := new(apptest.Example)
	defer t.End()

	site := oauthlogintest.Run(t, oauthlogintest.Config{RequireDPoP: true}, func(base string, p *oauthlogintest.Provider) http.Handler {
		shop, err := newShop(p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return shop
	})
	site.SignIn("alice")
	before := site.Provider.Count(oauthlogintest.Token)
	site.Provider.ForgetNonces()
	site.SignIn("alice")
	fmt.Println(site.Provider.Count(oauthlogintest.Token)-before, "token requests")
	// Output: 2 token requests
}

// A subdomain tries to sign the user out.
func ExampleBrowser_Do() {
	t := new(apptest.Example)
	defer t.End()

	r, err := http.NewRequest(http.MethodPost, "/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-site") // SameSite=Lax lets the cookies through
	r.Header.Set("Origin", "https://other.app.test")
	fmt.Println(runShop(t).SignIn("alice").Do(r).Status)
	// Output: 403
}
