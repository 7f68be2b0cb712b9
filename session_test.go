package oauthlogin_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
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
		{"a lifetime shorter than the idle timeout", limits(day, time.Hour), []time.Duration{30 * time.Minute, time.Hour}, false},
		{"a month of both", limits(30*day, 30*day), []time.Duration{29 * day}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newOfflineApp(t, offline{provider: longTokens, change: tt.change})
				b := a.browser(t)
				b.login("/api/me")
				cookies, begin := b.cookies(), time.Now()
				for i, at := range tt.visits {
					time.Sleep(at - time.Since(begin))
					served := a.called("/api/me")
					resp := a.bare(t).get("/api/me", "Cookie", sessionCookie+"="+cookies[sessionCookie])
					in := resp.StatusCode == http.StatusOK
					if want := tt.in || i < len(tt.visits)-1; in != want || in != (a.called("/api/me") > served) {
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
		a := newOfflineApp(t, offline{provider: longTokens})
		b := a.browser(t)
		resp := b.get(b.callbackURL("/login"))
		if maxAge := maxAgeOf(resp, sessionCookie); maxAge != 24*60*60 {
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
			resp := b.get("/api/me")
			if maxAge := maxAgeOf(resp, sessionCookie); resp.StatusCode != http.StatusOK || maxAge != visit.maxAge {
				t.Errorf("visit after %v more: %d, Max-Age %d, want %d", visit.after, resp.StatusCode, maxAge, visit.maxAge)
			}
		}
	})
}

// maxAgeOf returns the Max-Age of the cookie that resp sets, 0 if it does not.
func maxAgeOf(resp *response, name string) int {
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
	a := newOfflineApp(t, offline{})
	attacker, victim := a.browser(t), a.browser(t)
	a.provider.AutoApprove("mallory")
	attacker.login("/")
	planted := attacker.cookies()[sessionCookie]
	victim.setCookie(sessionCookie, planted)

	a.provider.AutoApprove("alice")
	victim.login("/")
	if body := victim.get("/").body; body != "home of alice" || victim.cookies()[sessionCookie] == planted {
		t.Errorf("victim is in the %s", body)
	}
	if body := attacker.get("/").body; body == "home of alice" {
		t.Errorf("attacker is in the %s", body)
	}
}

