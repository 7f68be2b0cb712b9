package oauthlogin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// adasField is the form field as Apple documents it.
const adasField = `{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"hostile@example.com"}`

// asApple makes ID tokens like Apple's: no name, and booleans that are strings.
func asApple(a *apptest.App, more ...func(header, claims map[string]any)) {
	a.Provider.EditIDToken(func(header, claims map[string]any) {
		delete(claims, "name")
		claims["email"], claims["email_verified"], claims["is_private_email"] = "x1@privaterelay.appleid.com", "true", "true"
		claims["nonce_supported"] = true
		for _, edit := range more {
			edit(header, claims)
		}
	})
}

func TestApple(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var handed oauthlogin.User
		a, setUser := apptest.NewApple(t, func(opts *oauthlogin.Options) {
			opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error { handed = *in.User; return nil }
		})
		asApple(a)
		setUser(adasField)
		b := a.Browser(t)
		user := apptest.UserOf(t, b.PostLogin("/dashboard"))
		query := a.Provider.Requests(oauthlogintest.Authorization)[0].Query
		if query.Get("response_mode") != "form_post" || query.Get("scope") != "openid name email" || query.Get("nonce") == "" {
			t.Errorf("asks Apple %v", query)
		}
		want := oauthlogin.User{
			Provider: "apple", Issuer: "https://appleid.apple.com", Subject: "alice",
			Name: "Ada Lovelace", Email: "x1@privaterelay.appleid.com", EmailVerified: true,
		}
		sameUser := func(when string, user oauthlogin.User) {
			t.Helper()
			if user.Provider != want.Provider || user.Issuer != want.Issuer || user.Subject != want.Subject || user.Name != want.Name || user.Email != want.Email || !user.EmailVerified {
				t.Errorf("%s: %+v", when, user)
			}
			if strings.Contains(string(user.RawClaims), "Lovelace") || strings.Contains(string(user.RawClaims), "hostile") {
				t.Errorf("%s: the claims have what nothing signed: %s", when, user.RawClaims)
			}
		}
		sameUser("signed in", user)
		sameUser("in OnSignIn", handed)

		// Apple says the name once; refreshes, another instance and a restart keep it.
		setUser("")
		for range 3 {
			time.Sleep(time.Hour)
			sameUser("after a refresh", apptest.UserOf(t, b.Get("/dashboard")))
		}
		a.Restart(t)
		sameUser("after a restart", apptest.UserOf(t, b.Get("/dashboard")))
		if n := a.Provider.Count(oauthlogintest.Token); n != 4 {
			t.Errorf("%d token requests", n)
		}
		// A login of the same user in this browser passes it on, and no other does.
		sameUser("signed in again", apptest.UserOf(t, b.PostLogin("/dashboard")))
		a.Provider.AutoApprove("bob")
		if user := apptest.UserOf(t, b.PostLogin("/dashboard")); user.Subject != "bob" || user.Name != "" {
			t.Errorf("another user in this browser: %+v", user)
		}
		// There is no logout page, and the refresh token is revoked.
		if out := b.LogOut("/"); out.Location() != "/" || a.Provider.Count(oauthlogintest.Revocation) == 0 {
			t.Errorf("logout led to %q with %d revocations", out.Location(), a.Provider.Count(oauthlogintest.Revocation))
		}
		a.Leaks(t, "")
	})
}

