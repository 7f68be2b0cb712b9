package oauthlogin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// failures is an Options.ErrorHandler that remembers the last error.
type failures struct {
	mu   sync.Mutex
	last *oauthlogin.Error
}

func (f *failures) handle(w http.ResponseWriter, _ *http.Request, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errors.As(err, &f.last) {
		w.WriteHeader(f.last.Status)
	}
}

func (f *failures) code() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return ""
	}
	return f.last.Code
}

// RFC 6749 sections 3.1, 4.1.2 and 10.12, RFC 9207 section 2.4, RFC 9700
// section 4.7. Of the OpenID Foundation's
// fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-state-fails,
// fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-missing-state-fails,
// fapi2-security-profile-final-client-test-invalid-authorization-response-iss and
// fapi2-security-profile-final-client-test-remove-authorization-response-iss.
//
// TestParseResponse and TestCheckIssuer in internal/protocol have the rules.
func TestCallbackRefuses(t *testing.T) {
	t.Parallel()
	type edit = func(cb string) string
	query := func(change func(query url.Values)) edit {
		return func(cb string) string { return apptest.Edited(t, cb, change) }
	}
	set := func(name, value string) edit { return query(func(q url.Values) { q.Set(name, value) }) }
	add := func(name, value string) edit { return query(func(q url.Values) { q.Add(name, value) }) }
	remove := func(name string) edit { return query(func(q url.Values) { q.Del(name) }) }
	twice := func(name string) edit { return query(func(q url.Values) { q.Add(name, q.Get(name)) }) }
	state := func(change func(string) string) edit {
		return query(func(q url.Values) { q.Set("state", change(q.Get("state"))) })
	}
	raw := func(suffix string) edit { return func(cb string) string { return cb + suffix } }
	// As an error response, which has no code.
	denied := func(change func(q url.Values)) edit {
		return query(func(q url.Values) {
			q.Del("code")
			q.Set("error", "access_denied")
			change(q)
		})
	}
	const other = "https://other.test"
	for _, test := range []struct {
		name string
		edit edit
		code string
		ends bool // the flow, because the response is for it
	}{
		{"nothing at all", func(cb string) string { return strings.SplitN(cb, "?", 2)[0] }, "flow_not_found", false},
		{"no state", remove("state"), "flow_not_found", false},
		{"an empty state", set("state", ""), "flow_not_found", false},
		{"an unknown state", set("state", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "flow_not_found", false},
		{"a state cut short", state(func(s string) string { return s[:len(s)-1] }), "flow_not_found", false},
		{"a state with more to it", state(func(s string) string { return s + "A" }), "flow_not_found", false},
		{"a state with a space", state(func(s string) string { return s + " " }), "flow_not_found", false},
		{"a state in lower case", state(strings.ToLower), "flow_not_found", false},
		{"a state with padding", state(func(s string) string { return s + "=" }), "flow_not_found", false},
		{"a very long state", state(func(s string) string { return s + strings.Repeat("A", 20_000) }), "invalid_request", false},

		{"the state twice", twice("state"), "invalid_request", false},
		{"an empty second state", add("state", ""), "invalid_request", false},
		{"a description twice", denied(func(q url.Values) { q["error_description"] = []string{"a", "b"} }), "invalid_request", false},

		{"a state behind a semicolon", func(cb string) string { return strings.Replace(cb, "&state=", ";state=", 1) }, "invalid_request", false},
		{"too many parameters", raw(strings.Repeat("&x", 11_000)), "invalid_request", false},

		{"no code and no error", remove("code"), "invalid_request", true},
		{"an empty code", set("code", ""), "invalid_request", true},

		{"another issuer", set("iss", other), "issuer_mismatch", true},
		{"no issuer", remove("iss"), "issuer_mismatch", true},
		{"the issuer in capital letters", set("iss", "https://PROVIDER.test"), "issuer_mismatch", true},
		{"the issuer with its port", set("iss", "https://provider.test:443"), "issuer_mismatch", true},
		{"an error of another issuer", denied(func(q url.Values) { q.Set("iss", other) }), "issuer_mismatch", true},
		{"an error of no issuer", denied(func(q url.Values) { q.Del("iss") }), "issuer_mismatch", true},

		{"a denial", denied(func(url.Values) {}), "access_denied", true},
		{"a denial with a code", add("error", "access_denied"), "access_denied", true},
		{"another error", denied(func(q url.Values) { q.Set("error", "server_error") }), "authorization_failed", true},
		{"an error of silent login", denied(func(q url.Values) { q.Set("error", "login_required") }), "authorization_failed", true},
		{"an empty error", denied(func(q url.Values) { q.Set("error", "") }), "authorization_failed", true},
		{"an empty error with a code", add("error", ""), "authorization_failed", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var failed failures
			a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.ErrorHandler = failed.handle }})
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			resp := b.Get(test.edit(cb))
			a.RefusedAtOnce(b, resp, http.StatusBadRequest)
			if failed.code() != test.code {
				t.Errorf("error code %q; want %q", failed.code(), test.code)
			}
			// RFC 6749 section 10.12: a response to a login ends it; anything else
			// leaves it pending.
			resp = b.Get(cb)
			if ended := resp.StatusCode != http.StatusSeeOther; ended != test.ends {
				t.Errorf("the true callback then: %d; want the login ended: %t", resp.StatusCode, test.ends)
			}
			a.Browser(t).Login("/dashboard")
			b.Login("/dashboard")
		})
	}
}

