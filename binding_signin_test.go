package oauthlogin_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Without its bound cookie, a bound session does not count for a login either: OnSignIn has no
// Previous, and a callback that is over does not lead on.
func TestLoginsWithCopiedCookies(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		var previous []bool
		a := newBoundApp(t, func(opts *oauthlogin.Options) {
			if with.Change != nil {
				with.Change(opts)
			}
			opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
				previous = append(previous, in.Previous != nil)
				return nil
			}
		})
		b := boundBrowser(t, a)
		time.Sleep(time.Minute)
		copied := b.Clone()
		copied.SetCookie(apptest.BoundCookie, "")
		stale := "/auth/callback?code=x&state=unknown"
		if resp := copied.Get(stale); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a copy: %d to %q", resp.StatusCode, resp.Location())
		}
		if resp := b.Get(stale); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the user: %d %s", resp.StatusCode, resp.Text)
		}
		b.Login("/dashboard")
		copied.Login("/dashboard")
		if len(previous) != 3 || previous[0] || !previous[1] || previous[2] {
			t.Errorf("Previous of the first login, of the user and of a copy: %v", previous)
		}
	})
}

// What the endpoint hands out for one purpose is good for no other.
func TestDevicePurposes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBoundApp(t, nil)
		b := a.Browser(t)
		device := &devicetest.Device{}
		_, offered, _ := device.Offer(b.Get(b.CallbackURL("/login?return_to=/dashboard")).Header)
		key := device.NewKey()
		registered := proves(t, a, "Secure-Session-Response", devicetest.Proof(key, offered, true))
		asked, identifier := devicetest.Challenged(registered.Header)
		cookie, err := http.ParseSetCookie(registered.Header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		for name, header := range map[string][]string{
			"a registration's challenge in a renewal": {"Sec-Secure-Session-Id", identifier, "Secure-Session-Response", devicetest.Proof(key, offered, false)},
			"a registration's proof in a renewal":     {"Sec-Secure-Session-Id", identifier, "Secure-Session-Response", devicetest.Proof(key, offered, true)},
			"a renewal's challenge in a registration": {"Secure-Session-Response", devicetest.Proof(key, asked, true)},
			"a renewal's proof in a registration":     {"Secure-Session-Response", devicetest.Proof(key, asked, false)},
			"a bound cookie for an identifier":        {"Sec-Secure-Session-Id", cookie.Value},
			"a challenge for an identifier":           {"Sec-Secure-Session-Id", asked},
		} {
			wantNoCookie(t, name, proves(t, a, header...), http.StatusBadRequest)
		}
		for name, value := range map[string]string{"identifier": identifier, "offered challenge": offered, "asked challenge": asked} {
			b.SetCookie(apptest.BoundCookie, value)
			if resp := b.Get("/bound"); resp.Text != "not bound" {
				t.Errorf("%s as a bound cookie: %d %q", name, resp.StatusCode, resp.Text)
			}
		}
	})
}

// The session of a user whose browser cannot renew its bound cookie goes on: a login that is
// refused does not revoke what belongs to its grant.
func TestRefusedLoginBesideBoundSession(t *testing.T) {
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		refuse := false
		a := newBoundApp(t, func(opts *oauthlogin.Options) {
			if with.Change != nil {
				with.Change(opts)
			}
			opts.OnSignIn = func(context.Context, *oauthlogin.SignIn) error {
				if refuse {
					return errNotInvited
				}
				return nil
			}
		})
		b := boundBrowser(t, a)
		b.Device.Disabled = true
		time.Sleep(11 * time.Minute)
		refuse = true
		for user, revoked := range map[string]int{"alice": 0, "bob": 1} {
			a.Provider.AutoApprove(user)
			before := a.Provider.Count(oauthlogintest.Revocation)
			if resp := b.Follow("/login"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d %s", user, resp.StatusCode, resp.Text)
			}
			if n := a.Provider.Count(oauthlogintest.Revocation) - before; n != revoked {
				t.Errorf("%s: %d tokens are revoked, want %d", user, n, revoked)
			}
		}
		b.Device.Disabled = false
		wantBound(t, b, "bound")
	})
}
