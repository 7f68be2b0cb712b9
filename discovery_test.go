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
		a := newWiredApp(t, offline{})
		asked := 0
		a.wire.cutBy(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, errors.New("connection refused")
		})
		b := a.browser(t)
		start := time.Now()
		for range 3 {
			resp := b.get("/login?return_to=/dashboard")
			a.refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
			if !slices.Contains(resp.links(), "/login?return_to=%2Fdashboard") {
				t.Errorf("page leads to %q", resp.links())
			}
		}
		if time.Since(start) > 0 || asked != 1 {
			t.Errorf("took %v, asked %d times", time.Since(start), asked)
		}
		if resp := b.get("/"); resp.body != "home of nobody" {
			t.Errorf("public path: %d %s", resp.StatusCode, resp.body)
		}
		if resp := b.get("/dashboard"); !strings.HasPrefix(resp.location(), "/login?") {
			t.Errorf("guarded path: %d to %q", resp.StatusCode, resp.location())
		}

		a.wire.cutBy(nil)
		time.Sleep(discoveryCooldown - time.Millisecond)
		if resp := b.get("/login"); resp.StatusCode != http.StatusBadGateway || a.provider.Count(oauthlogintest.Discovery) > 0 {
			t.Errorf("during the cool-down: %d", resp.StatusCode)
		}
		time.Sleep(time.Millisecond)
		a.recovers(t, b)
		b.login("/dashboard")
		if n := a.provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
		// From now on discovery has nothing to fail at.
		a.provider.Intercept(oauthlogintest.Discovery, answerWith(500, ""))
		time.Sleep(24 * time.Hour)
		b.login("/dashboard")
	})
}

// Discovery that fails again starts another cool-down.
func TestProviderStaysDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newWiredApp(t, offline{})
		a.provider.Intercept(oauthlogintest.Discovery, answerWith(503, hostile))
		b := a.browser(t)
		for range 100 {
			b.get("/login")
			time.Sleep(500 * time.Millisecond)
		}
		if n := a.provider.Count(oauthlogintest.Discovery); n != 10 {
			t.Errorf("%d discoveries in 50 seconds", n)
		}
		time.Sleep(discoveryCooldown)
		a.provider.Intercept(oauthlogintest.Discovery, nil)
		a.recovers(t, b)
	})
}

func TestParallelLoginsShareDiscovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newWiredApp(t, offline{})
		a.provider.Intercept(oauthlogintest.Discovery, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			time.Sleep(time.Second)
			next(w, r)
		})
		var wg sync.WaitGroup
		for range 50 {
			b := a.browser(t)
			wg.Go(func() {
				if resp := b.get("/login"); resp.StatusCode != http.StatusSeeOther {
					t.Errorf("answer is %d: %s", resp.StatusCode, resp.body)
				}
			})
		}
		wg.Wait()
		if n := a.provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
	})
}

// Who began a discovery and hangs up takes nobody along.
func TestClientHangsUpDuringDiscovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newWiredApp(t, offline{})
		a.provider.Intercept(oauthlogintest.Discovery, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			time.Sleep(2 * time.Second)
			next(w, r)
		})
		first, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			a.routes().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(first, http.MethodGet, "/login", nil))
			if took := time.Since(start); took != time.Second {
				t.Errorf("the one who hung up was served for %v", took)
			}
		})
		time.Sleep(500 * time.Millisecond)
		b := a.browser(t)
		wg.Go(func() {
			if resp := b.get("/login"); resp.StatusCode != http.StatusSeeOther {
				t.Errorf("answer is %d: %s", resp.StatusCode, resp.body)
			}
		})
		time.Sleep(500 * time.Millisecond)
		hangUp()
		wg.Wait()
		if n := a.provider.Count(oauthlogintest.Discovery); n != 1 {
			t.Errorf("%d discoveries", n)
		}
		a.provider.Intercept(oauthlogintest.Discovery, nil)
		a.recovers(t, a.browser(t))
	})
}