// RFC 9207 section 2.4: TestCheckIssuer in internal/protocol has the rules.
func TestCallbackAcceptsIssuer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		change     func(*oauthlogin.Options)
		advertised bool
		iss        []string
		ok         bool
	}{
		{"advertised and right", nil, true, []string{"https://provider.test"}, true},
		{"advertised and missing", nil, true, nil, false},
		{"not advertised and missing", nil, false, nil, true},
		{"not advertised and right", nil, false, []string{"https://provider.test"}, true},
		{"not advertised and wrong", nil, false, []string{"https://other.test"}, false},
		{"without metadata, and missing", apptest.PlainOAuth, false, nil, true},
		{"without metadata, of the endpoint's host", apptest.PlainOAuth, false, []string{"https://provider.test/tenant"}, true},
		{"without metadata, of another host", apptest.PlainOAuth, false, []string{"https://other.test"}, false},
		{"without metadata, over http", apptest.PlainOAuth, false, []string{"http://provider.test"}, false},
		{"without metadata, empty", apptest.PlainOAuth, false, []string{""}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{Change: test.change})
			a.Provider.EditDiscovery(func(doc map[string]any) { doc["authorization_response_iss_parameter_supported"] = test.advertised })
			b := a.Browser(t)
			cb := apptest.Edited(t, b.CallbackURL("/login?return_to=%2Fdashboard"), func(q url.Values) { q["iss"] = test.iss })
			resp := b.Get(cb)
			if !test.ok {
				a.RefusedAtOnce(b, resp, http.StatusBadRequest)
			} else if strings.TrimSuffix(resp.Location(), "#") != "/dashboard" || !b.SignedIn() {
				t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
			}
		})
	}
}

// RFC 6749 section 4.1.2: unrecognized response parameters are ignored.
func TestCallbackIgnoresUnknownParameters(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	cb := b.CallbackURL("/login?return_to=%2Fdashboard")
	resp := b.Get(cb + "&session_state=a.b&scope=admin&return_to=%2F%2Fevil.example&provider=other&foo=1&foo=2&State=x&%00=%00&=")
	a.Expect("callback", resp, http.StatusSeeOther, "/dashboard")
	if n, home := a.Provider.Count(oauthlogintest.Token), b.Get("/").Text; n != 1 || home != "home of alice" {
		t.Errorf("%d token requests; %s", n, home)
	}
}

// CVE-2021-32702 of nextjs-auth0, CVE-2026-33758 of OpenBao, CVE-2021-45325 of
// Gitea: none of the callback's parameters is in the page, the headers or the log, but
// for the description of an error at Debug, in words without punctuation.
func TestCallbackReflectsNothing(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	for _, payload := range []string{apptest.Hostile, "hostile\r\nSet-Cookie: hostile=1", "%3Cscript%3Ehostile%3C/script%3E", "hostile level=ERROR msg=hostile"} {
		for _, name := range []string{"error_description", "error_uri", "iss", payload, "state", "code"} {
			for _, pending := range []bool{true, false} {
				resp := b.Get(apptest.Edited(t, b.CallbackURL("/login"), func(q url.Values) {
					q.Del("code")
					q.Set("error", "access_denied")
					if q.Set(name, payload); !pending {
						q.Set("state", payload)
					}
				}))
				if a.Expect(name, resp, http.StatusBadRequest, ""); strings.Contains(resp.Text+fmt.Sprint(resp.Header), "hostile") {
					t.Errorf("%s is %q: %v %s", name, payload, resp.Header, resp.Text)
				}
			}
		}
	}
	for line := range strings.Lines(a.Log.String()) {
		before, description, _ := strings.Cut(line, "describes an error")
		if strings.Contains(before, "hostile") || description != "" && !strings.Contains(before, "level=DEBUG") || strings.ContainsAny(description, "<>\\&%") {
			t.Errorf("log %s", line)
		}
	}
	t.Run("an error code is logged, and only a code", func(t *testing.T) {
		t.Parallel()
		for sent, logged := range map[string]string{
			"login_required": "login_required",
			"temporarily_unavailable\r\nlevel=ERROR\x1b[31m<b>\u202e": "unknown",
			"the code SplxlOBeZQQYbYS6WxSbIA":                         "unknown",
			strings.Repeat("x", 2000):                                 "unknown",
		} {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			resp := b.Get(apptest.Edited(t, b.CallbackURL("/login"), func(q url.Values) { q.Set("error", sent) }))
			log := a.Log.String()
			if !strings.Contains(log, `error \"`+logged+`\"`) || strings.Count(log, "level=ERROR")+strings.Count(log, "SplxlOBe") > 0 ||
				strings.Contains(resp.Text, sent) || resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%q: body %s; log %s", sent, resp.Text, log)
			}
		}
	})
}

