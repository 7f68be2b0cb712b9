package interop_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestChromium drives Chromium through the example. The application is on 127.0.0.1 and the provider on localhost, which
// are different sites to a browser.
func TestChromium(t *testing.T) {
	demo := newApp(t)
	demo.start(t)
	strict, panva := newAppAt(t, newPanva)
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
				{"in and out", inAndOut},
				{"two tabs", twoChromiumTabs},
				{"back", backButton},
				{"back after the logout", backAfterLogout},
				{"denied", deniedInChromium},
				{"scripts", scripts},
			} {
				t.Run(journey.name, func(t *testing.T) { journey.run(t, browser.newProfile(t), d) })
			}
		})
	}
}

// A deployment is an application with its provider, and the functions that operate the provider's pages.
type deployment struct {
	name    string
	app     *app
	signIn  func(*browserTab) response
	deny    func(*browserTab) response
	signOut func(*browserTab)
}

func demoSignIn(tab *browserTab) response {
	tab.do(chromedp.Click(chromedp.CSS(`input[name="login"][value="alice"]`)))
	return tab.click(`button[name="action"][value="approve"]`)
}

func demoDeny(tab *browserTab) response {
	return tab.click(`button[name="action"][value="deny"]`)
}

func panvaSignIn(tab *browserTab) response {
	tab.do(
		chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "ada"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), "any"),
	)
	landed := tab.click(`button[type="submit"]`)
	if tab.hostname() == "localhost" { // consent page, shown once
		landed = tab.click(`button[type="submit"]`)
	}
	return landed
}

func panvaCancel(tab *browserTab) response {
	return tab.click(`a[href$="/abort"]`)
}

func panvaSignOut(tab *browserTab) {
	tab.click(`button[name="logout"][value="yes"]`)
}

func inAndOut(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url+"/").want(http.StatusOK, d.app.url+"/")
	tab.screenshot("home-" + d.name)
	atProvider := tab.click(`a[href^="/login"], a[href^="/dashboard"]`)
	if atProvider.status != http.StatusOK || tab.hostname() != "localhost" {
		t.Fatalf("signing in led to %s with status %d; want the provider on localhost", atProvider.url, atProvider.status)
	}
	tab.screenshot("sign-in-" + d.name)
	if landed := d.signIn(tab); landed.status != http.StatusOK || tab.hostname() != "127.0.0.1" {
		t.Fatalf("signed in, the browser is at %s with status %d", landed.url, landed.status)
	}
	tab.open(d.app.url+"/dashboard").want(http.StatusOK, d.app.url+"/dashboard")
	tab.screenshot("dashboard-" + d.name)

	if cookies := tab.cookies(); len(cookies) == 0 {
		t.Error("signed in, but the application has no cookie")
	}
	if got := evaluate[string](tab, `document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)`); got != "" {
		t.Errorf("a script on the page can read %q", got)
	}

	tab.click(`form[action^="/logout"] button`)
	d.signOut(tab)
	if at := tab.location(); at != d.app.url+"/" {
		t.Errorf("logged out, the browser is at %s", at)
	}
	tab.screenshot("logged-out-" + d.name)
	if cookies := tab.cookies(); len(cookies) != 0 {
		t.Errorf("logged out with %d cookies: %+v", len(cookies), cookies)
	}
	if got := tab.script(d.app, "/api/me"); got != http.StatusUnauthorized {
		t.Errorf("logged out, /api/me returned %d; want 401", got)
	}
}

func twoChromiumTabs(t *testing.T, first *browserTab, d deployment) {
	second := first.another()
	first.open(d.app.url + "/dashboard?tab=first")
	second.open(d.app.url + "/dashboard?tab=second")
	d.signIn(second).want(http.StatusOK, d.app.url+"/dashboard?tab=second")
	d.signIn(first).want(http.StatusOK, d.app.url+"/dashboard?tab=first")
}

