package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"io"
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

// RFC 6749 section 6: the client discards the old refresh token and replaces
// it with the new one. OpenID Foundation: oidcc-client-test-refresh-token.
func TestRotation(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		b := a.Browser(t)
		b.Login("/dashboard")
		for range 5 {
			time.Sleep(2 * time.Hour)
			if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
				t.Fatalf("answer is %d, token %q", resp.StatusCode, resp.Text)
			}
			a.Restart(t) // nothing of it is in memory alone
		}
		if sent, issued := a.Refreshes(t), a.Issued(); !slices.Equal(sent, issued[:5]) || len(issued) != 6 {
			t.Errorf("sent %d refresh tokens, issued %d: not each the one that came last", len(sent), len(issued))
		}
		last := a.Provider.Requests(oauthlogintest.Token)[5]
		for _, name := range []string{"redirect_uri", "code_verifier", "scope"} {
			if last.Form.Has(name) {
				t.Errorf("the refresh has a %s", name)
			}
		}
	})
}

// RFC 6749 section 6: an answer need not have a new refresh token.
func TestAnswerWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	for _, member := range []string{``, `,"refresh_token":null`, `,"refresh_token":""`, `,"refresh_token":{}`} {
		t.Run(member, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				first := a.Issued()[0]
				n := 0
				a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
					n++
					fmt.Fprintf(w, `{"access_token":"access-token-%d","token_type":"bearer","expires_in":3600%s}`, n, member)
				})
				for i := range 3 {
					time.Sleep(time.Hour)
					if resp := b.Get("/access"); resp.Text != fmt.Sprintf("access-token-%d", i+1) {
						t.Errorf("hour %d: %d, token %q", i, resp.StatusCode, resp.Text)
					}
					a.Restart(t)
				}
				for i, r := range a.Provider.Requests(oauthlogintest.Token)[1:] {
					if r.Form.Get("refresh_token") != first {
						t.Errorf("refresh %d has another refresh token than the only one", i)
					}
				}
				if n != 3 {
					t.Errorf("%d refreshes", n)
				}
			})
		})
	}
}

// OpenID Connect Core section 12.2: what the ID token of a refresh has to be,
// if there is one. OpenID Foundation:
// oidcc-client-test-refresh-token-invalid-issuer,
// oidcc-client-test-refresh-token-invalid-sub.
func TestIDTokenOfRefresh(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims[name] = value })
		}
	}
	drop := func(name string) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, name) })
		}
	}
	alg := func(name string) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditIDToken(func(header, _ map[string]any) { header["alg"] = name })
		}
	}
	answer := func(value any) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditTokenResponse(func(resp map[string]any) {
				resp["id_token"] = value
				if value == nil {
					delete(resp, "id_token")
				}
			})
		}
	}
	edit := func(f func(idToken string) string) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditTokenResponse(func(resp map[string]any) { resp["id_token"] = f(resp["id_token"].(string)) })
		}
	}
	fromNow := func(name string, d time.Duration) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims[name] = time.Now().Add(d).Unix() })
		}
	}
	nonce := func(a *apptest.App) string {
		return a.Provider.Requests(oauthlogintest.Authorization)[0].Query.Get("nonce")
	}
	for _, tt := range []struct {
		name   string
		change func(a *apptest.App)
		ok     bool
	}{
		{"as it was", func(*apptest.App) {}, true},
		{"is missing", answer(nil), true},
		{"is empty", answer(""), true},
		{"has the nonce of the login", func(a *apptest.App) { set("nonce", nonce(a))(a) }, true},
		{"is signed with a new key", func(a *apptest.App) { a.Provider.RotateKeys() }, true},
		{"is signed with a new key that cannot be fetched", func(a *apptest.App) {
			a.Provider.RotateKeys()
			a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(http.StatusServiceUnavailable, apptest.Hostile))
		}, true},
		{"is signed with a new key that is not sent", func(a *apptest.App) {
			a.Provider.RotateKeys()
			a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/jwks" {
					return nil, io.ErrUnexpectedEOF
				}
				return nil, nil
			})
		}, true},

		{"is of another issuer", set("iss", "https://evil.test"), false},
		{"is of the issuer with a slash", set("iss", "https://provider.test/"), false},
		{"is of no issuer", drop("iss"), false},
		{"is of another subject", set("sub", "bob"), false},
		{"is of another subject by case", set("sub", "Alice"), false},
		{"is of no subject", drop("sub"), false},
		{"is for another client", set("aud", "other"), false},
		{"is for another client too", set("aud", []string{"app", "other"}), false},
		{"is for nobody", drop("aud"), false},
		{"was issued to another client", set("azp", "other"), false},
		{"has another nonce", set("nonce", "n-0S6_WzA2Mj"), false},
		{"has an empty nonce", set("nonce", ""), false},
		{"has expired", fromNow("exp", -2*time.Minute), false},
		{"has no exp", drop("exp"), false},
		{"is from the future", fromNow("iat", 2*time.Minute), false},
		{"has no iat", drop("iat"), false},
		{"belongs to another access token", set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), false},
		{"has no signature", alg("none"), false},
		{"is signed with the client secret", alg("HS256"), false},
		{"is signed with another algorithm than it says", alg("EdDSA"), false},
		{"has another signature", edit(func(raw string) string {
			return raw[:strings.LastIndex(raw, ".")+1] + strings.Repeat("A", 86)
		}), false},
		{"has another payload", edit(func(raw string) string {
			parts := strings.Split(raw, ".")
			return parts[0] + "." + parts[1][:len(parts[1])-4] + "." + parts[2]
		}), false},
		{"is no JWT", answer("hostile"), false},
		{"is encrypted", answer("a.b.c.d.e"), false},
		{"is a megabyte of dots", answer(strings.Repeat(".", 1<<19)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				first := b.Get("/access").Text
				time.Sleep(time.Hour)
				tt.change(a)
				ran := a.Called("/access")
				resp := b.Get("/access")
				a.Leaks(t, "")
				if tt.ok {
					if resp.StatusCode != http.StatusOK || resp.Text == "" || resp.Text == first {
						t.Fatalf("answer is %d, token %q", resp.StatusCode, resp.Text)
					}
					a.Wire.CutBy(nil)
					a.Provider.Intercept(oauthlogintest.JWKS, nil)
					time.Sleep(time.Hour)
					if resp := b.Get("/api/me"); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Text, `"Subject":"alice"`) {
						t.Errorf("an hour later: %d %s", resp.StatusCode, resp.Text)
					}
					a.WantRefreshes(t, 2)
					return
				}
				if resp.StatusCode != http.StatusFound || a.Called("/access") != ran {
					t.Errorf("answer is %d: %s", resp.StatusCode, resp.Text)
				}
				if len(b.Cookies()) != 0 {
					t.Errorf("cookies left: %v", b.Cookies())
				}
				b.Get("/access")
				a.WantRefreshes(t, 1)
				a.Provider.EditIDToken(nil)
				a.Provider.EditTokenResponse(nil)
				b.Login("/dashboard")
			})
		})
	}
}

