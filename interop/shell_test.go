package interop_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	shellComment = regexp.MustCompile(`\s#.*$`)
	shellEnv     = regexp.MustCompile(`^([A-Z_]+=\S+ )+`)
	goPackage    = regexp.MustCompile(`(?:^| )(\./\S*|\.)(?: |$)`)
	goDirectory  = regexp.MustCompile(` -C (\S+)`)
)

// TestDocumentedShell runs the commands of the documents that need nothing but a directory,
// finds the packages of those that CI or a reader runs, and knows all others.
func TestDocumentedShell(t *testing.T) {
	t.Parallel()
	elsewhere := []string{ // commands that change a reader's machine, or need the network
		"go mod init hello", "go mod init club", "go mod tidy", "cp -r example/chi ../club", "cd ../club", "go get ", "go test", "go run .", "export SESSION_SECRET=", "git clone https://github.com/oauthlogin/oauthlogin",
		"cd oauthlogin", "bash .ci/run", "npm ci --prefix interop/", "go version -m bin/example", "go tool cover -func=cov.out", "chromium --user-data-dir=",
	}
	ran := 0
	for _, b := range blocks(t, "sh") {
		dir := t.TempDir()
		for line := range strings.Lines(b.code) {
			command := shellEnv.ReplaceAllString(shellComment.ReplaceAllString(strings.TrimSpace(line), ""), "")
			switch {
			case strings.HasPrefix(command, "openssl "):
				run := exec.Command("sh", "-c", command)
				run.Dir = dir
				if output, err := run.CombinedOutput(); err != nil {
					t.Errorf("%s:%d: %s: %v\n%s", b.document, b.line, command, err, output)
				}
				ran++
			case strings.HasPrefix(command, "go ") && goPackage.MatchString(command) && !strings.HasSuffix(command, "go run ."):
				list := exec.Command("go", "list", goPackage.FindStringSubmatch(command)[1])
				list.Dir = ".."
				if directory := goDirectory.FindStringSubmatch(command); directory != nil {
					list.Dir += "/" + directory[1]
				}
				list.Env = append(os.Environ(), "GOWORK=") // the workspace that a reader has
				if output, err := list.CombinedOutput(); err != nil {
					t.Errorf("%s:%d: %s: %v\n%s", b.document, b.line, command, err, output)
				}
				ran++
			case !slices.ContainsFunc(elsewhere, func(known string) bool { return strings.HasPrefix(command, known) }):
				t.Errorf("%s:%d: nothing is known of %q", b.document, b.line, command)
			}
		}
	}
	if ran < 12 {
		t.Errorf("%d commands", ran)
	}
}
