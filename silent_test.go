package oauthlogin_test

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// asNavigation are the headers of a browser that loads a page.
var asNavigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

// visitPage loads a page as a browser does, and returns where it ends, with the
// URLs that it was led to.
func visitPage(b *apptest.Browser, path string) (resp *apptest.Response, led []string) {
	b.T.Helper()
	resp = b.Get(path, asNavigation...)
	for resp.Location() != "" {
		target, err := resp.Request.URL.Parse(resp.Location())
		if err != nil || len(led) > 10 {
			b.T.Fatalf("%s: endless redirects, or a malformed one: %q", path, led)
		}
		led = append(led, target.String())
		resp = b.Get(target.String(), asNavigation...)
	}
	return resp, led
}

// wantPage fails the test unless a page is shown for this user after so many
// redirects, the last of which leads to it.
func wantPage(b *apptest.Browser, path, user string, redirects int) (led []string) {
	b.T.Helper()
	resp, led := visitPage(b, path)
	if resp.StatusCode != http.StatusOK || resp.Text != "page for "+user || len(led) != redirects || redirects > 0 && led[redirects-1] != b.Origin+path {
		b.T.Errorf("%s led to %q: %d %s", path, led, resp.StatusCode, resp.Text)
	}
	return led
}

// newSilentApp has public pages below /public/ behind SilentLogin, and a
// provider that asks who signs in.
func newSilentApp(t *testing.T, change func(*oauthlogin.Options)) *apptest.App {
	t.Helper()
	a := apptest.New(t, apptest.Config{Change: change})
	a.Provider.AutoApprove("")
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/public/", a.Auth.SilentLogin(a.Count(func(w http.ResponseWriter, r *http.Request) {
			if s, ok := oauthlogin.FromContext(r.Context()); ok {
				w.Write([]byte("page for " + s.User.Subject))
				return
			}
			w.Write([]byte("page for everybody"))
		})))
		mux.HandleFunc("/end", a.Auth.SignOut)
	}
	return a
}

// knownAtProvider is a browser that is signed in at the provider, and not at the
// application.
func knownAtProvider(t *testing.T, a *apptest.App) *apptest.Browser {
	t.Helper()
	b := a.Browser(t)
	a.Provider.AutoApprove("alice")
	b.Login("/dashboard")
	a.Provider.AutoApprove("")
	for name := range b.Cookies() {
		b.SetCookie(name, "")
	}
	a.Events.Take()
	return b
}

// pagePath is one that parsing and writing again would change.
const pagePath = "/public/a%2Fb/?q=a%20b&u=http%3A%2F%2Fx&&empty="

// OpenID Connect Core section 3.1.2.1, prompt=none: a user who is signed in at the
// provider comes back to the same page signed in.
func TestSilentSignsIn(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	b := knownAtProvider(t, a)
	led := wantPage(b, pagePath, "alice", 3)
	if query := apptest.QueryOf(led[0]); !strings.HasPrefix(led[0], "https://provider.test/authorize?") || query.Get("prompt") != "none" || query.Get("code_challenge_method") != "S256" || query.Get("nonce") == "" {
		t.Errorf("asked the provider %s", led[0])
	}
	if a.Called("/public/a/b/") != 1 {
		t.Errorf("the page was made %d times", a.Called("/public/a/b/"))
	}
	wantPage(b, "/public/", "alice", 0)
	a.Events.Want(t, "login test/alice")
}