// RFC 6749 section 4.1.2: a code goes to the token endpoint once, whatever the
// response; no second client authentication method is tried with it, and no
// redirect is followed (RFC 9700 section 4.12).
func TestCodeIsSentOnce(t *testing.T) {
	t.Parallel()
	respond := apptest.RespondWith
	type handler = func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	for _, test := range []struct {
		name   string
		serve  handler
		status int
	}{
		{"invalid_grant", respond(400, `{"error":"invalid_grant"}`), 400},
		{"invalid_client", respond(401, `{"error":"invalid_client"}`, "WWW-Authenticate", "Basic"), 502},
		{"invalid_client with 400", respond(400, `{"error":"invalid_client"}`), 502},
		{"invalid_request", respond(400, `{"error":"invalid_request"}`), 400},
		// CVE-2021-41580 of passport-oauth2, GitHub's way.
		{"an error with 200", respond(200, `{"error":"bad_verification_code","access_token":"token"}`), 400},
		{"500", respond(500, `{"error":"server_error"}`), 502},
		{"503 that asks to come back", respond(503, "down", "Content-Type", "text/html", "Retry-After", "0"), 502},
		{"429 that asks to come back", respond(429, `{"error":"slow_down"}`, "Retry-After", "0"), 502},
		{"a redirect", respond(302, "{}", "Location", "/token"), 502},
		{"a redirect that repeats the body", respond(307, "{}", "Location", "/token"), 502},
		{"a permanent redirect to another host", respond(308, "{}", "Location", "https://other.test/token"), 502},
		{"nothing", respond(200, ""), 502},
		{"not JSON", respond(200, "<html>"), 502},
		{"JSON cut short", respond(200, `{"access_token":"t`), 502},
		{"a hang-up", func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }, 502},
		{"a hang-up in the middle", func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"access_token":"t`)
			panic(http.ErrAbortHandler)
		}, 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.NewTLS(t, apptest.Config{}) // with sockets: net/http's own retries are part of the question
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			flow := b.Cookies()
			a.Provider.Intercept(oauthlogintest.Token, test.serve)
			resp := b.Get(cb)
			a.Expect("callback", resp, test.status, "")
			for name, value := range flow { // as if the browser had kept them
				b.SetCookie(name, value)
			}
			a.Expect("again", b.Get(cb), http.StatusBadRequest, "")
			if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
			if n := a.Provider.Count(oauthlogintest.UserInfo); n != 0 || b.SignedIn() {
				t.Errorf("%d user info requests; signed in: %t", n, b.SignedIn())
			}
			a.Provider.Intercept(oauthlogintest.Token, nil)
			for _, link := range resp.Links() {
				if resp := b.Follow(link); resp.Request.URL.Path != "/dashboard" {
					t.Errorf("the page's link leads to %s", resp.Request.URL)
				}
			}
			if !b.SignedIn() {
				t.Error("no way back from the page")
			}
		})
	}
}

// The callback accepts only GET, and never CORS: a link scanner's HEAD must not
// redeem the code, and no response mode that was requested uses POST.
func TestCallbackTakesGetAlone(t *testing.T) {
	t.Parallel()
	for _, method := range []string{
		http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND",
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			cb := b.CallbackURL("/login?return_to=%2Fdashboard")
			r := b.Request(method, cb, strings.NewReader(apptest.QueryOf(cb).Encode()), "Origin", "https://evil.example",
				"Access-Control-Request-Method", "GET", "Content-Type", "application/x-www-form-urlencoded")
			resp := b.Do(r)
			a.RefusedAtOnce(b, resp, http.StatusMethodNotAllowed)
			if resp.Header.Get("Allow") != "GET" || strings.Contains(fmt.Sprint(resp.Header), "Access-Control") {
				t.Errorf("headers %v", resp.Header)
			}
			if a.Expect("GET then", b.Get(cb), http.StatusSeeOther, "/dashboard"); !b.SignedIn() {
				t.Error("not signed in")
			}
		})
	}
}

