package oauthlogin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OpenID Connect Core sections 5.3 and 5.7. The OpenID Foundation's
// oidcc-client-test-scope-userinfo-claims and oidcc-client-test-userinfo-bearer-header.
func TestUserInfoClaims(t *testing.T) {
	t.Parallel()
	type user struct {
		name, email string
		verified    bool
	}
	both := func(a, b func(map[string]any)) func(map[string]any) { return func(o map[string]any) { a(o); b(o) } }
	set := func(name string, value any) func(map[string]any) { return func(o map[string]any) { o[name] = value } }
	del := func(names ...string) func(map[string]any) {
		return func(o map[string]any) {
			for _, name := range names {
				delete(o, name)
			}
		}
	}
	nothing := func(map[string]any) {}
	bare := del("name", "email", "email_verified")
	for _, tt := range []struct {
		name     string
		idToken  func(claims map[string]any)
		userInfo func(claims map[string]any)
		asked    int
		want     user
	}{
		{"all in the ID token", nothing, set("name", "Hostile"), 0, user{"Alice Archer", "alice@example.com", true}},
		{"all in user info", bare, nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"no name in the ID token", del("name"), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"an empty name in the ID token", set("name", ""), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"a name in the ID token that is null", set("name", nil), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"a name in the ID token that is an object", set("name", map[string]any{"hostile": 1}), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"no e-mail in the ID token", del("email", "email_verified"), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"an empty e-mail in the ID token", set("email", ""), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"nothing anywhere", bare, bare, 1, user{}},
		{"another name in user info", del("email"), set("name", "Hostile"), 1, user{"Alice Archer", "alice@example.com", true}},
		{"no name but preferred_username", both(bare, set("preferred_username", "al")), del("name"), 1, user{"al", "alice@example.com", true}},
		{"names that are no strings", both(bare, set("preferred_username", 1)), set("name", []string{"x"}), 1, user{"", "alice@example.com", true}},

		// CVE-2024-38351, Coder CVE-2026-55076: only true is true.
		{"verified as a string", set("email_verified", "true"), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"not verified as a string", set("email_verified", "false"), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified as 1", set("email_verified", 1), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified as an object", set("email_verified", map[string]any{"value": true}), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified as null", set("email_verified", nil), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified by another name", both(del("email_verified"), set("EMAIL_VERIFIED", true)), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"nothing said of verified", del("email_verified"), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"not verified", set("email_verified", false), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified as a string in user info", bare, set("email_verified", "true"), 1, user{"Alice Archer", "alice@example.com", false}},
		{"nothing said of verified in user info", bare, del("email_verified"), 1, user{"Alice Archer", "alice@example.com", false}},

		// An address and its verification are of one source.
		{"an address here, another verified there", del("name", "email_verified"), set("email", "hostile@example.com"), 1, user{"Alice Archer", "alice@example.com", false}},
		{"an address here, the same verified there", del("name", "email_verified"), nothing, 1, user{"Alice Archer", "alice@example.com", false}},
		{"verified here, an address there", del("email"), both(set("email", "other@example.com"), del("email_verified")), 1, user{"Alice Archer", "other@example.com", false}},
		{"verified here, an address not verified there", del("email"), set("email_verified", false), 1, user{"Alice Archer", "alice@example.com", false}},
		{"verified here, no address anywhere", del("email"), del("email", "email_verified"), 1, user{"Alice Archer", "", false}},
		{"an address that is no string", set("email", []string{"alice@example.com"}), del("email"), 1, user{"Alice Archer", "", false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Provider.EditIDToken(func(_, claims map[string]any) { tt.idToken(claims) })
			a.Provider.EditUserInfo(tt.userInfo)
			b := a.Browser(t)
			got := apptest.UserOf(t, b.Login("/dashboard"))
			if (user{got.Name, got.Email, got.EmailVerified}) != tt.want || got.Subject != "alice" {
				t.Errorf("user is %q %q %v, want %v", got.Name, got.Email, got.EmailVerified, tt.want)
			}
			// RawClaims tells the same story.
			claims := map[string]any{}
			if err := got.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if email, _ := claims["email"].(string); email != got.Email || claims["sub"] != "alice" {
				t.Errorf("claims are %v", claims)
			}
			if verified := claims["email_verified"] == true; got.Email != "" && verified != got.EmailVerified {
				t.Errorf("claims say of verified: %v", claims["email_verified"])
			}
			b.Get("/dashboard")
			requests := a.Provider.Requests(oauthlogintest.UserInfo)
			if len(requests) != tt.asked {
				t.Errorf("%d user info requests", len(requests))
			}
			for _, r := range requests {
				// RFC 6750 section 2.1: in the header, never in the URL.
				if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") || len(r.Query) > 0 {
					t.Errorf("request is %v ?%v", r.Header, r.Query)
				}
			}
			if strings.Contains(a.Log.String(), "@example.com") {
				t.Errorf("log has the address: %s", a.Log)
			}
		})
	}
}

