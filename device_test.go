package oauthlogin_test

import (
	"crypto"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
)

const devicePath = "/login/device"

// proves posts to the device endpoint without cookies. header is name, value, name, value.
func proves(t *testing.T, a *apptest.App, header ...string) *apptest.Response {
	t.Helper()
	b := a.BareBrowser(t)
	r := b.Request(http.MethodPost, devicePath, nil)
	r.Header.Del("Accept")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.Do(r)
}

// renewal are the header fields of a renewal of the last session of a browser.
func renewal(b *apptest.Browser, proof string) []string {
	s := b.Device.Sessions[len(b.Device.Sessions)-1]
	return []string{"Sec-Secure-Session-Id", s.Identifier, "Secure-Session-Response", proof}
}

// wantNoCookie checks a refusal: the status, no cookie, and nothing that others may read.
func wantNoCookie(t *testing.T, what string, resp *apptest.Response, status int) {
	t.Helper()
	if resp.StatusCode != status {
		t.Errorf("%s: %d %s, want %d", what, resp.StatusCode, resp.Text, status)
	}
	wantEndpointHeaders(t, what, resp)
	if got := resp.Header["Set-Cookie"]; len(got) > 0 {
		t.Errorf("%s: sets %q", what, got)
	}
	if asks := resp.Header.Get("Secure-Session-Challenge") != ""; asks != (resp.StatusCode == http.StatusForbidden) {
		t.Errorf("%s: %d with challenge %t", what, resp.StatusCode, asks)
	}
}

func wantEndpointHeaders(t *testing.T, what string, resp *apptest.Response) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: sets %s", what, name)
		}
	}
}

// boundBrowser is signed in and bound.
func boundBrowser(t *testing.T, a *apptest.App) *apptest.Browser {
	t.Helper()
	b := a.Browser(t).WithDevice()
	b.Login("/dashboard")
	wantBound(t, b, "bound")
	a.Events.Take()
	return b
}

// freshChallenge asks for a challenge as a browser without one does.
func freshChallenge(t *testing.T, a *apptest.App, b *apptest.Browser) string {
	t.Helper()
	identifier := b.Device.Sessions[len(b.Device.Sessions)-1].Identifier
	resp := proves(t, a, "Sec-Secure-Session-Id", identifier)
	wantNoCookie(t, "no proof", resp, http.StatusForbidden)
	challenge, id := devicetest.Challenged(resp.Header)
	if challenge == "" || id != identifier {
		t.Fatalf("asked for %q of %q", challenge, id)
	}
	return challenge
}

// The draft's sections Registration and Formats.
func TestRegistrationResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, func(opts *oauthlogin.Options) { opts.LoginPath = "/auth/sign-in" })
		b := a.Browser(t)
		callback := b.Get(b.CallbackURL("/auth/sign-in?return_to=/dashboard"))
		device := &devicetest.Device{}
		path, challenge, ok := device.Offer(callback.Header)
		if !ok || path != "/auth/sign-in/device" {
			t.Fatalf("offer %q", callback.Header.Get("Secure-Session-Registration"))
		}
		r := b.Request(http.MethodPost, path, nil, "Secure-Session-Response", devicetest.Proof(device.NewKey(), challenge, true))
		resp := b.Do(r)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %s", resp.StatusCode, resp.Text)
		}
		wantEndpointHeaders(t, "registration", resp)
		next, id := devicetest.Challenged(resp.Header)
		want := `{"session_identifier":"` + id + `","refresh_url":"/auth/sign-in/device","scope":{"include_site":false,"scope_specification":[]},` +
			`"credentials":[{"type":"cookie","name":"__Host-oauthlogin.device","attributes":"Path=/; Secure; HttpOnly; SameSite=Lax"}],"allowed_refresh_initiators":["*"]}`
		if strings.TrimSpace(resp.Text) != want || next == "" || id == "" || len(id) > 3000 {
			t.Errorf("%s\nwant %s", resp.Text, want)
		}
		cookie, err := http.ParseSetCookie(resp.Header.Get("Set-Cookie"))
		if err != nil || cookie.Name != apptest.BoundCookie || cookie.MaxAge != 600 || len(cookie.Name)+len(cookie.Value) > 1024 {
			t.Errorf("cookie %v, %v", cookie, err)
		}
	})
}

