package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for an event before it fails.
const patience = 20 * time.Second

// binary is the example application, built once.
var binary string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "example.exe")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary)
	if raceEnabled() {
		build.Args = append(build.Args, "-race")
	}
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("build the example: %w", err)
	}
	return m.Run(), nil
}

// raceEnabled reports whether the tests run with the race detector.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// A process is a running application.
type process struct {
	t      *testing.T
	url    string
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer // read it only after the process has exited
	ended  bool
}

// command returns a command that runs the application with env as its whole
// environment.
func command(ctx context.Context, env map[string]string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = []string{"GORACE=halt_on_error=1 atexit_sleep_ms=0"} // the default waits a second at every exit
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// start runs the application, on a free port unless env sets ADDR, and waits
// until it is ready. The application stops at the end of the test.
func start(t *testing.T, env map[string]string) *process {
	t.Helper()
	all := map[string]string{"ADDR": "127.0.0.1:0", "SESSION_SECRET": "a session secret for tests, over 32 bytes long"}
	maps.Copy(all, env)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	p := &process{t: t, cmd: command(ctx, all)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop(os.Interrupt)
		cancel()
		if t.Failed() {
			t.Logf("the application logged:\n%s", p.stderr.String())
		}
	})

	line, err := p.stdout.ReadString('\n')
	p.url = regexp.MustCompile(`http://\S+`).FindString(line)
	if err != nil || p.url == "" {
		t.Fatalf("first line %q, %v; want a line with a URL", line, err)
	}
	return p
}

// stop sends the application a signal and checks that it exits cleanly and soon.
func (p *process) stop(signal os.Signal) {
	p.t.Helper()
	if p.ended {
		return
	}
	p.ended = true
	begin := time.Now()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Error(err)
	}
	rest, err := io.ReadAll(p.stdout)
	if len(rest) > 0 || err != nil {
		p.t.Errorf("stdout has more than one line: %q, %v", rest, err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("after %v: %v; want exit code 0", signal, err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		p.t.Errorf("stopping took %v", took)
	}
}

// A browser keeps cookies and follows redirects.
type browser struct {
	t      *testing.T
	client *http.Client
	app    string
}

// A page is the final response to a navigation.
type page struct {
	b      *browser
	url    *url.URL
	status int
	header http.Header
	body   string
}

func newBrowser(t *testing.T, p *process) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, &http.Client{Jar: jar, Transport: transport, Timeout: patience}, p.url}
}

// open navigates to a path of the application.
func (b *browser) open(path string) *page {
	b.t.Helper()
	return b.navigate(http.MethodGet, b.app+path, nil)
}

// redirect returns the URL to which a path of the application redirects.
func (b *browser) redirect(path string) *url.URL {
	b.t.Helper()
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Get(b.app + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		b.t.Fatalf("%s: status %d, %v", path, resp.StatusCode, err)
	}
	return location
}

func (b *browser) navigate(method, address string, form url.Values) *page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, address, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return b.do(r)
}

// fetch requests a path of the application as a script would.
func (b *browser) fetch(path string) *page {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.app+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	return b.do(r)
}

func (b *browser) do(r *http.Request) *page {
	b.t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &page{b, resp.Request.URL, resp.StatusCode, resp.Header, string(body)}
}

var (
	formPattern   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit sends the form of the page with the fields that the user filled in.
func (p *page) submit(filledIn map[string]string) *page {
	p.b.t.Helper()
	form := formPattern.FindStringSubmatch(p.body)
	if form == nil {
		p.b.t.Fatalf("%s has no form:\n%s", p.url, p.body)
	}
	fields := url.Values{}
	for _, field := range hiddenPattern.FindAllStringSubmatch(form[2], -1) {
		fields.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	for name, value := range filledIn {
		fields.Set(name, value)
	}
	action, err := p.url.Parse(html.UnescapeString(form[1]))
	if err != nil {
		p.b.t.Fatal(err)
	}
	return p.b.navigate(http.MethodPost, action.String(), fields)
}

// signIn signs in at the provider's sign-in page.
func (p *page) signIn(login string) *page {
	p.b.t.Helper()
	return p.submit(map[string]string{"login": login, "action": "approve"})
}

// want fails the test unless the page is at the path of the application, has the
// status, and contains the texts.
func (p *page) want(status int, path string, texts ...string) *page {
	p.b.t.Helper()
	if p.status != status || p.url.String() != p.b.app+path {
		p.b.t.Fatalf("at %s with status %d; want %s with status %d:\n%s", p.url, p.status, p.b.app+path, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			p.b.t.Errorf("%s does not contain %q:\n%s", p.url, text, p.body)
		}
	}
	return p
}
