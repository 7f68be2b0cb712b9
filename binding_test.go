package oauthlogin_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// newBoundApp returns an application that binds devices, which says at /bound whether the
// session is bound.
func newBoundApp(t *testing.T, change func(*oauthlogin.Options)) *apptest.App {
	t.Helper()
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.BindDevices = true
		if change != nil {
			change(opts)
		}
	}})
	a.Guard("/bound", func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		if s.Bound() {
			w.Write([]byte("bound"))
			return
		}
		w.Write([]byte("not bound"))
	})
	a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("/info", a.Auth.SessionInfo) }
	return a
}

// wantBound checks what a signed-in browser sees.
func wantBound(t *testing.T, b *apptest.Browser, want string) {
	t.Helper()
	if resp := b.Get("/bound"); resp.StatusCode != http.StatusOK || resp.Text != want {
		t.Errorf("%d %q, want %q", resp.StatusCode, resp.Text, want)
	}
	if resp := b.Get("/info", apptest.AsScript...); strings.Contains(resp.Text, `"bound":true`) != (want == "bound") {
		t.Errorf("SessionInfo: %s, want %s", resp.Text, want)
	}
}

// wantSignedOut checks that a browser has no session.
func wantSignedOut(t *testing.T, b *apptest.Browser) {
	t.Helper()
	if resp := b.Get("/bound"); resp.StatusCode != http.StatusFound || !strings.HasPrefix(resp.Location(), "/login?") {
		t.Errorf("%d %q to %q, want the way to the login", resp.StatusCode, resp.Text, resp.Location())
	}
}

// A session is bound by the first request that shows the bound cookie, and goes on for as
// long as the browser renews it, which takes one request each. No request for a key needs a
// cookie.
func TestSessionIsBoundAndRenewed(t *testing.T) {
	for _, rsa := range []bool{false, true} {
		apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
			a := newBoundApp(t, with.Change)
			b := a.Browser(t).WithDevice()
			b.Device.RSA, b.Device.Quoted, b.Device.Bare = rsa, rsa, rsa
			b.Login("/dashboard")
			if len(b.Device.Sessions) != 1 || b.Device.Posts != 1 {
				t.Fatalf("%d sessions after %d requests; log:\n%s", len(b.Device.Sessions), b.Device.Posts, a.Log)
			}
			wantBound(t, b, "bound")
			a.Events.Want(t, "login test/alice", "device_bound test/alice")
			a.Log.Reset()
			for range 8 {
				time.Sleep(7 * time.Minute)
				wantBound(t, b, "bound")
			}
			if n := b.Device.Posts; n != 5 {
				t.Errorf("%d requests for keys in 8 times 7 minutes, want one for a key and 4 renewals", n)
			}
			a.Events.Want(t)
			for line := range strings.Lines(a.Log.String()) {
				if !strings.Contains(line, "level=DEBUG") {
					t.Errorf("logged: %s", line)
				}
			}
		})
	}
}

// Everything that finds out whether there is a session.
func sessionsOf(t *testing.T, a *apptest.App, b *apptest.Browser) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	record := func(name string) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, found[name] = oauthlogin.FromContext(r.Context())
			s, err := a.Auth.Session(r)
			found["Session behind "+name] = s != nil && err == nil
			api, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://provider.test/userinfo", nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Auth.Client(r.Context()).Do(api)
			found["Client behind "+name] = err == nil
		})
	}
	for name, h := range map[string]http.Handler{
		"RequireAuth": a.Auth.RequireAuth(record("RequireAuth")),
		"Handler":     a.Auth.Handler(record("Handler")),
		"Require":     a.Auth.Require(oauthlogin.Policy{})(record("Require")),
		"SilentLogin": a.Auth.SilentLogin(record("SilentLogin")),
		"nothing":     record("nothing"),
	} {
		r := b.Request(http.MethodGet, "/page", nil)
		for name, value := range b.Cookies() {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		found[name] = false
		h.ServeHTTP(apptest.NewDiscard(), r)
	}
	found["SessionInfo"] = strings.Contains(b.Get("/info").Text, `"signed_in":true`)
	delete(found, "nothing")
	delete(found, "Client behind nothing")
	return found
}

