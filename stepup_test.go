package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A policy with MaxAge and ACR sends the user to sign in again and then back to the
// page: OpenID Connect Core section 3.1.2.1.
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
		// The session remains valid elsewhere.
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
		// A refresh does not count as a sign-in, whatever its ID token says.
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["acr"], claims["auth_time"] = "phrh", time.Now().Unix() })
		time.Sleep(59*time.Minute + 30*time.Second)
		if resp := b.Get(guardedPath); resp.StatusCode != http.StatusSeeOther || a.Provider.Count(oauthlogintest.Token) != 3 {
			t.Errorf("after a refresh: %d, %d token calls", resp.StatusCode, a.Provider.Count(oauthlogintest.Token))
		}
		a.Events.Want(t, "login test/alice", "step_up test/alice", "login test/alice", "step_up test/alice", "refresh test/alice", "step_up test/alice")
	})
}

// Only the new ID token shows that the user signed in again (RFC 9470 section 5).
// If it does not, the user gets an error page and not another redirect.
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
		name    string
		policy  oauthlogin.Policy
		respond func(a *apptest.App)
	}{
		{"an old auth_time", recent, claim("auth_time", func() any { return time.Now().Add(-2*time.Minute - time.Second).Unix() })},
		{"no auth_time", recent, claim("auth_time", is(nil))},
		{"an auth_time that is a string", recent, claim("auth_time", func() any { return fmt.Sprint(time.Now().Unix()) })},
		{"an auth_time in the future", recent, claim("auth_time", func() any { return time.Now().Add(time.Hour).Unix() })},
		{"an auth_time that user info alone has", recent, func(a *apptest.App) {
			a.Provider.EditIDToken(func(_, claims map[string]any) {
				delete(claims, "auth_time")
				delete(claims, "email")
			})
			a.Provider.EditUserInfo(func(claims map[string]any) { claims["auth_time"] = time.Now().Unix() })
		}},
		{"another acr", strong, claim("acr", is("0"))},
		{"no acr", strong, claim("acr", is(nil))},
		{"an acr that begins alike", strong, claim("acr", is("phrh"))},
		{"an acr of two words", strong, claim("acr", is("0 phr"))},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{})
			a.GuardBy(test.policy)
			a.Events.Take()
			old := b.Cookies()[apptest.SessionCookie]
			time.Sleep(3 * time.Minute)
			test.respond(a)
			resp := b.Follow(guardedPath)
			if resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "<h1>Please sign in again</h1>") || resp.Request.URL.Path != "/auth/callback" || !slices.Equal(resp.Links(), []string{guardedPath}) {
				t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
			}
			if a.Called("/guarded") > 0 || a.Provider.Count(oauthlogintest.Authorization) != 2 || a.Provider.Count(oauthlogintest.Token) != 2 {
				t.Errorf("handler ran %d times after %d requests", a.Called("/guarded"), a.Provider.Count(oauthlogintest.Authorization))
			}
			a.Events.Want(t, "step_up test/alice", "login test/ step_up_failed")
			if b.Cookies()[apptest.SessionCookie] != old || !b.SignedIn() {
				t.Error("the old session has gone")
			}
			// And when the provider does as requested:
			a.Provider.EditIDToken(nil)
			a.Provider.EditUserInfo(nil)
			if resp := b.Follow(guardedPath); resp.Text != "guarded page for alice" || resp.Request.URL.RequestURI() != guardedPath {
				t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
			}
		})
	}
}

