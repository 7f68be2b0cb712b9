package apptest

import "net/http"

// A Discard is a ResponseWriter that writes nowhere, knows its header and its
// status, and allocates nothing while it serves.
type Discard struct {
	Status int // as it was last written
	header http.Header
}

// NewDiscard returns a Discard.
func NewDiscard() *Discard { return &Discard{header: http.Header{}} }

// Header returns the header.
func (w *Discard) Header() http.Header { return w.header }

// WriteHeader keeps the status.
func (w *Discard) WriteHeader(status int) { w.Status = status }

// Write takes all of b.
func (w *Discard) Write(b []byte) (int, error) { return len(b), nil }