// Whatever keeps the provider from signing the user in, the page is shown as to
// everybody, and the browser is not redirected again for ten minutes.
func TestSilentFails(t *testing.T) {
	t.Parallel()
	fails := func(code string) func(*apptest.App) {
		return func(a *apptest.App) { a.AuthorizationResponse(func(q url.Values) { q.Set("error", code) }) }
	}
	tokenEndpoint := func(status int, body string) func(*apptest.App) {
		return func(a *apptest.App) {
			a.AuthorizationResponse(func(q url.Values) { q.Set("code", "x") })
			a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(status, body))
		}
	}
	for _, test := range []struct {
		name  string
		setUp func(*apptest.App)
	}{
		{"a user who is not signed in there", func(*apptest.App) {}},
		{"login_required", fails("login_required")},
		{"interaction_required", fails("interaction_required")},
		{"consent_required", fails("consent_required")},
		{"account_selection_required", fails("account_selection_required")},
		{"access_denied", fails("access_denied")},
		{"server_error", fails("server_error")},
		{"an error of its own", fails("<script>")},
		{"an empty error", fails("")},
		{"neither error nor code", func(a *apptest.App) { a.AuthorizationResponse(func(url.Values) {}) }},
		{"a code that it does not accept", tokenEndpoint(400, `{"error":"invalid_grant"}`)},
		{"a token response without an ID token", tokenEndpoint(200, `{"access_token":"x","token_type":"Bearer"}`)},
		{"a token endpoint that fails", tokenEndpoint(500, "oops")},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := newSilentApp(t, nil)
			test.setUp(a)
			b := a.Browser(t)
			wantPage(b, pagePath, "everybody", 3)
			for range 3 {
				time.Sleep(3 * time.Minute)
				wantPage(b, "/public/", "everybody", 0)
			}
			time.Sleep(time.Minute + time.Second)
			wantPage(b, "/public/", "everybody", 3)
			if asked := a.Provider.Count(oauthlogintest.Authorization); asked != 2 {
				t.Errorf("asked %d times", asked)
			}
			if len(b.CookieNames(apptest.FlowPrefix)) > 0 || b.SignedIn() {
				t.Errorf("cookies %v", b.Cookies())
			}
			// The user can still sign in.
			a.Provider.Intercept(oauthlogintest.Authorization, nil)
			a.Provider.Intercept(oauthlogintest.Token, nil)
			a.Provider.AutoApprove("alice")
			b.Login("/dashboard")
		})
	}
}

// A page never waits long for a provider that cannot be reached.
func TestSilentWithoutTheProvider(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault func(*http.Request) (*http.Response, error)
	}{
		{"is down", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }},
		{"responds with 500", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 500, Header: http.Header{}, Body: http.NoBody}, nil
		}},
		{"hangs", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := newSilentApp(t, nil)
			a.Wire.CutBy(test.fault)
			b := a.Browser(t)
			for range 3 {
				started := time.Now()
				wantPage(b, "/public/", "everybody", 0)
				// The user asked only for the page.
				if waited := time.Since(started); waited > 3*time.Second {
					t.Errorf("the page took %v", waited)
				}
			}
			if len(b.Cookies()) > 0 {
				t.Errorf("cookies %v", b.Cookies())
			}
			a.Events.Want(t)
			a.Wire.CutBy(nil)
			time.Sleep(time.Minute)
			wantPage(b, "/public/", "everybody", 3) // the provider is back
		})
	}
}

