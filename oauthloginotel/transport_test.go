package oauthloginotel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Each call to a provider is measured by its method, host, port and outcome.
func TestTransport(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		method string
		status int
		err    error
		want   string // labels
		failed bool
	}{
		{"a response", "POST", 200, nil, "{http.request.method=POST,http.response.status_code=200,server.address=idp.example,server.port=8443}", false},
		{"an error of the provider", "POST", 503, nil, "{error.type=503,http.request.method=POST,http.response.status_code=503,server.address=idp.example,server.port=8443}", true},
		{"a timeout", "GET", 0, context.DeadlineExceeded, "{error.type=timeout,http.request.method=GET,server.address=idp.example,server.port=8443}", true},
		{"a timeout of the network", "GET", 0, &net.DNSError{IsTimeout: true}, "{error.type=timeout,http.request.method=GET,server.address=idp.example,server.port=8443}", true},
		{"a call that is given up", "GET", 0, context.Canceled, "{error.type=canceled,http.request.method=GET,server.address=idp.example,server.port=8443}", true},
		{"an error that says too much", "GET", 0, errors.New("s3cret"), "{error.type=_OTHER,http.request.method=GET,server.address=idp.example,server.port=8443}", true},
		{"a method of a stranger", "BREW", 200, nil, "{http.request.method=_OTHER,http.response.status_code=200,server.address=idp.example,server.port=8443}", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := record(t)
			base := roundTripper(func(q *http.Request) (*http.Response, error) {
				if !trace.SpanContextFromContext(q.Context()).IsValid() {
					t.Error("the request has no span")
				}
				if len(q.Header) > 0 {
					t.Errorf("the request has the header %v", q.Header)
				}
				if test.err != nil {
					return nil, test.err
				}
				return &http.Response{StatusCode: test.status, Body: http.NoBody, Request: q}, nil
			})
			sent, _ := http.NewRequestWithContext(t.Context(), test.method, "https://user:s3cret@idp.example:8443/token?code=s3cret#s3cret", nil)
			resp, err := r.Transport(base).RoundTrip(sent)
			if err != test.err || err == nil && resp.Request != sent { //nolint:errorlint // the same
				t.Errorf("response %v, error %v; want the request's, and %v", resp, err, test.err)
			}
			r.want("", "http.client.request.duration"+test.want+" 1, 0 s")
			spans := r.spans.Ended()
			if len(spans) != 1 || spans[0].SpanKind() != trace.SpanKindClient || (spans[0].Status().Code == codes.Error) != test.failed || spans[0].Status().Description != "" {
				t.Fatalf("spans %v; want one of a client, failed %t, without a text", spans, test.failed)
			}
			for _, kv := range spans[0].Attributes() {
				if kv.Key == "url.full" && kv.Value.AsString() != "https://idp.example:8443/token" || strings.Contains(kv.Value.String(), "s3cret") {
					t.Errorf("the span has %s=%s", kv.Key, kv.Value.String())
				}
			}
		})
	}
}

// Without a base, requests go out by a transport of its own.
func TestTransportOfItsOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	r := record(t)
	transport := r.Transport(nil)
	base, ok := transport.(interface{ Unwrap() http.RoundTripper }).Unwrap().(*http.Transport)
	if !ok || base == http.DefaultTransport {
		t.Fatalf("the transport is %T", base)
	}
	defer base.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
		t.Errorf("body %q, %v", body, err)
	}
}

// A login and a refresh show which hosts they waited for.
func TestTransportOfApplication(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := runApp(t)
		a.SignIn("alice")
		a.want("http.",
			"http.client.request.duration{http.request.method=GET,http.response.status_code=200,server.address=provider.test,server.port=443} 2, 0 s", // metadata, keys
			"http.client.request.duration{http.request.method=POST,http.response.status_code=200,server.address=provider.test,server.port=443} 1, 0 s",
		)
	})
}