// A callback is a navigation: an image or a script of another page spends no code, and
// takes nothing from the login that is pending.
func TestCallbackIsANavigation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		header []string
		passes bool
	}{
		{"an image", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image", "Accept", "image/*,*/*"}, false},
		{"no-cors that asks for HTML", []string{"Sec-Fetch-Mode", "no-cors", "Accept", acceptHTML}, false},
		{"fetch", []string{"Sec-Fetch-Mode", "cors", "Accept", "*/*"}, false},
		{"fetch of HTML", []string{"Sec-Fetch-Mode", "cors", "Accept", acceptHTML}, false},
		{"fetch of the same origin", []string{"Sec-Fetch-Mode", "same-origin", "Accept", "*/*"}, false},
		{"a WebSocket", []string{"Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"}, false},
		{"prefetching", []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"}, false},
		{"prerendering", []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch;prerender"}, false},
		{"prefetching of older browsers", []string{"Purpose", "prefetch"}, false},
		{"a service worker", []string{"Sec-Fetch-Mode", "same-origin", "Accept", acceptHTML}, true},
		{"a browser that does not say", []string{"Accept", "*/*"}, true},
		{"a navigation", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"}, true},
	} {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		callback := b.CallbackURL("/login?return_to=%2Fdashboard")
		resp := b.Get(callback, tt.header...)
		if tt.passes {
			if resp.Location() != "/dashboard" || !b.SignedIn() {
				t.Errorf("%s: %d to %q: %s", tt.name, resp.StatusCode, resp.Location(), resp.Text)
			}
			continue
		}
		if n := a.Provider.Count(oauthlogintest.Token); resp.StatusCode != http.StatusBadRequest || len(resp.Cookies()) > 0 || n > 0 || !strings.Contains(a.Log.String(), "invalid_request") {
			t.Errorf("%s: %d with %d cookies after %d token requests", tt.name, resp.StatusCode, len(resp.Cookies()), n)
		}
		if resp = b.Get(callback); resp.Location() != "/dashboard" || !b.SignedIn() {
			t.Errorf("%s, and then the navigation: %d to %q", tt.name, resp.StatusCode, resp.Location())
		}
	}
}

// RFC 9700 sections 4.2.4 and 4.12.
func TestCallbackHeaders(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	resp := b.Get(b.CallbackURL("/login?return_to=%2Fdashboard"), "Origin", "https://evil.example")
	if a.Expect("callback", resp, http.StatusSeeOther, "/dashboard"); resp.Text != "" {
		t.Errorf("body %q", resp.Text)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": ""} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
}

// Facebook ends its redirects in #_=_, which stays in the address bar unless Location
// has a fragment of its own. OpenID Connect redirects stay as they are.
func TestFragmentOfTheProvider(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		returnTo string
		want     string
	}{
		{"plain OAuth", apptest.PlainOAuth, "/dashboard?q=1", "/dashboard?q=1#"},
		{"plain OAuth, to the root", apptest.PlainOAuth, "", "/#"},
		{"plain OAuth, with a fragment", apptest.PlainOAuth, "/dashboard#part", "/dashboard#part"},
		{"OpenID Connect", nil, "/dashboard?q=1", "/dashboard?q=1"},
	} {
		a := apptest.New(t, apptest.Config{Change: tt.change})
		b := a.Browser(t)
		callback := b.CallbackURL("/login?return_to=" + url.QueryEscape(tt.returnTo))
		if resp := b.Get(callback); resp.Location() != tt.want || !b.SignedIn() {
			t.Errorf("%s: %d to %q", tt.name, resp.StatusCode, resp.Location())
		}
		if resp := b.Get(callback); strings.HasSuffix(resp.Location(), "#") != strings.HasSuffix(tt.want, "#") {
			t.Errorf("%s, again: %d to %q", tt.name, resp.StatusCode, resp.Location())
		}
	}
}

// RFC 6749 section 4.1.2.1: the user cancels at the provider. The page says so,
// and its link starts again with fresh values (RFC 9700 section 2.1.1).
func TestDenied(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Provider.AutoApprove("") // there is a page with a cancel button
	b := a.Browser(t)
	resp, first := b.StartLogin("/login?return_to=%2Fdashboard%3Fq%3D1")
	endpoint, _, _ := strings.Cut(resp.Location(), "?")
	form := apptest.QueryOf(resp.Location())
	form.Set("action", "deny")
	resp = b.Get(b.Post(endpoint, form).Location())
	a.RefusedAtOnce(b, resp, http.StatusBadRequest)
	if !strings.Contains(resp.Text, "cancelled") || strings.Contains(resp.Text, "access_denied") || strings.Contains(resp.Text, "user denied") {
		t.Errorf("page %s", resp.Text)
	}
	links := resp.Links()
	if len(links) != 1 {
		t.Fatalf("links %q", links)
	}
	a.Provider.AutoApprove("alice")
	_, second := b.StartLogin(links[0])
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if first.Get(name) == second.Get(name) {
			t.Errorf("the same %s again", name)
		}
	}
	if resp := b.Follow(links[0]); resp.Request.URL.RequestURI() != "/dashboard?q=1" || resp.StatusCode != http.StatusOK {
		t.Errorf("the link leads to %s: %d", resp.Request.URL, resp.StatusCode)
	}
}

// A login whose cookie did not come along most likely began at another address.
func TestLostLoginSaysWhy(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	resp := b.Get("/auth/callback?state=x&code=y")
	if log := a.Log.String(); !strings.Contains(log, "flow_not_found") || !strings.Contains(log, "the login began under another host or scheme than https://app.test,") {
		t.Error(log)
	}
	if !strings.Contains(resp.Text, "started at another address of this site") {
		t.Error(resp.Text)
	}
	// Of a login that is over the instance knows the return path for a while.
	callback := b.CallbackURL("/login?return_to=%2Fdashboard%3Fq%3D1")
	b.Get(callback)
	b.SetCookie(apptest.SessionCookie, "")
	if resp = b.Get(callback); resp.StatusCode != http.StatusBadRequest || len(resp.Links()) != 1 || resp.Links()[0] != "/login?return_to=%2Fdashboard%3Fq%3D1" {
		t.Errorf("%d %q", resp.StatusCode, resp.Links())
	}
}

// tookTooLong is how long a login takes that is over.
const tookTooLong = 5 * time.Minute

// A login that took too long starts anew by itself, once.
func TestLateLoginStartsAnew(t *testing.T) {
	t.Parallel()
	late := func(t *testing.T, callback string) string {
		time.Sleep(tookTooLong)
		return callback
	}
	says := func(code string) func(*testing.T, string) string {
		return func(t *testing.T, callback string) string {
			return apptest.Edited(t, callback, func(q url.Values) { q.Del("code"); q.Set("error", code) })
		}
	}
	for _, tt := range []struct {
		name string
		late func(t *testing.T, callback string) string
		code string // of the page
	}{
		{"over five minutes", late, "flow_expired"},
		{"temporarily_unavailable", says("temporarily_unavailable"), "authorization_failed"},
		{"authentication_expired", says("authentication_expired"), "authorization_failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				start := func() (old string, again *apptest.Response) {
					t.Helper()
					old = tt.late(t, b.CallbackURL("/login?return_to="+url.QueryEscape("/dashboard?q=1")))
					again = b.Get(old)
					if again.StatusCode != http.StatusSeeOther || !strings.HasPrefix(again.Location(), "https://provider.test/authorize?") {
						t.Fatalf("%d to %q: %s", again.StatusCode, again.Location(), again.Text)
					}
					if b.SignedIn() || apptest.QueryOf(again.Location()).Get("state") == apptest.QueryOf(old).Get("state") {
						t.Errorf("signed in %v, state %q", b.SignedIn(), apptest.QueryOf(again.Location()).Get("state"))
					}
					return old, again
				}
				old, again := start()
				if n := a.Provider.Count(oauthlogintest.Token); n != 0 {
					t.Errorf("%d token requests", n)
				}
				if resp := b.FollowOn(again, ""); resp.Request.URL.RequestURI() != "/dashboard?q=1" || !b.SignedIn() {
					t.Errorf("the new login led to %s", resp.Request.URL)
				}
				other := a.Browser(t)
				if resp := other.Get(old); resp.StatusCode != http.StatusBadRequest || other.SignedIn() {
					t.Errorf("the old state: %d to %q", resp.StatusCode, resp.Location())
				}

				// The second time it is the page.
				b = a.Browser(t)
				_, again = start()
				a.Events.Take()
				resp := b.Get(tt.late(t, b.FollowOn(again, "/auth/callback").Location()))
				if resp.StatusCode != http.StatusBadRequest || len(resp.Links()) != 1 || b.SignedIn() || !strings.Contains(a.Log.String(), "code="+tt.code) {
					t.Fatalf("the second time: %d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
				}
				if resp = b.Follow(resp.Links()[0]); resp.Request.URL.RequestURI() != "/dashboard?q=1" {
					t.Errorf("the page leads to %s", resp.Request.URL)
				}
			})
		})
	}
}

