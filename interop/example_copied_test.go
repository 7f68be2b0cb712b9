package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var demoLine = regexp.MustCompile(`(?m)^\t(\w+), _ := demo\.Provider\(.*\)\n`)

// Each example works as example/README.md says: in a module of its own, with the tests as they are,
// and the provider of README.md in place of the demo's.
func TestCopiedExamples(t *testing.T) {
	t.Parallel()
	var provider strings.Builder
	for _, b := range blocks(t, "go") {
		if b.document == "../example/README.md" {
			provider.WriteString(b.code)
		}
	}
	name, literal, _ := strings.Cut(provider.String(), " := ")
	if name != "provider" {
		t.Fatalf("example/README.md has %s", provider.String())
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	programs, err := filepath.Glob("../example/*/main.go")
	if err != nil || len(programs) < 8 {
		t.Fatalf("%v %q", err, programs)
	}
	for _, program := range programs {
		to := filepath.Join(dir, filepath.Base(filepath.Dir(program)))
		if err := os.CopyFS(to, os.DirFS(filepath.Dir(program))); err != nil {
			t.Fatal(err)
		}
		text := readText(t, program)
		if len(demoLine.FindAllString(text, -1)) != 1 {
			t.Errorf("%s does not have one line with demo.Provider", program)
		}
		text = demoLine.ReplaceAllString(text, "\t$1 := "+strings.ReplaceAll(literal, "$", "$$"))
		const demo, kit = "\t\"github.com/oauthlogin/oauthlogin/example/internal/demo\"\n", "\t\"github.com/oauthlogin/oauthlogin/oauthlogintest\"\n"
		text = strings.Replace(text, demo, "\t\"golang.org/x/oauth2\"\n", 1)
		if !strings.Contains(text, "oauthlogintest.") {
			text = strings.Replace(text, kit, "", 1)
		}
		writeText(t, filepath.Join(to, "main.go"), text)
	}
	module := strings.Replace(readText(t, "../example/go.mod"), "module github.com/oauthlogin/oauthlogin/example\n", "module club\n", 1)
	writeText(t, filepath.Join(dir, "go.mod"), strings.ReplaceAll(module, " => ../", " => "+root+"/"))
	writeText(t, filepath.Join(dir, "go.sum"), readText(t, "../example/go.sum"))
	cmd := exec.Command("go", "test", "-mod=mod", "./...")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	output, err := cmd.CombinedOutput()
	if passed := strings.Count(string(output), "ok  \tclub/"); err != nil || passed != len(programs) {
		t.Errorf("%v, %d of %d pass\n%s", err, passed, len(programs), output)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
