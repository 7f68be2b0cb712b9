package oauthlogin_test

import (
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

func exampleProviders(config oauthlogin.Options) oauthlogin.Options {
	config.Providers[0].Name, config.Providers[0].Label = "work", "Work account"
	config.Providers = append(config.Providers, oauthlogin.GitHub(&oauth2.Config{
		ClientID: "my-app", ClientSecret: "secret of my-app", RedirectURL: "https://app.example.com/auth/github",
	}))
	return config
}

// An application at https://app.example.com/shop, behind a proxy that passes the path on.
func ExampleOptions_belowAPrefix() {
	opts := exampleOptions()
	opts.Providers[0].OAuth2.RedirectURL = "https://app.example.com/shop/auth/callback"
	opts.HomePath, opts.LoginPath, opts.LogoutPath = "/shop/", "/shop/login", "/shop/logout"
	opts.CookieName = "shop"
	auth := mustNew(opts)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.RequireAuth(http.NotFoundHandler()))
	app := auth.Handler(http.StripPrefix("/shop", mux))

	show(app, "/shop/orders?page=2", "Accept", "text/html")
	show(auth.RequireAuth(app), "https://evil.example//evil.example/", "Accept", "text/html") // not a path to return to
	// Output:
	// 302 /shop/login?return_to=%2Fshop%2Forders%3Fpage%3D2
	// 302 /shop/login?return_to=%2Fshop%2F
}

