package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/oauthlogin/oauthlogin"

// TestArchitecture compares the table of rooms in docs/architecture.md with the
// imports of the source files.
func TestArchitecture(t *testing.T) {
	begin(t)
	listed := listedRooms(t)
	found := map[string]map[string]bool{}
	for file, imports := range goImports(t) {
		room := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if found[room] == nil {
			found[room] = map[string]bool{}
		}
		for _, name := range imports {
			found[room][name] = true
		}
	}
	for room, imports := range found {
		may, ok := listed[room]
		if !ok {
			t.Errorf("docs/architecture.md does not list the room %s", room)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(imports)) {
			if !slices.Contains(may, name) {
				t.Errorf("%s imports %s, which docs/architecture.md does not allow", room, name)
			}
		}
		for _, name := range may {
			if !imports[name] {
				t.Errorf("docs/architecture.md allows %s to import %s, which it does not", room, name)
			}
		}
	}
	for room, may := range listed {
		if found[room] == nil {
			t.Errorf("docs/architecture.md lists the room %s, which is not there", room)
		}
		if strings.HasPrefix(room, "internal/") && room != "internal/apptest" && slices.Contains(may, ".") {
			t.Errorf("docs/architecture.md lets %s import the root", room)
		}
	}
}

// TestInternalTestsStandAlone keeps the harness, which imports the package, out of
// tests that are part of it.
func TestInternalTestsStandAlone(t *testing.T) {
	begin(t)
	for file, imports := range goImports(t) {
		if path.Dir(file) != "." || packageOf(t, file) != "oauthlogin" {
			continue
		}
		for _, name := range []string{"apptest", "oauthlogintest"} {
			if slices.Contains(imports, name) {
				t.Errorf("%s is in package oauthlogin and imports %s", file, name)
			}
		}
	}
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// listedRooms returns what each room of the table may import: rooms by their last
// element, the root as ".", and other modules by their short names.
func listedRooms(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		room := strings.Trim(strings.TrimSpace(cells[1]), "`")
		own, others, _ := strings.Cut(cells[3], ";")
		rooms[room] = []string{}
		for _, match := range backquoted.FindAllStringSubmatch(own, -1) {
			rooms[room] = append(rooms[room], match[1])
		}
		if !strings.Contains(own, "`") {
			others = own
		}
		for name := range strings.SplitSeq(others, ",") {
			if name = strings.TrimSpace(name); name != "" && name != "nothing" {
				rooms[room] = append(rooms[room], name)
			}
		}
	}
	if len(rooms) < 10 {
		t.Fatalf("docs/architecture.md has %d rooms in its table", len(rooms))
	}
	return rooms
}

// goImports returns the imports, but for the standard library, of the Go files of
// this module, by the same names.
func goImports(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if name != "." && (err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		files[name] = []string{}
		for _, spec := range file.Imports {
			if short := shortImport(spec.Path.Value); short != "" {
				files[name] = append(files[name], short)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// shortImport is the name of an import in the table, "" for the standard library.
func shortImport(quoted string) string {
	name, _ := strconv.Unquote(quoted)
	if name == modulePath {
		return "."
	}
	if rest, ok := strings.CutPrefix(name, modulePath+"/"); ok {
		return path.Base(rest)
	}
	parts := strings.Split(name, "/")
	switch {
	case !strings.Contains(parts[0], "."):
		return ""
	case parts[0] == "golang.org":
		return strings.Join(parts[1:3], "/")
	case parts[1] == "go-jose":
		return "go-jose"
	}
	return strings.Join(parts[1:3], "/")
}

func packageOf(t *testing.T, file string) string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Name.Name
}
