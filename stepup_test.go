package oauthlogin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A page that wants a sign-in of late gets one, by the provider that the user
// came from, and shows itself afterwards: OpenID Connect Core section 3.1.2.1.
func TestStepUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			opts.Providers[0].AuthParams = url.Values{"prompt": {"consent"}, "access_type": {"offline"}}
		}})
		a.GuardBy(oauthlogin.Policy{MaxAge: 10 * time.Minute, ACR: []string{"phr", "phrh"}})
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["acr"] = "phrh" })
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get(guardedPath); resp.StatusCode != http.StatusOK {
			t.Fatalf("just signed in: %d", resp.StatusCode)
		}
		time.Sleep(11 * time.Minute) // clocks may differ by one
		if resp := b.Get(guardedPath); resp.StatusCode != http.StatusOK {
			t.Fatalf("eleven minutes later: %d", resp.StatusCode)
		}
		time.Sleep(time.Second)
		before := b.Clone()
		resp, params := b.StartLogin(guardedPath)
		for name, want := range map[string]string{
			"max_age": "600", "prompt": "login", "acr_values": "phr phrh", "access_type": "offline", "client_id": "app", "scope": "openid profile email",
		} {
			if values := params[name]; len(values) != 1 || values[0] != want {
				t.Errorf("%s is %q; want %q", name, values, want)
			}
		}
		if a.Called("/guarded") != 2 || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("handler ran %d times; headers %v", a.Called("/guarded"), resp.Header)
		}
		// The session is good for all else meanwhile.
		if !b.SignedIn() {
			t.Error("the session has ended")
		}
		done := b.FollowOn(b.Get(b.CallbackURL(resp.Location())), "guarded")
		if done.Location() != guardedPath {
			t.Errorf("came back to %s", done.Location())
		}
		if resp := b.Get(done.Location()); resp.Text != "guarded page for alice" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		if resp := before.Get(guardedPath); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the old session gets %d", resp.StatusCode)
		}
		// A refresh is no sign-in, whatever its ID token says.
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["acr"], claims["auth_time"] = "phrh", time.Now().Unix() })
		time.Sleep(59*time.Minute + 30*time.Second)
		if resp := b.Get(guardedPath); resp.StatusCode != http.StatusSeeOther || a.Provider.Count(oauthlogintest.Token) != 3 {
			t.Errorf("after a refresh: %d, %d token calls", resp.StatusCode, a.Provider.Count(oauthlogintest.Token))
		}
		a.Events.Want(t, "login test/alice", "step_up test/alice", "login test/alice", "step_up test/alice", "refresh test/alice", "step_up test/alice")
	})
}

