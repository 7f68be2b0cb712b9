package apptest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RefusedAtOnce fails the test unless resp refused a login before the provider
// was asked for anything: no session, no redirect, no request.
func (a *App) RefusedAtOnce(b *Browser, resp *Response, status int) {
	b.T.Helper()
	if resp.StatusCode != status || resp.Location() != "" {
		b.T.Errorf("status %d to %q; want %d", resp.StatusCode, resp.Location(), status)
	}
	for _, c := range resp.Cookies() {
		if c.MaxAge >= 0 {
			b.T.Errorf("cookie %s was set", c.Name)
		}
	}
	for _, e := range []oauthlogintest.Endpoint{oauthlogintest.Token, oauthlogintest.JWKS, oauthlogintest.UserInfo} {
		if n := a.Provider.Count(e); n > 0 {
			b.T.Errorf("%d requests to %s", n, e)
		}
	}
	if b.SignedIn() {
		b.T.Error("signed in")
	}
	if n := a.Called("/dashboard") + a.Called("/api/me"); n > 0 {
		b.T.Errorf("guarded handlers ran %d times", n)
	}
}

// Secrets returns all codes, verifiers, states, nonces, assertions, tokens and
// other responses of the token endpoint that were on their way so far, and the
// client's secret.
func (a *App) Secrets() (secrets []string) {
	secrets = []string{clientSecret, base64.StdEncoding.EncodeToString([]byte("app:" + clientSecret))}
	for _, r := range a.Provider.Requests(oauthlogintest.Authorization) {
		secrets = append(secrets, r.Query.Get("state"), r.Query.Get("nonce"))
	}
	for _, r := range a.Provider.Requests(oauthlogintest.PushedAuthorization) {
		secrets = append(secrets, r.Form.Get("state"), r.Form.Get("nonce"), r.Form.Get("client_assertion"))
	}
	for _, r := range a.Provider.Requests(oauthlogintest.Token) {
		secrets = append(secrets, r.Form.Get("code"), r.Form.Get("code_verifier"), r.Form.Get("client_assertion"))
	}
	for _, body := range a.Wire.Responses() {
		var tokens map[string]any
		if json.Unmarshal([]byte(body), &tokens) != nil {
			secrets = append(secrets, body)
		}
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token, ok := tokens[name].(string); ok {
				secrets = append(secrets, token)
			}
		}
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 8 })
}

// quoted is what the log shows of a provider's words: its description of an error,
// cleaned and at Debug, and an audience that is not trusted.
var quoted = regexp.MustCompile(`description=(?:"[^"]*"|\S*)|the audience \\?"[^"\\]*\\?"`)

// Leaks fails the test if a page or the log has a secret in it, or what a
// provider wrote freely.
func (a *App) Leaks(t *testing.T, page string) {
	t.Helper()
	for where, text := range map[string]string{"page": page, "log": a.Log.String()} {
		for _, secret := range a.Secrets() {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s has %.40q in it", where, secret)
			}
		}
		if strings.Contains(quoted.ReplaceAllString(text, ""), "hostile") {
			t.Errorf("%s has the provider's words in it: %.500s", where, text)
		}
	}
}

// Refused fails the test unless resp is an error page with the status, the
// log has the code, and there is neither a session nor a login pending.
func (a *App) Refused(t *testing.T, b *Browser, resp *Response, status int, code string) {
	t.Helper()
	if resp.StatusCode != status || resp.Location() != "" {
		t.Errorf("response is %d to %q, want %d: %s", resp.StatusCode, resp.Location(), status, resp.Text)
	}
	if !strings.Contains(a.Log.String(), code) {
		t.Errorf("log does not say %s: %s", code, a.Log)
	}
	if cookies := b.Cookies(); len(cookies) > 0 {
		t.Errorf("browser has %v", slices.Collect(maps.Keys(cookies)))
	}
	if a.Called("/dashboard") > 0 || b.SignedIn() {
		t.Error("the handler was reached")
	}
	a.Leaks(t, resp.Text)
}

// Recovers fails the test unless a clean login works now.
func (a *App) Recovers(t *testing.T, b *Browser) {
	t.Helper()
	before := a.Provider.Count(oauthlogintest.Token)
	b.Login("/dashboard")
	if n := a.Provider.Count(oauthlogintest.Token) - before; n != 1 {
		t.Errorf("clean login made %d token requests", n)
	}
	a.Leaks(t, "")
}
