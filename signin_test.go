package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

var errNotInvited = errors.New("s3cret list of guests has no such user")

// asking is an application in cookies or in a store that asks hook about each login.
func asking(t *testing.T, with apptest.Config, hook func(context.Context, *oauthlogin.SignIn) error) *apptest.App {
	t.Helper()
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		if opts.OnSignIn = hook; change != nil {
			change(opts)
		}
	}
	return apptest.New(t, with)
}

// userAt is the user that a page sees.
func userAt(b *apptest.Browser, path string) (u oauthlogin.User) {
	b.T.Helper()
	if err := json.Unmarshal([]byte(b.Get(path).Text), &u); err != nil {
		b.T.Fatal(err)
	}
	return u
}

func TestOnSignInRefuses(t *testing.T) {
	t.Parallel()
	shared := &oauthlogin.Error{Code: "over_quota", Status: http.StatusTooManyRequests, RetryURL: "/plans"}
	for _, tt := range []struct {
		name   string
		err    error
		code   string
		status int
		retry  string // "step_up": a sign-in with another account
	}{
		{"an error", errNotInvited, "sign_in_refused", 403, "step_up"},
		{"an error of a kind of its own", fmt.Errorf("ask the database: %w", errNotInvited), "sign_in_refused", 403, "step_up"},
		{"an Error", shared, "over_quota", 429, "/plans"},
		{"a wrapped Error", fmt.Errorf("%w, %w", errNotInvited, shared), "over_quota", 429, "/plans"},
		{"an Error of 502", &oauthlogin.Error{Code: "crm_down", Status: 502}, "crm_down", 502, "/login?return_to=%2Fdashboard"},
		{"an Error of 200", &oauthlogin.Error{Code: "fine", Status: 200}, "fine", 403, "step_up"},
		{"an Error without anything", &oauthlogin.Error{}, "sign_in_refused", 403, "step_up"},
		{"an Error that is nil", (*oauthlogin.Error)(nil), "sign_in_refused", 403, "step_up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				refuse := false
				var handled error
				a := asking(t, with, func(context.Context, *oauthlogin.SignIn) error {
					if refuse {
						return tt.err
					}
					return nil
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				before := b.Cookies()[apptest.SessionCookie]
				a.Events.Take()
				refuse = true
				cb := b.CallbackURL("/login?return_to=/dashboard")
				resp := b.Get(cb)
				if resp.StatusCode != tt.status || resp.Location() != "" || strings.Contains(resp.Text, "s3cret") {
					t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
				}
				links := resp.Links()
				if otherAccount := strings.Contains(resp.Text, ">Sign in with another account<"); len(links) != 1 || otherAccount != (tt.retry == "step_up") {
					t.Errorf("links %q, with another account: %t", links, otherAccount)
				} else if otherAccount && !strings.HasPrefix(links[0], "/login?return_to=%2Fdashboard&step_up=") || !otherAccount && links[0] != tt.retry {
					t.Errorf("links %q", links)
				}
				_, line, _ := strings.Cut(a.Log.String(), "request failed")
				if line, _, _ = strings.Cut(line, "\n"); !strings.Contains(line, "code="+tt.code+" provider=test reference=") || !strings.Contains(line, " subject=alice ") ||
					tt.retry == "step_up" && strings.HasPrefix(tt.name, "an error") && !strings.Contains(line, errNotInvited.Error()) || strings.Contains(line, "@") {
					t.Errorf("the log has %s", line)
				}
				events := a.Events.Take()
				if len(events) != 1 || events[0].Kind != oauthlogin.EventLogin || tt.err != error((*oauthlogin.Error)(nil)) && !errors.Is(events[0].Err, tt.err) {
					t.Errorf("events %v", events)
				} else if handled = events[0].Err; handled.(*oauthlogin.Error).Code != tt.code || handled.(*oauthlogin.Error).Provider != "test" {
					t.Errorf("event with %v", handled)
				}
				if b.Cookies()[apptest.SessionCookie] != before || b.UserAt("/api/me") != "alice" {
					t.Error("the session that was there is gone")
				}
				if resp := b.Get(cb); resp.StatusCode != http.StatusSeeOther || a.Provider.Count(oauthlogintest.Token) != 2 {
					t.Errorf("the callback again: %d", resp.StatusCode)
				}
				if shared.Provider != "" || shared.Unwrap() != nil {
					t.Error("the shared error was written to")
				}
				stranger := a.Browser(t)
				if stranger.Get(stranger.CallbackURL("/login")); stranger.SignedIn() {
					t.Error("signed in though refused")
				}
			})
		})
	}
}

