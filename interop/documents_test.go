package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	// What the documents show, besides what other tests import.
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/redis/go-redis/v9"

	_ "github.com/oauthlogin/oauthlogin/oauthloginpg"
	_ "github.com/oauthlogin/oauthlogin/oauthloginredis"
)

// A block is code in a document.
type block struct {
	document string
	line     int // of its first line
	code     string
}

var fence = regexp.MustCompile("(?m)^( *)```([a-z]+)\n((?s:.*?))^ *```$")

// blocks returns the blocks of a language in README.md, docs and the list of examples.
func blocks(t *testing.T, language string) (all []block) {
	t.Helper()
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, "../README.md", "../example/README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllSubmatchIndex(text, -1) {
			if string(text[m[4]:m[5]]) != language {
				continue
			}
			indent := string(text[m[2]:m[3]])
			code := strings.ReplaceAll("\n"+string(text[m[6]:m[7]]), "\n"+indent, "\n")[1:]
			all = append(all, block{document, bytes.Count(text[:m[6]], []byte("\n")) + 1, code})
		}
	}
	return all
}

// TestDocumentedGo type-checks each Go block of the documents. A block is a program,
// declarations, statements, fields of a literal, or an expression. What it leaves to the
// reader is in testdata/reader.go.
func TestDocumentedGo(t *testing.T) {
	t.Parallel()
	all := blocks(t, "go")
	if len(all) < 30 {
		t.Fatalf("%d blocks", len(all))
	}
	imports := importsOf(t)
	for _, b := range all {
		if err := b.check(imports); err != nil {
			t.Errorf("%s:%d: %v", b.document, b.line, err)
		}
	}
}

// Wrong blocks are found, of each shape.
func TestDocumentedGoWrong(t *testing.T) {
	t.Parallel()
	imports := importsOf(t)
	for _, code := range []string{
		"package main\n\nfunc main() { auth.Missing() }\n",
		"func f() { oauthlogin.Missing() }\n",
		"auth.Missing(w, r)\n",
		"LoginPaths: \"/login\",\n",
		"Issuers: \"https://a.example\",\n",
		"oauthlogin.Provider{Issuers: \"https://a.example\"}\n",
		"return 1, 2, 3\n",
		"if {\n",
	} {
		if (block{code: code}).check(imports) == nil {
			t.Errorf("no error: %s", code)
		}
	}
}

// The shapes that a block may have.
var shapes = []string{
	"%s", // a whole file
	"package p\n//line block:1\n%s",
	"package p\nfunc _() {\n//line block:1\n%s}",
	"package p\nfunc _() error {\n//line block:1\n%s; panic(nil) }",
	"package p\nfunc _(r chi.Router) {\n//line block:1\n%s}",
	"package p\nfunc _() (any, error) {\n//line block:1\n%s; panic(nil) }",
	"package p\nvar _ = oauthlogin.Options{\n//line block:1\n%s}",
	"package p\nvar _ = oauthlogin.Provider{\n//line block:1\n%s}",
	"package p\nvar _ = []any{\n//line block:1\n%s}",
	"package p\nvar _ any =\n//line block:1\n%s",
}

// check returns nil if the block compiles in one of the shapes, and otherwise the errors of
// the shape with the fewest.
func (b block) check(imports *imports) error {
	var least []error
	for _, shape := range shapes {
		file, err := parser.ParseFile(imports.files, "block", fmt.Sprintf(shape, b.code), parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		faults := imports.check(file)
		if len(faults) == 0 {
			return nil
		}
		if least == nil || len(faults) < len(least) {
			least = faults
		}
	}
	if least == nil {
		return errors.New("it does not parse in any shape")
	}
	return errors.Join(least...)
}

// imports are the packages that blocks may use.
type imports struct {
	reader   []byte // testdata/reader.go
	files    *token.FileSet
	importer types.Importer    // which keeps what it has read
	paths    map[string]string // by name
}

func importsOf(t *testing.T) *imports {
	t.Helper()
	reader, err := os.ReadFile("testdata/reader.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "reader.go", reader, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	all := &imports{reader: reader, files: token.NewFileSet(), paths: map[string]string{}}
	for _, spec := range file.Imports {
		name := strings.Trim(spec.Path.Value, `"`)
		args = append(args, name)
		short := path.Base(name)
		if strings.HasPrefix(short, "v") && len(short) == 2 {
			short = path.Base(path.Dir(name))
		}
		all.paths[strings.TrimPrefix(short, "go-")] = name
	}
	list := exec.Command("go", args...)
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{} // files, by import path
	for line := range strings.Lines(string(output)) {
		name, export, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[name] = export
	}
	all.importer = importer.ForCompiler(all.files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("import %s: testdata/reader.go does not", path)
		}
		return os.Open(exports[path])
	})
	return all
}

