package oauthlogin_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// guardedPath has a query whose bytes a careless hand would change.
const guardedPath = "/guarded?q=a%20b&u=http%3A%2F%2Fx&&empty="

// wantGuarded fails the test unless /guarded lets the browser in, or refuses it
// with 403 and runs no handler.
func wantGuarded(t *testing.T, a *apptest.App, b *apptest.Browser, allowed bool) {
	t.Helper()
	before, status := a.Called("/guarded"), http.StatusForbidden
	if allowed {
		status = http.StatusOK
	}
	if resp := b.Get("/guarded"); resp.StatusCode != status || (a.Called("/guarded") > before) != allowed {
		t.Errorf("%d, handler ran %d times; want %d", resp.StatusCode, a.Called("/guarded")-before, status)
	}
}

// withClaims is a provider whose alice has these claims.
func withClaims(claims map[string]any) apptest.Config {
	return apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
		{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: claims},
	}}}
}

// Every claim of the policy must have one of its values. Which values a claim has is
// in internal/claims.
func TestPolicyClaims(t *testing.T) {
	t.Parallel()
	claims := map[string]any{
		"role": "admin", "groups": []any{"staff", "admin"}, "level": 7, "active": true, "blank": "", "tree": map[string]any{"admin": true, "name": "admin"},
	}
	type want = map[string][]string
	tests := []struct {
		name    string
		claims  want
		allowed bool
	}{
		{"nothing", nil, true},
		{"the value", want{"role": {"admin"}}, true},
		{"one of several values", want{"role": {"owner", "admin"}}, true},
		{"another value", want{"role": {"owner"}}, false},
		{"another case", want{"role": {"Admin"}}, false},
		{"a part of the value", want{"role": {"adm"}}, false},
		{"the value with a space", want{"role": {"admin "}}, false},
		{"an element of a list", want{"groups": {"admin"}}, true},
		{"a value that the list does not have", want{"groups": {"owner"}}, false},
		{"a number", want{"level": {"7"}}, true},
		{"true", want{"active": {"true"}}, true},
		{"a missing claim", want{"missing": {"admin"}}, false},
		{"a missing claim for an empty value", want{"missing": {"", "null"}}, false},
		{"an empty value", want{"blank": {""}}, true},
		{"a claim inside an object", want{"admin": {"true"}, "tree.admin": {"true"}}, false},
		{"all of several claims", want{"role": {"admin"}, "groups": {"staff"}, "level": {"7"}}, true},
		{"all but one of several claims", want{"role": {"admin"}, "groups": {"staff"}, "level": {"8"}}, false},
		{"a claim of the protocol", want{"sub": {"alice"}, "aud": {"app"}}, true},
	}
	a, b := apptest.SignedIn(t, withClaims(claims))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a.GuardBy(oauthlogin.Policy{Claims: test.claims})
			wantGuarded(t, a, b, test.allowed)
		})
	}
	// The policy is a copy.
	policy := want{"role": {"admin"}}
	guard := a.Auth.Require(oauthlogin.Policy{Claims: policy})
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/guarded", guard(a.Count(func(http.ResponseWriter, *http.Request) {})))
	}
	policy["role"][0], policy["missing"] = "owner", []string{"x"}
	wantGuarded(t, a, b, true)
}

// An address that the user has not shown to be theirs satisfies no policy.
func TestPolicyBelievesVerifiedEmailAlone(t *testing.T) {
	t.Parallel()
	email := map[string][]string{"email": {"alice@example.com"}}
	for _, tt := range []struct {
		name     string
		verified any
		claims   map[string][]string
		status   int
	}{
		{"verified", true, email, http.StatusOK},
		{"not verified", false, email, http.StatusForbidden},
		{"not said", nil, email, http.StatusForbidden},
		{"a text", "true", email, http.StatusForbidden},
		{"another claim", false, map[string][]string{"contact": {"alice@example.com"}}, http.StatusOK},
	} {
		a := apptest.New(t, apptest.Config{})
		a.Provider.EditIDToken(func(_, claims map[string]any) {
			claims["name"], claims["email"], claims["contact"] = "Alice", "alice@example.com", "alice@example.com"
			if claims["email_verified"] = tt.verified; tt.verified == nil {
				delete(claims, "email_verified")
			}
		})
		a.GuardBy(oauthlogin.Policy{Claims: tt.claims})
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/guarded"); resp.StatusCode != tt.status {
			t.Errorf("%s: %d", tt.name, resp.StatusCode)
		}
	}
	// Identify vouches for Email, and for no address among the claims.
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		apptest.PlainOAuth(o)
		identify := o.Providers[0].Identify
		o.Providers[0].Identify = func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			user, err := identify(ctx, client)
			user.RawClaims = []byte(`{"email":"admin@example.com"}`)
			return user, err
		}
	}})
	b := a.Browser(t)
	b.Login("/dashboard")
	for _, address := range []string{"admin@example.com", "alice@example.com"} {
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"email": {address}}})
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("another address among the claims: %d", resp.StatusCode)
		}
	}
}

