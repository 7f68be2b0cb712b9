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

// A Provider is an OpenID provider and the [http.Handler] that serves it. Create
// one with [New] or [Start]. All methods are safe for concurrent use, and hooks
// can be changed while it is serving.
type Provider struct {
	config      Config
	path        string // of the issuer, without a trailing slash
	routes      map[string]route
	crossOrigin http.CrossOriginProtection
	store       store
	keys        keyring
	nonces      nonceKeeper
	log         requestLog

	mu      sync.RWMutex // guards what follows
	hooks   hooks
	users   []User
	clients []*Client

	network *network // nil unless Run made it

	server *http.Server // nil unless started
	done   chan struct{}
}

// New returns a Provider that does not listen: mount it at the root of the
// issuer's host, even if the issuer has a path. If cfg is invalid, the error
// joins all faults.
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
	for i := range cfg.Clients {
		p.clients = append(p.clients, &cfg.Clients[i])
	}
	p.users = cfg.Users
	p.routes = p.newRoutes()
	return p, nil
}

// Start returns a Provider that listens on 127.0.0.1, over plain HTTP, until
// [Provider.Close].
//
// Without cfg.Issuer, Start chooses a free port and the issuer is
// http://127.0.0.1:port. Otherwise the issuer must be on localhost or 127.0.0.1,
// and Start listens on its port; port 0 means a free port, which then becomes
// part of the issuer ("http://localhost:0/tenant"). For any other issuer, mount
// the Provider that [New] returns.
//
// Start panics if cfg is invalid or if it cannot listen.
func Start(cfg Config) *Provider {
	if cfg.Issuer == "" {
		cfg.Issuer = "http://127.0.0.1:0"
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		panic(fmt.Sprintf("oauthlogintest: Config.Issuer: %v", err))
	}
	if host := issuer.Hostname(); issuer.Scheme != "http" || (host != "127.0.0.1" && host != "localhost") {
		panic(fmt.Sprintf("oauthlogintest: Start cannot serve the issuer %q; mount the Provider that New returns", cfg.Issuer))
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

// Close stops the server that [Start] started. It closes the listener and all
// connections, which cancels the contexts of requests in progress, and does not
// wait for those requests. It also releases the keys, which is all it does for a
// Provider from [New]. The Provider must not be used afterwards, except to call
// Close again.
func (p *Provider) Close() {
	if p.server != nil {
		p.server.Close()
		<-p.done
	}
	p.keys.close()
}

// HTTPClient returns a client that reaches the Provider: for Options.HTTPClient of
// the application. In [Run] it is that of the in-process network, which has no
// other hosts than the application and the Provider.
func (p *Provider) HTTPClient() *http.Client {
	if p.network == nil {
		return &http.Client{}
	}
	return &http.Client{Transport: p.network.transport}
}

// Issuer returns the issuer URL: issuer in the metadata and iss in ID tokens.
func (p *Provider) Issuer() string {
	return p.config.Issuer
}

// endpointURL returns the URL of the endpoint with the given path.
func (p *Provider) endpointURL(path string) string {
	// OpenID Connect Discovery 1.0 section 4.1: a terminating "/" is removed
	// before the path is appended.
	return strings.TrimSuffix(p.config.Issuer, "/") + path
}
