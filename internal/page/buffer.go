package page

import (
	"bytes"
	"maps"
	"net/http"
)

// A Buffer is a response that is sent as a whole, or not at all. It is for pages of the
// application; nothing that streams is written to one.
type Buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// NewBuffer returns an empty response with the header of w.
func NewBuffer(w http.ResponseWriter) *Buffer { return &Buffer{header: w.Header().Clone()} }

func (b *Buffer) Header() http.Header { return b.header }

func (b *Buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// Send writes the response to w, uncached whatever its header says.
func (b *Buffer) Send(w http.ResponseWriter) {
	h := w.Header()
	clear(h)
	maps.Copy(h, b.header)
	NoStore(w)
	b.WriteHeader(http.StatusOK)
	w.WriteHeader(b.status)
	w.Write(b.body.Bytes())
}
