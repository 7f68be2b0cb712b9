package apptest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// Pipes are a server and a client of net/http with connections in memory:
// all of HTTP/1.1 is at work, and a synctest bubble can see through it.
type Pipes struct {
	*http.Transport
	Dials atomic.Int32
}

// ServePipes serves h until the test ends.
func ServePipes(t *testing.T, h http.Handler) *Pipes {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(l)
	p := &Pipes{}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		p.Dials.Add(1)
		client, served := net.Pipe()
		select {
		case l.conns <- served:
			return client, nil
		case <-l.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p.Transport = &http.Transport{DialContext: dial, DialTLSContext: dial}
	t.Cleanup(func() {
		p.CloseIdleConnections()
		server.Close()
	})
	return p
}

type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }

func (pipeAddr) String() string { return "pipe" }
