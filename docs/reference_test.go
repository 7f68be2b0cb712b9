package docs_test

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// publicPackages are the directories of the packages that applications import.
var publicPackages = []string{".", "oauthlogintest", "oauthloginredis", "oauthloginpg", "oauthloginotel"}

// readPackage returns the documentation of the package in dir, and its files with those of its
// tests, which have the examples.
func readPackage(t *testing.T, dir string) (*doc.Package, []*ast.File) {
	t.Helper()
	found, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Concat(found.GoFiles, found.TestGoFiles, found.XTestGoFiles) {
		file, err := parser.ParseFile(positions, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(positions, files, path.Join("github.com/oauthlogin/oauthlogin", dir))
	if err != nil {
		t.Fatal(err)
	}
	return pkg, files
}

// A name is exported, with its comment. Fields are "Type.Field", and methods "Type.Method".
type name struct {
	name, doc string
}

// exportedNames returns all names of a package.
func exportedNames(pkg *doc.Package) (all []name) {
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			for _, spec := range v.Decl.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, n := range spec.Names {
					if n.IsExported() {
						all = append(all, name{n.Name, v.Doc + spec.Doc.Text() + spec.Comment.Text()})
					}
				}
			}
		}
	}
	funcs := func(prefix string, fs []*doc.Func) {
		for _, f := range fs {
			all = append(all, name{prefix + f.Name, f.Doc})
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs("", pkg.Funcs)
	for _, typ := range pkg.Types {
		all = append(all, name{typ.Name, typ.Doc})
		values(typ.Consts)
		values(typ.Vars)
		funcs("", typ.Funcs)
		funcs(typ.Name+".", typ.Methods)
		all = append(all, members(typ)...)
	}
	return all
}

// members returns the fields of a struct and the methods of an interface.
func members(typ *doc.Type) (all []name) {
	var list *ast.FieldList
	switch underlying := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(type) {
	case *ast.StructType:
		list = underlying.Fields
	case *ast.InterfaceType:
		list = underlying.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		for _, n := range field.Names {
			if n.IsExported() {
				all = append(all, name{typ.Name + "." + n.Name, field.Doc.Text() + field.Comment.Text()})
			}
		}
	}
	return all
}

// TestReference checks that every exported name has a comment, and that what a comment writes in
// brackets is a link.
func TestReference(t *testing.T) {
	begin(t)
	bracketed := regexp.MustCompile(`\[\*?[A-Z]\w*(\.\w+)*\]`)
	for _, dir := range publicPackages {
		pkg, _ := readPackage(t, dir)
		comments := append(exportedNames(pkg), name{"the package", pkg.Doc})
		for _, n := range comments {
			if n.doc == "" {
				t.Errorf("%s: %s has no comment", dir, n.name)
			}
			text := plainText(pkg.Parser().Parse(n.doc).Content)
			for _, link := range bracketed.FindAllString(text, -1) {
				t.Errorf("%s: the comment of %s has %s, which is not a link", dir, n.name, link)
			}
		}
	}
}

// plainText returns the text that is in no link and in no code block.
func plainText(blocks []comment.Block) string {
	var text strings.Builder
	add := func(all []comment.Text) {
		for _, part := range all {
			if plain, ok := part.(comment.Plain); ok {
				text.WriteString(string(plain))
			}
		}
	}
	for _, block := range blocks {
		switch block := block.(type) {
		case *comment.Paragraph:
			add(block.Text)
		case *comment.Heading:
			add(block.Text)
		case *comment.List:
			for _, item := range block.Items {
				text.WriteString(plainText(item.Content))
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// TestFunctionsHaveExamples checks that whoever looks for a function or method in the examples of
// its package finds it.
func TestFunctionsHaveExamples(t *testing.T) {
	begin(t)
	for _, dir := range publicPackages {
		pkg, files := readPackage(t, dir)
		shown := map[string]bool{}
		for _, file := range files {
			for _, node := range file.Decls {
				f, ok := node.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(strings.ToLower(f.Name.Name), "example") { // or a helper of one
					continue
				}
				ast.Inspect(node, func(n ast.Node) bool {
					if ident, ok := n.(*ast.Ident); ok {
						shown[ident.Name] = true
					}
					return true
				})
			}
		}
		funcs := slices.Clone(pkg.Funcs)
		for _, typ := range pkg.Types {
			funcs = slices.Concat(funcs, typ.Funcs, typ.Methods)
		}
		for _, f := range funcs {
			if !shown[f.Name] && !slices.Contains(calledByOthers, f.Name) {
				t.Errorf("%s: no example has %s", dir, strings.TrimSpace(f.Recv+" "+f.Name))
			}
		}
	}
}

// calledByOthers are methods that fmt, log/slog, errors, net/http and a Middleware call, and not
// an application.
var calledByOthers = []string{"Format", "LogValue", "Error", "Unwrap", "ServeHTTP", "Load", "Swap", "Watch"}
