package interop_test

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// An engine is a redis-server or a PostgreSQL server. It can be stopped and restarted at the same address.
type engine struct {
	env     string // what tells the example about it
	command func() *exec.Cmd
	ready   string // what it prints
	process *process
}

// newRedis returns a redis-server that keeps nothing when it restarts, not started.
func newRedis(t *testing.T) *engine {
	t.Helper()
	port, dir := freePort(t), t.TempDir()
	return &engine{env: "REDIS_URL=redis://127.0.0.1:" + port, ready: "Ready to accept connections", command: func() *exec.Cmd {
		return exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "")
	}}
}

// newPostgres returns a PostgreSQL server with an empty database, not started.
func newPostgres(t *testing.T) *engine {
	t.Helper()
	port := freePort(t)
	dir, err := os.MkdirTemp("", "interop") // which the user of the server can reach
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		path, err := exec.LookPath(name)
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); err != nil && len(found) > 0 {
			path = found[len(found)-1]
		}
		cmd := exec.Command(path, args...)
		cmd.Dir = dir
		if os.Getuid() == 0 { // as which PostgreSQL does not run
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(t, dir)}
		}
		return cmd
	}
	initdb := command("initdb", "--pgdata", data, "--auth", "trust", "--username", "test", "--no-sync", "--locale", "C", "--encoding", "UTF8")
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	return &engine{
		env:   "DATABASE_URL=postgres://test@" + net.JoinHostPort("127.0.0.1", port) + "/postgres?sslmode=disable",
		ready: "database system is ready to accept connections",
		command: func() *exec.Cmd {
			return command("postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
		},
	}
}

// unprivileged returns the user that Debian's package makes for PostgreSQL, after giving dir to it.
func unprivileged(t *testing.T, dir string) *syscall.Credential {
	t.Helper()
	owner, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, uidErr := strconv.Atoi(owner.Uid)
	gid, gidErr := strconv.Atoi(owner.Gid)
	if uidErr != nil || gidErr != nil {
		t.Fatal(uidErr, gidErr)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// start runs the server until kill or the end of the test.
func (e *engine) start(t *testing.T) {
	t.Helper()
	e.process = startProcess(t, e.command(), e.ready)
}

func (e *engine) kill()   { e.process.kill() }
func (e *engine) pause()  { _ = e.process.cmd.Process.Signal(syscall.SIGSTOP) }
func (e *engine) resume() { _ = e.process.cmd.Process.Signal(syscall.SIGCONT) }

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}
