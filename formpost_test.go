package oauthlogin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"mime/multipart"
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

func newFormApp(t *testing.T) *apptest.App {
	return apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Providers[0].FormPost = true }})
}

// The provider is on another site, whose form comes without cookies. The page that posts it
// again redeems nothing and leaves the cookies alone.
func TestFormPost(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	b := a.Browser(t)
	atProvider := b.Follow("/login?return_to=/dashboard")
	if mode := a.Provider.Requests(oauthlogintest.Authorization)[0].Query.Get("response_mode"); mode != "form_post" {
		t.Errorf("response_mode is %q", mode)
	}
	posted := b.Submit(atProvider)
	if sent := posted.Request.Header; sent.Get("Cookie") != "" || sent.Get("Sec-Fetch-Site") != "cross-site" {
		t.Fatalf("the first form was sent with %v", sent)
	}
	if posted.StatusCode != http.StatusOK || len(posted.Header["Set-Cookie"]) > 0 || a.Provider.Count(oauthlogintest.Token) > 0 {
		t.Fatalf("the first form: %d, cookies %v, %d token requests", posted.StatusCode, posted.Header["Set-Cookie"], a.Provider.Count(oauthlogintest.Token))
	}
	action, fields, ok := posted.Form()
	if !ok || action.String() != a.URL+"/auth/callback" || strings.Join(slices.Sorted(maps.Keys(fields)), " ") != "code iss oauthlogin_posted state" {
		t.Fatalf("the page posts %v to %v", fields, action)
	}
	done := b.Submit(posted)
	a.Expect("the second form", done, http.StatusSeeOther, "/dashboard")
	if page := b.FollowOn(done, ""); page.StatusCode != http.StatusOK || apptest.UserOf(t, page).Subject != "alice" {
		t.Errorf("signed in: %d %s", page.StatusCode, page.Text)
	}
	if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
		t.Errorf("%d token requests", n)
	}
	a.Leaks(t, "")
}