// RFC 9470 section 3: a script gets a challenge and the URL of the login.
func TestStepUpForScripts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute, ACR: []string{"phr"}})
		a.Events.Take()
		ask := func(method string, header ...string) (loginURL *url.URL) {
			t.Helper()
			resp := b.Do(b.Request(method, guardedPath, nil, append(header, apptest.AsScript...)...))
			var body map[string]string
			err := json.Unmarshal([]byte(resp.Text), &body)
			if err != nil || resp.StatusCode != http.StatusUnauthorized || len(body) != 2 || body["error"] != "insufficient_user_authentication" || !strings.HasPrefix(body["login_url"], "/login?") {
				t.Fatalf("%s: %d %s", method, resp.StatusCode, resp.Text)
			}
			if resp.Header.Get("WWW-Authenticate") != `Cookie realm="oauthlogin", error="insufficient_user_authentication"` || resp.Header.Get("Cache-Control") != "no-store" ||
				resp.Header.Get("Content-Type") != "application/json" || len(resp.Cookies()) > 0 || a.Called("/guarded") > 0 {
				t.Errorf("headers %v", resp.Header)
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
			{"from a page of the application", http.MethodGet, "https://app.test/page?x=%2F", "/page?x=%2F"},
			{"from a page of the application, with a body", http.MethodPost, "https://app.test/page?x=%2F", "/page?x=%2F"},
			{"without a Referer", http.MethodGet, "", guardedPath},
			{"without a Referer, with a body", http.MethodDelete, "", "/"},
			{"from a page of another site", http.MethodPost, "https://evil.test/page", "/"},
		} {
			u := ask(test.method, "Referer", test.referer)
			if got := u.Query().Get("return_to"); got != test.returnTo || len(u.Query()) != 2 {
				t.Errorf("%s: login_url %s", test.name, u)
			}
		}

		loginURL := ask(http.MethodGet).String()
		_, plain := b.StartLogin("/login")
		_, params := b.StartLogin(loginURL)
		if len(params) != len(plain)+3 || params.Get("max_age") != "60" || params.Get("acr_values") != "phr" || params.Get("prompt") != "login" {
			t.Errorf("login_url leads to %v", params)
		}
		// What it requests is verified all the same.
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["acr"] = "0" })
		if resp := b.Follow(loginURL); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		a.Provider.EditIDToken(nil)
		if resp := b.Follow(loginURL); resp.Text != "guarded page for alice" || resp.Request.URL.RequestURI() != guardedPath {
			t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
		}
		// It works without a session, too.
		if resp := a.Browser(t).Follow(loginURL); resp.Text != "guarded page for alice" {
			t.Errorf("without a session: %d %s", resp.StatusCode, resp.Text)
		}
	})
}

// The step-up of a form is a page, and that of a service worker leads to the provider.
func TestFormsThatArePolicedGetPages(t *testing.T) {
	t.Parallel()
	a, b := apptest.SignedIn(t, apptest.Config{})
	a.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
	resp := b.Do(b.Request(http.MethodPost, "/guarded", nil, sentForm...))
	if links := resp.Links(); resp.StatusCode != http.StatusUnauthorized || len(links) != 1 || !strings.HasPrefix(links[0], "/login?return_to=%2Fedit&step_up=") {
		t.Errorf("a form: %d %s", resp.StatusCode, resp.Text)
	}
	if resp = b.Do(b.Request(http.MethodGet, "/guarded", nil, throughWorker...)); apptest.QueryOf(resp.Location()).Get("acr_values") != "phr" {
		t.Errorf("a service worker: %d to %q", resp.StatusCode, resp.Location())
	}
}

// With several providers the user signs in again at the session's provider.
func TestStepUpByTheSessionsProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, two := apptest.NewTwoProviders(t, nil)
		a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute})
		b := a.Browser(t)
		if resp := b.Follow("/login?provider=two&return_to=%2Fguarded"); resp.Text != "guarded page for bob" {
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
		if asked := a.Provider.Count(oauthlogintest.Authorization); asked > 0 || two.Count(oauthlogintest.Authorization) != 3 {
			t.Errorf("sent to them %d and %d times", asked, two.Count(oauthlogintest.Authorization))
		}
		a.Events.Want(t, "login two/bob", "step_up two/bob", "login two/bob", "step_up two/bob", "login two/bob")
	})
}

