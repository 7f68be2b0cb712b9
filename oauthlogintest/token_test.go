package oauthlogintest_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestCodeIsBound(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	tests := []struct {
		name, field, value, want string
	}{
		{"wrong verifier", "code_verifier", strings.Repeat("a", 43), "invalid_grant"},
		{"no verifier", "code_verifier", "", "invalid_request"},
		{"short verifier", "code_verifier", strings.Repeat("a", 42), "invalid_request"},
		{"long verifier", "code_verifier", strings.Repeat("a", 129), "invalid_request"},
		{"verifier with a space", "code_verifier", strings.Repeat("a ", 30), "invalid_request"},
		{"another redirect URI", "redirect_uri", redirectURI + "/", "invalid_grant"},
		{"no redirect URI", "redirect_uri", "", "invalid_grant"},
		{"another code", "code", "x", "invalid_grant"},
		{"no code", "code", "", "invalid_request"},
		{"no grant type", "grant_type", "", "invalid_request"},
		{"another grant type", "grant_type", "password", "unsupported_grant_type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			l := newLogin(p)
			form := l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))
			form.Set(test.field, test.value)
			wantError(t, b.token(p, form), http.StatusBadRequest, test.want)
		})
	}
	t.Run("another client", func(t *testing.T) {
		b := newBrowser(t)
		l := newLogin(p)
		form := l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))
		stolen := url.Values{"client_id": {publicID}}
		maps.Copy(stolen, form)
		wantError(t, b.post(p.Issuer()+"/token", stolen), http.StatusBadRequest, "invalid_grant")
		if a := b.token(p, form); a.StatusCode != http.StatusOK {
			t.Errorf("the client itself afterwards: %d %s", a.StatusCode, a.body)
		}
	})
}

func TestExpiry(t *testing.T) {
	now := time.Now()
	p := start(t, func(c *oauthlogintest.Config) {
		c.Now = func() time.Time { return now }
		c.CodeTTL, c.AccessTokenTTL, c.RefreshTokenTTL = 10*time.Second, 20*time.Second, 30*time.Second
	})
	p.AutoApprove("alice")
	b := newBrowser(t)
	resp := b.signIn(p)
	l := newLogin(p)
	code := b.get(l.url()).redirect(t).Get("code")

	now = now.Add(10 * time.Second)
	wantError(t, b.token(p, l.exchangeForm(code)), http.StatusBadRequest, "invalid_grant")
	now = now.Add(10*time.Second - 1)
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("access token before it expired: %d", a.StatusCode)
	}
	now = now.Add(1)
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("expired access token: %d, want 401", a.StatusCode)
	}
	now = now.Add(10 * time.Second)
	wantError(t, b.refresh(p, resp["refresh_token"]), http.StatusBadRequest, "invalid_grant")
}

func TestCodeReuseRevokesItsTokens(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	l := newLogin(p)
	form := l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))
	resp := b.token(p, form).json(t)
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusOK {
		t.Fatalf("userinfo: %d", a.StatusCode)
	}
	wantError(t, b.token(p, form), http.StatusBadRequest, "invalid_grant")
	if a := b.userInfo(p, resp["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token after the code was reused: %d, want 401", a.StatusCode)
	}
	wantError(t, b.refresh(p, resp["refresh_token"]), http.StatusBadRequest, "invalid_grant")
}

func TestCodeIsRedeemedOnce(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	l := newLogin(p)
	form := l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))
	statuses := make(chan int, 8)
	var wg sync.WaitGroup
	for range cap(statuses) {
		wg.Go(func() {
			resp, err := b.Do(b.request("POST", p.Issuer()+"/token", form, basic()...))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	counts := map[int]int{}
	for status := range statuses {
		counts[status]++
	}
	if counts[http.StatusOK] != 1 || counts[http.StatusBadRequest] != cap(statuses)-1 {
		t.Errorf("responses by status: %v, want one 200", counts)
	}
}

func TestClientAuthentication(t *testing.T) {
	p := start(t)
	withBasic := func(id, secret string) []string {
		req, _ := http.NewRequest("POST", "/", nil)
		req.SetBasicAuth(id, secret)
		return []string{"Authorization", req.Header.Get("Authorization")}
	}
	escaped := url.QueryEscape(clientSecret)
	// An authenticated client gets as far as the missing grant_type.
	tests := []struct {
		name   string
		form   url.Values
		header []string
		status int
		want   string
	}{
		{"basic", url.Values{}, withBasic(clientID, escaped), 400, "invalid_request"},
		{"basic and client_id", url.Values{"client_id": {clientID}}, withBasic(clientID, escaped), 400, "invalid_request"},
		{"post", url.Values{"client_id": {clientID}, "client_secret": {clientSecret}}, nil, 400, "invalid_request"},
		{"none", url.Values{"client_id": {publicID}}, nil, 400, "invalid_request"},
		{"basic not urlencoded", url.Values{}, withBasic(clientID, clientSecret), 401, "invalid_client"},
		{"basic with a wrong secret", url.Values{}, withBasic(clientID, "x"), 401, "invalid_client"},
		{"basic with another client_id", url.Values{"client_id": {publicID}}, withBasic(clientID, escaped), 401, "invalid_client"},
		{"basic of a public client", url.Values{}, withBasic(publicID, ""), 401, "invalid_client"},
		{"another scheme", url.Values{"client_id": {publicID}}, []string{"Authorization", "Bearer x"}, 401, "invalid_client"},
		{"post with a wrong secret", url.Values{"client_id": {clientID}, "client_secret": {"x"}}, nil, 401, "invalid_client"},
		{"secret left out", url.Values{"client_id": {clientID}}, nil, 401, "invalid_client"},
		{"secret of a public client", url.Values{"client_id": {publicID}, "client_secret": {"x"}}, nil, 401, "invalid_client"},
		{"unknown client", url.Values{"client_id": {"x"}}, nil, 401, "invalid_client"},
		{"nothing", url.Values{}, nil, 401, "invalid_client"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newBrowser(t).post(p.Issuer()+"/token", test.form, test.header...)
			wantError(t, a, test.status, test.want)
			if challenge := a.Header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Basic ") != (test.status == 401) {
				t.Errorf("WWW-Authenticate = %q", challenge)
			}
		})
	}
	t.Run("two ways", func(t *testing.T) {
		b := newBrowser(t)
		p.AutoApprove("alice")
		l := newLogin(p)
		form := l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))
		form.Set("client_secret", clientSecret)
		wantError(t, b.token(p, form), http.StatusBadRequest, "invalid_request")
	})
}