// Nothing of the form but a name counts, and no name is better than a bad one.
func TestAppleFormIsHostile(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"name":`, 2000) + "1" + strings.Repeat("}", 2000)
	for _, tt := range []struct{ name, field, want string }{
		{"another subject", `{"sub":"bob","email":"hostile@example.com","email_verified":true,"name":{"firstName":"Ada"}}`, "Ada"},
		{"HTML", `{"name":{"firstName":"<img src=x onerror=alert(1)>"}}`, "<img src=x onerror=alert(1)>"},
		{"control and direction", `{"name":{"firstName":"A\u0000d\u202ea\u0007","lastName":"\u000d\u000aLovelace"}}`, "Ada Lovelace"},
		{"2 KiB", `{"name":{"firstName":"` + strings.Repeat("a", 2<<10) + `"}}`, ""},
		{"60 KiB", `{"name":{"firstName":"` + strings.Repeat("a", 50<<10) + `"}}`, ""},
		{"deep", deep, ""},
		{"no JSON", "Ada", ""},
		{"an object for a name", `{"name":{"firstName":{"sub":"bob"}}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, setUser := apptest.NewApple(t, nil)
			asApple(a)
			setUser(tt.field)
			b := a.Browser(t)
			posted := b.Submit(b.Follow("/login?return_to=/dashboard"))
			if strings.Contains(posted.Text, "<img") {
				t.Errorf("the page has markup of the field: %s", posted.Text)
			}
			user := apptest.UserOf(t, b.FollowOn(b.Submit(posted), ""))
			if user.Subject != "alice" || user.Name != tt.want || user.Email != "x1@privaterelay.appleid.com" {
				t.Errorf("%+v", user)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		a, _ := apptest.NewApple(t, nil)
		b := a.Browser(t)
		_, fields, _ := b.Follow("/login").Form()
		fields["user"] = []string{adasField, adasField}
		a.RefusedAtOnce(b, b.PostFrom("https://appleid.apple.com", "/auth/callback", fields), http.StatusBadRequest)
		fields.Set("oauthlogin_posted", "1")
		fields["user"] = []string{adasField, adasField}
		a.RefusedAtOnce(b, b.PostFrom(a.URL, "/auth/callback", fields), http.StatusBadRequest)
	})
	t.Run("without a bound", func(t *testing.T) { // where a handler has read the form, with its own
		t.Parallel()
		a, setUser := apptest.NewApple(t, nil)
		asApple(a)
		setUser(`{"name":{"firstName":"` + strings.Repeat("a", 1<<20) + `"}}`)
		a.Net["app.test"] = apptest.Audited(t, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.PostFormValue("csrf")
			a.ServeHTTP(w, r)
		}))
		b := a.Browser(t)
		posted := b.Submit(b.Follow("/login?return_to=/dashboard"))
		if len(posted.Text) > 64<<10 {
			t.Errorf("the page has %d bytes", len(posted.Text))
		}
		if user := apptest.UserOf(t, b.FollowOn(b.Submit(posted), "")); user.Subject != "alice" || user.Name != "" {
			t.Errorf("%+v", user)
		}
	})
	t.Run("in the query", func(t *testing.T) {
		t.Parallel()
		a, setUser := apptest.NewApple(t, nil)
		asApple(a)
		setUser(adasField)
		b := a.Browser(t)
		_, fields, _ := b.Follow("/login?return_to=/dashboard").Form()
		if user := apptest.UserOf(t, b.Follow("/auth/callback?"+fields.Encode())); user.Subject != "alice" || user.Name != "" {
			t.Errorf("%+v", user)
		}
	})
}

// A name in the ID token goes before that of the form, and what OnSignIn says before both.
func TestAppleNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		idToken  func(header, claims map[string]any)
		onSignIn func(*oauthlogin.User) error
		want     string
	}{
		{"of the form", func(_, _ map[string]any) {}, nil, "Ada Lovelace"},
		{"of the ID token", apptest.Claim("name", "Augusta King"), nil, "Augusta King"},
		{"of the application", func(_, _ map[string]any) {}, func(u *oauthlogin.User) error { u.Name += ", Countess"; return nil }, "Ada Lovelace, Countess"},
		{"none", func(_, _ map[string]any) {}, func(u *oauthlogin.User) error { u.Name = ""; return nil }, ""},
		{"beside the same address", func(_, _ map[string]any) {}, func(u *oauthlogin.User) error { return u.SetClaim("email", u.Email) }, "Ada Lovelace"},
		{"beside a claim", func(_, _ map[string]any) {}, func(u *oauthlogin.User) error { return u.SetClaim("role", "admin") }, "Ada Lovelace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, setUser := apptest.NewApple(t, func(opts *oauthlogin.Options) {
					if tt.onSignIn != nil {
						opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error { return tt.onSignIn(in.User) }
					}
				})
				asApple(a, tt.idToken)
				setUser(adasField)
				b := a.Browser(t)
				for range 2 {
					user := apptest.UserOf(t, b.PostLogin("/dashboard"))
					if user.Name != tt.want || !user.EmailVerified {
						t.Errorf("signed in: %+v", user)
					}
					time.Sleep(2 * time.Hour)
					if user := apptest.UserOf(t, b.Get("/dashboard")); user.Name != tt.want || !user.EmailVerified {
						t.Errorf("after a refresh: %+v", user)
					}
				}
			})
		})
	}
}