// Only a page that a user opens at top level is worth a redirect, and only if
// there is exactly one OpenID Connect provider to ask.
func TestSilentLeavesAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		method string
		path   string
		header []string
		change func(*oauthlogin.Options)
	}{
		{name: "plain OAuth 2.0", header: asNavigation, change: apptest.PlainOAuth},
		{name: "two providers", header: asNavigation, change: func(opts *oauthlogin.Options) {
			other := opts.Providers[0]
			client := *other.OAuth2
			client.RedirectURL = "https://app.test/auth/other"
			other.Name, other.OAuth2 = "other", &client
			opts.Providers = append(opts.Providers, other)
		}},
		{name: "fetch", header: apptest.AsScript},
		{name: "fetch of an old browser", header: []string{"Accept", "application/json"}},
		{name: "XMLHttpRequest", header: []string{"X-Requested-With", "XMLHttpRequest"}},
		{name: "an image", header: []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}},
		{name: "server-sent events", header: []string{"Accept", "text/event-stream"}},
		{name: "WebSocket", header: []string{"Upgrade", "websocket", "Connection", "Upgrade"}},
		{name: "prefetching", header: []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"}},
		{name: "HEAD", method: http.MethodHead, header: asNavigation},
		{name: "POST", method: http.MethodPost, header: asNavigation},
		// In another site's frame the cookies are neither kept nor sent.
		{name: "a page in a frame", header: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}},
		// It could not lead back.
		{name: "a page with a query that no cookie holds", path: "/public/?q=" + apptest.Incompressible(1500), header: asNavigation},
		{name: "a page with a long query", path: "/public/?q=" + strings.Repeat("q", 3000), header: asNavigation},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newSilentApp(t, test.change)
			b := a.Browser(t)
			method, path := cmp.Or(test.method, http.MethodGet), cmp.Or(test.path, "/public/")
			resp := b.Do(b.Request(method, path, nil, test.header...))
			if resp.StatusCode != http.StatusOK || method != http.MethodHead && resp.Text != "page for everybody" || len(b.Cookies()) > 0 {
				t.Errorf("%d to %q: %s; cookies %v", resp.StatusCode, resp.Location(), resp.Text, b.Cookies())
			}
			if a.Called("/public/") != 1 || a.Provider.Count(oauthlogintest.Authorization) > 0 {
				t.Errorf("the page was made %d times", a.Called("/public/"))
			}
		})
	}
}

// A browser that keeps no cookies gets to a page, at most once through the
// provider.
func TestSilentWithoutCookies(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		a := newSilentApp(t, nil)
		if known {
			a.Provider.AutoApprove("alice")
		}
		b := a.BareBrowser(t)
		resp, led := visitPage(b, "/public/") // fails the test when it goes round
		if n := a.Provider.Count(oauthlogintest.Authorization); n > 1 || len(led) > 3 {
			t.Errorf("asked %d times, led to %q", n, led)
		}
		if a.Provider.Count(oauthlogintest.Token) > 0 {
			t.Error("a code of another login was redeemed")
		}
		if resp.StatusCode >= http.StatusInternalServerError || strings.Contains(resp.Text, "alice") {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	}
}

// A user who has signed out is not signed in by the next page.
func TestSilentAfterLogout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		leave func(b *apptest.Browser)
		ask   bool // the provider's page, which the user leaves open
	}{
		{name: "by the logout path", leave: func(b *apptest.Browser) { b.LogOut("/public/") }},
		{name: "by a handler", leave: func(b *apptest.Browser) { b.Get("/end") }},
		{name: "when the session has ended before", leave: func(b *apptest.Browser) {
			b.SetCookie(apptest.SessionCookie, "nonsense")
			b.LogOut("/public/")
		}},
		{name: "by the logout path, but not at the provider", leave: func(b *apptest.Browser) { b.LogOut("/public/") }, ask: true},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := newSilentApp(t, nil)
			if !test.ask {
				a.NoEndSession()
			}
			b := knownAtProvider(t, a)
			wantPage(b, "/public/", "alice", 3)
			time.Sleep(11 * time.Minute) // the cookie of the silent login is gone
			test.leave(b)
			for range 3 {
				wantPage(b, "/public/", "everybody", 0)
				time.Sleep(3 * time.Minute)
			}
			a.Provider.AutoApprove("alice")
			b.Login("/dashboard")
		})
	}
}