// A stale challenge is asked for again, everything else that is wrong is refused, and an
// operator sees whose session it is about.
func TestRefusedProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b, other := boundBrowser(t, a), boundBrowser(t, a)
		time.Sleep(time.Minute)
		session, stranger := b.Device.Sessions[0], other.Device.Sessions[0].Key
		proof := func(key crypto.Signer, challenge, typ string, withKey bool) []string {
			return renewal(b, devicetest.Sign(key, map[string]any{"jti": challenge}, typ, withKey))
		}
		challenge, ofOther := freshChallenge(t, a, b), freshChallenge(t, a, other)
		for name, header := range map[string][]string{
			"another key":                     proof(stranger, challenge, "dbsc+jwt", false),
			"another key that it brings":      proof(stranger, challenge, "dbsc+jwt", true),
			"its key in the header":           proof(session.Key, challenge, "dbsc+jwt", true),
			"an RSA key":                      proof((&devicetest.Device{RSA: true}).NewKey(), challenge, "dbsc+jwt", false),
			"another typ":                     proof(session.Key, challenge, "jwt", false),
			"another session's challenge":     proof(session.Key, ofOther, "dbsc+jwt", false),
			"no challenge of this site":       proof(session.Key, "challenge", "dbsc+jwt", false),
			"no JWT":                          renewal(b, "a.b.c"),
			"another session's proof of both": renewal(b, devicetest.Proof(stranger, ofOther, false)),
		} {
			wantNoCookie(t, name, proves(t, a, header...), http.StatusBadRequest)
			a.Events.Want(t, "device_refused test/alice error")
			time.Sleep(2*time.Minute + time.Second)
		}
		resp := proves(t, a, proof(session.Key, challenge, "dbsc+jwt", false)...)
		if resp.StatusCode != http.StatusOK || len(resp.Header["Set-Cookie"]) != 1 {
			t.Errorf("the good one: %d %s", resp.StatusCode, resp.Text)
		}
		if next, id := devicetest.Challenged(resp.Header); next == "" || id != session.Identifier {
			t.Errorf("next challenge %q of %q", next, id)
		}
		wantEndpointHeaders(t, "renewal", resp)

		time.Sleep(40 * time.Minute)
		wantNoCookie(t, "stale", proves(t, a, proof(session.Key, challenge, "dbsc+jwt", false)...), http.StatusForbidden)
		a.Events.Want(t)
		wantBound(t, b, "bound")
	})
}

// A registration whose challenge is stale is asked for again as well; one that is wrong is
// refused.
func TestRefusedRegistrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t)
		callback := b.Get(b.CallbackURL("/login?return_to=/dashboard"))
		device := &devicetest.Device{}
		_, challenge, _ := device.Offer(callback.Header)
		key, other := device.NewKey(), device.NewKey()
		wantNoCookie(t, "no key", proves(t, a, "Secure-Session-Response", devicetest.Proof(key, challenge, false)), http.StatusBadRequest)
		wantNoCookie(t, "another challenge", proves(t, a, "Secure-Session-Response", devicetest.Proof(key, "challenge", true)), http.StatusBadRequest)
		wantNoCookie(t, "nothing", proves(t, a), http.StatusBadRequest)
		time.Sleep(31 * time.Minute)
		resp := proves(t, a, "Secure-Session-Response", devicetest.Proof(key, challenge, true))
		wantNoCookie(t, "stale", resp, http.StatusForbidden)
		next, id := devicetest.Challenged(resp.Header)
		if id != "" {
			t.Errorf("a registration has the identifier %q", id)
		}
		if resp := proves(t, a, "Secure-Session-Response", devicetest.Proof(key, next, true)); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		wantNoCookie(t, "a second key at one time", proves(t, a, "Secure-Session-Response", devicetest.Proof(other, next, true)), http.StatusConflict)
		if resp := proves(t, a, "Secure-Session-Response", devicetest.Proof(key, next, true)); resp.StatusCode != http.StatusOK {
			t.Errorf("the same key again: %d %s", resp.StatusCode, resp.Text)
		}
	})
}