// check type-checks a file together with what the reader has. It adds the imports to a
// file without any.
func (all *imports) check(file *ast.File) (faults []error) {
	reader, err := parser.ParseFile(all.files, "reader.go", all.reader, parser.SkipObjectResolution)
	if err != nil {
		return []error{err}
	}
	reader.Name.Name = file.Name.Name
	declared := namesOf(file.Decls)
	isDeclared := func(name string) bool { return slices.Contains(declared, name) }
	reader.Decls = slices.DeleteFunc(reader.Decls, func(decl ast.Decl) bool {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			return isDeclared(decl.Name.Name)
		case *ast.GenDecl:
			decl.Specs = slices.DeleteFunc(decl.Specs, func(spec ast.Spec) bool {
				value, ok := spec.(*ast.ValueSpec)
				return ok && isDeclared(value.Names[0].Name)
			})
		}
		return false
	})
	if len(file.Imports) == 0 {
		imported := &ast.GenDecl{Tok: token.IMPORT, Lparen: 1}
		used := map[string]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := selector.X.(*ast.Ident); ok && all.paths[x.Name] != "" && !used[x.Name] {
					used[x.Name] = true
					imported.Specs = append(imported.Specs, &ast.ImportSpec{Path: &ast.BasicLit{Kind: token.STRING, Value: `"` + all.paths[x.Name] + `"`}})
				}
			}
			return true
		})
		if len(imported.Specs) > 0 {
			file.Decls = append([]ast.Decl{imported}, file.Decls...)
			for _, spec := range imported.Specs {
				file.Imports = append(file.Imports, spec.(*ast.ImportSpec))
			}
		}
	}
	config := types.Config{
		Importer: all.importer,
		Error: func(err error) {
			var fault types.Error
			if errors.As(err, &fault) && !fault.Soft { // what is not used is left to the reader
				faults = append(faults, err)
			}
		},
	}
	config.Check("p", all.files, []*ast.File{file, reader}, nil)
	return faults
}

func namesOf(decls []ast.Decl) (names []string) {
	for _, decl := range decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil && decl.Name.Name != "_" {
				names = append(names, decl.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.Name != "_" {
							names = append(names, name.Name)
						}
					}
				case *ast.TypeSpec:
					names = append(names, spec.Name.Name)
				}
			}
		}
	}
	return names
}

// TestGettingStarted runs the tests of docs/getting-started.md, and those of docs/testing.md that
// are complete, on the applications of the former.
func TestGettingStarted(t *testing.T) {
	t.Parallel()
	var code, recipes []string
	for _, b := range blocks(t, "go") {
		switch b.document {
		case "../docs/getting-started.md":
			code = append(code, b.code)
		case "../docs/testing.md":
			recipes = append(recipes, b.code)
		}
	}
	if len(code) != 3 {
		t.Fatalf("%d blocks", len(code))
	}
	withMux, tests, newApp := code[0], code[1], code[2]
	before, rest, _ := strings.Cut(withMux, "func newApp(")
	_, after, _ := strings.Cut(rest, "\n}\n")
	before = strings.Replace(before, "import (\n", "import (\n\t\"github.com/go-chi/chi/v5\"\n", 1)
	var more strings.Builder
	more.WriteString(`package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestWithAPI(t *testing.T) {
	var token string
	api := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { token = r.Header.Get("Authorization") })
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys:       [][]byte{[]byte("a key of 32 bytes or more for tests")},
			Providers:  []oauthlogin.Provider{p.Registration(base)},
			HTTPClient: &http.Client{Transport: withAPI{p.HTTPClient().Transport, api}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			resp, err := auth.Client(r.Context()).Get("https://api.example.com/orders")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})))
	})
	site.SignIn("alice").Fetch("/")
	if !strings.HasPrefix(token, "Bearer ") {
		t.Errorf("Authorization: %q", token)
	}
}
`)
	for _, name := range []string{"func TestSessionEnds(", "func TestLogoutReachesTheOtherInstance(", "func runAppWithAPI("} {
		i := slices.IndexFunc(recipes, func(code string) bool { return strings.Contains(code, name) })
		if i < 0 {
			t.Fatalf("docs/testing.md has no %s", name)
		}
		more.WriteString("\n" + recipes[i])
	}
	runTests(t, map[string]string{"main.go": withMux, "main_test.go": tests, "testing_test.go": more.String()})
	runTests(t, map[string]string{"main.go": before + newApp + after, "main_test.go": tests})
}

// runTests runs the tests of a module with the dependencies of this one.
func runTests(t *testing.T, files map[string]string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files["go.mod"], files["go.sum"] = strings.ReplaceAll(string(module), " => ../", " => "+root+"/"), string(sums)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-mod=mod", "-v", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: ") {
		t.Errorf("%v\n%s", err, output)
	}
}