// After a logout no page signs the user in again, however long ago that was, until the
// user signs in on purpose.
func TestSilentLoginStaysOffAfterLogout(t *testing.T) {
	t.Parallel()
	for _, seenBefore := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			a := newSilentApp(t, nil)
			a.NoEndSession()
			a.Provider.AutoApprove("alice") // the provider still knows the user
			b := a.Browser(t)
			reads := func(when, user string) {
				t.Helper()
				if resp := b.Follow("/public/"); resp.Text != "page for "+user {
					t.Errorf("seen before %v: %s: %q", seenBefore, when, resp.Text)
				}
			}
			if seenBefore {
				reads("at first", "alice")
			}
			b.Login("/dashboard")
			b.LogOut("/")
			reads("at once", "everybody")
			for _, wait := range []time.Duration{time.Minute, time.Hour, 7 * 24 * time.Hour, 40 * 24 * time.Hour, 300 * 24 * time.Hour} {
				time.Sleep(wait)
				reads(wait.String(), "everybody")
			}
			b.Login("/dashboard") // on purpose
			reads("signed in", "alice")
			b.LogOut("/")
			time.Sleep(time.Hour)
			reads("signed out again", "everybody")
			b.Login("/dashboard")
			for name := range b.Cookies() {
				if strings.HasSuffix(name, "oauthlogin") {
					b.SetCookie(name, "") // the session gets lost, without a logout
				}
			}
			time.Sleep(time.Hour)
			reads("lost", "alice")
		})
	}
}

// RFC 9700 section 4.4: a mix-up is an attack, also in a silent login.
func TestSilentTellsOfMixUps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(query url.Values)
	}{
		{"a code of another issuer", func(q url.Values) { q.Set("iss", "https://evil.test"); q.Set("code", "x") }},
		{"an error of another issuer", func(q url.Values) { q.Set("iss", "https://evil.test"); q.Set("error", "login_required") }},
		{"a code of no issuer", func(q url.Values) { q.Del("iss"); q.Set("code", "x") }},
		{"an error of no issuer", func(q url.Values) { q.Del("iss"); q.Set("error", "login_required") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newSilentApp(t, nil)
			a.AuthorizationResponse(test.change)
			b := a.Browser(t)
			resp, led := visitPage(b, "/public/")
			if resp.StatusCode != http.StatusBadRequest || len(led) != 2 || a.Called("/public/") > 0 {
				t.Errorf("led to %q: %d %s", led, resp.StatusCode, resp.Text)
			}
			if a.Provider.Count(oauthlogintest.Token) > 0 || b.SignedIn() {
				t.Error("the code was redeemed")
			}
			a.Events.Want(t, "login test/ issuer_mismatch")
			wantPage(b, "/public/", "everybody", 0)
		})
	}
}

// A late response shows the page, which is all that the user asked for.
func TestSilentResponseIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newSilentApp(t, nil)
		b := a.Browser(t)
		callback := b.Get(b.Get(pagePath, asNavigation...).Location()).Location()
		time.Sleep(6 * time.Minute)
		if resp, led := visitPage(b, callback); resp.Text != "page for everybody" || !slices.Equal(led, []string{"https://app.test" + pagePath}) {
			t.Errorf("led to %q: %d %s", led, resp.StatusCode, resp.Text)
		}
	})
}

// RFC 6749 section 10.12: a silent login is bound to its browser as any other is.
func TestSilentResponseInAnotherBrowser(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	attacker, victim := knownAtProvider(t, a), a.Browser(t)
	callback := attacker.Get(attacker.Get("/public/", asNavigation...).Location()).Location()
	if a.Expect("callback", victim.Get(callback, asNavigation...), http.StatusBadRequest, ""); victim.SignedIn() {
		t.Error("signed in")
	}
	wantPage(victim, "/public/", "everybody", 3)
}

// SilentLogin works without Handler around it, and fails closed if New did not
// make it.
func TestSilentAlone(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	b := knownAtProvider(t, a)
	a.Net["app.test"] = apptest.Audited(t, true, a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := oauthlogin.FromContext(r.Context()); ok {
			w.Write([]byte(s.User.Subject))
		}
	})))
	if resp, led := visitPage(b, "/public/"); resp.Text != "alice" || len(led) != 3 {
		t.Errorf("led to %q: %d %s", led, resp.StatusCode, resp.Text)
	}
	for _, m := range []*oauthlogin.Middleware{nil, {}} {
		a.Net["app.test"] = m.SilentLogin(a)
		if resp, led := visitPage(b, "/public/"); resp.StatusCode != http.StatusInternalServerError || len(led) > 0 || a.Called("/public/") > 0 {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	}
}

