package adversarial_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// boundConfig is that of an application whose tokens are bound to keys (RFC 9449).
func boundConfig() apptest.Config {
	return apptest.Config{
		Provider: oauthlogintest.Config{RequireDPoP: true},
		Change:   func(opts *oauthlogin.Options) { opts.Providers[0].DPoP = true },
	}
}

// calls serves /call, which asks user info through Client, and /api, which asks an API.
func calls(t *testing.T, a *apptest.App) {
	for path, url := range map[string]string{"/call": "https://provider.test/userinfo", "/api": "https://api.test/"} {
		a.Guard(path, func(w http.ResponseWriter, r *http.Request) {
			resp, err := a.Auth.Client(r.Context()).Get(url)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
			if _, err := io.Copy(w, resp.Body); err != nil {
				t.Error(err)
			}
		})
	}
}

// A token that is bound is never sent as a bearer token: not to an API that asks for one,
// not after a refresh that brings one, not after the option was turned off, and not by
// another instance.
func TestBoundTokensAreNotDowngraded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, boundConfig())
		calls(t, a)
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
		sent := 0
		a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
			if authorization := r.Header.Get("Authorization"); authorization != "" && !strings.HasPrefix(authorization, "Basic ") {
				sent++
				if !strings.HasPrefix(authorization, "DPoP ") || r.Header.Get("DPoP") == "" {
					t.Errorf("%s gets %.10q", r.URL, authorization)
				}
			}
			return nil, nil
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		use := func() {
			b.Get("/call")
			b.Get("/api")
			time.Sleep(time.Hour)
			b.Get("/call")
			b.Get("/api")
			b.Get("/dashboard") // which brings the tokens of a refresh in the handler
		}
		use()
		a.Opts.Providers[0].DPoP = false
		a.Restart(t)
		use()
		a.Auth = a.Replica(t, nil) // an instance that has never had the option
		use()
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["token_type"] = "Bearer" })
		use()
		if sent < 12 {
			t.Errorf("%d requests with a token", sent)
		}
	})
}

// What someone who has got hold of an access token, and has seen its proofs, can do with
// them: nothing.
func TestStolenBoundToken(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, boundConfig())
	calls(t, a)
	b := a.Browser(t)
	b.Login("/dashboard")
	if resp := b.Get("/call"); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d", resp.StatusCode)
	}
	stolen := b.Get("/access").Text
	seen := a.Provider.Requests(oauthlogintest.UserInfo)
	last := seen[len(seen)-1]
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(scheme string, proof func(*http.Request) string) int {
		r := httptest.NewRequest(http.MethodGet, "https://provider.test/userinfo", nil)
		r.Header.Set("Authorization", scheme+" "+stolen)
		r.Header.Set("DPoP", proof(r))
		w := httptest.NewRecorder()
		a.Provider.ServeHTTP(w, r)
		return w.Code
	}
	own := func(r *http.Request) string {
		nonce := payload(t, last.Header.Get("DPoP"))["nonce"].(string)
		proof, err := key.Proof(r, stolen, nonce)
		if err != nil {
			t.Fatal(err)
		}
		return proof
	}
	replayed := func(*http.Request) string { return last.Header.Get("DPoP") }
	for name, code := range map[string]int{
		"as a bearer token": ask("Bearer", func(*http.Request) string { return "" }), "with a replayed proof": ask("DPoP", replayed),
		"with a key of one's own": ask("DPoP", own), "as a bearer token with a proof": ask("Bearer", own),
	} {
		if code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, code)
		}
	}
}

// Nonces are the server's own: one of an API never reaches the provider, nor one of another
// API; and what is no nonce reaches none, and breaks no header.
func TestHostileNonces(t *testing.T) {
	t.Parallel()
	for _, nonce := range []string{"hostile", "hostile\r\nX-Evil: 1", `hostile"`, strings.Repeat("hostile", 300), "hostile nonce", "\x00hostile", ""} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.NewAttacked(t, boundConfig())
			calls(t, a)
			b := a.Browser(t)
			asked := 0
			a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header()["Dpop-Nonce"] = []string{nonce}
				w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
				w.WriteHeader(http.StatusUnauthorized)
				if got := payload(t, r.Header.Get("DPoP"))["nonce"]; got != nil && got != "hostile" {
					t.Errorf("the API gets the nonce %q", got)
				}
			})
			b.Login("/dashboard")
			for range 2 {
				if resp := b.Get("/api"); resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%d", resp.StatusCode)
				}
			}
			if want := map[bool]int{true: 3 + 1, false: 2}[nonce == "hostile"]; asked != want {
				t.Errorf("%q: %d calls, want %d", nonce, asked, want)
			}
			time.Sleep(time.Hour)
			b.Get("/call")
			for _, r := range slices.Concat(a.Provider.Requests(oauthlogintest.Token), a.Provider.Requests(oauthlogintest.UserInfo)) {
				if text, _ := payload(t, r.Header.Get("DPoP"))["nonce"].(string); strings.Contains(text, "hostile") {
					t.Errorf("the provider gets the nonce %q", text)
				}
			}
			a.WantRefreshes(t, 1) // by the hour
		})
	}
}

// A provider that asks for nonces for ever costs two requests for each code, and the code
// is not redeemed anywhere else.
func TestEndlessNonces(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, boundConfig())
	b := a.Browser(t)
	codes := map[string]int{}
	a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		codes[r.FormValue("code")]++
		apptest.RespondWith(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", "again")(w, r, next)
	})
	resp := b.TryLogin()
	a.Refused(t, b, resp, http.StatusBadGateway, "provider_rejected")
	for _, n := range codes {
		if len(codes) != 1 || n != 2 {
			t.Errorf("codes went out %v times", codes)
		}
	}
	a.Provider.Intercept(oauthlogintest.Token, nil)
	b.Login("/dashboard")
}
