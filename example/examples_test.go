package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines is what fits on a few screens.
const maxLines = 150

// Each folder with a program is an example that can be copied: one short file that says how
// to run it, a test, and a line in README.md.
func TestExamples(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) < 5 {
		t.Errorf("there are %q", programs)
	}
	for _, program := range programs {
		folder := filepath.Dir(program)
		source, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(source, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines; at most %d are allowed", program, n, maxLines)
		}
		command := "go run ./example/" + folder
		if doc, _, ok := strings.Cut(string(source), "\npackage main\n"); !ok || !strings.Contains(doc, command+"\n") {
			t.Errorf("the comment of %s does not have the command %q", program, command)
		}
		if !strings.Contains(string(index), "`"+command+"`") || !strings.Contains(string(index), "]("+program+")") {
			t.Errorf("README.md has no line with the command %q and a link to %s", command, program)
		}
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		tests := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
		if len(tests) == 0 || len(files) != len(tests)+1 {
			t.Errorf("%s has the files %q; one program and its tests are wanted", folder, files)
		}
	}
	for _, command := range regexp.MustCompile("`go run ./example/([^`]*)`").FindAllStringSubmatch(string(index), -1) {
		if !slices.Contains(programs, command[1]+"/main.go") {
			t.Errorf("README.md has the command %s of no example", command[0])
		}
	}
}

// Files to embed have to be in the directory of the package, so scripts.js is a copy there. The
// test is not, so that the directory can be copied.
func TestScriptsAreThoseOfTheDocuments(t *testing.T) {
	t.Parallel()
	copied, err := os.ReadFile("spa/scripts.js")
	if err != nil {
		t.Fatal(err)
	}
	original, err := os.ReadFile("../docs/scripts.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(copied, original) {
		t.Error("spa/scripts.js differs from docs/scripts.js: copy it")
	}
}
