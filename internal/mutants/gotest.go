package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// testLimit is how long the tests of one package may run. Afterwards the test
// binary panics, and the tests still running count as failed.
const testLimit = 4 * time.Minute

// A report is the outcome of one go test.
type report struct {
	passed      bool
	buildFailed bool     // of the module, or of a test
	failed      []string // top-level tests that failed, or during which the test binary died
	output      string
}

// A testEvent is a line of go test -json: see go doc test2json and go help
// buildjson.
type testEvent struct {
	Action      string
	Package     string
	Test        string
	Output      string
	FailedBuild string
}

// runTests runs the named tests of the packages in the module at root. Its error
// reports that go test did not run to its end.
func runTests(ctx context.Context, root, tests string, packages []string) (*report, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*testLimit)
	defer cancel()
	args := []string{"test", "-json", "-vet=off", "-count=1", "-timeout", testLimit.String(), "-run", "^(" + tests + ")$"}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	r, parseErr := parseReport(stdout.Bytes())
	if parseErr != nil {
		return nil, fmt.Errorf("%w: %s%s", parseErr, stdout.Bytes(), stderr.Bytes())
	}
	r.passed = err == nil
	r.output += stderr.String()
	return r, nil
}

func parseReport(events []byte) (*report, error) {
	r := &report{}
	var output strings.Builder
	var running []testEvent
	decoder := json.NewDecoder(bytes.NewReader(events))
	for decoder.More() {
		var e testEvent
		if err := decoder.Decode(&e); err != nil {
			return nil, err
		}
		output.WriteString(e.Output)
		r.buildFailed = r.buildFailed || e.Action == "build-fail" || e.FailedBuild != ""
		if e.Test == "" || strings.Contains(e.Test, "/") {
			continue
		}
		switch e.Action {
		case "run":
			running = append(running, e)
		case "pass", "skip", "fail":
			running = slices.DeleteFunc(running, func(begun testEvent) bool { return begun.Package == e.Package && begun.Test == e.Test })
			if e.Action == "fail" {
				r.failed = append(r.failed, e.Test)
			}
		}
	}
	for _, e := range running {
		r.failed = append(r.failed, e.Test)
	}
	r.output = output.String()
	return r, nil
}
