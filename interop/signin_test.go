package interop_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSignIn runs common user journeys with each kind of provider, without restarts.
func TestSignIn(t *testing.T) {
	for kind, newProvider := range providers {
		t.Run(kind, func(t *testing.T) {
			a, p := newAppAt(t, newProvider)
			p.start(t)
			a.start(t)

			for _, scenario := range []struct {
				name string
				run  func(*testing.T, *app, provider)
			}{
				{"a login lands where it started", landsWhereItStarted},
				{"the return path is kept byte for byte", keepsReturnPath},
				{"two tabs finish in reverse order", twoTabs},
				{"cancelled at the provider", cancelled},
				{"back to the callback", backToCallback},
				{"who signed in", whoSignedIn},
				{"logged out", loggedOut},
				{"a script that is not signed in", scriptSignedOut},
			} {
				t.Run(scenario.name, func(t *testing.T) { scenario.run(t, a, p) })
			}
		})
	}
}

func landsWhereItStarted(t *testing.T, a *app, p provider) {
	v := newVisitor(t)
	landed := signedIn(v, a, p)
	if name := p.wants().Name; !strings.Contains(landed.body, name) {
		t.Errorf("the dashboard does not contain %q:\n%s", name, landed.body)
	}
	if again := v.open(a.url + "/dashboard"); len(again.via) != 1 {
		t.Errorf("signed in, the dashboard was still redirected by way of %v", again.via)
	}
}

func keepsReturnPath(t *testing.T, a *app, p provider) {
	const path = "/dashboard?q=a%20b&u=http%3A%2F%2Fx&e=%E2%82%AC+1"
	landed := p.signIn(newVisitor(t).open(a.url + path))
	landed.want(http.StatusOK, a.url+path)
}

func twoTabs(t *testing.T, a *app, p provider) {
	v := newVisitor(t)
	first := v.open(a.url + "/dashboard?tab=first")
	second := v.open(a.url + "/dashboard?tab=second")
	p.signIn(second).want(http.StatusOK, a.url+"/dashboard?tab=second")
	p.signIn(first).want(http.StatusOK, a.url+"/dashboard?tab=first")
}

func cancelled(t *testing.T, a *app, p provider) {
	v := newVisitor(t)
	denied := p.cancel(v.open(a.url + "/dashboard?after=cancel")).wantType("text/html")
	if denied.status != http.StatusBadRequest || denied.url.Path != "/auth/callback" {
		t.Fatalf("ended at %s with status %d; want the callback with status 400", denied.url, denied.status)
	}
	v.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")

	again := denied.click("/login")
	p.signIn(again).want(http.StatusOK, a.url+"/dashboard?after=cancel")
}

func backToCallback(t *testing.T, a *app, p provider) {
	v := newVisitor(t)
	v.pauseBefore = "/auth/callback"
	before := p.tokenCalls(t)
	paused := p.signIn(v.open(a.url + "/dashboard?back=1"))
	paused.resume().want(http.StatusOK, a.url+"/dashboard?back=1")

	again := v.open(paused.next.String())
	if again.status != http.StatusOK || again.url.Path != "/dashboard" && again.url.Path != "/" {
		t.Errorf("the callback again ended at %s with status %d:\n%s", again.url, again.status, again.body)
	}
	if calls := p.tokenCalls(t) - before; calls != 1 {
		t.Errorf("%d requests to the token endpoint; want 1", calls)
	}
	v.get(a.url+"/api/me", "application/json").want(http.StatusOK, a.url+"/api/me")

	// The callback URL is useless in another browser.
	stranger := newVisitor(t)
	if got := stranger.open(paused.next.String()); got.status < 400 || got.status > 499 {
		t.Errorf("another browser's callback ended at %s with status %d; want a 4xx status", got.url, got.status)
	}
	stranger.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")
	if calls := p.tokenCalls(t) - before; calls != 1 {
		t.Errorf("%d requests to the token endpoint after another browser's callback; want 1", calls)
	}
}

func whoSignedIn(t *testing.T, a *app, p provider) {
	v := newVisitor(t)
	signedIn(v, a, p)

	var me identity
	v.fetch(http.MethodGet, a.url, a.url+"/api/me").want(http.StatusOK, a.url+"/api/me").json(&me)
	want := p.wants()
	want.Provider = me.Provider // the name depends on the example
	if me != want || me.Provider == "" {
		t.Errorf("/api/me: %+v; want %+v and a provider", me, want)
	}

	var profile identity
	v.fetch(http.MethodGet, a.url, a.url+"/api/profile").want(http.StatusOK, a.url+"/api/profile").json(&profile)
	if profile.Subject != me.Subject {
		t.Errorf("/api/profile: subject %q; want %q", profile.Subject, me.Subject)
	}
}

