package oauthlogin_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// asNavigation are the headers of a browser that loads a page.
var asNavigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

// visit loads a page as a browser does, and returns what it ends at, with the
// URLs that it was led to.
func (b *browser) visit(path string) (resp *response, led []string) {
	b.t.Helper()
	resp = b.get(path, asNavigation...)
	for resp.location() != "" {
		target, err := resp.Request.URL.Parse(resp.location())
		if err != nil || len(led) > 10 {
			b.t.Fatalf("%s led round, lastly to %q", path, led)
		}
		led = append(led, target.String())
		resp = b.get(target.String(), asNavigation...)
	}
	return resp, led
}

// newSilentApp has public pages below /public/ behind SilentLogin, and a
// provider that asks who signs in.
func newSilentApp(t *testing.T, change func(*oauthlogin.Options)) *watchedApp {
	t.Helper()
	a := newWatchedApp(t, offline{change: change})
	a.provider.AutoApprove("")
	a.more = func(mux *http.ServeMux) {
		mux.Handle("/public/", a.auth.SilentLogin(a.count(func(w http.ResponseWriter, r *http.Request) {
			if s, ok := oauthlogin.FromContext(r.Context()); ok {
				w.Write([]byte("page for " + s.User.Subject))
				return
			}
			w.Write([]byte("page for nobody"))
		})))
		mux.HandleFunc("/end", a.auth.SignOut)
	}
	return a
}

// knownAtProvider is a browser that is signed in at the provider, and not here.
func (a *watchedApp) knownAtProvider(t *testing.T) *browser {
	t.Helper()
	b := a.browser(t)
	a.provider.AutoApprove("alice")
	b.login("/dashboard")
	a.provider.AutoApprove("")
	for name := range b.cookies() {
		b.setCookie(name, "")
	}
	a.events.take()
	return b
}

// pagePath is one whose bytes a careless hand would change.
const pagePath = "/public/a%2Fb/?q=a%20b&u=http%3A%2F%2Fx&&empty="

// OpenID Connect Core section 3.1.2.1, prompt=none: signed in there, signed in
// here, at the very page.
func TestSilentSignsIn(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	b := a.knownAtProvider(t)
	resp, led := b.visit(pagePath)
	if resp.body != "page for alice" || len(led) != 3 || led[2] != "https://app.test"+pagePath {
		t.Fatalf("led to %q: %s", led, resp.body)
	}
	asked, _ := url.Parse(led[0])
	if query := asked.Query(); asked.Path != "/authorize" || query.Get("prompt") != "none" || query.Get("code_challenge_method") != "S256" || query.Get("nonce") == "" {
		t.Errorf("asked the provider %s", asked)
	}
	if a.called("/public/a/b/") != 1 {
		t.Errorf("the page was made %d times", a.called("/public/a/b/"))
	}
	if resp, led := b.visit("/public/"); resp.body != "page for alice" || len(led) > 0 {
		t.Errorf("the next page led to %q: %s", led, resp.body)
	}
	a.events.want(t, "login test/alice")
}

// answerBy has the authorization endpoint answer with these parameters.
func (a *watchedApp) answerBy(change func(query url.Values)) {
	a.provider.Intercept(oauthlogintest.Authorization, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		query := url.Values{"state": {r.URL.Query().Get("state")}, "iss": {a.provider.Issuer()}}
		change(query)
		w.Header().Set("Location", "https://app.test/auth/callback?"+query.Encode())
		w.WriteHeader(http.StatusSeeOther)
	})
}

