package adversarial_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// injections must come out as text or not at all.
var injections = []string{
	`<script>hostile()</script>`, `"><img src=x onerror=hostile()>`, `'-hostile()-'`, "javascript:hostile()", "{{.hostile}}", "hostile\r\nSet-Cookie: hostile=1", "hostile\r\n\r\n<html>",
	"hostile\ntime=2026-01-01 level=ERROR msg=hostile", "\x1b]0;hostile\x07\x1b[2J", "\u202ehostile\u2028hostile\u0085", "%s%n%x%d%v hostile", "${jndi:ldap://hostile.test}", "hostile\x00", "\xff\xfehostile",
}

// CVE-2021-32702 GHSA-954c-jjx6-cxv7 nextjs-auth0, CVE-2026-33758 OpenBao,
// CVE-2026-40302 zrok, CVE-2021-45325 Gitea: the error page repeated the error.
// CVE-2021-32785 mod_auth_openidc: input was a format string. Whatever a request or
// a provider says is in no page and no header, and in the log only in one line of
// printable characters, which NewAttacked checks.
func TestInjections(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		for _, value := range injections {
			for _, resp := range requestsWith(a, b, value) {
				if resp.StatusCode >= 500 || strings.Contains(resp.Text, "<script") || strings.Contains(resp.Text, "onerror") {
					t.Errorf("%q: %d %s", value, resp.StatusCode, resp.Text)
				}
				if policy := resp.Header.Get("Content-Security-Policy"); resp.StatusCode >= 400 && !strings.HasPrefix(policy, "default-src 'none'") {
					t.Errorf("%q: page of %s with policy %q", value, resp.Request.URL, policy)
				}
			}
			// The log gets error codes, and Leaves would find "hostile" there.
			attack := strings.ReplaceAll(value, "hostile", "attack")
			if resp := b.Get(deniedWith(a, b, "error", attack)); resp.StatusCode != http.StatusBadRequest || strings.Contains(resp.Text, "attack") || strings.Contains(fmt.Sprint(resp.Header), "attack") {
				t.Errorf("error %q: %d %s", value, resp.StatusCode, resp.Text)
			}
			method := strings.Map(func(c rune) rune { // the characters that net/http allows
				if strings.ContainsRune("!#$%&'*+-.^_`|~", c) || unicode.IsLetter(c) && c < 0x80 {
					return c
				}
				return -1
			}, attack)
			a.Raw(b, nil, method+" /auth/callback", "User-Agent", "x", "Cookie", apptest.SessionCookie+"="+url.PathEscape(value))
		}
		if n := a.Provider.Count(oauthlogintest.Token); n > 0 {
			t.Errorf("%d token requests", n)
		}
		a.Provider.EditIDToken(apptest.Without("name"))
		for _, value := range injections {
			attack := strings.ReplaceAll(value, "hostile", "attack")
			for endpoint, bodies := range map[oauthlogintest.Endpoint][]string{
				oauthlogintest.Token:    {jsonOf("error", attack), jsonOf("access_token", "x", "token_type", attack), jsonOf("access_token", value), jsonOf("access_token", "x", "id_token", value), value},
				oauthlogintest.JWKS:     {value, jsonOf("keys", value)},
				oauthlogintest.UserInfo: {jsonOf("sub", value)},
			} {
				for _, body := range bodies {
					a.Provider.RotateKeys() // so that the keys are read again
					a.Provider.Intercept(endpoint, apptest.RespondWith(http.StatusOK, body))
					time.Sleep(time.Minute)
					if resp := b.Get(b.CallbackURL("/login")); resp.StatusCode < 400 {
						t.Errorf("%s says %q: %d", endpoint, body, resp.StatusCode)
					}
				}
				a.Provider.Intercept(endpoint, nil)
			}
		}
		for line := range strings.Lines(a.Log.String()) {
			if !strings.HasPrefix(line, "time=") {
				t.Errorf("the log has the line %q", line)
			}
		}
		a.Leaves(b, apptest.Aftermath{Codes: a.Provider.Count(oauthlogintest.Token)})
	})
}

// requestsWith puts a value wherever a request has room for one.
func requestsWith(a *apptest.App, b *apptest.Browser, value string) (responses []*apptest.Response) {
	query := url.QueryEscape(value)
	for _, target := range []string{
		"/login?provider=", "/login?return_to=", "/login?step_up=", "/login?x=", "/login?return_to=/&provider=%zz&x=", "/?state=", "/auth/callback?code=x&state=", "/auth/callback?state=x&iss=", "/auth/callback?x=", "/auth/callback?state=x&error_description=",
	} {
		responses = append(responses, b.Get(target+query))
	}
	// The log gets descriptions, and Leaves would find "hostile" there.
	described := b.Get(deniedWith(a, b, "error", "access_denied", "error_description", strings.ReplaceAll(value, "hostile", "attack")))
	responses = append(responses, described)
	for _, name := range []string{"code", "error_uri", "x", "scope", "session_state"} {
		responses = append(responses, b.Get(deniedWith(a, b, "error", "access_denied", name, value)))
	}
	ofAnotherIssuer := apptest.Edited(a.T, b.CallbackURL("/login"), func(q url.Values) { q.Set("iss", value) })
	origin := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e {
			return -1
		}
		return c
	}, value)
	return append(responses, b.Get(ofAnotherIssuer),
		b.Post("/logout?return_to="+query, url.Values{"return_to": {value}, value: {value}}), b.Post("/logout", nil, "Origin", "https://"+origin))
}