// A copy of the cookies is worth nothing 13 minutes after the last renewal, and nothing at
// once without the bound cookie. The browser itself goes on.
func TestCopiedCookies(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newBoundApp(t, with.Change)
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		wantBound(t, b, "bound")
		time.Sleep(time.Minute)
		a.Events.Take()
		thief, withoutBound := b.Clone(), b.Clone()
		withoutBound.SetCookie(apptest.BoundCookie, "")

		for what, found := range sessionsOf(t, a, thief) {
			if !found {
				t.Errorf("no session in %s", what)
			}
		}
		for what, found := range sessionsOf(t, a, withoutBound) {
			if found {
				t.Errorf("a session without its bound cookie in %s", what)
			}
		}
		a.Events.Want(t, "device_missing test/alice error")
		wantSignedOut(t, withoutBound)
		if resp := withoutBound.Get("/bound", apptest.AsScript...); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("a script: %d", resp.StatusCode)
		}
		time.Sleep(12 * time.Minute)
		for what, found := range sessionsOf(t, a, thief) {
			if found {
				t.Errorf("a session of a copy in %s", what)
			}
		}
		a.Events.Want(t, "device_missing test/alice error")
		thief.Get("/bound")
		a.Events.Want(t) // once a minute
		a.Restart(t)     // which reads the bound cookie for the first time
		for what, found := range sessionsOf(t, a, thief) {
			if found {
				t.Errorf("a session of a copy in %s, after a restart", what)
			}
		}
		a.Events.Take()
		wantBound(t, b, "bound")
		a.Events.Want(t)
		if !strings.Contains(a.Log.String(), "level=WARN") {
			t.Error("the log does not say so")
		}
	})
}

// Requests that were under way at the binding have the older cookies.
func TestRequestsUnderWayAtTheBinding(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newBoundApp(t, with.Change)
		b := a.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		underWay := b.Clone()
		b.Device.Disabled = false
		time.Sleep(21 * time.Second)
		b.Get("/bound") // offers again
		wantBound(t, b, "bound")
		for _, after := range []time.Duration{0, 5 * time.Second, 4 * time.Second} {
			time.Sleep(after)
			underWay.SetCookie(apptest.BoundCookie, "")
			wantBound(t, underWay, "not bound")
		}
		time.Sleep(2 * time.Second)
		wantSignedOut(t, underWay)
		wantBound(t, b, "bound")
	})
}

// A session cookie from before the binding is one of a bound session where that was seen,
// and elsewhere until it is. One that comes with a good bound cookie is bound again.
func TestCookiesFromBeforeTheBinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		first, second := a.Auth, a.Replica(t, func(opts *oauthlogin.Options) { opts.BindDevices = true })
		b := a.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		before := b.Cookies()[apptest.SessionCookie]
		old := b.Clone()
		b.Device.Disabled = false
		time.Sleep(21 * time.Second)
		b.Get("/dashboard")
		wantBound(t, b, "bound")
		bound := b.Cookies()[apptest.SessionCookie]
		if bound == before {
			t.Fatal("the binding did not seal the session anew")
		}

		time.Sleep(time.Minute)
		wantSignedOut(t, old)
		a.Auth = second
		wantBound(t, old, "not bound")
		wantBound(t, b, "bound") // which the second instance sees now
		wantSignedOut(t, old)
		a.Auth = first

		// A slow response brings the older cookie back.
		b.SetCookie(apptest.SessionCookie, before)
		wantBound(t, b, "bound")
		if again := b.Cookies()[apptest.SessionCookie]; again == before {
			t.Error("the session was not bound again")
		}
		a.Restart(t)
		old.SetCookie(apptest.SessionCookie, b.Cookies()[apptest.SessionCookie])
		wantSignedOut(t, old) // what is sealed in the cookie holds everywhere
		wantBound(t, b, "bound")
	})
}