// The string "true" verifies an address of Apple's, and of no other provider.
func TestEmailVerifiedAsAString(t *testing.T) {
	t.Parallel()
	for value, verified := range map[any]bool{"true": true, true: true, "false": false, false: false, "TRUE": false, 1: false, "": false} {
		a, _ := apptest.NewApple(t, nil)
		asApple(a, apptest.Claim("email_verified", value))
		if user := apptest.UserOf(t, a.Browser(t).PostLogin("/dashboard")); user.EmailVerified != verified {
			t.Errorf("%#v at Apple: %+v", value, user)
		}
	}
	a, _ := apptest.NewApple(t, nil)
	asApple(a, apptest.Without("email"))
	if user := apptest.UserOf(t, a.Browser(t).PostLogin("/dashboard")); user.EmailVerified {
		t.Errorf("without an address: %+v", user)
	}
	other := newFormApp(t)
	other.Provider.EditIDToken(apptest.Claim("email_verified", "true"))
	if user := apptest.UserOf(t, other.Browser(t).PostLogin("/dashboard")); user.EmailVerified {
		t.Errorf("elsewhere: %+v", user)
	}
}

// Whoever wants no relay addresses can say so, whatever type Apple gives the claim.
func TestApplePrivateRelay(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"true", true} {
		a, _ := apptest.NewApple(t, nil)
		asApple(a, apptest.Claim("is_private_email", value))
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"is_private_email": {"true"}}})
		b := a.Browser(t)
		b.PostLogin("/dashboard")
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusOK {
			t.Errorf("%#v: %d", value, resp.StatusCode)
		}
	}
}

func TestAppleCancelled(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewApple(t, nil)
	a.AuthorizationResponse(func(query url.Values) {
		query.Del("iss")
		query.Set("error", "user_cancelled_authorize")
	})
	b := a.Browser(t)
	a.Refused(t, b, b.Follow("/login"), http.StatusBadRequest, "access_denied")
}

// A refused or missing client secret ends no session.
func TestAppleRefusesTheSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := apptest.NewApple(t, nil)
		b := a.Browser(t)
		b.PostLogin("/dashboard")
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			apptest.JSON(http.StatusBadRequest, `{"error":"invalid_client"}`)(w, r)
		})
		time.Sleep(2 * time.Hour)
		if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

func TestAppleFaults(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := &oauth2.Config{ClientID: "com.example.app", RedirectURL: "https://app.test/auth/callback", Scopes: []string{"openid"}}
	asserting := oauthlogin.Apple("team", "key", key, client)
	asserting.ClientAssertion = oauthlogin.AssertionFile("token.jwt")
	for _, tt := range []struct {
		name     string
		provider oauthlogin.Provider
		fault    string
	}{
		{"nothing wrong", oauthlogin.Apple("team", "key", key, client), ""},
		{"no team", oauthlogin.Apple("", "key", key, client), "Options.Providers[0].Apple: teamID is empty"},
		{"no key ID", oauthlogin.Apple("team", "", key, client), "keyID is empty"},
		{"no key", oauthlogin.Apple("team", "key", nil, client), "key is not an ECDSA key on P-256"},
		{"another curve", oauthlogin.Apple("team", "key", other, client), "key is not an ECDSA key on P-256"},
		{"no client", oauthlogin.Apple("team", "key", key, nil), "OAuth2 is nil"},
		{"nothing", oauthlogin.Apple("", "", nil, nil), "OAuth2 is nil"},
		{"an assertion as well", asserting, "ClientAssertion is set"},
	} {
		_, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{apptest.Key(1)}, Providers: []oauthlogin.Provider{tt.provider}})
		if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	p := oauthlogin.Apple("team", "key", key, client)
	if p.OAuth2.Scopes[0] = "changed"; client.Scopes[0] != "openid" {
		t.Error("the argument has changed")
	}
	scalar, _ := key.Bytes()
	decimal := new(big.Int).SetBytes(scalar).String()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, p); strings.Contains(text, "apple.Key") || strings.Contains(text, string(scalar)) || strings.Contains(text, decimal) {
			t.Errorf("%s shows %s", format, text)
		}
	}
	if text, err := json.Marshal(map[string]string{"p": fmt.Sprintf("%v", &p)}); err != nil || strings.Contains(string(text), decimal) {
		t.Errorf("%s %v", text, err)
	}
}