// User info is asked for if metadata has it, and what it says that the ID token
// does not is in the claims.
func TestUserInfoAdvertised(t *testing.T) {
	t.Parallel()
	bare := func(_, claims map[string]any) { delete(claims, "name") }
	extra := func(claims map[string]any) {
		claims["groups"], claims["acr"], claims["iss"] = []string{"a", "b"}, "hostile", "https://evil.test"
	}
	var claims struct {
		Groups   []string
		ACR, ISS string
	}

	a := apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(bare)
	a.Provider.EditUserInfo(extra)
	user := apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
	if err := user.Claims(&claims); err != nil || len(claims.Groups) != 2 {
		t.Errorf("claims are %s: %v", user.RawClaims, err)
	}
	if claims.ACR != "0" || claims.ISS != a.Provider.Issuer() {
		t.Errorf("user info replaced what was signed: %s", user.RawClaims)
	}

	a = apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(bare)
	a.Provider.EditUserInfo(extra)
	a.Provider.EditDiscovery(func(doc map[string]any) { delete(doc, "userinfo_endpoint") })
	user = apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
	if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 || user.Name != "" || user.Email != "alice@example.com" {
		t.Errorf("%d user info requests, user %q %q", n, user.Name, user.Email)
	}
	if err := user.Claims(new(int)); err == nil {
		t.Error("claims went into an int")
	}
	if err := new(oauthlogin.User).Claims(&claims); err == nil {
		t.Error("claims of nobody")
	}
}

// OpenID Connect Core section 5.3.2, and the OpenID Foundation's
// oidcc-client-test-userinfo-invalid-sub.
func TestUserInfoRefused(t *testing.T) {
	t.Parallel()
	set := func(value any) func(map[string]any) { return func(o map[string]any) { o["sub"] = value } }
	const (
		rejected    = "provider_rejected"
		unavailable = "provider_unavailable"
	)
	for _, tt := range []struct {
		name   string
		edit   func(map[string]any)
		answer func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		code   string // "": the login works without user info
	}{
		{"another subject", set("hostile"), nil, rejected},
		{"a subject in other case", set("Alice"), nil, rejected},
		{"no subject", func(o map[string]any) { delete(o, "sub") }, nil, rejected},
		{"an empty subject", set(""), nil, rejected},
		{"a subject that is a list", set([]string{"alice"}), nil, rejected},
		{"a subject by the name SUB", func(o map[string]any) { o["SUB"] = o["sub"]; delete(o, "sub") }, nil, rejected},

		{"401", nil, apptest.RespondWith(401, apptest.Hostile), ""},
		{"403", nil, apptest.RespondWith(403, apptest.Hostile), ""},
		{"401 with claims", nil, apptest.RespondWith(401, `{"sub":"hostile","name":"hostile"}`), ""},
		{"404", nil, apptest.RespondWith(404, apptest.Hostile), unavailable},
		{"500", nil, apptest.RespondWith(500, apptest.Hostile), unavailable},
		{"503 with claims", nil, apptest.RespondWith(503, `{"sub":"alice","name":"hostile"}`), unavailable},
		{"302 elsewhere", nil, apptest.RespondWith(302, "", "Location", "https://evil.test/evil"), unavailable},
		{"307 elsewhere", nil, apptest.RespondWith(307, "", "Location", "https://evil.test/evil"), unavailable},
		{"a page", nil, apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html"), rejected},
		{"nothing", nil, apptest.RespondWith(200, ""), rejected},
		{"null", nil, apptest.RespondWith(200, "null"), rejected},
		{"a list", nil, apptest.RespondWith(200, `[{"sub":"alice"}]`), rejected},
		{"a JWT", nil, apptest.RespondWith(200, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", "Content-Type", "application/jwt"), rejected},
		{"2 MiB", nil, apptest.RespondWith(200, `{"sub":"alice","name":"`+strings.Repeat("a", 2<<20)+`"}`), rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Net["evil.test"] = a.Count(func(http.ResponseWriter, *http.Request) {})
			a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "name") })
			a.Provider.EditUserInfo(tt.edit)
			a.Provider.Intercept(oauthlogintest.UserInfo, tt.answer)
			b := a.Browser(t)
			if tt.code == "" {
				user := apptest.UserOf(t, b.Login("/dashboard"))
				if user.Subject != "alice" || user.Name != "" || user.Email != "alice@example.com" || !user.EmailVerified {
					t.Errorf("user is %+v", user)
				}
			} else {
				a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, tt.code)
			}
			if n := a.Provider.Count(oauthlogintest.UserInfo); n != 1 || a.Called("/evil") > 0 {
				t.Errorf("%d user info requests, %d elsewhere", n, a.Called("/evil"))
			}
			a.Provider.EditUserInfo(nil)
			a.Provider.Intercept(oauthlogintest.UserInfo, nil)
			a.Recovers(t, b)
		})
	}
}
