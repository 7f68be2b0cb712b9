package main

import (
	"io/fs"
	"os"
	"path/filepath"
)

// copyModule copies the module at from to the directory to: every file below
// it, without nested modules, the workspace file, .git and node_modules.
func copyModule(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			if relative != "." && isLeftOut(path, entry.Name()) {
				return filepath.SkipDir
			}
			return os.MkdirAll(target, 0o700)
		case entry.Name() == ".git" || entry.Name() == "go.work" || entry.Name() == "go.work.sum" || !entry.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
}

// isLeftOut reports whether a directory does not belong to the module.
func isLeftOut(path, name string) bool {
	if name == ".git" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}
