// Command metrics shows the metrics of sign-in, for Prometheus and Grafana: what to pass to
// oauthlogin, and an address for them that users do not reach. From the root of the
// repository:
//
//	go run ./example/metrics
//
// Open http://localhost:3000, sign in, wait ten seconds, reload and sign out. Then look at
// http://localhost:9464/metrics, or let Prometheus look there:
//
//	scrape_configs:
//	  - job_name: example
//	    scrape_interval: 5s
//	    static_configs: [{targets: ["localhost:9464"]}]
//
// oauthloginotel/dashboard.json shows them in Grafana. ADDR and METRICS_ADDR name other
// addresses.
package main

import (
	"cmp"
	"crypto/rand"
	"html/template"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthloginotel"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func main() {
	addr, metricsAddr := cmp.Or(os.Getenv("ADDR"), "localhost:3000"), cmp.Or(os.Getenv("METRICS_ADDR"), "localhost:9464")
	base := "http://" + addr
	// In your application: oauthlogin.Google(…), or any other issuer. With such short-lived
	// tokens there are refreshes to see.
	provider, _ := demo.Provider(base, oauthlogintest.Config{AccessTokenTTL: 10 * time.Second})
	// With a random secret, all users sign in again after a restart.
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	app, metrics, err := newApp(secret, provider, nil)
	if err != nil {
		log.Fatal(err)
	}
	// Metrics name providers and count users: they are not for the public.
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Addr: metricsAddr, Handler: mux, ReadTimeout: 10 * time.Second}
	go func() { log.Fatal(server.ListenAndServe()) }()
	log.Print("open ", base, ", metrics at http://", metricsAddr, "/metrics")
	log.Fatal(http.ListenAndServe(addr, app))
}

// newApp returns an application and its metrics.
func newApp(secret string, provider oauthlogin.Provider, client *http.Client) (app, metrics http.Handler, err error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, nil, err
	}
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	telemetry, err := oauthloginotel.New(oauthloginotel.WithMeterProvider(meters))
	if err != nil {
		return nil, nil, err
	}
	var transport http.RoundTripper // nil: a clone of http.DefaultTransport
	if client != nil {
		transport = client.Transport
	}

	// These three are what oauthlogin is told of metrics. Each works without the others.
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:       [][]byte{[]byte(secret)},
		Providers:  []oauthlogin.Provider{provider},
		OnEvent:    telemetry.OnEvent,                                       // logins, refreshes, ends of sessions
		HTTPClient: &http.Client{Transport: telemetry.Transport(transport)}, // calls to the provider and to APIs
		// With several instances, oauthloginredis.New(…) or oauthloginpg.New(…).
		Coordinator: telemetry.Coordinator(oauthlogintest.NewCoordinator()),
	})
	if err != nil {
		return nil, nil, err
	}

	admins := auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", auth.RequireAuth(show("Dashboard")))
	mux.Handle("GET /admin", admins(show("Administration")))
	return auth.Handler(mux), promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
<p>You are {{.Name}}.</p>
<p><a href="/">Dashboard</a> <a href="/admin">Administration</a></p>
<form method="post" action="/logout"><button>Sign out</button></form>
`))

func show(title string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context()) // RequireAuth is around it, so there is one
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, struct{ Title, Name string }{title, session.User.Name}) // an error means that the browser has disconnected
	})
}
