package oauthlogintest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

var testKey = []byte("a key for tests, 32 bytes or more")

// A demoApp is an application whose routes are put together as with a router that
// has groups: middlewares around each of them.
type demoApp struct {
	auth   *oauthlogin.Middleware
	client *http.Client
	saw    atomic.Pointer[http.Request] // the latest request to /echo
}

type wrapper = func(http.Handler) http.Handler

// run serves a demoApp.
func run(t testing.TB, cfg oauthlogintest.Config, change ...func(*oauthlogin.Options)) (*oauthlogintest.Site, *demoApp) {
	t.Helper()
	a := &demoApp{}
	site := oauthlogintest.Run(t, cfg, func(base string, p *oauthlogintest.Provider) http.Handler {
		opts := oauthlogin.Options{
			Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), Logger: slog.New(slog.DiscardHandler),
			Providers: []oauthlogin.Provider{p.Registration(base)},
		}
		for _, f := range change {
			f(&opts)
		}
		var err error
		if a.auth, err = oauthlogin.New(opts); err != nil {
			t.Fatal(err)
		}
		a.client = p.HTTPClient()
		return a.routes()
	})
	return site, a
}

func (a *demoApp) routes() http.Handler {
	mux := http.NewServeMux()
	group := func(with ...wrapper) func(pattern string, h http.HandlerFunc) {
		return func(pattern string, h http.HandlerFunc) {
			handler := http.Handler(h)
			for i := len(with) - 1; i >= 0; i-- {
				handler = with[i](handler)
			}
			mux.Handle(pattern, handler)
		}
	}
	public := group()
	public("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := oauthlogin.FromContext(r.Context()); ok {
			fmt.Fprint(w, "home of ", s.User.Subject)
			return
		}
		fmt.Fprint(w, "home")
	})
	public("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.saw.Store(r)
	})
	public("/to", func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusFound
		fmt.Sscan(r.FormValue("status"), &status)
		http.Redirect(w, r, r.FormValue("url"), status)
	})
	public("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.RequestURI, http.StatusFound) })
	public("/set", func(w http.ResponseWriter, r *http.Request) {
		for _, line := range r.URL.Query()["cookie"] {
			w.Header().Add("Set-Cookie", line)
		}
	})
	public("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	public("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })

	private := group(a.auth.RequireAuth)
	private("GET /dashboard", showUser)
	private("GET /api/me", showUser)
	private("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/dashboard?note="+r.PostFormValue("text"), http.StatusSeeOther)
	})
	private("GET /api/profile", func(w http.ResponseWriter, r *http.Request) {
		resp, err := a.auth.Client(r.Context()).Get("https://provider.test/userinfo")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})
	admins := group(a.auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}))
	admins("GET /admin", showUser)
	fresh := group(a.auth.Require(oauthlogin.Policy{MaxAge: time.Hour}))
	fresh("GET /settings", showUser)
	silent := group(a.auth.SilentLogin)
	silent("GET /welcome", func(w http.ResponseWriter, r *http.Request) {
		_, ok := oauthlogin.FromContext(r.Context())
		fmt.Fprint(w, "signed in: ", ok)
	})
	return a.auth.Handler(mux)
}

func showUser(w http.ResponseWriter, r *http.Request) {
	s, _ := oauthlogin.FromContext(r.Context())
	json.NewEncoder(w).Encode(s.User)
}

// wantPage fails the test unless a response is of this URL, has the status, and
// contains the text.
func wantPage(t *testing.T, resp *oauthlogintest.Response, url string, status int, text string) {
	t.Helper()
	got, _, _ := strings.Cut(resp.URL, "?")
	if got != url || resp.Status != status || !strings.Contains(resp.Body, text) {
		t.Fatalf("at %s with status %d; want %s with %d and %q:\n%s", resp.URL, resp.Status, url, status, text, resp.Body)
	}
}

const (
	appURL     = "https://app.test"
	signInPage = "https://provider.test/authorize"
)
