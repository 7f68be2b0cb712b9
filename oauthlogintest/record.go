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

// Limits of a requestLog.
const (
	maxBodyBytes = 1 << 20
	maxRequests  = 1000 // per endpoint
)

// A Request is a recorded request to an endpoint: see [Provider.Requests].
type Request struct {
	Method string      // such as POST
	Header http.Header // as it arrived
	Query  url.Values  // parameters in the URL
	Form   url.Values  // parameters in the body; nil if it is not a form
	Status int         // of the response; 0 until it is sent
	Time   time.Time   // of arrival, by Config.Now
}

// Requests returns the requests to the endpoint in order of arrival, including
// requests in progress. It returns at most the last 1000.
func (p *Provider) Requests(e Endpoint) []Request {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	requests := make([]Request, 0, len(p.log.requests[e]))
	for _, r := range p.log.requests[e] {
		requests = append(requests, *r)
	}
	return requests
}

// Count returns the number of requests to the endpoint so far, without a limit.
func (p *Provider) Count(e Endpoint) int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.counts[e]
}

// requestLog holds the latest requests to each endpoint. The zero value is ready
// to use.
type requestLog struct {
	mu       sync.Mutex
	requests map[Endpoint][]*Request
	counts   map[Endpoint]int
}

// record logs the request and replaces its body with a copy in memory. The writer
// that it returns logs the status.
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

// A recordingWriter logs the status before the client receives it.
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

// Flush and Hijack let interceptors stream and close connections through the
// interfaces of net/http. Unwrap is for [http.ResponseController].
func (w *recordingWriter) Flush() {
	w.setStatus(http.StatusOK)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *recordingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish logs the status 200 that net/http sends if the handler writes nothing.
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
