package oauthlogintest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Provider is an OpenID provider. It is an [http.Handler] for the host of
// its issuer URL, and safe for concurrent use, its hooks included. [New] or
// [Start] makes one.
type Provider struct {
	config      Config
	path        string // of the issuer, without a trailing slash
	routes      map[string]route
	crossOrigin http.CrossOriginProtection
	store       store
	keys        keyring
	log         requestLog

	mu    sync.RWMutex // guards hooks
	hooks hooks

	server *http.Server // nil unless started
	done   chan struct{}
}

// New returns a Provider for cfg, to be mounted at the root of the issuer's
// host. It reports all faults of cfg at once.
func New(cfg Config) (*Provider, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("oauthlogintest: Config.Issuer: %w", err)
	}
	p := &Provider{config: cfg, path: strings.TrimSuffix(issuer.Path, "/")}
	p.routes = p.newRoutes()
	return p, nil
}

// Start returns a Provider for cfg that listens on 127.0.0.1, over plain HTTP,
// until [Provider.Close].
//
// Without an Issuer it takes a free port and http://127.0.0.1:port as its
// issuer. An Issuer on localhost or 127.0.0.1 is kept, and its port is the one
// listened on; port 0 stands for a free port in both ("http://localhost:0/tenant").
// To answer for any other issuer, mount what [New] returns.
//
// Start panics if cfg is invalid or it cannot listen.
func Start(cfg Config) *Provider {
	if cfg.Issuer == "" {
		cfg.Issuer = "http://127.0.0.1:0"
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: Config.Issuer: %v", err))
	}
	if host := issuer.Hostname(); issuer.Scheme != "http" || (host != "127.0.0.1" && host != "localhost") {
		panic(fmt.Sprintf("oauthlogintest: Start cannot listen for the issuer %q; mount New's Provider instead", cfg.Issuer))
	}
	port := issuer.Port()
	if port == "" {
		port = "80"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: %v", err))
	}
	if port == "0" {
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		issuer.Host = net.JoinHostPort(issuer.Hostname(), port)
		cfg.Issuer = issuer.String()
	}
	p, err := New(cfg)
	if err != nil {
		listener.Close()
		panic(err.Error())
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener)
	}()
	return p
}

// Close stops what [Start] started: it closes the listener and every
// connection, and with that cancels the contexts of requests still being
// served; it does not wait for them. Of a Provider made by [New] it only gives
// up the keys. The Provider must not be used afterwards.
func (p *Provider) Close() {
	if p.server != nil {
		p.server.Close()
		<-p.done
	}
	p.keys.close()
}

// Issuer returns the issuer URL, as in the metadata and in ID tokens.
func (p *Provider) Issuer() string {
	return p.config.Issuer
}

// endpointURL returns the URL of the endpoint with the given path.
func (p *Provider) endpointURL(path string) string {
	// OpenID Connect Discovery 1.0 section 4.1: a terminating "/" of the
	// issuer is removed before the path is appended.
	return strings.TrimSuffix(p.config.Issuer, "/") + path
}
