package adversarial_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The package comment lists the test files.
func TestIndexOfFiles(t *testing.T) {
	t.Parallel()
	comment, err := os.ReadFile("adversarial.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(file, "_test.go"); !strings.Contains(string(comment), "\n//\t"+name+" ") {
			t.Errorf("the package comment does not list %s", file)
		}
	}
}

// The package comment lists the advisories that tests name, and no others.
func TestIndexOfAdvisories(t *testing.T) {
	t.Parallel()
	identifiers := func(patterns ...string) []string {
		found := map[string]bool{}
		for _, pattern := range patterns {
			files, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range regexp.MustCompile(`\b(CVE-\d{4}-\d+|GHSA(-[0-9a-z]{4}){3}|GO-\d{4}-\d+)\b`).FindAllString(string(text), -1) {
					found[id] = true
				}
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	listed, tested := identifiers("adversarial.go"), identifiers("*_test.go", "../*/*_test.go", "../../*_test.go")
	for _, id := range listed {
		if !slices.Contains(tested, id) {
			t.Errorf("no test names %s", id)
		}
	}
	for _, id := range tested {
		if !slices.Contains(listed, id) {
			t.Errorf("the package comment does not list %s", id)
		}
	}
}