// A user who has said no, however late, is not asked again.
func TestLateDenialIsAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		callback := apptest.Edited(t, b.CallbackURL("/login?return_to=%2Fdashboard"), func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") })
		time.Sleep(tookTooLong)
		if resp := b.Get(callback); resp.StatusCode != http.StatusBadRequest || len(resp.Links()) != 1 || resp.Links()[0] != "/login?return_to=%2Fdashboard" {
			t.Errorf("%d to %q", resp.StatusCode, resp.Location())
		}
	})
}

// The new login asks for what the old one asked for.
func TestLateStepUpStartsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 100 * time.Hour}})
		a.GuardBy(oauthlogin.Policy{MaxAge: 10 * time.Minute, ACR: []string{"phr", "mfa"}})
		b := a.Browser(t)
		b.Login("/dashboard")
		stepUp := func() *apptest.Response {
			t.Helper()
			resp := b.Get("/guarded")
			if apptest.QueryOf(resp.Location()).Get("max_age") != "600" {
				t.Fatalf("no step-up: %d to %q", resp.StatusCode, resp.Location())
			}
			return b.FollowOn(resp, "/auth/callback")
		}
		asks := func(resp *apptest.Response) bool {
			q := apptest.QueryOf(resp.Location())
			return resp.StatusCode == http.StatusSeeOther && q.Get("max_age") == "600" && q.Get("acr_values") == "phr mfa" && q.Get("prompt") == "login"
		}
		refused := apptest.Edited(t, stepUp().Location(), func(q url.Values) { q.Del("code"); q.Set("error", "temporarily_unavailable") })
		if resp := b.Get(refused); !asks(resp) {
			t.Errorf("the provider took too long: %d to %q", resp.StatusCode, resp.Location())
		}
		callback := stepUp().Location()
		time.Sleep(tookTooLong)
		if resp := b.Get(callback); resp.Location() != "/guarded" { // which asks again
			t.Errorf("signed in: %d to %q", resp.StatusCode, resp.Location())
		}
		callback = stepUp().Location()
		time.Sleep(tookTooLong)
		b.SetCookie(apptest.SessionCookie, "")
		if resp := b.Get(callback); !asks(resp) {
			t.Errorf("signed out meanwhile: %d to %q", resp.StatusCode, resp.Location())
		}
	})
}

