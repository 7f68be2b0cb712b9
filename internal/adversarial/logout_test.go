package adversarial_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// Only a state that was sealed here leads on from the page that the provider returns
// to: oidcc-client-test-rp-init-logout-other-state,
// oidcc-client-test-rp-init-logout-no-state.
func TestReturnFromLogout(t *testing.T) {
	t.Parallel()
	const left = "/left?q=a%20b"
	with := func(query string) func(*apptest.Browser, string) string {
		return func(*apptest.Browser, string) string { return "/?" + query }
	}
	for _, test := range []struct {
		name    string
		come    func(b *apptest.Browser, back string) string
		leadsOn bool
	}{
		{"with the state", func(_ *apptest.Browser, back string) string { return back }, true},
		{"with the state, and parameters of the provider", func(_ *apptest.Browser, back string) string {
			return strings.Replace(back, "?", "?sid=1&", 1) + "&iss=x"
		}, true},
		{"with the state, after an hour", func(_ *apptest.Browser, back string) string {
			time.Sleep(time.Hour)
			return back
		}, true},
		{"without a query", func(*apptest.Browser, string) string { return "/" }, false},
		{"without a state", with("sid=1"), false},
		{"with an empty state", with("state="), false},
		{"with another state", with("state=another-state"), false},
		{"with a path for the state", with("state=%2Fleft"), false},
		{"with another state before it", func(_ *apptest.Browser, back string) string {
			return strings.Replace(back, "?", "?state=another-state&", 1)
		}, false},
		{"with the state cut short", func(_ *apptest.Browser, back string) string { return back[:len(back)-8] }, false},
		{"with the state of another application", func(b *apptest.Browser, _ string) string {
			other := apptest.New(b.T, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(9)} }})
			ob := other.Browser(b.T)
			ob.Login("/dashboard")
			return ob.Get(ob.LogOut(left).Location()).Location()
		}, false},
		{"with the state of a login", func(b *apptest.Browser, _ string) string {
			_, params := b.StartLogin("/login")
			return "/?" + url.Values{"state": params["state"]}.Encode()
		}, false},
		{"with a flow cookie for the state", func(b *apptest.Browser, _ string) string {
			b.StartLogin("/login")
			return "/?state=" + url.QueryEscape(b.Cookies()[b.CookieNames(apptest.FlowPrefix)[0]])
		}, false},
		{"at another path", func(_ *apptest.Browser, back string) string {
			return strings.Replace(back, "/?", "/elsewhere?", 1)
		}, false},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			_, b := apptest.SignedIn(t, apptest.Config{})
			out := b.LogOut(left)
			back := b.Get(out.Location()).Location()
			// OAuth 2.1 section 4.1.1: the provider cannot read what the state carries.
			if strings.Contains(out.Location(), "left") {
				t.Errorf("logout led to %s", out.Location())
			}
			target := test.come(b, back)
			resp := b.Get(target)
			switch {
			case test.leadsOn && (resp.StatusCode != http.StatusSeeOther || resp.Location() != left || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer"):
				t.Errorf("%d %v", resp.StatusCode, resp.Header)
			case !test.leadsOn && (resp.StatusCode != http.StatusOK || resp.Text != "home of nobody"):
				t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
			}
			if len(resp.Cookies()) > 0 || b.SignedIn() {
				t.Errorf("cookies %v", resp.Cookies())
			}
			if resp := b.Do(b.Request(http.MethodPost, target, nil)); resp.Location() != "" {
				t.Errorf("a form is led to %s", resp.Location())
			}
			b.Login("/dashboard")
		})
	}
}

// A flood of planted cookies causes neither an error nor an endless response.
func TestLogoutIsBounded(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	var flood strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&flood, "%s%d=x; ", apptest.FlowPrefix, i)
	}
	resp := a.BareBrowser(t).Post("/logout", nil, "Cookie", flood.String()+apptest.SessionCookie+"=1x")
	if n := len(resp.Header["Set-Cookie"]); resp.StatusCode != http.StatusSeeOther || n < 2 || n > 100 {
		t.Errorf("%d with %d cookies", resp.StatusCode, n)
	}
}
