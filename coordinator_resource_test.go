package oauthlogin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// fleetWithAPIs is a fleet whose instances call APIs.
func fleetWithAPIs(t *testing.T, n int) (*fleet, *apiServer) {
	f := newFleet(t, n, apptest.Config{Provider: oauthlogintest.Config{JWTAccessTokens: true, Resources: []string{ordersAPI, invoicesAPI, auditName}}})
	return f, serveAPIs(f.App)
}

// callAt has instance i call an API for a request with these cookies.
func (f *fleet) callAt(i int, cookies map[string]string, target string, to oauthlogin.Resource) *httptest.ResponseRecorder {
	return f.record(f.instances[i].RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := f.instances[i].ClientFor(r.Context(), to).Get(target)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
	})), f.request("https://app.test/call", cookies))
}

var orders = oauthlogin.Resource{URL: ordersAPI}

// The token of an API is sealed in the Coordinator: all instances use it, and no cookie and
// no request shows it.
func TestCoordinatorSharesResourceTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, api := fleetWithAPIs(t, 3)
		b := f.known(t, "alice")
		cookies := b.Cookies() // without the rotated refresh token
		for i := range f.instances {
			if w := f.callAt(i, cookies, ordersAPI, orders); w.Code != http.StatusOK {
				t.Errorf("instance %d: %d %s", i, w.Code, w.Body)
			}
		}
		f.WantRefreshes(t, 1)
		sent := api.calls()
		if len(sent) != 3 || sent[0] != sent[1] || sent[1] != sent[2] || strings.Contains(f.shared.seen(), sent[0]) {
			t.Errorf("%d calls, or the Coordinator sees the token", len(sent))
		}
		if f.shared.holds("resource:") != 1 {
			t.Errorf("keys %q", f.shared.stored())
		}

		// It is renewed once, and so is the session's own token.
		time.Sleep(refreshDue)
		for i := range f.instances {
			if w := f.callAt(i, cookies, ordersAPI, orders); w.Code != http.StatusOK {
				t.Errorf("instance %d: %d %s", i, w.Code, w.Body)
			}
		}
		f.WantRefreshes(t, 3)

		// An instance whose Coordinator has lost everything gets one of its own.
		if w := f.callAt(1, cookies, invoicesAPI, oauthlogin.Resource{URL: invoicesAPI}); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		f.WantRefreshes(t, 4)
		f.at(2)
		b.WantUser("/api/me", "alice")
	})
}

// Instances that need tokens for several APIs at once, and for the session itself, send each
// refresh token once.
func TestCoordinatorResourcesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _ := fleetWithAPIs(t, 3)
		b := f.known(t, "alice")
		time.Sleep(refreshDue)
		cookies := b.Cookies()
		f.SlowTokens(300 * time.Millisecond)
		var wg sync.WaitGroup
		for i := range f.instances {
			for _, to := range []oauthlogin.Resource{orders, {URL: invoicesAPI}, {Audience: auditName}} {
				target := to.URL
				if target == "" {
					target = invoicesAPI
				}
				for range 3 {
					wg.Go(func() {
						if w := f.callAt(i, cookies, target, to); w.Code != http.StatusOK {
							t.Errorf("instance %d, %s: %d %s", i, target, w.Code, w.Body)
						}
					})
				}
			}
		}
		wg.Wait()
		f.WantRefreshes(t, 4)
		for i := range f.instances {
			if w := f.ask(i, cookies); w.Code != http.StatusOK {
				t.Errorf("instance %d: %d", i, w.Code)
			}
		}
	})
}

// A provider that does not rotate gives one token too, and no new generation.
func TestCoordinatorResourceWithoutRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, api := fleetWithAPIs(t, 2)
		b := f.known(t, "alice")
		f.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			time.Sleep(time.Second)
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"access_token":"for-the-api","token_type":"Bearer","expires_in":600}`))
		})
		cookies := b.Cookies()
		var wg sync.WaitGroup
		for i := range f.instances {
			wg.Go(func() {
				if w := f.callAt(i, cookies, ordersAPI, orders); w.Code != http.StatusOK {
					t.Errorf("instance %d: %d %s", i, w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		if n := len(f.Refreshes(t)); n != 1 || len(api.calls()) != 2 {
			t.Errorf("%d requests for a token", n)
		}
	})
}

// A session that ends at one instance has no token of an API at another one.
func TestCoordinatorResourceAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, api := fleetWithAPIs(t, 2)
		b := f.known(t, "alice")
		cookies := b.Cookies()
		for i := range f.instances {
			f.callAt(i, cookies, ordersAPI, orders)
		}
		stream := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			w := f.record(f.instances[1].RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-stream
				_, err := f.instances[1].ClientFor(r.Context(), orders).Get(ordersAPI)
				http.Error(w, err.Error(), http.StatusBadGateway)
			})), f.request("https://app.test/call", cookies))
			if !strings.Contains(w.Body.String(), "no session") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
		synctest.Wait()
		api.calls()
		b.LogOut("/")
		synctest.Wait()
		close(stream)
		wg.Wait()
		if len(api.calls()) > 0 {
			t.Error("the token went out")
		}
	})
}

// While the Coordinator is away there is no turn, and no token but those in memory. A
// rotated refresh token that it does not take is told when it is back.
func TestCoordinatorAwayWithResources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _ := fleetWithAPIs(t, 2)
		b := f.known(t, "alice")
		cookies := b.Cookies()
		f.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			f.shared.SetDown(true)
			next(w, r)
		})
		if w := f.callAt(0, cookies, ordersAPI, orders); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		time.Sleep(10 * time.Second)
		for range 2 {
			if w := f.callAt(0, cookies, ordersAPI, orders); w.Code != http.StatusOK {
				t.Errorf("from memory: %d %s", w.Code, w.Body)
			}
			if w := f.callAt(0, cookies, invoicesAPI, oauthlogin.Resource{URL: invoicesAPI}); w.Code != http.StatusBadGateway {
				t.Errorf("without a turn: %d %s", w.Code, w.Body)
			}
		}
		f.shared.SetDown(false)
		f.RespondToRefreshes(nil)
		time.Sleep(15 * time.Second)
		if w := f.callAt(1, cookies, invoicesAPI, oauthlogin.Resource{URL: invoicesAPI}); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		f.WantRefreshes(t, 2)
	})
}

// A token that outlives every session is not kept for longer than its own.
func TestCoordinatorKeepsNoResourceTokenOfOverSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _ := fleetWithAPIs(t, 1)
		defer f.close()
		b := f.known(t, "alice")
		f.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"access_token":"for-the-api","token_type":"Bearer","expires_in":31536000}`))
		})
		time.Sleep(time.Hour / 2)
		if w := f.callAt(0, b.Cookies(), ordersAPI, orders); w.Code != http.StatusOK || f.shared.holds("resource:") != 1 {
			t.Fatalf("%d %s; keys %q", w.Code, w.Body, f.shared.stored())
		}
		time.Sleep(7*24*time.Hour - time.Hour/2 + time.Minute)
		if f.shared.holds("resource:") != 0 {
			t.Errorf("keys %q", f.shared.stored())
		}
	})
}
