package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is a module with a package below its root and a nested module.
var module = map[string]string{
	"go.mod":          "module example.com/m\n\ngo 1.26\n",
	"go.work":         "this would fail to parse",
	"half/half.go":    "package half\n\nfunc Of(n int) int { return n / 2 }\n",
	"half/of_test.go": "package half\n\nimport \"testing\"\n\nfunc TestOf(t *testing.T) {\n\tif Of(4) != 2 {\n\t\tt.Error(\"wrong\")\n\t}\n}\n\nfunc TestNothing(*testing.T) {}\n",
	"root.go":         "package m\n\nimport \"example.com/m/half\"\n\nvar Two = half.Of(4)\n",
	"root_test.go":    "package m\n\nimport \"testing\"\n\nfunc TestTwo(t *testing.T) {\n\tif Two != 2 {\n\t\tt.Error(\"wrong\")\n\t}\n}\n",
	"nested/go.mod":   "module example.com/nested\n",
	".git/config":     "",

	"half/node_modules/x.go": "package broken",
}

func writeModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range module {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCopyModule(t *testing.T) {
	to := filepath.Join(t.TempDir(), "copy")
	if err := copyModule(writeModule(t), to); err != nil {
		t.Fatal(err)
	}
	for name := range module {
		_, err := os.Stat(filepath.Join(to, name))
		belongs := name == "go.mod" || strings.HasSuffix(name, ".go") && !strings.Contains(name, "node_modules")
		if (err == nil) != belongs {
			t.Errorf("%s: %v, want copied: %t", name, err, belongs)
		}
	}
}

func TestTry(t *testing.T) {
	root := filepath.Join(t.TempDir(), "copy")
	if err := copyModule(writeModule(t), root); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		mutant
		want   outcome
		detail string
	}{
		{mutant{name: "in the root", new: "n / 1", tests: "TestTwo|TestOf"}, caught, "TestTwo"},
		{mutant{name: "below it", new: "n / 1", packages: "./half .", tests: "TestTwo|TestOf"}, caught, "TestOf TestTwo"},
		{mutant{name: "panics", new: "[]int{}[n]", packages: "./half", tests: "TestOf"}, caught, "TestOf"},
		{mutant{name: "dies", new: "func() int { go panic(n); select {} }()", packages: "./half", tests: "TestOf"}, caught, "TestOf"},
		{mutant{name: "not noticed", new: "n / 1", packages: "./half", tests: "TestNothing"}, survived, "TestNothing passed"},
		{mutant{name: "no such test", new: "n / 1", tests: "TestGone"}, survived, "TestGone passed"},
		{mutant{name: "nonsense", new: "n / 0", packages: "./half", tests: "TestOf"}, notCompiled, "division by zero"},
		{mutant{name: "nonsense below the package", new: "n / 0", tests: "TestTwo"}, notCompiled, "division by zero"},
		{mutant{name: "dies before the tests", new: "func() int { panic(n) }()", tests: "TestTwo"}, survived, "no test failed"},
		{mutant{name: "ambiguous", old: "n", tests: "TestOf"}, notTried, "want once"},
		{mutant{name: "gone", old: "gone", tests: "TestOf"}, notTried, "0 times"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := test.mutant
			m.file = "half/half.go"
			if m.old == "" {
				m.old = "n / 2"
			}
			got := m.try(t.Context(), root)
			missing := slices.DeleteFunc(strings.Fields(test.detail), func(word string) bool { return strings.Contains(got.detail, word) })
			if got.outcome != test.want || len(missing) > 0 {
				t.Errorf("got %v, want %s with %q", got, test.want, test.detail)
			}
		})
	}
	if content, err := os.ReadFile(filepath.Join(root, "half/half.go")); err != nil || string(content) != module["half/half.go"] {
		t.Errorf("the file is not restored: %s %v", content, err)
	}
}

func TestUnchangedModuleMustPass(t *testing.T) {
	root := writeModule(t)
	if err := os.Remove(filepath.Join(root, "go.work")); err != nil {
		t.Fatal(err)
	}
	selected := []mutant{{tests: "TestTwo"}, {packages: "./half", tests: "TestOf|TestNothing"}}
	if err := testUnchanged(t.Context(), root, selected); err != nil {
		t.Error(err)
	}
	broken := strings.Replace(module["half/of_test.go"], "!= 2", "== 2", 1)
	if err := os.WriteFile(filepath.Join(root, "half/of_test.go"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := testUnchanged(t.Context(), root, selected); err == nil || !strings.Contains(err.Error(), "[TestOf] fail") {
		t.Errorf("a test that fails without a mutant: %v", err)
	}
}