// The hook runs in a goroutine that net/http does not watch.
func TestOnSignInFails(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(context.Context, *oauthlogin.SignIn) error{
		"panics":                 func(context.Context, *oauthlogin.SignIn) error { panic("s3cret") },
		"panics as net/http may": func(context.Context, *oauthlogin.SignIn) error { panic(http.ErrAbortHandler) },
		"ends its goroutine":     func(context.Context, *oauthlogin.SignIn) error { runtime.Goexit(); return nil },
		"ends with its context":  func(ctx context.Context, _ *oauthlogin.SignIn) error { <-ctx.Done(); return ctx.Err() },
		"takes two minutes":      func(context.Context, *oauthlogin.SignIn) error { time.Sleep(2 * time.Minute); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := asking(t, apptest.Config{}, hook)
				b := a.Browser(t)
				cb := b.CallbackURL("/login?return_to=/dashboard")
				begin := time.Now()
				resp := b.Get(cb)
				if resp.StatusCode != http.StatusInternalServerError || time.Since(begin) > 30*time.Second {
					t.Errorf("%d after %v", resp.StatusCode, time.Since(begin))
				}
				if all := resp.Text + a.Log.String(); strings.Contains(all, "s3cret") || !strings.Contains(all, "Options.OnSignIn") {
					t.Errorf("page and log: %s", all)
				}
				a.Events.Want(t, "login test/ internal")
				if b.SignedIn() {
					t.Error("signed in")
				}
				if n := a.Provider.Count(oauthlogintest.Revocation); n != 1 {
					t.Errorf("%d refresh tokens are revoked", n)
				}
				time.Sleep(2 * time.Minute) // no goroutine may stay
			})
		})
	}
}

// What the application sets stays until the next login, whatever refreshes bring.
func TestOnSignInEnriches(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		with.Provider = oauthlogintest.Config{AccessTokenTTL: 10 * time.Minute}
		logins := 0
		a := asking(t, with, func(_ context.Context, in *oauthlogin.SignIn) error {
			logins++
			in.User.Name = "Alice of Sales"
			in.User.Subject, in.User.Issuer, in.User.Provider = "mallory", "https://evil.test", "evil"
			return errors.Join(
				in.User.SetClaim("roles", []string{"admin", "a&b"}),
				in.User.SetClaim("locale", "en"), // as the provider has it
			)
		})
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["Roles"], claims["locale"], claims["team"] = "root", "en", 1 })
		b := a.Browser(t)
		b.Login("/dashboard")
		check := func(when string, team int) {
			t.Helper()
			var got struct {
				Sub, Name, Email, Locale string
				Roles                    []string
				Team                     int
			}
			u := userAt(b, "/api/me")
			if err := u.Claims(&got); err != nil {
				t.Fatal(err)
			}
			if u.Name != "Alice of Sales" || got.Name != u.Name || u.Subject != "alice" || u.Provider != "test" || u.Issuer != "https://provider.test" || u.Email == "" {
				t.Errorf("%s: %+v", when, u)
			}
			if len(got.Roles) != 2 || got.Roles[1] != "a&b" || got.Locale != "en" || got.Sub != "alice" || got.Team != team {
				t.Errorf("%s: claims %s", when, u.RawClaims)
			}
			if err := u.SetClaim("roles", "none"); err != nil || strings.Contains(string(u.RawClaims), "admin") {
				t.Errorf("%s: %v: %s", when, err, u.RawClaims)
			}
		}
		check("after the login", 1)
		for range 3 {
			time.Sleep(9*time.Minute + 30*time.Second)
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				claims["ROLES"], claims["roles"], claims["name"], claims["locale"], claims["team"] = "root", "root", "Other", "fr", 2
			})
			b.Get("/dashboard")
			check("after a refresh", 2)
		}
		if a.WantRefreshes(t, 3); logins != 1 {
			t.Errorf("asked %d times", logins)
		}
		b.Get(b.CallbackURL("/login"))
		if logins != 2 {
			t.Errorf("asked %d times after two logins", logins)
		}
	})
}

func TestOnSignInChangesEmail(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		with := apptest.Config{}
		if plain {
			with.Change = apptest.PlainOAuth
		}
		a := asking(t, with, func(_ context.Context, in *oauthlogin.SignIn) error {
			in.User.Email, in.User.EmailVerified = "sales@example.com", true
			return nil
		})
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"email": {"sales@example.com"}}})
		b := a.Browser(t)
		b.Login("/dashboard")
		u := userAt(b, "/api/me")
		if got := b.Get("/guarded").Text; !strings.HasPrefix(got, "guarded page") {
			t.Errorf("the policy sees another address: %s", got)
		}
		if u.Email != "sales@example.com" || !u.EmailVerified || u.Name == "" {
			t.Errorf("%+v", u)
		}
		var got map[string]any
		if err := u.Claims(&got); err != nil || got["email"] != "sales@example.com" || got["email_verified"] != true {
			t.Errorf("%v: %v", got, err)
		}
	}
}