// OpenID Connect Discovery section 4.3, RFC 8414 section 3.3, and what else
// metadata must not say: it stops before authorization.
func TestDiscoveryRefused(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(object) {
		return func(doc object) { doc[name] = value }
	}
	for _, tt := range []struct {
		name   string
		edit   func(doc object)
		answer func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	}{
		// oidcc-client-test-discovery-issuer-mismatch,
		// fapi2-security-profile-final-client-test-discovery-issuer-mismatch.
		{name: "another issuer", edit: set("issuer", "https://evil.test/hostile")},
		{name: "an issuer with a slash more", edit: set("issuer", "https://provider.test/")},
		{name: "an issuer in other case", edit: set("issuer", "https://PROVIDER.test")},
		{name: "an issuer over http", edit: set("issuer", "http://provider.test")},
		{name: "no issuer", edit: func(doc object) { delete(doc, "issuer") }},
		{name: "an issuer that is a list", edit: set("issuer", []string{"https://provider.test"})},

		// Fulcio CVE-2026-49478, Octo STS CVE-2025-52477.
		{name: "301 elsewhere", answer: answerWith(301, "", "Location", "https://evil.test/evil")},
		{name: "302 elsewhere", answer: answerWith(302, "", "Location", "https://evil.test/evil")},
		{name: "307 elsewhere", answer: answerWith(307, "", "Location", "https://evil.test/evil")},
		{name: "308 to itself", answer: answerWith(308, "", "Location", "/.well-known/openid-configuration")},
		{name: "302 to no URL", answer: answerWith(302, "", "Location", "https://evil.test/%zzhostile")},

		{name: "404", answer: answerWith(404, hostile)},
		{name: "500", answer: answerWith(500, hostile)},
		{name: "204", answer: answerWith(204, "")},
		{name: "203 with metadata", answer: func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			rec := httptest.NewRecorder()
			next(rec, r)
			w.WriteHeader(http.StatusNonAuthoritativeInfo)
			w.Write(rec.Body.Bytes())
		}},
		{name: "a page", answer: answerWith(200, hostile, "Content-Type", "text/html; hostile=hostile")},
		{name: "nothing", answer: answerWith(200, "")},
		{name: "half of a document", answer: answerWith(200, `{"issuer":"https://provider.test","hostile`)},
		{name: "a list", answer: answerWith(200, `[{"issuer":"https://provider.test"}]`)},
		{name: "null", answer: answerWith(200, "null")},
		{name: "2 MiB", edit: set("padding", strings.Repeat("a", 2<<20))},

		{name: "no authorization endpoint", edit: func(doc object) { delete(doc, "authorization_endpoint") }},
		{name: "no token endpoint", edit: func(doc object) { delete(doc, "token_endpoint") }},
		{name: "no keys", edit: func(doc object) { delete(doc, "jwks_uri") }},
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
				a := newWiredApp(t, offline{})
				a.net["evil.test"] = a.count(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/.well-known/openid-configuration"
					a.provider.ServeHTTP(w, r)
				})
				a.provider.EditDiscovery(tt.edit)
				a.provider.Intercept(oauthlogintest.Discovery, tt.answer)
				b := a.browser(t)
				resp := b.get("/login?return_to=/dashboard")
				a.refused(t, b, resp, http.StatusBadGateway, "provider_unavailable")
				if a.called("/evil") > 0 || a.provider.Count(oauthlogintest.Discovery) != 1 {
					t.Errorf("%d discoveries, %d elsewhere", a.provider.Count(oauthlogintest.Discovery), a.called("/evil"))
				}
				a.provider.EditDiscovery(nil)
				a.provider.Intercept(oauthlogintest.Discovery, nil)
				time.Sleep(discoveryCooldown)
				a.recovers(t, b)
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
			a := newWiredApp(t, offline{provider: oauthlogintest.Config{Issuer: issuer}})
			var user oauthlogin.User
			if err := json.Unmarshal([]byte(a.browser(t).login("/dashboard").body), &user); err != nil {
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
			a := newWiredApp(t, offline{
				provider: oauthlogintest.Config{Issuer: said},
				change:   func(opts *oauthlogin.Options) { opts.Providers[0].Issuer = configured },
			})
			b := a.browser(t)
			a.refused(t, b, b.get("/login"), http.StatusBadGateway, "provider_unavailable")
		})
	}
}

// Loopback may be http: what is tried out there needs no certificate.
func TestIssuerOnLoopback(t *testing.T) {
	t.Parallel()
	a := newWiredApp(t, offline{provider: oauthlogintest.Config{Issuer: "http://127.0.0.1:9000"}})
	a.net["127.0.0.1:9000"] = a.provider
	a.browser(t).login("/dashboard")
}

