package oauthlogintest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// A network carries requests to handlers over connections in memory. All of
// HTTP/1.1 is at work, so handlers can stream, hijack and close connections, and
// clients can go away; only TLS is left out.
type network struct {
	transport *http.Transport
	servers   []*http.Server
	serving   sync.WaitGroup

	mu    sync.RWMutex
	hosts map[string]*listener // by host and port
}

func newNetwork() *network {
	n := &network{hosts: map[string]*listener{}}
	n.transport = &http.Transport{
		DialContext:    n.dial,
		DialTLSContext: n.dial,
		// net/http repeats a GET on a connection that was kept alive and turns out
		// closed. An endpoint that closes connections would see it twice.
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	return n
}

// serve serves the handler at an origin until close.
func (n *network) serve(origin *url.URL, h http.Handler) {
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	if origin.Scheme == "https" {
		server.Handler = overTLS(h)
	}
	n.mu.Lock()
	n.hosts[hostPort(origin)] = l
	n.mu.Unlock()
	n.servers = append(n.servers, server)
	n.serving.Go(func() { _ = server.Serve(l) })
}

// overTLS lets the handler see what it would see of a TLS connection.
func overTLS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: hostname(r.Host)}
		h.ServeHTTP(w, r)
	})
}

func (n *network) close() {
	for _, server := range n.servers {
		server.Close()
	}
	n.serving.Wait()
	n.transport.CloseIdleConnections()
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.RLock()
	l := n.hosts[address]
	n.mu.RUnlock()
	if l == nil {
		return nil, fmt.Errorf("oauthlogintest: the network of the test has no host %s", address)
	}
	client, server := net.Pipe()
	select {
	case l.conns <- remoteConn{server}:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hostPort returns the address that net/http dials for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

type listener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 443} }

// A remoteConn has a client address that handlers can parse. It is one for
// documentation (RFC 5737), as in [net/http/httptest].
type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234} }