// Whatever keeps the provider from signing in, the page is shown as it is for
// everybody, and the browser is left alone for ten minutes.
func TestSilentFails(t *testing.T) {
	t.Parallel()
	answer := func(code string) func(*watchedApp) {
		return func(a *watchedApp) { a.answerBy(func(q url.Values) { q.Set("error", code) }) }
	}
	tokenEndpoint := func(status int, body string) func(*watchedApp) {
		return func(a *watchedApp) {
			a.answerBy(func(q url.Values) { q.Set("code", "x") })
			a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				w.Write([]byte(body))
			})
		}
	}
	for _, test := range []struct {
		name  string
		setUp func(*watchedApp)
	}{
		{"nobody signed in there", func(*watchedApp) {}},
		{"login_required", answer("login_required")},
		{"interaction_required", answer("interaction_required")},
		{"consent_required", answer("consent_required")},
		{"account_selection_required", answer("account_selection_required")},
		{"access_denied", answer("access_denied")},
		{"server_error", answer("server_error")},
		{"an error of its own", answer("<script>")},
		{"an empty error", answer("")},
		{"neither error nor code", func(a *watchedApp) { a.answerBy(func(url.Values) {}) }},
		{"a code that it does not accept", tokenEndpoint(400, `{"error":"invalid_grant"}`)},
		{"an answer without an ID token", tokenEndpoint(200, `{"access_token":"x","token_type":"Bearer"}`)},
		{"a token endpoint that fails", tokenEndpoint(500, "oops")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newSilentApp(t, nil)
				test.setUp(a)
				b := a.browser(t)
				resp, led := b.visit(pagePath)
				if resp.StatusCode != http.StatusOK || resp.body != "page for nobody" || len(led) != 3 || led[2] != "https://app.test"+pagePath {
					t.Fatalf("led to %q: %d %s", led, resp.StatusCode, resp.body)
				}
				for range 3 {
					time.Sleep(3 * time.Minute)
					if resp, led := b.visit("/public/"); resp.body != "page for nobody" || len(led) > 0 {
						t.Errorf("led to %q: %s", led, resp.body)
					}
				}
				asked := a.provider.Count(oauthlogintest.Authorization)
				if asked != 1 {
					t.Errorf("asked %d times within ten minutes", asked)
				}
				time.Sleep(time.Minute + time.Second)
				if resp, _ := b.visit("/public/"); resp.body != "page for nobody" || a.provider.Count(oauthlogintest.Authorization) != 2 {
					t.Errorf("after ten minutes asked %d times: %s", a.provider.Count(oauthlogintest.Authorization), resp.body)
				}
				if len(b.cookieNames(flowPrefix)) > 0 || b.signedIn() {
					t.Errorf("cookies %v", b.cookies())
				}
				// The user can sign in nevertheless.
				a.provider.Intercept(oauthlogintest.Authorization, nil)
				a.provider.Intercept(oauthlogintest.Token, nil)
				a.provider.AutoApprove("alice")
				b.login("/dashboard")
			})
		})
	}
}

// A provider that cannot be asked is none of the page's concern.
func TestSilentWithoutTheProvider(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault func(*http.Request) (*http.Response, error)
	}{
		{"is down", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }},
		{"answers 500", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 500, Header: http.Header{}, Body: http.NoBody}, nil
		}},
		{"hangs", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newSilentApp(t, nil)
				a.wire.cutBy(test.fault)
				b := a.browser(t)
				for range 3 {
					started := time.Now()
					if resp, led := b.visit("/public/"); resp.StatusCode != http.StatusOK || resp.body != "page for nobody" || len(led) > 0 {
						t.Fatalf("led to %q: %d %s", led, resp.StatusCode, resp.body)
					}
					// Nobody has asked for anything but the page.
					if waited := time.Since(started); waited > 3*time.Second {
						t.Errorf("the page took %v", waited)
					}
				}
				if len(b.cookies()) > 0 {
					t.Errorf("cookies %v", b.cookies())
				}
				a.events.want(t)
				a.wire.cutBy(nil)
				time.Sleep(time.Minute)
				if _, led := b.visit("/public/"); len(led) != 3 {
					t.Errorf("the provider is back, and the page led to %q", led)
				}
			})
		})
	}
}

