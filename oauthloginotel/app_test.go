package oauthloginotel_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginotel"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A telemetry is an Instrumentation, and what it has recorded.
type telemetry struct {
	*oauthloginotel.Instrumentation
	t      *testing.T
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer *sdktrace.TracerProvider
}

func record(t *testing.T) *telemetry {
	t.Helper()
	r := &telemetry{t: t, reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	r.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	i, err := oauthloginotel.New(
		oauthloginotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(r.reader))),
		oauthloginotel.WithTracerProvider(r.tracer),
	)
	if err != nil {
		t.Fatal(err)
	}
	r.Instrumentation = i
	return r
}

// An app is an application with a coordinator and an admin page, whose server has spans.
type app struct {
	*telemetry
	*oauthlogintest.Site
	coordinator *oauthlogintest.Coordinator
}

func runApp(t *testing.T) *app {
	t.Helper()
	a := &app{telemetry: record(t), coordinator: oauthlogintest.NewCoordinator()}
	a.Site = oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		provider := p.Registration(base)
		provider.Name = "idp"
		auth, err := oauthlogin.New(oauthlogin.Options{
			Providers:   []oauthlogin.Provider{provider},
			Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
			HTTPClient:  &http.Client{Transport: a.Transport(p.HTTPClient().Transport)},
			Coordinator: a.telemetry.Coordinator(a.coordinator),
			OnEvent:     a.OnEvent,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { auth.Close() })
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
		admins := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
		mux.Handle("/admin", admins(mux))
		mux.Handle("/dashboard", auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		return a.traced(auth.Handler(mux))
	})
	return a
}

// traced is what otelhttp does, in short.
func (r *telemetry) traced(next http.Handler) http.Handler {
	tracer := r.tracer.Tracer("server")
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		ctx, span := tracer.Start(q.Context(), q.Method+" "+q.URL.Path)
		defer span.End()
		next.ServeHTTP(w, q.WithContext(ctx))
	})
}

// metrics returns the metrics with this prefix as lines such as "events{a=b} 1": of a
// histogram, the number of its values and what they add up to, in whole seconds.
func (r *telemetry) metrics(prefix string) (lines []string) {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if !strings.HasPrefix(m.Name, prefix) {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s%s %d", m.Name, labels(p.Attributes), p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s%s %d, %.0f s", m.Name, labels(p.Attributes), p.Count, p.Sum))
				}
			default:
				r.t.Errorf("metric %s is %T", m.Name, data)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func labels(set attribute.Set) string {
	var parts []string
	for _, kv := range set.ToSlice() {
		parts = append(parts, fmt.Sprintf("%s=%s", kv.Key, kv.Value.String()))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// want fails the test unless these are the metrics with this prefix.
func (r *telemetry) want(prefix string, want ...string) {
	r.t.Helper()
	slices.Sort(want)
	if got := r.metrics(prefix); !slices.Equal(got, want) {
		r.t.Errorf("metrics:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// ended returns the spans with this name.
func (r *telemetry) ended(name string) (spans []sdktrace.ReadOnlySpan) {
	for _, span := range r.spans.Ended() {
		if span.Name() == name {
			spans = append(spans, span)
		}
	}
	return spans
}

// slowly lets the token endpoint take its time.
func (a *app) slowly(d time.Duration) {
	a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		time.Sleep(d)
		next(w, r)
	})
}

// failWith lets the token endpoint respond with an error.
func (a *app) failWith(status int, body string) {
	a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}
