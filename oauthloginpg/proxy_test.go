package oauthloginpg_test

import (
	"net"
	"sync"
	"testing"
)

// A proxy forwards TCP connections to an engine until they are cut.
type proxy struct {
	addr, target string
	mu           sync.Mutex
	isCut        bool
	conns        []net.Conn
	holding      bool // bytes are accepted and not passed on
	resume       *sync.Cond
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: listener.Addr().String(), target: target}
	p.resume = sync.NewCond(&p.mu)
	t.Cleanup(func() {
		listener.Close()
		p.hold(false)
		p.cut(true)
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.forward(conn)
		}
	}()
	return p
}

// cut closes all connections, and those to come until it is called with false.
func (p *proxy) cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = cut
	if cut {
		for _, conn := range p.conns {
			conn.Close()
		}
		p.conns = nil
	}
}

// hold keeps what is sent in either direction, as a network does that drops packets.
func (p *proxy) hold(holding bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = holding
	p.resume.Broadcast()
}

func (p *proxy) forward(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	isCut := p.isCut
	p.mu.Unlock()
	if isCut {
		client.Close()
		server.Close()
		return
	}
	go p.copy(client, server)
	p.copy(server, client)
}

func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for p.holding {
			p.resume.Wait()
		}
		p.mu.Unlock()
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
