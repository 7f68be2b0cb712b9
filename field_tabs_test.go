package oauthlogin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A browser restores its tabs: all of them ask for a login before the first one has
// come back, with or without the cookies of the others.
func TestTwelveTabsWakeTogether(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		callbacks := make([]string, 12)
		for i := range callbacks {
			starts := b
			if together {
				starts = a.Browser(t) // what the others were told has not arrived
			}
			callbacks[i] = starts.CallbackURL(fmt.Sprintf("/login?return_to=%%2Ftab%%2F%d", i))
			for name, value := range starts.Cookies() {
				b.SetCookie(name, value)
			}
		}
		if n := len(b.CookieNames(apptest.FlowPrefix)); n != 12 {
			t.Errorf("together %v: %d logins pending", together, n)
		}
		var wg sync.WaitGroup
		for i, callback := range callbacks {
			wg.Go(func() {
				if resp := b.Get(callback); resp.Location() != fmt.Sprintf("/tab/%d", i) {
					t.Errorf("together %v: tab %d: %d to %q", together, i, resp.StatusCode, resp.Location())
				}
			})
		}
		wg.Wait()
		if n := a.Provider.Count(oauthlogintest.Token); n != 12 || !b.SignedIn() || len(b.CookieNames(apptest.FlowPrefix)) > 0 {
			t.Errorf("together %v: %d token requests, signed in %v, left over %v", together, n, b.SignedIn(), b.CookieNames(apptest.FlowPrefix))
		}
	}
}

// Links on another site begin logins. All cookies together stay below what proxies
// take, and the session stays.
func TestBudgetOfAllCookies(t *testing.T) {
	t.Parallel()
	for _, session := range []int{0, 2000, 4500, 9000} {
		a := apptest.New(t, apptest.Config{})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = "r" + apptest.Incompressible(session*3/4/2) })
		b := a.Browser(t)
		b.Login("/dashboard")
		for i := range 20 {
			path := "/page?q=" + strings.Repeat("x", 10*i)
			if i == 10 {
				path = "/page?q=" + apptest.Incompressible(1700) // a cookie of over 3 KB
			}
			b.StartLogin("/login?return_to=" + url.QueryEscape(path))
			size := 0
			for name, value := range b.Cookies() {
				size += len(name) + len("=") + len(value) + len("; ")
			}
			if size > 8000 {
				t.Fatalf("session of %d: %d bytes of cookies", session, size)
			}
			if i > 0 && i < 10 && len(b.CookieNames(apptest.FlowPrefix)) < 2 {
				t.Fatalf("session of %d: %d pending logins", session, len(b.CookieNames(apptest.FlowPrefix)))
			}
		}
		if !b.SignedIn() {
			t.Errorf("session of %d: signed out", session)
		}
	}
}

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

// Who said no, however late, is not asked again.
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

// The new login asks for what the old one did.
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

// A browser that is signed in goes on, and one that was not asked gets its page.
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