// So it does with the parameters and scopes of StartLogin, as far as there is room for them.
func TestLateLoginKeepsItsParameters(t *testing.T) {
	t.Parallel()
	short := url.Values{"prompt": {"select_account"}, "login_hint": {"alice@example.com"}, "ui_locales": {"de fr"}}
	for _, tt := range []struct {
		name   string
		params url.Values
		kept   bool
	}{
		{"a few", short, true},
		{"as many as fit", url.Values{"login_hint": {strings.Repeat("x", 512-len("login_hint="))}}, true},
		{"too many", url.Values{"login_hint": {strings.Repeat("x", 513-len("login_hint="))}}, false},
		{"too many, of a step-up", url.Values{"max_age": {"60"}, "login_hint": {strings.Repeat("x", 512)}}, false},
	} {
		for _, signedIn := range []bool{false, true} {
			apptest.InBubble(t, fmt.Sprintf("%s, signed in %t", tt.name, signedIn), func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 100 * time.Hour}})
				a.Routes = func(mux *http.ServeMux) {
					mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
						a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: "/dashboard", Scopes: []string{"calendar"}, AuthParams: tt.params})
					})
				}
				b := a.Browser(t)
				if signedIn {
					b.Login("/dashboard")
				}
				first := b.Get("/start")
				refused := apptest.Edited(t, b.FollowOn(first, "/auth/callback").Location(), func(q url.Values) { q.Del("code"); q.Set("error", "temporarily_unavailable") })
				again := b.Get(refused)
				want, got := apptest.QueryOf(first.Location()), apptest.QueryOf(again.Location())
				for name := range want {
					if !slices.Contains([]string{"state", "nonce", "code_challenge"}, name) && !slices.Equal(got[name], want[name]) && (tt.kept || name != "login_hint") {
						t.Errorf("%s is %q, was %q", name, got[name], want[name])
					}
				}
				if got.Has("login_hint") != tt.kept {
					t.Errorf("the new login requests %v", got)
				}
				if resp := b.FollowOn(again, ""); resp.Request.URL.Path != "/dashboard" || !b.SignedIn() {
					t.Errorf("it led to %s", resp.Request.URL)
				}
			})
		}
	}
}