// wantScopes fails the test unless /guarded lets the browser in, or asks the provider for
// the scopes and runs no handler.
func wantScopes(t *testing.T, a *apptest.App, b *apptest.Browser, scopes []string, allowed bool) {
	t.Helper()
	if allowed || slices.Contains(scopes, "") { // which no request can name
		wantGuarded(t, a, b, allowed)
		return
	}
	resp := b.Get("/guarded")
	requested := strings.Fields(apptest.QueryOf(resp.Location()).Get("scope"))
	if resp.StatusCode != http.StatusSeeOther || a.Called("/guarded") > 0 || slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(requested, scope) }) {
		t.Errorf("%d to %q, handler ran %d times", resp.StatusCode, resp.Location(), a.Called("/guarded"))
	}
}

// RFC 6749 section 5.1: the granted scopes are those of the token response, and
// the requested ones if it names none.
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
		{"granted and not requested", scope("openid admin"), nil, []string{"admin"}, true},
		{"never requested", scope("openid profile email"), nil, []string{"admin"}, false},
		{"in another case", scope("openid profile"), nil, []string{"Profile"}, false},
		{"a part of the name", scope("openid profile:read"), nil, []string{"profile"}, false},
		{"requested, and the response names none", scope(nil), nil, []string{"openid", "profile"}, true},
		{"not requested, and the response names none", scope(nil), nil, []string{"admin"}, false},
		{"requested, and the response grants nothing", scope(""), nil, []string{"profile"}, false},
		{"requested, and the response has a list of others", scope([]string{"openid"}), nil, []string{"profile"}, false},
		{"requested, and the response has a number", scope(7), nil, []string{"profile"}, false},
		// RFC 6749 section 3.3 has a string; some providers send a list.
		{"granted in a list", scope([]string{"write", "read"}), nil, []string{"read", "write"}, true},
		{"withdrawn by a refresh", scope("openid profile"), scope("openid"), []string{"profile"}, false},
		{"kept by a refresh that names none", scope("openid profile"), scope(nil), []string{"profile"}, true},
		{"not granted, and a refresh names none", scope("openid"), scope(nil), []string{"profile"}, false},
		{"withdrawn by a refresh that grants nothing", scope("openid profile"), scope(""), []string{"profile"}, false},
		{"an empty name", scope("openid"), nil, []string{""}, false},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.GuardBy(oauthlogin.Policy{Scopes: test.required})
			test.login(a)
			b := a.Browser(t)
			b.Login("/dashboard")
			if test.refresh != nil {
				test.refresh(a)
				time.Sleep(59*time.Minute + 30*time.Second)
			}
			wantScopes(t, a, b, test.required, test.allowed)
			if test.refresh != nil && a.Provider.Count(oauthlogintest.Token) != 2 {
				t.Error("there was no refresh")
			}
		})
	}
}

// GitHub separates scopes by commas, and returns "" if it granted none.
func TestPolicyScopesWithCommas(t *testing.T) {
	t.Parallel()
	for granted, allowed := range map[string]bool{
		"profile,read:user": true, "read:user, profile": true, "read:user,profile:read": false, "": false,
	} {
		t.Run(granted, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: apptest.PlainOAuth})
			a.Provider.EditTokenResponse(func(resp map[string]any) { resp["scope"] = granted })
			a.GuardBy(oauthlogin.Policy{Scopes: []string{"profile", "read:user"}})
			b := a.Browser(t)
			b.Login("/dashboard")
			wantScopes(t, a, b, []string{"profile", "read:user"}, allowed)
		})
	}
}