// The first request that shows the bound cookie is one of a bound session, also if its
// response may not set a cookie.
func TestBoundWithoutWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t).WithDevice()
		b.FollowOn(b.Get("/login?return_to=/bound"), "/bound") // up to the page that it leads to
		for range 2 {
			resp := b.Get("/bound", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image")
			if resp.Text != "bound" || len(resp.Header["Set-Cookie"]) > 0 {
				t.Errorf("%d %q sets %q", resp.StatusCode, resp.Text, resp.Header["Set-Cookie"])
			}
		}
		if resp := b.Get("/info"); !strings.Contains(resp.Text, `"bound":true`) {
			t.Error(resp.Text)
		}
		a.Events.Want(t, "login test/alice", "device_bound test/alice")
	})
}

// Tokens that are refreshed while a browser registers its key do not undo the binding, in
// cookies, in memory or in a store.
func TestTokensRefreshedDuringTheBinding(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newBoundApp(t, with.Change)
		b := a.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		tab := b.Clone()
		time.Sleep(59*time.Minute + 30*time.Second)
		b.Device.Disabled = false
		if b.Get("/"); len(b.Device.Sessions) != 1 {
			t.Fatalf("%d registered keys", len(b.Device.Sessions))
		}
		a.SlowTokens(4 * time.Second)
		done := make(chan string, 1)
		go func() { done <- tab.Get("/bound", apptest.AsScript...).Text }() // refreshes, and knows of no binding
		synctest.Wait()
		if resp := b.Get("/info"); !strings.Contains(resp.Text, `"bound":true`) {
			t.Errorf("%s", resp.Text)
		}
		if got := <-done; got != "not bound" {
			t.Errorf("the request with the older cookies: %q", got)
		}
		a.SlowTokens(0)
		a.WantRefreshes(t, 1)
		if a.Opts.Store == nil {
			wantBound(t, b, "bound") // which gets the new tokens
		}
		time.Sleep(time.Minute)
		a.Restart(t)
		for range 2 {
			copied := b.Clone()
			copied.SetCookie(apptest.BoundCookie, "")
			wantSignedOut(t, copied)
			wantBound(t, b, "bound")
		}
	})
}

// A browser that cannot renew its cookie signs in again, and is bound again. An operator
// sees why.
func TestBrowserThatCannotRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		time.Sleep(9 * time.Minute)
		wantBound(t, b, "bound")
		b.Device.Disabled = true
		time.Sleep(2 * time.Minute)
		a.Events.Take()
		wantSignedOut(t, b)
		a.Events.Want(t, "device_missing test/alice error")
		if !strings.Contains(a.Log.String(), "quota_exceeded") {
			t.Error("the log does not say what the browser says")
		}
		b.Login("/dashboard")
		wantBound(t, b, "not bound")
		a.Events.Want(t, "login test/alice")
		b.Device.Disabled = false
		time.Sleep(time.Minute)
		b.Get("/")
		wantBound(t, b, "bound")
		if n := len(b.Device.Sessions); n != 1 {
			t.Errorf("the browser has %d sessions, as if the one before had not ended", n)
		}
		time.Sleep(11 * time.Minute)
		wantBound(t, b, "bound")
	})
}

// A binding is offered on the response to the callback, then not before a registration can
// have been lost, and not once there is one. Browsers without devices see nothing else.
func TestOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t)
		offered := func(resp *apptest.Response) string { return resp.Header.Get("Secure-Session-Registration") }
		resp := b.Get(b.CallbackURL("/login?return_to=/dashboard"))
		if got := offered(resp); !strings.HasPrefix(got, `(ES256 RS256);path="/login/device";challenge="`) || resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the callback offers %q", got)
		}
		for range 3 {
			if got := offered(b.Get("/dashboard")); got != "" {
				t.Errorf("offered again at once: %q", got)
			}
		}
		for range 3 {
			time.Sleep(21 * time.Second)
			if got := offered(b.Get("/style.css", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "style")); got != "" {
				t.Errorf("a file offers %q", got)
			}
			if got := offered(b.Get("/info", apptest.AsScript...)); got != "" {
				t.Errorf("SessionInfo offers %q", got)
			}
			page := b.Get("/dashboard")
			if !strings.Contains(offered(page), "challenge=") {
				t.Errorf("not offered later: %q", page.Header)
			}
			if len(page.Header["Set-Cookie"]) > 0 || page.Header.Get("Cache-Control") != "private" {
				t.Errorf("an offer changes %q", page.Header)
			}
		}
		if got := offered(a.Browser(t).Get("/")); got != "" {
			t.Errorf("offered without a session: %q", got)
		}
		b.WithDevice()
		time.Sleep(21 * time.Second)
		b.Get("/dashboard")
		wantBound(t, b, "bound")
		time.Sleep(time.Minute)
		if got := offered(b.Get("/dashboard")); got != "" {
			t.Errorf("a bound session is offered %q", got)
		}
	})
}