// Only what the new ID token shows is believed: RFC 9470 section 5. A
// provider that does not do as asked gets one request, and the user a page.
func TestStepUpIsVerified(t *testing.T) {
	t.Parallel()
	recent := oauthlogin.Policy{MaxAge: time.Minute}
	strong := oauthlogin.Policy{ACR: []string{"phr"}}
	claim := func(name string, value func() any) func(a *apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				if claims[name] = value(); claims[name] == nil {
					delete(claims, name)
				}
			})
		}
	}
	is := func(v any) func() any { return func() any { return v } }
	for _, test := range []struct {
		name   string
		policy oauthlogin.Policy
		answer func(a *apptest.App)
	}{
		{"an old auth_time", recent, claim("auth_time", func() any { return time.Now().Add(-2*time.Minute - time.Second).Unix() })},
		{"no auth_time", recent, claim("auth_time", is(nil))},
		{"an auth_time of null", recent, claim("auth_time", is(json.RawMessage("null")))},
		{"an auth_time that is a string", recent, claim("auth_time", func() any { return fmt.Sprint(time.Now().Unix()) })},
		{"an auth_time in milliseconds", recent, claim("auth_time", func() any { return time.Now().UnixMilli() })},
		{"an auth_time in the future", recent, claim("auth_time", func() any { return time.Now().Add(time.Hour).Unix() })},
		{"an auth_time of 0", recent, claim("auth_time", is(0))},
		{"an auth_time that user info alone has", recent, func(a *apptest.App) {
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				delete(claims, "auth_time")
				delete(claims, "email")
			})
			a.Provider.EditUserInfo(func(claims map[string]any) { claims["auth_time"] = time.Now().Unix() })
		}},
		{"another acr", strong, claim("acr", is("0"))},
		{"no acr", strong, claim("acr", is(nil))},
		{"an acr of null", strong, claim("acr", is(json.RawMessage("null")))},
		{"an acr that is a list", strong, claim("acr", is([]string{"phr"}))},
		{"an acr in another case", strong, claim("acr", is("PHR"))},
		{"an acr that begins alike", strong, claim("acr", is("phrh"))},
		{"an acr of two words", strong, claim("acr", is("0 phr"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.GuardBy(test.policy)
				b := a.Browser(t)
				b.Login("/dashboard")
				a.Events.Take()
				old := b.Cookies()[apptest.SessionCookie]
				time.Sleep(3 * time.Minute)
				test.answer(a)
				resp := b.Follow(guardedPath)
				if resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "<h1>Please sign in again</h1>") || resp.Request.URL.Path != "/auth/callback" {
					t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
				}
				if !slices.Equal(resp.Links(), []string{guardedPath}) {
					t.Errorf("links %q", resp.Links())
				}
				if a.Called("/guarded") > 0 || a.Provider.Count(oauthlogintest.Authorization) != 2 || a.Provider.Count(oauthlogintest.Token) != 2 {
					t.Errorf("handler ran %d times after %d requests", a.Called("/guarded"), a.Provider.Count(oauthlogintest.Authorization))
				}
				a.Events.Want(t, "step_up test/alice", "login test/ step_up_failed")
				if b.Cookies()[apptest.SessionCookie] != old || !b.SignedIn() {
					t.Error("the old session has gone")
				}
				// And when the provider does as asked:
				a.Provider.EditIDToken(nil)
				a.Provider.EditUserInfo(nil)
				if resp := b.Follow(guardedPath); resp.Text != "guarded page for alice" || resp.Request.URL.RequestURI() != guardedPath {
					t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
				}
			})
		})
	}
}

// A session that was never strong: what user info or a login of another kind
// says makes it no stronger.
func TestPolicyBelievesTheIDTokenAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		policy  oauthlogin.Policy
		idToken map[string]any
		info    map[string]any
	}{
		{"acr of user info", oauthlogin.Policy{ACR: []string{"phr"}}, nil, map[string]any{"acr": "phr"}},
		{"auth_time of user info", oauthlogin.Policy{MaxAge: time.Hour}, nil, map[string]any{"auth_time": 1 << 33}},
		{"auth_time in the far future", oauthlogin.Policy{MaxAge: time.Hour}, map[string]any{"auth_time": 1 << 33}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			a.GuardBy(test.policy)
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				for _, name := range []string{"acr", "auth_time", "email"} {
					delete(claims, name)
				}
				maps.Copy(claims, test.idToken)
			})
			a.Provider.EditUserInfo(func(claims map[string]any) {
				maps.Copy(claims, test.info)
			})
			b := a.Browser(t)
			b.Login("/dashboard")
			if b.Get("/guarded"); a.Called("/guarded") > 0 {
				t.Error("handler ran")
			}
		})
	}
}

