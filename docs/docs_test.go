// Package docs_test compares the documents with the code.
package docs_test

import (
	"log"
	"os"
	"testing"
)

// TestMain runs the tests in the root of the repository, which file names in documents
// are relative to.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		log.Fatal(err)
	}
	os.Exit(m.Run())
}

// begin begins a parallel test. The cache of test results does not see what TestMain does, and
// would look for the files that a test reads below docs: it would show old results.
func begin(t *testing.T) {
	t.Helper()
	t.Parallel()
	if err := os.Chdir("."); err != nil {
		t.Fatal(err)
	}
}
