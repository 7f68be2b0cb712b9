// Command example is a web application that signs its users in. From the root
// of the module:
//
//	go run ./example
//
// Unless the environment names a provider, it brings a demo provider along, at
// which everybody can be anybody. It reads
//
//	ADDR                 where it listens: localhost:3000 by default
//	SESSION_SECRET       at least 32 bytes; without it the key is random
//	OAUTH_REDIRECT_URI   http://$ADDR/auth/callback by default
//
// and, for one provider,
//
//	OAUTH_ISSUER         an OpenID Connect issuer; or
//
//	OAUTH_AUTH_URL       the three endpoints of a plain OAuth 2.0 provider,
//	OAUTH_TOKEN_URL      where user info is a JSON object with sub (or id),
//	OAUTH_USERINFO_URL   name and email
//
//	OAUTH_CLIENT_ID      the registration there
//	OAUTH_CLIENT_SECRET  none for a public client
//	OAUTH_SCOPES         separated by spaces; for an issuer openid profile email
//
// or the registration at GitHub:
//
//	GITHUB_CLIENT_ID
//	GITHUB_CLIENT_SECRET
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg, err := readConfig(os.Getenv)
	if err != nil {
		return err
	}
	key := []byte(cfg.sessionSecret)
	if len(key) == 0 {
		key = make([]byte, 32)
		rand.Read(key)
		slog.Warn("SESSION_SECRET is not set: with a random key, sessions end when this process does")
	}

	// The listener comes first: it knows the port if ADDR leaves it open.
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	defer listener.Close()
	address := localURL(cfg.addr, listener)
	redirectURL := cmp.Or(cfg.redirectURL, address+"/auth/callback")

	var p provider
	if cfg.provider != nil {
		p = cfg.provider(redirectURL)
	} else {
		demo, err := startDemo(listener, redirectURL)
		if err != nil {
			return err
		}
		defer demo.Close()
		p = demo.provider()
		slog.Info("no provider is configured: you can be anybody at the demo provider", "issuer", demo.issuer)
	}

	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers: []oauthlogin.Provider{p.login},
		Keys:      [][]byte{key},
	})
	if err != nil {
		return err
	}
	if home := origin(redirectURL); home != address {
		slog.Info("sign-in works where OAUTH_REDIRECT_URI is", "url", home)
	}

	a := &app{
		auth:        auth,
		userInfoURL: p.userInfoURL,
		pagePolicy:  pagePolicy(p.login.Issuer),
		stopping:    ctx.Done(),
	}
	server := &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// No WriteTimeout: it would end event streams.
	}
	fmt.Println("Listening on", address)
	return serve(ctx, server, listener)
}

// localURL is where a browser on this machine finds the application.
func localURL(addr string, listener net.Listener) string {
	host, _, _ := net.SplitHostPort(addr) // it was listened on
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port(listener))
}

func port(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// origin is what two URLs of one site share; "" if raw is not a URL.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// An app is what the handlers share.
type app struct {
	auth        *oauthlogin.Middleware
	userInfoURL func(context.Context) (string, error)
	pagePolicy  string          // the Content-Security-Policy of pages
	stopping    <-chan struct{} // closed when it is time for streams to end
}

// routes is all there is to the middleware: Handler around the router for
// /login, /auth/callback and /logout, RequireAuth around what is not public.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	protect := func(h http.HandlerFunc) http.Handler { return a.auth.RequireAuth(h) }

	mux.HandleFunc("GET /{$}", a.home)
	mux.Handle("GET /dashboard", protect(a.dashboard))
	mux.Handle("GET /api/me", protect(a.me))
	mux.Handle("GET /api/profile", protect(a.profile))
	mux.Handle("GET /events", protect(a.events))
	return a.auth.Handler(mux)
}

// shutdownGrace is how long requests may take to finish at the end.
const shutdownGrace = 1500 * time.Millisecond

// serve serves until ctx is done and the requests under way are answered.
func serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		server.Close() // this cancels the contexts of requests that go on
	}
	return nil
}