// The first page of a new user is not where the login began.
func TestOnSignInReturnsTo(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/welcome?step=1":    "/welcome?step=1",
		"":                   "/",
		"//evil.test":        "/",
		"https://evil.test/": "/",
		`/\evil.test`:        "/",
		"welcome":            "/",
		"/login":             "/",
		"/auth/callback?x":   "/",
		"/logout":            "/",
	} {
		var given string
		a := asking(t, apptest.Config{}, func(_ context.Context, in *oauthlogin.SignIn) error {
			given, in.ReturnTo = in.ReturnTo, to
			return nil
		})
		b := a.Browser(t)
		if resp := b.Get(b.CallbackURL("/login?return_to=/dashboard")); resp.Location() != want || given != "/dashboard" || !b.SignedIn() {
			t.Errorf("%q led to %q from %q", to, resp.Location(), given)
		}
	}
}

func TestOnSignInSeesThePreviousSession(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		var previous []string
		a := asking(t, with, func(_ context.Context, in *oauthlogin.SignIn) error {
			who := ""
			if in.Previous != nil {
				who, in.Previous.User.Name = in.Previous.User.Subject, "changed"
			}
			previous = append(previous, who)
			return nil
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Provider.AutoApprove("bob")
		b.Get(b.CallbackURL("/login"))
		if fmt.Sprint(previous) != "[ alice]" || b.UserAt("/api/me") != "bob" {
			t.Errorf("previous sessions of %q, now %s", previous, b.UserAt("/api/me"))
		}
	})
}

func TestOnSignInCallsAPIs(t *testing.T) {
	t.Parallel()
	var got string
	a := asking(t, apptest.Config{}, func(ctx context.Context, in *oauthlogin.SignIn) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://provider.test/userinfo", nil)
		if err != nil {
			return err
		}
		resp, err := in.Client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		got = string(text)
		return err
	})
	b := a.Browser(t)
	if b.Login("/dashboard"); !strings.Contains(got, `"sub":"alice"`) {
		t.Errorf("user info %s", got)
	}
}

func TestSetClaim(t *testing.T) {
	t.Parallel()
	const raw = `{"sub":"alice","Roles":["x"],"rOLES":1,"n":12345678901234567890}`
	for _, tt := range []struct {
		name  string
		value any
		want  string // of the claims; "": an error
	}{
		{"roles", []string{"a"}, `{"n":12345678901234567890,"roles":["a"],"sub":"alice"}`},
		{"n", nil, `{"Roles":["x"],"n":null,"rOLES":1,"sub":"alice"}`},
		{"https://example.com/x.y", map[string]int{"a": 1}, `{"Roles":["x"],"https://example.com/x.y":{"a":1},"n":12345678901234567890,"rOLES":1,"sub":"alice"}`},
		{"big", uint64(math.MaxUint64), `{"Roles":["x"],"big":18446744073709551615,"n":12345678901234567890,"rOLES":1,"sub":"alice"}`},
		{"", "x", ""},
		{"sub", "mallory", ""},
		{"SUB", "mallory", ""},
		{"\u017fub", "mallory", ""}, // folds to sub
		{"iss", "x", ""},
		{"aud", "x", ""},
		{"nonce", "x", ""},
		{"exp", 1, ""},
		{"Azp", "x", ""},
		{"auth_time", 1, ""},
		{"f", func() {}, ""},
		{"nan", math.NaN(), ""},
		{"raw", json.RawMessage(`{"a":`), ""},
		{"large", strings.Repeat("x", 70_000), ""},
	} {
		u := oauthlogin.User{RawClaims: json.RawMessage(raw)}
		err := u.SetClaim(tt.name, tt.value)
		if got := string(u.RawClaims); tt.want == "" && (err == nil || got != raw) || tt.want != "" && (err != nil || got != tt.want) {
			t.Errorf("%q: %v: %s", tt.name, err, got)
		}
	}
	u := oauthlogin.User{Name: "Alice"}
	copied := u
	if err := errors.Join(u.SetClaim("a", 1), u.SetClaim("name", "Bob"), u.SetClaim("email_verified", true)); err != nil || string(u.RawClaims) != `{"a":1,"email_verified":true,"name":"Bob"}` || u.Name != "Bob" || u.EmailVerified {
		t.Errorf("%v: %+v", err, u)
	}
	if copied.RawClaims != nil || copied.Name != "Alice" {
		t.Error("a copy has changed")
	}
	bad := oauthlogin.User{RawClaims: json.RawMessage(`[]`)}
	if err := bad.SetClaim("a", 1); err == nil || !strings.Contains(err.Error(), "RawClaims is not a JSON object") || string(bad.RawClaims) != "[]" {
		t.Errorf("claims that are no object became %s, %v", bad.RawClaims, err)
	}
}