// Scripts of other origins, and of sibling subdomains, are refused; so is what is not for
// the endpoint.
func TestDeviceCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := boundBrowser(t, a)
		good := func() []string {
			return renewal(b, devicetest.Proof(b.Device.Sessions[0].Key, freshChallenge(t, a, b), false))
		}
		for name, header := range map[string][]string{
			"another site":                     {"Sec-Fetch-Site", "cross-site"},
			"a sibling":                        {"Sec-Fetch-Site", "same-site"},
			"another site, named in Origin":    {"Origin", "https://other.example"},
			"a sibling, named in Origin":       {"Origin", "https://sibling.app.test"},
			"a sandboxed page":                 {"Origin", "null"},
			"the same host on another scheme":  {"Origin", "http://app.test"},
			"another origin in spite of Fetch": {"Sec-Fetch-Site", "same-origin", "Origin", "https://other.example"},
			"a link":                           {"Sec-Fetch-Site", "none", "Origin", "https://other.example"},
		} {
			wantNoCookie(t, name, proves(t, a, append(good(), header...)...), http.StatusBadRequest)
		}
		for name, header := range map[string][]string{
			"itself":           {"Sec-Fetch-Site", "same-origin"},
			"the user":         {"Sec-Fetch-Site", "none"},
			"its own origin":   {"Origin", "https://app.test"},
			"values in quotes": {"Sec-Secure-Session-Id", `"` + b.Device.Sessions[0].Identifier + `";x=1`},
			"behind a proxy":   {"X-Forwarded-Host", "other.example"},
			"with a session cookie that does not open": {"Cookie", apptest.SessionCookie + "=1ABCDEFgarbageABCDEF000000"},
			"with the session cookie":                  {"Cookie", apptest.SessionCookie + "=" + b.Cookies()[apptest.SessionCookie]},
		} {
			if resp := proves(t, a, append(good(), header...)...); resp.StatusCode != http.StatusOK || len(resp.Header["Set-Cookie"]) != 1 {
				t.Errorf("%s: %d %s", name, resp.StatusCode, resp.Text)
			}
		}
		large := append(good(), "X-Padding", strings.Repeat("x", 64<<10))
		wantNoCookie(t, "64 KiB of header", proves(t, a, large...), http.StatusRequestHeaderFieldsTooLarge)
		wantNoCookie(t, "a long identifier", proves(t, a, "Sec-Secure-Session-Id", strings.Repeat("x", 3001)), http.StatusBadRequest)
		wantNoCookie(t, "no identifier of this site", proves(t, a, "Sec-Secure-Session-Id", "identifier"), http.StatusBadRequest)
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut} {
			resp := b.Do(b.Request(method, devicePath, nil, "Access-Control-Request-Method", "POST", "Origin", "https://other.example"))
			wantNoCookie(t, method, resp, http.StatusMethodNotAllowed)
			if resp.Header.Get("Allow") != http.MethodPost {
				t.Errorf("%s: Allow is %q", method, resp.Header.Get("Allow"))
			}
		}
	})
}

// wantEnded checks that a renewal tells the browser to forget the session.
func wantEnded(t *testing.T, what string, resp *apptest.Response) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || strings.TrimSpace(resp.Text) != `{"continue":false}` || len(resp.Header["Set-Cookie"]) > 0 {
		t.Errorf("%s: %d %s sets %q", what, resp.StatusCode, resp.Text, resp.Header["Set-Cookie"])
	}
	wantEndpointHeaders(t, what, resp)
}

