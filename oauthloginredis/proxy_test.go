package oauthloginredis_test

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
	losesReply   bool // the next reply is dropped and its connection closed
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

// loseReply closes the connection that carries the next reply, which then does not arrive.
func (p *proxy) loseReply() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losesReply = true
}

// inject sends text to all clients, as if the engine did.
func (p *proxy) inject(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(p.conns); i += 2 {
		_, _ = p.conns[i].Write([]byte(text))
	}
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
	go p.copy(client, server, true)
	p.copy(server, client, false)
}

func (p *proxy) copy(to, from net.Conn, isReply bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for p.holding {
			p.resume.Wait()
		}
		if isReply && p.losesReply && n > 0 {
			p.losesReply = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
