package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// guardedPath has a query whose bytes a careless hand would change.
const guardedPath = "/guarded?q=a%20b&u=http%3A%2F%2Fx&&empty="

// All claims named have to be there, each with one of its values; in doubt
// none is.
func TestPolicyClaims(t *testing.T) {
	t.Parallel()
	claims := map[string]any{
		"role": "admin", "groups": []any{"staff", "admin"}, "level": 7, "ratio": 1.5, "active": true, "banned": false,
		"nothing": nil, "blank": "", "none": []any{}, "quoted": `a"b & <c>`,
		"tree": map[string]any{"admin": true, "name": "admin"}, "mixed": []any{nil, []any{"admin"}, map[string]any{"x": "admin"}, 3, true, "word"},
	}
	type want = map[string][]string
	tests := []struct {
		name    string
		claims  want
		allowed bool
	}{
		{"nothing is asked for", nil, true},
		{"the value", want{"role": {"admin"}}, true},
		{"one of several values", want{"role": {"owner", "admin"}}, true},
		{"another value", want{"role": {"owner"}}, false},
		{"another case", want{"role": {"Admin"}}, false},
		{"the name in another case", want{"Role": {"admin"}}, false},
		{"a part of the value", want{"role": {"adm"}}, false},
		{"the value with a space", want{"role": {"admin "}}, false},
		{"an element of a list", want{"groups": {"admin"}}, true},
		{"no element of a list", want{"groups": {"owner"}}, false},
		{"a list as JSON", want{"groups": {`["staff","admin"]`}}, false},
		{"a list as words", want{"groups": {"staff admin", "staff,admin"}}, false},
		{"an empty list", want{"none": {"", "[]", "null"}}, false},
		{"a number", want{"level": {"7"}}, true},
		{"a number written otherwise", want{"level": {"7.0", "07", "7e0"}}, false},
		{"a fraction", want{"ratio": {"1.5"}}, true},
		{"true", want{"active": {"true"}}, true},
		{"true for false", want{"banned": {"true"}}, false},
		{"false", want{"banned": {"false"}}, true},
		{"a missing claim", want{"missing": {"admin"}}, false},
		{"a missing claim for an empty value", want{"missing": {"", "null"}}, false},
		{"null", want{"nothing": {"", "null", "nil", "<nil>"}}, false},
		{"an empty value", want{"blank": {""}}, true},
		{"an object", want{"tree": {"admin", `{"admin":true,"name":"admin"}`, "true", ""}}, false},
		{"a claim inside an object", want{"admin": {"true"}, "tree.admin": {"true"}}, false},
		{"an element inside elements", want{"mixed": {"admin", "null", "", `["admin"]`}}, false},
		{"a number in a list", want{"mixed": {"3"}}, true},
		{"a boolean in a list", want{"mixed": {"true"}}, true},
		{"characters that JSON escapes", want{"quoted": {`a"b & <c>`}}, true},
		{"all of several claims", want{"role": {"admin"}, "groups": {"staff"}, "level": {"7"}}, true},
		{"all but one of several claims", want{"role": {"admin"}, "groups": {"staff"}, "level": {"8"}}, false},
		{"a claim of the protocol", want{"sub": {"alice"}, "aud": {"app"}}, true},
	}
	a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: claims}}}})
	mux := http.NewServeMux()
	for i, test := range tests {
		guard := a.Auth.Require(oauthlogin.Policy{Claims: test.claims})
		mux.Handle(fmt.Sprintf("/claims/%d", i), guard(a.Count(func(http.ResponseWriter, *http.Request) {})))
		for name, values := range test.claims { // the policy is a copy
			if len(values) > 0 {
				values[0] += "x"
			}
			test.claims[name+"x"] = []string{"x"}
		}
	}
	a.Routes = func(m *http.ServeMux) { m.Handle("/claims/", mux) }
	b := a.Browser(t)
	b.Login("/dashboard")
	for i, test := range tests {
		path := fmt.Sprintf("/claims/%d", i)
		status, called := http.StatusForbidden, 0
		if test.allowed {
			status, called = http.StatusOK, 1
		}
		if resp := b.Get(path); resp.StatusCode != status || a.Called(path) != called {
			t.Errorf("%s: %d, handler ran %d times", test.name, resp.StatusCode, a.Called(path))
		}
	}
}

