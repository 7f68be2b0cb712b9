// Command mutants breaks the package on purpose, one way at a time, and makes
// sure that a test notices. From the root of the module:
//
//	go run ./internal/mutants          # all of them, some minutes
//	go run ./internal/mutants nonce    # those with "nonce" in the name
//
// It works on a copy and is no part of CI. It fails if a mutant survives, and if
// the code that a mutant changes is not there any more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	flag.Parse()
	if err := run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(part string) error {
	root, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := copyModule(root); err != nil {
		return err
	}
	var survived []error
	n := 0
	for _, m := range mutants {
		if !strings.Contains(m.name, part) {
			continue
		}
		n++
		start := time.Now()
		red, err := m.try(root)
		if err != nil {
			survived = append(survived, fmt.Errorf("%s: %w", m.name, err))
			fmt.Printf("SURVIVED  %s: %v\n", m.name, err)
			continue
		}
		fmt.Printf("caught    %s: %s (%.0fs)\n", m.name, strings.Join(red, " "), time.Since(start).Seconds())
	}
	fmt.Printf("%d mutants, %d survived\n", n, len(survived))
	return errors.Join(survived...)
}

// copyModule copies what the root package and its tests are built from.
func copyModule(to string) error {
	internal, err := filepath.Glob("internal/*")
	if err != nil {
		return err
	}
	for _, name := range append(internal, ".", "oauthlogintest") {
		entries, err := os.ReadDir(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, name), 0o700); err != nil {
			return err
		}
		for _, entry := range entries {
			if entry.IsDir() || entry.Name() == "go.work" || entry.Name() == "go.work.sum" {
				continue
			}
			content, err := os.ReadFile(filepath.Join(name, entry.Name()))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, name, entry.Name()), content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// A mutant is one way to break the package. old occurs in the file once.
type mutant struct {
	name, file, old, new string
	tests                string // of which at least one has to fail
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// try returns the tests that failed.
func (m *mutant) try(root string) ([]string, error) {
	path := filepath.Join(root, m.file)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(content), m.old); n != 1 {
		return nil, fmt.Errorf("%s has the code %d times, not once", m.file, n)
	}
	defer os.WriteFile(path, content, 0o600)
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), m.old, m.new, 1)), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-count=1", "-run", "^("+m.tests+")$", ".")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	switch red := failedTest.FindAllStringSubmatch(string(out), -1); {
	case err == nil:
		return nil, fmt.Errorf("%s passed", m.tests)
	case len(red) == 0:
		return nil, fmt.Errorf("no test ran: %s", out)
	default:
		var names []string
		for _, match := range red {
			names = append(names, match[1])
		}
		return names, nil
	}
}