// A session that is over is not renewed, and its browser learns that it need not ask again.
func TestEndedSessionsAreNotRenewed(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		for name, end := range map[string]func(*apptest.App, *apptest.Browser){
			"logout":  func(_ *apptest.App, b *apptest.Browser) { b.LogOut("/") },
			"SignOut": func(a *apptest.App, b *apptest.Browser) { b.Get("/goodbye") },
			"SignOutUser": func(a *apptest.App, _ *apptest.Browser) {
				if err := a.Auth.SignOutUser(t.Context(), a.Provider.Issuer(), "alice"); err != nil {
					t.Error(err)
				}
			},
			"a week":      func(*apptest.App, *apptest.Browser) { time.Sleep(7*24*time.Hour + time.Minute) },
			"a new login": func(_ *apptest.App, b *apptest.Browser) { b.Device.Disabled = true; b.Login("/dashboard") },
			"another user": func(a *apptest.App, b *apptest.Browser) {
				b.Device.Disabled = true
				a.Provider.AutoApprove("bob")
				b.Login("/dashboard")
			},
			"a refused refresh": func(a *apptest.App, b *apptest.Browser) {
				a.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusBadRequest)
					w.Write([]byte(`{"error":"invalid_grant"}`))
				})
				time.Sleep(time.Hour)
				b.Get("/dashboard")
			},
		} {
			a := newBoundApp(t, with.Change)
			a.Guard("/goodbye", func(w http.ResponseWriter, r *http.Request) { a.Auth.SignOut(w, r) })
			b := boundBrowser(t, a)
			session := b.Device.Sessions[0]
			end(a, b)
			wantEnded(t, name, proves(t, a, "Sec-Secure-Session-Id", session.Identifier, "Secure-Session-Response", devicetest.Proof(session.Key, session.Challenge, false)))
			wantEnded(t, name+", without a proof", proves(t, a, "Sec-Secure-Session-Id", session.Identifier))
			for cookie := range b.Cookies() {
				if name != "a new login" && name != "another user" && name != "SignOutUser" && cookie == apptest.BoundCookie {
					t.Errorf("%s: the bound cookie stays", name)
				}
			}
		}
	})
}

// A sign-in in the same browser registers a key anew, also where no instance knows of the
// session before: the session cookie is another's.
func TestSignInAgain(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newBoundApp(t, with.Change)
		b := boundBrowser(t, a)
		first := b.Device.Sessions[0]
		b.Login("/dashboard")
		wantBound(t, b, "bound")
		time.Sleep(11 * time.Minute)
		wantBound(t, b, "bound")
		if len(b.Device.Sessions) != 1 || b.Device.Sessions[0] == first {
			t.Errorf("%d sessions", len(b.Device.Sessions))
		}
		a.Restart(t)
		b.Device.Sessions = append([]*devicetest.Session{first}, b.Device.Sessions...)
		a.Events.Take()
		time.Sleep(11 * time.Minute)
		wantBound(t, b, "bound")
		a.Events.Want(t) // a browser that has two keys is no attack
		if len(b.Device.Sessions) != 1 {
			t.Errorf("%d sessions", len(b.Device.Sessions))
		}
	})
}

// Options.Store may have lost the session, and may be away.
func TestRenewalsAskTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{}
		a := newBoundApp(t, func(opts *oauthlogin.Options) { opts.Store = store })
		b := boundBrowser(t, a)
		away := true
		store.OnNew = func(_ *http.Request, s *sessions.Session) (*sessions.Session, error) {
			if away {
				return s, errors.New("connection refused")
			}
			return s, nil
		}
		time.Sleep(11 * time.Minute)
		cookie := "Cookie"
		value := apptest.SessionCookie + "=" + b.Cookies()[apptest.SessionCookie]
		resp := proves(t, a, append(renewal(b, devicetest.Proof(b.Device.Sessions[0].Key, b.Device.Sessions[0].Challenge, false)), cookie, value)...)
		wantNoCookie(t, "away", resp, http.StatusServiceUnavailable)
		if resp.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if resp := b.Get("/bound"); resp.StatusCode != http.StatusServiceUnavailable || len(b.Device.Sessions) != 1 {
			t.Errorf("%d with %d sessions", resp.StatusCode, len(b.Device.Sessions))
		}
		away = false
		wantBound(t, b, "bound")
		store.Clear()
		a.Restart(t)
		wantEnded(t, "deleted elsewhere", proves(t, a, append(renewal(b, "a.b.c"), cookie, value)...))
	})
}