// A navigation gets a page, and any other request JSON. A user who is signed out
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
		{name: "a page in a current browser", header: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}},
		{name: "HEAD", method: http.MethodHead},
		{name: "fetch", header: apptest.AsScript, json: true},
		{name: "POST", method: http.MethodPost},
		{name: "a form", method: http.MethodPost, header: sentForm},
		{name: "a navigation through a service worker", header: throughWorker},
		{name: "prefetching", header: []string{"Sec-Purpose", "prefetch"}, json: true},
		{name: "WebSocket", header: []string{"Upgrade", "websocket"}, json: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code := ""
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
				opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
					var failed *oauthlogin.Error
					if errors.As(err, &failed) {
						code = failed.Code
						w.WriteHeader(failed.Status)
					}
				}
			}})
			a.GuardBy(policy)
			b := a.Browser(t)
			method := cmp.Or(test.method, http.MethodGet)
			if resp := b.Do(b.Request(method, "/guarded", nil, test.header...)); resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusOK {
				t.Errorf("signed out: %d", resp.StatusCode)
			}
			a.Events.Want(t)
			b.Login("/dashboard")
			a.Events.Take()

			resp := b.Do(b.Request(method, "/guarded", nil, test.header...))
			if resp.StatusCode != http.StatusForbidden || resp.Location() != "" || resp.Header.Get("Cache-Control") != "no-store" || a.Called("/guarded") > 0 {
				t.Errorf("%d %v, handler ran %d times", resp.StatusCode, resp.Header, a.Called("/guarded"))
			}
			if inJSON := strings.TrimSpace(resp.Text) == `{"error":"forbidden"}` && resp.Header.Get("Content-Type") == "application/json"; inJSON != test.json || (code == "forbidden") == test.json {
				t.Errorf("%v %s, ErrorHandler got %q", resp.Header, resp.Text, code)
			}
			a.Events.Want(t, "denied test/alice forbidden")
			if !b.SignedIn() {
				t.Error("the session has ended")
			}
		})
	}
	t.Run("without an ErrorHandler", func(t *testing.T) {
		t.Parallel()
		a, b := apptest.SignedIn(t, apptest.Config{})
		a.GuardBy(policy)
		resp := b.Get("/guarded?<script>")
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "<h1>No access</h1>") || strings.Contains(resp.Text, "groups") {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

// Each of several nested Requires applies its own policy, with and without Handler
// around them.
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
				a := apptest.New(t, withClaims(map[string]any{"groups": []string{"staff"}}))
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
					t.Errorf("signed out: %d", resp.StatusCode)
				}
				resp := b.Follow("/page")
				if resp.StatusCode != test.status || resp.Request.URL.Path != "/page" || (a.Called("/page") == 1) != (test.status == http.StatusOK) {
					t.Errorf("%s: %d, handler ran %d times", resp.Request.URL, resp.StatusCode, a.Called("/page"))
				}
				events := []string{"login test/alice"}
				if test.status == http.StatusForbidden {
					events = append(events, "denied test/alice forbidden")
				}
				a.Events.Want(t, events...)
			})
		}
	}
}

// A policy that no session can ever satisfy is a mistake, which Require reports at
// once.
func TestRequirePanics(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	other := a.Opts.Providers[1].Name
	groups := map[string][]string{"groups": {"admin"}}
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
		// One of several providers may let its users write what another one vouches for.
		{"claims of any provider", oauthlogin.Policy{Claims: groups}, "Policy.Providers"},
		{"claims of one provider", oauthlogin.Policy{Providers: []string{other}, Claims: groups}, ""},
		{"claims of both providers", oauthlogin.Policy{Providers: []string{a.Opts.Providers[0].Name, other}, Claims: groups}, ""},
		{"scopes of any provider", oauthlogin.Policy{Scopes: []string{"profile"}}, ""},
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
	// The claims of an only provider need no name.
	apptest.New(t, apptest.Config{}).Auth.Require(oauthlogin.Policy{Claims: groups})
}

func TestPolicyProviders(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	name := a.Opts.Providers[0].Name
	b := a.Browser(t)
	b.Follow("/login?provider=" + name)
	two := a.Opts.Providers[1].Name
	for _, tt := range []struct {
		providers []string
		allowed   bool
	}{{nil, true}, {[]string{name}, true}, {[]string{two, name}, true}, {[]string{two}, false}} {
		a.GuardBy(oauthlogin.Policy{Providers: tt.providers})
		wantGuarded(t, a, b, tt.allowed)
	}
}

