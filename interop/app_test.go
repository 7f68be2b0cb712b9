package interop_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The client that is registered with every provider.
const (
	clientID     = "interop"
	clientSecret = "interop-secret-interop-secret-interop-secret"
)

// tempDir holds the example binary, which all tests share.
var tempDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "interop")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		tempDir = dir
		slog.SetDefault(slog.New(slog.DiscardHandler)) // zitadel/oidc logs every refused request
		return m.Run()
	}())
}

// buildExample builds the example application, with the race detector if the tests use it.
var buildExample = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(tempDir, "example")
	build := exec.Command("go", "build", "-o", binary)
	if raceEnabled {
		build.Args = append(build.Args, "-race")
	}
	build.Dir = "../example"
	build.Stderr = os.Stderr
	return binary, build.Run()
})

// An app is a process of the example application. It can be stopped and restarted at the same address.
type app struct {
	url     string // http://127.0.0.1:PORT
	env     []string
	process *process
}

// newApp returns the application with its built-in demo provider, not started.
func newApp(t *testing.T) *app {
	t.Helper()
	addr := "127.0.0.1:" + freePort(t)
	return &app{
		url: "http://" + addr,
		env: []string{
			"ADDR=" + addr,
			"SESSION_SECRET=interop-session-secret-of-at-least-32-bytes",
			"GORACE=halt_on_error=1",
		},
	}
}

// registered configures the client that is registered with every provider, and env.
func (a *app) registered(env ...string) {
	a.env = append(append(a.env,
		"OAUTH_CLIENT_ID="+clientID,
		"OAUTH_CLIENT_SECRET="+clientSecret,
		"OAUTH_SCOPES=openid profile email",
		"OAUTH_REDIRECT_URI="+a.url+"/auth/callback",
	), env...)
}

// newAppAt returns the application and the provider that it uses, neither of them started.
func newAppAt(t *testing.T, newProvider func(t *testing.T, app string) provider) (*app, provider) {
	t.Helper()
	a := newApp(t)
	p := newProvider(t, a.url)
	a.registered("OAUTH_ISSUER=" + p.issuer())
	return a, p
}

// start runs the application until stop or the end of the test.
func (a *app) start(t *testing.T) {
	t.Helper()
	binary, err := buildExample()
	if err != nil {
		t.Fatalf("build the example: %v", err)
	}
	cmd := exec.Command(binary)
	cmd.Env = a.env
	a.process = startProcess(t, cmd, a.url)
}

func (a *app) stop(t *testing.T) {
	t.Helper()
	a.process.stop(t)
}