// The OpenID Foundation's oidcc-client-test-discovery-jwks-uri-keys,
// oidcc-client-test-signing-key-rotation and
// oidcc-client-test-signing-key-rotation-just-before-signing: the keys are fetched
// again at the first unknown key id, and then not for a while (OpenID Connect Core
// section 10.1.1).
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newWiredApp(t, offline{})
		b := a.browser(t)
		login := func(what string, ok bool, fetches int) {
			t.Helper()
			synctest.Wait() // for the end of the fetch before
			b.post("/logout", nil)
			resp := failingLogin(b)
			if got := resp.StatusCode == http.StatusOK; got != ok || b.signedIn() != ok {
				t.Errorf("%s: answer is %d: %s", what, resp.StatusCode, a.log)
			}
			if !ok && resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%s: answer is %d", what, resp.StatusCode)
			}
			if n := a.provider.Count(oauthlogintest.JWKS); n != fetches {
				t.Errorf("%s: %d fetches of keys, want %d", what, n, fetches)
			}
		}
		login("first login", true, 1)
		login("another", true, 1)
		a.provider.RotateKeys()
		login("rotated at once", true, 2)
		login("another", true, 2)
		a.provider.RotateKeys()
		login("rotated again", false, 2)
		time.Sleep(keysCooldown - time.Millisecond)
		login("still within the cool-down", false, 2)
		time.Sleep(time.Millisecond)
		login("after the cool-down", true, 3)
		time.Sleep(keysCooldown)

		a.provider.EditIDToken(in("kid", "hostile"))
		login("unknown kid", false, 4)
		for range 10 {
			login("unknown kid again", false, 4)
		}
		a.provider.EditIDToken(nil)
		login("the good key meanwhile", true, 4)
		time.Sleep(keysCooldown)

		// Between authorization and token request.
		a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			a.provider.RotateKeys()
			next(w, r)
		})
		login("rotated just before signing", true, 5)
		a.leaks(t, "")
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
		{"404", answerWith(404, hostile)},
		{"500", answerWith(500, hostile)},
		{"204", answerWith(204, "")},
		{"301 elsewhere", answerWith(301, "", "Location", "https://evil.test/evil")},
		{"302 elsewhere", answerWith(302, "", "Location", "https://evil.test/evil")},
		{"307 to itself", answerWith(307, "", "Location", "/jwks")},
		{"a page", answerWith(200, hostile, "Content-Type", "text/html; hostile=hostile")},
		{"nothing", answerWith(200, "")},
		{"half of a document", answerWith(200, `{"keys":[{"kty":"hostile`)},
		{"a list", answerWith(200, `[{"hostile":"hostile"}]`)},
		{"keys that are a string", answerWith(200, `{"keys":"hostile"}`)},
		{"2 MiB", answerWith(200, `{"keys":[],"hostile":"`+strings.Repeat("a", 2<<20)+`"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newWiredApp(t, offline{})
				a.net["evil.test"] = a.count(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/jwks"
					a.provider.ServeHTTP(w, r)
				})
				a.provider.Intercept(oauthlogintest.JWKS, tt.answer)
				b := a.browser(t)
				for range 2 {
					a.refused(t, b, failingLogin(b), http.StatusBadGateway, "provider_unavailable")
					synctest.Wait() // for the end of the fetch, which others could still join
				}
				if n := a.provider.Count(oauthlogintest.JWKS); n != 2 || a.called("/evil") > 0 {
					t.Errorf("%d fetches, %d elsewhere", n, a.called("/evil"))
				}
				if n := a.provider.Count(oauthlogintest.UserInfo); n > 0 {
					t.Errorf("%d user info requests", n)
				}
				a.provider.Intercept(oauthlogintest.JWKS, nil)
				a.recovers(t, b)
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
				a := newWiredApp(t, offline{})
				a.provider.Intercept(oauthlogintest.JWKS, answerWith(200, keys))
				b := a.browser(t)
				a.refused(t, b, failingLogin(b), http.StatusBadGateway, "provider_rejected")
				synctest.Wait()
				a.provider.Intercept(oauthlogintest.JWKS, nil)
				a.recovers(t, b)
			})
		})
	}
}

// Keys that were good stay good while the provider cannot be asked for others.
func TestKeysFailWhileKnown(t *testing.T) {
	t.Parallel()
	a := newWiredApp(t, offline{})
	b := a.browser(t)
	b.login("/dashboard")
	a.provider.Intercept(oauthlogintest.JWKS, answerWith(500, ""))
	b.login("/dashboard")
	a.provider.EditIDToken(in("kid", "hostile"))
	b.post("/logout", nil)
	if resp := failingLogin(b); resp.StatusCode != http.StatusBadGateway || b.signedIn() {
		t.Errorf("answer is %d: %s", resp.StatusCode, resp.body)
	}
	a.provider.EditIDToken(nil)
	b.login("/dashboard")
}
