package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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

// newPlainApp is apptest.New with a plain OAuth 2.0 provider whose users identify tells.
// change may be nil.
func newPlainApp(t *testing.T, identify func(context.Context, *http.Client) (oauthlogin.User, error), change func(*oauthlogin.Options)) *apptest.App {
	t.Helper()
	return apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		apptest.PlainOAuth(opts)
		if opts.Providers[0].Identify = identify; change != nil {
			change(opts)
		}
	}})
}

// OpenID Connect Core sections 5.3 and 5.7. The OpenID Foundation's
// oidcc-client-test-scope-userinfo-claims and oidcc-client-test-userinfo-bearer-header.
// internal/claims has the table of what wins.
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
		{"no e-mail in the ID token", del("email", "email_verified"), nothing, 1, user{"Alice Archer", "alice@example.com", true}},
		{"nothing anywhere", bare, bare, 1, user{}},
		{"another name in user info", del("email"), set("name", "Hostile"), 1, user{"Alice Archer", "alice@example.com", true}},
		{"no name but preferred_username", both(bare, set("preferred_username", "al")), del("name"), 1, user{"al", "alice@example.com", true}},
		{"names that are no strings", both(bare, set("preferred_username", 1)), set("name", []string{"x"}), 1, user{"", "alice@example.com", true}},

		// CVE-2024-38351, Coder CVE-2026-55076: only true is true.
		{"verified as a string", set("email_verified", "true"), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified by another name", both(del("email_verified"), set("EMAIL_VERIFIED", true)), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"nothing said of verified", del("email_verified"), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"not verified", set("email_verified", false), nothing, 0, user{"Alice Archer", "alice@example.com", false}},
		{"verified as a string in user info", bare, set("email_verified", "true"), 1, user{"Alice Archer", "alice@example.com", false}},

		// An address and its verification are of one source.
		{"an address here, another verified there", del("name", "email_verified"), set("email", "hostile@example.com"), 1, user{"Alice Archer", "alice@example.com", false}},
		{"an address here, the same verified there", del("name", "email_verified"), nothing, 1, user{"Alice Archer", "alice@example.com", false}},
		{"verified here, an address there", del("email"), both(set("email", "other@example.com"), del("email_verified")), 1, user{"Alice Archer", "other@example.com", false}},
		{"verified here, an address not verified there", del("email"), set("email_verified", false), 1, user{"Alice Archer", "alice@example.com", false}},
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
			// RawClaims agrees.
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

// User info is asked for if the metadata lists it, and adds to the claims of the ID token.
func TestUserInfoAdvertised(t *testing.T) {
	t.Parallel()
	extra := func(claims map[string]any) {
		claims["groups"], claims["acr"], claims["iss"] = []string{"a", "b"}, "hostile", "https://evil.test"
	}
	var claims struct {
		Groups   []string
		ACR, ISS string
	}

	a := apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(apptest.Without("name"))
	a.Provider.EditUserInfo(extra)
	user := apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
	if err := user.Claims(&claims); err != nil || len(claims.Groups) != 2 {
		t.Errorf("claims are %s: %v", user.RawClaims, err)
	}
	if claims.ACR != "0" || claims.ISS != a.Provider.Issuer() {
		t.Errorf("user info replaced what was signed: %s", user.RawClaims)
	}

	a = apptest.New(t, apptest.Config{})
	a.Provider.EditIDToken(apptest.Without("name"))
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
		t.Error("a user without claims has some")
	}
}

// All claims are of one age: what a login has read of user info, every refresh reads anew.
func TestUserInfoAtRefresh(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AlwaysUserInfo = always }})
			groups := []string{"staff", "admin"}
			a.Provider.EditUserInfo(func(info map[string]any) { info["groups"] = groups; info["theme"] = "dark" })
			if !always { // the ID token has no e-mail address, so that the login reads user info
				a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "email"); delete(claims, "email_verified") })
			}
			b := a.Browser(t)
			b.Login("/dashboard")
			claims := func() (c map[string]any) {
				user := apptest.UserOf(t, b.Get("/dashboard"))
				if err := user.Claims(&c); err != nil {
					t.Fatal(err)
				}
				return c
			}
			if c := claims(); fmt.Sprint(c["groups"]) != "[staff admin]" || c["theme"] != "dark" {
				t.Fatalf("after the login: %v", c)
			}
			groups = []string{"staff"}
			a.Provider.EditUserInfo(func(info map[string]any) { info["groups"] = groups })
			time.Sleep(2 * time.Hour)
			if c := claims(); fmt.Sprint(c["groups"]) != "[staff]" || c["theme"] != nil || c["email"] == nil || c["nonce"] == nil {
				t.Errorf("after a refresh: %v", c)
			}
			// User info that fails leaves the claims as they are.
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(500, "<html>"))
			time.Sleep(2 * time.Hour)
			if c := claims(); fmt.Sprint(c["groups"]) != "[staff]" || !strings.Contains(a.Log.String(), "reading user info failed") {
				t.Errorf("after user info has failed: %v", c)
			}
			// Another subject ends the session.
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(200, `{"sub":"mallory"}`))
			time.Sleep(2 * time.Hour)
			if b.SignedIn() {
				t.Error("signed in with the user info of another subject")
			}
		})
	}
}

