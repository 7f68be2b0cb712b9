package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// injections are what must not come out as anything but text.
var injections = []string{
	`<script>hostile()</script>`, `"><img src=x onerror=hostile()>`, `'-hostile()-'`, "javascript:hostile()", "{{.hostile}}", "hostile\r\nSet-Cookie: hostile=1", "hostile\r\n\r\n<html>",
	"hostile\ntime=2026-01-01 level=ERROR msg=hostile", "\x1b]0;hostile\x07\x1b[2J", "\u202ehostile\u2028hostile\u0085", "%s%n%x%d%v hostile", "${jndi:ldap://hostile.test}", "hostile\x00", "\xff\xfehostile",
}

// requestsWith puts a value wherever a request has room for one.
func requestsWith(a *apptest.App, b *apptest.Browser, value string) (answers []*apptest.Response) {
	query := url.QueryEscape(value)
	for _, target := range []string{
		"/login?provider=", "/login?return_to=", "/login?step_up=", "/login?x=", "/login?return_to=/&provider=%zz&x=", "/?state=", "/auth/callback?code=x&state=", "/auth/callback?state=x&iss=", "/auth/callback?x=", "/auth/callback?state=x&error_description=",
	} {
		answers = append(answers, b.Get(target+query))
	}
	for _, name := range []string{"code", "iss", "error_description", "error_uri", "x", "scope", "session_state"} {
		cb := withParameters(a, b.CallbackURL("/login"), name, value)
		if name != "iss" {
			cb = withParameters(a, cb, "error", "access_denied")
		}
		answers = append(answers, b.Get(cb))
	}
	return append(answers, b.Post("/logout?return_to="+query, url.Values{"return_to": {value}, value: {value}}),
		b.Post("/logout", nil, "Origin", "https://"+strings.Map(func(c rune) rune {
			if c < 0x20 || c > 0x7e {
				return -1
			}
			return c
		}, value)))
}

func reflectedErrors(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, value := range injections {
		for _, resp := range requestsWith(a, b, value) {
			if resp.StatusCode >= 500 || strings.Contains(resp.Text, "<script") || strings.Contains(resp.Text, "onerror") {
				t.Errorf("%q: %d %s", value, resp.StatusCode, resp.Text)
			}
			if policy := resp.Header.Get("Content-Security-Policy"); resp.StatusCode >= 400 && !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("%q: page of %s with policy %q", value, resp.Request.URL, policy)
			}
		}
		// An error code is the one thing that is logged, and nowhere shown.
		own := withParameters(a, b.CallbackURL("/login"), "code", "", "error", strings.ReplaceAll(value, "hostile", "attack"))
		if resp := b.Get(own); resp.StatusCode != http.StatusBadRequest || strings.Contains(resp.Text, "attack") || strings.Contains(fmt.Sprint(resp.Header), "attack") {
			t.Errorf("error %q: %d %s", value, resp.StatusCode, resp.Text)
		}
	}
	a.Leaves(b, apptest.Aftermath{})
}

// What the log was given is checked by printableOnly.
func logInjection(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, value := range injections {
		requestsWith(a, b, value)
		attack := strings.ReplaceAll(value, "hostile", "attack")
		b.Get(withParameters(a, b.CallbackURL("/login"), "code", "", "error", attack))
		method := strings.Map(func(c rune) rune { // what net/http takes for one
			if strings.ContainsRune("!#$%&'*+-.^_`|~", c) || unicode.IsLetter(c) && c < 0x80 {
				return c
			}
			return -1
		}, attack)
		a.Raw(b, nil, method+" /auth/callback", "User-Agent", "x", "Cookie", apptest.SessionCookie+"="+url.PathEscape(value))
		// And what a provider says that is not one any more.
		answers := map[oauthlogintest.Endpoint][]string{
			oauthlogintest.Token:    {jsonOf("error", attack), jsonOf("access_token", "x", "token_type", attack), jsonOf("access_token", value), jsonOf("access_token", "x", "id_token", value), value},
			oauthlogintest.JWKS:     {value, jsonOf("keys", value)},
			oauthlogintest.UserInfo: {value, jsonOf("sub", value)},
		}
		a.Provider.EditIDToken(apptest.Without("name"))
		for endpoint, bodies := range answers {
			for _, body := range bodies {
				a.Provider.RotateKeys() // so that keys are asked for
				a.Provider.Intercept(endpoint, apptest.RespondWith(http.StatusOK, body))
				time.Sleep(time.Minute)
				if resp := b.Get(b.CallbackURL("/login")); resp.StatusCode < 400 {
					t.Errorf("%s answers %q: %d", endpoint, body, resp.StatusCode)
				}
			}
			a.Provider.Intercept(endpoint, nil)
		}
	}
	for line := range strings.Lines(a.Log.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("log has the line %q", line)
		}
	}
	a.Leaves(b, apptest.Aftermath{Codes: a.Provider.Count(oauthlogintest.Token)})
}

