package oauthlogin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

// newBoundFleet is newFleet for sessions that are bound to devices.
func newBoundFleet(t *testing.T, change func(*oauthlogin.Options)) *fleet {
	t.Helper()
	return newFleet(t, 2, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.BindDevices = true
		if change != nil {
			change(opts)
		}
	}})
}

// boundAtFirst returns a browser whose session the first instance has bound, and its
// registered session.
func (f *fleet) boundAtFirst(t *testing.T) (*apptest.Browser, *devicetest.Session) {
	t.Helper()
	f.at(0)
	b := f.Browser(t).WithDevice()
	b.Login("/dashboard")
	if !b.SignedIn() || len(b.Device.Sessions) != 1 {
		t.Fatalf("%d registered keys", len(b.Device.Sessions))
	}
	return b, b.Device.Sessions[0]
}

// A session that has ended at one instance is renewed at none.
func TestSessionsThatEndedElsewhereAreNotRenewed(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *fleet, *apptest.Browser){
		"logout": func(_ *testing.T, _ *fleet, b *apptest.Browser) { b.LogOut("/") },
		"SignOutUser": func(t *testing.T, f *fleet, _ *apptest.Browser) {
			if err := f.Auth.SignOutUser(t.Context(), f.Provider.Issuer(), "alice"); err != nil {
				t.Error(err)
			}
		},
		"a logout token": func(t *testing.T, f *fleet, _ *apptest.Browser) {
			token := f.Provider.LogoutToken("app", "alice", "")
			r := f.BareBrowser(t).Request(http.MethodPost, "/logout/backchannel", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if resp := f.BareBrowser(t).Do(r); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		},
	} {
		for stored, change := range map[string]func(*oauthlogin.Options){
			"in cookies":         nil,
			"in the Coordinator": func(opts *oauthlogin.Options) { opts.Store = oauthlogin.NewStore(opts.Coordinator) },
		} {
			t.Run(name+" "+stored, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newBoundFleet(t, change)
					defer f.close()
					b, session := f.boundAtFirst(t)
					f.at(1)
					time.Sleep(9 * time.Minute)
					if !b.SignedIn() {
						t.Fatal("the second instance does not know the session")
					}
					f.at(0)
					end(t, f, b)
					f.at(1)
					synctest.Wait()
					wantEnded(t, name, proves(t, f.App, "Sec-Secure-Session-Id", session.Identifier, "Secure-Session-Response", devicetest.Proof(session.Key, session.Challenge, false)))
				})
			})
		}
	}
}

// While it cannot be told whether a session has ended, its browser keeps its binding and
// asks again.
func TestRenewalsWithoutTheCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBoundFleet(t, nil)
		defer f.close()
		b, _ := f.boundAtFirst(t)
		f.shared.SetDown(true)
		time.Sleep(11 * time.Minute)
		f.at(1)
		resp := proves(t, f.App, renewal(b, "a.b.c")...)
		wantNoCookie(t, "without the Coordinator", resp, http.StatusServiceUnavailable)
		if resp.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		b.Get("/dashboard")
		if len(b.Device.Sessions) != 1 {
			t.Error("the browser has forgotten its session")
		}
		f.shared.SetDown(false)
		time.Sleep(time.Second)
		if !b.SignedIn() {
			t.Error("the session is not renewed when the Coordinator is back")
		}
	})
}

// A browser that cannot renew its bound cookie because the Coordinator is away is not signed
// out: it is told to come again. A copy of the cookies that says the same gets no further.
func TestBoundRequestsWithoutTheCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBoundFleet(t, nil)
		defer f.close()
		b, _ := f.boundAtFirst(t)
		copied := b.Clone()
		copied.SetCookie(apptest.BoundCookie, "")
		b.Device.Bare = true // behind a link on another site
		f.shared.SetDown(true)
		time.Sleep(11 * time.Minute)
		if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d to %q", resp.StatusCode, resp.Location())
		}
		if resp := b.Get("/api/me", apptest.AsScript...); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a script: %d %s", resp.StatusCode, resp.Text)
		}
		if resp := copied.Get("/dashboard"); resp.StatusCode != http.StatusFound {
			t.Errorf("a copy: %d", resp.StatusCode)
		}
		skipped := "server_error;session_identifier=x"
		if resp := copied.Get("/dashboard", "Secure-Session-Skipped", skipped); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a copy that says the same: %d", resp.StatusCode)
		}
		f.shared.SetDown(false)
		time.Sleep(time.Second)
		if resp := copied.Get("/dashboard", "Secure-Session-Skipped", skipped); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a request that began before the Coordinator was back: %d", resp.StatusCode)
		}
		if !b.SignedIn() {
			t.Error("signed out when the Coordinator is back")
		}
		time.Sleep(5 * time.Second)
		if resp := copied.Get("/dashboard", "Secure-Session-Skipped", skipped); resp.StatusCode != http.StatusFound {
			t.Errorf("a copy: %d", resp.StatusCode)
		}
	})
}