// The page runs its own script and posts its own form, and nothing else.
func TestFormPostPage(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	b := a.Browser(t)
	resp := b.PostFrom("https://provider.test", "/auth/callback?state=hostile&code=hostile", url.Values{
		"state": {`"><script>alert(1)</script>`}, "code": {"&amp;<b>"}, "error_description": {"hostile"}, "session_state": {"hostile"}, "user": {`{"name":{"firstName":"hostile"}}`},
	})
	_, fields, ok := resp.Form()
	if !ok || len(fields) != 3 || fields.Get("state") != `"><script>alert(1)</script>` || fields.Get("code") != "&amp;<b>" || fields.Get("oauthlogin_posted") != "1" {
		t.Errorf("the page posts %v: %s", fields, resp.Text)
	}
	script := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(resp.Text, -1)
	if len(script) != 1 || strings.Count(resp.Text, "<script") != 1 || !strings.Contains(resp.Text, "<button") || strings.Contains(resp.Text, "hostile") {
		t.Fatalf("the page is %s", resp.Text)
	}
	sum := sha256.Sum256([]byte(script[0][1]))
	csp := resp.Header.Get("Content-Security-Policy")
	for _, directive := range []string{
		"default-src 'none'", "script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
	} {
		if !slices.Contains(strings.Split(csp, "; "), directive) {
			t.Errorf("the policy %q lacks %s", csp, directive)
		}
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// What a provider's form cannot be is refused, and takes nothing from the login that is
// pending.
func TestFormPostRefused(t *testing.T) {
	t.Parallel()
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	var parts bytes.Buffer
	multi := multipart.NewWriter(&parts)
	multi.WriteField("state", "s")
	multi.Close()
	for _, tt := range []struct {
		name, body string
		header     []string
	}{
		{"JSON", `{"state":"s","code":"c"}`, []string{"Content-Type", "application/json"}},
		{"a multipart form", parts.String(), []string{"Content-Type", multi.FormDataContentType()}},
		{"text", "state=s&code=c", []string{"Content-Type", "text/plain"}},
		{"no type", "state=s&code=c", nil},
		{"a type that is none", "state=s&code=c", []string{"Content-Type", ";;"}},
		{"1 MiB", "state=s&code=" + strings.Repeat("a", 1<<20), form},
		{"1 MiB of another field", "state=s&code=c&x=" + strings.Repeat("a", 1<<20), form},
		{"a long state", "code=c&state=" + strings.Repeat("a", 9<<10), form},
		{"two states", "state=s&state=s&code=c", form},
		{"two codes", "state=s&code=c&code=d", form},
		{"two issuers", "state=s&code=c&iss=a&iss=b", form},
		{"two errors", "state=s&error=c&error=d", form},
		{"two marks", "state=s&code=c&oauthlogin_posted=1&oauthlogin_posted=1", form},
		{"a malformed form", "state=%zz", form},
		{"another form", "name=value", form},
		{"nothing", "", form},
		{"a script's", "state=s&code=c", append(form, "Sec-Fetch-Mode", "cors")},
		{"a script's without cors", "state=s&code=c", append(form, "Sec-Fetch-Mode", "no-cors")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newFormApp(t)
			b := a.Browser(t)
			page := b.Follow("/login?return_to=/dashboard")
			for _, query := range []string{"", "?state=s&code=c"} {
				a.RefusedAtOnce(b, b.Do(b.Request(http.MethodPost, "/auth/callback"+query, strings.NewReader(tt.body), tt.header...)), http.StatusBadRequest)
			}
			if log := a.Log.String(); strings.Count(log, "code=invalid_request") != 2 || strings.Contains(log, "code=flow_not_found") {
				t.Errorf("log: %s", log)
			}
			a.Expect("the login then", b.Submit(b.Submit(page)), http.StatusSeeOther, "/dashboard")
		})
	}
}

// A browser without cookies gets an error page, and goes round no more.
func TestFormPostWithoutCookies(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	b := a.BareBrowser(t)
	again := b.Submit(b.Submit(b.Follow("/login")))
	if _, _, ok := again.Form(); ok || again.StatusCode != http.StatusBadRequest || !strings.Contains(a.Log.String(), "flow_not_found") {
		t.Errorf("%d %s", again.StatusCode, again.Text)
	}
	a.RefusedAtOnce(b, again, http.StatusBadRequest)
}

// A response that another browser began signs nobody in, whatever its page says.
func TestFormPostIntoAnotherBrowser(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	_, fields, _ := a.Browser(t).Follow("/login?return_to=/dashboard").Form()
	victim := a.Browser(t)
	victim.Follow("/login?return_to=/dashboard")
	fields.Set("oauthlogin_posted", "1")
	a.RefusedAtOnce(victim, victim.PostFrom("https://evil.test", "/auth/callback", fields), http.StatusBadRequest)
	fields.Del("oauthlogin_posted")
	a.RefusedAtOnce(victim, victim.Submit(victim.PostFrom("https://evil.test", "/auth/callback", fields)), http.StatusBadRequest)
}

// Without the option POST is refused, also at a provider beside one with it.
func TestFormPostIsAnOption(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, func(opts *oauthlogin.Options) { opts.Providers[1].FormPost = true })
	b := a.Browser(t)
	fields := url.Values{"state": {"s"}, "code": {"c"}}
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodPost, "/auth/callback", http.StatusMethodNotAllowed, "GET"},
		{http.MethodPost, "/auth/callback/two", http.StatusOK, ""},
		{http.MethodPut, "/auth/callback/two", http.StatusMethodNotAllowed, "GET, POST"},
		{http.MethodHead, "/auth/callback/two", http.StatusMethodNotAllowed, "GET, POST"},
	} {
		r := b.Request(tt.method, tt.path, strings.NewReader(fields.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://two.test")
		if resp := b.Do(r); resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow %q", tt.method, tt.path, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	if resp := b.Follow("/login?provider=one&return_to=/dashboard"); apptest.UserOf(t, resp).Subject != "alice" {
		t.Errorf("one: %d %s", resp.StatusCode, resp.Text)
	}
	if resp := b.FollowOn(b.Submit(b.Submit(b.Follow("/login?provider=two&return_to=/dashboard"))), ""); apptest.UserOf(t, resp).Subject != "bob" {
		t.Errorf("two: %d %s", resp.StatusCode, resp.Text)
	}
	// The response of one provider at the other's redirect URI is a mix-up.
	_, answer, _ := b.Follow("/login?provider=two&return_to=/dashboard").Form()
	if resp := b.Get("/auth/callback?" + answer.Encode()); resp.StatusCode != http.StatusBadRequest || !strings.Contains(a.Log.String(), "issuer_mismatch") {
		t.Errorf("%d %s", resp.StatusCode, resp.Text)
	}
}

// A response by GET works as without the option: providers report early errors so.
func TestFormPostTakesGet(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	b := a.Browser(t)
	_, fields, _ := b.Follow("/login?return_to=/dashboard").Form()
	a.Expect("GET", b.Get("/auth/callback?"+fields.Encode()), http.StatusSeeOther, "/dashboard")
}

// Errors, stale responses and mix-ups end as they do with GET.
func TestFormPostErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func(url.Values)
		code string
	}{
		{"denied", func(v url.Values) { v.Del("code"); v.Set("error", "access_denied") }, "access_denied"},
		{"another error", func(v url.Values) {
			v.Del("code")
			v.Set("error", "server_error")
			v.Set("error_description", "hostile")
		}, "authorization_failed"},
		{"another issuer", func(v url.Values) { v.Set("iss", "https://evil.test") }, "issuer_mismatch"},
		{"no issuer", func(v url.Values) { v.Del("iss") }, "issuer_mismatch"},
		{"neither code nor error", func(v url.Values) { v.Del("code") }, "invalid_request"},
		{"another code", func(v url.Values) { v.Set("code", "another") }, "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newFormApp(t)
			b := a.Browser(t)
			a.Provider.EditAuthorizationResponse(tt.edit)
			a.Refused(t, b, b.PostLogin("/dashboard"), http.StatusBadRequest, tt.code)
			a.Provider.EditAuthorizationResponse(nil)
			if resp := b.PostLogin("/dashboard"); resp.StatusCode != http.StatusOK {
				t.Errorf("then %d %s", resp.StatusCode, resp.Text)
			}
		})
	}
}

