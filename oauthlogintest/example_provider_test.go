package oauthlogintest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A minimal relying party signs alice in.
func ExampleStart() {
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()

	provider := oauthlogintest.Start(oauthlogintest.Config{
		Clients: []oauthlogintest.Client{{ID: "app", RedirectURIs: []string{app.URL + "/callback"}}},
	})
	defer provider.Close()
	provider.AutoApprove("alice")

	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, provider.Issuer()+"/authorize?"+url.Values{
			"client_id":             {"app"},
			"redirect_uri":          {app.URL + "/callback"},
			"response_type":         {"code"},
			"scope":                 {"openid profile"},
			"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
			"code_challenge_method": {"S256"},
		}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.PostForm(provider.Issuer()+"/token", url.Values{
			"client_id":     {"app"},
			"grant_type":    {"authorization_code"},
			"code":          {r.FormValue("code")},
			"redirect_uri":  {app.URL + "/callback"},
			"code_verifier": {verifier},
		})
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		var tokens struct {
			Type  string `json:"token_type"`
			Scope string `json:"scope"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil {
			log.Fatal(err)
		}
		fmt.Fprintln(w, tokens.Type, "token for", tokens.Scope)
	})

	resp, err := http.Get(app.URL + "/login")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(body))
	fmt.Println(provider.Count(oauthlogintest.Token), "token request")
	// Output:
	// Bearer token for openid profile
	// 1 token request
}

// An interceptor simulates an outage of the token endpoint.
func ExampleProvider_Intercept() {
	provider := oauthlogintest.Start(oauthlogintest.Config{})
	defer provider.Close()
	provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
	})

	resp, err := http.PostForm(provider.Issuer()+"/token", url.Values{"grant_type": {"refresh_token"}})
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	request := provider.Requests(oauthlogintest.Token)[0]
	fmt.Println(resp.Status)
	fmt.Println(request.Method, request.Form.Get("grant_type"), request.Status)
	// Output:
	// 503 Service Unavailable
	// POST refresh_token 503
}
