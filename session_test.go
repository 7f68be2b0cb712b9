package oauthlogin_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// longTokens keeps tokens out of the way of tests of the session's own limits.
var longTokens = oauthlogintest.Config{AccessTokenTTL: 300 * 24 * time.Hour, NoRefreshTokens: true}

// The limits hold on the server: the cookie is sent whatever its Max-Age was.
func TestSessionLimits(t *testing.T) {
	const day = 24 * time.Hour
	limits := func(idle, lifetime time.Duration) func(*oauthlogin.Options) {
		return func(opts *oauthlogin.Options) { opts.IdleTimeout, opts.MaxLifetime = idle, lifetime }
	}
	for _, tt := range []struct {
		name   string
		change func(*oauthlogin.Options)
		visits []time.Duration // after the login; all but the last are of somebody signed in
		in     bool            // at the last visit
	}{
		{"not used for a second less than a day", nil, []time.Duration{day - time.Second}, true},
		{"not used for a day", nil, []time.Duration{day}, false},
		{"used after 20 hours, and after 20 more", nil, []time.Duration{20 * time.Hour, 40 * time.Hour}, true},
		{"used after 20 hours, and after a day more", nil, []time.Duration{20 * time.Hour, 44 * time.Hour}, false},
		{"used twice a day for a second less than a week", nil, halfDays(13, 7*day-time.Second), true},
		{"used twice a day for a week", nil, halfDays(13, 7*day), false},
		{"a minute of idleness", limits(time.Minute, time.Hour), []time.Duration{time.Minute}, false},
		{"a lifetime shorter than the default idle timeout", limits(0, time.Hour), []time.Duration{30 * time.Minute, time.Hour}, false},
		{"a month of both", limits(30*day, 30*day), []time.Duration{29 * day}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Provider: longTokens, Change: tt.change})
				b := a.Browser(t)
				b.Login("/api/me")
				cookies, begin := b.Cookies(), time.Now()
				for i, at := range tt.visits {
					time.Sleep(at - time.Since(begin))
					served := a.Called("/api/me")
					resp := a.BareBrowser(t).Get("/api/me", "Cookie", apptest.SessionCookie+"="+cookies[apptest.SessionCookie])
					in := resp.StatusCode == http.StatusOK
					if want := tt.in || i < len(tt.visits)-1; in != want || in != (a.Called("/api/me") > served) {
						t.Fatalf("visit after %v: %d", at, resp.StatusCode)
					}
					for _, c := range resp.Cookies() {
						cookies[c.Name] = c.Value
					}
				}
			})
		})
	}
}

// halfDays are visits every 12 hours, n of them, and a last one.
func halfDays(n int, last time.Duration) (visits []time.Duration) {
	for i := range n {
		visits = append(visits, time.Duration(i+1)*12*time.Hour)
	}
	return append(visits, last)
}

// A session is sealed anew after a tenth of the idle timeout and not before:
// each writing is a chance for parallel responses to cross.
func TestSessionSealedAnew(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: longTokens})
		b := a.Browser(t)
		resp := b.Get(b.CallbackURL("/login"))
		if maxAge := maxAgeOf(resp, apptest.SessionCookie); maxAge != 24*60*60 {
			t.Errorf("Max-Age %d at login", maxAge)
		}
		for _, visit := range []struct {
			after  time.Duration
			maxAge int // of the cookie; 0: not written
		}{
			{0, 0},
			{time.Hour, 0},
			{day/10 - time.Hour - time.Second, 0},
			{time.Second, 24 * 60 * 60},
			{0, 0},
			{day/10 - time.Second, 0},
			{12 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			{23 * time.Hour, 24 * 60 * 60},
			// 151 hours, 47 minutes and 59 seconds of 168 hours are over.
			{20 * time.Hour, 16*60*60 + 12*60 + 1},
		} {
			time.Sleep(visit.after)
			resp := b.Get("/api/me")
			if maxAge := maxAgeOf(resp, apptest.SessionCookie); resp.StatusCode != http.StatusOK || maxAge != visit.maxAge {
				t.Errorf("visit after %v more: %d, Max-Age %d, want %d", visit.after, resp.StatusCode, maxAge, visit.maxAge)
			}
		}
	})
}