func TestFormPostTwice(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	b := a.Browser(t)
	page := b.Submit(b.Follow("/login?return_to=/dashboard"))
	a.Expect("the first time", b.Submit(page), http.StatusSeeOther, "/dashboard")
	a.Expect("the second time", b.Submit(page), http.StatusSeeOther, "/dashboard")
	if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

// A login that took too long starts anew. Browsers apply form-action to the redirects of a
// form, so that one with the page's URL as Referer is led on by a page.
func TestFormPostTookTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newFormApp(t)
		b := a.Browser(t)
		page := b.Submit(b.Follow("/login?return_to=/dashboard"))
		bare := b.Clone()
		time.Sleep(6 * time.Minute)
		if resp := bare.Submit(page); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Location(), "https://provider.test/authorize?") {
			t.Errorf("without Referer: %d to %s", resp.StatusCode, resp.Location())
		}
		resp := b.Submit(page, "Referer", a.URL+"/auth/callback")
		onward, ok := strings.CutPrefix(resp.Header.Get("Refresh"), "0;url=")
		if !ok || resp.StatusCode != http.StatusOK || !slices.Contains(resp.Links(), onward) {
			t.Fatalf("%d, Refresh %q: %s", resp.StatusCode, resp.Header.Get("Refresh"), resp.Text)
		}
		if page := b.FollowOn(b.Submit(b.Submit(b.Follow(onward))), ""); page.StatusCode != http.StatusOK || page.Request.URL.Path != "/dashboard" {
			t.Errorf("the login anew led to %s: %d", page.Request.URL, page.StatusCode)
		}
	})
}

// A page that asks for a step-up right after the login is led on as well.
func TestFormPostThenStepUp(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	a.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
	b := a.Browser(t)
	done := b.Submit(b.Submit(b.Follow("/login?return_to=/guarded")))
	if policy := done.Header.Get("Referrer-Policy"); policy != "same-origin" {
		t.Errorf("Referrer-Policy is %q: browsers would not say that the redirects follow a form", policy)
	}
	for referrer, status := range map[string]int{
		a.URL + "/auth/callback": http.StatusOK, a.URL + "/other": http.StatusSeeOther, "https://evil.test/auth/callback": http.StatusSeeOther, "": http.StatusSeeOther,
	} {
		if resp := b.Get(done.Location(), "Referer", referrer, "Sec-Fetch-Mode", "navigate"); resp.StatusCode != status {
			t.Errorf("Referer %q: %d", referrer, resp.StatusCode)
		}
	}
}

// The form passes the gate of RequireAuth, and a handler before it may have read the body.
func TestFormPostBehindOtherHandlers(t *testing.T) {
	t.Parallel()
	a := newFormApp(t)
	page := func(w http.ResponseWriter, r *http.Request) {}
	for name, h := range map[string]http.Handler{
		"RequireAuth alone": a.Auth.RequireAuth(http.HandlerFunc(page)),
		"a handler that reads the form": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.PostFormValue("csrf")
			a.Auth.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		}),
		"Callback behind a router that cuts the path": http.StripPrefix("/auth", http.HandlerFunc(a.Auth.Callback)),
	} {
		t.Run(name, func(t *testing.T) {
			b := a.Browser(t)
			atProvider := b.Follow("/login?return_to=/dashboard")
			a.Net["app.test"] = apptest.Audited(t, true, h)
			defer func() { a.Net["app.test"] = apptest.Audited(t, true, a) }()
			posted := b.Submit(atProvider)
			if action, _, ok := posted.Form(); !ok || action.Path != "/auth/callback" {
				t.Fatalf("%d %s", posted.StatusCode, posted.Text)
			}
			a.Expect("the second form", b.Submit(posted), http.StatusSeeOther, "/dashboard")
		})
	}
}
