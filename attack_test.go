package oauthlogin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// The ID token of a plain OAuth 2.0 provider is verified by nobody: it says
// nothing of when and how the user signed in.
func TestUnverifiedIDTokenSatisfiesNoPolicy(t *testing.T) {
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		apptest.PlainOAuth(opts)
		identify := opts.Providers[0].Identify
		opts.Providers[0].Identify = func(ctx context.Context, c *http.Client) (oauthlogin.User, error) {
			u, err := identify(ctx, c)
			u.RawClaims = fmt.Appendf(nil, `{"auth_time":%d,"acr":"phr"}`, time.Now().Unix())
			return u, err
		}
	}})
	a.GuardBy(oauthlogin.Policy{MaxAge: time.Hour, ACR: []string{"phr"}})
	a.Provider.EditTokenResponse(func(r map[string]any) { r["id_token"] = "not.even.verified" })
	b := a.Browser(t)
	b.Login("/dashboard")
	if resp := b.Get("/guarded"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("guarded: %d %s", resp.StatusCode, resp.Text)
	}
}

// And no step-up goes round between us and such a provider.
func TestUnverifiedIDTokenGoesRoundNowhere(t *testing.T) {
	a := apptest.New(t, apptest.Config{Change: apptest.PlainOAuth})
	a.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
	a.Provider.EditTokenResponse(func(r map[string]any) { r["id_token"] = "x" })
	b := a.Browser(t)
	b.Login("/dashboard")
	next := "/guarded"
	n := 0
	for ; n < 60; n++ {
		resp := b.Get(next)
		if resp.Location() == "" {
			t.Logf("ended: %d", resp.StatusCode)
			break
		}
		u, _ := resp.Request.URL.Parse(resp.Location())
		next = u.String()
	}
	if n == 60 {
		t.Errorf("redirected %d times; %d token requests", n, a.Provider.Count(oauthlogintest.Token))
	}
}

// A session that a handler around the gate has ended opens it no more.
func TestGateIsClosedAfterSignOut(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	var client *http.Client
	a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization") != "") })
	inner := a.Auth.RequireAuth(a.Count(func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		client = a.Auth.Client(r.Context())
		resp, err := client.Get("https://api.test/")
		fmt.Fprint(w, "secret of ", s.User.Subject, " token: ", s.Token() != nil, resp != nil, err)
	}))
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/secret", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.SignOut(w, r) // account deleted
			inner.ServeHTTP(w, r)
		})
	}
	b := a.Browser(t)
	b.Login("/dashboard")
	resp := b.Get("/secret")
	if a.Called("/secret") > 0 {
		t.Errorf("next ran after SignOut: %d %s", resp.StatusCode, resp.Text)
	}
}

// http.FileServer takes Cache-Control off its errors; a session cookie in one
// must not be cached all the same (CVE-2025-48947 of nextjs-auth0).
func TestErrorsOfFileServerAreNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "x.txt"), []byte("x"), 0o600)
		a := apptest.New(t, apptest.Config{})
		a.Provider.SetKeyAlg("EdDSA")
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/files/", a.Auth.RequireAuth(http.StripPrefix("/files/", http.FileServer(http.Dir(dir)))))
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(3 * time.Hour)
		resp := b.Get("/files/missing.txt")
		if len(resp.Header["Set-Cookie"]) == 0 || resp.Header.Get("Cache-Control") != "" || resp.Header.Get("Expires") != "0" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	})
}

// A request full of flow cookies costs little, and its answer is small.
func TestManyFlowCookiesAreBounded(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	var many strings.Builder
	for i := range 2900 {
		fmt.Fprintf(&many, "%s%d=;", apptest.FlowPrefix, i)
	}
	r := httptest.NewRequest(http.MethodGet, "/login", nil)
	r.Header.Set("Cookie", many.String())
	w := httptest.NewRecorder()
	a.Auth.Login(w, r)
	if n := len(w.Header()["Set-Cookie"]); w.Code != http.StatusSeeOther || n > 100 {
		t.Errorf("%d with %d cookies", w.Code, n)
	}
}

// A role that the provider has taken away ends with the next refreshed ID token.
func TestRemovedGroupIsGoneAfterRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{Users: []oauthlogintest.User{
			{Subject: "alice", Name: "Alice", Email: "a@example.com", EmailVerified: true, Claims: map[string]any{"groups": []string{"admin"}}},
		}}})
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
		b := a.Browser(t)
		b.Login("/dashboard")
		if b.Get("/guarded").StatusCode != 200 {
			t.Fatal("not admitted")
		}
		a.Provider.EditIDToken(func(_, c map[string]any) { delete(c, "groups") })
		time.Sleep(time.Hour)
		if resp := b.Get("/guarded"); resp.StatusCode != 403 {
			t.Errorf("after the group is gone from the refreshed, verified ID token: %d (refreshes %d)", resp.StatusCode, a.Provider.Count(oauthlogintest.Token))
		}
	})
}

// A panic of a hook costs a request, not the process.
func TestPanicInRefresh(t *testing.T) { synctest.Test(t, panicInRefresh) }

func panicInRefresh(t *testing.T) {
	a := apptest.New(t, apptest.Config{
		Change: func(o *oauthlogin.Options) {
			o.OnEvent = func(_ context.Context, e oauthlogin.Event) {
				if e.Kind == oauthlogin.EventRefresh {
					panic("a bug in the application's hook")
				}
			}
		},
	})
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
}

// Who hangs up before the provider says no gets nothing done.
func TestHangingUpRunsNoHandler(t *testing.T) {
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
			t.Error("next ran for a client that hung up during a refresh that was then refused")
		}
	})
}

// A slow response that brings back the cookie of the user before signs nobody
// in as that user.
func TestSlowResponseOfTheUserBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		alice := b.Cookies()
		time.Sleep(3 * time.Hour) // due to be sealed anew
		slow := a.Ask(t.Context(), alice, "/api/me")
		// meanwhile
		a.Provider.AutoApprove("bob")
		b.Login("/dashboard")
		if after := a.Ask(t.Context(), apptest.Kept(b.Cookies(), slow), "/api/me").Body.String(); strings.Contains(after, `"alice"`) {
			t.Errorf("signed in as %s", after)
		}
	})
}

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

// A store with latency: between load and save of one request, another refreshes.
func TestSlowSaveKeepsNewerTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hookedStore{Store: apptest.FileStore(t)}
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Store = store }})
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(3 * time.Hour) // due: a refresh, and to be sealed anew
		n := 0
		store.hook = func(r *http.Request) {
			if r.URL.Path != "/" {
				return
			}
			if n++; n == 2 { // save's own look
				if w := a.Ask(t.Context(), cookies, "/access"); w.Code != 200 {
					t.Errorf("refreshing request: %d", w.Code)
				}
			}
		}
		a.Ask(t.Context(), cookies, "/") // public: seals anew
		a.WantRefreshes(t, 1)
		a.Restart(t) // or another instance
		time.Sleep(time.Hour)
		if w := a.Ask(t.Context(), cookies, "/access"); w.Code != 200 {
			t.Errorf("signed out: %d; the store went back to the spent refresh token", w.Code)
		}
	})
}
