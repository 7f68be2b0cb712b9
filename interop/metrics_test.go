package interop_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginotel"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
)

// A measuredApp is an application with metrics for Prometheus at /metrics, and two providers.
type measuredApp struct {
	url         string
	providers   map[string]*oauthlogintest.Provider
	coordinator *oauthlogintest.Coordinator
}

func runMeasuredApp(t *testing.T) *measuredApp {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	a := &measuredApp{providers: map[string]*oauthlogintest.Provider{}, coordinator: oauthlogintest.NewCoordinator()}
	telemetry, err := oauthloginotel.New(oauthloginotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	a.url = "http://" + server.Listener.Addr().String()
	var registered []oauthlogin.Provider
	for _, name := range []string{"customers", "staff"} {
		client := oauthlogintest.Client{ID: "app", Secret: "secret", RedirectURIs: []string{a.url + "/auth/" + name}}
		p := oauthlogintest.Start(oauthlogintest.Config{AccessTokenTTL: 3 * time.Second, Clients: []oauthlogintest.Client{client}})
		t.Cleanup(p.Close)
		p.AutoApprove("alice")
		a.providers[name] = p
		provider := p.Registration(a.url)
		provider.Name = name
		provider.OAuth2.RedirectURL = client.RedirectURIs[0]
		registered = append(registered, provider)
	}
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers:   registered,
		Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
		HTTPClient:  &http.Client{Transport: telemetry.Transport(nil)},
		Coordinator: telemetry.Coordinator(a.coordinator),
		OnEvent:     telemetry.OnEvent,
		BindDevices: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close() })
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/", auth.Handler(page))
	mux.Handle("/dashboard", auth.RequireAuth(page))
	mux.Handle("/admin", auth.Require(oauthlogin.Policy{Providers: []string{"staff"}})(page))
	mux.Handle("/recent", auth.Require(oauthlogin.Policy{ACR: []string{"phr"}})(page))
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	return a
}