// Claims may be as large as a session can keep, together with what the application adds.
func TestOnSignInAddsTooMuch(t *testing.T) {
	t.Parallel()
	a := asking(t, apptest.Config{}, func(_ context.Context, in *oauthlogin.SignIn) error {
		return in.User.SetClaim("groups", strings.Repeat("x", 65_000))
	})
	b := a.Browser(t)
	resp := b.Get(b.CallbackURL("/login"))
	if resp.StatusCode != http.StatusInternalServerError || b.SignedIn() {
		t.Errorf("%d: %s", resp.StatusCode, resp.Text)
	}
	a.Events.Want(t, "login test/ session_too_large")
}

// A silent login that is refused leaves the visitor a visitor, and is not tried again.
func TestOnSignInRefusesSilently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuse := false
		a := newSilentApp(t, func(opts *oauthlogin.Options) {
			opts.OnSignIn = func(context.Context, *oauthlogin.SignIn) error {
				if refuse {
					return errNotInvited
				}
				return nil
			}
		})
		b := knownAtProvider(t, a)
		refuse = true
		wantPage(b, "/public/", "everybody", 3)
		a.Events.Want(t, "login test/alice sign_in_refused")
		for range 3 {
			time.Sleep(11 * time.Minute)
			wantPage(b, "/public/", "everybody", 0)
		}
		a.Events.Want(t)
	})
}

// A silent login that fails shows no page, so the log has to say what is the application's
// fault, once a minute.
func TestOnSignInFailsSilently(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, level, second string
		hook                func() error
	}{
		{"a panic", "ERROR", "INFO", func() error { panic("s3cret") }},
		{"a refusal", "INFO", "INFO", func() error { return errors.New("not invited") }},
		{"an Error of 500", "ERROR", "INFO", func() error { return &oauthlogin.Error{Code: "database", Status: 500} }},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			fails := false
			a := newSilentApp(t, func(opts *oauthlogin.Options) {
				opts.OnSignIn = func(context.Context, *oauthlogin.SignIn) error {
					if !fails {
						return nil
					}
					return tt.hook()
				}
			})
			first, second := knownAtProvider(t, a), knownAtProvider(t, a)
			fails = true
			for i, b := range []*apptest.Browser{first, second} {
				a.Log.Reset()
				wantPage(b, "/public/", "everybody", 3)
				level, log := []string{tt.level, tt.second}[i], a.Log.String()
				if strings.Count(log, "no silent sign-in") != 1 || !strings.Contains(log, "level="+level+` msg="oauthlogin: no silent sign-in"`) || strings.Contains(log, "s3cret") {
					t.Errorf("want %s: %s", level, log)
				}
			}
		})
	}
}

// The refresh token of a login that begins no session is revoked, unless the user has a
// session, which might end with it.
func TestRefusedLoginIsRevoked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		previous string                                      // who is signed in
		cut      func(*http.Request) (*http.Response, error) // between application and provider
		revoked  int
	}{
		{"a stranger", "", nil, 1},
		{"someone else was signed in", "bob", nil, 1},
		{"the same user was signed in", "alice", nil, 0},
		{"the provider hangs", "", func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, 0},
		{"the provider is away", "", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, 0},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			refuse := false
			var a *apptest.App
			a = asking(t, apptest.Config{}, func(context.Context, *oauthlogin.SignIn) error {
				if !refuse {
					return nil
				}
				a.Wire.CutBy(tt.cut)
				return errNotInvited
			})
			b := a.Browser(t)
			if tt.previous != "" {
				a.Provider.AutoApprove(tt.previous)
				b.Login("/dashboard")
			}
			a.Provider.AutoApprove("alice")
			refuse = true
			callback := b.CallbackURL("/login")
			begun := time.Now()
			resp := b.Get(callback)
			if took := time.Since(begun); resp.StatusCode != http.StatusForbidden || took > 3*time.Second {
				t.Errorf("%d after %v", resp.StatusCode, took)
			}
			revoked := a.Provider.Requests(oauthlogintest.Revocation)
			if len(revoked) != tt.revoked || tt.revoked > 0 && revoked[0].Form.Get("token") != a.LastIssued("refresh_token") {
				t.Errorf("%d tokens are revoked", len(revoked))
			}
			if tt.cut != nil && !strings.Contains(a.Log.String(), "refresh token not revoked") {
				t.Errorf("log: %s", a.Log)
			}
			if b.SignedIn() != (tt.previous != "") {
				t.Error("the session that was there is gone")
			}
		})
	}
}