func tokensInPages(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{Provider: oauthlogintest.Config{JWTAccessTokens: true, Users: []oauthlogintest.User{
		{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: map[string]any{"groups": []string{"admin"}}},
	}}})
	gate := a.Recorded(a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(a.Gate()))
	b := a.Browser(t)
	login := b.Get("/login?return_to=/dashboard")
	callback := b.Get(login.Location()).Location()
	for _, target := range []string{callback, "/dashboard", "/", callback, "/login", "/api/me", "/userinfo", "/oauth2/userinfo", "/.pomerium/user", "/auth/callback", "/logout", "/token"} {
		b.Get(target)
	}
	if resp := a.Raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusOK {
		t.Errorf("an admin: %d", resp.StatusCode)
	}
	// What the provider says is no more goes with the next refresh.
	a.Provider.EditIDToken(apptest.Without("groups"))
	time.Sleep(time.Hour)
	if resp := a.Raw(b, gate, "GET /admin/", "Accept", "text/html"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("an admin no more: %d", resp.StatusCode)
	}
	// In no URL either, but the ID token that the provider's logout asks for.
	out := b.Post("/logout?return_to=https://hostile.test", nil)
	secrets := slices.DeleteFunc(a.Secrets(), func(s string) bool {
		return strings.Contains(login.Location(), s) || strings.Contains(callback, s) || s == apptest.QueryOf(out.Location()).Get("id_token_hint")
	})
	if len(secrets) < 7 { // of the client two, a verifier, an ID token, two access and two refresh tokens
		t.Fatalf("%d secrets to look for", len(secrets))
	}
	for _, location := range a.Told() {
		for _, secret := range secrets {
			if strings.Contains(location, secret) {
				t.Errorf("%s has %.30s in it", location, secret)
			}
		}
	}
	a.Leaves(b, apptest.Aftermath{Codes: 2, Runs: 3}) // and pages, of all that was said
}

func escapedPages(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	const markup = `/x"><script>alert()</script>'&{{.}}` // a path that is local
	resp := b.Get(withParameters(a, b.CallbackURL("/login?return_to="+url.QueryEscape(markup)), "code", "", "error", "access_denied"))
	if strings.Contains(resp.Text, "<script") || len(resp.Links()) != 1 {
		t.Errorf("page %s", resp.Text)
	}
	mayLead(a, markup, b.Get(b.CallbackURL(resp.Links()[0])))
	thief := b.Clone()
	b.Post("/logout", nil)
	for _, header := range forwarded {
		a.Expect("after the logout", closed(a, thief, "GET /dashboard", header...), http.StatusFound, "/login?return_to=%2Fdashboard")
	}
	a.Leaves(thief, apptest.Aftermath{Codes: 1})
}

// jsonOf is a JSON object of strings.
func jsonOf(nameValue ...string) string {
	o := map[string]any{}
	for i := 0; i < len(nameValue); i += 2 {
		o[nameValue[i]] = nameValue[i+1]
	}
	b, _ := json.Marshal(o)
	return string(b)
}
