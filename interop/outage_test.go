package interop_test

import (
	"bufio"
	"net/http"
	"testing"
	"time"
)

// cooldown is how long logins may keep failing after the provider is back, because the application does not retry a
// failed provider at every request.
const cooldown = 40 * time.Second

// TestOutage stops and restarts providers and applications while users sign in.
func TestOutage(t *testing.T) {
	for kind, newProvider := range providers {
		t.Run(kind, func(t *testing.T) {
			for _, scenario := range []struct {
				name string
				run  func(*testing.T, *app, provider)
			}{
				{"the provider comes back with new keys", newKeys},
				{"the provider is down for a while", providerDown},
				{"the application starts before the provider", appFirst},
				{"the application restarts in the middle of a login", appRestarts},
				{"the application stops with a stream open", stopsWithStream},
			} {
				t.Run(scenario.name, func(t *testing.T) {
					a, p := newAppAt(t, newProvider)
					scenario.run(t, a, p)
				})
			}
		})
	}
}

func newKeys(t *testing.T, a *app, p provider) {
	p.start(t)
	a.start(t)
	before := newVisitor(t)
	signedIn(before, a, p)

	p.stop(t)
	p.start(t)
	signedIn(newVisitor(t), a, p)
	before.get(a.url+"/api/me", "application/json").want(http.StatusOK, a.url+"/api/me")
}

func providerDown(t *testing.T, a *app, p provider) {
	p.start(t)
	a.start(t)
	inside := newVisitor(t)
	signedIn(inside, a, p)
	onTheWay := newVisitor(t)
	onTheWay.pauseBefore = "/auth/callback"
	paused := p.signIn(onTheWay.open(a.url + "/dashboard"))

	p.stop(t)
	wantUnavailable(t, paused.resume())
	onTheWay.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")
	if login := onTheWay.get(a.url+"/login", "text/html"); login.status != http.StatusFound && login.status != http.StatusSeeOther {
		wantUnavailable(t, login) // cached metadata is enough for the redirect
	}

	inside.get(a.url+"/api/me", "application/json").want(http.StatusOK, a.url+"/api/me")
	inside.open(a.url+"/dashboard").want(http.StatusOK, a.url+"/dashboard")
	if profile := inside.get(a.url+"/api/profile", "application/json"); profile.status < 500 {
		t.Errorf("/api/profile without a provider: status %d; want a 5xx status", profile.status)
	}
	inside.get(a.url+"/api/me", "application/json").want(http.StatusOK, a.url+"/api/me")

	if out := inside.fetch(http.MethodPost, a.url, a.url+"/logout"); out.status != http.StatusFound && out.status != http.StatusSeeOther {
		t.Errorf("POST /logout without a provider: status %d:\n%s", out.status, out.body)
	}
	inside.get(a.url+"/api/me", "application/json").want(http.StatusUnauthorized, a.url+"/api/me")

	p.start(t)
	wantLoginAgain(t, a, p)
}

func appFirst(t *testing.T, a *app, p provider) {
	a.start(t)
	v := newVisitor(t)
	v.open(a.url+"/").want(http.StatusOK, a.url+"/")
	wantUnavailable(t, v.open(a.url+"/dashboard"))
	wantUnavailable(t, v.open(a.url+"/login"))

	p.start(t)
	wantLoginAgain(t, a, p)
}

func appRestarts(t *testing.T, a *app, p provider) {
	p.start(t)
	a.start(t)
	v := newVisitor(t)
	first := v.open(a.url + "/dashboard?restart=1")

	a.stop(t)
	a.start(t)
	p.signIn(first).want(http.StatusOK, a.url+"/dashboard?restart=1")

	a.stop(t)
	a.start(t)
	v.get(a.url+"/api/me", "application/json").want(http.StatusOK, a.url+"/api/me")
}

func stopsWithStream(t *testing.T, a *app, p provider) {
	p.start(t)
	a.start(t)
	v := newVisitor(t)
	signedIn(v, a, p)

	stream, err := v.client.Get(a.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil || stream.StatusCode != http.StatusOK {
		t.Fatalf("/events: status %d, first line: %v", stream.StatusCode, err)
	}
	start := time.Now()
	a.stop(t)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// wantUnavailable checks that the response is an HTML page with status 502, 503 or 504.
func wantUnavailable(t *testing.T, p *page) {
	t.Helper()
	if p.status != http.StatusBadGateway && p.status != http.StatusServiceUnavailable && p.status != http.StatusGatewayTimeout {
		t.Fatalf("%s: status %d; want 502, 503 or 504:\n%s", p.url, p.status, p.body)
	}
	p.wantType("text/html")
}

// wantLoginAgain waits until a login works again, without a restart of the application.
func wantLoginAgain(t *testing.T, a *app, p provider) {
	t.Helper()
	eventually(t, cooldown, "a login to reach the provider", func() bool {
		return newVisitor(t).open(a.url+"/login").status == http.StatusOK
	})
	signedIn(newVisitor(t), a, p)
}
