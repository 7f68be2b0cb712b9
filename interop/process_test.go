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

// patience is how long a test waits for what takes a moment: a process that starts or stops, a page that loads.
const patience = 30 * time.Second

// A process is a program under test, with everything it has printed.
type process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{} // closed once the process is gone
}

// startProcess starts cmd and waits until it has printed the word ready. It ends with the test.
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
		t.Fatalf("%s ended before it was ready", cmd.Path)
	case <-time.After(patience):
		t.Fatalf("%s was not ready within %v", cmd.Path, patience)
	}
	return p
}

// stop asks the process to end and checks that it does, soon and with exit code 0.
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
		t.Errorf("%s still ran %v after SIGTERM", p.cmd.Path, patience)
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s: exit code %d after SIGTERM; want 0", p.cmd.Path, code)
	}
}

// output keeps what is written to it and closes seen once that holds the word until.
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

// freePort returns a port on loopback that nothing listens on. It is below the ports that the kernel gives to outgoing
// connections, so that it is still free when a provider that was stopped comes back to it.
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