// Who is of the wrong provider gets a way to another one: the same would refuse them again.
func TestPolicyProvidersLeadToAnother(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
		three := o.Providers[1]
		three.Name, three.Issuer = "three", "https://three.test"
		client := *three.OAuth2
		client.RedirectURL = "https://app.test/auth/callback/three"
		three.OAuth2 = &client
		o.Providers = append(o.Providers, three)
	})
	b := a.Browser(t)
	b.Follow("/login?provider=one")
	for _, tt := range []struct {
		providers []string
		leadsTo   string
	}{
		{[]string{"two"}, "https://two.test/authorize?"},
		{[]string{"two", "three"}, "the choice"},
		{[]string{"one", "two"}, "https://provider.test/authorize?"}, // the claim is missing
	} {
		a.GuardBy(oauthlogin.Policy{Providers: tt.providers, Claims: map[string][]string{"groups": {"admin"}}})
		resp := b.Get("/guarded")
		if resp.StatusCode != http.StatusForbidden {
			t.Fatalf("%v: %d %s", tt.providers, resp.StatusCode, resp.Text)
		}
		resp = b.Page(a.URL).Link(a.URL + resp.Links()[0])
		query := apptest.QueryOf(resp.Location())
		switch {
		case tt.leadsTo == "the choice":
			if links := resp.Links(); len(links) < 3 || !strings.Contains(resp.Text, "three") || !strings.Contains(links[0], "return_to=%2Fguarded") {
				t.Errorf("%v: %d %s", tt.providers, resp.StatusCode, resp.Text)
			}
		case !strings.HasPrefix(resp.Location(), tt.leadsTo) || query.Get("prompt") != "select_account":
			t.Errorf("%v: leads to %s", tt.providers, resp.Location())
		}
	}
}

// sentForm are the headers of a form that a page of the application sends.
var sentForm = []string{"Sec-Fetch-Mode", "navigate", "Referer", "https://app.test/edit"}

// throughWorker are the headers of a navigation that a service worker fetches anew.
var throughWorker = []string{"Sec-Fetch-Mode", "same-origin", "Accept", acceptHTML}

// The application's own decision comes last, and its error stays out of the page.
func TestPolicyAllow(t *testing.T) {
	t.Parallel()
	errSuspended := errors.New("s3cret reason")
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		var asked, seen string
		var refuse error
		var handled error
		change := with.Change
		with.Change = func(opts *oauthlogin.Options) {
			if change != nil {
				change(opts)
			}
			opts.OnEvent = func(_ context.Context, e oauthlogin.Event) {
				if e.Kind == oauthlogin.EventDenied {
					handled = e.Err
				}
			}
		}
		a := apptest.New(t, with)
		a.Provider.EditIDToken(func(_, claims map[string]any) {
			claims["realm_access"] = map[string]any{"roles": []string{"admin"}}
		})
		a.GuardBy(oauthlogin.Policy{
			Claims: map[string][]string{"realm_access.roles": {"admin"}},
			Allow: func(ctx context.Context, s *oauthlogin.Session) error {
				inContext, _ := oauthlogin.FromContext(ctx)
				asked, seen = s.User.Subject, inContext.User.Subject
				return refuse
			},
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		if got := b.Get("/guarded").Text; got != "guarded page for alice" || asked != "alice" || seen != "alice" {
			t.Errorf("%q after asking about %q with %q", got, asked, seen)
		}
		refuse = errSuspended
		for _, accept := range []string{"text/html", "application/json"} {
			resp := b.Get("/guarded", "Accept", accept)
			if resp.StatusCode != http.StatusForbidden || strings.Contains(resp.Text, "s3cret") || !errors.Is(handled, errSuspended) {
				t.Errorf("%d with %v: %s", resp.StatusCode, handled, resp.Text)
			}
		}
		if !b.SignedIn() {
			t.Error("the refusal ends the session")
		}
		a.Provider.EditIDToken(func(_, claims map[string]any) { delete(claims, "realm_access") })
		b.Get(b.CallbackURL("/login"))
		asked = ""
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden || asked != "" {
			t.Errorf("asked about a session without the role: %d", resp.StatusCode)
		}
	})
}

var admins = oauthlogin.Policy{Claims: map[string][]string{"realm_access.groups": {"admin"}}}

func inGroup(claims map[string]any, group string) {
	claims["realm_access"] = map[string]any{"groups": []string{group}}
}

// A provider such as Okta has groups at user info alone. A session whose login has not
// read it does so when a policy names such a claim, once.
func TestPolicyReadsUserInfo(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		a.Provider.EditUserInfo(func(claims map[string]any) { inGroup(claims, "admin"); claims["name"] = "Not Signed" })
		a.GuardBy(admins)
		b := a.Browser(t)
		b.Login("/dashboard")
		reads := func(want int) {
			t.Helper()
			if n := a.Provider.Count(oauthlogintest.UserInfo); n != want {
				t.Errorf("read %d times, want %d", n, want)
			}
		}
		reads(0)
		cookies := b.Cookies()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if w := a.Ask(t.Context(), cookies, "/guarded"); w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		all.Wait()
		reads(1)
		wantGuarded(t, a, b, true)
		a.Restart(t)
		wantGuarded(t, a, b, true)
		reads(1)
		if got := userAt(b, "/api/me"); got.Name == "Not Signed" || got.Subject != "alice" {
			t.Errorf("%+v", got)
		}
		a.Provider.EditUserInfo(func(claims map[string]any) { inGroup(claims, "staff") })
		time.Sleep(2 * time.Hour) // all claims are of one age
		wantGuarded(t, a, b, false)
		reads(2)
	})
}

