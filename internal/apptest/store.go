package apptest

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
)

// SessionFiles returns the contents of the files in dir by name.
func SessionFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(content)
	}
	return files
}

// InStoreToo runs a test in a bubble, with the session in cookies and on the
// server.
func InStoreToo(t *testing.T, f func(t *testing.T, with Config)) {
	t.Run("in cookies", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, Config{}) })
	})
	t.Run("in a store", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := FileStore(t)
			f(t, Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		})
	})
}

// FileStore is a server-side store for sessions of any size.
func FileStore(t *testing.T) *sessions.FilesystemStore {
	store := sessions.NewFilesystemStore(t.TempDir(), Key(3), Key(4))
	store.MaxLength(0)
	return store
}
