package oauthlogin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A session of 30 days.
func ExampleOptions_lifetime() {
	opts := exampleOptions()
	opts.IdleTimeout = 30 * 24 * time.Hour
	opts.MaxLifetime = 30 * 24 * time.Hour
	opts.SessionsOutliveTokens = true // for a provider that issues no refresh tokens
	_, err := oauthlogin.New(opts)
	fmt.Println(err)
	// Output: <nil>
}

// A stream that ends with the session. The browser connects again, and gets 401 unless the session
// was used in the meantime.
func ExampleSession_Expires() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := oauthlogin.FromContext(r.Context())
			ctx, cancel := context.WithDeadline(r.Context(), session.Expires())
			defer cancel()
			// ... send events until ctx is done.
			deadline, _ := ctx.Deadline()
			fmt.Fprint(w, time.Until(deadline).Round(time.Hour))
		})))
	})
	defer end()

	fmt.Println(site.SignIn("alice").Fetch("/events").Body)
	// Output: 24h0m0s
}

// A new key in front of the old one: sessions go on.
func ExampleOptions_keys() {
	newKey := []byte("another key, of 32 bytes or more")
	var app http.Handler
	var opts oauthlogin.Options
	start := func(keys ...[]byte) { // the application, with other keys
		opts.Keys = keys
		auth := mustNew(opts)
		app = auth.Handler(auth.RequireAuth(http.HandlerFunc(hello)))
	}
	site, end := exampleSite(oauthlogintest.Config{}, func(o oauthlogin.Options) http.Handler {
		opts = o
		start(exampleKey)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) })
	})
	defer end()

	alice := site.SignIn("alice")
	start(newKey, exampleKey)
	fmt.Println(alice.Navigate("/").Body) // which seals her session with the new key
	start(newKey)                         // after MaxLifetime
	fmt.Println(alice.Navigate("/").Body)
	// Output:
	// Hello, Alice Archer
	// Hello, Alice Archer
}

// Sessions in any store of gorilla/sessions, here in files.
func ExampleOptions_store() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store := sessions.NewFilesystemStore(dir, []byte("a key of the store: 32 bytes or more"))
	store.MaxLength(0) // sessions may be larger than a cookie

	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.Store = store
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(hello)))
	})
	defer end()

	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	files, err := os.ReadDir(dir)
	fmt.Println(len(files), err)
	// Output:
	// Hello, Alice Archer
	// 1 <nil>
}

// Sessions in Redis or PostgreSQL: oauthloginredis.New and oauthloginpg.New return Coordinators.
func ExampleNewStore() {
	coordinator := oauthlogintest.NewCoordinator() // oauthloginredis.New(client)
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.Store = oauthlogin.NewStore(coordinator)
		auth := mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(hello)))
	})
	defer end()

	alice := site.SignIn("alice")
	fmt.Println(alice.Fetch("/").Status)
	coordinator.Clear()
	fmt.Println(alice.Fetch("/").Status)
	// Output:
	// 200
	// 401
}

// Two instances with one Coordinator: a session that has ended at one has ended at the other, for
// copies of its cookies as well.
func ExampleOptions_coordinator() {
	coordinator := oauthlogintest.NewCoordinator() // oauthloginredis.New(client)
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.Coordinator = coordinator
		first, second := mustNew(opts), mustNew(opts)
		mux := http.NewServeMux() // stands for a load balancer
		mux.Handle("/", first.Handler(first.RequireAuth(http.HandlerFunc(hello))))
		mux.Handle("/second", second.RequireAuth(http.HandlerFunc(hello)))
		return mux
	})
	defer end()

	alice := site.SignIn("alice")
	thief := alice.Thief()
	fmt.Println(thief.Fetch("/second").Status)
	alice.PostForm("/logout", nil) // at the first
	fmt.Println(thief.Fetch("/second").Status)
	// Output:
	// 200
	// 401
}

// An application that stops: first its requests, then what runs in the background.
func ExampleMiddleware_Close() {
	opts := exampleOptions()
	opts.Coordinator = oauthlogintest.NewCoordinator()
	auth := mustNew(opts)
	server := &http.Server{Addr: "localhost:3000", Handler: auth.Handler(http.NotFoundHandler())}

	// On SIGTERM:
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(server.Shutdown(ctx))
	fmt.Println(auth.Close())
	// Output:
	// <nil>
	// <nil>
}

// A page for sessions that are bound to the user's device.
func ExampleOptions_bindDevices() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.BindDevices = true
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /", hello)
		mux.Handle("GET /transfer", auth.Require(oauthlogin.Policy{Bound: true})(http.HandlerFunc(hello)))
		return auth.Handler(mux)
	})
	defer end()

	chrome, other := site.Browser(), site.Browser()
	chrome.BindDevice() // as browsers do that have Device Bound Session Credentials
	for _, browser := range []*oauthlogintest.Browser{chrome, other} {
		browser.SignIn("alice")
		fmt.Println(browser.Navigate("/transfer").Status)
	}
	// Output:
	// 200
	// 403
}

// A page of another origin, of the same site, that may send forms.
func ExampleOptions_trustedOrigins() {
	opts := exampleOptions()
	opts.TrustedOrigins = []string{"https://admin.example.com"}
	auth := mustNew(opts)
	save := auth.RequireAuth(http.HandlerFunc(hello))

	for _, origin := range []string{"https://app.example.com", "https://admin.example.com", "https://blog.example.com"} {
		r := httptest.NewRequest(http.MethodPost, "/save", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		save.ServeHTTP(w, r)
		fmt.Println(origin, w.Code) // 401: not signed in
	}
	// Output:
	// https://app.example.com 401
	// https://admin.example.com 401
	// https://blog.example.com 403
}