// A login with another account is worth starting anew also while there is a session.
func TestLateLoginWithAnotherAccount(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
	b := a.Browser(t)
	b.Login("/dashboard")
	callback := b.FollowOn(b.Get(b.Get("/guarded").Links()[0]), "/auth/callback").Location()
	resp := b.Get(apptest.Edited(t, callback, func(q url.Values) { q.Del("code"); q.Set("error", "authentication_expired") }))
	if got := apptest.QueryOf(resp.Location()).Get("prompt"); got != "select_account" {
		t.Errorf("%d to %q", resp.StatusCode, resp.Location())
	}
}

// A browser that is signed in by now goes on, and a silent login leads to its page.
func TestLateLoginsThatAreNotNeeded(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/public", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "public") })))
	}
	unavailable := func(q url.Values) { q.Del("code"); q.Set("error", "temporarily_unavailable") }
	b := a.Browser(t)
	callback := b.CallbackURL("/login?return_to=%2Fdashboard%3Fq%3D2")
	b.Login("/dashboard")
	if resp := b.Get(apptest.Edited(t, callback, unavailable)); resp.Location() != "/dashboard?q=2" || !b.SignedIn() {
		t.Errorf("signed in in another tab: %d to %q", resp.StatusCode, resp.Location())
	}
	b = a.Browser(t)
	callback = b.CallbackURL("/public")
	if resp := b.Get(apptest.Edited(t, callback, unavailable)); resp.Location() != "/public" || b.SignedIn() {
		t.Errorf("silent: %d to %q", resp.StatusCode, resp.Location())
	}
	// What another provider says starts nothing anew.
	b = a.Browser(t)
	callback = b.CallbackURL("/login")
	if resp := b.Get(apptest.Edited(t, callback, func(q url.Values) { unavailable(q); q.Set("iss", "https://other.test") })); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("mix-up: %d to %q", resp.StatusCode, resp.Location())
	}
}

// Whoever begins a login can write an error response for it. Their words are no alarm.
func TestAlarmHasNoWordsOfStrangers(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.StartLogin("/login")
	b.Get("/auth/callback?error=invalid_client&error_description=please+call+555+0199")
	alarmed := false
	for line := range strings.Lines(a.Log.String()) {
		alarmed = alarmed || strings.Contains(line, "level=ERROR")
		if strings.Contains(line, "555") && !strings.Contains(line, "level=DEBUG") {
			t.Error(line)
		}
	}
	if !alarmed || !strings.Contains(a.Log.String(), "please call 555 0199") {
		t.Errorf("no alarm, or no description: %s", a.Log)
	}
}

// What the provider says of an error is in the log, whatever the error is.
func TestEveryErrorIsDescribed(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"access_denied", "temporarily_unavailable", "server_error", "own_error"} {
		a := apptest.New(t, apptest.Config{})
		a.AuthorizationResponse(func(q url.Values) {
			q.Set("error", code)
			q.Set("error_description", "ask\nyour <administrator>")
		})
		b := a.Browser(t)
		b.Get(b.CallbackURL("/login"))
		if log := a.Log.String(); !strings.Contains(log, `level=DEBUG msg="oauthlogin: the provider describes an error"`) || !strings.Contains(log, "ask your administrator") {
			t.Errorf("%s: %s", code, log)
		}
	}
}

// The page of a refused login leads to the choice of another account at its provider, and
// on to where the login was to lead.
func TestRefusedLoginLeadsToAnotherAccount(t *testing.T) {
	t.Parallel()
	a, two := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
		o.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
			if in.ReturnTo = "/elsewhere"; in.User.Subject == "bob" {
				return errNotInvited
			}
			in.ReturnTo = "/api/me?q=1"
			return nil
		}
	})
	b := a.Browser(t)
	resp := b.Follow("/login?provider=two&return_to=%2Fapi%2Fme%3Fq%3D1")
	links := resp.Links()
	if resp.StatusCode != http.StatusForbidden || len(links) != 1 || !strings.Contains(resp.Text, ">Sign in with another account<") || apptest.QueryOf(links[0]).Get("return_to") != "/api/me?q=1" {
		t.Fatalf("%d %s", resp.StatusCode, resp.Text)
	}
	for _, fault := range apptest.PageFaults(resp) {
		t.Error(fault)
	}
	resp = b.Page(a.URL).Link(a.URL + links[0])
	if got := apptest.QueryOf(resp.Location()).Get("prompt"); got != "select_account" || !strings.HasPrefix(resp.Location(), "https://two.test/authorize?") {
		t.Errorf("the provider is asked at %s", resp.Location())
	}
	two.AutoApprove("carol")
	if resp = b.FollowOn(resp, ""); resp.Request.URL.RequestURI() != "/api/me?q=1" || apptest.UserOf(t, resp).Subject != "carol" {
		t.Errorf("came back to %s: %s", resp.Request.URL, resp.Text)
	}
}

