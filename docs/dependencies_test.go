package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// published are the modules that get a version, by their directories.
var published = []string{".", "oauthloginotel", "oauthloginpg", "oauthloginredis"}

const rootModule = "github.com/oauthlogin/oauthlogin"

// goOutput runs the go command in a module, without the workspace.
func goOutput(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return string(out)
}

// A dependency is a row of the tables of docs/dependencies.md.
type dependency struct{ neededBy, license string }

var dependencyRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (programs|tests) \\| (\\S+) \\| \\S.* \\|$")

// TestDependencies compares the tables with the modules, which packages of them are built, and their licenses.
func TestDependencies(t *testing.T) {
	begin(t)
	text, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range published {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			module := strings.TrimSuffix(rootModule+"/"+dir, "/.")
			_, section, _ := strings.Cut(string(text), "\n## "+module+"\n")
			section, _, _ = strings.Cut(section, "\n## ")
			listed := map[string]dependency{}
			for _, row := range dependencyRow.FindAllStringSubmatch(section, -1) {
				listed[row[1]] = dependency{row[2], row[3]}
			}
			required := requirements(t, dir)
			if !maps.Equal(listed, required) {
				t.Errorf("the table has\n%v\nand the module\n%v", listed, required)
			}
		})
	}
}

// requirements returns the dependencies that go.mod names.
func requirements(t *testing.T, dir string) map[string]dependency {
	t.Helper()
	built := strings.Fields(goOutput(t, dir, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./..."))
	required := map[string]dependency{}
	for _, r := range goMod(t, dir).Require {
		found := strings.TrimSpace(goOutput(t, dir, "list", "-m", "-f", "{{.Dir}}", r.Path))
		d := dependency{"tests", license(t, found)}
		if slices.Contains(built, r.Path) {
			d.neededBy = "programs"
		}
		required[r.Path] = d
	}
	return required
}

// license names the license of the module in a directory.
func license(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "LICENSE*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no license: %v", dir, err)
	}
	source, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(source)), " ")
	switch {
	case strings.Contains(text, "Apache License Version 2.0"):
		return "Apache-2.0"
	case strings.Contains(text, "Permission is hereby granted, free of charge"):
		return "MIT"
	case strings.Contains(text, "Neither the name of"):
		return "BSD-3-Clause"
	case strings.Contains(text, "Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	}
	return "unknown"
}

// A goModFile is what `go mod edit -json` says.
type goModFile struct {
	Go      string
	Require []struct{ Path, Version string }
}

func goMod(t *testing.T, dir string) (file goModFile) {
	t.Helper()
	if err := json.Unmarshal([]byte(goOutput(t, dir, "mod", "edit", "-json")), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGraph compares the graph of the root module in docs/dependencies.md with the module.
func TestGraph(t *testing.T) {
	begin(t)
	var edges []string
	for line := range strings.Lines(goOutput(t, ".", "mod", "graph")) {
		ends := strings.Fields(line)
		from, _, _ := strings.Cut(ends[0], "@")
		to, _, _ := strings.Cut(ends[1], "@")
		if from != "go" && to != "go" && to != "toolchain" {
			edges = append(edges, from+" "+to)
		}
	}
	text, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	if graph := strings.Join(edges, "\n"); !strings.Contains(string(text), "```text\n"+graph+"\n```") {
		t.Errorf("the graph is\n%s", graph)
	}
}

// The modules of this repository require each other at the version that CHANGELOG.md has last, so that a tag needs no
// other change: users' builds ignore the replace directives.
func TestModulesRequireTheRelease(t *testing.T) {
	begin(t)
	changes, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	released := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) — \d{4}-\d{2}-\d{2}$`).FindStringSubmatch(string(changes))
	if released == nil {
		t.Fatal("CHANGELOG.md has no release")
	}
	found := 0
	for _, dir := range append([]string{"bench", "example", "interop"}, published...) {
		file := goMod(t, dir)
		if root := goMod(t, ".").Go; file.Go != root {
			t.Errorf("%s requires Go %s; the root requires %s", dir, file.Go, root)
		}
		for _, r := range file.Require {
			if r.Path == rootModule || strings.HasPrefix(r.Path, rootModule+"/") {
				found++
				if r.Version != "v"+released[1] {
					t.Errorf("%s requires %s %s; the last release is %s", dir, r.Path, r.Version, released[1])
				}
			}
		}
	}
	if found < 6 {
		t.Errorf("found %d requirements", found)
	}
}