// Of the policy's max_age and the provider's the stricter one is requested.
func TestStepUpRequestsTheStricterAge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ ofEveryLogin, ofPolicy, want time.Duration }{
		{time.Hour, time.Minute, time.Minute},
		{time.Minute, time.Hour, time.Minute},
		{0, time.Hour, 0},
		{time.Hour, time.Hour, time.Hour},
		{-1, time.Hour, time.Hour},
	} {
		apptest.InBubble(t, fmt.Sprintf("%v and %v", tt.ofEveryLogin, tt.ofPolicy), func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
				if tt.ofEveryLogin >= 0 {
					o.Providers[0].AuthParams = url.Values{"max_age": {fmt.Sprint(tt.ofEveryLogin.Seconds())}}
				}
			}})
			a.GuardBy(oauthlogin.Policy{MaxAge: tt.ofPolicy})
			b := a.Browser(t)
			b.Login("/dashboard")
			time.Sleep(2 * time.Hour)
			resp := b.Get("/guarded")
			if got := apptest.QueryOf(resp.Location()); got.Get("max_age") != fmt.Sprint(tt.want.Seconds()) || got.Get("prompt") != "login" {
				t.Errorf("%d to %q", resp.StatusCode, resp.Location())
			}
			// A login that takes too long asks for the same, though every login asks for it.
			late := apptest.Edited(t, b.FollowOn(resp, "/auth/callback").Location(), func(q url.Values) { q.Del("code"); q.Set("error", "authentication_expired") })
			if again := b.Get(late); apptest.QueryOf(again.Location()).Get("prompt") != "login" {
				t.Errorf("anew: %d to %q", again.StatusCode, again.Location())
			}
		})
	}
}

// The URL of a login that asks for more is good for a day, and at the provider that it
// names. Afterwards its page leads to where it is asked for again.
func TestStepUpURLIsOfOneProviderAndADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := apptest.NewTwoProviders(t, nil)
		a.GuardBy(oauthlogin.Policy{Providers: []string{"two"}, Claims: map[string][]string{"groups": {"admin"}}})
		b := a.Browser(t)
		if resp := b.Follow("/login?provider=two&return_to=%2Fguarded"); resp.StatusCode != http.StatusForbidden {
			t.Fatalf("%d %s", resp.StatusCode, resp.Text)
		}
		loginURL := b.Get("/guarded").Links()[0]
		opens := func(loginURL string) bool {
			resp := b.Get(loginURL)
			if resp.StatusCode == http.StatusBadRequest && !slices.Equal(resp.Links(), []string{"/guarded"}) {
				t.Errorf("the page leads to %q", resp.Links())
			}
			return apptest.QueryOf(resp.Location()).Get("prompt") == "select_account"
		}
		if !opens(loginURL) {
			t.Errorf("%s does not open", loginURL)
		}
		if other := strings.Replace(loginURL, "provider=two", "provider=one", 1); other == loginURL || opens(other) {
			t.Errorf("%s opens", other)
		}
		if time.Sleep(24 * time.Hour); !opens(loginURL) {
			t.Error("it does not open after a day")
		}
		if time.Sleep(time.Millisecond); opens(loginURL) {
			t.Error("it opens after more than a day")
		}
	})
}

// A step-up as another user begins that user's session, which the policy judges
// anew.
func TestStepUpAsAnotherUser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		policy oauthlogin.Policy
		status int
		events []string
	}{
		{"who is allowed", oauthlogin.Policy{MaxAge: time.Minute}, http.StatusOK, []string{"step_up test/alice", "login test/bob"}},
		{
			"who is forbidden",
			oauthlogin.Policy{MaxAge: time.Minute, Claims: map[string][]string{"sub": {"alice"}}},
			http.StatusForbidden,
			[]string{"step_up test/alice", "login test/bob", "denied test/bob forbidden"},
		},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{})
			a.GuardBy(test.policy)
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
	}
}

