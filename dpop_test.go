package oauthlogin_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// bound is an application whose tokens are bound to keys, with /profile, which asks user
// info through Client and passes status and body on.
func bound(t *testing.T, with apptest.Config) *apptest.App {
	t.Helper()
	with.Provider.RequireDPoP = true
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		opts.Providers[0].DPoP = true
		if change != nil {
			change(opts)
		}
	}
	a := apptest.New(t, with)
	a.Guard("/profile", callThrough(a, "https://provider.test/userinfo"))
	return a
}

func callThrough(a *apptest.App, url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
		if err != nil {
			a.T.Error(err)
			return
		}
		resp, err := a.Auth.Client(r.Context()).Do(call)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

// proofOf returns header and claims of the proof of a request, which the provider has
// verified.
func proofOf(t *testing.T, h http.Header) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(h.Get("DPoP"), ".")
	if len(h.Values("DPoP")) != 1 || len(parts) != 3 {
		t.Fatalf("DPoP headers %q", h.Values("DPoP"))
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

// RFC 9449: one key for a session, proofs at every endpoint, nonces, several rotations,
// another instance, and a logout. The provider verifies each proof.
func TestDPoP(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]apptest.Config{
		"a secret":             {},
		"a pushed request":     {Provider: oauthlogintest.Config{RequirePAR: true}},
		"FAPI 2.0":             {Provider: oauthlogintest.Config{RequirePAR: true}, Key: clientKey(t, "ES256")},
		"a store":              {Change: func(opts *oauthlogin.Options) { opts.Store = apptest.FileStore(t) }},
		"user info at a login": {Change: func(opts *oauthlogin.Options) { opts.Providers[0].AlwaysUserInfo = true }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := bound(t, with)
				b := a.Browser(t)
				b.Login("/dashboard")
				for i := range 4 {
					if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Text, `"sub":"alice"`) {
						t.Fatalf("rotation %d: %d %s", i, resp.StatusCode, resp.Text)
					}
					time.Sleep(time.Hour)
					if i == 1 {
						a.Restart(t)
					}
				}
				b.LogOut("/")

				keys := map[string]bool{}
				seen := map[string]bool{}
				for _, e := range []oauthlogintest.Endpoint{oauthlogintest.PushedAuthorization, oauthlogintest.Token, oauthlogintest.UserInfo, oauthlogintest.Revocation} {
					refused := 0
					for _, r := range a.Provider.Requests(e) {
						header, claims := proofOf(t, r.Header)
						jti, _ := claims["jti"].(string)
						if seen[jti] {
							t.Errorf("%s: a proof is used twice", e)
						}
						seen[jti] = true
						key, err := json.Marshal(header["jwk"])
						if err != nil || strings.Contains(string(key), `"d"`) {
							t.Errorf("key %s", key)
						}
						keys[string(key)] = true
						if _, hasHash := claims["ath"]; hasHash != (e == oauthlogintest.UserInfo) {
							t.Errorf("%s: proof %v", e, claims)
						}
						if e == oauthlogintest.UserInfo && !strings.HasPrefix(r.Header.Get("Authorization"), "DPoP ") {
							t.Errorf("Authorization %q", r.Header.Get("Authorization"))
						}
						if r.Status >= 400 {
							refused++
						}
					}
					if refused > 3 { // for a nonce: at first, and after the restart
						t.Errorf("%s refused %d requests", e, refused)
					}
				}
				if len(keys) != 1 {
					t.Errorf("%d keys in one session", len(keys))
				}
				if n := a.Provider.Count(oauthlogintest.Revocation); n == 0 {
					t.Error("nothing was revoked")
				}
				a.WantRefreshes(t, 4)
				b.Login("/dashboard") // another session
				for _, r := range a.Provider.Requests(oauthlogintest.Token) {
					header, _ := proofOf(t, r.Header)
					key, _ := json.Marshal(header["jwk"])
					keys[string(key)] = true
				}
				if len(keys) != 2 {
					t.Errorf("%d keys in two sessions", len(keys))
				}
			})
		})
	}
}

// A nonce is learned from every response, so a server that renews it with each costs no
// second request.
func TestDPoPNonces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := bound(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		if got := a.Provider.Count(oauthlogintest.Token); got != 2 { // for the first nonce
			t.Errorf("%d requests to the token endpoint", got)
		}
		for range 3 { // the nonce is new every five minutes, and the older one is good still
			time.Sleep(6 * time.Minute)
			b.Get("/profile")
		}
		before := a.Provider.Count(oauthlogintest.UserInfo)
		if before != 3 {
			t.Errorf("%d requests to user info", before)
		}
		a.Provider.ForgetNonces()
		if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK || a.Provider.Count(oauthlogintest.UserInfo) != before+2 {
			t.Errorf("%d, %d requests to user info", resp.StatusCode, a.Provider.Count(oauthlogintest.UserInfo)-before)
		}
		a.WantRefreshes(t, 0)
	})
}

