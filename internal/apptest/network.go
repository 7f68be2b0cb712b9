package apptest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
)

// A RoundTripFunc is a transport that is one function.
type RoundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls t.
func (t RoundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// A Network serves requests by a handler for each host, without sockets: with it
// a test can live in a synctest bubble, where time is its own.
type Network map[string]http.Handler // by host

// RoundTrip serves r, and waits for all of the response.
func (t Network) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := t[r.URL.Host]
	if !ok {
		return nil, fmt.Errorf("no host %s here", r.URL.Host)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	served := r.Clone(context.WithoutCancel(r.Context()))
	served.RequestURI = r.URL.RequestURI()
	served.Host = r.URL.Host
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, served)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}