// Renewals do not extend a session that nobody uses.
func TestRenewalsDoNotExtendSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, func(opts *oauthlogin.Options) { opts.IdleTimeout = 30 * time.Minute })
		b := boundBrowser(t, a)
		kept := apptest.SessionCookie + "=" + b.Cookies()[apptest.SessionCookie]
		for range 4 {
			time.Sleep(8 * time.Minute)
			if resp := proves(t, a, renewal(b, devicetest.Proof(b.Device.Sessions[0].Key, freshChallenge(t, a, b), false))...); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
		}
		wantSignedOut(t, b)
		wantEnded(t, "a session that ran out", proves(t, a, append(renewal(b, "a.b.c"), "Cookie", kept)...))
	})
}

// Without the option nothing is served, offered or asked for.
func TestWithoutBindDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc(devicePath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		}
		if resp := proves(t, a, "Secure-Session-Response", "a.b.c"); resp.StatusCode != http.StatusTeapot {
			t.Errorf("the application's own page: %d", resp.StatusCode)
		}
		w := apptest.NewDiscard()
		a.Auth.Device(w, a.BareBrowser(t).Request(http.MethodPost, devicePath, nil))
		if w.Status != http.StatusNotFound {
			t.Errorf("Device: %d", w.Status)
		}
		b := a.Browser(t).WithDevice()
		if b.Login("/dashboard"); b.Device.Posts > 0 {
			t.Error("a binding is offered")
		}
	})
}

// Sessions of a provider that is not configured any more are unknown.
func TestDeviceOfAnotherClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := boundBrowser(t, a)
		config := *a.Opts.Providers[0].OAuth2
		config.ClientID = "another"
		a.Opts.Providers[0].OAuth2 = &config
		a.Restart(t)
		wantNoCookie(t, "another client", proves(t, a, renewal(b, "a.b.c")...), http.StatusBadRequest)
		w := apptest.NewDiscard()
		(&oauthlogin.Middleware{}).Device(w, b.Request(http.MethodPost, devicePath, nil))
		if w.Status != http.StatusInternalServerError {
			t.Errorf("a Middleware that New did not make: %d", w.Status)
		}
	})
}

// A session whose names do not fit an identifier is offered no binding, and goes on.
func TestLongNamesAreNotBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["sid"] = apptest.Incompressible(1200) })
		b := a.Browser(t).WithDevice()
		b.Login("/dashboard")
		wantBound(t, b, "not bound")
		if b.Device.Posts > 0 {
			t.Error("a binding is offered")
		}
	})
}

// Device works below a router that mounts the paths one by one.
func TestDeviceIsMountedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /login", a.Auth.Login)
		mux.HandleFunc("GET /auth/callback", a.Auth.Callback)
		mux.HandleFunc("POST /login/device", a.Auth.Device)
		mux.Handle("/bound", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s, _ := oauthlogin.FromContext(r.Context()); s.Bound() {
				w.Write([]byte("bound"))
			}
		})))
		a.Net["app.test"] = apptest.Audited(t, true, mux)
		b := a.Browser(t).WithDevice()
		for range 3 {
			if resp := b.Follow("/bound"); resp.Text != "bound" {
				t.Errorf("%d %q", resp.StatusCode, resp.Text)
			}
			time.Sleep(11 * time.Minute)
		}
	})
}

