package interop_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
)

// A balancer sends each request to the next instance. One that fails is passed on to another, if it is a GET or was not
// sent.
type balancer struct {
	url  string
	apps []*app
	next atomic.Uint64
	tr   http.Transport
}

// newBalancer returns a balancer without instances, which join adds before the first request.
func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{tr: http.Transport{MaxIdleConnsPerHost: 100}}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:      func(*httputil.ProxyRequest) {}, // RoundTrip chooses the instance
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		Transport:    b,
	})
	t.Cleanup(server.Close)
	t.Cleanup(b.tr.CloseIdleConnections)
	b.url = server.URL
	return b
}

// RoundTrip implements [http.RoundTripper].
func (b *balancer) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	first := b.next.Add(1)
	for i := range uint64(len(b.apps)) {
		target, parseErr := url.Parse(b.apps[(first+i)%uint64(len(b.apps))].url)
		if parseErr != nil {
			return nil, parseErr
		}
		r.URL.Scheme, r.URL.Host = target.Scheme, target.Host
		resp, err = b.tr.RoundTrip(r)
		mayRepeat := r.Method == http.MethodGet || errors.Is(err, syscall.ECONNREFUSED)
		if err == nil || !mayRepeat || r.Context().Err() != nil {
			return resp, err
		}
	}
	return nil, err
}