// RFC 9449 section 5: without a bound token there is no login, whatever the type says.
func TestDPoPTokenType(t *testing.T) {
	t.Parallel()
	for typ, ok := range map[any]bool{"DPoP": true, "dpop": true, "dPOp": true, "Bearer": false, "bearer": false, "": false, nil: false, 7: false, "none": false, "DPoP ": false} {
		a := bound(t, apptest.Config{})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["token_type"] = typ })
		b := a.Browser(t)
		resp := b.TryLogin()
		if signedIn := b.SignedIn(); signedIn != ok || !ok && resp.StatusCode != http.StatusBadGateway {
			t.Errorf("token_type %v: %d, signed in %t", typ, resp.StatusCode, signedIn)
		}
	}
	// A refresh that brings another one changes nothing.
	synctest.Test(t, func(t *testing.T) {
		a := bound(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		before := b.Get("/access").Text
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["token_type"] = "Bearer" })
		time.Sleep(time.Hour - 30*time.Second)
		if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text != before {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

// use_dpop_nonce and invalid_dpop_proof are about a proof and not about the grant: they end
// no session, also after its access token's end.
func TestProofFaultsEndNoSession(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"use_dpop_nonce", "invalid_dpop_proof"} {
		for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized} {
			synctest.Test(t, func(t *testing.T) {
				a := bound(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				refused := 0
				a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
					refused++
					apptest.RespondWith(status, `{"error":"`+code+`"}`, "DPoP-Nonce", "another")(w, r, next)
				})
				time.Sleep(time.Hour - 30*time.Second)
				if !b.SignedIn() {
					t.Errorf("%d %s: signed out before the access token's end", status, code)
				}
				if want := map[string]int{"use_dpop_nonce": 2, "invalid_dpop_proof": 1}[code]; refused != want {
					t.Errorf("%d %s: %d requests", status, code, refused)
				}
				time.Sleep(time.Hour)
				if !b.SignedIn() {
					t.Errorf("%d %s: signed out after it", status, code)
				}
				a.RespondToRefreshes(nil)
				time.Sleep(time.Hour)
				if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK {
					t.Errorf("%d %s: afterwards %d %s", status, code, resp.StatusCode, resp.Text)
				}
			})
		}
	}
}

// The option decides for new logins: sessions and logins of before stay what they are.
func TestDPoPOptionChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []bool{true, false} {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{RequireDPoP: first}, Change: func(opts *oauthlogin.Options) { opts.Providers[0].DPoP = first }})
			a.Guard("/profile", callThrough(a, "https://provider.test/userinfo"))
			b, pending := a.Browser(t), a.Browser(t)
			b.Login("/dashboard")
			late := pending.CallbackURL("/login?return_to=/dashboard")
			a.Opts.Providers[0].DPoP = !first
			a.Restart(t)
			scheme := map[bool]string{true: "DPoP ", false: "Bearer "}[first]
			for _, b := range []*apptest.Browser{pending, b} {
				if b == pending {
					if resp := b.Get(late); resp.StatusCode != http.StatusSeeOther {
						t.Errorf("a login of before: %d %s", resp.StatusCode, resp.Text)
					}
				}
				for range 2 {
					if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK {
						t.Errorf("DPoP %t before: %d %s", first, resp.StatusCode, resp.Text)
					}
					time.Sleep(time.Hour)
				}
			}
			for _, r := range a.Provider.Requests(oauthlogintest.UserInfo) {
				if !strings.HasPrefix(r.Header.Get("Authorization"), scheme) {
					t.Errorf("DPoP %t before: sent as %.7q", first, r.Header.Get("Authorization"))
				}
			}
		}
	})
}

// The session says what kind of token it has. The key is in no print and no log.
func TestDPoPSession(t *testing.T) {
	t.Parallel()
	a := bound(t, apptest.Config{})
	a.Guard("/type", func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		w.Write([]byte(s.Token().TokenType))
	})
	b := a.Browser(t)
	b.Login("/dashboard")
	if got := b.Get("/type").Text; got != "DPoP" {
		t.Errorf("token type %q", got)
	}
	for _, r := range slices.Concat(a.Provider.Requests(oauthlogintest.Token), a.Provider.Requests(oauthlogintest.UserInfo)) {
		if strings.Contains(a.Log.String(), r.Header.Get("DPoP")) {
			t.Error("a proof is in the log")
		}
	}
	query := a.Provider.Requests(oauthlogintest.Authorization)[0].Query
	if !slices.Contains(slices.Collect(maps.Keys(query)), "dpop_jkt") {
		t.Errorf("authorization request %v", query)
	}
	opts := apptest.ValidOptions()
	opts.Providers[0].AuthParams = map[string][]string{"dpop_jkt": {"x"}}
	if _, err := oauthlogin.New(opts); err == nil {
		t.Error("New accepts dpop_jkt")
	}
}

// Instances that agree through a Coordinator share the sessions and not the nonces: each of
// them serves the next request, also with the cookie from before a refresh.
func TestDPoPOfSeveralInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, apptest.Config{Provider: oauthlogintest.Config{RequireDPoP: true}, Change: func(opts *oauthlogin.Options) { opts.Providers[0].DPoP = true }})
		f.Guard("/profile", callThrough(f.App, "https://provider.test/userinfo"))
		b := f.Browser(t)
		b.Login("/dashboard")
		for i := range 9 {
			f.at(i % 3)
			old := b.Clone()
			time.Sleep(40 * time.Minute)
			for _, b := range []*apptest.Browser{b, old} {
				if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK {
					t.Errorf("instance %d: %d %s", i%3, resp.StatusCode, resp.Text)
				}
				f.at((i + 1) % 3)
			}
		}
		if n := len(f.Refreshes(t)); n < 4 {
			t.Errorf("%d refreshes", n)
		}
	})
}