// The application's own error keeps its URL.
func TestRefusalOfTheApplicationKeepsItsWay(t *testing.T) {
	t.Parallel()
	a := asking(t, apptest.Config{}, func(context.Context, *oauthlogin.SignIn) error { return &oauthlogin.Error{RetryURL: "/plans"} })
	resp := a.Browser(t).Follow("/login")
	if resp.StatusCode != http.StatusForbidden || !slices.Equal(resp.Links(), []string{"/plans"}) || strings.Contains(resp.Text, "another account") {
		t.Errorf("%d %s", resp.StatusCode, resp.Text)
	}
}

// A provider that fails leads back to the choice among several.
func TestFailedProviderLeadsToTheChoice(t *testing.T) {
	t.Parallel()
	callback := func(change func(url.Values)) func(*apptest.App, *oauthlogintest.Provider, *apptest.Browser, string) *apptest.Response {
		return func(_ *apptest.App, _ *oauthlogintest.Provider, b *apptest.Browser, login string) *apptest.Response {
			return b.Get(apptest.Edited(b.T, b.CallbackURL(login), change))
		}
	}
	token := func(status int, body string) func(*apptest.App, *oauthlogintest.Provider, *apptest.Browser, string) *apptest.Response {
		return func(_ *apptest.App, two *oauthlogintest.Provider, b *apptest.Browser, login string) *apptest.Response {
			two.Intercept(oauthlogintest.Token, apptest.RespondWith(status, body))
			return b.Follow(login)
		}
	}
	for _, test := range []struct {
		code string
		get  func(*apptest.App, *oauthlogintest.Provider, *apptest.Browser, string) *apptest.Response
	}{
		{"provider_unavailable", func(a *apptest.App, _ *oauthlogintest.Provider, b *apptest.Browser, login string) *apptest.Response {
			delete(a.Net, "two.test")
			return b.Get(login)
		}},
		{"provider_unavailable", token(503, "")},
		{"provider_rejected", token(401, `{"error":"invalid_client"}`)},
		{"invalid_grant", token(400, `{"error":"invalid_grant"}`)},
		{"authorization_failed", callback(func(q url.Values) { q.Del("code"); q.Set("error", "server_error") })},
		{"issuer_mismatch", callback(func(q url.Values) { q.Set("iss", "https://evil.test") })},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			a, two := apptest.NewTwoProviders(t, nil)
			b := a.Browser(t)
			resp := test.get(a, two, b, "/login?provider=two&return_to=%2Fdashboard%3Fq%3D1")
			events := a.Events.Take()
			if len(events) != 1 || !strings.Contains(events[0].Err.Error(), test.code) {
				t.Errorf("events %v", events)
			}
			links := resp.Links()
			if !slices.Equal(links, []string{"/login?return_to=%2Fdashboard%3Fq%3D1"}) {
				t.Fatalf("%d, links %q", resp.StatusCode, links)
			}
			choice := b.Page(a.URL).Link(a.URL + links[0])
			if len(choice.Links()) != 2 {
				t.Fatalf("%d %s", choice.StatusCode, choice.Text)
			}
			if resp = b.Follow(choice.Links()[0]); resp.Request.URL.RequestURI() != "/dashboard?q=1" || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d", resp.Request.URL, resp.StatusCode)
			}
		})
	}
}

// When a browser leaves while the provider is asked, the provider has not failed.
func TestBrowserLeavesDuringLogin(t *testing.T) {
	t.Parallel()
	var events []oauthlogin.Event
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.OnEvent = func(_ context.Context, e oauthlogin.Event) { events = append(events, e) }
	}})
	for _, endpoint := range []oauthlogintest.Endpoint{oauthlogintest.Token, oauthlogintest.JWKS} {
		b := a.Browser(t)
		r := b.Request(http.MethodGet, b.CallbackURL("/login"), nil)
		for name, value := range b.Cookies() {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		ctx, leave := context.WithCancel(r.Context())
		a.Provider.Intercept(endpoint, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			leave()
			next(w, r)
		})
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r.WithContext(ctx))
		a.Provider.Intercept(endpoint, nil)
		if w.Body.Len() > 0 || len(events) > 0 {
			t.Errorf("%v: %d %s, events %v", endpoint, w.Code, w.Body, events)
		}
	}
	if log := a.Log.String(); strings.Contains(log, "level=ERROR") || strings.Count(log, "the browser left during a login") != 2 {
		t.Error(log)
	}
}
