package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns what links into a document may name, as GitHub makes it from headings.
func anchors(t *testing.T, name string) (all []string) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(source), ""), -1) {
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		all = append(all, slug)
	}
	return all
}

func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(names, "README.md", "example/README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
}

// TestLinks follows all links between the documents and to files. Other sites are left out.
func TestLinks(t *testing.T) {
	begin(t)
	followed := 0
	for _, document := range documents(t) {
		source, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(source), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", document, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s: %s has no heading %q", document, target, anchor)
			}
		}
	}
	if followed < 40 {
		t.Errorf("%d links", followed)
	}
}

// Each page of docs, and the list of examples, is in the index of README.md.
func TestIndex(t *testing.T) {
	begin(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents(t) {
		if (strings.HasPrefix(document, "docs/") || strings.HasPrefix(document, "example/")) && !strings.Contains(string(readme), "]("+document+")") {
			t.Errorf("README.md does not link to %s", document)
		}
	}
}