// User info that cannot be read fails no login whose ID token verifies, and the log says
// what it was. Another subject does (OpenID Connect Core section 5.3.2).
func TestUserInfoFails(t *testing.T) {
	t.Parallel()
	always := apptest.Config{Change: func(o *oauthlogin.Options) { o.Providers[0].AlwaysUserInfo = true }}
	jwt := apptest.Segment(map[string]any{"alg": "RS256"}) + "." + apptest.Segment(map[string]any{"sub": "alice"}) + ".c2ln"
	for name, tt := range map[string]struct {
		status            int
		contentType, body string
		says              string
	}{
		"401":         {401, "", "", "status 401"},
		"500":         {500, "", "", "status 500"},
		"302":         {302, "", "", "status 302"},
		"a page":      {200, "text/html", "<html>", "user info is a page"},
		"signed":      {200, "application/jwt", jwt, "user info is a signed JWT"},
		"encrypted":   {200, "application/jwt", jwt + ".a.b", "user info is an encrypted JWT"},
		"too long":    {200, "application/json", `{"sub":"alice","x":"` + strings.Repeat("x", 64<<10) + `"}`, "reading user info failed"},
		"mislabelled": {200, "text/html", `{"sub":"alice","name":"From user info"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, always)
			a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(tt.status, tt.body, "Content-Type", tt.contentType))
			b := a.Browser(t)
			b.Login("/dashboard")
			if log := a.Log.String(); !strings.Contains(log, tt.says) || (tt.says == "") == strings.Contains(log, "reading user info failed") {
				t.Errorf("log: %s", log)
			}
		})
	}
	a := apptest.New(t, always)
	a.Provider.Intercept(oauthlogintest.UserInfo, apptest.RespondWith(200, `{"sub":"mallory"}`))
	if resp := a.Browser(t).TryLogin(); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("another subject: %d", resp.StatusCode)
	}
}

// What a provider says of a user is at most 64 KiB, also where a store would keep more.
func TestClaimsAreBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{1 << 10: http.StatusOK, 64 << 10: http.StatusInternalServerError} {
		store := apptest.FileStore(t)
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["padding"] = strings.Repeat("a", size) })
		if resp := a.Browser(t).TryLogin(); resp.StatusCode != want {
			t.Errorf("%d bytes: %d", size, resp.StatusCode)
		}
	}
}

// A subject is up to 255 ASCII characters, and case counts (OpenID Connect Core
// section 2).
func TestSubjects(t *testing.T) {
	t.Parallel()
	for _, sub := range []string{strings.Repeat("a", 255), "Alice", "a b", `"<alice>" & 'co' \ %s %d`, "auth0|1", "~"} {
		t.Run(sub, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256"})
			a.Provider.AutoApprove(sub)
			if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.Subject != sub || user.Issuer != "https://provider.test" || user.Provider != "test" {
				t.Errorf("user is %+v", user)
			}
		})
	}
}

// OpenID Connect Core sections 3.1.2.1 and 3.1.3.7, 12 and 13: a recent sign-in, or one of
// a kind, that was asked for is verified. internal/protocol has the whole table.
func TestRequestedAuthentication(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) func(header, claims map[string]any) {
		return func(_, claims map[string]any) { claims["auth_time"] = time.Now().Add(-d).Unix() }
	}
	for _, tt := range []struct {
		name   string
		params url.Values
		edit   func(header, claims map[string]any)
		ok     bool
	}{
		{"max_age 0 and signed in just now", url.Values{"max_age": {"0"}}, nil, true},
		{"max_age and within the leeway", url.Values{"max_age": {"60"}}, ago(90 * time.Second), true},
		{"max_age and too long ago", url.Values{"max_age": {"60"}}, ago(150 * time.Second), false},
		{"max_age 0 and too long ago", url.Values{"max_age": {"0"}}, ago(90 * time.Second), false},
		{"max_age and no auth_time", url.Values{"max_age": {"60"}}, apptest.Without("auth_time"), false},
		{"no max_age and no auth_time", nil, apptest.Without("auth_time"), true},
		{"no max_age and long ago", nil, ago(1000 * time.Hour), true},
		{"acr_values and one of them", url.Values{"acr_values": {"phr phrh"}}, apptest.Claim("acr", "phrh"), true},
		{"acr_values and another", url.Values{"acr_values": {"phr phrh"}}, apptest.Claim("acr", "0"), false},
		{"acr_values and none", url.Values{"acr_values": {"phr"}}, apptest.Without("acr"), false},
		{"no acr_values and no acr", nil, apptest.Without("acr"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Providers[0].AuthParams = tt.params }})
			a.Provider.EditIDToken(func(header, claims map[string]any) {
				if delete(claims, "name"); tt.edit != nil { // so that user info is asked for
					tt.edit(header, claims)
				}
			})
			b := a.Browser(t)
			if tt.ok {
				b.Login("/dashboard")
				return
			}
			a.Refused(t, b, b.TryLogin(), http.StatusForbidden, "step_up_failed")
			if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 {
				t.Errorf("%d user info requests", n)
			}
			a.Provider.EditIDToken(nil)
			a.Recovers(t, a.Browser(t))
		})
	}
}

func TestPlainOAuth(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
		user, err := apptest.ByUserInfo(ctx, client)
		// Identify does not name the provider.
		user.Provider, user.Issuer = "hostile", "https://evil.test"
		return user, err
	}, nil)
	user := apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
	if user.Provider != "test" || user.Issuer != "https://provider.test" || user.Subject != "alice" || user.Name != "Alice Archer" {
		t.Errorf("user is %+v", user)
	}
	var claims struct{ Sub string }
	if err := user.Claims(&claims); err != nil || claims.Sub != "alice" {
		t.Errorf("claims are %s: %v", user.RawClaims, err)
	}
	for endpoint, want := range map[oauthlogintest.Endpoint]int{
		oauthlogintest.Discovery: 0, oauthlogintest.JWKS: 0, oauthlogintest.Token: 1, oauthlogintest.UserInfo: 1,
	} {
		if n := a.Provider.Count(endpoint); n != want {
			t.Errorf("%d requests to %s, want %d", n, endpoint, want)
		}
	}
	request := a.Provider.Requests(oauthlogintest.Authorization)[0].Query
	if request.Get("code_challenge_method") != "S256" || request.Get("state") == "" || request.Get("scope") != "profile" || request.Has("nonce") {
		t.Errorf("authorization request is %v", request)
	}
	a.Leaks(t, "")
}

// The origin of the authorization endpoint stands for the issuer, in one form.
func TestPlainOAuthIssuer(t *testing.T) {
	t.Parallel()
	for _, authURL := range []string{
		"https://provider.test/authorize", "https://PROVIDER.test:443/authorize", "HTTPS://provider.test/authorize?prompt=consent",
	} {
		t.Run(authURL, func(t *testing.T) {
			a := newPlainApp(t, apptest.ByUserInfo, func(opts *oauthlogin.Options) { opts.Providers[0].OAuth2.Endpoint.AuthURL = authURL })
			a.Net["PROVIDER.test:443"] = a.Provider
			if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.Issuer != "https://provider.test" {
				t.Errorf("issuer is %q", user.Issuer)
			}
		})
	}
}

var errNotOneOfUs = errors.New("not a member of the organisation")

// A user whom Identify does not name is refused.
func TestIdentifyRefuses(t *testing.T) {
	t.Parallel()
	failure := func(err error) func(context.Context, *http.Client) (oauthlogin.User, error) {
		return func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Subject: "alice"}, err
		}
	}
	for _, tt := range []struct {
		name     string
		identify func(context.Context, *http.Client) (oauthlogin.User, error)
		code     string
	}{
		{"no subject", func(context.Context, *http.Client) (oauthlogin.User, error) { return oauthlogin.User{}, nil }, "provider_rejected"},
		{"a name and an address, but no subject", func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Name: "Alice", Email: "alice@example.com", EmailVerified: true}, nil
		}, "provider_rejected"},
		{"a subject that would break log lines", func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Subject: "alice\nlevel=ERROR"}, nil
		}, "provider_rejected"},
		{"an error", failure(errNotOneOfUs), "provider_rejected"},
		{"an error of a request", func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			_, err := apptest.Read(ctx, client, "https://nowhere.test/user")
			return oauthlogin.User{}, err
		}, "provider_unavailable"},
		{"a response of 2 MiB", func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			_, err := apptest.Read(ctx, client, "https://huge.test/user")
			return oauthlogin.User{Subject: "alice"}, err
		}, "provider_rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			identify := tt.identify
			a := newPlainApp(t, func(ctx context.Context, client *http.Client) (oauthlogin.User, error) { return identify(ctx, client) }, nil)
			a.Net["huge.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("a", 2<<20)) })
			b := a.Browser(t)
			resp := b.TryLogin()
			a.Refused(t, b, resp, http.StatusBadGateway, tt.code)
			if strings.Contains(resp.Text, "member") || strings.Contains(resp.Text, "nowhere") {
				t.Errorf("page has internals: %s", resp.Text)
			}
			identify = apptest.ByUserInfo
			a.Recovers(t, b)
		})
	}
}

// An error handler can tell by the error that Identify returned.
func TestIdentifyErrorHandler(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, func(context.Context, *http.Client) (oauthlogin.User, error) {
		return oauthlogin.User{}, fmt.Errorf("check membership: %w", errNotOneOfUs)
	}, func(opts *oauthlogin.Options) {
		opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			var e *oauthlogin.Error
			if !errors.Is(err, errNotOneOfUs) || !errors.As(err, &e) {
				t.Errorf("error is %v", err)
				return
			}
			if e.Status != http.StatusBadGateway || e.Provider != "test" || e.RetryURL != "/login?return_to=%2Fdashboard" {
				t.Errorf("error is %+v", *e)
			}
			w.WriteHeader(http.StatusForbidden)
		}
	})
	b := a.Browser(t)
	if resp := b.TryLogin(); resp.StatusCode != http.StatusForbidden || len(b.Cookies()) > 0 {
		t.Errorf("response is %d, cookies %v", resp.StatusCode, b.Cookies())
	}
}

// The client of Identify sends the token to the host that is asked, and to no other.
func TestIdentifyClient(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
		for _, path := range []string{"/moved", "/found", "/temporary", "/permanent"} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.test"+path, nil)
			if err != nil {
				return oauthlogin.User{}, err
			}
			resp, err := client.Do(r)
			if err != nil {
				return oauthlogin.User{}, err
			}
			resp.Body.Close()
			if resp.StatusCode/100 != 3 {
				return oauthlogin.User{}, fmt.Errorf("redirect was followed to %d", resp.StatusCode)
			}
		}
		return apptest.ByUserInfo(ctx, client)
	}, nil)
	var seen []string
	a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		status := map[string]int{"/moved": 301, "/found": 302, "/temporary": 307, "/permanent": 308}[r.URL.Path]
		http.Redirect(w, r, "https://evil.test/evil", status)
	})
	a.Net["evil.test"] = a.Count(func(http.ResponseWriter, *http.Request) {})
	a.Browser(t).Login("/dashboard")
	if a.Called("/evil") > 0 {
		t.Error("the redirect's target was asked")
	}
	for _, header := range seen {
		if len(header) <= len("Bearer ") || !strings.HasPrefix(header, "Bearer ") {
			t.Errorf("Authorization %q", header)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d requests", len(seen))
	}
}

// A login that began before the provider was configured for OpenID Connect has no nonce,
// which no ID token can match.
func TestProviderOfAnotherKind(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, apptest.ByUserInfo, func(opts *oauthlogin.Options) { opts.Providers[0].OAuth2.Scopes = []string{"openid"} })
	b := a.Browser(t)
	callback := b.CallbackURL("/login?return_to=/dashboard")
	a.Auth = a.Replica(t, nil)
	if resp := b.Get(callback); resp.StatusCode != http.StatusBadGateway || b.SignedIn() {
		t.Errorf("%d to %q; signed in: %t", resp.StatusCode, resp.Location(), b.SignedIn())
	}
	if !strings.Contains(a.Log.String(), "nonce") {
		t.Errorf("not refused for the nonce\n%s", a.Log)
	}
}

// User info that takes longer than a callback may take fails no login.
func TestUserInfoThatComesLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
			o.Providers[0].AlwaysUserInfo = true
			o.HTTPClient.Timeout = time.Minute
		}})
		a.Provider.Intercept(oauthlogintest.UserInfo, func(http.ResponseWriter, *http.Request, http.HandlerFunc) { time.Sleep(40 * time.Second) })
		user := apptest.UserOf(t, a.Browser(t).Follow("/dashboard"))
		if user.Subject != "alice" || user.Name != "Alice Archer" || !strings.Contains(a.Log.String(), "reading user info failed") {
			t.Errorf("user is %+v: %s", user, a.Log)
		}
	})
}

// Logs identify a user without name, address and claims.
func TestUserInLogs(t *testing.T) {
	var log strings.Builder
	user := oauthlogin.User{
		Provider: "test", Issuer: "https://provider.test", Subject: "alice",
		Name: "Alice Archer", Email: "alice@example.com", RawClaims: json.RawMessage(`{"phone_number":"555"}`),
	}
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("m", "user", user)
	logger.Info("m", "user", &user)
	const want = `"user":{"provider":"test","issuer":"https://provider.test","subject":"alice"}`
	if got := log.String(); strings.Count(got, want) != 2 || strings.Contains(got, "Archer") || strings.Contains(got, "555") {
		t.Error(got)
	}
}
