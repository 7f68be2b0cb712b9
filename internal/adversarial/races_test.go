package adversarial_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A client that hangs up before a refresh is refused does not get its request
// served.
func TestHangingUpRunsNoHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(2 * time.Hour)
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			time.Sleep(2 * time.Second)
			apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`)(w, r, nil)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a.Ask(ctx, b.Cookies(), "/access")
		time.Sleep(5 * time.Second)
		if a.Called("/access") > 0 {
			t.Error("the handler ran")
		}
	})
}

// A slow response that brings back the previous user's cookie does not sign in
// that user again.
func TestSlowResponseOfTheUserBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		alice := b.Cookies()
		time.Sleep(3 * time.Hour) // due to be sealed anew
		slow := a.Ask(t.Context(), alice, "/api/me")
		a.Provider.AutoApprove("bob")
		b.Login("/dashboard")
		if after := a.Ask(t.Context(), apptest.Kept(b.Cookies(), slow), "/api/me").Body.String(); strings.Contains(after, `"alice"`) {
			t.Errorf("signed in as %s", after)
		}
	})
}

// A store with latency: another request refreshes between the load and the save of
// the first one.
func TestSlowSaveKeepsNewerTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &hookedStore{Store: apptest.FileStore(t)}
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Store = store }})
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(3 * time.Hour) // due for a refresh, and to be sealed anew
		n := 0
		store.hook = func(r *http.Request) {
			if r.URL.Path != "/" {
				return
			}
			if n++; n == 2 { // the read that precedes the save
				if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK {
					t.Errorf("refreshing request: %d", w.Code)
				}
			}
		}
		a.Ask(t.Context(), cookies, "/", "Accept", "text/html") // public: seals anew, without a refresh
		a.WantRefreshes(t, 1)
		a.Restart(t) // or another instance
		time.Sleep(time.Hour)
		if w := a.Ask(t.Context(), cookies, "/access"); w.Code != http.StatusOK {
			t.Errorf("signed out: %d; the store went back to the spent refresh token", w.Code)
		}
	})
}

// A hookedStore calls hook before it reads a session.
type hookedStore struct {
	sessions.Store
	hook func(r *http.Request)
}

func (s *hookedStore) New(r *http.Request, name string) (*sessions.Session, error) {
	if s.hook != nil {
		s.hook(r)
	}
	return s.Store.New(r, name)
}

// A panic of the application's OnEvent costs a request, not the process.
func TestPanicInRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
			o.OnEvent = func(_ context.Context, e oauthlogin.Event) {
				if e.Kind == oauthlogin.EventRefresh {
					panic("a bug in the application's hook")
				}
			}
		}})
		h := a.Net["app.test"]
		a.Net["app.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { recover() }() // as net/http does
			h.ServeHTTP(w, r)
		})
		b := a.Browser(t)
		b.Login("/")
		time.Sleep(time.Hour)
		b.Get("/access")
		if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
			t.Errorf("afterwards: %d, token %q", resp.StatusCode, resp.Text)
		}
	})
}

// A client that hangs up during a slow refresh does not wait for it, and finds the
// new tokens with its next request.
func TestHangUpDuringRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.SlowTokens(5 * time.Second)
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Client.Transport = apptest.ServePipes(t, a.Net["app.test"])
		time.Sleep(2 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Client.Do(b.Request(http.MethodGet, "/access", nil).WithContext(ctx)); err == nil {
			t.Fatal("the refresh took no time")
		}
		start := time.Now()
		if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" || time.Since(start) != 4*time.Second {
			t.Errorf("after %v: %d, token %q", time.Since(start), resp.StatusCode, resp.Text)
		}
		a.WantRefreshes(t, 1)
		if n := a.Provider.Count(oauthlogintest.Token); n != 2 {
			t.Errorf("%d token requests", n)
		}
	})
}
