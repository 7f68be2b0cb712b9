package docs_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// printed is what a handler prints in one call: its format, and the values.
var printed = regexp.MustCompile("fmt\\.Fprintf?\\(w, (?:\"([^\"]*)\"|`([^`]*)`)(.*)\\)")

// TestHandlersWriteHTML reads the handlers of the documents and of the applications beside them. One
// that writes HTML without a Content-Type begins with a tag: net/http takes anything else for
// plain text, and browsers then show the markup.
func TestHandlersWriteHTML(t *testing.T) {
	begin(t)
	sources, err := filepath.Glob("interop/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range append(sources, documents(t)...) {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range printed.FindAllStringSubmatch(string(source), -1) {
			format := m[1] + m[2]
			if !strings.Contains(format, "<") && !strings.Contains(m[3], "html.EscapeString") {
				continue
			}
			found++
			if kind := http.DetectContentType([]byte(format)); !strings.HasPrefix(kind, "text/html") {
				t.Errorf("%s: %s is sent as %s", name, m[0], kind)
			}
		}
	}
	if found < 6 {
		t.Errorf("%d handlers", found)
	}
}
