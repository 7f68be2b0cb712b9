package oauthloginotel

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Coordinator returns c with its calls counted and timed, and its changes counted, for
// [oauthlogin.Options.Coordinator] or [oauthlogin.NewStore]. For a nil c it returns nil.
//
//	Options{Coordinator: telemetry.Coordinator(oauthloginredis.New(client))}
//
// Each Load and Swap is a span. Keys and values are not recorded.
func (i *Instrumentation) Coordinator(c oauthlogin.Coordinator) oauthlogin.Coordinator {
	if c == nil {
		return nil
	}
	return &coordinator{c, i}
}

type coordinator struct {
	c oauthlogin.Coordinator
	i *Instrumentation
}

// Load implements [oauthlogin.Coordinator].
func (c *coordinator) Load(ctx context.Context, keys ...string) ([][]byte, error) {
	ctx, end := c.i.begin(ctx, "load")
	values, err := c.c.Load(ctx, keys...)
	end(err)
	return values, err
}

// Swap implements [oauthlogin.Coordinator].
func (c *coordinator) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error) {
	ctx, end := c.i.begin(ctx, "swap")
	swapped, err := c.c.Swap(ctx, key, old, new, ttl, tell)
	if err != nil {
		end(err)
	} else {
		end(nil, swappedKey.Bool(swapped))
	}
	return swapped, err
}

// begin begins an operation, and end ends it.
func (i *Instrumentation) begin(ctx context.Context, operation string) (_ context.Context, end func(err error, outcome ...attribute.KeyValue)) {
	began := time.Now()
	ctx, span := i.tracer.Start(ctx, "oauthlogin.coordinator."+operation, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(err error, outcome ...attribute.KeyValue) {
		outcome = append(outcome, operationKey.String(operation))
		if err != nil {
			outcome = append(outcome, semconv.ErrorTypeKey.String(errorType(err)))
			span.SetStatus(codes.Error, "")
		}
		i.operations.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(outcome...))
		span.SetAttributes(outcome...)
		span.End()
	}
}

// Watch implements [oauthlogin.Coordinator].
func (c *coordinator) Watch(ctx context.Context, ready func(), changed func(key string)) error {
	// An instance without users watches nothing yet, and has no series. From here on there is
	// one, which is 0 even if the watch never becomes ready.
	c.i.watches.Add(ctx, 0)
	var isReady atomic.Bool
	defer func() {
		if isReady.Load() {
			c.i.watches.Add(context.Background(), -1)
		}
	}()
	return c.c.Watch(ctx, func() {
		isReady.Store(true)
		c.i.watches.Add(ctx, 1)
		ready()
	}, func(key string) {
		c.i.changes.Add(ctx, 1)
		changed(key)
	})
}