// Only a page that a user looks at, at top level, is worth a detour.
func TestSilentLeavesAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		method string
		path   string
		header []string
	}{
		{name: "fetch", header: asScript},
		{name: "fetch of an old browser", header: []string{"Accept", "application/json"}},
		{name: "XMLHttpRequest", header: []string{"X-Requested-With", "XMLHttpRequest"}},
		{name: "an image", header: []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}},
		{name: "server-sent events", header: []string{"Accept", "text/event-stream"}},
		{name: "WebSocket", header: []string{"Upgrade", "websocket", "Connection", "Upgrade"}},
		{name: "prefetching", header: []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"}},
		{name: "HEAD", method: http.MethodHead, header: asNavigation},
		{name: "POST", method: http.MethodPost, header: asNavigation},
		// In another site's frame our cookies are neither kept nor sent.
		{name: "a page in a frame", header: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}},
		// It could not lead back.
		{name: "a page with a query that no cookie holds", path: "/public/?q=" + randomText(2000), header: asNavigation},
		{name: "a page with a long query", path: "/public/?q=" + strings.Repeat("q", 3000), header: asNavigation},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newSilentApp(t, nil)
			b := a.browser(t)
			method, path := http.MethodGet, "/public/"
			if test.method != "" {
				method = test.method
			}
			if test.path != "" {
				path = test.path
			}
			resp := b.do(b.request(method, path, nil, test.header...))
			if resp.StatusCode != http.StatusOK || method != http.MethodHead && resp.body != "page for nobody" || len(b.cookies()) > 0 {
				t.Errorf("%d to %q: %s; cookies %v", resp.StatusCode, resp.location(), resp.body, b.cookies())
			}
			if a.called("/public/") != 1 {
				t.Errorf("the page was made %d times", a.called("/public/"))
			}
		})
	}
}

// Where nobody can choose for the user, nothing happens.
func TestSilentNeedsOneOpenIDProvider(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*oauthlogin.Options)
	}{
		{"plain OAuth 2.0", plainOAuth},
		{"two providers", func(opts *oauthlogin.Options) {
			opts.Providers = append(opts.Providers, oauthlogin.Provider{Name: "other", Issuer: "https://other.test", OAuth2: &oauth2.Config{
				ClientID: "app", RedirectURL: "https://app.test/auth/other",
			}})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newSilentApp(t, test.change)
			b := a.browser(t)
			if resp, led := b.visit("/public/"); resp.body != "page for nobody" || len(led) > 0 || len(b.cookies()) > 0 {
				t.Errorf("led to %q: %s", led, resp.body)
			}
			if n := a.provider.Count(oauthlogintest.Authorization); n > 0 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// A browser that keeps no cookies is asked for none again and again: it comes
// to a page, once through the provider, and goes no further.
func TestSilentWithoutCookies(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		a := newSilentApp(t, nil)
		if known {
			a.provider.AutoApprove("alice")
		}
		b := a.browser(t)
		b.client.Jar = nil
		resp, led := b.visit("/public/") // fails the test when it goes round
		if n := a.provider.Count(oauthlogintest.Authorization); n > 1 || len(led) > 3 {
			t.Errorf("asked %d times, led to %q", n, led)
		}
		if a.provider.Count(oauthlogintest.Token) > 0 {
			t.Error("a code of another login was redeemed")
		}
		if resp.StatusCode >= http.StatusInternalServerError || strings.Contains(resp.body, "alice") {
			t.Errorf("%d %s", resp.StatusCode, resp.body)
		}
	}
}

// Who has signed out does not want to be signed in by the next page.
func TestSilentAfterLogout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		leave func(b *browser)
		ask   bool // the provider's page, which the user leaves without an answer
	}{
		{name: "by the logout path", leave: func(b *browser) { b.logOut("/public/") }},
		{name: "by a handler", leave: func(b *browser) { b.get("/end") }},
		{name: "when the session has ended before", leave: func(b *browser) {
			b.setCookie(sessionCookie, "nonsense")
			b.logOut("/public/")
		}},
		{name: "by the logout path, but not at the provider", leave: func(b *browser) { b.logOut("/public/") }, ask: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newSilentApp(t, nil)
				if !test.ask {
					a.provider.EditDiscovery(func(doc map[string]any) { delete(doc, "end_session_endpoint") })
				}
				b := a.knownAtProvider(t)
				if resp, _ := b.visit("/public/"); resp.body != "page for alice" {
					t.Fatal(resp.body)
				}
				time.Sleep(11 * time.Minute) // and the cookie of that has gone
				test.leave(b)
				for range 3 {
					if resp, led := b.visit("/public/"); resp.body != "page for nobody" || len(led) > 0 {
						t.Errorf("after the logout led to %q: %s", led, resp.body)
					}
					time.Sleep(3 * time.Minute)
				}
				a.provider.AutoApprove("alice")
				b.login("/dashboard")
			})
		})
	}
}