// The page of a user without access leads to the choice of another account at the
// session's provider, and back to what was asked for.
func TestForbiddenLeadsToAnotherAccount(t *testing.T) {
	t.Parallel()
	long := "/guarded?q=" + strings.Repeat("&", 3500)
	for _, test := range []struct {
		name, method, path string
		header             []string
		returnTo           string
	}{
		{"a page", http.MethodGet, guardedPath, nil, guardedPath},
		{"a page that a link leads to", http.MethodGet, guardedPath, []string{"Sec-Fetch-Mode", "navigate", "Referer", "https://app.test/edit"}, guardedPath},
		{"a page through a service worker", http.MethodGet, guardedPath, throughWorker, guardedPath},
		{"a form", http.MethodPost, guardedPath, sentForm, "/edit"},
		{"a form of an unknown page", http.MethodPost, guardedPath, []string{"Sec-Fetch-Mode", "navigate"}, "/"},
		{"an address that is too long for a login URL", http.MethodGet, long, nil, "/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var handled *oauthlogin.Error
			a, two := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
				o.OnEvent = func(_ context.Context, e oauthlogin.Event) { errors.As(e.Err, &handled) }
			})
			a.GuardBy(oauthlogin.Policy{Allow: func(_ context.Context, s *oauthlogin.Session) error {
				if s.User.Subject == "bob" {
					return errors.New("not bob")
				}
				return nil
			}})
			b := a.Browser(t)
			b.Follow("/login?provider=two&return_to=%2Fdashboard")
			resp := b.Do(b.Request(test.method, test.path, nil, test.header...))
			links := resp.Links()
			if resp.StatusCode != http.StatusForbidden || len(links) != 2 || links[1] != "/" || !strings.Contains(resp.Text, ">Sign in with another account<") {
				t.Fatalf("%d %s", resp.StatusCode, resp.Text)
			}
			if handled == nil || handled.RetryURL != "" {
				t.Errorf("the event has RetryURL %v", handled)
			}
			if got := apptest.QueryOf(links[0]).Get("return_to"); got != test.returnTo {
				t.Errorf("leads back to %q, want %q", got, test.returnTo)
			}
			resp = b.Page(a.URL).Link(a.URL + links[0])
			if got := apptest.QueryOf(resp.Location()).Get("prompt"); got != "select_account" || !strings.HasPrefix(resp.Location(), "https://two.test/authorize?") {
				t.Errorf("the provider is asked at %s", resp.Location())
			}
			two.AutoApprove("carol")
			if resp = b.FollowOn(resp, ""); resp.Request.URL.RequestURI() != test.returnTo {
				t.Errorf("came back to %s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
			}
			if test.returnTo == guardedPath && resp.Text != "guarded page for carol" {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		})
	}
}

var signOutForm = regexp.MustCompile(`<form method="post" action="([^"]*)">`)

// The form of the page signs out at the provider too. Its policy names the origins of the
// redirects that follow it, without a request to the provider.
func TestForbiddenPageSignsOut(t *testing.T) {
	t.Parallel()
	elsewhere := func(o *oauthlogin.Options) { o.Providers[0].PostLogoutRedirectURL = "https://www.test/bye" }
	for _, test := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		endpoint any    // end_session_endpoint
		restart  bool   // forgets the metadata
		formsTo  string // origins
		leadsTo  string // of the logout
	}{
		{"at the issuer", nil, "https://provider.test/end_session", false, "https://provider.test", "https://provider.test/end_session?"},
		{"at another host", nil, "https://logout.test:8443/end", false, "https://logout.test:8443", "https://logout.test:8443/end?"},
		{"with a page elsewhere", elsewhere, "https://provider.test/end_session", false, "https://provider.test https://www.test", "https://provider.test/end_session?"},
		{"here alone", nil, nil, false, "", "/"},
		{"of a provider without OpenID Connect", apptest.PlainOAuth, nil, false, "", "/"},
		{"at a provider not known yet", nil, "https://provider.test/end_session", true, "https://provider.test", "https://provider.test/end_session?"},
		{"below another path", func(o *oauthlogin.Options) { o.LogoutPath = "/a&b/out" }, nil, false, "", "/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Change: test.change})
			a.Provider.EditDiscovery(func(doc map[string]any) { doc["end_session_endpoint"] = test.endpoint })
			a.GuardBy(oauthlogin.Policy{Allow: func(context.Context, *oauthlogin.Session) error { return errors.New("not today") }})
			b := a.Browser(t)
			b.Login("/dashboard")
			if test.restart {
				a.Restart(t)
			}
			asked := a.Provider.Count(oauthlogintest.Discovery)
			resp := b.Get("/guarded")
			for _, fault := range apptest.PageFaults(resp, strings.Fields(test.formsTo)...) {
				t.Error(fault)
			}
			if n := a.Provider.Count(oauthlogintest.Discovery); n != asked {
				t.Errorf("the page asks the provider %d times", n-asked)
			}
			form := signOutForm.FindStringSubmatch(resp.Text)
			if resp.StatusCode != http.StatusForbidden || form == nil {
				t.Fatalf("%d %s", resp.StatusCode, resp.Text)
			}
			if out := b.Page(a.URL).Form(a.URL+html.UnescapeString(form[1]), nil); out.StatusCode != http.StatusSeeOther || !strings.HasPrefix(out.Location(), test.leadsTo) {
				t.Errorf("the form: %d to %q: %s", out.StatusCode, out.Location(), out.Text)
			}
			if b.SignedIn() {
				t.Error("signed in")
			}
		})
	}
}

