package adversarial_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A handler that changes its session grants nothing, not even to itself.
func TestHandlersGrantThemselvesNothing(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
		{Subject: "alice", Claims: map[string]any{"role": "nobody"}},
	}}})
	a.Routes = func(mux *http.ServeMux) {
		guarded := a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"role": {"admin!"}}})(
			a.Count(func(http.ResponseWriter, *http.Request) {}))
		for path, change := range map[string]func(*oauthlogin.Session){
			"/replace": func(s *oauthlogin.Session) { s.User.RawClaims = json.RawMessage(`{"role":"admin!"}`) },
			"/edit": func(s *oauthlogin.Session) {
				i := strings.Index(string(s.User.RawClaims), "nobody")
				copy(s.User.RawClaims[i:], "admin!")
			},
			"/user": func(s *oauthlogin.Session) {
				s.User = oauthlogin.User{Subject: "root", RawClaims: json.RawMessage(`{"role":"admin!"}`)}
			},
		} {
			mux.Handle(path, a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, _ := oauthlogin.FromContext(r.Context())
				change(s)
				guarded.ServeHTTP(w, r)
			})))
		}
	}
	b := a.Browser(t)
	b.Login("/dashboard")
	for _, path := range []string{"/replace", "/edit", "/user", "/replace"} {
		if resp := b.Get(path); resp.StatusCode != http.StatusForbidden || a.Called(path) > 0 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// Neither user info nor an impossible auth_time makes a session stronger than its
// ID token.
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
				apptest.Without("acr", "auth_time", "email")(nil, claims)
				maps.Copy(claims, test.idToken)
			})
			a.Provider.EditUserInfo(func(claims map[string]any) { maps.Copy(claims, test.info) })
			b := a.Browser(t)
			b.Login("/dashboard")
			if b.Get("/guarded"); a.Called("/guarded") > 0 {
				t.Error("handler ran")
			}
		})
	}
}

// No policy sends the browser round in a loop, and a policy that no sign-in can
// satisfy is closed.
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
		{"an empty ACR", oauthlogin.Policy{ACR: []string{""}}, false},
		{"an ACR of a space", oauthlogin.Policy{ACR: []string{" "}}, false},
		{"an ACR with a tab", oauthlogin.Policy{ACR: []string{"phr\t0"}}, false},
		{"an ACR with a line break", oauthlogin.Policy{ACR: []string{"0\nphr"}}, false},
		{"a MaxAge below a second", oauthlogin.Policy{MaxAge: time.Nanosecond}, true},
		{"the longest MaxAge", oauthlogin.Policy{MaxAge: math.MaxInt64}, true},
		{"a MaxAge of a century", oauthlogin.Policy{MaxAge: 100 * 365 * 24 * time.Hour}, true},
	} {
		for _, acr := range []any{"0", "phr", nil} {
			apptest.InBubble(t, fmt.Sprintf("%s, acr %v", test.name, acr), func(t *testing.T) {
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
		}
	}
}

// No other parameter of the login page weakens or strengthens a login.
func TestLoginTakesNoStepUpFromTheQuery(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	_, plain := b.StartLogin("/login")
	_, params := b.StartLogin("/login?max_age=0&acr_values=x&prompt=none&policy=x&stepup=x&STEP_UP=x")
	if len(params) != len(plain) || params.Has("max_age") || params.Has("acr_values") || params.Has("prompt") {
		t.Errorf("requested %v", params)
	}
}

// The step_up parameter of a login_url carries what the policy asks for: neither
// other parameters nor other sealed values change that, and no page repeats it.
func TestStepUpIsSealed(t *testing.T) {
	t.Parallel()
	a, b := apptest.SignedIn(t, apptest.Config{})
	a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute, ACR: []string{"phr"}})
	var challenge map[string]string
	if err := json.Unmarshal([]byte(b.Get("/guarded", apptest.AsScript...).Text), &challenge); err != nil {
		t.Fatal(err)
	}
	sealed := apptest.QueryOf(challenge["login_url"]).Get("step_up")
	_, plain := b.StartLogin("/login")
	for _, more := range []string{"&prompt=none&max_age=86400&acr_values=0", "&login_hint=mallory&scope=admin", "&claims=%7B%7D"} {
		_, params := b.StartLogin(challenge["login_url"] + more)
		if len(params) != len(plain)+3 || params.Get("max_age") != "60" || params.Get("acr_values") != "phr" || params.Get("prompt") != "login" || params.Get("scope") != plain.Get("scope") {
			t.Errorf("login_url%s leads to %v", more, params)
		}
	}
	session, flow := b.Cookies()[apptest.SessionCookie], b.Cookies()[b.CookieNames(apptest.FlowPrefix)[0]]
	for _, name := range b.CookieNames(apptest.FlowPrefix) {
		b.SetCookie(name, "")
	}
	for name, value := range map[string]string{
		"an empty value": "", "plain text": "prompt=none&max_age=0", "a part": sealed[:len(sealed)/2], "more": sealed + "A",
		"another first byte": "A" + sealed[1:], "another byte": sealed[:40] + "_-" + sealed[42:], "a flow cookie": flow,
		"a session cookie": session, "a session cookie's seal": session[7:], "64 KiB": strings.Repeat("A", 64<<10),
	} {
		resp := b.Get("/login?return_to=%2Fguarded&step_up=" + url.QueryEscape(value))
		if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || len(b.CookieNames(apptest.FlowPrefix)) > 0 {
			t.Errorf("step_up with %s: %d to %q", name, resp.StatusCode, resp.Location())
		}
		if value != "" && strings.Contains(resp.Text, value) {
			t.Errorf("step_up with %s: the page repeats it", name)
		}
	}
}
