package oauthloginotel

import (
	"cmp"
	"context"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// OnEvent records an event. It is an [oauthlogin.Options.OnEvent], or is called by one. A
// refresh becomes a span, and any other event is added to the span of the request. It calls no
// other machine.
func (i *Instrumentation) OnEvent(ctx context.Context, e oauthlogin.Event) {
	outcome := []attribute.KeyValue{providerKey.String(e.Provider)}
	if e.Err != nil {
		outcome = append(outcome, semconv.ErrorTypeKey.String(cmp.Or(e.Code, semconv.ErrorTypeOther.Value.AsString())))
	}
	attrs := append([]attribute.KeyValue{eventKey.String(string(e.Kind)), endedKey.Bool(e.Ended)}, outcome...)
	i.events.Add(ctx, 1, metric.WithAttributes(attrs...))
	switch e.Kind {
	case oauthlogin.EventLogin:
		i.logins.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(outcome...))
	case oauthlogin.EventRefresh, oauthlogin.EventRefreshFailed:
		i.refreshes.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(outcome...))
		now := time.Now()
		_, span := i.tracer.Start(ctx, "oauthlogin.refresh", trace.WithTimestamp(now.Add(-e.Duration)), trace.WithAttributes(attrs...))
		if e.Err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End(trace.WithTimestamp(now))
		return
	}
	trace.SpanFromContext(ctx).AddEvent("oauthlogin."+string(e.Kind), trace.WithAttributes(attrs...))
}
