package oauthlogin_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// goiabada#411: a logout by <img>. gorilla/csrf CVE-2025-24358, CVE-2025-47909:
// checks of the origin that did not check.
func TestLogoutRefused(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	cookies := b.Cookies()
	for _, tt := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"a link", "GET", nil, http.StatusMethodNotAllowed},
		{"a link from our own page", "GET", []string{"Sec-Fetch-Site", "same-origin"}, http.StatusMethodNotAllowed},
		{"a HEAD", "HEAD", nil, http.StatusMethodNotAllowed},
		{"a PUT", "PUT", nil, http.StatusMethodNotAllowed},
		{"a DELETE", "DELETE", nil, http.StatusMethodNotAllowed},
		{"a CORS preflight", "OPTIONS", []string{"Origin", "https://evil.test"}, http.StatusMethodNotAllowed},
		{"a method that overrides", "GET", []string{"X-Http-Method-Override", "POST"}, http.StatusMethodNotAllowed},
		{"a form on another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, http.StatusForbidden},
		{"a form on a sibling", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.app.test"}, http.StatusForbidden},
		{"a form on another site, in an old browser", "POST", []string{"Origin", "https://evil.test"}, http.StatusForbidden},
		{"a form on another port, in an old browser", "POST", []string{"Origin", "https://app.test:8443"}, http.StatusForbidden},
		{"a form in a sandbox", "POST", []string{"Origin", "null"}, http.StatusForbidden},
		{"a form that claims to be ours", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.test", "Referer", "https://app.test/"}, http.StatusForbidden},
		{"a form that hides who sent it", "POST", []string{"Sec-Fetch-Site", "cross-site", "X-Forwarded-Host", "evil.test"}, http.StatusForbidden},
	} {
		resp := b.Do(b.Request(tt.method, "/logout?return_to=/x", nil, tt.header...))
		if resp.StatusCode != tt.status || resp.Location() != "" || len(resp.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d to %q, sets %q", tt.name, resp.StatusCode, resp.Location(), resp.Header["Set-Cookie"])
		}
		if allow := resp.Header.Get("Allow"); (allow == "POST") != (tt.status == http.StatusMethodNotAllowed) {
			t.Errorf("%s: Allow %q", tt.name, allow)
		}
		if resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: answers other origins", tt.name)
		}
		if !maps.Equal(b.Cookies(), cookies) || !b.SignedIn() {
			t.Errorf("%s: signed out", tt.name)
		}
	}
	if strings.Contains(a.Log.String(), "signed out") {
		t.Error("log says that somebody signed out")
	}
}

// bitly/oauth2_proxy#72, nextjs-auth0#2651: deletions that browsers ignore;
// CVE-2026-34454 of oauth2-proxy: a cookie that stays.
func TestLogoutClearsEveryCookie(t *testing.T) {
	t.Parallel()
	const one = apptest.SessionCookie
	for _, tt := range []struct {
		name  string
		plant map[string]string
	}{
		{"of a session", nil},
		{"of a session that does not open", map[string]string{one: "1abcdefjunk"}},
		{"of chunks without the first", map[string]string{one: "", one + ".1": "x", one + ".2": "y", one + ".3": "z", one + ".4": "!"}},
		{"of a session cut short", map[string]string{one: "3"}},
		{"of pending logins", map[string]string{apptest.FlowPrefix + "AAAAAAAAAAAAAAAA": "junk", apptest.FlowPrefix + "x": "", apptest.FlowPrefix + "BBBBBBBBBBBBBBBB": "1"}},
		{"of nobody", map[string]string{one: ""}},
	} {
		a := apptest.New(t, apptest.Config{})
		a.NoEndSession()
		b := a.Browser(t)
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
		b.Login("/dashboard")
		b.Get("/login")
		b.Get("/login")
		for name, value := range tt.plant {
			b.SetCookie(name, value)
		}
		b.SetCookie("other", "stays")
		b.SetCookie(one+"2", "stays")
		b.SetCookie(one+".9", "stays")

		resp := b.Post("/logout", nil, "Sec-Fetch-Site", "same-origin")
		if resp.StatusCode != http.StatusSeeOther || resp.Location() != "/" {
			t.Errorf("%s: %d to %q", tt.name, resp.StatusCode, resp.Location())
		}
		if left := slices.Sorted(maps.Keys(b.Cookies())); !slices.Equal(left, []string{one + ".9", one + "2", "other"}) {
			t.Errorf("%s: left with %v", tt.name, left)
		}
		// The attributes are those that set them: see cookieFaults.
		if !slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == one && c.MaxAge < 0 }) {
			t.Errorf("%s: session cookie not expired", tt.name)
		}
		if resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", tt.name, resp.Header)
		}
		b.Login("/dashboard")
	}

	// A planted flood makes neither an error nor a response without end.
	a := apptest.New(t, apptest.Config{})
	var flood strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&flood, "%s%d=x; ", apptest.FlowPrefix, i)
	}
	resp := a.BareBrowser(t).Post("/logout", nil, "Cookie", flood.String()+one+"=1x")
	if n := len(resp.Header["Set-Cookie"]); resp.StatusCode != http.StatusSeeOther || n < 2 || n > 100 {
		t.Errorf("flood: %d with %d cookies", resp.StatusCode, n)
	}
}

