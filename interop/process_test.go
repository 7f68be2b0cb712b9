package interop_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for a process to start or stop, or for a page to load.
const patience = 30 * time.Second

// A process is a running program and its output.
type process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{} // closed once the process is gone
}

// startProcess starts cmd and waits until it prints the text ready. The process is stopped at the end of the test.
func startProcess(t *testing.T, cmd *exec.Cmd, ready string) *process {
	t.Helper()
	p := &process{cmd: cmd, output: &output{until: ready, seen: make(chan struct{})}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // stop reads the exit code
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("%s printed:\n%s", cmd.Path, p.output)
		}
	})

	select {
	case <-p.output.seen:
	case <-p.exited:
		t.Fatalf("%s exited before it was ready", cmd.Path)
	case <-time.After(patience):
		t.Fatalf("%s was not ready within %v", cmd.Path, patience)
	}
	return p
}

// stop sends SIGTERM and checks that the process exits in time with code 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
		return
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop %s: %v", p.cmd.Path, err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Errorf("%s was still running %v after SIGTERM", p.cmd.Path, patience)
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s: exit code %d after SIGTERM; want 0", p.cmd.Path, code)
	}
}

// output buffers everything written to it and closes seen once the buffer contains until.
type output struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	until string
	found bool
	seen  chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	if !o.found && bytes.Contains(o.buf.Bytes(), []byte(o.until)) {
		o.found = true
		close(o.seen)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimRight(o.buf.String(), "\n")
}

// freePort returns an unused port on loopback. It is below the range of ephemeral ports, so it is still free when a stopped
// provider restarts.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(20000 + rand.IntN(10000))
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("found no free port")
	return ""
}