// A page may ask for a bound session: a browser that cannot have one gets a page that says
// so, and one that is about to have one comes back by itself.
func TestPolicyBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/vault", a.Auth.Require(oauthlogin.Policy{Bound: true})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte("gold"))
			})))
		}
		b := a.Browser(t)
		resp := b.Follow("/vault")
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(resp.Text, "device") || resp.Header.Get("Refresh") == "" {
			t.Errorf("%d, again %q: %s", resp.StatusCode, resp.Header.Get("Refresh"), resp.Text)
		}
		a.Events.Want(t, "login test/alice", "denied test/alice device_not_bound")
		time.Sleep(11 * time.Second)
		if resp := b.Get("/vault"); resp.StatusCode != http.StatusForbidden || resp.Header.Get("Refresh") != "" {
			t.Errorf("later: %d, again %q", resp.StatusCode, resp.Header.Get("Refresh"))
		}
		if resp := b.Get("/vault", apptest.AsScript...); resp.StatusCode != http.StatusForbidden || strings.TrimSpace(resp.Text) != `{"error":"device_not_bound"}` {
			t.Errorf("a script: %d %s", resp.StatusCode, resp.Text)
		}
		b = a.Browser(t).WithDevice()
		if resp := b.Follow("/vault"); resp.Text != "gold" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

// A policy that no session can satisfy is a mistake.
func TestPolicyBoundNeedsTheOption(t *testing.T) {
	auth := apptest.NewAuth(t, apptest.ValidOptions())
	defer func() {
		if p, ok := recover().(error); !ok || !strings.Contains(p.Error(), "BindDevices") {
			t.Errorf("panic %v", p)
		}
	}()
	auth.Require(oauthlogin.Policy{Bound: true})
}

// Whoever has a copy of the cookies alone can neither end the session, nor get an ID token
// of it, nor push it out of a store by signing in as another user.
func TestLogoutOfCopiedCookies(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := newBoundApp(t, with.Change)
		b := boundBrowser(t, a)
		time.Sleep(time.Minute)
		thief := b.Clone()
		thief.SetCookie(apptest.BoundCookie, "")
		out := thief.LogOut("/")
		if strings.Contains(out.Location(), "id_token_hint") {
			t.Errorf("the way out names an ID token: %s", out.Location())
		}
		wantBound(t, b, "bound")
		stranger := b.Clone()
		stranger.SetCookie(apptest.BoundCookie, "")
		a.Provider.AutoApprove("bob")
		stranger.Login("/dashboard")
		wantBound(t, b, "bound")
		if out := b.LogOut("/"); !strings.Contains(out.Location(), "id_token_hint") {
			t.Errorf("the user's way out is %s", out.Location())
		}
	})
}

// The device's path is one of the package's own.
func TestDevicePathIsReserved(t *testing.T) {
	opts := apptest.ValidOptions()
	opts.BindDevices, opts.LogoutPath = true, "/login/device"
	if _, err := oauthlogin.New(opts); err == nil || !strings.Contains(err.Error(), "LogoutPath") {
		t.Errorf("%v", err)
	}
	opts = apptest.ValidOptions()
	opts.Providers[0].OAuth2.RedirectURL = "https://app.example/login/device"
	if _, err := oauthlogin.New(opts); err != nil {
		t.Errorf("without the option: %v", err)
	}
	opts.BindDevices = true
	if _, err := oauthlogin.New(opts); err == nil || !strings.Contains(err.Error(), "RedirectURL") {
		t.Errorf("%v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		if resp := a.Browser(t).Follow("/login?return_to=/login/device"); resp.Request.URL.Path != "/" {
			t.Errorf("a login leads to %s", resp.Request.URL)
		}
	})
}

// A user with a session of their own does not fill the log with warnings.
func TestRefusedProofsAreReportedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := boundBrowser(t, a)
		for range 2 {
			for range 5 {
				wantNoCookie(t, "another key", proves(t, a, renewal(b, devicetest.Proof((&devicetest.Device{}).NewKey(), "x", false))...), http.StatusBadRequest)
			}
			a.Events.Want(t, "device_refused test/alice error")
			time.Sleep(3 * time.Minute)
		}
		// Its line has no code, which is one of an Error or of a refresh.
		if log := a.Log.String(); !strings.Contains(log, `msg="oauthlogin: device_refused" event=device_refused provider=test subject=alice error=`) {
			t.Error(log)
		}
	})
}
