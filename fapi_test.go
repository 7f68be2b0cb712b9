package oauthlogin_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// jwtParts returns header and claims of a JWT, which the provider has verified.
func jwtParts(t *testing.T, text string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", text)
	}
	for i, v := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(b, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// FAPI 2.0 Security Profile sections 5.3.3 and 5.4.1: pushed requests, private_key_jwt and
// DPoP together, at a provider that requires all three. The OpenID Foundation's
// fapi2-security-profile-final-client-test-happy-path and
// fapi2-security-profile-final-client-test-happy-path-no-mtls-endpoint-aliases.
func TestFAPI2(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "PS256", "EdDSA"} {
		key := clientKey(t, alg)
		t.Run(alg, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := bound(t, apptest.Config{Provider: oauthlogintest.Config{RequirePAR: true}, Key: key})
				b := a.Browser(t)
				carries(t, b.Get("/login"))
				b.Login("/dashboard")
				for range 3 {
					if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK {
						t.Errorf("user info: %d %s", resp.StatusCode, resp.Text)
					}
					time.Sleep(time.Hour)
					if !b.SignedIn() {
						t.Fatal("signed out")
					}
				}
				a.WantRefreshes(t, 3)
				b.LogOut("/")

				challenges, jtis := map[string]bool{}, map[any]bool{}
				for _, e := range []oauthlogintest.Endpoint{oauthlogintest.PushedAuthorization, oauthlogintest.Token, oauthlogintest.Revocation} {
					for _, r := range a.Provider.Requests(e) {
						header, claims := jwtParts(t, r.Form.Get("client_assertion"))
						if claims["aud"] != a.Provider.Issuer() || header["typ"] != "client-authentication+jwt" || header["alg"] != alg {
							t.Errorf("%s: assertion %v %v", e, header, claims)
						}
						if proof, _ := jwtParts(t, r.Header.Get("DPoP")); proof["alg"] != "ES256" || proof["typ"] != "dpop+jwt" {
							t.Errorf("%s: proof %v", e, proof)
						}
						if jtis[claims["jti"]] || r.Form.Has("client_secret") || r.Header.Get("Authorization") != "" {
							t.Errorf("%s: %v", e, r.Form)
						}
						jtis[claims["jti"]] = true
						if e == oauthlogintest.PushedAuthorization && r.Status == http.StatusCreated {
							form := r.Form
							if form.Get("response_type") != "code" || form.Get("code_challenge_method") != "S256" || challenges[form.Get("code_challenge")] || len(form.Get("nonce")) > 64 {
								t.Errorf("pushed %v", form)
							}
							challenges[form.Get("code_challenge")] = true
						}
					}
				}
				if len(challenges) != 2 {
					t.Errorf("%d authorization requests were pushed", len(challenges))
				}
				for _, r := range a.Provider.Requests(oauthlogintest.UserInfo) { // section 5.3.3.1: in the header only
					if r.Query.Has("access_token") || r.Form.Has("access_token") || !strings.HasPrefix(r.Header.Get("Authorization"), "DPoP ") {
						t.Errorf("user info request %v", r.Query)
					}
				}
			})
		})
	}
}

// The key of a session goes where the session goes: a login that begins at one instance ends
// at another, any of them refreshes, once, and the Coordinator sees neither key nor proof.
func TestFAPI2OverInstances(t *testing.T) {
	t.Parallel()
	key := clientKey(t, "ES256")
	for _, stored := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 3, apptest.Config{
				Provider: oauthlogintest.Config{RequirePAR: true, RequireDPoP: true}, Key: key,
				Change: func(opts *oauthlogin.Options) {
					opts.Providers[0].DPoP = true
					if stored {
						opts.Store = oauthlogin.NewStore(opts.Coordinator)
					}
				},
			})
			f.Guard("/profile", callThrough(f.App, "https://provider.test/userinfo"))
			b := f.Browser(t)
			callback := b.CallbackURL("/login?return_to=/dashboard")
			f.at(1)
			f.Expect("the callback at another instance", b.Get(callback), http.StatusSeeOther, "/dashboard")
			for round := range 4 {
				f.at(round % 3)
				if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Text, `"sub":"alice"`) {
					t.Errorf("round %d: %d %s", round, resp.StatusCode, resp.Text)
				}
				time.Sleep(refreshDue)
				cookies := b.Cookies()
				var wg sync.WaitGroup
				for i := range 9 {
					wg.Go(func() {
						if w := f.ask(i%3, cookies); w.Code != http.StatusOK {
							t.Errorf("round %d, request %d: %d", round, i, w.Code)
						}
					})
				}
				wg.Wait()
				accepted := 0
				for _, r := range f.Provider.Requests(oauthlogintest.Token) {
					if r.Form.Get("grant_type") == "refresh_token" && r.Status == http.StatusOK { // and not one for a nonce
						accepted++
					}
				}
				if sent := len(f.Refreshes(t)); accepted != round+1 || sent > accepted+3 {
					t.Errorf("round %d: %d refreshes, %d requests", round, accepted, sent)
				}
			}
			keys := map[string]bool{}
			seen := f.shared.seen()
			for _, r := range slices.Concat(f.Provider.Requests(oauthlogintest.Token), f.Provider.Requests(oauthlogintest.UserInfo)) {
				header, _ := proofOf(t, r.Header)
				public, _ := json.Marshal(header["jwk"])
				keys[string(public)] = true
				if strings.Contains(seen, r.Header.Get("DPoP")) || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer") {
					t.Errorf("a proof is with the Coordinator, or sent as %.7q", r.Header.Get("Authorization"))
				}
			}
			for _, secret := range f.Secrets() {
				if len(secret) > 3 && strings.Contains(seen, secret) {
					t.Errorf("the Coordinator sees %q", secret)
				}
			}
			if len(keys) != 1 {
				t.Errorf("%d keys in one session", len(keys))
			}
			f.close()
		})
	}
}
