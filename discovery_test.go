package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
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

const (
	discoveryCooldown = 5 * time.Second
	keysCooldown      = 30 * time.Second
)

// New does no input or output, and an application outlives a provider that is
// down, when it starts as well as later. next-auth GHSA-8fpg-xm3f-6cx3: what is
// guarded stays closed meanwhile.
func TestProviderDownAtStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		asked := 0
		a.Wire.CutBy(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, errors.New("connection refused")
		})
		b := a.Browser(t)
		start := time.Now()
		for range 3 {
			resp := b.Get("/login?return_to=/dashboard")
			a.Refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
			if !slices.Contains(resp.Links(), "/login?return_to=%2Fdashboard") {
				t.Errorf("page leads to %q", resp.Links())
			}
		}
		if time.Since(start) > 0 || asked != 1 {
			t.Errorf("took %v, asked %d times", time.Since(start), asked)
		}
		if resp := b.Get("/"); resp.Text != "home of nobody" {
			t.Errorf("public path: %d %s", resp.StatusCode, resp.Text)
		}
		if resp := b.Get("/dashboard"); !strings.HasPrefix(resp.Location(), "/login?") {
			t.Errorf("guarded path: %d to %q", resp.StatusCode, resp.Location())
		}

		a.Wire.CutBy(nil)
		time.Sleep(discoveryCooldown - time.Millisecond)
		if resp := b.Get("/login"); resp.StatusCode != http.StatusBadGateway || a.Provider.Count(oauthlogintest.Discovery) > 0 {
			t.Errorf("during the cool-down: %d", resp.StatusCode)
		}
		time.Sleep(time.Millisecond)
		a.Recovers(t, b)
		b.Login("/dashboard")
		if n := a.Provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
		// From now on discovery has nothing to fail at.
		a.Provider.Intercept(oauthlogintest.Discovery, apptest.RespondWith(500, ""))
		time.Sleep(24 * time.Hour)
		b.Login("/dashboard")
	})
}

// Discovery that fails again starts another cool-down.
func TestProviderStaysDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Provider.Intercept(oauthlogintest.Discovery, apptest.RespondWith(503, apptest.Hostile))
		b := a.Browser(t)
		for range 100 {
			b.Get("/login")
			time.Sleep(500 * time.Millisecond)
		}
		if n := a.Provider.Count(oauthlogintest.Discovery); n != 10 {
			t.Errorf("%d discoveries in 50 seconds", n)
		}
		time.Sleep(discoveryCooldown)
		a.Provider.Intercept(oauthlogintest.Discovery, nil)
		a.Recovers(t, b)
	})
}

func TestParallelLoginsShareDiscovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Provider.Intercept(oauthlogintest.Discovery, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			time.Sleep(time.Second)
			next(w, r)
		})
		var wg sync.WaitGroup
		for range 50 {
			b := a.Browser(t)
			wg.Go(func() {
				if resp := b.Get("/login"); resp.StatusCode != http.StatusSeeOther {
					t.Errorf("answer is %d: %s", resp.StatusCode, resp.Text)
				}
			})
		}
		wg.Wait()
		if n := a.Provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
	})
}

// Who began a discovery and hangs up takes nobody along.
func TestClientHangsUpDuringDiscovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Provider.Intercept(oauthlogintest.Discovery, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			time.Sleep(2 * time.Second)
			next(w, r)
		})
		first, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(first, http.MethodGet, "/login", nil))
			if took := time.Since(start); took != time.Second {
				t.Errorf("the one who hung up was served for %v", took)
			}
		})
		time.Sleep(500 * time.Millisecond)
		b := a.Browser(t)
		wg.Go(func() {
			if resp := b.Get("/login"); resp.StatusCode != http.StatusSeeOther {
				t.Errorf("answer is %d: %s", resp.StatusCode, resp.Text)
			}
		})
		time.Sleep(500 * time.Millisecond)
		hangUp()
		wg.Wait()
		if n := a.Provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
		a.Provider.Intercept(oauthlogintest.Discovery, nil)
		a.Recovers(t, a.Browser(t))
	})
}

