package oauthloginredis_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a test waits for a process or a condition.
const patience = 30 * time.Second

// An engine is a redis-server on a loopback port, with a directory of its own.
type engine struct {
	t    *testing.T
	addr string
	args []string
	cmd  *exec.Cmd
}

// startEngine starts a redis-server that stops at the end of the test. It fails if there is
// no redis-server.
func startEngine(t *testing.T, args ...string) *engine {
	t.Helper()
	port := freePort(t)
	dir := t.TempDir()
	e := &engine{t: t, addr: net.JoinHostPort("127.0.0.1", port)}
	e.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--logfile", filepath.Join(dir, "log"), "--save", ""}, args...)
	e.start()
	t.Cleanup(func() {
		e.kill()
		if text, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && t.Failed() {
			t.Logf("redis-server %s:\n%s", e.addr, text)
		}
	})
	return e
}

// freePort returns a port below those that the kernel gives out for connections, whose bus port, 10000
// above, exists too.
func freePort(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()%5_000; port < 32_000; port++ {
		if takenPorts.Add(port) && canListen(port) && canListen(port+10_000) {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

// takenPorts keeps parallel tests from taking the same port.
var takenPorts ports

type ports struct {
	mu    sync.Mutex
	taken map[int]bool
}

// Add reports whether port is new.
func (p *ports) Add(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = map[int]bool{}
	}
	known := p.taken[port]
	p.taken[port] = true
	return !known
}

func canListen(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// start runs the server and waits until it replies.
func (e *engine) start() {
	e.t.Helper()
	e.cmd = exec.Command("redis-server", e.args...)
	if err := e.cmd.Start(); err != nil {
		e.t.Fatalf("start redis-server: %v (Debian: apt-get install redis-server)", err)
	}
	client := redis.NewClient(&redis.Options{Addr: e.addr})
	defer client.Close()
	waitFor(e.t, "redis-server", func() bool { return client.Ping(e.t.Context()).Err() == nil })
}

func (e *engine) kill() {
	if e.cmd != nil {
		_ = e.cmd.Process.Kill()
		_ = e.cmd.Wait()
		e.cmd = nil
	}
}

func (e *engine) pause()  { e.signal(syscall.SIGSTOP) }
func (e *engine) resume() { e.signal(syscall.SIGCONT) }

func (e *engine) signal(s syscall.Signal) {
	if err := e.cmd.Process.Signal(s); err != nil {
		e.t.Fatal(err)
	}
}

// client returns a client with its default settings, for the test alone.
func (e *engine) client() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: e.addr})
	e.t.Cleanup(func() { client.Close() })
	return client
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