// RFC 6749 section 5.1: granted is what the answer says, and what was asked for
// if it says nothing.
func TestPolicyScopes(t *testing.T) {
	t.Parallel()
	scope := func(v any) func(*apptest.App) {
		return func(a *apptest.App) {
			a.Provider.EditTokenResponse(func(resp map[string]any) {
				if resp["scope"] = v; v == nil {
					delete(resp, "scope")
				}
			})
		}
	}
	for _, test := range []struct {
		name     string
		login    func(*apptest.App)
		refresh  func(*apptest.App) // nil: none
		required []string
		allowed  bool
	}{
		{"granted", scope("openid profile email"), nil, []string{"profile", "email"}, true},
		{"one of two granted", scope("openid profile"), nil, []string{"profile", "email"}, false},
		{"granted beyond what was asked for", scope("openid admin"), nil, []string{"admin"}, true},
		{"never asked for", scope("openid profile email"), nil, []string{"admin"}, false},
		{"in another case", scope("openid profile"), nil, []string{"Profile"}, false},
		{"a part of the name", scope("openid profile:read"), nil, []string{"profile"}, false},
		{"asked for, and the answer names none", scope(nil), nil, []string{"openid", "profile"}, true},
		{"not asked for, and the answer names none", scope(nil), nil, []string{"admin"}, false},
		{"asked for, and the answer grants nothing", scope(""), nil, []string{"profile"}, false},
		{"asked for, and the answer names others in a list", scope([]string{"openid"}), nil, []string{"profile"}, false},
		{"asked for, and the answer is no scope", scope(7), nil, []string{"profile"}, false},
		{"taken away by a refresh", scope("openid profile"), scope("openid"), []string{"profile"}, false},
		{"kept by a refresh that names none", scope("openid profile"), scope(nil), []string{"profile"}, true},
		{"not granted, and a refresh names none", scope("openid"), scope(nil), []string{"profile"}, false},
		{"taken away by a refresh that grants nothing", scope("openid profile"), scope(""), []string{"profile"}, false},
		{"an empty name", scope("openid"), nil, []string{""}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.GuardBy(oauthlogin.Policy{Scopes: test.required})
				test.login(a)
				b := a.Browser(t)
				b.Login("/dashboard")
				if test.refresh != nil {
					test.refresh(a)
					time.Sleep(59*time.Minute + 30*time.Second)
				}
				status, called := http.StatusForbidden, 0
				if test.allowed {
					status, called = http.StatusOK, 1
				}
				if resp := b.Get("/guarded"); resp.StatusCode != status || a.Called("/guarded") != called {
					t.Errorf("%d, handler ran %d times", resp.StatusCode, a.Called("/guarded"))
				}
				if test.refresh != nil && a.Provider.Count(oauthlogintest.Token) != 2 {
					t.Error("there was no refresh")
				}
			})
		})
	}
}

// GitHub separates scopes by commas, and answers "" where it granted none.
func TestPolicyScopesWithCommas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		granted string
		status  int
	}{
		{"profile,read:user", http.StatusOK},
		{"read:user, profile", http.StatusOK},
		{"read:user,profile:read", http.StatusForbidden},
		{"", http.StatusForbidden},
	} {
		a := apptest.New(t, apptest.Config{Change: apptest.PlainOAuth})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["scope"] = test.granted })
		a.GuardBy(oauthlogin.Policy{Scopes: []string{"profile", "read:user"}})
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/guarded"); resp.StatusCode != test.status {
			t.Errorf("granted %q: %d", test.granted, resp.StatusCode)
		}
	}
}

