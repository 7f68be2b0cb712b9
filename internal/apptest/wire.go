package apptest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
)

// A Wire is what lies between the middleware and providers. It keeps what the
// token endpoint responded with, and can be cut.
type Wire struct {
	base http.RoundTripper

	mu        sync.Mutex
	cut       func(*http.Request) (*http.Response, error)
	responses []string // of token endpoints
}

// CutBy has f respond in place of the network; where it returns nil and no
// error, the request goes on. A nil f mends the wire.
func (w *Wire) CutBy(f func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = f
}

// Mended runs f with the wire mended, and cuts it again as it was.
func (w *Wire) Mended(f func()) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	w.CutBy(nil)
	f()
	w.CutBy(cut)
}

// Responses returns the bodies of the responses to POST requests so far: those
// of the token endpoint and of revocations. A nil wire has none.
func (w *Wire) Responses() []string {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.responses)
}

// RoundTrip sends r on, or has it cut.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut != nil {
		if resp, err := cut(r); resp != nil || err != nil {
			return resp, err
		}
	}
	resp, err := w.base.RoundTrip(r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if err == nil && r.Method == http.MethodPost {
		body, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.responses = append(w.responses, string(body))
	}
	return resp, err
}