// OpenID Connect Core section 12.2: the nonce that counts is that of the login,
// also when refreshes in between had none.
func TestNonceOfLaterRefresh(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		same bool
	}{
		{"the nonce of the login", true},
		{"another nonce", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(time.Hour)
				b.Get("/access") // its ID token has no nonce
				nonce := "n-0S6_WzA2Mj"
				if tt.same {
					nonce = a.Provider.Requests(oauthlogintest.Authorization)[0].Query.Get("nonce")
				}
				a.Provider.EditIDToken(func(_, claims map[string]any) { claims["nonce"] = nonce })
				time.Sleep(time.Hour)
				if resp := b.Get("/access"); (resp.StatusCode == http.StatusOK) != tt.same {
					t.Errorf("answer is %d", resp.StatusCode)
				}
			})
		})
	}
}

// OpenID Connect Core section 12.2: aud is the same as at the login, also where
// another would have done then.
func TestAudienceOfRefresh(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		login, later any
		ok           bool
	}{
		{"a list of the same one", "app", []string{"app"}, true},
		{"the same ones in another order", []string{"app", "api"}, []string{"api", "app"}, true},
		{"one more", "app", []string{"app", "api"}, false},
		{"one less", []string{"app", "api"}, "app", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
					opts.Providers[0].TrustedAudiences = []string{"api"}
				}})
				audience := func(aud any) {
					a.Provider.EditIDToken(func(_, claims map[string]any) { claims["aud"] = aud })
				}
				audience(tt.login)
				b := a.Browser(t)
				b.Login("/dashboard")
				audience(tt.later)
				time.Sleep(time.Hour)
				if resp := b.Get("/access"); (resp.StatusCode == http.StatusOK) != tt.ok {
					t.Errorf("answer is %d", resp.StatusCode)
				}
				a.WantRefreshes(t, 1)
			})
		})
	}
}

// What an ID token of a refresh says of the user counts; when and how the user
// signed in stays as it was (OpenID Connect Core section 12.2).
func TestRefreshUpdatesUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
			{Subject: "alice", Name: "Alice", Email: "a@example.com", EmailVerified: true, Claims: map[string]any{"groups": []string{"admin", "staff"}, "amr": []string{"pwd"}}},
		}}})
		a.Guard("/user", func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			var claims map[string]any
			if err := s.User.Claims(&claims); err != nil {
				t.Error(err)
			}
			json.NewEncoder(w).Encode(map[string]any{"user": s.User, "claims": claims})
		})
		type page struct {
			User   oauthlogin.User
			Claims map[string]any
		}
		b := a.Browser(t)
		user := func() (p page) {
			t.Helper()
			if err := json.Unmarshal([]byte(b.Get("/user").Text), &p); err != nil {
				t.Fatal(err)
			}
			return p
		}
		b.Login("/dashboard")
		before := user()

		a.Provider.EditIDToken(func(_, claims map[string]any) {
			claims["name"], claims["email"] = "Alice Archer", "new@example.com"
			delete(claims, "email_verified")
			claims["groups"] = []string{"staff"}
			claims["auth_time"], claims["acr"], claims["amr"] = time.Now().Unix(), "phr", []string{"hwk"}
		})
		time.Sleep(time.Hour)
		after := user() // the request that refreshes sees it
		a.Restart(t)
		for when, p := range map[string]page{"at once": after, "after a restart": user()} {
			if p.User.Name != "Alice Archer" || p.User.Email != "new@example.com" || p.User.EmailVerified {
				t.Errorf("%s: %+v", when, p.User)
			}
			if got := fmt.Sprintf("%v %v %v %v", p.Claims["groups"], p.Claims["name"], p.Claims["email"], p.Claims["email_verified"]); got != "[staff] Alice Archer new@example.com <nil>" {
				t.Errorf("%s the claims: %s", when, got)
			}
			for _, name := range []string{"auth_time", "acr", "amr"} {
				if before.Claims[name] == nil || fmt.Sprint(p.Claims[name]) != fmt.Sprint(before.Claims[name]) {
					t.Errorf("%s %s is %v, was %v", when, name, p.Claims[name], before.Claims[name])
				}
			}
			if p.User.Subject != "alice" || p.User.Provider != "test" || p.User.Issuer != a.Provider.Issuer() {
				t.Errorf("%s: %+v", when, p.User)
			}
		}
	})
}
