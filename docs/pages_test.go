package docs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// Each key of EnglishTexts is in docs/pages-and-languages.md, and the page has no others.
func TestPagesDocument(t *testing.T) {
	t.Parallel()
	const document = "docs/pages-and-languages.md"
	source, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	texts := oauthlogin.EnglishTexts().ByKey
	rows := 0
	for line := range strings.Lines(codeBlock.ReplaceAllString(string(source), "")) {
		code, title, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "| `"), " |\n"), "` | ")
		if !ok || !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		if texts[code+".title"] != title || texts[code+".text"] == "" {
			t.Errorf("%s: the title of %s is %q", document, code, texts[code+".title"])
		}
	}
	inRows := 0
	for key := range texts {
		code, _, _ := strings.Cut(key, ".")
		switch {
		case strings.Contains(string(source), "\n| `"+code+"` | "):
			inRows++
		case !strings.Contains(string(source), "`"+key+"`"):
			t.Errorf("%s does not list %q", document, key)
		}
	}
	if rows < 15 || inRows != 2*rows {
		t.Errorf("%s: %d rows, for %d keys", document, rows, inRows)
	}
}
