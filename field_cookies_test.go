package oauthlogin_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// On plain http another application of the host may leave a cookie of our name. The
// one that opens counts, when exactly one does.
func TestTwoCookiesOfOneName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, origin string
		signedIn     bool
	}{
		{"on loopback", "http://localhost:3000", true},
		{"on https", "https://app.test", false},
	} {
		a := apptest.New(t, apptest.Config{Origin: tt.origin})
		b := a.Browser(t)
		b.Login("/dashboard")
		var name, value string
		for name, value = range b.Cookies() {
		}
		bare := a.BareBrowser(t)
		get := func(cookies ...string) *apptest.Response {
			return bare.Get("/api/me", "Cookie", strings.Join(cookies, "; "), "Sec-Fetch-Mode", "navigate")
		}
		ours, stale := name+"="+value, name+"=1stale-from-another-application"
		for _, cookies := range [][]string{{ours, stale}, {stale, ours}, {stale, ours, name + "=", ours}} {
			if resp := get(cookies...); (resp.StatusCode == http.StatusOK) != tt.signedIn {
				t.Errorf("%s: %d with %.20q", tt.name, resp.StatusCode, cookies)
			}
		}
		if !tt.signedIn {
			continue
		}
		other := a.Browser(t)
		other.Login("/dashboard")
		for _, cookies := range [][]string{{ours, name + "=" + other.Cookies()[name]}, {stale, name + "=2another"}} {
			if resp := get(cookies...); resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Text, "does not keep you signed in") {
				t.Errorf("both or none: %d to %q", resp.StatusCode, resp.Location())
			}
		}
		// A session that is over does not keep the user from signing in.
		b.LogOut("/")
		if resp := get(ours, stale); resp.StatusCode != http.StatusFound {
			t.Errorf("signed out: %d", resp.StatusCode)
		}
	}
}

func TestLargeCookiesAreNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		warned := func() int { return strings.Count(a.Log.String(), "larger than proxies let pass") }
		b := a.Browser(t)
		b.Login("/dashboard")
		if n := warned(); n != 0 {
			t.Errorf("%d warnings: %s", n, a.Log)
		}
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = "r" + apptest.Incompressible(2000) })
		for range 3 {
			a.Browser(t).Login("/dashboard")
		}
		if n := warned(); n != 1 || !strings.Contains(a.Log.String(), "level=WARN") || !strings.Contains(a.Log.String(), "Options.Store") {
			t.Errorf("%d warnings: %s", n, a.Log)
		}
		time.Sleep(time.Minute)
		a.Browser(t).Login("/dashboard")
		if n := warned(); n != 2 {
			t.Errorf("%d warnings after a minute", n)
		}
	})
}

// After a logout no page signs the user in again, until the user does so on purpose.
func TestSilentLoginStaysOffAfterLogout(t *testing.T) {
	t.Parallel()
	for _, seenBefore := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 100 * time.Hour}})
			a.NoEndSession() // the provider still knows the user
			a.Routes = func(mux *http.ServeMux) {
				mux.Handle("/public", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					s, ok := oauthlogin.FromContext(r.Context())
					if fmt.Fprint(w, "public"); ok {
						fmt.Fprintf(w, " for %s", s.User.Subject)
					}
				})))
			}
			b := a.Browser(t)
			reads := func(when, want string) {
				t.Helper()
				if resp := b.Follow("/public"); resp.Text != want {
					t.Errorf("seen before %v: %s: %q", seenBefore, when, resp.Text)
				}
			}
			if seenBefore {
				reads("at first", "public for alice")
			}
			b.Login("/dashboard")
			b.LogOut("/")
			reads("at once", "public")
			for _, wait := range []time.Duration{time.Minute, time.Hour, 7 * 24 * time.Hour, 40 * 24 * time.Hour, 300 * 24 * time.Hour} {
				time.Sleep(wait)
				reads(wait.String(), "public")
			}
			b.Login("/dashboard") // on purpose
			reads("signed in", "public for alice")
			b.LogOut("/")
			time.Sleep(time.Hour)
			reads("signed out again", "public")
			b.Login("/dashboard")
			for name := range b.Cookies() {
				if strings.HasSuffix(name, "oauthlogin") {
					b.SetCookie(name, "") // the session gets lost, without a logout
				}
			}
			time.Sleep(time.Hour)
			reads("lost", "public for alice")
		})
	}
}

// With several providers, one of them may let its users write what another one vouches
// for.
func TestPolicyNamesWhoseClaims(t *testing.T) {
	t.Parallel()
	panics := func(auth *oauthlogin.Middleware, policy oauthlogin.Policy) (said string) {
		defer func() {
			if p := recover(); p != nil {
				said = fmt.Sprint(p)
			}
		}()
		auth.Require(policy)
		return ""
	}
	a, _ := apptest.NewTwoProviders(t, nil)
	groups := map[string][]string{"groups": {"admin"}}
	if said := panics(a.Auth, oauthlogin.Policy{Claims: groups}); !strings.Contains(said, "Policy.Providers") {
		t.Errorf("claims of anyone: %q", said)
	}
	for _, policy := range []oauthlogin.Policy{{Providers: []string{"one"}, Claims: groups}, {Providers: []string{"one", "two"}, Claims: groups}, {Scopes: []string{"profile"}}} {
		if said := panics(a.Auth, policy); said != "" {
			t.Errorf("%v: %q", policy, said)
		}
	}
	if said := panics(apptest.New(t, apptest.Config{}).Auth, oauthlogin.Policy{Claims: groups}); said != "" {
		t.Errorf("one provider: %q", said)
	}
}

func TestPolicyBelievesVerifiedEmailAlone(t *testing.T) {
	t.Parallel()
	email := map[string][]string{"email": {"alice@example.com"}}
	for _, tt := range []struct {
		name     string
		verified any
		claims   map[string][]string
		status   int
	}{
		{"verified", true, email, http.StatusOK},
		{"not verified", false, email, http.StatusForbidden},
		{"not said", nil, email, http.StatusForbidden},
		{"a text", "true", email, http.StatusForbidden},
		{"another claim", false, map[string][]string{"contact": {"alice@example.com"}}, http.StatusOK},
	} {
		a := apptest.New(t, apptest.Config{})
		a.Provider.EditIDToken(func(_, claims map[string]any) {
			claims["name"], claims["email"], claims["contact"] = "Alice", "alice@example.com", "alice@example.com"
			if claims["email_verified"] = tt.verified; tt.verified == nil {
				delete(claims, "email_verified")
			}
		})
		a.GuardBy(oauthlogin.Policy{Claims: tt.claims})
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/guarded"); resp.StatusCode != tt.status {
			t.Errorf("%s: %d", tt.name, resp.StatusCode)
		}
	}
	// What Identify has verified is Email, and not what else the provider says.
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		apptest.PlainOAuth(o)
		identify := o.Providers[0].Identify
		o.Providers[0].Identify = func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			user, err := identify(ctx, client)
			user.RawClaims = []byte(`{"email":"admin@example.com"}`)
			return user, err
		}
	}})
	b := a.Browser(t)
	b.Login("/dashboard")
	for _, address := range []string{"admin@example.com", "alice@example.com"} {
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"email": {address}}})
		if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("another address among the claims: %d", resp.StatusCode)
		}
	}
}
