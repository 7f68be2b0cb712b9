package oauthlogintest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestNoRedirectToUnknownURI(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	tests := []struct{ name, url string }{
		{"unknown client", newLogin(p, "client_id", "someone").url()},
		{"no client", newLogin(p, "client_id", "").url()},
		{"unregistered redirect URI", newLogin(p, "redirect_uri", "https://attacker.example/").url()},
		{"redirect URI with more path", newLogin(p, "redirect_uri", redirectURI+"/").url()},
		{"redirect URI of another client", newLogin(p, "redirect_uri", publicURI).url()},
		{"no redirect URI", newLogin(p, "redirect_uri", "").url()},
		{"repeated redirect URI", newLogin(p).url() + "&redirect_uri=https://attacker.example/"},
		{"repeated client", newLogin(p).url() + "&client_id=" + publicID},
		{"malformed query", newLogin(p).url() + "&%zz"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newBrowser(t).get(test.url)
			if a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
				t.Errorf("got %d to %q, want 400 and no redirect", a.StatusCode, a.Header.Get("Location"))
			}
		})
	}
}

func TestAuthorizationErrors(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	challenge := newLogin(p).params.Get("code_challenge")
	tests := []struct {
		name, url, want string
	}{
		{"no response type", newLogin(p, "response_type", "").url(), "invalid_request"},
		{"implicit", newLogin(p, "response_type", "id_token").url(), "unsupported_response_type"},
		{"hybrid", newLogin(p, "response_type", "code id_token").url(), "unsupported_response_type"},
		{"fragment", newLogin(p, "response_mode", "fragment").url(), "invalid_request"},
		{"no PKCE", newLogin(p, "code_challenge", "", "code_challenge_method", "").url(), "invalid_request"},
		{"no PKCE method", newLogin(p, "code_challenge_method", "").url(), "invalid_request"},
		{"PKCE plain", newLogin(p, "code_challenge_method", "plain").url(), "invalid_request"},
		{"short challenge", newLogin(p, "code_challenge", challenge[1:]).url(), "invalid_request"},
		{"long challenge", newLogin(p, "code_challenge", challenge+"A").url(), "invalid_request"},
		{"challenge in base64", newLogin(p, "code_challenge", "+"+challenge[1:]).url(), "invalid_request"},
		{"repeated scope", newLogin(p).url() + "&scope=openid", "invalid_request"},
		{"repeated unknown parameter", newLogin(p).url() + "&x=1&x=2", "invalid_request"},
		{"request object", newLogin(p, "request", "e30").url(), "request_not_supported"},
		{"request URI", newLogin(p, "request_uri", "urn:x").url(), "request_uri_not_supported"},
		{"prompt none and login", newLogin(p, "prompt", "none login").url(), "invalid_request"},
		{"negative max_age", newLogin(p, "max_age", "-1").url(), "invalid_request"},
		{"foreign id_token_hint", newLogin(p, "id_token_hint", "a.b.c").url(), "invalid_request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			back := newBrowser(t).get(test.url).redirect(t)
			if back.Get("error") != test.want || back.Get("state") != "some state" || back.Get("iss") != p.Issuer() || back.Has("code") {
				t.Errorf("redirected with %v, want error %s", back, test.want)
			}
		})
	}
	t.Run("repeated state", func(t *testing.T) {
		back := newBrowser(t).get(newLogin(p).url() + "&state=other").redirect(t)
		if back.Get("error") != "invalid_request" || back.Has("state") {
			t.Errorf("redirected with %v, want invalid_request without state", back)
		}
	})
	t.Run("hostile parameter name", func(t *testing.T) {
		back := newBrowser(t).get(newLogin(p).url() + "&a%22%0a%c3%a9=1&a%22%0a%c3%a9=2").redirect(t)
		if got := back.Get("error_description"); got != "parameter repeated: a???" {
			t.Errorf("error_description = %q", got)
		}
	})
}