// Claims that JSON writes longer than the provider has must not undo what the application
// has set.
func TestOnSignInIsNotUndoneByLongClaims(t *testing.T) {
	t.Parallel()
	with := apptest.Config{Change: func(opts *oauthlogin.Options) {
		apptest.PlainOAuth(opts)
		opts.Providers[0].Identify = func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Subject: "mallory", Email: "boss@example.com", EmailVerified: true, RawClaims: json.RawMessage(
				`{"email":"boss@example.com","email_verified":true,"bio":"` + strings.Repeat("<", 12_000) + `"}`)}, nil
		}
	}}
	a := asking(t, with, func(_ context.Context, in *oauthlogin.SignIn) error {
		in.User.EmailVerified = false
		return nil
	})
	a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"email": {"boss@example.com"}}})
	b := a.Browser(t)
	resp := b.Get(b.CallbackURL("/login"))
	if got := b.Get("/guarded").Text; resp.StatusCode != http.StatusInternalServerError || b.SignedIn() || strings.HasPrefix(got, "guarded page") {
		t.Errorf("%d, then %.80s", resp.StatusCode, got)
	}
	a.Events.Want(t, "login test/ session_too_large")
}

// An address and its verification are never mixed: neither at the login nor by a refresh.
func TestSetClaimKeepsEmailAndVerificationTogether(t *testing.T) {
	t.Parallel()
	const own, foreign = "mallory@example.com", "boss@example.com"
	for _, tt := range []struct {
		name          string
		email         string // of the login
		verified      bool
		set           map[string]any
		want          string
		nowVerified   bool
		refreshed     string // of the refresh, verified or not
		freshVerified bool
	}{
		{"another address", own, true, map[string]any{"email": foreign}, foreign, false, own, true},
		{"the same address, which is not verified", foreign, false, map[string]any{"email": foreign}, foreign, false, own, true},
		{"the same verification", own, true, map[string]any{"email_verified": true}, own, true, foreign, false},
		{"another case", own, true, map[string]any{"Email": foreign}, foreign, false, own, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := asking(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 10 * time.Minute}}, func(_ context.Context, in *oauthlogin.SignIn) (err error) {
				for name, value := range tt.set {
					err = errors.Join(err, in.User.SetClaim(name, value))
				}
				return err
			})
			says := func(email string, verified bool) {
				a.Provider.EditIDToken(func(_, claims map[string]any) { claims["email"], claims["email_verified"] = email, verified })
			}
			says(tt.email, tt.verified)
			b := a.Browser(t)
			b.Login("/dashboard")
			for range 2 {
				u := userAt(b, "/api/me")
				var got struct {
					Email    string
					Verified bool `json:"email_verified"`
				}
				if err := u.Claims(&got); err != nil || u.Email != tt.want || u.EmailVerified != tt.nowVerified || got.Email != tt.want || got.Verified != tt.nowVerified {
					t.Errorf("%s: %q %v, claims %+v: %v", tt.name, u.Email, u.EmailVerified, got, err)
				}
				says(tt.refreshed, tt.freshVerified)
				time.Sleep(9*time.Minute + 30*time.Second)
				b.Get("/dashboard")
			}
		})
	}
}

// An account is not linked to a session that the provider has stopped vouching for.
func TestOnSignInSeesNoSessionAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var previous []bool
		with := apptest.Config{Change: func(opts *oauthlogin.Options) { opts.IdleTimeout = 100 * time.Hour }}
		a := asking(t, with, func(_ context.Context, in *oauthlogin.SignIn) error {
			previous = append(previous, in.Previous != nil)
			return nil
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(24 * time.Hour)
		b.Get(b.CallbackURL("/login"))
		time.Sleep(25*time.Hour + time.Minute) // an hour of the token, and a day
		b.Get(b.CallbackURL("/login"))
		if fmt.Sprint(previous) != "[false true false]" {
			t.Errorf("previous sessions: %v", previous)
		}
	})
}
