package oauthlogin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const acceptHTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// Who reads a refusal decides what it looks like: a window shows a page, and a script
// reads JSON.
func TestWhoReadsTheRefusal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		header       []string
		gets         string // redirect, page or json
		returnTo     string
	}{
		{"a form", "POST", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", acceptHTML, "Referer", "https://app.test/edit?id=7"}, "page", "/edit?id=7"},
		{"a form of another site", "POST", []string{"Sec-Fetch-Mode", "navigate", "Accept", acceptHTML, "Referer", "https://evil.test/edit"}, "page", "/"},
		{"a form without a referrer", "POST", []string{"Sec-Fetch-Mode", "navigate", "Accept", acceptHTML}, "page", "/"},
		{"a form in an old browser", "POST", []string{"Accept", acceptHTML, "Referer", "https://app.test/edit"}, "page", "/edit"},
		{"DELETE in the window", "DELETE", []string{"Sec-Fetch-Mode", "navigate"}, "page", "/"},
		{"an unknown method", "PROPFIND", []string{"Accept", "text/html"}, "page", "/"},
		{"a service worker", "GET", []string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Accept", acceptHTML}, "redirect", "/dashboard?q=1"},
		{"a form through a service worker", "POST", []string{"Sec-Fetch-Mode", "same-origin", "Accept", acceptHTML, "Referer", "https://app.test/edit"}, "page", "/edit"},
		{"fetch of HTML", "GET", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html, application/xhtml+xml"}, "page", "/dashboard?q=1"},
		{"an image in an old Safari", "GET", []string{"Accept", "image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"}, "json", "/dashboard?q=1"},
		{"a style sheet in an old Safari", "GET", []string{"Accept", "text/css,*/*;q=0.1", "Referer", "https://app.test/inbox"}, "json", "/inbox"},
		{"axios without Sec-Fetch", "GET", []string{"Accept", "application/json, text/plain, */*"}, "json", "/dashboard?q=1"},
		{"axios", "POST", []string{"Sec-Fetch-Mode", "cors", "Accept", "application/json, text/plain, */*"}, "json", "/"},
		{"curl", "GET", []string{"Accept", "*/*"}, "redirect", "/dashboard?q=1"},
		{"a web view on Android", "GET", []string{"Accept", acceptHTML, "X-Requested-With", "com.example.app"}, "redirect", "/dashboard?q=1"},
		{"XMLHttpRequest", "GET", []string{"Accept", "*/*", "X-Requested-With", "xmlhttprequest"}, "json", "/dashboard?q=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			r := b.Request(tt.method, "/dashboard?q=1", nil, "Accept", "")
			r.Header = http.Header{}
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			resp := b.Do(r)
			loginURL := "/login?return_to=" + url.QueryEscape(tt.returnTo)
			switch tt.gets {
			case "redirect":
				if resp.StatusCode != http.StatusFound || resp.Location() != loginURL {
					t.Errorf("%d to %q", resp.StatusCode, resp.Location())
				}
			case "page":
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" ||
					!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || !slices.Equal(resp.Links(), []string{loginURL}) {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, resp.Text)
				}
			default:
				var body map[string]string
				if err := json.Unmarshal([]byte(resp.Text), &body); err != nil || resp.StatusCode != http.StatusUnauthorized || body["login_url"] != loginURL {
					t.Errorf("%d %s", resp.StatusCode, resp.Text)
				}
			}
			if len(resp.Cookies()) > 0 || resp.Header.Get("Cache-Control") != "no-store" || a.Called("/dashboard") > 0 || resp.Header.Get("HX-Redirect") != "" {
				t.Errorf("headers %v, handler ran %d times", resp.Header, a.Called("/dashboard"))
			}
		})
	}
}