// RFC 9470 section 3: a script gets told, with a URL that does what a page's
// redirect does.
func TestStepUpForScripts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute, ACR: []string{"phr"}})
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Events.Take()
		ask := func(method string, header ...string) (loginURL *url.URL) {
			t.Helper()
			resp := b.Do(b.Request(method, guardedPath, nil, append(header, apptest.AsScript...)...))
			var body map[string]string
			if err := json.Unmarshal([]byte(resp.Text), &body); err != nil || resp.StatusCode != http.StatusUnauthorized || len(body) != 2 || body["error"] != "insufficient_user_authentication" {
				t.Fatalf("%s: %d %s", method, resp.StatusCode, resp.Text)
			}
			if challenge := resp.Header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="insufficient_user_authentication"`) {
				t.Errorf("challenge %s", challenge)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/json" || len(resp.Cookies()) > 0 || a.Called("/guarded") > 0 {
				t.Errorf("headers %v", resp.Header)
			}
			if !strings.HasPrefix(body["login_url"], "/login?") {
				t.Fatalf("login_url %q", body["login_url"])
			}
			u, err := url.Parse(body["login_url"])
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		for _, test := range []struct {
			name, method, referer, returnTo string
		}{
			{"of a page of ours", http.MethodGet, "https://app.test/page?x=%2F", "/page?x=%2F"},
			{"of a page of ours, with a body", http.MethodPost, "https://app.test/page?x=%2F", "/page?x=%2F"},
			{"of no page", http.MethodGet, "", guardedPath},
			{"of no page, with a body", http.MethodDelete, "", "/"},
			{"of a page elsewhere", http.MethodPost, "https://evil.test/page", "/"},
		} {
			u := ask(test.method, "Referer", test.referer)
			if got := u.Query().Get("return_to"); got != test.returnTo || len(u.Query()) != 2 {
				t.Errorf("%s: login_url %s", test.name, u)
			}
		}

		loginURL := ask(http.MethodGet)
		sealed := loginURL.Query().Get("step_up")
		// No other parameter joins what is sealed, and nothing of it is tampered with.
		_, plain := b.StartLogin("/login")
		for _, more := range []string{"&prompt=none&max_age=86400&acr_values=0", "&login_hint=mallory&scope=admin", "&claims=%7B%7D"} {
			_, params := b.StartLogin(loginURL.String() + more)
			if len(params) != len(plain)+3 || params.Get("max_age") != "60" || params.Get("acr_values") != "phr" || params.Get("prompt") != "login" || params.Get("scope") != plain.Get("scope") {
				t.Errorf("login_url%s leads to %v", more, params)
			}
		}
		for name := range b.Cookies() {
			if strings.HasPrefix(name, apptest.FlowPrefix) {
				b.SetCookie(name, "")
			}
		}
		var flow string
		other := a.Browser(t)
		other.StartLogin("/login")
		for _, name := range other.CookieNames(apptest.FlowPrefix) {
			flow = other.Cookies()[name]
		}
		for name, value := range map[string]string{
			"nothing": "", "plain text": "prompt=none&max_age=0", "a part": sealed[:len(sealed)/2], "more": sealed + "A",
			"another first byte": "A" + sealed[1:], "another byte": sealed[:40] + "_-" + sealed[42:], "a flow cookie": flow,
			"a session cookie": b.Cookies()[apptest.SessionCookie], "a session cookie's seal": b.Cookies()[apptest.SessionCookie][7:],
			"too much": strings.Repeat("A", 64<<10),
		} {
			resp := b.Get("/login?return_to=%2Fguarded&step_up=" + url.QueryEscape(value))
			if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || len(b.CookieNames(apptest.FlowPrefix)) > 0 {
				t.Errorf("step_up with %s: %d to %q", name, resp.StatusCode, resp.Location())
			}
			if value != "" && strings.Contains(resp.Text, value) {
				t.Errorf("step_up with %s: the page repeats it", name)
			}
		}
		// What it asks for is verified all the same.
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["acr"] = "0" })
		if resp := b.Follow(loginURL.String()); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		a.Provider.EditIDToken(nil)
		if resp := b.Follow(loginURL.String()); resp.Text != "guarded page for alice" || resp.Request.URL.RequestURI() != guardedPath {
			t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
		}
		// A request for a refresh of the sign-in goes with no session, too.
		if resp := a.Browser(t).Follow(loginURL.String()); resp.Text != "guarded page for alice" {
			t.Errorf("without a session: %d %s", resp.StatusCode, resp.Text)
		}
	})
}

// Nothing else in a link to the login page weakens or strengthens a login.
func TestLoginTakesNoStepUpFromTheQuery(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	_, plain := b.StartLogin("/login")
	_, params := b.StartLogin("/login?max_age=0&acr_values=x&prompt=none&policy=x&stepup=x&STEP_UP=x")
	if len(params) != len(plain) || params.Has("max_age") || params.Has("acr_values") || params.Has("prompt") {
		t.Errorf("asked for %v", params)
	}
}

// Plain OAuth 2.0 says nothing of when and how a user signed in, and its user
// info does not either.
func TestStepUpNeedsOpenIDConnect(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]oauthlogin.Policy{"MaxAge": {MaxAge: time.Hour}, "ACR": {ACR: []string{"phr"}}} {
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			apptest.PlainOAuth(opts)
			identify := opts.Providers[0].Identify
			opts.Providers[0].Identify = func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
				user, err := identify(ctx, client)
				user.RawClaims = fmt.Appendf(nil, `{"auth_time":%d,"acr":"phr"}`, time.Now().Unix())
				return user, err
			}
		}})
		a.GuardBy(policy)
		b := a.Browser(t)
		b.Login("/dashboard")
		a.Events.Take()
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden || a.Called("/guarded") > 0 {
			t.Errorf("%s: page %d", name, resp.StatusCode)
		}
		if resp := b.Get("/guarded", apptest.AsScript...); resp.StatusCode != http.StatusForbidden || a.Called("/guarded") > 0 {
			t.Errorf("%s: fetch %d", name, resp.StatusCode)
		}
		a.Events.Want(t, "denied test/12345678 forbidden", "denied test/12345678 forbidden")
	}
}

// withOther adds the provider "other", where bob signs in.
func withOther(t *testing.T) (a *apptest.App, other *oauthlogintest.Provider) {
	t.Helper()
	other, err := oauthlogintest.New(oauthlogintest.Config{
		Issuer:  "https://other.test",
		Clients: []oauthlogintest.Client{{ID: "app", RedirectURIs: []string{"https://app.test/auth/other"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	other.SetKeyAlg("ES256")
	other.AutoApprove("bob")
	a = apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.Providers = append(opts.Providers, oauthlogin.Provider{
			Name: "other", Issuer: "https://other.test",
			OAuth2: &oauth2.Config{ClientID: "app", RedirectURL: "https://app.test/auth/other", Scopes: []string{"profile", "email"}},
		})
	}})
	a.Net["other.test"] = other
	return a, other
}

// With several providers the user signs in again where the session is from.
func TestStepUpByTheSessionsProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, other := withOther(t)
		a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute})
		b := a.Browser(t)
		if resp := b.Follow("/login?provider=other&return_to=%2Fguarded"); resp.Text != "guarded page for bob" {
			t.Fatalf("%d %s", resp.StatusCode, resp.Text)
		}
		time.Sleep(3 * time.Minute)
		resp := b.Get("/guarded", apptest.AsScript...)
		var body map[string]string
		if err := json.Unmarshal([]byte(resp.Text), &body); err != nil {
			t.Fatal(err)
		}
		if resp := b.Follow(body["login_url"]); resp.Text != "guarded page for bob" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		time.Sleep(3 * time.Minute)
		if resp := b.Follow(guardedPath); resp.Text != "guarded page for bob" || resp.Request.URL.RequestURI() != guardedPath {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		if asked := a.Provider.Count(oauthlogintest.Authorization); asked > 0 || other.Count(oauthlogintest.Authorization) != 3 {
			t.Errorf("asked %d and %d times", asked, other.Count(oauthlogintest.Authorization))
		}
		a.Events.Want(t, "login other/bob", "step_up other/bob", "login other/bob", "step_up other/bob", "login other/bob")
	})
}

// A handler that starts a login chooses the provider, and the way back.
func TestHandlerStartsALogin(t *testing.T) {
	t.Parallel()
	a, _ := withOther(t)
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/join", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{
				Provider: "other", ReturnTo: "/dashboard?joined=a%20b", AuthParams: url.Values{"login_hint": {"bob"}, "max_age": {"60"}},
			})
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		b := a.Browser(t)
		resp := b.Do(b.Request(method, "/join?provider=test&return_to=%2Felsewhere&login_hint=mallory", nil))
		u, _ := url.Parse(resp.Location())
		if query := u.Query(); resp.StatusCode != http.StatusSeeOther || u.Host != "other.test" || query.Get("login_hint") != "bob" || query.Get("max_age") != "60" {
			t.Fatalf("%s: %d to %s", method, resp.StatusCode, u)
		}
		if resp := b.Follow(u.String()); resp.StatusCode != http.StatusOK || resp.Request.URL.RequestURI() != "/dashboard?joined=a%20b" {
			t.Errorf("%s: %s %d", method, resp.Request.URL, resp.StatusCode)
		}
	}
}

// No policy sends a user round between us and a provider that asks nothing,
// and one that asks for what no sign-in can show is closed.
func TestStepUpNeverGoesRound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		policy  oauthlogin.Policy
		allowed bool
	}{
		{"an ACR of two words", oauthlogin.Policy{ACR: []string{"0 phr"}}, false},
		{"an ACR of one word twice", oauthlogin.Policy{ACR: []string{"phr phr"}}, false},
		{"an ACR of two words beside another", oauthlogin.Policy{ACR: []string{"0 phr", "phrh"}}, false},
		{"an ACR of nothing", oauthlogin.Policy{ACR: []string{""}}, false},
		{"an ACR of a space", oauthlogin.Policy{ACR: []string{" "}}, false},
		{"an ACR with a tab", oauthlogin.Policy{ACR: []string{"phr\t0"}}, false},
		{"an ACR with a line break", oauthlogin.Policy{ACR: []string{"0\nphr"}}, false},
		{"a MaxAge below a second", oauthlogin.Policy{MaxAge: time.Nanosecond}, true},
		{"a MaxAge of for ever", oauthlogin.Policy{MaxAge: math.MaxInt64}, true},
		{"a MaxAge of a century", oauthlogin.Policy{MaxAge: 100 * 365 * 24 * time.Hour}, true},
	} {
		for _, acr := range []any{"0", "phr", nil} {
			t.Run(fmt.Sprintf("%s, acr %v", test.name, acr), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := apptest.New(t, apptest.Config{})
					a.GuardBy(test.policy)
					a.Provider.EditIDToken(func(_, claims map[string]any) {
						if claims["acr"] = acr; acr == nil {
							delete(claims, "acr")
						}
					})
					b := a.Browser(t)
					b.Login("/dashboard")
					time.Sleep(3 * time.Minute)
					resp := b.Follow("/guarded") // which ends
					if n := a.Provider.Count(oauthlogintest.Authorization); n > 2 {
						t.Errorf("sent to the provider %d times", n)
					}
					if allowed := a.Called("/guarded") > 0; allowed != test.allowed {
						t.Errorf("%d, handler ran: %v", resp.StatusCode, allowed)
					}
				})
			})
		}
	}
}

// Who signs in for the step-up has a session of their own, and what a policy
// says of them.
func TestStepUpAsAnotherUser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		policy oauthlogin.Policy
		status int
		events []string
	}{
		{"who may", oauthlogin.Policy{MaxAge: time.Minute}, http.StatusOK, []string{"step_up test/alice", "login test/bob"}},
		{
			"who may not",
			oauthlogin.Policy{MaxAge: time.Minute, Claims: map[string][]string{"sub": {"alice"}}},
			http.StatusForbidden,
			[]string{"step_up test/alice", "login test/bob", "denied test/bob forbidden"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.GuardBy(test.policy)
				b := a.Browser(t)
				b.Login("/dashboard")
				a.Events.Take()
				time.Sleep(3 * time.Minute)
				a.Provider.AutoApprove("bob")
				resp := b.Follow(guardedPath)
				if resp.StatusCode != test.status || resp.Request.URL.RequestURI() != guardedPath {
					t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
				}
				a.Events.Want(t, test.events...)
				if me := b.Get("/api/me"); !strings.Contains(me.Text, `"Subject":"bob"`) || strings.Contains(me.Text, "alice") {
					t.Errorf("signed in as %s", me.Text)
				}
			})
		})
	}
}