// OpenID Connect Discovery section 4.3, RFC 8414 section 3.3, and what else
// metadata must not say: it stops before authorization.
func TestDiscoveryRefused(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any) {
		return func(doc map[string]any) { doc[name] = value }
	}
	for _, tt := range []struct {
		name   string
		edit   func(doc map[string]any)
		answer func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	}{
		// oidcc-client-test-discovery-issuer-mismatch,
		// fapi2-security-profile-final-client-test-discovery-issuer-mismatch.
		{name: "another issuer", edit: set("issuer", "https://evil.test/other")},
		{name: "an issuer with a slash more", edit: set("issuer", "https://provider.test/")},
		{name: "an issuer in other case", edit: set("issuer", "https://PROVIDER.test")},
		{name: "an issuer over http", edit: set("issuer", "http://provider.test")},
		{name: "no issuer", edit: func(doc map[string]any) { delete(doc, "issuer") }},
		{name: "an issuer that is a list", edit: set("issuer", []string{"https://provider.test"})},

		// Fulcio CVE-2026-49478, Octo STS CVE-2025-52477.
		{name: "301 elsewhere", answer: apptest.RespondWith(301, "", "Location", "https://evil.test/evil")},
		{name: "302 elsewhere", answer: apptest.RespondWith(302, "", "Location", "https://evil.test/evil")},
		{name: "307 elsewhere", answer: apptest.RespondWith(307, "", "Location", "https://evil.test/evil")},
		{name: "308 to itself", answer: apptest.RespondWith(308, "", "Location", "/.well-known/openid-configuration")},
		{name: "302 to no URL", answer: apptest.RespondWith(302, "", "Location", "https://evil.test/%zzhostile")},

		{name: "404", answer: apptest.RespondWith(404, apptest.Hostile)},
		{name: "500", answer: apptest.RespondWith(500, apptest.Hostile)},
		{name: "204", answer: apptest.RespondWith(204, "")},
		{name: "203 with metadata", answer: func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			rec := httptest.NewRecorder()
			next(rec, r)
			w.WriteHeader(http.StatusNonAuthoritativeInfo)
			w.Write(rec.Body.Bytes())
		}},
		{name: "a page", answer: apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html; hostile=hostile")},
		{name: "nothing", answer: apptest.RespondWith(200, "")},
		{name: "half of a document", answer: apptest.RespondWith(200, `{"issuer":"https://provider.test","hostile`)},
		{name: "a list", answer: apptest.RespondWith(200, `[{"issuer":"https://provider.test"}]`)},
		{name: "null", answer: apptest.RespondWith(200, "null")},
		{name: "2 MiB", edit: set("padding", strings.Repeat("a", 2<<20))},

		{name: "no authorization endpoint", edit: func(doc map[string]any) { delete(doc, "authorization_endpoint") }},
		{name: "no token endpoint", edit: func(doc map[string]any) { delete(doc, "token_endpoint") }},
		{name: "no keys", edit: func(doc map[string]any) { delete(doc, "jwks_uri") }},
		{name: "an authorization endpoint over http", edit: set("authorization_endpoint", "http://provider.test/authorize")},
		{name: "a token endpoint over http", edit: set("token_endpoint", "http://provider.test/token")},
		{name: "keys over http", edit: set("jwks_uri", "http://provider.test/jwks")},
		{name: "user info over http", edit: set("userinfo_endpoint", "http://provider.test/userinfo")},
		{name: "revocation over http", edit: set("revocation_endpoint", "http://provider.test/revoke")},
		{name: "end of session over http", edit: set("end_session_endpoint", "http://provider.test/end_session")},
		{name: "a host that looks like loopback", edit: set("token_endpoint", "http://127.0.0.1.evil.test/token")},
		{name: "an authorization endpoint that is a script", edit: set("authorization_endpoint", "javascript:alert('hostile')//")},
		{name: "an authorization endpoint that is a path", edit: set("authorization_endpoint", "/authorize")},
		{name: "an authorization endpoint with a fragment", edit: set("authorization_endpoint", "https://provider.test/authorize#")},
		{name: "an authorization endpoint that is no URL", edit: set("authorization_endpoint", "https://provider.test/%zzhostile")},
		{name: "a token endpoint with a password", edit: set("token_endpoint", "https://user:hostile@provider.test/token")},
		{name: "a token endpoint that is a number", edit: set("token_endpoint", 1)},

		{name: "HS256 alone", edit: set("id_token_signing_alg_values_supported", []string{"HS256"})},
		{name: "none alone", edit: set("id_token_signing_alg_values_supported", []string{"none"})},
		{name: "algorithms that nobody knows", edit: set("id_token_signing_alg_values_supported", []string{"hostile", "rs256"})},
		{name: "algorithms that are a string", edit: set("id_token_signing_alg_values_supported", "RS256")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Net["evil.test"] = a.Count(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/.well-known/openid-configuration"
					a.Provider.ServeHTTP(w, r)
				})
				a.Provider.EditDiscovery(tt.edit)
				a.Provider.Intercept(oauthlogintest.Discovery, tt.answer)
				b := a.Browser(t)
				resp := b.Get("/login?return_to=/dashboard")
				a.Refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
				if a.Called("/evil") > 0 || a.Provider.Count(oauthlogintest.Discovery) != 1 {
					t.Errorf("%d discoveries, %d elsewhere", a.Provider.Count(oauthlogintest.Discovery), a.Called("/evil"))
				}
				a.Provider.EditDiscovery(nil)
				a.Provider.Intercept(oauthlogintest.Discovery, nil)
				time.Sleep(discoveryCooldown)
				a.Recovers(t, b)
			})
		})
	}
}

