package oauthlogintest

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Bounds on what a requestLog reads and keeps.
const (
	maxBodyBytes = 1 << 20
	maxRequests  = 1000 // per endpoint
)

// A Request is what an endpoint was sent, and the status it answered.
type Request struct {
	Method string
	Header http.Header
	Query  url.Values
	Form   url.Values // of the body alone, if it was a form
	Status int        // 0 until answered
	Time   time.Time  // of arrival, by the Provider's clock
}

// Requests returns what the endpoint was sent, in order of arrival: the last
// 1000 requests. One still being answered is among them.
func (p *Provider) Requests(e Endpoint) []Request {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	requests := make([]Request, 0, len(p.log.requests[e]))
	for _, r := range p.log.requests[e] {
		requests = append(requests, *r)
	}
	return requests
}

// Count returns how many requests the endpoint was sent so far.
func (p *Provider) Count(e Endpoint) int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.counts[e]
}

// requestLog holds the latest requests to each endpoint. Its zero value is
// empty.
type requestLog struct {
	mu       sync.Mutex
	requests map[Endpoint][]*Request
	counts   map[Endpoint]int
}

// record logs the request and replaces its body with one read ahead. The
// status is logged through the writer it returns.
func (l *requestLog) record(w http.ResponseWriter, r *http.Request, e Endpoint, now time.Time) (*recordingWriter, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	r.Body = io.NopCloser(bytes.NewReader(body))
	request := &Request{Method: r.Method, Header: r.Header.Clone(), Query: r.URL.Query(), Time: now}
	if isForm(r) {
		request.Form, _ = url.ParseQuery(string(body))
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		l.requests = map[Endpoint][]*Request{}
		l.counts = map[Endpoint]int{}
	}
	kept := l.requests[e]
	if len(kept) == maxRequests {
		kept = kept[:copy(kept, kept[1:])]
	}
	l.requests[e] = append(kept, request)
	l.counts[e]++
	return &recordingWriter{ResponseWriter: w, log: l, request: request}, err
}

func isForm(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/x-www-form-urlencoded"
}

// A recordingWriter logs the status before the client can see it.
type recordingWriter struct {
	http.ResponseWriter
	log      *requestLog
	request  *Request
	hijacked bool
}

func (w *recordingWriter) WriteHeader(status int) {
	if status >= 200 {
		w.setStatus(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recordingWriter) Write(b []byte) (int, error) {
	w.setStatus(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Flush and Hijack let an interceptor trickle and hang up with the plain
// interfaces of net/http; Unwrap serves [http.ResponseController].
func (w *recordingWriter) Flush() {
	w.setStatus(http.StatusOK)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *recordingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish logs the 200 that net/http answers when a handler writes nothing.
func (w *recordingWriter) finish() {
	if !w.hijacked {
		w.setStatus(http.StatusOK)
	}
}

func (w *recordingWriter) setStatus(status int) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if w.request.Status == 0 {
		w.request.Status = status
	}
}