// Who may not is told so, in the way that the request can show; who is nobody
// is asked to sign in.
func TestForbidden(t *testing.T) {
	t.Parallel()
	policy := oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}
	for _, test := range []struct {
		name   string
		method string
		header []string
		json   bool
	}{
		{name: "a page"},
		{name: "a page of a browser of today", header: asNavigation},
		{name: "HEAD", method: http.MethodHead},
		{name: "fetch", header: apptest.AsScript, json: true},
		{name: "POST", method: http.MethodPost},
		{name: "prefetching", header: []string{"Sec-Purpose", "prefetch"}, json: true},
		{name: "WebSocket", header: []string{"Upgrade", "websocket"}, json: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			errs := &failures{}
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.ErrorHandler = errs.handle }})
			a.GuardBy(policy)
			b := a.Browser(t)
			method := http.MethodGet
			if test.method != "" {
				method = test.method
			}
			if resp := b.Do(b.Request(method, "/guarded", nil, test.header...)); resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusOK {
				t.Errorf("nobody gets %d", resp.StatusCode)
			}
			a.Events.Want(t)
			b.Login("/dashboard")
			a.Events.Take()

			resp := b.Do(b.Request(method, "/guarded", nil, test.header...))
			if resp.StatusCode != http.StatusForbidden || resp.Location() != "" || a.Called("/guarded") > 0 {
				t.Errorf("%d to %q, handler ran %d times", resp.StatusCode, resp.Location(), a.Called("/guarded"))
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control: %s", resp.Header.Get("Cache-Control"))
			}
			var body map[string]string
			switch {
			case test.json && (json.Unmarshal([]byte(resp.Text), &body) != nil || len(body) != 1 || body["error"] != "forbidden"):
				t.Errorf("body %s", resp.Text)
			case test.json && (resp.Header.Get("Content-Type") != "application/json" || errs.code() != ""):
				t.Errorf("Content-Type %s; ErrorHandler got %q", resp.Header.Get("Content-Type"), errs.code())
			case !test.json && errs.code() != "forbidden":
				t.Errorf("ErrorHandler got %q", errs.code())
			}
			a.Events.Want(t, "denied test/alice forbidden")
			if !b.SignedIn() {
				t.Error("the session has ended")
			}
		})
	}
	t.Run("without an ErrorHandler", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		a.GuardBy(policy)
		b := a.Browser(t)
		b.Login("/dashboard")
		resp := b.Get("/guarded?<script>")
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "<h1>No access</h1>") || strings.Contains(resp.Text, "groups") || !slices.Equal(resp.Links(), []string{"/"}) {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

// What a handler does to its session counts for nobody else, itself included.
func TestHandlersGrantThemselvesNothing(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
		{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: map[string]any{"role": "nobody"}},
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

// Each Require of several asks for its own, with and without Handler around.
func TestNestedRequire(t *testing.T) {
	t.Parallel()
	groups := func(values ...string) oauthlogin.Policy {
		return oauthlogin.Policy{Claims: map[string][]string{"groups": values}}
	}
	for _, test := range []struct {
		name     string
		policies []oauthlogin.Policy
		status   int
	}{
		{"one that holds", []oauthlogin.Policy{groups("staff")}, http.StatusOK},
		{"all hold", []oauthlogin.Policy{groups("staff"), {Scopes: []string{"profile"}}, {MaxAge: time.Minute}, {}}, http.StatusOK},
		{"the outer one does not", []oauthlogin.Policy{groups("admin"), groups("staff")}, http.StatusForbidden},
		{"the inner one does not", []oauthlogin.Policy{groups("staff"), groups("admin")}, http.StatusForbidden},
	} {
		for _, handler := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, handler %v", test.name, handler), func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
					{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: map[string]any{"groups": []string{"staff"}}},
				}}})
				var h http.Handler = a.Count(func(http.ResponseWriter, *http.Request) {})
				for _, policy := range slices.Backward(test.policies) {
					h = a.Auth.Require(policy)(h)
				}
				if handler {
					h = a.Auth.Handler(h)
				}
				a.Net["app.test"] = apptest.Audited(t, true, h)
				b := a.Browser(t)
				if resp := b.Get("/page"); resp.StatusCode != http.StatusFound || a.Called("/page") > 0 {
					t.Errorf("nobody: %d", resp.StatusCode)
				}
				resp := b.Follow("/page")
				if resp.StatusCode != test.status || resp.Request.URL.Path != "/page" || (a.Called("/page") == 1) != (test.status == http.StatusOK) {
					t.Errorf("%s: %d, handler ran %d times", resp.Request.URL, resp.StatusCode, a.Called("/page"))
				}
				if test.status == http.StatusForbidden {
					a.Events.Want(t, "login test/alice", "denied test/alice forbidden")
				} else {
					a.Events.Want(t, "login test/alice")
				}
			})
		}
	}
}