func TestTokenRequestForm(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	form := func() string {
		l := newLogin(p)
		return l.exchangeForm(b.get(l.url()).redirect(t).Get("code")).Encode()
	}
	endpoint := p.Issuer() + "/token"

	if a := b.get(endpoint+"?"+form(), basic()...); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", a.StatusCode, a.Header.Get("Allow"))
	}
	wantError(t, b.post(endpoint+"?"+form(), url.Values{"x": {"y"}}, basic()...), http.StatusBadRequest, "invalid_request")
	parsed, _ := url.ParseQuery(form())
	wantError(t, b.post(endpoint, parsed, append(basic(), "Content-Type", "application/json")...), http.StatusBadRequest, "invalid_request")
	parsed, _ = url.ParseQuery(form())
	parsed.Add("code", "again")
	wantError(t, b.token(p, parsed), http.StatusBadRequest, "invalid_request")
}

func TestRefresh(t *testing.T) {
	now := time.Now()
	p := start(t, func(c *oauthlogintest.Config) { c.Now = func() time.Time { return now } })
	p.AutoApprove("alice")
	b := newBrowser(t)
	first := b.signIn(p)
	before := verify(t, p, first)
	now = now.Add(time.Minute)

	second := b.refresh(p, first["refresh_token"]).json(t)
	after := verify(t, p, second)
	if second["refresh_token"] == first["refresh_token"] || second["access_token"] == first["access_token"] {
		t.Error("the tokens did not rotate")
	}
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr"} {
		if after[name] != before[name] {
			t.Errorf("claim %s changed from %v to %v", name, before[name], after[name])
		}
	}
	if after["nonce"] != nil || after["iat"] != float64(now.Unix()) {
		t.Errorf("nonce %v, iat %v", after["nonce"], after["iat"])
	}

	// A refresh can narrow the scopes for its own tokens, but never widen them.
	third := b.refresh(p, second["refresh_token"], "scope", "openid email").json(t)
	if third["scope"] != "openid email" {
		t.Errorf("scope = %v", third["scope"])
	}
	wantKeys(t, b.userInfo(p, third["access_token"]).json(t), "sub", "email", "email_verified")
	wantError(t, b.refresh(p, third["refresh_token"], "scope", "openid offline_access"), http.StatusBadRequest, "invalid_scope")
	fourth := b.refresh(p, third["refresh_token"]).json(t)
	if fourth["scope"] != "openid profile email" {
		t.Errorf("scope = %v", fourth["scope"])
	}

	// Another client cannot use the refresh token, and its attempt does not use
	// the token up.
	wantError(t, b.post(p.Issuer()+"/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {publicID}, "refresh_token": {fourth["refresh_token"].(string)},
	}), http.StatusBadRequest, "invalid_grant")

	// Reuse of an old refresh token revokes the family.
	if a := b.userInfo(p, fourth["access_token"]); a.StatusCode != http.StatusOK {
		t.Fatalf("userinfo: %d", a.StatusCode)
	}
	wantError(t, b.refresh(p, first["refresh_token"]), http.StatusBadRequest, "invalid_grant")
	wantError(t, b.refresh(p, fourth["refresh_token"]), http.StatusBadRequest, "invalid_grant")
	if a := b.userInfo(p, fourth["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token of a revoked family: %d, want 401", a.StatusCode)
	}

	// By default a refresh token lasts 30 days.
	other := b.signIn(p)
	now = now.Add(30*24*time.Hour - 1)
	other = b.refresh(p, other["refresh_token"]).json(t)
	now = now.Add(30 * 24 * time.Hour)
	wantError(t, b.refresh(p, other["refresh_token"]), http.StatusBadRequest, "invalid_grant")
}

func TestNoRefreshTokens(t *testing.T) {
	p := start(t, func(c *oauthlogintest.Config) { c.NoRefreshTokens = true })
	p.AutoApprove("alice")
	resp := newBrowser(t).signIn(p, "scope", "openid offline_access")
	wantKeys(t, resp, "access_token", "token_type", "expires_in", "scope", "id_token")
}