func TestLogoutReturnsTo(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.NoEndSession()
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, query, contentType, body, location string
	}{
		{"nowhere", "", form, "", "/"},
		{"where the query says", "?return_to=/bye?x=1%262", form, "", "/bye?x=1&2"},
		{"where the form says", "", form, "return_to=%2Fbye%3Fx%3D1", "/bye?x=1"},
		{"both, and the same", "?return_to=/bye", form, "return_to=/bye", "/"},
		{"both, and different", "?return_to=/bye", form, "return_to=/other", "/"},
		{"twice in the query", "?return_to=/bye&return_to=/bye", form, "", "/"},
		{"twice in the form", "", form, "return_to=/bye&return_to=/bye", "/"},
		{"another site", "", form, "return_to=https://evil.test/", "/"},
		{"another site without a scheme", "?return_to=//evil.test", form, "", "/"},
		{"another site by backslash", "", form, `return_to=/\evil.test`, "/"},
		{"another site by tab", "?return_to=/%09/evil.test", form, "", "/"},
		{"another site after cleaning", "", form, `return_to=/./\evil.test`, "/"},
		{"a script", "", form, "return_to=javascript:alert(1)", "/"},
		{"a header of its own", "?return_to=/x%0d%0aSet-Cookie:a=b", form, "", "/"},
		{"the login page", "?return_to=/login", form, "", "/"},
		{"itself", "", form, "return_to=/logout", "/"},
		{"the callback, in disguise", "", form, "return_to=/auth/%2e/callback", "/"},
		{"a malformed query", "?return_to=%zz", form, "", "/"},
		{"a malformed form", "?return_to=/bye", form, "return_to=%zz", "/bye"},
		{"a form with semicolons", "", form, "a;b;return_to=/bye", "/"},
		{"a body without a type", "?return_to=/bye", "", "return_to=/other", "/bye"},
		{"a body of a type that is none", "?return_to=/bye", "%%%;;;=", "return_to=/other", "/bye"},
		{"a JSON body", "?return_to=/bye", "application/json", `{"return_to":"/other"}`, "/bye"},
		{"a multipart body", "?return_to=/bye", "multipart/form-data; boundary=x", "--x\r\n", "/bye"},
		{"a multipart body without a boundary", "?return_to=/bye", "multipart/form-data", "junk", "/bye"},
		{"a body without end", "?return_to=/bye", form, "return_to=/" + strings.Repeat("x", 1<<20), "/bye"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser(t)
			b.Login("/dashboard")
			r := b.Request(http.MethodPost, "/logout"+tt.query, io.NopCloser(strings.NewReader(tt.body)))
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			resp := b.Do(r)
			if resp.StatusCode != http.StatusSeeOther || resp.Location() != tt.location {
				t.Errorf("%d to %q", resp.StatusCode, resp.Location())
			}
			if b.SignedIn() || len(b.Cookies()) > 0 {
				t.Error("still signed in")
			}
		})
	}
}

func TestLogoutNeedsNobody(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.NoEndSession()
	b := a.Browser(t)
	b.Login("/dashboard")
	for _, e := range []oauthlogintest.Endpoint{oauthlogintest.Discovery, oauthlogintest.Token, oauthlogintest.Revocation, oauthlogintest.EndSession} {
		a.Provider.Intercept(e, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			http.Error(w, "down", http.StatusServiceUnavailable)
		})
	}
	if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
		t.Errorf("provider down: %d", resp.StatusCode)
	}
	if resp := a.Browser(t).Post("/logout", url.Values{"return_to": {"/bye"}}); resp.Location() != "/bye" {
		t.Errorf("nobody: %d to %q", resp.StatusCode, resp.Location())
	}
	// net/http promises a body to handlers; tests of handlers often have none.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = nil
	w := apptest.NewDiscard()
	a.Auth.Logout(w, r)
	if w.Status != http.StatusSeeOther {
		t.Errorf("without a body: %d", w.Status)
	}
}

// Ten logouts at once, in cookies and in a store: each of them works.
func TestLogoutsAtOnce(t *testing.T) {
	t.Parallel()
	inStore, dir := newStoreApp(t, apptest.Config{})
	for name, a := range map[string]*apptest.App{"in cookies": apptest.New(t, apptest.Config{}), "in a store": inStore} {
		b := a.Browser(t)
		b.Login("/dashboard")
		cookie := b.Cookies()[apptest.SessionCookie]
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				resp := a.BareBrowser(t).Post("/logout", nil, "Cookie", apptest.SessionCookie+"="+cookie)
				if resp.StatusCode != http.StatusSeeOther {
					t.Errorf("%s: %d", name, resp.StatusCode)
				}
			})
		}
		wg.Wait()
	}
	if files := apptest.SessionFiles(t, dir); len(files) > 0 {
		t.Errorf("%d sessions left", len(files))
	}
}
