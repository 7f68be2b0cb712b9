package oauthloginotel

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Transport measures calls to providers, and those of [oauthlogin.Middleware.Client] to APIs,
// for [oauthlogin.Options.HTTPClient]:
//
//	Options{HTTPClient: &http.Client{Transport: telemetry.Transport(nil)}}
//
// It records the metric http.client.request.duration, in seconds, and a span for each request,
// up to the header of the response. The span has the URL without query, user and fragment. No
// header is added to the request: traces do not go on at a provider.
//
// A nil base is a clone of [http.DefaultTransport] that keeps more connections to one host.
func (i *Instrumentation) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
		if standard, ok := base.(*http.Transport); ok {
			clone := standard.Clone()
			clone.MaxIdleConnsPerHost = 32 // net/http's 2 make parallel logins reconnect
			base = clone
		}
	}
	return &transport{base, i}
}

type transport struct {
	base http.RoundTripper
	i    *Instrumentation
}

// Unwrap lets oauthlogin find the client certificate of base (RFC 8705).
func (t *transport) Unwrap() http.RoundTripper { return t.base }

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	attrs := requestAttributes(r)
	shown := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}
	ctx, span := t.i.tracer.Start(r.Context(), spanName(r.Method), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attrs...), trace.WithAttributes(semconv.URLFull(shown.String())))
	defer span.End()

	resp, err := t.base.RoundTrip(r.WithContext(ctx))
	var outcome []attribute.KeyValue
	if err == nil && resp != nil {
		resp.Request = r
		outcome = append(outcome, semconv.HTTPResponseStatusCode(resp.StatusCode))
	}
	if failure := failureOf(resp, err); failure != "" {
		outcome = append(outcome, semconv.ErrorTypeKey.String(failure))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(outcome...)
	t.i.requests.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attrs...), metric.WithAttributes(outcome...))
	return resp, err
}

func failureOf(resp *http.Response, err error) string {
	switch {
	case err != nil:
		return errorType(err)
	case resp != nil && resp.StatusCode >= http.StatusBadRequest:
		return strconv.Itoa(resp.StatusCode)
	}
	return ""
}

// errorType is an error.type for an error, whose text is recorded nowhere: it may be anything.
func errorType(err error) string {
	var slow net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

func requestAttributes(r *http.Request) []attribute.KeyValue {
	port, err := strconv.Atoi(r.URL.Port())
	if err != nil {
		port = 443
		if r.URL.Scheme == "http" {
			port = 80
		}
	}
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(knownMethod(r.Method)), semconv.ServerAddress(r.URL.Hostname()), semconv.ServerPort(port),
	}
}

// knownMethod keeps the number of methods small, as the semantic conventions ask for.
func knownMethod(method string) string {
	switch method {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "_OTHER"
}

func spanName(method string) string {
	if known := knownMethod(method); known != "_OTHER" {
		return known
	}
	return "HTTP"
}
