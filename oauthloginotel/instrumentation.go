package oauthloginotel

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/oauthlogin/oauthlogin/oauthloginotel"

// The attributes that OpenTelemetry's semantic conventions do not have.
const (
	eventKey     = attribute.Key("oauthlogin.event")                 // an EventKind
	providerKey  = attribute.Key("oauthlogin.provider")              // Provider.Name
	endedKey     = attribute.Key("oauthlogin.session.ended")         // Event.Ended
	operationKey = attribute.Key("oauthlogin.coordinator.operation") // load or swap
	swappedKey   = attribute.Key("oauthlogin.coordinator.swapped")   // what Swap reports
)

// Instrumentation records metrics and spans, through [Instrumentation.OnEvent],
// [Instrumentation.Transport] and [Instrumentation.Coordinator]. It is safe for concurrent use.
// [New] makes one, which several Middlewares may share.
type Instrumentation struct {
	tracer trace.Tracer

	events    metric.Int64Counter
	logins    metric.Float64Histogram
	refreshes metric.Float64Histogram

	requests metric.Float64Histogram

	operations metric.Float64Histogram
	watches    metric.Int64UpDownCounter
	changes    metric.Int64Counter
}

// An Option changes what [New] returns: [WithMeterProvider] and [WithTracerProvider].
type Option func(*config)

type config struct {
	meters  metric.MeterProvider
	tracers trace.TracerProvider
}

// WithMeterProvider sets where metrics go. The default is [otel.GetMeterProvider].
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// WithTracerProvider sets where spans go. The default is [otel.GetTracerProvider].
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

var (
	// loginBoundaries are for users who type passwords, in seconds.
	loginBoundaries = []float64{0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300}
	// callBoundaries are those of http.client.request.duration, in seconds.
	callBoundaries = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	// operationBoundaries are for round trips within a data center, in seconds.
	operationBoundaries = []float64{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}
)

// New makes an Instrumentation, with the global providers of the package otel unless opts name
// others. The error joins those of all instruments that the MeterProvider does not create.
func New(opts ...Option) (*Instrumentation, error) {
	c := config{meters: otel.GetMeterProvider(), tracers: otel.GetTracerProvider()}
	for _, opt := range opts {
		opt(&c)
	}
	schema := semconv.SchemaURL
	i := &Instrumentation{tracer: c.tracers.Tracer(scope, trace.WithSchemaURL(schema))}
	m := instruments{meter: c.meters.Meter(scope, metric.WithSchemaURL(schema))}
	i.events = m.counter("oauthlogin.events", "{event}", "Number of events, as Options.OnEvent gets them.")
	i.logins = m.histogram("oauthlogin.login.duration", "Time of logins from the redirect to the provider to their end.", loginBoundaries)
	i.refreshes = m.histogram("oauthlogin.refresh.duration", "Time of refreshes of tokens.", callBoundaries)
	i.requests = m.histogram("http.client.request.duration", "Duration of HTTP client requests.", callBoundaries)
	i.operations = m.histogram("oauthlogin.coordinator.operation.duration", "Time of round trips to the Coordinator.", operationBoundaries)
	i.changes = m.counter("oauthlogin.coordinator.changes", "{change}", "Number of changes that the Coordinator told of.")
	var err error
	i.watches, err = m.meter.Int64UpDownCounter("oauthlogin.coordinator.watches", metric.WithUnit("{watch}"),
		metric.WithDescription("Number of Coordinators that tell this instance of changes."))
	if err = errors.Join(m.err, err); err != nil {
		return nil, fmt.Errorf("oauthloginotel: %w", err)
	}
	return i, nil
}

// instruments creates instruments and keeps the errors.
type instruments struct {
	meter metric.Meter
	err   error
}

func (m *instruments) counter(name, unit, description string) metric.Int64Counter {
	c, err := m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.err = errors.Join(m.err, err)
	return c
}

func (m *instruments) histogram(name, description string, boundaries []float64) metric.Float64Histogram {
	h, err := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(boundaries...))
	m.err = errors.Join(m.err, err)
	return h
}