// The issuer is compared as it is written: OpenID Connect Discovery section 4.3,
// and section 4.1 for where its metadata is; oidcc-client-test-discovery-openid-config.
func TestIssuers(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{
		"https://provider.test", "https://provider.test/", "https://provider.test/tenant", "https://provider.test/tenant/",
		"https://provider.test/a/b.c/v2.0",
	} {
		t.Run(issuer, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Issuer: issuer}})
			var user oauthlogin.User
			if err := json.Unmarshal([]byte(a.Browser(t).Login("/dashboard").Text), &user); err != nil {
				t.Fatal(err)
			}
			if user.Issuer != issuer || user.Subject != "alice" {
				t.Errorf("user is %q of %q", user.Subject, user.Issuer)
			}
		})
	}
	for configured, said := range map[string]string{
		"https://provider.test":        "https://provider.test/",
		"https://provider.test/":       "https://provider.test",
		"https://provider.test/tenant": "https://provider.test/tenant/",
	} {
		t.Run(configured+" is not "+said, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{
				Provider: oauthlogintest.Config{Issuer: said},
				Change:   func(opts *oauthlogin.Options) { opts.Providers[0].Issuer = configured },
			})
			b := a.Browser(t)
			a.Refused(t, b, b.Get("/login"), http.StatusBadGateway, "provider_unavailable")
		})
	}
}

// Loopback may be http: what is tried out there needs no certificate.
func TestIssuerOnLoopback(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Issuer: "http://127.0.0.1:9000"}})
	a.Net["127.0.0.1:9000"] = a.Provider
	a.Browser(t).Login("/dashboard")
}

// The OpenID Foundation's oidcc-client-test-discovery-jwks-uri-keys,
// oidcc-client-test-signing-key-rotation and
// oidcc-client-test-signing-key-rotation-just-before-signing: the keys are fetched
// again at the first unknown key id, and then not for a while (OpenID Connect Core
// section 10.1.1).
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		login := func(what string, ok bool, fetches int) {
			t.Helper()
			synctest.Wait() // for the end of the fetch before
			b.Post("/logout", nil)
			resp := b.TryLogin()
			if got := resp.StatusCode == http.StatusOK; got != ok || b.SignedIn() != ok {
				t.Errorf("%s: answer is %d: %s", what, resp.StatusCode, a.Log)
			}
			if !ok && resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%s: answer is %d", what, resp.StatusCode)
			}
			if n := a.Provider.Count(oauthlogintest.JWKS); n != fetches {
				t.Errorf("%s: %d fetches of keys, want %d", what, n, fetches)
			}
		}
		login("first login", true, 1)
		login("another", true, 1)
		a.Provider.RotateKeys()
		login("rotated at once", true, 2)
		login("another", true, 2)
		a.Provider.RotateKeys()
		login("rotated again", false, 2)
		time.Sleep(keysCooldown - time.Millisecond)
		login("still within the cool-down", false, 2)
		time.Sleep(time.Millisecond)
		login("after the cool-down", true, 3)
		time.Sleep(keysCooldown)

		a.Provider.EditIDToken(apptest.JOSE("kid", "hostile"))
		login("unknown kid", false, 4)
		for range 10 {
			login("unknown kid again", false, 4)
		}
		a.Provider.EditIDToken(nil)
		login("the good key meanwhile", true, 4)
		time.Sleep(keysCooldown)

		// Between authorization and token request.
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			a.Provider.RotateKeys()
			next(w, r)
		})
		login("rotated just before signing", true, 5)
		a.Leaks(t, "")
	})
}