// maxAgeOf returns the Max-Age of the cookie that resp sets, 0 if it does not.
func maxAgeOf(resp *apptest.Response, name string) int {
	for _, c := range resp.Cookies() {
		if c.Name == name {
			return c.MaxAge
		}
	}
	return 0
}

// CVE-2021-41246 of express-openid-connect: the login went into whatever
// session there was.
func TestNewSessionAtLogin(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	attacker, victim := a.Browser(t), a.Browser(t)
	a.Provider.AutoApprove("mallory")
	attacker.Login("/")
	planted := attacker.Cookies()[apptest.SessionCookie]
	victim.SetCookie(apptest.SessionCookie, planted)

	a.Provider.AutoApprove("alice")
	victim.Login("/")
	if body := victim.Get("/").Text; body != "home of alice" || victim.Cookies()[apptest.SessionCookie] == planted {
		t.Errorf("victim is in the %s", body)
	}
	if body := attacker.Get("/").Text; body == "home of alice" {
		t.Errorf("attacker is in the %s", body)
	}
}

func TestFromContext(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/claims", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			var claims struct {
				Issuer string `json:"iss"`
				Nick   string `json:"nick"`
			}
			if err := s.User.Claims(&claims); err != nil {
				t.Error(err)
			}
			if err := s.User.Claims(&[]string{}); err == nil {
				t.Error("claims are no list")
			}
			if err := (&oauthlogin.User{}).Claims(&claims); err == nil {
				t.Error("nobody has claims")
			}
			if token := s.Token(); token.RefreshToken != "" || token.Extra("id_token") != nil || token.Type() != "Bearer" || !token.Valid() {
				t.Error("the token is more, or less, than an access token")
			}
			u := s.User
			fmt.Fprintf(w, "%s|%s|%s|%s|%t|%s|%s", u.Provider, u.Issuer, u.Subject, u.Email, u.EmailVerified, claims.Issuer, claims.Nick)

			// The session is the request's own.
			s.User.Subject = "changed"
			s.User.RawClaims[0] = 'x'
		})))
	}
	a.Provider.EditIDToken(func(_, claims map[string]any) { claims["nick"] = "Ali" })
	b := a.Browser(t)
	b.Login("/")
	for range 2 {
		want := "test|https://provider.test|alice|alice@example.com|true|https://provider.test|Ali"
		if got := b.Get("/claims").Text; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if s, ok := oauthlogin.FromContext(t.Context()); ok || s != nil {
		t.Error("a session out of nothing")
	}
}

// What is sealed for one session cannot be read by those who have the cookie.
func TestCookieIsEncrypted(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	var access string
	a.Provider.EditTokenResponse(func(resp map[string]any) { access = resp["access_token"].(string) })
	b := a.Browser(t)
	b.Get("/login?return_to=/a/return/path")
	b.Login("/dashboard")
	for name, value := range b.Cookies() {
		for range 3 { // securecookie encodes twice
			for _, secret := range []string{access, "alice", "return/path", "example.com"} {
				if strings.Contains(value, secret) {
					t.Errorf("cookie %s has %s in it", name, secret)
				}
			}
			decoded, err := decodeSome(value)
			if err != nil {
				break
			}
			value = decoded
		}
	}
}

// decodeSome decodes the longest part of s that is base64url.
func decodeSome(s string) (string, error) {
	longest := ""
	for _, part := range strings.FieldsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	}) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	if len(longest) < 40 {
		return "", errors.New("no base64url")
	}
	for cut := range 8 { // a frame in front
		if b, err := base64.RawURLEncoding.DecodeString(longest[cut:]); err == nil {
			return string(b), nil
		}
	}
	return "", errors.New("no base64url")
}
