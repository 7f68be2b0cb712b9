// Package oauthloginotel turns what oauthlogin does into metrics and traces of OpenTelemetry:
//
//	telemetry, err := oauthloginotel.New()
//	// ...
//	auth, err := oauthlogin.New(oauthlogin.Options{
//		OnEvent:     telemetry.OnEvent,
//		HTTPClient:  &http.Client{Transport: telemetry.Transport(nil)},
//		Coordinator: telemetry.Coordinator(oauthloginredis.New(client)),
//		// ...
//	})
//
// Each of the three works without the others. They use the global providers of the package
// otel, unless [WithMeterProvider] and [WithTracerProvider] name others.
//
// # Metrics
//
//	name                                       instrument        attributes
//	oauthlogin.events                          counter           oauthlogin.event, oauthlogin.provider,
//	                                                             oauthlogin.session.ended, error.type
//	oauthlogin.login.duration                  histogram, s      oauthlogin.provider, error.type
//	oauthlogin.refresh.duration                histogram, s      oauthlogin.provider, error.type
//	http.client.request.duration               histogram, s      http.request.method, server.address, server.port,
//	                                                             http.response.status_code, error.type
//	oauthlogin.coordinator.operation.duration  histogram, s      oauthlogin.coordinator.operation (load or swap),
//	                                                             oauthlogin.coordinator.swapped, error.type
//	oauthlogin.coordinator.watches             up-down counter
//	oauthlogin.coordinator.changes             counter
//
// An oauthlogin.event is an [oauthlogin.EventKind]. oauthlogin.session.ended is true for
// events that end a session. What succeeds has no error.type; what fails has the
// Code of the [oauthlogin.Event]; for a call to a provider the HTTP status, timeout, canceled
// or _OTHER; and for one to the Coordinator timeout, canceled or _OTHER.
//
// oauthlogin.login.duration begins with the redirect to the provider, and has what the user
// does there. What the provider itself takes is in http.client.request.duration, which also has
// the calls to APIs that go through [oauthlogin.Middleware.Client].
//
// oauthlogin.coordinator.watches is the number of Coordinators, 1 or 0 for most applications,
// that tell this instance of changes. At 0 for longer than a few seconds, sessions that end at other
// instances are noticed late. It is missing until an instance sees its first session or login, and
// begins to listen. A swap with oauthlogin.coordinator.swapped=false has found that
// another instance was first, which is not a fault.
//
// The file dashboard.json beside this package shows all of them in Grafana, from Prometheus, and
// alerts.yml has alerts for the latter.
//
// # Traces
//
// A refresh is a span, oauthlogin.refresh, below that of the request that needed it. Every
// other event is added to the span of its request, as oauthlogin.login and so on. Each call to
// a provider is a span of kind client, and so are oauthlogin.coordinator.load and
// oauthlogin.coordinator.swap. Spans have the attributes of the metrics, and url.full.
//
// # What is not recorded
//
// No subject, no session, no text of an error, no header, no body and no key of the Coordinator.
// URLs are recorded without their queries, and not in metrics. The same should hold for what
// traces the application's own requests: the query of a callback has a code.
package oauthloginotel