// deniedWith is a callback URL without a code and with these parameters.
func deniedWith(a *apptest.App, b *apptest.Browser, nameValue ...string) string {
	return apptest.Edited(a.T, b.CallbackURL("/login"), func(q url.Values) {
		q.Del("code")
		for i := 0; i < len(nameValue); i += 2 {
			q.Set(nameValue[i], nameValue[i+1])
		}
	})
}

// CVE-2021-29651 CVE-2021-29652 CVE-2024-39315 Pomerium: tokens in pages and URLs. Leaves
// looks for them in what was written, TestTokensInNoURL in URLs.
func TestNoPageShowsTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{Provider: oauthlogintest.Config{JWTAccessTokens: true}})
		b := a.Browser(t)
		callback := b.CallbackURL("/login?return_to=/dashboard")
		for _, target := range []string{callback, "/dashboard", "/", callback, "/login", "/api/me", "/userinfo", "/oauth2/userinfo", "/.pomerium/user", "/auth/callback", "/logout", "/token"} {
			b.Get(target)
		}
		time.Sleep(time.Hour)
		b.Get("/dashboard") // and its refresh
		b.Post("/logout?return_to=https://hostile.test", nil)
		a.Leaves(b, apptest.Aftermath{Codes: 2, Runs: 3})
	})
}

// CVE-2021-41230 Pomerium: a group that the provider has taken away is gone with
// the next refreshed ID token.
func TestRemovedGroupIsGoneAfterRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
			{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: map[string]any{"groups": []string{"admin"}}},
		}}})
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusOK {
			t.Errorf("a member of the group: %d", resp.StatusCode)
		}
		a.Provider.EditIDToken(apptest.Without("groups"))
		time.Sleep(time.Hour)
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("after the refresh: %d", resp.StatusCode)
		}
		a.WantRefreshes(t, 1)
	})
}

// CVE-2024-21492 to CVE-2024-21500 caddy-security: cross-site scripting by the
// return path, sessions that survived their logout, and trust in X-Forwarded-For and
// X-Forwarded-Proto.
func TestMarkupInReturnPath(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		const markup = `/x"><script>alert()</script>'&{{.}}` // a path that is local
		denied := apptest.Edited(t, b.CallbackURL("/login?return_to="+url.QueryEscape(markup)), func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") })
		resp := b.Get(denied)
		if strings.Contains(resp.Text, "<script") || len(resp.Links()) != 1 {
			t.Fatalf("page %s", resp.Text)
		}
		if back := b.Get(b.CallbackURL(resp.Links()[0])); back.StatusCode != http.StatusSeeOther || apptest.BrowserOrigin(back.Location()) != "https://app.test" {
			t.Errorf("the retry leads to %q", back.Location())
		}
		thief := b.Clone()
		b.Post("/logout", nil)
		for _, header := range apptest.ForwardedHeaders {
			a.Expect("after the logout", a.Closed(thief, "GET /dashboard", header...), http.StatusFound, "/login?return_to=%2Fdashboard")
		}
		a.Leaves(thief, apptest.Aftermath{Codes: 1})
	})
}

// CVE-2025-48947 nextjs-auth0: a shared cache kept a session. http.FileServer removes
// Cache-Control from its errors; Expires still keeps the session cookie out of caches.
func TestErrorsOfFileServerAreNotCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.txt"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		a := apptest.New(t, apptest.Config{})
		a.Provider.SetKeyAlg("EdDSA")
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/files/", a.Auth.RequireAuth(http.StripPrefix("/files/", http.FileServer(http.Dir(dir)))))
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(3 * time.Hour) // the cookie is renewed
		resp := b.Get("/files/missing.txt")
		if len(resp.Header["Set-Cookie"]) == 0 || resp.Header.Get("Cache-Control") != "" || resp.Header.Get("Expires") != "0" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	})
}

// jsonOf is a JSON object of strings.
func jsonOf(nameValue ...string) string {
	o := map[string]string{}
	for i := 0; i < len(nameValue); i += 2 {
		o[nameValue[i]] = nameValue[i+1]
	}
	b, _ := json.Marshal(o)
	return string(b)
}