// A session whose names at the provider do not fit an identifier is not offered a binding, and
// the log says why.
func TestOfferWithLongNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		var sid strings.Builder // 1,560 characters of five bits each: more than 900 bytes, however compressed
		for range 60 {
			sid.WriteString(rand.Text())
		}
		a.Provider.EditIDToken(apptest.Claim("sid", sid.String()))
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		wantBound(t, b, "not bound")
		if log := a.Log.String(); !strings.Contains(log, `level=WARN msg="oauthlogin: no device binding offered" error="the session's names are too long`) {
			t.Error(log)
		}
	})
}

// A registration that is lost is made up for by the next offer; of two at one time, one is
// taken.
func TestLostAndDoubleRegistrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t).WithDevice()
		serve := a.Net["app.test"]
		lose := true
		a.Net["app.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lose && r.URL.Path == "/login/device" {
				serve.ServeHTTP(apptest.NewDiscard(), r)
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			serve.ServeHTTP(w, r)
		})
		b.Login("/dashboard")
		wantBound(t, b, "not bound")
		lose = false
		time.Sleep(21 * time.Second)
		page := b.Get("/dashboard")
		if n := len(b.Device.Sessions); n != 1 {
			t.Fatalf("%d registered keys", n)
		}
		// The same offer again, before the first key has been shown.
		b.Device.Register(page.Request.URL, page.Header, b.SendProof())
		if n := len(b.Device.Sessions); n != 1 {
			t.Errorf("%d registered keys", n)
		}
		wantBound(t, b, "bound")
		// And after, without cookies where the binding is known, and with them elsewhere.
		time.Sleep(time.Minute)
		for _, b.Device.Bare = range []bool{true, false} {
			a.Events.Take()
			b.Device.Register(page.Request.URL, page.Header, b.SendProof())
			a.Events.Want(t, "device_refused test/alice error")
			if n := len(b.Device.Sessions); n != 1 {
				t.Errorf("%d registered keys", n)
			}
			a.Restart(t)
		}
		wantBound(t, b, "bound")
	})
}

// Sessions from before the option was set, or of a version that did not know it, are bound
// as well.
func TestOlderSessionsAreBound(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newBoundApp(t, with.Change)
		a.Opts.BindDevices = false
		a.Restart(t)
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		if b.Device.Posts > 0 {
			t.Fatal("offered without the option")
		}
		a.Opts.BindDevices = true
		a.Restart(t)
		b.Get("/dashboard")
		wantBound(t, b, "bound")
		a.Opts.BindDevices = false // and the way back
		a.Restart(t)
		time.Sleep(time.Hour)
		wantBound(t, b, "not bound")
	})
}

// Large sessions in chunks, rotated keys, a restart and several instances change nothing.
func TestBoundSessionsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Incompressible(4000) })
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		wantBound(t, b, "bound")
		if len(b.Cookies()) < 3 {
			t.Fatalf("cookies %d", len(b.Cookies()))
		}
		a.Opts.Keys = [][]byte{apptest.Key(9), apptest.Key(1)}
		a.Restart(t)
		wantBound(t, b, "bound")
		instances := []*oauthlogin.Middleware{a.Auth, apptest.NewAuth(t, a.Opts), apptest.NewAuth(t, a.Opts)}
		for i := range 30 {
			a.Auth = instances[i%len(instances)]
			time.Sleep(90 * time.Second)
			wantBound(t, b, "bound")
		}
		if resp := b.Get("/", "Cookie", "x=y"); resp.Text != "home of alice" {
			t.Errorf("%q", resp.Text)
		}
	})
}