// The page of a form goes through the application's own design, and its link back to
// the form.
func TestFormComesBackAfterTheLogin(t *testing.T) {
	t.Parallel()
	var failed *oauthlogin.Error
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		o.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.As(err, &failed) {
				w.WriteHeader(failed.Status)
			}
		}
	}})
	b := a.Browser(t)
	resp := b.Post("/dashboard", url.Values{"text": {"hello"}}, "Sec-Fetch-Mode", "navigate", "Referer", "https://app.test/dashboard?edit=7")
	if resp.StatusCode != http.StatusUnauthorized || failed == nil || failed.Code != "unauthenticated" {
		t.Fatalf("%d, ErrorHandler got %v", resp.StatusCode, failed)
	}
	if resp = b.Follow(failed.RetryURL); resp.Request.URL.RequestURI() != "/dashboard?edit=7" || resp.StatusCode != http.StatusOK {
		t.Errorf("the link leads to %s", resp.Request.URL)
	}
}

func TestHTMX(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, currentURL, returnTo string
	}{
		{"a page", "GET", "https://app.test/list?page=2#top", "/list?page=2"},
		{"a form", "POST", "https://app.test/list?page=2", "/list?page=2"},
		{"another origin", "POST", "https://evil.test/list", "/"},
		{"the host inside", "POST", "https://backend.internal/list", "/"},
		{"no URL", "GET", "", "/dashboard"},
	} {
		a := apptest.New(t, apptest.Config{})
		a.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
		b := a.Browser(t)
		ask := func(path string) (hxRedirect string, body map[string]string) {
			resp := b.Do(b.Request(tt.method, path, nil, "HX-Request", "true", "HX-Current-URL", tt.currentURL, "Sec-Fetch-Mode", "cors", "Accept", "*/*"))
			if err := json.Unmarshal([]byte(resp.Text), &body); err != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", tt.name, resp.StatusCode, resp.Text)
			}
			return resp.Header.Get("HX-Redirect"), body
		}
		hxRedirect, body := ask("/dashboard")
		if want := "/login?return_to=" + url.QueryEscape(tt.returnTo); hxRedirect != want || body["login_url"] != want {
			t.Errorf("%s: HX-Redirect %q, login_url %q", tt.name, hxRedirect, body["login_url"])
		}
		b.Login("/dashboard")
		hxRedirect, body = ask("/guarded")
		if hxRedirect == "" || body["login_url"] != hxRedirect || body["error"] != "insufficient_user_authentication" {
			t.Errorf("%s: step-up: HX-Redirect %q, body %v", tt.name, hxRedirect, body)
		}
	}
}

// A step-up of a form gets a page, as does a form whose session cannot be told or lacks
// something.
func TestFormsThatArePolicedGetPages(t *testing.T) {
	t.Parallel()
	form := []string{"Sec-Fetch-Mode", "navigate", "Referer", "https://app.test/edit"}
	worker := []string{"Sec-Fetch-Mode", "same-origin", "Accept", acceptHTML}
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	a.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
	resp := b.Do(b.Request(http.MethodPost, "/guarded", nil, form...))
	if links := resp.Links(); resp.StatusCode != http.StatusUnauthorized || len(links) != 1 || !strings.HasPrefix(links[0], "/login?return_to=%2Fedit&step_up=") {
		t.Errorf("step-up of a form: %d %s", resp.StatusCode, resp.Text)
	}
	if resp = b.Do(b.Request(http.MethodGet, "/guarded", nil, worker...)); apptest.QueryOf(resp.Location()).Get("acr_values") != "phr" {
		t.Errorf("step-up of a service worker: %d to %q", resp.StatusCode, resp.Location())
	}
	a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
	for _, r := range []*http.Request{b.Request(http.MethodPost, "/guarded", nil, form...), b.Request(http.MethodGet, "/guarded", nil, worker...)} {
		if resp = b.Do(r); resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "<h1>No access</h1>") {
			t.Errorf("%s without a claim: %d %s", r.Method, resp.StatusCode, resp.Text)
		}
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
