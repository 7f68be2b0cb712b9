package interop_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/testdoor"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// boundLife is how long bound cookies live in this test.
const boundLife = 10 * time.Second

// newBoundChromium starts a Chromium with Device Bound Session Credentials that keeps keys in software: the one in
// BOUND_CHROMIUM if that is set. Versions after 150 register no key on Linux without a TPM.
func newBoundChromium(t *testing.T) *chromium {
	t.Helper()
	// Chromium renews a bound cookie well before its end, which is always near here, so it must not count how often.
	flags := []chromedp.ExecAllocatorOption{chromedp.Flag("enable-features", "EnableBoundSessionCredentialsSoftwareKeysForManualTesting,"+
		"DeviceBoundSessions:ForceEnableForTesting/true/RequireOriginTrialTokens/false/RefreshQuota/false")}
	if path := os.Getenv("BOUND_CHROMIUM"); path != "" {
		flags = append(flags, chromedp.ExecPath(path))
	}
	return newChromium(t, flags...)
}

// TestChromiumBindsDevices drives Chromium through the life of a bound session. The provider and a page with a link are on
// another site than the application.
func TestChromiumBindsDevices(t *testing.T) {
	site := newBoundSite(t)
	defer func() {
		if t.Failed() {
			t.Logf("requests to /login/device:\n%s", strings.Join(site.read().lines, "\n"))
		}
	}()
	tab := newBoundChromium(t).newTab(t)

	tab.open(site.url + "/page")
	demoSignIn(tab).want(http.StatusOK, site.url+"/page")
	eventually(t, patience, "the session to be bound", func() bool { return site.bound(tab) })

	// Pages and scripts, in two tabs, over several lives of the bound cookie.
	other := tab.another()
	other.open(site.url+"/page").want(http.StatusOK, site.url+"/page")
	for end := time.Now().Add(3 * boundLife); time.Now().Before(end); time.Sleep(time.Second) {
		tab.open(site.url+"/page").want(http.StatusOK, site.url+"/page")
		for _, tab := range []*browserTab{tab, other} {
			if got := evaluate[string](tab, `fetch("/page").then(r => r.text())`); got != "bound" {
				t.Fatalf("a script sees %q", got)
			}
		}
	}
	site.want(t, "renewals", func(s statistics) bool { return s.renewals >= 2 && s.refused == 0 })

	// A link on another site, after the bound cookie has ended.
	time.Sleep(2 * boundLife)
	logins := site.provider.Count(oauthlogintest.Authorization)
	tab.open(site.elsewhere)
	tab.click("a").want(http.StatusOK, site.url+"/page")
	if got := site.provider.Count(oauthlogintest.Authorization); got != logins {
		t.Errorf("the link led through %d logins", got-logins)
	}

	// A copy of the cookies in another profile.
	thief := newBoundChromium(t).newTab(t)
	tab.open(site.url + "/page")
	thief.setCookies(tab.cookies())
	thief.open(site.url+"/page").want(http.StatusOK, site.url+"/page")
	time.Sleep(boundLife * 13 / 10)
	thief.open(site.url + "/page")
	if thief.hostname() != "localhost" {
		t.Errorf("the copy is at %s; want it to be signed out", thief.location())
	}
	tab.open(site.url+"/page").want(http.StatusOK, site.url+"/page")

	// A restart, and two instances that know nothing of each other.
	site.restart(t, 1)
	tab.open(site.url+"/page").want(http.StatusOK, site.url+"/page")
	site.restart(t, 2)
	for end := time.Now().Add(2 * boundLife); time.Now().Before(end); time.Sleep(time.Second) {
		tab.open(site.url+"/page").want(http.StatusOK, site.url+"/page")
		if !site.bound(tab) {
			t.Fatal("the session is not bound any more")
		}
	}

	// A sign-in of another user in the same browser, and a logout.
	site.provider.AutoApprove("bob")
	tab.open(site.url+"/login?return_to=/page").want(http.StatusOK, site.url+"/page")
	eventually(t, patience, "the second session to be bound", func() bool { return site.bound(tab) })
	for end := time.Now().Add(2 * boundLife); time.Now().Before(end); time.Sleep(time.Second) {
		tab.open(site.url+"/page").want(http.StatusOK, site.url+"/page")
	}
	site.restart(t, 1) // so that the instance of each renewal knows of the logout
	site.provider.AutoApprove("")
	tab.open(site.url + "/")
	tab.click("button")
	// The response to a renewal under way may come after that to the logout.
	eventually(t, patience, "all cookies to go after the logout", func() bool { return len(tab.cookies()) == 0 })
	before := site.read()
	for range 3 {
		tab.open(site.url + "/")
		time.Sleep(boundLife / 3)
	}
	if after := site.read(); after.posts > before.posts+1 {
		t.Errorf("%d requests for a session that has ended", after.posts-before.posts)
	}
	if s := site.read(); s.refused > 0 {
		t.Errorf("%d requests of an honest browser were refused; the log:\n%s", s.refused, strings.Join(s.lines, "\n"))
	}
}

