package oauthloginpg_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oauthlogin/oauthlogin/oauthloginpg"
)

// patience is how long a test waits for a process or a condition.
const patience = 30 * time.Second

// An engine is a PostgreSQL server on a loopback port, with a directory of its own.
type engine struct {
	t          *testing.T
	addr, dir  string
	credential *syscall.Credential // of the server, which refuses to run as root
	cmd        *exec.Cmd
}

// startEngine starts a server, with the table, that stops at the end of the test. It fails if
// PostgreSQL is not installed.
func startEngine(t *testing.T) *engine {
	t.Helper()
	e := newEngine(t)
	initdb := e.command("initdb", "--pgdata", e.data(), "--auth", "trust", "--username", "test", "--no-sync", "--locale", "C", "--encoding", "UTF8")
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	e.start()
	if err := oauthloginpg.CreateTable(t.Context(), e.pool()); err != nil {
		t.Fatal(err)
	}
	return e
}

// startStandby starts a server that follows e.
func (e *engine) startStandby() *engine {
	e.t.Helper()
	standby := newEngine(e.t)
	backup := standby.command("pg_basebackup", "--pgdata", standby.data(), "--dbname", e.url(), "--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	if output, err := backup.CombinedOutput(); err != nil {
		e.t.Fatalf("pg_basebackup: %v\n%s", err, output)
	}
	standby.start()
	return standby
}

// newEngine returns an engine with an empty directory.
func newEngine(t *testing.T) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "oauthloginpg") // which the user of the server can reach
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &engine{t: t, addr: freeAddr(t), dir: dir, credential: unprivileged(t)}
	if e.credential != nil {
		if err := os.Chown(dir, int(e.credential.Uid), int(e.credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		e.kill()
		if text, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && t.Failed() {
			t.Logf("postgres %s:\n%s", e.addr, text)
		}
	})
	return e
}

func (e *engine) data() string { return filepath.Join(e.dir, "data") }
func (e *engine) url() string  { return urlOf(e.addr) }

func urlOf(addr string) string { return "postgres://test@" + addr + "/postgres?sslmode=disable" }

// unprivileged returns whom a server runs as if the test runs as root.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("%v (Debian: apt-get install postgresql)", err)
	}
	uid, uidErr := strconv.ParseUint(owner.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(owner.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatal(uidErr, gidErr)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// command returns a command of PostgreSQL, which Debian keeps out of PATH.
func (e *engine) command(name string, args ...string) *exec.Cmd {
	e.t.Helper()
	path, err := exec.LookPath(name)
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); err != nil && len(found) > 0 {
		path, err = found[len(found)-1], nil
	}
	if err != nil {
		e.t.Fatalf("%v (Debian: apt-get install postgresql pgbouncer)", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = e.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: e.credential}
	return cmd
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// start runs the server and waits until it replies.
func (e *engine) start() {
	e.t.Helper()
	_, port, _ := net.SplitHostPort(e.addr)
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	e.cmd = e.command("postgres", "-D", e.data(), "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	pool := e.pool()
	waitFor(e.t, "PostgreSQL", func() bool { return pool.Ping(e.t.Context()) == nil })
}

// kill kills all processes of the server.
func (e *engine) kill() {
	if e.cmd == nil {
		return
	}
	e.signal(syscall.SIGSTOP) // so that none is born meanwhile
	e.signal(syscall.SIGKILL)
	_ = e.cmd.Wait()
	e.cmd = nil
}

func (e *engine) pause()  { e.signal(syscall.SIGSTOP) }
func (e *engine) resume() { e.signal(syscall.SIGCONT) }

// signal sends s to the server, then to its children.
func (e *engine) signal(s syscall.Signal) {
	pid := e.cmd.Process.Pid
	children := childrenOf(pid)
	_ = syscall.Kill(pid, s)
	for _, child := range slices.Concat(children, childrenOf(pid)) {
		_ = syscall.Kill(child, s)
	}
}

func childrenOf(pid int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, _ := os.ReadFile(stat)
		// pid (name) state ppid
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 1 && string(fields[1]) == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(strings.Split(stat, "/")[2])
			children = append(children, child)
		}
	}
	return children
}

func (e *engine) pool() *pgxpool.Pool { return openPool(e.t, e.url()) }

// openPool returns a pool with its default settings, for the test alone.
func openPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// startBouncer starts a PgBouncer in transaction mode before the server and returns its address.
func (e *engine) startBouncer() string {
	e.t.Helper()
	addr := freeAddr(e.t)
	host, port, _ := net.SplitHostPort(addr)
	_, target, _ := net.SplitHostPort(e.addr)
	config := filepath.Join(e.dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\npostgres = host=127.0.0.1 port=%s\n[pgbouncer]\nlisten_addr = %s\nlisten_port = %s\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n", target, host, port)
	text = strings.Replace(text, "port="+target, "port="+target+" user=test", 1)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
	cmd := e.command("pgbouncer", "--quiet", config)
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	pool := openPool(e.t, urlOf(addr)+"&default_query_exec_mode=exec")
	waitFor(e.t, "PgBouncer", func() bool { return pool.Ping(e.t.Context()) == nil })
	return addr
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