// The application's own page for choosing a provider.
func ExampleOptions_chooser() {
	page := template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Sign in</title>
<h1>Welcome back</h1>
{{range .}}<a class="{{.Provider}}" href="{{.URL}}">Continue with {{.Label}}</a>
{{end}}`))
	opts := exampleProviders(exampleOptions())
	opts.Chooser = func(w http.ResponseWriter, r *http.Request, choices []oauthlogin.Choice) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		if err := page.Execute(w, choices); err != nil {
			panic(err) // the user gets an error page, and no half of this one
		}
	}
	auth := mustNew(opts)

	show(auth.Handler(http.NotFoundHandler()), "/login?return_to=/inbox")
	// Output:
	// 200 <!doctype html><html lang="en"><title>Sign in</title>
	// <h1>Welcome back</h1>
	// <a class="work" href="/login?provider=work&amp;return_to=%2Finbox">Continue with Work account</a>
	// <a class="github" href="/login?provider=github&amp;return_to=%2Finbox">Continue with GitHub</a>
}

// Pages in the browser's language: English, or German.
func ExampleOptions_texts() {
	german := oauthlogin.EnglishTexts().ByKey // all keys; a real translation comes from a file
	german["flow_not_found.title"] = "Die Anmeldung passt nicht"
	opts := exampleOptions()
	opts.Texts = []oauthlogin.Texts{oauthlogin.EnglishTexts(), {Lang: "de", ByKey: german}}
	opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) { // not needed for the package's own pages
		var failed *oauthlogin.Error
		if errors.As(err, &failed) {
			http.Error(w, failed.Lang+": "+failed.Title, failed.Status)
		}
	}
	app := mustNew(opts).Handler(http.NotFoundHandler())

	show(app, "/auth/callback?state=old", "Accept-Language", "de-AT, en;q=0.5")
	show(app, "/auth/callback?state=old", "Accept-Language", "fr")
	// Output:
	// 400 de: Die Anmeldung passt nicht
	// 400 en: Sign-in could not be matched
}

// The application's own error page, with the words of the package's.
func ExampleError_page() {
	page := template.Must(template.New("").Parse(`<html lang="{{.Lang}}"><title>{{.Title}}</title>
<h1>{{.Title}}</h1> <p>{{.Text}}</p>
{{with .RetryURL}}<a href="{{.}}">{{$.RetryLabel}}</a>{{end}} <small>{{.Code}} {{if .Reference}}with a reference{{end}}</small>`))
	opts := exampleOptions()
	opts.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
		var failed *oauthlogin.Error
		if !errors.As(err, &failed) {
			failed = &oauthlogin.Error{Status: http.StatusInternalServerError}
		}
		w.WriteHeader(failed.Status)
		page.Execute(w, failed)
	}
	auth := mustNew(opts)

	show(auth.Handler(http.NotFoundHandler()), "/auth/callback?state=old")
	// Output:
	// 400 <html lang="en"><title>Sign-in could not be matched</title>
	// <h1>Sign-in could not be matched</h1> <p>This sign-in was started at another address of this site, or in another browser. The link may also be old, or the browser may not accept cookies.</p>
	// <a href="/login?return_to=%2F">Try again</a> <small>flow_not_found with a reference</small>
}

// All keys, and what the pages say in English.
func ExampleEnglishTexts() {
	texts := oauthlogin.EnglishTexts().ByKey
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		fmt.Printf("%s: %s\n", key, texts[key])
	}
	// Output:
	// access_denied.text: You were not signed in because access was denied or the sign-in was cancelled.
	// access_denied.title: Sign-in was cancelled
	// authorization_failed.text: The sign-in provider did not complete the sign-in. Please try again.
	// authorization_failed.title: Sign-in did not work
	// button.continue: Continue
	// button.home: Home
	// button.other_account: Sign in with another account
	// button.sign_in: Sign in
	// button.sign_out: Sign out
	// button.try_again: Try again
	// chooser.text: Choose a provider to sign in with.
	// chooser.title: Sign in
	// cookies_lost.text: The sign-in worked, but the browser did not send back the cookie that keeps you signed in. Please allow cookies for this site.
	// cookies_lost.title: Your browser does not keep you signed in
	// cross_origin.text: Another site sent this request, so nothing was changed. You can try again on a page of this site.
	// cross_origin.title: Request refused
	// device_not_bound.text: You are signed in, but this page opens only where the sign-in is bound to your device, and this browser has not bound it. Please use a browser that supports device-bound sessions, such as Chrome on Windows, and sign in there.
	// device_not_bound.title: This browser cannot open this page
	// flow_expired.text: For your safety, a sign-in has to be completed within five minutes. Please start again.
	// flow_expired.title: Sign-in took too long
	// flow_not_found.text: This sign-in was started at another address of this site, or in another browser. The link may also be old, or the browser may not accept cookies.
	// flow_not_found.title: Sign-in could not be matched
	// flow_used.text: This sign-in was completed earlier, or was opened twice.
	// flow_used.title: Sign-in is already complete
	// forbidden.text: You are signed in, but your account does not have access to this page.
	// forbidden.title: No access
	// insufficient_scope.text: This needs a permission at the sign-in provider that you have not given yet, so nothing was changed. After giving it you come back and can try again.
	// insufficient_scope.title: One more permission is needed
	// insufficient_user_authentication.text: This asks for a more recent or a stronger sign-in than yours, so nothing was changed. After signing in you come back and can try again.
	// insufficient_user_authentication.title: Please confirm your sign-in
	// internal.text: The sign-in could not be completed. Please try again later.
	// internal.title: Something went wrong
	// invalid_request.text: This link is incomplete or can't be opened directly.
	// invalid_request.title: Request not understood
	// provider_unavailable.text: The sign-in provider cannot be reached at the moment. Please try again later.
	// provider_unavailable.title: Sign-in is not available
	// reference: Reference:
	// session_too_large.text: The sign-in provider sent more than this site can keep. Please tell the people who run this site.
	// session_too_large.title: Sign-in could not be completed
	// sign_in_refused.text: The provider has confirmed who you are, but this site does not let this account in.
	// sign_in_refused.title: You cannot sign in here
	// signing_in.text: Your sign-in goes on in a moment.
	// signing_in.title: Signing in
	// step_up_failed.text: This page asks for a more recent or a stronger sign-in than the one you completed.
	// step_up_failed.title: Please sign in again
	// unauthenticated.text: You are not signed in, so nothing was changed. After signing in you come back and can try again.
	// unauthenticated.title: Please sign in
	// unavailable.text: This site cannot check your sign-in at the moment. You have not been signed out. Please try again in a few seconds.
	// unavailable.title: Temporarily unavailable
}