// A policy never stands open because nothing was configured.
func TestRequireOfAZeroMiddleware(t *testing.T) {
	t.Parallel()
	for _, m := range []*oauthlogin.Middleware{nil, {}} {
		for _, policy := range []oauthlogin.Policy{{}, {MaxAge: time.Hour}} {
			w := httptest.NewRecorder()
			m.Require(policy)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("next ran") })).
				ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusInternalServerError {
				t.Errorf("%d", w.Code)
			}
		}
	}
}

// A policy that no session can ever satisfy is a mistake, and shows when the route is
// wrapped.
func TestRequirePanics(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	other := a.Opts.Providers[1].Name
	for _, tt := range []struct {
		name   string
		policy oauthlogin.Policy
		says   string // "": it does not panic
	}{
		{"an unknown provider", oauthlogin.Policy{Providers: []string{other, "hostile"}}, `Policy.Providers has "hostile"`},
		{"an empty provider name", oauthlogin.Policy{Providers: []string{""}}, `Policy.Providers has ""`},
		{"a provider in another case", oauthlogin.Policy{Providers: []string{strings.ToUpper(other)}}, "Policy.Providers has"},
		{"a claim without values", oauthlogin.Policy{Claims: map[string][]string{"role": {}}}, `Policy.Claims["role"]`},
		{"a claim with nil for values", oauthlogin.Policy{Claims: map[string][]string{"a": {"b"}, "role": nil}}, `Policy.Claims["role"]`},
		{"a negative age", oauthlogin.Policy{MaxAge: -1}, "Policy.MaxAge is -1ns"},
		{"a provider", oauthlogin.Policy{Providers: []string{other}}, ""},
		{"an odd claim name", oauthlogin.Policy{Providers: []string{other}, Claims: map[string][]string{"": {""}, "realm access.roles?": {"x"}}}, ""},
		{"nothing", oauthlogin.Policy{}, ""},
		{"empty lists", oauthlogin.Policy{Providers: []string{}, Claims: map[string][]string{}, Scopes: []string{}, ACR: []string{}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				said := fmt.Sprint(recover())
				if tt.says == "" && said != "<nil>" || !strings.Contains(said, tt.says) {
					t.Errorf("panics with %s", said)
				}
			}()
			a.Auth.Require(tt.policy)(http.NotFoundHandler())
		})
	}
}

func TestPolicyProviders(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	name := a.Opts.Providers[0].Name
	b := a.Browser(t)
	b.Follow("/login?provider=" + name)
	for _, tt := range []struct {
		providers []string
		status    int
	}{
		{nil, http.StatusOK},
		{[]string{name}, http.StatusOK},
		{[]string{a.Opts.Providers[1].Name, name}, http.StatusOK},
		{[]string{a.Opts.Providers[1].Name}, http.StatusForbidden},
	} {
		a.GuardBy(oauthlogin.Policy{Providers: tt.providers})
		if resp := b.Get("/guarded"); resp.StatusCode != tt.status {
			t.Errorf("%q: %d, want %d", tt.providers, resp.StatusCode, tt.status)
		}
	}
}
