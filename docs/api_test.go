package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var updateAPI = flag.Bool("update", false, "rewrite the golden files of TestAPIGolden")

// TestAPIGolden puts every change of the exported API into the diff of a golden
// file, where a reviewer sees it. The golden files hold declarations only:
// rewording a doc comment must not change them.
func TestAPIGolden(t *testing.T) {
	begin(t)
	for dir, golden := range map[string]string{
		".":               "docs/api.txt",
		"oauthloginotel":  "docs/api-oauthloginotel.txt",
		"oauthloginpg":    "docs/api-oauthloginpg.txt",
		"oauthloginredis": "docs/api-oauthloginredis.txt",
		"oauthlogintest":  "docs/api-oauthlogintest.txt",
	} {
		api := exportedAPI(t, dir)
		if *updateAPI {
			if err := os.WriteFile(golden, api, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(api, want) {
			t.Errorf("the exported API of package %s differs from %s:\n\n%s\nIf the change is intended, run:\n\n\tgo test ./docs -run TestAPIGolden -update\n",
				dir, golden, changedDeclarations(string(want), string(api)))
		}
	}
}

// The golden files have neither. A new field with a long name would realign the
// others, and the printer leaves a blank line where a comment was.
var (
	alignment  = regexp.MustCompile(`(\S)[\t ]+`)
	blankLines = regexp.MustCompile(`\n\s*\n`)
)

// exportedAPI returns the exported declarations of the package in dir.
func exportedAPI(t *testing.T, dir string) []byte {
	t.Helper()
	found, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	var files []*ast.File
	for _, name := range found.GoFiles {
		file, err := parser.ParseFile(positions, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(positions, files, path.Join("github.com/oauthlogin/oauthlogin", dir))
	if err != nil {
		t.Fatal(err)
	}

	var api bytes.Buffer
	fmt.Fprintf(&api, "package %s // import %q\n", pkg.Name, pkg.ImportPath)
	declare := func(node ast.Decl) {
		var text bytes.Buffer
		if err := printer.Fprint(&text, positions, node); err != nil {
			t.Fatal(err)
		}
		lines := blankLines.ReplaceAll(text.Bytes(), []byte("\n"))
		fmt.Fprintf(&api, "\n%s\n", alignment.ReplaceAll(lines, []byte("$1 ")))
	}
	values := func(all []*doc.Value) {
		for _, v := range all {
			declare(v.Decl)
		}
	}
	funcs := func(all []*doc.Func) {
		for _, f := range all {
			declare(f.Decl)
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		declare(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	return api.Bytes()
}

// changedDeclarations returns the declarations that only one of two APIs has.
func changedDeclarations(before, after string) string {
	old, current := strings.Split(before, "\n\n"), strings.Split(after, "\n\n")
	var changes strings.Builder
	mark := func(sign, declaration string) {
		for line := range strings.Lines(strings.TrimSpace(declaration)) {
			changes.WriteString(sign + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	for _, declaration := range old {
		if !slices.Contains(current, declaration) {
			mark("-", declaration)
		}
	}
	for _, declaration := range current {
		if !slices.Contains(old, declaration) {
			mark("+", declaration)
		}
	}
	return changes.String()
}
