package interop_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestChromiumFormPost has the provider, on another site, post its response. Chromium sends that form without the cookies of
// the application, which are SameSite=Lax, and with them what the application's page posts again.
func TestChromiumFormPost(t *testing.T) {
	demo := newApp(t)
	demo.env = append(demo.env, "OAUTH_FORM_POST=1")
	demo.start(t)
	strict, panva := newAppAt(t, newPanva)
	strict.env = append(strict.env, "OAUTH_FORM_POST=1")
	panva.start(t)
	strict.start(t)

	browser := newChromium(t)
	for _, d := range []deployment{
		{"demo", demo, demoSignIn, demoDeny, func(*browserTab) {}},
		{"panva", strict, panvaSignIn, panvaCancel, panvaSignOut},
	} {
		t.Run(d.name, func(t *testing.T) {
			for _, journey := range []struct {
				name string
				run  func(*testing.T, *browserTab, deployment)
			}{
				{"signed in", formSignedIn},
				{"denied", formDenied},
				{"without scripts", formWithoutScripts},
				{"without cookies", formWithoutCookies},
				{"begins anew", formStartsAnew},
			} {
				t.Run(journey.name, func(t *testing.T) { journey.run(t, browser.newProfile(t), d) })
			}
		})
	}
}

// arrives waits until pages that post themselves have led to an address.
func (tab *browserTab) arrives(address string) {
	tab.t.Helper()
	eventually(tab.t, patience, "the browser at "+address, func() bool {
		at, err := chromedp.Run(tab.ctx, chromedp.Location())
		if err != nil || at != address {
			return false
		}
		state, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](`document.readyState`))
		return err == nil && state == "complete"
	})
}

func formSignedIn(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url + "/dashboard?a=b")
	d.signIn(tab)
	tab.arrives(d.app.url + "/dashboard?a=b")
	if cookies := tab.cookies(); len(cookies) != 1 {
		t.Errorf("signed in with %d cookies: %+v", len(cookies), cookies)
	}
	if got := tab.script(d.app, "/api/me"); got != http.StatusOK {
		t.Errorf("/api/me returned %d", got)
	}
}

func formDenied(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url + "/dashboard?after=denied")
	d.deny(tab)
	eventually(t, patience, "the error page", func() bool {
		shown, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		return err == nil && containsAll(shown, "cancelled", "Reference")
	})
	tab.click(`a[href*="/login"]`)
	d.signIn(tab)
	tab.arrives(d.app.url + "/dashboard?after=denied")
}

// formWithoutScripts presses the buttons of both pages.
func formWithoutScripts(t *testing.T, tab *browserTab, d deployment) {
	if d.name == "panva" {
		return // its own pages say what to do without scripts
	}
	if _, err := chromedp.Call(tab.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	tab.open(d.app.url + "/dashboard")
	d.signIn(tab)
	if at := tab.click(`button`); at.status != http.StatusOK || at.url != d.app.url+"/auth/callback" {
		t.Fatalf("the provider's form led to %s with status %d", at.url, at.status)
	}
	tab.click(`button`).want(http.StatusOK, d.app.url+"/dashboard")
}

func formWithoutCookies(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url + "/dashboard")
	if _, err := chromedp.Call(tab.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if d.name == "panva" {
		return // it needs its own cookies
	}
	d.signIn(tab)
	eventually(t, patience, "the error page", func() bool {
		shown, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		return err == nil && containsAll(shown, "could not be matched", "Reference")
	})
}

// formStartsAnew has the provider give the login up, which begins another one: Chromium does not follow redirects to another
// origin that the form-action of a page before them does not name.
func formStartsAnew(t *testing.T, tab *browserTab, d deployment) {
	if d.name == "panva" {
		return // it keeps the state to itself
	}
	tab.open(d.app.url + "/dashboard?anew")
	first := tab.location()
	request, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s/auth/callback"><input name="state" value="%s"><input name="error" value="temporarily_unavailable">`+
			`<input name="iss" value="%s://%s"></form><script>document.forms[0].submit()</script>`,
			d.app.url, request.Query().Get("state"), request.Scheme, request.Host)
	}))
	defer away.Close()
	tab.do(chromedp.Navigate(strings.Replace(away.URL, "127.0.0.1", "localhost", 1)))
	eventually(t, patience, "the provider, with another login", func() bool {
		at, err := chromedp.Run(tab.ctx, chromedp.Location())
		return err == nil && at != first && strings.HasPrefix(at, request.Scheme+"://"+request.Host+"/authorize?")
	})
	d.signIn(tab)
	tab.arrives(d.app.url + "/dashboard?anew")
}

func containsAll(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}
