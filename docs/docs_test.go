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
