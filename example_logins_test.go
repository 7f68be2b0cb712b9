package oauthlogin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An allow-list, a role from the application's own tables, and a page for new users.
func ExampleOptions_onSignIn() {
	// roleOf reads the application's own tables.
	roleOf := func(ctx context.Context, issuer, subject string) (role string, known bool) { return "member", false }
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.OnSignIn = func(ctx context.Context, in *oauthlogin.SignIn) error {
			if !in.User.EmailVerified || !strings.HasSuffix(strings.ToLower(in.User.Email), "@example.com") {
				return errors.New("not one of us") // for the log
			}
			role, known := roleOf(ctx, in.User.Issuer, in.User.Subject)
			if !known {
				in.ReturnTo = "/welcome"
			}
			return in.User.SetClaim("role", role)
		}
		auth := mustNew(opts)
		members := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"role": {"member", "admin"}}})
		return auth.Handler(members(http.HandlerFunc(hello)))
	})
	defer end()

	page := site.Browser().SignIn("alice")
	fmt.Println(page.Status, page.URL, page.Body)
	site.Provider.AutoApprove("eve") // who has no e-mail address
	fmt.Println(site.Browser().Navigate("/").Status)
	// Output:
	// 200 https://app.test/welcome Hello, Alice Archer
	// 403
}

// A user who is signed in, and signs in with another account: the application may link the two.
func ExampleSignIn() {
	link := func(from, to oauthlogin.User) { fmt.Println("link", from.Subject, "to", to.Subject) }
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.OnSignIn = func(ctx context.Context, in *oauthlogin.SignIn) error {
			if in.Previous != nil && in.Previous.User.Subject != in.User.Subject {
				link(in.Previous.User, *in.User)
			}
			return nil
		}
		return mustNew(opts).Handler(http.NotFoundHandler())
	})
	defer end()

	site.SignIn("alice").SignIn("bob") // in the same browser
	// Output: link alice to bob
}

// A login with parameters of its own, started by a handler.
func ExampleMiddleware_StartLogin() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /invitation", func(w http.ResponseWriter, r *http.Request) {
			auth.StartLogin(w, r, oauthlogin.LoginOptions{
				ReturnTo:   "/welcome",
				AuthParams: url.Values{"login_hint": {"new.user@example.com"}},
			})
		})
		mux.Handle("GET /welcome", auth.RequireAuth(http.HandlerFunc(hello)))
		return auth.Handler(mux)
	})
	defer end()

	browser := site.Browser()
	browser.Navigate("/invitation")
	page := browser.SignIn("bob")
	fmt.Println(page.URL, page.Body)
	fmt.Println(site.Provider.Requests(oauthlogintest.Authorization)[0].Query.Get("login_hint"))
	// Output:
	// https://app.test/welcome Hello, Bob Baker
	// new.user@example.com
}

// A public page whose visitors are signed in if they are signed in at the provider.
func ExampleMiddleware_SilentLogin() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		return auth.Handler(auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, ok := oauthlogin.FromContext(r.Context())
			if !ok {
				fmt.Fprint(w, "Hello, guest")
				return
			}
			fmt.Fprintf(w, "Hello, %s", session.User.Name)
		})))
	})
	defer end()

	fmt.Println(site.Browser().Navigate("/").Body)
	site.Provider.AutoApprove("alice") // as if she was signed in there
	fmt.Println(site.Browser().Navigate("/").Body)
	// Output:
	// Hello, guest
	// Hello, Alice Archer
}

// Deleting an account ends its session in this browser.
func ExampleMiddleware_SignOut() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.Handle("POST /account/delete", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// ... delete what belongs to the account, then:
			auth.SignOut(w, r)
			fmt.Fprint(w, "Good-bye")
		})))
		mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(hello)))
		return auth.Handler(mux)
	})
	defer end()

	alice := site.SignIn("alice")
	fmt.Println(alice.PostForm("/account/delete", nil).Body)
	fmt.Println(alice.Fetch("/dashboard").Status)
	// Output:
	// Good-bye
	// 401
}

// An administrator, or a password that has leaked, ends all sessions of a user.
func ExampleMiddleware_SignOutUser() {
	var auth *oauthlogin.Middleware
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth = mustNew(opts)
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(hello)))
	})
	defer end()

	phone, laptop, bob := site.SignIn("alice"), site.SignIn("alice"), site.SignIn("bob")
	if err := auth.SignOutUser(context.Background(), site.Provider.Issuer(), "alice"); err != nil {
		fmt.Println(err) // other instances do not know yet
	}
	fmt.Println(phone.Fetch("/").Status, laptop.Fetch("/").Status, bob.Fetch("/").Status)
	// Output: 401 401 200
}

// A form that signs out, in this browser or in all of them:
//
//	<form method="post" action="/logout">
//	<label><input type="checkbox" name="everywhere" value="1"> on all devices</label>
//	<button>Sign out</button>
//	</form>
func ExampleMiddleware_Logout() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		auth := mustNew(opts)
		mux := http.NewServeMux()
		mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(hello)))
		mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
		return auth.Handler(mux)
	})
	defer end()

	phone, laptop, tablet := site.SignIn("alice"), site.SignIn("alice"), site.SignIn("alice")
	page := phone.PostForm("/logout", nil) // goes to the provider's logout, and comes back
	fmt.Println(page.URL, page.Body)
	fmt.Println(phone.Fetch("/dashboard").Status, laptop.Fetch("/dashboard").Status)
	laptop.PostForm("/logout", url.Values{"everywhere": {"1"}})
	fmt.Println(tablet.Fetch("/dashboard").Status)
	// Output:
	// https://app.test/ home
	// 401 200
	// 401
}

// An audit log. The module oauthloginotel has metrics and traces.
func ExampleEvent() {
	site, end := exampleSite(oauthlogintest.Config{}, func(opts oauthlogin.Options) http.Handler {
		opts.OnEvent = func(ctx context.Context, e oauthlogin.Event) {
			fmt.Println(e.Kind, e.Provider, e.Subject, e.Code, e.Err != nil)
		}
		return mustNew(opts).Handler(http.NotFoundHandler())
	})
	defer end()

	site.SignIn("alice").PostForm("/logout", nil)
	site.Provider.EditTokenResponse(func(response map[string]any) { delete(response, "id_token") })
	site.Provider.AutoApprove("bob")
	site.Browser().Navigate("/login")
	// Output:
	// login provider.test alice  false
	// logout provider.test alice  false
	// login provider.test  provider_rejected true
}