// RFC 9700 section 4.4: a mix-up is an attack, whoever asked.
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
			a.answerBy(test.change)
			b := a.browser(t)
			resp, led := b.visit("/public/")
			if resp.StatusCode != http.StatusBadRequest || len(led) != 2 || a.called("/public/") > 0 {
				t.Errorf("led to %q: %d %s", led, resp.StatusCode, resp.body)
			}
			if a.provider.Count(oauthlogintest.Token) > 0 || b.signedIn() {
				t.Error("the code was redeemed")
			}
			a.events.want(t, "login test/ issuer_mismatch")
			if resp, _ := b.visit("/public/"); resp.body != "page for nobody" {
				t.Errorf("afterwards: %s", resp.body)
			}
		})
	}
}

// An answer that comes late shows the page: the user has asked for no more.
func TestSilentAnswersLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newSilentApp(t, nil)
		b := a.browser(t)
		callback := b.get(b.get(pagePath, asNavigation...).location()).location()
		time.Sleep(6 * time.Minute)
		if resp, led := b.visit(callback); resp.body != "page for nobody" || !slices.Equal(led, []string{"https://app.test" + pagePath}) {
			t.Errorf("led to %q: %d %s", led, resp.StatusCode, resp.body)
		}
	})
}

// A silent login is bound to its browser as any other: RFC 6749 section 10.12.
func TestSilentAnswerInAnotherBrowser(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	attacker, victim := a.knownAtProvider(t), a.browser(t)
	callback := attacker.get(attacker.get("/public/", asNavigation...).location()).location()
	if resp := victim.get(callback, asNavigation...); resp.StatusCode != http.StatusBadRequest || resp.location() != "" || victim.signedIn() {
		t.Errorf("%d to %q", resp.StatusCode, resp.location())
	}
	if resp, _ := victim.visit("/public/"); resp.body != "page for nobody" {
		t.Errorf("afterwards: %s", resp.body)
	}
}

// Behind SilentLogin with no Handler around it, and behind one that New did not
// make.
func TestSilentAlone(t *testing.T) {
	t.Parallel()
	a := newSilentApp(t, nil)
	b := a.knownAtProvider(t)
	a.net["app.test"] = audited(t, true, a.auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok := oauthlogin.FromContext(r.Context())
		if ok {
			w.Write([]byte("somebody"))
		}
	})))
	if resp, led := b.visit("/public/"); resp.body != "somebody" || len(led) != 3 {
		t.Errorf("led to %q: %d %s", led, resp.StatusCode, resp.body)
	}
	for _, m := range []*oauthlogin.Middleware{nil, {}} {
		a.net["app.test"] = m.SilentLogin(a)
		if resp, led := b.visit("/public/"); resp.StatusCode != http.StatusInternalServerError || len(led) > 0 || a.called("/public/") > 0 {
			t.Errorf("%d %s", resp.StatusCode, resp.body)
		}
	}
}