// Tokens that one instance refreshes for a request from before the binding do not undo it
// at another.
func TestBindingOutlivesRefreshesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBoundFleet(t, nil)
		defer f.close()
		b := f.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		old := b.Clone()
		time.Sleep(59*time.Minute + 30*time.Second)
		b.Device.Disabled = false
		b.Get("/")
		f.at(1)
		if !old.SignedIn() { // refreshes, and knows of no binding
			t.Fatal("signed out before the binding")
		}
		f.at(0)
		for range 2 {
			if !b.SignedIn() {
				t.Fatal("signed out")
			}
		}
		f.WantRefreshes(t, 1)
		time.Sleep(time.Minute)
		copied := b.Clone()
		copied.SetCookie(apptest.BoundCookie, "")
		for i := range f.instances {
			f.at(i)
			if copied.SignedIn() {
				t.Errorf("instance %d takes the session without its bound cookie", i)
			}
			if !b.SignedIn() {
				t.Errorf("instance %d does not take the session", i)
			}
		}
	})
}

// Whoever copied the cookies before the binding can register a key where it is not known
// yet. The key that was first bound counts there too, once it is seen.
func TestFirstBindingCountsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		first, second := a.Auth, a.Replica(t, func(opts *oauthlogin.Options) { opts.BindDevices = true })
		b := a.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		thief := b.Clone().WithDevice()
		b.Device.Disabled = false
		time.Sleep(21 * time.Second)
		b.Get("/dashboard")
		wantBound(t, b, "bound")
		time.Sleep(2 * time.Minute)

		a.Auth = second
		thief.Get("/dashboard")
		wantBound(t, thief, "bound")
		stolen := thief.Device.Sessions[0]
		time.Sleep(time.Minute)
		cookie := apptest.SessionCookie + "=" + b.Cookies()[apptest.SessionCookie]
		resp := proves(t, a, append(renewal(b, devicetest.Proof(b.Device.Sessions[0].Key, b.Device.Sessions[0].Challenge, false)), "Cookie", cookie)...)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the first key: %d %s", resp.StatusCode, resp.Text)
		}
		wantBound(t, b, "bound")
		wantSignedOut(t, thief)
		wantNoCookie(t, "the later key", proves(t, a, "Sec-Secure-Session-Id", stolen.Identifier,
			"Secure-Session-Response", devicetest.Proof(stolen.Key, stolen.Challenge, false)), http.StatusBadRequest)
		time.Sleep(11 * time.Minute)
		wantBound(t, b, "bound")
		a.Auth = first
		wantSignedOut(t, thief)
		wantBound(t, b, "bound")
	})
}

// In a store that instances share, tokens that one refreshes for a request from before the
// binding do not undo it.
func TestBindingOutlivesRefreshesElsewhereInAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBoundFleet(t, func(opts *oauthlogin.Options) { opts.Store = oauthlogin.NewStore(opts.Coordinator) })
		defer f.close()
		b := f.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		tab := b.Clone()
		time.Sleep(59*time.Minute + 30*time.Second)
		b.Device.Disabled = false
		b.Get("/") // offers again
		f.SlowTokens(4 * time.Second)
		f.at(1)
		done := make(chan bool, 1)
		go func() { done <- tab.SignedIn() }() // refreshes, and knows of no binding
		synctest.Wait()
		f.at(0)
		b.Get("/")
		<-done
		f.SlowTokens(0)
		f.WantRefreshes(t, 1)
		time.Sleep(time.Minute)
		copied := b.Clone()
		copied.SetCookie(apptest.BoundCookie, "")
		for i := range f.instances {
			f.at(i)
			if copied.SignedIn() {
				t.Errorf("instance %d takes the session without its bound cookie", i)
			}
		}
	})
}

// An identifier of an earlier login in the same browser is dead at all instances that agree.
func TestEarlierLoginIsNotRenewedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBoundFleet(t, nil)
		defer f.close()
		b, session := f.boundAtFirst(t)
		f.at(1)
		if !b.SignedIn() {
			t.Fatal("signed out")
		}
		f.at(0)
		b.Login("/dashboard")
		for i := range f.instances {
			f.at(i)
			wantEnded(t, "an earlier login", proves(t, f.App, "Sec-Secure-Session-Id", session.Identifier, "Secure-Session-Response", devicetest.Proof(session.Key, session.Challenge, false)))
		}
	})
}

// While the Coordinator is away, a session goes on for as long as its access token: so do
// its renewals, if the browser shows it.
func TestBoundSessionsOutliveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBoundFleet(t, nil)
		defer f.close()
		b, _ := f.boundAtFirst(t)
		f.shared.SetDown(true)
		for range 5 {
			time.Sleep(11 * time.Minute)
			if !b.SignedIn() {
				t.Error("signed out")
			}
		}
		time.Sleep(11 * time.Minute) // over the end of the access token
		shown := append(renewal(b, "a.b.c"), "Cookie", apptest.SessionCookie+"="+b.Cookies()[apptest.SessionCookie])
		wantNoCookie(t, "without an access token", proves(t, f.App, shown...), http.StatusServiceUnavailable)
	})
}