func loggedOut(t *testing.T, a *app, p provider) {
	v := newVisitor(t)
	out := signedIn(v, a, p).submit(nil)
	if out.via[0].String() != a.url+"/logout" {
		t.Fatalf("the dashboard's form was submitted by way of %v", out.via)
	}
	v.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")
	p.signOut(out).want(http.StatusOK, a.url+"/")

	v.pauseBefore = "/login"
	if again := v.open(a.url + "/dashboard"); again.next == nil {
		t.Fatalf("logged out, the dashboard returned %d:\n%s", again.status, again.body)
	}
	v.pauseBefore = ""
	if again := v.open(a.url + "/dashboard"); again.form() == nil || !strings.HasPrefix(again.url.String(), p.issuer()) {
		t.Errorf("logged out at the provider too, the dashboard led to %s", again.url)
	}
}

func scriptSignedOut(t *testing.T, a *app, _ provider) {
	v := newVisitor(t)
	address := a.url + "/api/me?x=1"
	for name, got := range map[string]*page{
		"fetch":                    v.fetch(http.MethodGet, a.url, address),
		"Accept: application/json": v.get(address, "application/json"),
	} {
		var body struct {
			Error    string `json:"error"`
			LoginURL string `json:"login_url"`
		}
		got.want(http.StatusUnauthorized, address).json(&body)
		if body.Error != "unauthenticated" || body.LoginURL != "/login?return_to="+url.QueryEscape("/api/me?x=1") {
			t.Errorf("%s: %s", name, got.body)
		}
		if got.header.Get("WWW-Authenticate") == "" || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: header %v; want WWW-Authenticate and no cookie", name, got.header)
		}
	}
}

// TestPlainOAuth configures three endpoints and no issuer, so that the application uses plain OAuth 2.0.
func TestPlainOAuth(t *testing.T) {
	a := newApp(t)
	p := newPanva(t, a.url)
	p.start(t)
	a.registered(
		"OAUTH_AUTH_URL="+p.issuer()+"/auth",
		"OAUTH_TOKEN_URL="+p.issuer()+"/token",
		"OAUTH_USERINFO_URL="+p.issuer()+"/me",
	)
	a.start(t)
	keepsReturnPath(t, a, p)
	cancelled(t, a, p)
	backToCallback(t, a, p)
	whoSignedIn(t, a, p)
}

// TestRotation sends concurrent requests while an access token that lasts five seconds is due for a refresh. panva revokes
// all tokens if a refresh token is used twice. At the end, the test signs out of the application and the provider.
func TestRotation(t *testing.T) {
	for name, newProvider := range providers {
		t.Run(name, func(t *testing.T) {
			a, p := newAppAt(t, newProvider)
			a.env = append(a.env, "OAUTH_SCOPES=openid profile email offline_access")
			p.shortTokens()
			p.start(t)
			a.start(t)
			v := newVisitor(t)
			signedIn(v, a, p)

			for rotation := 1; rotation <= 3; rotation++ {
				rotated := make(chan struct{})
				var requests sync.WaitGroup
				for range 8 {
					requests.Go(func() { askUntil(t, v, a.url+"/api/profile", rotated) })
				}
				eventually(t, patience, "the token to be refreshed", func() bool { return p.tokenCalls(t) > rotation })
				close(rotated)
				requests.Wait()
				if calls := p.tokenCalls(t); calls != 1+rotation {
					t.Errorf("%d requests to the token endpoint after %d rotations; want %d", calls, rotation, 1+rotation)
				}
			}

			dashboard := v.open(a.url+"/dashboard").want(http.StatusOK, a.url+"/dashboard")
			p.signOut(dashboard.submit(nil)).want(http.StatusOK, a.url+"/")
			if n := p.revocations(t); n != 1 {
				t.Errorf("%d refresh tokens were revoked; want 1", n)
			}
		})
	}
}

// askUntil requests url in a loop until done is closed. Each status must be 200.
func askUntil(t *testing.T, v *visitor, url string, done <-chan struct{}) {
	for {
		resp, err := v.client.Get(url)
		if err != nil {
			t.Error(err)
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d; want 200", url, resp.StatusCode)
			return
		}
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// signedIn signs the visitor in and returns the dashboard.
func signedIn(v *visitor, a *app, p provider) *page {
	v.t.Helper()
	return p.signIn(v.open(a.url+"/dashboard")).want(http.StatusOK, a.url+"/dashboard")
}

// eventually waits until the condition holds.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
