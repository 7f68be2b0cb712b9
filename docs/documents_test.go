package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A declaration is a function, variable or constant of the test files.
type declaration struct {
	source   string   // with its comments
	literals []string // strings
	names    []string // of all that it may use
}

// testDeclarations returns those of all test files, by name.
func testDeclarations(t *testing.T) map[string]declaration {
	t.Helper()
	declarations := map[string]declaration{}
	var names []string
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "internal/*/*_test.go", "interop/*/*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range file.Decls {
			var d declaration
			var names []string
			begin := node.Pos()
			switch node := node.(type) {
			case *ast.FuncDecl:
				names = []string{node.Name.Name}
				if node.Doc != nil {
					begin = node.Doc.Pos()
				}
			case *ast.GenDecl:
				if node.Doc != nil {
					begin = node.Doc.Pos()
				}
				for _, spec := range node.Specs {
					if spec, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range spec.Names {
							names = append(names, name.Name)
						}
					}
				}
			}
			d.source = string(source[positions.Position(begin).Offset:positions.Position(node.End()).Offset])
			ast.Inspect(node, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					d.names = append(d.names, n.Name)
				case *ast.BasicLit:
					if literal, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
						d.literals = append(d.literals, literal)
					}
				}
				return true
			})
			for _, name := range names { // which packages may share
				known := declarations[name]
				declarations[name] = declaration{known.source + d.source, slices.Concat(known.literals, d.literals), slices.Concat(known.names, d.names)}
			}
		}
	}
	return declarations
}

// withTables returns a declaration and those that it names: a test's table may
// be a function or a variable.
func withTables(declarations map[string]declaration, name string) (all []declaration) {
	d := declarations[name]
	all = append(all, d)
	for _, used := range slices.Compact(slices.Sorted(slices.Values(d.names))) {
		if table, ok := declarations[used]; ok && used != name {
			all = append(all, table)
		}
	}
	return all
}

var (
	codeSpan     = regexp.MustCompile("`([^`\n]+)`")
	testName     = regexp.MustCompile(`\b(?:Test|Fuzz|Example)[A-Z]\w*`)
	officialName = regexp.MustCompile(`(?:oidcc-client|fapi2-security-profile-final-client)-[a-z0-9_-]*[a-z0-9]`)
)

// testsNamed returns the tests, or tests and subtests, that a text names.
func testsNamed(text string) (names []string) {
	for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
		if loc := testName.FindStringIndex(span[1]); loc != nil && loc[0] == 0 {
			names = append(names, span[1])
		}
	}
	return names
}

// A document that names a test that is gone says what is not so.
func TestDocumentsNameTests(t *testing.T) {
	begin(t)
	declarations := testDeclarations(t)
	least := map[string]int{"docs/conformance.md": 100, "docs/threat-model.md": 40} // names of tests
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		text = codeBlock.ReplaceAll(text, nil)
		for _, name := range testName.FindAllString(string(text), -1) {
			if _, ok := declarations[name]; !ok {
				t.Errorf("%s: there is no %s", document, name)
			}
		}
		named := testsNamed(string(text))
		if len(named) < least[document] {
			t.Errorf("%s: names %d tests", document, len(named))
		}
		for _, name := range named {
			test, row, ok := strings.Cut(name, "/")
			if ok && !slices.ContainsFunc(withTables(declarations, test), func(d declaration) bool { return slices.Contains(d.literals, row) }) {
				t.Errorf("%s: %s has no %q", document, test, row)
			}
		}
	}
}

// Each row of the tables of docs/conformance.md names its tests, and each test of
// the OpenID Foundation is named by one of those, and the other way round.
func TestConformanceDocument(t *testing.T) {
	begin(t)
	declarations := testDeclarations(t)
	text, err := os.ReadFile("docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	official := map[string]bool{}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		tests := testsNamed(cells[len(cells)-1])
		switch {
		case !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---"), strings.HasSuffix(line, " tests |\n"):
			continue
		case len(tests) == 0:
			t.Errorf("names no test: %s", line)
		}
		rows++
		for _, name := range officialName.FindAllString(cells[0], -1) {
			official[name] = true
			beside := regexp.MustCompile(regexp.QuoteMeta(name) + `([^a-z0-9_-]|$)`)
			if !slices.ContainsFunc(tests, func(test string) bool {
				test, _, _ = strings.Cut(test, "/")
				return slices.ContainsFunc(withTables(declarations, test), func(d declaration) bool { return beside.MatchString(d.source) })
			}) {
				t.Errorf("%s is beside none of %q", name, tests)
			}
		}
	}
	if rows < 100 || len(official) < 60 {
		t.Errorf("%d rows, %d tests of the OpenID Foundation", rows, len(official))
	}
	for name, d := range declarations {
		for _, test := range officialName.FindAllString(d.source, -1) {
			if strings.HasPrefix(name, "Test") && !official[test] {
				t.Errorf("%s, of %s, is not in the document", test, name)
			}
		}
	}
}