// A session satisfies a request unless the request demands more.
func TestSession(t *testing.T) {
	now := time.Now()
	p := start(t, func(c *oauthlogintest.Config) { c.Now = func() time.Time { return now } })
	b := newBrowser(t)
	if back := b.get(newLogin(p, "prompt", "none").url()).redirect(t); back.Get("error") != "login_required" {
		t.Fatalf("without a session: %v, want login_required", back)
	}

	b.submit(b.get(newLogin(p).url()), "login", "alice", "action", "approve").redirect(t)
	first := b.signIn(p, "prompt", "none")
	claims := verify(t, p, first)
	now = now.Add(10 * time.Minute)

	tests := []struct {
		name    string
		params  []string
		noPage  bool
		refused bool // with prompt=none
	}{
		{"nothing special", nil, true, false},
		{"unknown prompt", []string{"prompt", "create"}, true, false},
		{"prompt=login", []string{"prompt", "login"}, false, false},
		{"prompt=select_account", []string{"prompt", "select_account"}, false, false},
		{"prompt=consent", []string{"prompt", "consent"}, false, false},
		{"max_age not reached", []string{"max_age", "600"}, true, false},
		{"max_age exceeded", []string{"max_age", "599"}, false, true},
		{"max_age=0", []string{"max_age", "0"}, false, true},
		{"acr of the session", []string{"acr_values", "phr 0"}, true, false},
		{"another acr", []string{"acr_values", "phr"}, false, true},
		{"id_token_hint", []string{"id_token_hint", first["id_token"].(string)}, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := b.get(newLogin(p, test.params...).url())
			if test.noPage && !a.redirect(t).Has("code") || !test.noPage && !strings.Contains(a.body, "<form") {
				t.Errorf("got %d to %q, want page: %t", a.StatusCode, a.Header.Get("Location"), !test.noPage)
			}
			if test.refused {
				back := b.get(newLogin(p, append(test.params, "prompt", "none")...).url()).redirect(t)
				if back.Get("error") != "login_required" {
					t.Errorf("with prompt=none: %v, want login_required", back)
				}
			}
		})
	}

	if again := verify(t, p, b.signIn(p)); again["auth_time"] != claims["auth_time"] || again["sid"] != claims["sid"] {
		t.Errorf("auth_time and sid of a session changed: %v, %v", claims, again)
	}

	// Signing in again renews auth_time and acr but keeps the session.
	l := newLogin(p, "max_age", "0", "acr_values", "phr")
	back := b.submit(b.get(l.url()), "login", "alice", "action", "approve").redirect(t)
	renewed := verify(t, p, b.token(p, l.exchangeForm(back.Get("code"))).json(t))
	if renewed["auth_time"] != float64(now.Unix()) || renewed["acr"] != "phr" || renewed["sid"] != claims["sid"] {
		t.Errorf("after signing in again: %v", renewed)
	}

	// A hint for alice does not sign bob in silently.
	b.submit(b.get(newLogin(p, "prompt", "login").url()), "login", "bob", "action", "approve").redirect(t)
	back = b.get(newLogin(p, "prompt", "none", "id_token_hint", first["id_token"].(string)).url()).redirect(t)
	if back.Get("error") != "login_required" {
		t.Errorf("hint for another user: %v, want login_required", back)
	}

	now = now.Add(24*time.Hour - 1)
	if back := b.get(newLogin(p, "prompt", "none").url()).redirect(t); !back.Has("code") {
		t.Errorf("nearly a day later: %v, want a code", back)
	}
	now = now.Add(1)
	if back := b.get(newLogin(p, "prompt", "none").url()).redirect(t); back.Get("error") != "login_required" {
		t.Errorf("a day later: %v, want login_required", back)
	}
}

func TestSigningInAgainReplacesTheCookie(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	signIn := func() string {
		a := b.submit(b.get(newLogin(p, "prompt", "login").url()), "login", "alice", "action", "approve")
		cookie := a.Cookies()[0]
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
			t.Errorf("cookie %v", cookie)
		}
		return cookie.Name + "=" + cookie.Value
	}
	silently := newLogin(p, "prompt", "none").url()
	first := signIn()
	if back := newBrowser(t).get(silently, "Cookie", first).redirect(t); !back.Has("code") {
		t.Errorf("the cookie does not carry the session: %v", back)
	}
	second := signIn()
	if back := newBrowser(t).get(silently, "Cookie", first).redirect(t); back.Get("error") != "login_required" {
		t.Errorf("the first cookie after the second: %v, want login_required", back)
	}
	if back := newBrowser(t).get(silently, "Cookie", second).redirect(t); !back.Has("code") {
		t.Errorf("the second cookie: %v", back)
	}
}