// With no-referrer, browsers would send forms of the application's own page with
// "Origin: null", which Logout refuses.
func TestForbiddenThroughErrorHandler(t *testing.T) {
	t.Parallel()
	a, b := apptest.SignedIn(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		o.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			var failed *oauthlogin.Error
			errors.As(err, &failed)
			http.Error(w, failed.RetryURL, failed.Status)
		}
	}})
	a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
	resp := b.Get("/guarded")
	if got := resp.Header.Get("Referrer-Policy"); got != "same-origin" || !strings.HasPrefix(resp.Text, "/login?return_to=%2Fguarded&step_up=") {
		t.Errorf("%q, %s", got, resp.Text)
	}
	if resp = b.Get("/logout"); resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("another code: %q", resp.Header.Get("Referrer-Policy"))
	}
}

// narrowly makes the provider's configuration one without the scope email, which it
// grants to whoever asks.
func narrowly(with apptest.Config) apptest.Config {
	change := with.Change
	with.Change = func(o *oauthlogin.Options) {
		if change != nil {
			change(o)
		}
		o.Providers[0].OAuth2.Scopes = []string{"openid", "profile"}
	}
	return with
}

// A scope that is missing is requested once, in addition to the others, and stays.
func TestScopesAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		grant any // scope of the response that grants email; false: as the provider does
	}{
		{"and named", false},
		{"and not named", nil},
		{"and separated by commas", "profile,email"},
	} {
		t.Run(test.name, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a, b := apptest.SignedIn(t, narrowly(with))
				a.GuardBy(oauthlogin.Policy{Scopes: []string{"profile", "email"}})
				if test.grant != false {
					a.Provider.EditTokenResponse(func(resp map[string]any) {
						if resp["scope"] = test.grant; test.grant == nil {
							delete(resp, "scope")
						}
					})
				}
				a.Events.Take()
				resp, params := b.StartLogin(guardedPath)
				if params.Get("scope") != "openid profile email" || params.Has("prompt") || params.Has("max_age") || a.Called("/guarded") > 0 {
					t.Errorf("asks for %v", params)
				}
				if resp := b.FollowOn(b.Get(b.CallbackURL(resp.Location())), ""); resp.Text != "guarded page for alice" || resp.Request.URL.RequestURI() != guardedPath {
					t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
				}
				// A refresh that names none leaves them, and so does one that names them.
				a.Provider.EditTokenResponse(func(resp map[string]any) { delete(resp, "scope") })
				for range 2 {
					time.Sleep(59*time.Minute + 30*time.Second)
					wantGuarded(t, a, b, true)
					if test.grant != nil {
						a.Provider.EditTokenResponse(nil)
					}
				}
				// A login for something else asks for them again.
				a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute})
				if _, params := b.StartLogin("/guarded"); params.Get("scope") != "openid profile email" || params.Get("max_age") != "60" {
					t.Errorf("a step-up asks for %v", params)
				}
				if _, params := b.StartLogin("/login"); params.Get("scope") != "openid profile" {
					t.Errorf("a login asks for %v", params)
				}
				a.Events.Want(t, "step_up test/alice", "login test/alice", "refresh test/alice", "refresh test/alice", "step_up test/alice")
			})
		})
	}
}

