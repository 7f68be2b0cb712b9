package oauthloginotel_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginotel"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/oauth2"
)

// An application whose logins are counted, and a user who changes their mind at the provider.
func Example() {
	reader := metric.NewManualReader() // an application has an exporter here
	telemetry, err := oauthloginotel.New(oauthloginotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	if err != nil {
		panic(err)
	}
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			ClientID: "app", ClientSecret: "secret", RedirectURL: "http://localhost:3000/auth/callback",
		})},
		Keys:       [][]byte{[]byte("32 random bytes, from a secret store")},
		HTTPClient: &http.Client{Transport: telemetry.Transport(nil)},
		OnEvent:    telemetry.OnEvent,
	})
	if err != nil {
		panic(err)
	}
	app := auth.Handler(http.NotFoundHandler())

	login := httptest.NewRecorder()
	app.ServeHTTP(login, httptest.NewRequest(http.MethodGet, "http://localhost:3000/login", nil))
	toProvider, _ := url.Parse(login.Header().Get("Location"))
	query := url.Values{"error": {"access_denied"}, "state": {toProvider.Query().Get("state")}}
	callback := httptest.NewRequest(http.MethodGet, "http://localhost:3000/auth/callback?"+query.Encode(), nil)
	for _, cookie := range login.Result().Cookies() {
		callback.AddCookie(cookie)
	}
	app.ServeHTTP(httptest.NewRecorder(), callback)

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		panic(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		if events, ok := m.Data.(metricdata.Sum[int64]); ok {
			for _, point := range events.DataPoints {
				failure, _ := point.Attributes.Value("error.type")
				fmt.Println(m.Name, failure.AsString(), point.Value)
			}
		}
	}
	// Output: oauthlogin.events access_denied 1
}

// Everything that the package measures: events, calls to providers and those to the Coordinator.
func ExampleInstrumentation() {
	telemetry, err := oauthloginotel.New( // by default, the global providers of package otel
		oauthloginotel.WithTracerProvider(noop.NewTracerProvider()),
	)
	if err != nil {
		panic(err)
	}
	coordinator := oauthlogintest.NewCoordinator() // oauthloginredis.New(client)
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			ClientID: "app", ClientSecret: "secret", RedirectURL: "http://localhost:3000/auth/callback",
		})},
		Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
		OnEvent:     telemetry.OnEvent,
		HTTPClient:  &http.Client{Transport: telemetry.Transport(nil), Timeout: 10 * time.Second},
		Coordinator: telemetry.Coordinator(coordinator),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(auth.Close())
	// Output: <nil>
}

// An audit log beside the metrics.
func ExampleInstrumentation_OnEvent() {
	telemetry, err := oauthloginotel.New()
	if err != nil {
		panic(err)
	}
	onEvent := func(ctx context.Context, e oauthlogin.Event) { // for Options.OnEvent
		telemetry.OnEvent(ctx, e)
		fmt.Println(e.Kind, e.Provider, e.Subject)
	}
	onEvent(context.Background(), oauthlogin.Event{Kind: oauthlogin.EventLogin, Provider: "github", Subject: "1"})
	// Output: login github 1
}
