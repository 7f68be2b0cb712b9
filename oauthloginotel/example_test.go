package oauthloginotel_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginotel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
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