// backButton goes back to the provider after a login. The demo provider then has a session and issues a second code for
// the same login; panva shows one of its own pages.
func backButton(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url + "/")
	tab.open(d.app.url + "/dashboard")
	d.signIn(tab).want(http.StatusOK, d.app.url+"/dashboard")

	tab.travel(-1)
	if at := tab.location(); d.name == "demo" && at != d.app.url+"/dashboard" && at != d.app.url+"/" {
		t.Errorf("back led to %s", at)
	}
	tab.travel(+1)
	if at := tab.location(); at != d.app.url+"/dashboard" {
		t.Errorf("back and forward led to %s", at)
	}
	if got := tab.script(d.app, "/api/me"); got != http.StatusOK {
		t.Errorf("after going back, /api/me returned %d; want 200", got)
	}
}

// backAfterLogout goes back to a page that the user saw before the logout. The logout clears the cache, and with it the
// pages that the browser keeps for the back button.
func backAfterLogout(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url + "/dashboard")
	d.signIn(tab).want(http.StatusOK, d.app.url+"/dashboard")
	tab.open(d.app.url+"/dashboard?again").want(http.StatusOK, d.app.url+"/dashboard?again")
	before := time.Now()
	tab.click(`form[action^="/logout"] button`)
	d.signOut(tab)
	t.Logf("the logout took %v", time.Since(before).Round(time.Millisecond))
	steps := int64(-1)
	if d.name == "panva" { // its page asks before it signs out
		steps = -2
	}
	tab.travel(steps)
	if shown := evaluate[string](tab, `document.body.innerText`); strings.Contains(shown, "Sign out") || strings.HasPrefix(tab.location(), d.app.url) {
		t.Errorf("back at %s, which shows %q", tab.location(), shown)
	}
}

func deniedInChromium(t *testing.T, tab *browserTab, d deployment) {
	tab.open(d.app.url + "/dashboard?after=denied")
	denied := d.deny(tab)
	if denied.status != http.StatusBadRequest || tab.hostname() != "127.0.0.1" {
		t.Errorf("denied, the browser is at %s with status %d", denied.url, denied.status)
	}
	tab.screenshot("denied-" + d.name)
	tab.click(`a[href*="/login"]`)
	d.signIn(tab).want(http.StatusOK, d.app.url+"/dashboard?after=denied")
}

func scripts(t *testing.T, tab *browserTab, d deployment) {
	if got := tab.script(d.app, "/api/me"); got != http.StatusUnauthorized {
		t.Errorf("signed out, fetch of /api/me returned %d; want 401", got)
	}
	tab.open(d.app.url + "/dashboard")
	d.signIn(tab).want(http.StatusOK, d.app.url+"/dashboard")
	for _, path := range []string{"/api/me", "/api/profile"} {
		if got := tab.script(d.app, path); got != http.StatusOK {
			t.Errorf("signed in, fetch of %s returned %d; want 200", path, got)
		}
	}
	event := evaluate[string](tab, `new Promise((resolve, reject) => {
		const events = new EventSource("/events");
		events.onmessage = event => { events.close(); resolve(event.data) };
		events.onerror = reject;
	})`)
	if event == "" {
		t.Error("the event is empty")
	}
}

// chromium is a headless browser that can reach only loopback.
type chromium struct {
	ctx         context.Context
	screenshots string // a directory, or empty
}

func newChromium(t *testing.T, flags ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // it only loads local pages, and the sandbox does not work as root
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	)
	options = append(options, flags...)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &chromium{ctx, os.Getenv("SCREENSHOT_DIR")}
}

// A browserTab shares its cookies with the other tabs of its profile.
type browserTab struct {
	t           *testing.T
	ctx         context.Context
	screenshots string
}

// newProfile opens a tab in a new profile, which has no cookies.
func (c *chromium) newProfile(t *testing.T) *browserTab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	opened := &browserTab{t, ctx, c.screenshots}
	opened.start()
	return opened
}

// another opens another tab of the same profile.
func (tab *browserTab) another() *browserTab {
	tab.t.Helper()
	ctx, closeTab := chromedp.NewContext(tab.ctx)
	tab.t.Cleanup(closeTab)
	opened := &browserTab{tab.t, ctx, tab.screenshots}
	opened.start()
	return opened
}

