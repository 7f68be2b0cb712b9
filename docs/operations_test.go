package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// A logLine is a message of the packages' log, without the prefix "oauthlogin: ". What it
// puts together at run time is "…".
type logLine struct {
	levels []string // "": chosen at run time
	keys   []string // those that the call names
	where  token.Position
}

// sources returns the files of the packages that applications use.
func sources(t *testing.T) (files []*ast.File, positions *token.FileSet) {
	t.Helper()
	positions = token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != "." || entry.Name() == "docs" ||
				slices.Contains([]string{"mutants", "apptest", "adversarial", "oauthlogintest"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(positions, path, nil, parser.SkipObjectResolution)
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, positions
}

// text returns a string that is put together, with "…" for what is not written there.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	}
	return "…"
}

const logPrefix = "oauthlogin: "

// logLines returns all messages by their text.
func logLines(t *testing.T) map[string]*logLine {
	t.Helper()
	files, positions := sources(t)
	lines := map[string]*logLine{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			level := ""
			switch f := call.Fun.(type) {
			case *ast.Ident: // a function in a variable
				if f.Name != "log" {
					return true
				}
			case *ast.SelectorExpr:
				name := strings.TrimSuffix(f.Sel.Name, "Context")
				switch name {
				case "Debug", "Info", "Warn", "Error":
					level = name
				case "Log", "LogAttrs":
				default:
					return true
				}
			default:
				return true
			}
			at := slices.IndexFunc(call.Args, func(arg ast.Expr) bool { return strings.HasPrefix(text(arg), logPrefix) })
			if at < 0 {
				return true
			}
			message := strings.TrimPrefix(text(call.Args[at]), logPrefix)
			line := lines[message]
			if line == nil {
				line = &logLine{where: positions.Position(call.Pos())}
				lines[message] = line
			}
			line.levels = append(line.levels, level)
			for i, arg := range call.Args[at+1:] {
				if key, ok := arg.(*ast.BasicLit); ok && i%2 == 0 && key.Kind == token.STRING {
					line.keys = append(line.keys, strings.Trim(key.Value, `"`))
				}
			}
			return true
		})
	}
	if len(lines) < 25 {
		t.Fatalf("%d messages", len(lines))
	}
	return lines
}

// A row is a row of a table in a document.
type row struct{ cells []string }

// tables returns the rows of the tables of a document that list codes, messages or events, by
// the first code span of each.
func tables(t *testing.T, document string) map[string]row {
	t.Helper()
	inTable := false
	source, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for line := range strings.Lines(string(source)) {
		switch {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case strings.HasPrefix(line, "| code and status |"), strings.HasPrefix(line, "| message |"), strings.HasPrefix(line, "| event |"):
			inTable = true
		}
		if !inTable || !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "| "), " |"), " | ")
		name := codeSpan.FindStringSubmatch(cells[0])[1]
		if _, twice := rows[name]; twice {
			t.Errorf("%s: two rows of %q", document, name)
		}
		rows[name] = row{cells}
	}
	return rows
}

func spans(cell string) (names []string) {
	for _, span := range codeSpan.FindAllStringSubmatch(cell, -1) {
		names = append(names, span[1])
	}
	return names
}

// TestOperationsDocument compares the log lines of docs/operations.md with the source.
func TestOperationsDocument(t *testing.T) {
	begin(t)
	const document = "docs/operations.md"
	rows := tables(t, document)
	lines := logLines(t)
	delete(lines, "…") // events
	for message, line := range lines {
		documented, ok := rows[message]
		switch {
		case !ok:
			t.Errorf("%s: %s does not list %q", line.where, document, message)
			continue
		case len(documented.cells) != 3:
			t.Errorf("%s: %d cells for %q", document, len(documented.cells), message)
			continue
		}
		for _, level := range line.levels {
			if level != "" && !strings.Contains(documented.cells[1], level) {
				t.Errorf("%s: %q has the level %s", document, message, level)
			}
		}
		keys := spans(documented.cells[2])
		for _, key := range line.keys {
			if !slices.Contains(keys, key) {
				t.Errorf("%s: %q has the key %s", document, message, key)
			}
		}
		if line.levels[0] != "" && len(keys) > len(line.keys) {
			t.Errorf("%s: %q has the keys %q only", document, message, line.keys)
		}
	}
	for name := range rows {
		if lines[name] == nil && !slices.Contains(eventKinds(t), name) {
			t.Errorf("%s: nothing logs %q", document, name)
		}
	}
	for _, kind := range eventKinds(t) {
		if _, ok := rows[kind]; !ok {
			t.Errorf("%s does not list the event %q", document, kind)
		}
	}
}

// eventKinds returns the values of EventKind.
func eventKinds(t *testing.T) (kinds []string) {
	t.Helper()
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`EventKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		kinds = append(kinds, m[1])
	}
	if len(kinds) < 6 {
		t.Fatalf("events %q", kinds)
	}
	return kinds
}

// errorCodes returns the codes that the documentation of Error lists, with their statuses.
func errorCodes(t *testing.T) map[string][]string {
	t.Helper()
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string][]string{}
	name := ""
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+)?\s*(\d{3})?`).FindAllStringSubmatch(string(source), -1) {
		if m[1] != "" {
			name = m[1]
		}
		if m[2] != "" {
			codes[name] = append(codes[name], m[2])
		}
	}
	if len(codes) < 20 {
		t.Fatalf("codes %q", codes)
	}
	return codes
}

// TestErrorCodes compares the codes that the documentation of Error lists with those in the
// source.
func TestErrorCodes(t *testing.T) {
	begin(t)
	used := map[string]bool{}
	files, _ := sources(t)
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if name, ok := literal.Type.(*ast.Ident); ok && name.Name == "Error" {
				for _, element := range literal.Elts {
					if field, ok := element.(*ast.KeyValueExpr); ok && field.Key.(*ast.Ident).Name == "Code" {
						if code := text(field.Value); code != "…" {
							used[code] = true
						}
					}
				}
			}
			return true
		})
	}
	codes := errorCodes(t)
	for code := range used {
		if codes[code] == nil {
			t.Errorf("the documentation of Error does not list %q", code)
		}
	}
	if len(used) < 8 {
		t.Errorf("codes in the source: %v", used)
	}
}

// TestTroubleshootingDocument compares docs/troubleshooting.md with the codes, the titles of
// their pages and the log lines in the source.
func TestTroubleshootingDocument(t *testing.T) {
	begin(t)
	const document = "docs/troubleshooting.md"
	rows := tables(t, document)
	codes, lines := errorCodes(t), logLines(t)
	delete(lines, "…")
	titles := oauthlogin.EnglishTexts().ByKey
	for code, statuses := range codes {
		documented, ok := rows[code]
		if !ok || len(documented.cells) != 4 {
			t.Errorf("%s has no row of four cells for the code %q", document, code)
			continue
		}
		for _, status := range statuses {
			if !strings.Contains(documented.cells[0], status) {
				t.Errorf("%s: %q has the status %s", document, code, status)
			}
		}
		if title := titles[code+".title"]; title != "" && !strings.Contains(documented.cells[1], title) {
			t.Errorf("%s: the page of %q has the title %q", document, code, title)
		}
	}
	for message, line := range lines {
		if documented, ok := rows[message]; !ok || len(documented.cells) != 3 {
			t.Errorf("%s: %s has no row of three cells for %q", line.where, document, message)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if codes[name] == nil && lines[name] == nil && !slices.Contains(eventKinds(t), name) {
			t.Errorf("%s: there is no %q", document, name)
		}
	}
}