// A boundSite is an application with Options.BindDevices in this process, of one or several instances.
type boundSite struct {
	url, elsewhere string // elsewhere is a page on another site that links to /page
	provider       *oauthlogintest.Provider
	instances      atomic.Pointer[[]http.Handler]
	next           atomic.Int64

	mu    sync.Mutex
	stats statistics
}

type statistics struct {
	posts, renewals, refused int
	lines                    []string
}

func newBoundSite(t *testing.T) *boundSite {
	t.Helper()
	s := &boundSite{provider: oauthlogintest.Start(oauthlogintest.Config{Issuer: "http://localhost:0", Users: []oauthlogintest.User{{Subject: "alice"}, {Subject: "bob"}}})}
	t.Cleanup(s.provider.Close)
	s.provider.RememberUsers(false)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="%s/page">link</a>`, s.url)
	}))
	t.Cleanup(page.Close)
	_, port, err := net.SplitHostPort(page.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.elsewhere = "http://localhost:" + port
	s.restart(t, 1)
	return s
}

// restart replaces the instances by n new ones, which share nothing but keys.
func (s *boundSite) restart(t *testing.T, n int) {
	t.Helper()
	var instances []http.Handler
	for range n {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Providers:   []oauthlogin.Provider{s.provider.Registration(s.url)},
			Keys:        [][]byte{[]byte("a key of the interop tests, 32 bytes")},
			BindDevices: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		testdoor.ShortenBoundCookies(auth, boundLife)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<form method="post" action="/logout"><button>Sign out</button></form>`)
		})
		mux.Handle("GET /page", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := oauthlogin.FromContext(r.Context())
			fmt.Fprint(w, map[bool]string{true: "bound", false: "not bound"}[session.Bound()])
		})))
		instances = append(instances, auth.Handler(mux))
	}
	s.instances.Store(&instances)
}

func (s *boundSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	instances := *s.instances.Load()
	h := instances[int(s.next.Add(1))%len(instances)]
	if skipped := r.Header.Get("Secure-Session-Skipped"); skipped != "" {
		s.mu.Lock()
		s.stats.lines = append(s.stats.lines, time.Now().Format("05.000")+": skipped "+skipped[:min(20, len(skipped))])
		s.mu.Unlock()
	}
	if r.URL.Path != "/login/device" {
		h.ServeHTTP(w, r)
		return
	}
	seen := httptest.NewRecorder()
	h.ServeHTTP(seen, r)
	result := seen.Result()
	for name, values := range result.Header {
		w.Header()[name] = slices.Clone(values)
	}
	w.WriteHeader(result.StatusCode)
	w.Write(seen.Body.Bytes())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.posts++
	if r.Header.Get("Sec-Secure-Session-Id") != "" && result.StatusCode == http.StatusOK && len(result.Header["Set-Cookie"]) > 0 {
		s.stats.renewals++
	}
	if result.StatusCode != http.StatusOK && result.StatusCode != http.StatusForbidden {
		s.stats.refused++
	}
	line := fmt.Sprintf("%s: id %t, proof %t, cookies %t, %v: %d", time.Now().Format("05.000"), r.Header.Get("Sec-Secure-Session-Id") != "",
		r.Header.Get("Secure-Session-Response") != "", r.Header.Get("Cookie") != "", r.Header["Origin"], result.StatusCode)
	s.stats.lines = append(s.stats.lines, line)
}

func (s *boundSite) read() statistics {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *boundSite) want(t *testing.T, what string, holds func(statistics) bool) {
	t.Helper()
	if got := s.read(); !holds(got) {
		t.Errorf("%s: %d requests, %d renewals, %d refused:\n%s", what, got.posts, got.renewals, got.refused, strings.Join(got.lines, "\n"))
	}
}

// bound asks whether the session of the page in a tab is bound.
func (s *boundSite) bound(tab *browserTab) bool {
	tab.t.Helper()
	return evaluate[string](tab, `fetch("/page").then(r => r.text())`) == "bound"
}

// newTab opens a tab in the browser's own profile, as Device Bound Session Credentials need one.
func (c *chromium) newTab(t *testing.T) *browserTab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(c.ctx)
	t.Cleanup(closeTab)
	opened := &browserTab{t, ctx, c.screenshots}
	opened.start()
	return opened
}

// setCookies puts cookies of another browser into this one, which keeps them until it ends.
func (tab *browserTab) setCookies(cookies []*network.Cookie) {
	tab.t.Helper()
	var params []*network.CookieParam
	for _, c := range cookies {
		params = append(params, &network.CookieParam{Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path, HTTPOnly: c.HTTPOnly, SameSite: c.SameSite})
	}
	if _, err := chromedp.Call(tab.ctx, network.SetCookies, network.SetCookiesParams{Cookies: params}); err != nil {
		tab.t.Fatal(err)
	}
}