// A provider that grants less is asked once: then the page is forbidden, and the session
// stays. What a session has already been granted is not lost.
func TestScopesThatAreNotGranted(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, b := apptest.SignedIn(t, narrowly(with))
		email, admin := oauthlogin.Policy{Scopes: []string{"email"}}, oauthlogin.Policy{Scopes: []string{"admin"}}
		a.GuardBy(email)
		if resp := b.Follow("/guarded"); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, resp.Text)
		}
		a.GuardBy(admin)
		a.Events.Take()
		if _, params := b.StartLogin("/guarded"); params.Get("scope") != "openid profile email admin" {
			t.Errorf("asks for %v", params)
		}
		before := a.Provider.Count(oauthlogintest.Authorization)
		if resp := b.Follow("/guarded"); resp.StatusCode != http.StatusForbidden || resp.Request.URL.Path != "/guarded" || !strings.Contains(resp.Text, "<h1>No access</h1>") {
			t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
		}
		a.Events.Want(t, "step_up test/alice", "step_up test/alice", "login test/alice", "denied test/alice forbidden")
		a.Restart(t)
		wantRefusedScope := func() {
			t.Helper()
			if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden || resp.Location() != "" {
				t.Errorf("%d to %q", resp.StatusCode, resp.Location())
			}
		}
		wantRefusedScope()
		// Neither a refresh nor a login for something else begins again.
		time.Sleep(59*time.Minute + 30*time.Second)
		wantRefusedScope()
		a.GuardBy(oauthlogin.Policy{Scopes: []string{"email"}, MaxAge: time.Minute})
		if resp := b.Follow("/guarded"); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		a.GuardBy(admin)
		wantRefusedScope()
		if asked := a.Provider.Count(oauthlogintest.Authorization) - before; asked != 2 {
			t.Errorf("sent to the provider %d times", asked)
		}
		// A user who signs in anew is asked anew.
		b.Login("/dashboard")
		b.StartLogin("/guarded")
	})
}

// A user who denies the scopes gets the forbidden page at once, keeps the session, and is
// not asked again.
func TestScopesThatAreDenied(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"in time": 0, "too late": 6 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a, b := apptest.SignedIn(t, narrowly(with))
				a.GuardBy(oauthlogin.Policy{Scopes: []string{"email"}})
				a.Events.Take()
				a.AuthorizationResponse(func(query url.Values) { query.Set("error", "access_denied") })
				callback := b.CallbackURL("/guarded")
				time.Sleep(late)
				resp := b.Get(callback)
				if resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "<h1>No access</h1>") {
					t.Errorf("%d %s", resp.StatusCode, resp.Text)
				}
				if links := resp.Links(); len(links) != 2 || apptest.QueryOf(links[0]).Get("return_to") != "/guarded" || links[1] != "/" {
					t.Errorf("links %q", links)
				}
				a.Events.Want(t, "step_up test/alice", "login test/ access_denied", "denied test/alice forbidden")
				b.WantUser("/dashboard", "alice")
				a.Restart(t)
				wantGuarded(t, a, b, false)
				if n := a.Provider.Count(oauthlogintest.Authorization); n != 2 {
					t.Errorf("sent to the provider %d times", n)
				}
				// Scripts are told, and have a way for a user who thinks again.
				script := b.Get("/guarded", apptest.AsScript...)
				var body map[string]string
				if err := json.Unmarshal([]byte(script.Text), &body); err != nil || script.StatusCode != http.StatusForbidden || len(body) != 2 || body["error"] != "insufficient_scope" {
					t.Fatalf("%d %s", script.StatusCode, script.Text)
				}
				a.Events.Want(t, "denied test/alice forbidden", "denied test/alice insufficient_scope")
				a.Provider.Intercept(oauthlogintest.Authorization, nil)
				if resp := b.Follow(body["login_url"]); resp.Text != "guarded page for alice" {
					t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
				}
			})
		})
	}
}

