package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A mutant is one way to break the module.
type mutant struct {
	name     string
	file     string // path from the root of the module
	old, new string // old occurs in the file exactly once
	packages string // to test, separated by spaces; "." if empty
	tests    string // at least one of them must fail; names separated by "|"
}

// testedPackages returns the packages whose tests run against m.
func (m *mutant) testedPackages() []string {
	if packages := strings.Fields(m.packages); len(packages) > 0 {
		return packages
	}
	return []string{"."}
}

// try applies m to the copy of the module at root, runs its tests, and restores
// the file.
func (m *mutant) try(ctx context.Context, root string) (r result) {
	start := time.Now()
	r.mutant = m.name
	defer func() { r.took = time.Since(start) }()
	path := filepath.Join(root, m.file)
	content, err := os.ReadFile(path)
	if err != nil {
		return r.as(notTried, err.Error())
	}
	if n := strings.Count(string(content), m.old); n != 1 {
		return r.as(notTried, fmt.Sprintf("%s has the code %d times, want once", m.file, n))
	}
	defer func() {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			r = r.as(notTried, "restoring failed: "+err.Error())
		}
	}()
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), m.old, m.new, 1)), 0o600); err != nil {
		return r.as(notTried, err.Error())
	}
	report, err := runTests(ctx, root, m.tests, m.testedPackages())
	switch {
	case err != nil:
		return r.as(notTried, err.Error())
	case report.buildFailed:
		return r.as(notCompiled, report.output)
	case len(report.failed) > 0:
		return r.as(caught, strings.Join(report.failed, " "))
	case report.passed:
		return r.as(survived, m.tests+" passed")
	default:
		return r.as(survived, "no test failed, yet go test did:\n"+report.output)
	}
}

// testUnchanged makes sure that the tests of the mutants pass in the copy at
// root: one that fails without a mutant catches nothing.
func testUnchanged(ctx context.Context, root string, selected []mutant) error {
	var packages, tests []string
	for _, m := range selected {
		packages = append(packages, m.testedPackages()...)
		tests = append(tests, strings.Split(m.tests, "|")...)
	}
	slices.Sort(packages)
	slices.Sort(tests)
	report, err := runTests(ctx, root, strings.Join(slices.Compact(tests), "|"), slices.Compact(packages))
	if err == nil && !report.passed {
		err = fmt.Errorf("without a mutant, %v fail:\n%s", report.failed, report.output)
	}
	return err
}
