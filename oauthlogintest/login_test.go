package oauthlogintest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestLoginThroughThePage(t *testing.T) {
	now := time.Now()
	p := start(t, func(c *oauthlogintest.Config) { c.Now = func() time.Time { return now } })
	b := newBrowser(t)
	l := newLogin(p, "acr_values", "phr other", "scope", "openid profile email unheard-of offline_access")

	page := b.get(l.url())
	for _, want := range []string{"Alice Archer", "bob@example.com", clientID, "there is no password", "offline_access", `lang="en"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	if strings.Contains(page.body, "(unheard-of)") {
		t.Error("the page offers a scope that is not granted")
	}
	csp := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "form-action 'self' http://127.0.0.1:9;", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("CSP %q lacks %q", csp, want)
		}
	}
	if got := page.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}

	back := b.submit(page, "login", "bob", "action", "approve").redirect(t)
	if back.Get("state") != "some state" || back.Get("iss") != p.Issuer() || back.Get("tenant") != "1" || back.Has("error") {
		t.Errorf("redirected with %v", back)
	}
	a := b.token(p, l.exchangeForm(back.Get("code")))
	resp := a.json(t)
	wantKeys(t, resp, "access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token")
	if resp["token_type"] != "Bearer" || resp["expires_in"] != 3600.0 || resp["scope"] != "openid profile email offline_access" {
		t.Errorf("token response %v", resp)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Pragma") != "no-cache" {
		t.Errorf("token response headers %v", a.Header)
	}

	claims := verify(t, p, resp)
	wantKeys(t, claims, "iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "sid", "name", "email", "email_verified")
	for name, want := range map[string]any{
		"iss": p.Issuer(), "sub": "bob", "aud": clientID, "azp": clientID, "nonce": "some nonce", "acr": "phr",
		"auth_time": float64(now.Unix()), "iat": float64(now.Unix()), "exp": float64(now.Add(time.Hour).Unix()),
		"name": "Bob Baker", "email": "bob@example.com", "email_verified": true,
	} {
		if claims[name] != want {
			t.Errorf("claim %s = %v, want %v", name, claims[name], want)
		}
	}

	info := b.userInfo(p, resp["access_token"]).json(t)
	wantKeys(t, info, "sub", "name", "email", "email_verified")
	if info["sub"] != "bob" {
		t.Errorf("userinfo sub = %v", info["sub"])
	}
}

func TestTypedUser(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	l := newLogin(p)
	back := b.submit(b.get(l.url()), "login", "alice", "other", " dave ", "action", "approve").redirect(t)
	resp := b.token(p, l.exchangeForm(back.Get("code"))).json(t)
	if claims := verify(t, p, resp); claims["sub"] != "dave" || claims["name"] != "dave" || claims["email"] != nil {
		t.Errorf("claims %v, want sub and name dave and no e-mail address", claims)
	}
}

func TestNoUserChosen(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	for _, other := range []string{"", "josé", strings.Repeat("x", 256)} {
		a := b.submit(b.get(newLogin(p).url()), "other", other, "action", "approve")
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("typed %q: got %d, want the page again with 422", other, a.StatusCode)
		}
	}
}

func TestDeny(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	back := b.submit(b.get(newLogin(p).url()), "login", "alice", "action", "deny").redirect(t)
	if back.Get("error") != "access_denied" || back.Get("state") != "some state" || back.Get("iss") != p.Issuer() || back.Has("code") {
		t.Errorf("redirected with %v", back)
	}
	back = b.get(newLogin(p, "prompt", "none").url()).redirect(t)
	if back.Get("error") != "login_required" {
		t.Errorf("a denied request started a session: %v", back)
	}
}

func TestFormFromAnotherSite(t *testing.T) {
	p := start(t)
	l := newLogin(p)
	form := l.params
	form.Set("login", "alice")
	form.Set("action", "approve")
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://attacker.example"},
	} {
		a := newBrowser(t).post(p.Issuer()+"/authorize", form, header...)
		if a.StatusCode != http.StatusForbidden || a.Header.Get("Location") != "" {
			t.Errorf("%q: got %d to %q, want 403", header, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

func TestDecisionsAreNotMadeByURL(t *testing.T) {
	p := start(t)
	a := newBrowser(t).get(newLogin(p, "login", "alice", "action", "approve").url())
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<form") {
		t.Errorf("got %d, want the page", a.StatusCode)
	}
}

func TestPostedAuthorizationRequest(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	page := b.post(p.Issuer()+"/authorize", newLogin(p).params, "Sec-Fetch-Site", "cross-site")
	if back := b.submit(page, "login", "alice", "action", "approve").redirect(t); !back.Has("code") {
		t.Errorf("redirected with %v", back)
	}
}

func TestPageEscapes(t *testing.T) {
	p := start(t)
	a := newBrowser(t).get(newLogin(p, "state", `"><script>`, "login_hint", `"><script>`, `"><script>`, "x").url())
	if a.StatusCode != http.StatusOK || strings.Contains(a.body, "<script") {
		t.Errorf("%d, the page has a script element", a.StatusCode)
	}
}

// Chromium applies form-action to the redirect that follows the form.
func TestPageAllowsItsRedirect(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example/callback":  "form-action 'self' https://app.example;",
		"http://127.0.0.1:9/callback":   "form-action 'self' http://127.0.0.1:9;",
		"http://[::1]:9/callback":       "form-action 'self' http:;",
		"com.example.app:/callback?x=1": "form-action 'self' com.example.app:;",
	} {
		p := start(t, func(c *oauthlogintest.Config) { c.Clients[0].RedirectURIs = []string{uri} })
		csp := newBrowser(t).get(newLogin(p, "redirect_uri", uri).url()).Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, want) {
			t.Errorf("%s: CSP %q lacks %q", uri, csp, want)
		}
	}
}

func TestPublicClient(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	l := newLogin(p, "client_id", publicID, "redirect_uri", publicURI)
	form := l.exchangeForm(b.get(l.url()).redirect(t).Get("code"))
	form.Set("redirect_uri", publicURI)
	form.Set("client_id", publicID)
	if a := b.post(p.Issuer()+"/token", form); a.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
}

func TestPlainOAuth(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	resp := b.signIn(p, "scope", "profile", "nonce", "")
	wantKeys(t, resp, "access_token", "token_type", "expires_in", "scope", "refresh_token")
	wantKeys(t, b.userInfo(p, resp["access_token"]).json(t), "sub", "name")
}

func TestIssuerWithPath(t *testing.T) {
	for _, issuer := range []string{"http://localhost:0/tenant", "http://localhost:0/tenant/"} {
		p := start(t, func(c *oauthlogintest.Config) { c.Issuer = issuer })
		u, err := url.Parse(p.Issuer())
		if err != nil || u.Hostname() != "localhost" || u.Port() == "0" || !strings.HasSuffix(issuer, u.Path) {
			t.Fatalf("issuer %q became %q", issuer, p.Issuer())
		}
		b := newBrowser(t)
		endpoint := discover(t, p.Issuer())["authorization_endpoint"].(string)
		page := b.get(endpoint + "?" + newLogin(p).params.Encode())
		if back := b.submit(page, "login", "alice", "action", "approve").redirect(t); !back.Has("code") {
			t.Errorf("redirected with %v", back)
		}
		if a := b.get("http://" + u.Host + "/authorize"); a.StatusCode != http.StatusNotFound {
			t.Errorf("outside the issuer's path: got %d, want 404", a.StatusCode)
		}
	}
}
