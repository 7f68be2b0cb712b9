package main

import (
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// An app holds what the handlers share.
type app struct {
	auth        *oauthlogin.Middleware
	providers   []provider
	metadata    *http.Client    // reads the providers' metadata
	pagePolicy  string          // the Content-Security-Policy of every page
	stopping    <-chan struct{} // closed when streams have to end
	bindDevices bool
}

// newApp returns the application. It has all of opts but the providers.
func newApp(providers []provider, opts oauthlogin.Options) (*app, error) {
	a := &app{
		providers:   providers,
		bindDevices: opts.BindDevices,
		metadata: &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if opts.HTTPClient != nil {
		a.metadata.Transport = opts.HTTPClient.Transport
	}
	var issuers []string
	for _, p := range providers {
		opts.Providers = append(opts.Providers, p.login)
		issuers = append(issuers, p.login.Issuer)
	}
	a.pagePolicy = pagePolicy(issuers...)
	var err error
	a.auth, err = oauthlogin.New(opts)
	return a, err
}

// routes shows how to install the middleware: Handler wraps the router and
// serves /login, /auth/callback and /logout; RequireAuth wraps each protected
// route, and Require those that not every user may see. SessionInfo is public.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	protect := func(h http.HandlerFunc) http.Handler { return a.auth.RequireAuth(h) }
	admins := a.auth.Require(a.adminPolicy())

	mux.HandleFunc("GET /{$}", a.home)
	mux.Handle("GET /dashboard", protect(a.dashboard))
	mux.Handle("GET /admin", admins(http.HandlerFunc(a.admin)))
	mux.Handle("GET /api/me", protect(a.me))
	mux.Handle("GET /api/profile", protect(a.profile))
	mux.HandleFunc("GET /api/session", a.auth.SessionInfo)
	mux.Handle("GET /events", protect(a.events))
	return a.auth.Handler(mux)
}

// adminPolicy lets the group admin of the first provider in. Any other provider
// may call its users what it likes.
func (a *app) adminPolicy() oauthlogin.Policy {
	policy := oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}}
	if len(a.providers) > 1 {
		policy.Providers = []string{a.providers[0].login.Name}
	}
	return policy
}

// providerOf returns the provider where the user of a session has signed in.
func (a *app) providerOf(session *oauthlogin.Session) provider {
	for _, p := range a.providers {
		if p.login.Name == session.User.Provider {
			return p
		}
	}
	return a.providers[0] // the only one, whose name is the host of its issuer
}
