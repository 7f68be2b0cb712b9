package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An application with a public page, and a page for signed-in users.
func Example() {
	auth, err := oauthlogin.New(exampleOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "public")
	})
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "Hello, %s", session.User.Name)
	})))
	app := auth.Handler(mux) // http.ListenAndServe("localhost:3000", app)

	show(app, "/")
	show(app, "/dashboard")
	show(app, "/dashboard", "Accept", "application/json")
	// Output:
	// 200 public
	// 302 /login?return_to=%2Fdashboard
	// 401 {"error":"unauthenticated","login_url":"/login?return_to=%2Fdashboard"}
}

// A whole sign-in, at a provider in the process: the login comes back to the page that asked
// for it.
func Example_signIn() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(hello)))
		return auth.Handler(mux)
	})
	defer end()

	browser := site.Browser()
	page := browser.Navigate("/dashboard") // ends at the provider's page
	fmt.Println(page.Status, page.URL[:len("https://provider.test")])
	page = browser.SignIn("alice")
	fmt.Println(page.Status, page.URL, page.Body)
	// Output:
	// 200 https://provider.test
	// 200 https://app.test/dashboard Hello, Alice Archer
}

// The faults of Options are found at start, all at once.
func ExampleNew_incorrect() {
	_, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{[]byte("too short")},
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			RedirectURL: "http://app.example.com/auth/callback",
		})},
	})
	fmt.Println(err)
	// Output:
	// oauthlogin: Options.Keys[0] has 9 bytes; at least 32 are required
	// oauthlogin: Options.Providers[0].OAuth2.ClientID is empty
	// oauthlogin: Options.Providers[0].OAuth2.RedirectURL "http://app.example.com/auth/callback" is plain http on a host that is not loopback
}

// Handler, RequireAuth and what Require returns are middleware as routers take it. With chi:
//
//	r := chi.NewRouter()
//	r.Use(auth.Handler) // of the outermost router: in a Group it does not see /login
//	r.With(auth.RequireAuth).Get("/dashboard", dashboard)
//
// With http.ServeMux, Handler goes around the mux.
func ExampleMiddleware_Handler() {
	auth := mustNew(exampleOptions())
	mux := http.NewServeMux()
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(hello)))
	app := auth.Handler(mux)

	show(app, "/dashboard")
	// Output:
	// 302 /login?return_to=%2Fdashboard
}

// A router that mounts each path by itself needs no Handler.
func ExampleMiddleware_Login() {
	auth := mustNew(exampleProviders(exampleOptions()))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", auth.Login)
	mux.HandleFunc("GET /auth/callback", auth.Callback) // the path of each RedirectURL
	mux.HandleFunc("GET /auth/github", auth.Callback)
	mux.HandleFunc("POST /logout", auth.Logout)
	mux.HandleFunc("POST /logout/backchannel", auth.BackChannelLogout)
	mux.HandleFunc("POST /login/device", auth.Device) // with BindDevices
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(hello)))

	show(mux, "/dashboard")
	// Output: 302 /login?return_to=%2Fdashboard
}

// Pages are redirected to the login, scripts are told where it is, and forms get a page.
func ExampleMiddleware_RequireAuth() {
	auth := mustNew(exampleOptions())
	inbox := auth.RequireAuth(http.HandlerFunc(hello))

	show(inbox, "/inbox", "Sec-Fetch-Mode", "navigate")
	show(inbox, "/api/messages", "Sec-Fetch-Mode", "cors", "Referer", "https://app.example.com/inbox")
	// Output:
	// 302 /login?return_to=%2Finbox
	// 401 {"error":"unauthenticated","login_url":"/login?return_to=%2Finbox"}
}

// A public page that greets users who are signed in.
func ExampleFromContext() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		return mustNew(opts).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if session, ok := oauthlogin.FromContext(r.Context()); ok {
				fmt.Fprintf(w, "Hello, %s", session.User.Name)
				return
			}
			fmt.Fprint(w, "Hello, guest")
		}))
	})
	defer end()

	fmt.Println(site.Browser().Navigate("/").Body)
	fmt.Println(site.SignIn("alice").Navigate("/").Body)
	// Output:
	// Hello, guest
	// Hello, Alice Archer
}

// A handler that decides by itself, without RequireAuth.
func ExampleMiddleware_Session() {
	auth := mustNew(exampleOptions())
	page := func(w http.ResponseWriter, r *http.Request) {
		switch session, err := auth.Session(r); {
		case err != nil:
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		case session == nil:
			fmt.Fprint(w, "Welcome, guest")
		default:
			fmt.Fprintf(w, "Welcome back, %s. You signed in at %s.", session.User.Name, session.SignedInAt().Format(time.Kitchen))
		}
	}
	show(http.HandlerFunc(page), "/")
	// Output: 200 Welcome, guest
}

// A page whose scripts ask who is signed in, and until when.
func ExampleMiddleware_SessionInfo() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.HandleFunc("/api/session", auth.SessionInfo)
		return auth.Handler(mux)
	})
	defer end()

	fmt.Print(site.Browser().Fetch("/api/session").Body)
	var info struct {
		User      struct{ Name string }
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(site.SignIn("alice").Fetch("/api/session").Body), &info); err != nil {
		fmt.Println(err)
	}
	fmt.Println(info.User.Name, time.Until(info.ExpiresAt).Round(time.Hour))
	// Output:
	// {"signed_in":false,"login_url":"/login?return_to=%2F"}
	// Alice Archer 24h0m0s
}