// A link on another site leads through no login: its renewal has no cookies.
func TestLinkOnAnotherSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		wantBound(t, b, "bound")
		time.Sleep(time.Hour)
		if resp := b.Page("https://other.example").Link(a.URL + "/bound"); resp.Text != "bound" {
			t.Errorf("%d %q to %q", resp.StatusCode, resp.Text, resp.Location())
		}
	})
}

// On plain http on loopback there is no __Host-, and another application of the host may
// set cookies of these names.
func TestBoundOnLoopback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Origin: "http://localhost:3000", Change: func(opts *oauthlogin.Options) { opts.BindDevices = true }})
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		r := func(header string) bool {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+"/dashboard", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", header)
			s, err := a.Auth.Session(r)
			return err == nil && s != nil && s.Bound()
		}
		session, bound := "oauthlogin="+b.Cookies()["oauthlogin"], "oauthlogin.device="+b.Cookies()["oauthlogin.device"]
		time.Sleep(time.Minute)
		for header, want := range map[string]bool{
			session + "; " + bound: true,
			session:                false,
			session + "; oauthlogin.device=garbage; " + bound:                                 true,
			session + "; " + bound + "; oauthlogin.device=":                                   true,
			session + strings.Repeat("; oauthlogin.device=garbage", 4) + "; " + bound:         false, // opening them takes time
			session + "; oauthlogin.device=" + b.Cookies()["oauthlogin"]:                      false,
			session + "; xoauthlogin.device" + strings.TrimPrefix(bound, "oauthlogin.device"): false,
		} {
			if r(header) != want {
				t.Errorf("%.60q: bound %t", strings.ReplaceAll(header, session, "session"), !want)
			}
		}
	})
}

// A stream goes on over the end of its bound cookie, and so does its client.
func TestStreamOverTheEndOfABoundCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(30 * time.Minute)
			api, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://provider.test/userinfo", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := a.Auth.Client(r.Context()).Do(api)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			fmt.Fprint(w, resp.StatusCode)
		})
		if resp := b.Get("/stream"); resp.Text != "200" {
			t.Errorf("%d %q", resp.StatusCode, resp.Text)
		}
	})
}

// A bound cookie is good for its own session and key alone.
func TestBoundCookieOfAnotherSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b, other := a.Browser(t).WithDevice(), a.Browser(t).WithDevice()
		for _, b := range []*apptest.Browser{b, other} {
			b.Login("/dashboard")
			wantBound(t, b, "bound")
		}
		time.Sleep(time.Minute)
		mixed := b.Clone()
		mixed.SetCookie(apptest.BoundCookie, other.Cookies()[apptest.BoundCookie])
		wantSignedOut(t, mixed)
		unbound := a.Browser(t)
		unbound.Login("/dashboard")
		unbound.SetCookie(apptest.BoundCookie, other.Cookies()[apptest.BoundCookie])
		wantBound(t, unbound, "not bound")
	})
}

// Another key of the same session, which another instance has registered, does not count
// where the session is known to be bound, nor does a session that was bound to it.
func TestBoundCookieOfAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		first, second := a.Auth, a.Replica(t, func(opts *oauthlogin.Options) { opts.BindDevices = true })
		b := a.Browser(t).WithDevice()
		b.Device.Disabled = true
		b.Login("/dashboard")
		thief := b.Clone().WithDevice() // who has copied the cookies before the binding
		b.Device.Disabled = false
		time.Sleep(21 * time.Second)
		b.Get("/dashboard")
		wantBound(t, b, "bound")
		a.Auth = second
		thief.Get("/dashboard")
		wantBound(t, thief, "bound")
		time.Sleep(time.Minute)
		a.Auth = first
		wantSignedOut(t, thief)
		thief.SetCookie(apptest.SessionCookie, b.Cookies()[apptest.SessionCookie])
		wantSignedOut(t, thief)
		wantBound(t, b, "bound")
	})
}