func TestFromContext(t *testing.T) {
	t.Parallel()
	a := newOfflineApp(t, offline{})
	a.more = func(mux *http.ServeMux) {
		mux.Handle("/claims", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	a.provider.MapIDToken(func(_, claims map[string]any) { claims["nick"] = "Ali" })
	b := a.browser(t)
	b.login("/")
	for range 2 {
		want := "test|https://provider.test|alice|alice@example.com|true|https://provider.test|Ali"
		if got := b.get("/claims").body; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if s, ok := oauthlogin.FromContext(t.Context()); ok || s != nil {
		t.Error("a session out of nothing")
	}
}

// Nothing that opens anything is in a log line, on a page or in what fmt and
// encoding/json make of our types.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	key := []byte("a key of 32 bytes in plain text!")
	a := newOfflineApp(t, offline{provider: oauthlogintest.Config{JWTAccessTokens: true}, change: func(opts *oauthlogin.Options) {
		opts.Keys = [][]byte{key}
	}})
	secrets := map[string]string{
		"client secret":  "s3cret-of-the-app",
		"key":            string(key),
		"key, as bytes":  strings.Trim(fmt.Sprint(key[:8]), "[]"),
		"key, in hex":    hex.EncodeToString(key[:8]),
		"key, in base64": base64.StdEncoding.EncodeToString(key[:9]),
		"key, as Go":     strings.TrimSuffix(fmt.Sprintf("%#v", key[:4])[len("[]byte{"):], "}"),
		"e-mail address": "alice@example.com",
	}
	var pages, printed bytes.Buffer
	tokens := 0
	a.provider.MapTokenResponse(func(resp map[string]any) {
		tokens++
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			secrets[fmt.Sprint(name, " ", tokens)] = resp[name].(string)
		}
	})
	jsonLog := slog.New(slog.NewJSONHandler(&printed, nil))
	a.more = func(mux *http.ServeMux) {
		mux.HandleFunc("/print", func(_ http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			printAll(&printed, s, &s, []any{s}, struct{ S *oauthlogin.Session }{s}, a.auth, struct{ M *oauthlogin.Middleware }{a.auth})
			printAll(&printed, r.Context())
			client := a.auth.Client(r.Context())
			fmt.Fprintf(&printed, "%v %+v %#v %v %+v", client, client, client, client.Transport, client.Transport)
			jsonLog.Info("session", "s", s, "auth", a.auth)
			slog.New(slog.NewTextHandler(&printed, nil)).Info("session", "s", s)
			s.User = oauthlogin.User{} // is the handler's to show
			b, err := json.Marshal(s)
			fmt.Fprintf(&printed, "%s %v", b, err)
		})
	}
	b := a.browser(t)
	keep := func(resp *response) *response {
		fmt.Fprintln(&pages, resp.body)
		return resp
	}

	keep(b.get("/dashboard"))
	keep(b.get("/login?return_to=/dashboard"))
	callback := b.callbackURL("/login?return_to=/print")
	keep(b.get(callback))
	keep(b.get("/print"))
	keep(b.get(callback))                                            // signed in
	keep(a.browser(t).get(callback))                                 // another browser
	keep(a.bare(t).get("/api/me", "Cookie", sessionCookie+"=1junk")) // a cookie that does not open
	keep(a.bare(t).get("/api/me", "Cookie", sessionCookie+"="+b.cookies()[sessionCookie]+"x"))
	for name, intercept := range map[string]http.HandlerFunc{
		"an error that repeats the request": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": string(body) + r.Header.Get("Authorization")})
		},
		"a failure that repeats the request": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			http.Error(w, string(body), http.StatusInternalServerError)
		},
	} {
		a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { intercept(w, r) })
		if resp := keep(b.get(b.callbackURL("/login"))); resp.StatusCode < 400 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	a.provider.Intercept(oauthlogintest.Token, nil)
	a.provider.MapIDToken(func(_, claims map[string]any) { claims["nonce"] = "other" })
	keep(b.get(b.callbackURL("/login")))
	a.provider.MapIDToken(nil)
	a.provider.SignWith(func(_, _ map[string]any) string { return "e30.e30.e30" })
	keep(b.get(b.callbackURL("/login")))
	a.provider.SignWith(nil)
	keep(b.post("/logout", nil))

	for _, r := range a.provider.Requests(oauthlogintest.Token) {
		for _, name := range []string{"code", "code_verifier"} {
			secrets[name+" "+r.Form.Get(name)] = r.Form.Get(name)
		}
	}
	for _, r := range a.provider.Requests(oauthlogintest.Authorization) {
		for _, name := range []string{"state", "nonce"} {
			secrets[name+" "+r.Query.Get(name)] = r.Query.Get(name)
		}
	}
	for name, value := range b.cookies() {
		secrets["cookie "+name] = value[min(len(value), 10):]
	}

	opts := a.options(a.URL, func(opts *oauthlogin.Options) { opts.Keys = [][]byte{key} })
	for _, v := range []any{opts, &opts, opts.Providers[0], &opts.Providers[0], opts.Providers, struct{ O oauthlogin.Options }{opts}} {
		printAll(&printed, v)
		b, err := json.Marshal(v)
		fmt.Fprintf(&printed, "%s %v", b, err)
		jsonLog.Info("options", "v", v)
	}

	if tokens == 0 || len(secrets) < 20 || !strings.Contains(printed.String(), "alice") || !strings.Contains(a.log.String(), "provider_rejected") {
		t.Fatalf("little to look for, or to look at: %d secrets\n%s", len(secrets), a.log)
	}
	for where, text := range map[string]string{"log": a.log.String(), "pages": pages.String(), "printed": printed.String()} {
		for name, secret := range secrets {
			if len(secret) < 8 {
				t.Errorf("%s is too short to look for", name)
			}
			for _, form := range []string{secret, url.QueryEscape(secret)} {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("%s: %s: ...%.200s", where, name, text[max(0, i-100):])
				}
			}
		}
	}
}

func printAll(w io.Writer, values ...any) {
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
			fmt.Fprintf(w, verb+"\n", v)
		}
	}
}

// What is sealed for one session cannot be read by those who have the cookie.
func TestCookieIsEncrypted(t *testing.T) {
	t.Parallel()
	a := newOfflineApp(t, offline{})
	var access string
	a.provider.MapTokenResponse(func(resp map[string]any) { access = resp["access_token"].(string) })
	b := a.browser(t)
	b.get("/login?return_to=/a/return/path")
	b.login("/dashboard")
	for name, value := range b.cookies() {
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
