package adversarial_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// payload returns the claims of a JWT.
func payload(t testing.TB, text string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", text)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(b, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// CVE-2025-27370 and CVE-2025-27371 of the specifications: a provider that names the
// endpoints of another one in its metadata gets no assertion that the other one takes. Its
// own issuer is all that is signed for.
func TestAssertionForAnotherProvider(t *testing.T) {
	t.Parallel()
	for _, member := range []string{"token_endpoint", "revocation_endpoint", "mtls_endpoint_aliases"} {
		t.Run(member, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				key := newKey(t)
				victim, err := oauthlogintest.New(oauthlogintest.Config{
					Issuer:  "https://victim.test",
					Clients: []oauthlogintest.Client{{ID: "app", PublicKey: key.Public(), RedirectURIs: []string{"https://app.test/auth/callback"}}},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer victim.Close()
				a := apptest.New(t, apptest.Config{Key: key})
				a.Net["victim.test"] = victim
				signed := map[string]bool{}
				a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodPost {
						body, err := io.ReadAll(r.Body)
						if err != nil {
							return nil, err
						}
						form, err := url.ParseQuery(string(body))
						if err != nil {
							return nil, err
						}
						signed[payload(t, form.Get("client_assertion"))["aud"].(string)] = true
						r.Body = io.NopCloser(strings.NewReader(string(body)))
					}
					return nil, nil
				})
				a.Provider.EditDiscovery(func(doc map[string]any) {
					endpoints := map[string]any{"token_endpoint": "https://victim.test/token", "revocation_endpoint": "https://victim.test/revoke"}
					if doc[member] = endpoints[member]; member == "mtls_endpoint_aliases" {
						doc[member] = endpoints
					}
				})
				b := a.Browser(t)
				if b.TryLogin(); b.SignedIn() {
					b.LogOut("/")
				}
				if len(signed) != 1 || !signed["https://provider.test"] {
					t.Errorf("assertions for %v", signed)
				}
				for _, r := range append(victim.Requests(oauthlogintest.Token), victim.Requests(oauthlogintest.Revocation)...) {
					if r.Status != http.StatusUnauthorized {
						t.Errorf("the other provider responded %d", r.Status)
					}
				}
			})
		})
	}
}

// A token endpoint that leads elsewhere gets no assertion there, and one that repeats what
// it got leaves none in a page, a log or an event.
func TestAssertionsStay(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{Key: key, Change: func(opts *oauthlogin.Options) {
			opts.Providers[0].ClientAssertion = oauthlogin.PrivateKeyJWT("app", "", key)
		}})
		b := a.Browser(t)
		var sent []string
		redirects := true
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			assertion := r.FormValue("client_assertion")
			sent = append(sent, assertion)
			if redirects {
				http.Redirect(w, r, "https://hostile.test/token", http.StatusTemporaryRedirect)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			json.NewEncoder(w).Encode(map[string]string{"error": assertion, "error_description": "do not like " + assertion, "error_uri": "https://hostile.test/" + assertion})
		})
		for range 2 {
			resp := b.TryLogin()
			for what, text := range map[string]string{"page": resp.Text, "log": a.Log.String()} {
				for _, assertion := range sent {
					if strings.Contains(text, assertion) || strings.Contains(text, strings.Split(assertion, ".")[2]) {
						t.Errorf("the %s has an assertion", what)
					}
				}
			}
			redirects = false
			time.Sleep(time.Minute)
		}
		if len(sent) != 2 || a.Provider.Count(oauthlogintest.Token) != 2 {
			t.Errorf("%d assertions, %d requests", len(sent), a.Provider.Count(oauthlogintest.Token))
		}
	})
}