// start opens the tab, without a timeout because the tab lives only as long as the context of its first action.
func (tab *browserTab) start() {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, chromedp.EmulateViewport(1280, 800)); err != nil {
		tab.t.Fatal(err)
	}
}

// A response is the final response of a navigation, after all redirects.
type response struct {
	t      *testing.T
	status int
	url    string
}

func (r response) want(status int, address string) {
	r.t.Helper()
	if r.status != status || r.url != address {
		r.t.Fatalf("the browser is at %s with status %d; want %s with status %d", r.url, r.status, address, status)
	}
}

func (tab *browserTab) open(address string) response {
	tab.t.Helper()
	return tab.load(chromedp.Navigate(address))
}

// click clicks an element that leads to another page and waits for that page.
func (tab *browserTab) click(selector string) response {
	tab.t.Helper()
	return tab.load(chromedp.Click(chromedp.CSS(selector)))
}

func (tab *browserTab) load(action chromedp.Action[chromedp.Void]) response {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	got, err := chromedp.RunResponse(ctx, action)
	if err != nil {
		tab.t.Fatalf("at %s: %v", tab.location(), err)
	}
	return response{tab.t, int(got.Status), got.URL}
}

func (tab *browserTab) do(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tab.t.Fatal(err)
	}
}

// travel moves through the tab's history as the back and forward buttons do, and waits for the page. It cannot wait for a
// response, because the page may come from the back/forward cache.
func (tab *browserTab) travel(steps int64) {
	tab.t.Helper()
	history, err := chromedp.Run(tab.ctx, chromedp.NavigationEntries())
	if err != nil {
		tab.t.Fatal(err)
	}
	target := history.CurrentIndex + steps
	tab.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`setTimeout(() => history.go(%d))`, steps)))
	eventually(tab.t, patience, fmt.Sprintf("page %d of the history", target), func() bool {
		// While the page changes, these calls fail.
		history, err := chromedp.Run(tab.ctx, chromedp.NavigationEntries())
		if err != nil || history.CurrentIndex != target {
			return false
		}
		state, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](`document.readyState`))
		return err == nil && state == "complete"
	})
}

func (tab *browserTab) location() string {
	tab.t.Helper()
	at, err := chromedp.Run(tab.ctx, chromedp.Location())
	if err != nil {
		tab.t.Fatal(err)
	}
	return at
}

func (tab *browserTab) hostname() string {
	tab.t.Helper()
	at, err := url.Parse(tab.location())
	if err != nil {
		tab.t.Fatal(err)
	}
	return at.Hostname()
}

// evaluate runs JavaScript in the page.
func evaluate[T any](tab *browserTab, expression string) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("at %s: %v", tab.location(), err)
	}
	return got
}

// script calls fetch() on the application's home page and returns the status.
func (tab *browserTab) script(a *app, path string) int {
	tab.t.Helper()
	tab.open(a.url + "/")
	return evaluate[int](tab, `fetch("`+path+`").then(r => r.status)`)
}

// cookies returns the application's cookies and checks the attributes of each.
func (tab *browserTab) cookies() []*network.Cookie {
	tab.t.Helper()
	all, err := chromedp.Call(tab.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		tab.t.Fatal(err)
	}
	var ours []*network.Cookie
	for _, cookie := range all.Cookies {
		if cookie.Domain != "127.0.0.1" {
			continue
		}
		ours = append(ours, cookie)
		if !cookie.HTTPOnly || cookie.SameSite != network.CookieSameSiteLax || cookie.Path != "/" {
			tab.t.Errorf("cookie %s: HttpOnly %v, SameSite %s, Path %s; want true, Lax, /",
				cookie.Name, cookie.HTTPOnly, cookie.SameSite, cookie.Path)
		}
	}
	return ours
}

// screenshot saves a picture of the page in SCREENSHOT_DIR, if that is set.
func (tab *browserTab) screenshot(name string) {
	tab.t.Helper()
	if tab.screenshots == "" {
		return
	}
	picture, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatal(err)
	}
	if err := os.MkdirAll(tab.screenshots, 0o755); err != nil {
		tab.t.Fatal(err)
	}
	file := filepath.Join(tab.screenshots, strings.ReplaceAll(name, " ", "-")+".png")
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