// What a logout does is settled before the first request: to wrap a route later changes
// nothing for browsers that have not been there.
func TestSilentLoginWhileServing(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.NoEndSession()
	b := a.Browser(t)
	b.Login("/dashboard")
	silently := a.Auth.SilentLogin(http.NotFoundHandler())
	b.LogOut("/")
	if names := slices.Collect(maps.Keys(b.Cookies())); len(names) > 0 {
		t.Errorf("the logout left %q", names)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "https://app.test/public", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	silently.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.SetCookie(c.Name, c.Value)
	}
	b.Login("/dashboard")
	if b.LogOut("/"); b.Cookies()["__Host-oauthlogin.silent"] != "off" {
		t.Errorf("a browser that has been there has %v after the logout", b.Cookies())
	}
}

// A silent login that fails is told at Debug, with its cause; a registration that makes
// every login fail is an error.
func TestSilentFailuresInTheLog(t *testing.T) {
	t.Parallel()
	for code, level := range map[string]string{"access_denied": "DEBUG", "login_required": "DEBUG", "unauthorized_client": "ERROR", "invalid_scope": "ERROR"} {
		apptest.InBubble(t, code, func(t *testing.T) {
			a := newSilentApp(t, nil)
			a.AuthorizationResponse(func(q url.Values) { q.Set("error", code) })
			for range 3 {
				wantPage(a.Browser(t), "/public/", "everybody", 3)
			}
			log := a.Log.String()
			if strings.Contains(log, "<nil>") || !strings.Contains(log, "level="+level+` msg="oauthlogin: no silent sign-in"`) || strings.Count(log, "level=ERROR") > 1 {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// SilentLogin refreshes tokens as RequireAuth does, and shows the page whatever comes of
// it. A grant that has ended leads to another silent login.
func TestSilentLoginRefreshes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		respond       func(http.ResponseWriter, *http.Request, http.HandlerFunc) // to the refresh
		user          string
		redirects     int
		staysSignedIn bool
		newCookie     bool
	}{
		{"works", nil, "alice", 0, true, true},
		{"the provider is away", apptest.RespondWith(503, "{}"), "alice", 0, true, false},
		{"the grant has ended", apptest.RespondWith(400, `{"error":"invalid_grant"}`), "everybody", 3, false, true},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			a := newSilentApp(t, nil)
			b := knownAtProvider(t, a)
			a.Provider.AutoApprove("alice")
			b.Login("/dashboard")
			a.Provider.AutoApprove("")
			a.Provider.RememberUsers(false)
			before := b.Cookies()[apptest.SessionCookie]
			time.Sleep(59*time.Minute + time.Second)
			a.RespondToRefreshes(tt.respond)
			wantPage(b, "/public/", tt.user, tt.redirects)
			a.WantRefreshes(t, 1)
			if newCookie := b.Cookies()[apptest.SessionCookie] != before; newCookie != tt.newCookie {
				t.Errorf("cookie written: %t", newCookie)
			}
			if b.SignedIn() != tt.staysSignedIn {
				t.Errorf("signed in: %t", !tt.staysSignedIn)
			}
		})
	}
}

// A silent login that comes back after the user has signed in on purpose leaves that session.
func TestSilentLeavesTheSessionOfALogin(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	b := knownAtProvider(t, a)
	resp := b.Get("/public/", asNavigation...)
	for !strings.Contains(resp.Location(), "/auth/callback") {
		resp = b.Get(resp.Location(), asNavigation...)
	}
	a.Provider.AutoApprove("bob")
	b.Login("/dashboard")
	a.Events.Take()
	if back := b.Get(resp.Location(), asNavigation...); back.Location() != "/public/" {
		t.Errorf("%d to %q", back.StatusCode, back.Location())
	}
	b.WantUser("/api/me", "bob")
	a.Events.Want(t)
}
