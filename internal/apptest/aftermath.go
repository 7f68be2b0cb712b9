package apptest

import (
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An Aftermath is what there is after an attack. What it does not name was
// saved: no user is signed in, no code went out, no guarded handler ran.
type Aftermath struct {
	User  string // whom the browser is signed in as
	Codes int    // that went to the token endpoint
	Runs  int    // of guarded handlers
	Asked int    // requests to the attacker's host
}

// Leaves fails the test unless the attack left this behind: in the browser, at
// the provider, behind the gate, and in everything that was said, logged or
// redirected to. Then the provider is itself again, and the same browser can
// sign in.
func (a *App) Leaves(b *Browser, want Aftermath) {
	t := a.T
	t.Helper()
	runs := func() int { return a.Called("/dashboard") + a.Called("/api/me") + a.Called("/admin") }
	got := Aftermath{Codes: a.Provider.Count(oauthlogintest.Token), Runs: runs()}
	if user := strings.TrimPrefix(b.Get("/").Text, "home of "); user != "nobody" {
		got.User = user
	}
	if signedIn := b.SignedIn(); signedIn != (got.User != "") {
		t.Errorf("home of %q, and the gate is open: %t", got.User, signedIn)
	}
	told := a.Told()
	a.record.mu.Lock()
	got.Asked = len(a.record.reached)
	said := a.record.said.String()
	a.record.mu.Unlock()
	if got != want {
		t.Errorf("left behind: %+v; want %+v", got, want)
	}
	for _, location := range told {
		switch origin := BrowserOrigin(location); {
		case origin == "https://provider.test":
			if strings.Contains(location, "hostile") {
				t.Errorf("provider was asked at %s", location)
			}
		case origin != "https://app.test":
			t.Errorf("led to %q, which is %s", location, origin)
		}
	}
	a.Leaks(t, said)

	a.Provider.EditDiscovery(nil)
	a.Provider.EditTokenResponse(nil)
	a.Provider.EditIDToken(nil)
	a.Provider.SignWith(nil)
	a.Provider.EditUserInfo(nil)
	for _, e := range []oauthlogintest.Endpoint{
		oauthlogintest.Discovery, oauthlogintest.JWKS, oauthlogintest.Authorization, oauthlogintest.Token,
		oauthlogintest.UserInfo, oauthlogintest.Revocation, oauthlogintest.EndSession, oauthlogintest.PushedAuthorization,
	} {
		a.Provider.Intercept(e, nil)
	}
	a.Wire.CutBy(nil)
	a.Provider.AutoApprove("alice")
	time.Sleep(time.Minute) // past what failed discoveries and fetches of keys wait
	if resp := b.Login("/dashboard"); !strings.Contains(resp.Text, `"Subject":"alice"`) {
		t.Errorf("a clean login afterwards: %s", resp.Text)
	}
}

// Expect fails the test unless a response has this status and Location.
func (a *App) Expect(what string, resp *Response, status int, location string) {
	a.T.Helper()
	if resp.StatusCode != status || resp.Location() != location {
		a.T.Errorf("%s: %d to %q; want %d to %q", what, resp.StatusCode, resp.Location(), status, location)
	}
}
