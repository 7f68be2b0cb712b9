// Command example is a web application with sign-in. From the root of the
// repository:
//
//	go run ./example
//
// By default it starts a demo provider of its own, where you can sign in under
// any name. The page /admin is for users with the group admin: there, alice and
// bob have it, and carol does not. It reads these environment variables:
//
//	ADDR                  address to listen on; default localhost:3000
//	SESSION_SECRET        at least 32 random bytes; default a new random key
//	SESSION_IDLE_TIMEOUT  ends sessions that are not used; default 24h
//	OAUTH_REDIRECT_URI    default http://$ADDR/auth/callback
//	DEMO_PROVIDERS=2      a second demo provider, so that users choose one
//	BIND_DEVICES=1        binds sessions to devices, in browsers that can: see docs/device-bound-sessions.md
//
// To watch a session expire, set SESSION_IDLE_TIMEOUT=20s. The demo provider then
// shows its sign-in page at every login.
//
// To use another provider, set an OpenID Connect issuer
//
//	OAUTH_ISSUER
//
// or the endpoints of a plain OAuth 2.0 provider, whose user info is a JSON
// object with sub (or id), name and email,
//
//	OAUTH_AUTH_URL
//	OAUTH_TOKEN_URL
//	OAUTH_USERINFO_URL
//
// together with the client registration:
//
//	OAUTH_CLIENT_ID
//	OAUTH_CLIENT_SECRET  unset for a public client
//	OAUTH_CLIENT_KEY     a PEM file with a private key (EC, RSA or Ed25519), in place of the secret
//	OAUTH_CLIENT_KEY_ID  its kid, if the provider knows several keys
//	OAUTH_SCOPES         separated by spaces; default for an issuer: openid profile email
//
// With a key the client authenticates by private_key_jwt. Make one with
//
//	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem
//
// The example prints the JWK Set that has to be registered at the provider.
//
// With any provider but GitHub, OAUTH_FORM_POST=1 has the provider post its response
// (response_mode=form_post), and OAUTH_DPOP=1 binds tokens to a key of each session
// (RFC 9449).
//
// Several instances with the same SESSION_SECRET agree through Redis or PostgreSQL, and
// can keep the sessions there, in place of cookies:
//
//	REDIS_URL            such as redis://localhost:6379
//	DATABASE_URL         such as postgres://user@localhost:5432/database
//	SESSION_STORE        redis or postgres
//
// For GitHub, set only its client registration:
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
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
	if len(cfg.options.Keys) == 0 {
		key := make([]byte, 32)
		rand.Read(key)
		cfg.options.Keys = [][]byte{key}
		slog.Warn("SESSION_SECRET is not set; using a random key, so sessions end when this process exits")
	}

	// Listen first: with port 0 in ADDR, only the listener knows the port.
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	defer listener.Close()
	address := localURL(cfg.addr, listener)
	redirectURL := cmp.Or(cfg.redirectURL, address+"/auth/callback")

	var providers []provider
	if cfg.provider != nil {
		providers = append(providers, cfg.registered(cfg.provider(redirectURL)))
	} else {
		demos, err := startDemos(cfg.demo, listener, redirectURL)
		for _, demo := range demos {
			defer demo.Close()
			providers = append(providers, cfg.registered(demo.provider()))
		}
		if err != nil {
			return err
		}
	}

	if err := cfg.shared.open(ctx, &cfg.options); err != nil {
		return err
	}
	a, err := newApp(providers, cfg.options)
	if err != nil {
		return err
	}
	defer a.auth.Close()
	a.stopping = ctx.Done()
	if home := origin(redirectURL); home != address {
		slog.Info("sign-in works only at the origin of OAUTH_REDIRECT_URI", "url", home)
	}

	server := &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// No WriteTimeout: it would cut off event streams.
	}
	if cfg.jwks != "" {
		fmt.Fprintln(os.Stderr, "Register this JWK Set for the client at the provider:", cfg.jwks)
	}
	fmt.Println("Listening on", address)
	return serve(ctx, server, listener)
}

// localURL returns the URL of the application for a browser on this machine.
func localURL(addr string, listener net.Listener) string {
	host, _, _ := net.SplitHostPort(addr) // net.Listen has accepted it
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port(listener))
}

func port(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// origin returns the scheme and host of an absolute URL, or "" if raw is not one.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// shutdownGrace is how long running requests may take to finish at shutdown.
const shutdownGrace = 1500 * time.Millisecond

// serve serves requests until ctx is done, then waits up to shutdownGrace for
// running requests.
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
		server.Close() // cancels the contexts of the requests that still run
	}
	return nil
}