// Keys that cannot be had are the provider's fault: a 502 page, never a session
// without verification; and as soon as they can be had, logins work.
func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	}{
		{"404", apptest.RespondWith(404, apptest.Hostile)},
		{"500", apptest.RespondWith(500, apptest.Hostile)},
		{"204", apptest.RespondWith(204, "")},
		{"301 elsewhere", apptest.RespondWith(301, "", "Location", "https://evil.test/evil")},
		{"302 elsewhere", apptest.RespondWith(302, "", "Location", "https://evil.test/evil")},
		{"307 to itself", apptest.RespondWith(307, "", "Location", "/jwks")},
		{"a page", apptest.RespondWith(200, apptest.Hostile, "Content-Type", "text/html; hostile=hostile")},
		{"nothing", apptest.RespondWith(200, "")},
		{"half of a document", apptest.RespondWith(200, `{"keys":[{"kty":"hostile`)},
		{"a list", apptest.RespondWith(200, `[{"hostile":"hostile"}]`)},
		{"keys that are a string", apptest.RespondWith(200, `{"keys":"hostile"}`)},
		{"2 MiB", apptest.RespondWith(200, `{"keys":[],"hostile":"`+strings.Repeat("a", 2<<20)+`"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Net["evil.test"] = a.Count(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/jwks"
					a.Provider.ServeHTTP(w, r)
				})
				a.Provider.Intercept(oauthlogintest.JWKS, tt.answer)
				b := a.Browser(t)
				for range 2 {
					a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_unavailable")
					synctest.Wait() // for the end of the fetch, which others could still join
				}
				if n := a.Provider.Count(oauthlogintest.JWKS); n != 2 || a.Called("/evil") > 0 {
					t.Errorf("%d fetches, %d elsewhere", n, a.Called("/evil"))
				}
				if n := a.Provider.Count(oauthlogintest.UserInfo); n > 0 {
					t.Errorf("%d user info requests", n)
				}
				a.Provider.Intercept(oauthlogintest.JWKS, nil)
				a.Recovers(t, b)
			})
		})
	}
}

// A provider without the key that signed: there is an answer, and it is no.
func TestKeySetWithoutTheKey(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{`{"keys":[]}`, `{"keys":[{"kty":"oct","kid":"x","k":"AAAA"},{"kty":"hostile"}]}`} {
		t.Run(keys, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(200, keys))
				b := a.Browser(t)
				a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
				synctest.Wait()
				a.Provider.Intercept(oauthlogintest.JWKS, nil)
				a.Recovers(t, b)
			})
		})
	}
}

// Keys that were good stay good while the provider cannot be asked for others.
func TestKeysFailWhileKnown(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	a.Provider.Intercept(oauthlogintest.JWKS, apptest.RespondWith(500, ""))
	b.Login("/dashboard")
	a.Provider.EditIDToken(apptest.JOSE("kid", "hostile"))
	b.Post("/logout", nil)
	if resp := b.TryLogin(); resp.StatusCode != http.StatusBadGateway || b.SignedIn() {
		t.Errorf("answer is %d: %s", resp.StatusCode, resp.Text)
	}
	a.Provider.EditIDToken(nil)
	b.Login("/dashboard")
}
