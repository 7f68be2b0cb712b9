package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestListIsCurrent holds each mutant to the code and the tests as they are. It runs
// no mutant.
func TestListIsCurrent(t *testing.T) {
	const root = "../.."
	seen := map[string]bool{}
	tests := map[string][]string{} // by package
	for _, m := range mutants {
		if seen[m.name] {
			t.Errorf("%s: there are two mutants of this name", m.name)
		}
		seen[m.name] = true
		content, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		} else if n := strings.Count(string(content), m.old); n != 1 {
			t.Errorf("%s: %s has the code %d times, want once", m.name, m.file, n)
		}
		if m.old == m.new {
			t.Errorf("%s: changes nothing", m.name)
		}
		named := strings.Split(m.tests, "|")
		var known []string
		for _, dir := range m.testedPackages() {
			if tests[dir] == nil {
				tests[dir] = testsOf(t, filepath.Join(root, dir))
			}
			if !slices.ContainsFunc(named, func(name string) bool { return slices.Contains(tests[dir], name) }) {
				t.Errorf("%s: %s has none of the tests %s", m.name, dir, m.tests)
			}
			known = append(known, tests[dir]...)
		}
		for _, name := range named {
			if !slices.Contains(known, name) {
				t.Errorf("%s: no tested package has %s", m.name, name)
			}
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)

// testsOf returns the names of the tests in a directory.
func testsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range testFunc.FindAllStringSubmatch(string(content), -1) {
			names = append(names, match[1])
		}
	}
	return names
}