// Whatever comes of it, user info is asked once a session, and never goes before what is
// signed.
func TestPolicyReadsUserInfoInVain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		signed  string // group of the ID token
		edit    func(claims map[string]any)
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		reads   int
		log     string
	}{
		"no such claim":       {"", nil, nil, 1, `lacks the claim`},
		"another value":       {"", func(claims map[string]any) { inGroup(claims, "staff") }, nil, 1, `lacks the value of the claim`},
		"another value, sent": {"staff", func(claims map[string]any) { inGroup(claims, "admin") }, nil, 0, `lacks the value of the claim`},
		"another subject":     {"", func(claims map[string]any) { inGroup(claims, "admin"); claims["sub"] = "bob" }, nil, 1, `lacks the claim`},
		"an outage":           {"", nil, apptest.RespondWith(503, ""), 1, `lacks the claim`},
		"a refusal":           {"", nil, apptest.RespondWith(403, `{}`), 1, `lacks the claim`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := apptest.New(t, with)
				a.Provider.EditIDToken(func(_, claims map[string]any) {
					if tt.signed != "" {
						inGroup(claims, tt.signed)
					}
				})
				a.Provider.EditUserInfo(tt.edit)
				if tt.respond != nil {
					a.Provider.Intercept(oauthlogintest.UserInfo, tt.respond)
				}
				a.GuardBy(admins)
				b := a.Browser(t)
				b.Login("/dashboard")
				for range 3 {
					wantGuarded(t, a, b, false)
				}
				if n := a.Provider.Count(oauthlogintest.UserInfo); n != tt.reads {
					t.Errorf("read %d times, want %d", n, tt.reads)
				}
				if !b.SignedIn() || !strings.Contains(a.Log.String(), tt.log+` \"realm_access.groups`) {
					t.Errorf("signed in: %t, log %s", b.SignedIn(), a.Log)
				}
			})
		})
	}
}

// What a refreshed ID token has taken away, user info must not bring back. A claim of the
// protocol, such as at_hash, is none of those.
func TestPolicyReadsNoUserInfoAfterLosingClaims(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Provider.EditUserInfo(func(claims map[string]any) { inGroup(claims, "admin") })
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims["team"] = "sales" })
			a.GuardBy(admins)
			b := a.Browser(t)
			b.Login("/dashboard")
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				delete(claims, "at_hash")
				if claims["team"] = "sales"; taken {
					delete(claims, "team")
				}
			})
			time.Sleep(2 * time.Hour)
			b.Get("/dashboard")
			a.WantRefreshes(t, 1)
			a.Restart(t)
			wantGuarded(t, a, b, !taken)
		})
	}
}

// A policy reads the claims of a session once, and again when they have changed.
func TestPolicySeesLaterClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		user := oauthlogintest.User{Subject: "alice", Name: "Alice", Email: "alice@example.com", EmailVerified: true, Claims: map[string]any{"roles": []string{"admin", "staff"}}}
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{user}}})
		roles := []string{"admin", "staff", "a", "b", "c", "d"} // more than stay with a session
		gates := map[string]http.Handler{}
		for _, role := range roles {
			gates[role] = a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"roles": {role}}})(http.NotFoundHandler())
		}
		gates["email"] = a.Auth.Require(oauthlogin.Policy{Claims: map[string][]string{"email": {"alice@example.com"}}})(http.NotFoundHandler())
		roles = append(roles, "email")
		a.Routes = func(mux *http.ServeMux) {
			for role, gate := range gates {
				mux.Handle("/"+role, gate)
			}
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		want := func(when string, allowed ...string) {
			t.Helper()
			for range 3 {
				for _, role := range roles {
					status := http.StatusForbidden
					if slices.Contains(allowed, role) {
						status = http.StatusNotFound
					}
					if resp := b.Get("/" + role); resp.StatusCode != status {
						t.Errorf("%s: /%s is %d, want %d", when, role, resp.StatusCode, status)
					}
				}
			}
		}
		want("after the login", "admin", "staff", "email")
		a.Provider.EditIDToken(func(_, claims map[string]any) {
			claims["roles"] = []string{"staff", "d"}
			claims["email_verified"] = false
		})
		time.Sleep(time.Hour)
		want("after a refresh", "staff", "d")
	})
}