// RFC 6750 section 3.1: a script gets a challenge and the URL of the login, and a form a
// page. A session that is too old as well goes through one login.
func TestScopesForScripts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, narrowly(apptest.Config{}))
		a.GuardBy(oauthlogin.Policy{Scopes: []string{"email"}})
		resp := b.Get(guardedPath, apptest.AsScript...)
		var body map[string]string
		if err := json.Unmarshal([]byte(resp.Text), &body); err != nil || resp.StatusCode != http.StatusUnauthorized || len(body) != 2 || body["error"] != "insufficient_scope" ||
			resp.Header.Get("WWW-Authenticate") != `Cookie realm="oauthlogin", error="insufficient_scope"` || resp.Header.Get("Cache-Control") != "no-store" || a.Called("/guarded") > 0 {
			t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, resp.Text)
		}
		_, plain := b.StartLogin("/login")
		if _, params := b.StartLogin(body["login_url"]); params.Get("scope") != "openid profile email" || len(params) != len(plain) {
			t.Errorf("login_url leads to %v", params)
		}
		form := b.Do(b.Request(http.MethodPost, "/guarded", nil, sentForm...))
		if links := form.Links(); form.StatusCode != http.StatusUnauthorized || !strings.Contains(form.Text, "<h1>One more permission is needed</h1>") || len(links) != 1 || !strings.HasPrefix(links[0], "/login?return_to=%2Fedit&step_up=") {
			t.Errorf("a form: %d %s", form.StatusCode, form.Text)
		}
		a.GuardBy(oauthlogin.Policy{Scopes: []string{"email"}, MaxAge: time.Minute})
		time.Sleep(3 * time.Minute)
		before := a.Provider.Count(oauthlogintest.Authorization)
		if _, params := b.StartLogin("/guarded"); params.Get("scope") != "openid profile email" || params.Get("max_age") != "60" || params.Get("prompt") != "login" {
			t.Errorf("a session that is too old: %v", params)
		}
		if resp := b.Follow("/guarded"); resp.StatusCode != http.StatusOK || a.Provider.Count(oauthlogintest.Authorization) != before+1 {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		if resp := b.Follow(body["login_url"]); resp.Text != "guarded page for alice" || resp.Request.URL.RequestURI() != guardedPath {
			t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
		}
	})
}

// Only what scopes alone can mend leads to the provider.
func TestScopesComeLast(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]oauthlogin.Policy{
		"a claim is missing":        {Scopes: []string{"email"}, Claims: map[string][]string{"role": {"admin"}}},
		"no ACR can be requested":   {Scopes: []string{"email"}, ACR: []string{""}},
		"a scope with a space":      {Scopes: []string{"email", "a b"}},
		"a scope with a quote":      {Scopes: []string{`"email"`}},
		"a scope that is not ASCII": {Scopes: []string{"é"}},
	} {
		a, b := apptest.SignedIn(t, narrowly(apptest.Config{}))
		a.GuardBy(policy)
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden || resp.Location() != "" {
			t.Errorf("%s: %d to %q", name, resp.StatusCode, resp.Location())
		}
	}
}

// GitHub names granted scopes with commas, and those of before among them.
func TestScopesAtGitHub(t *testing.T) {
	t.Parallel()
	a, g := apptest.NewGitHub(t, "github.com", "api.github.com", "")
	a.GuardBy(oauthlogin.Policy{Scopes: []string{"user:email", "repo"}})
	b := a.Browser(t)
	b.Login("/dashboard")
	g.Token = apptest.JSON(200, `{"access_token":"`+apptest.GitHubToken+`","scope":"repo,user:email","token_type":"bearer"}`)
	if resp := b.Follow("/guarded"); resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
	}
	asked := g.Requests["/login/oauth/authorize"]
	if len(asked) != 2 || asked[1].Form.Get("scope") != "user:email repo" {
		t.Errorf("asked %d times, last for %q", len(asked), asked[len(asked)-1].Form.Get("scope"))
	}
}
