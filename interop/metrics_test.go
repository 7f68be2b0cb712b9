package interop_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
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

// A measuredApp is an application with metrics for Prometheus at /metrics, whose users sign in, have
// tokens refreshed, are refused and sign out, and whose provider and Coordinator fail now and then.
type measuredApp struct {
	url         string
	provider    *oauthlogintest.Provider
	coordinator *oauthlogintest.Coordinator
	telemetry   *oauthloginotel.Instrumentation
	logins      atomic.Int64
	refreshes   atomic.Int64
}

func runMeasuredApp(t *testing.T) *measuredApp {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	a := &measuredApp{coordinator: oauthlogintest.NewCoordinator()}
	a.telemetry, err = oauthloginotel.New(oauthloginotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	a.url = "http://" + server.Listener.Addr().String()
	a.provider = oauthlogintest.Start(oauthlogintest.Config{AccessTokenTTL: 2 * time.Second})
	t.Cleanup(a.provider.Close)
	a.provider.AutoApprove("alice")
	a.provider.Intercept(oauthlogintest.Token, a.token)

	provider := a.provider.Registration(a.url)
	provider.Name = "demo"
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers:   []oauthlogin.Provider{provider},
		Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
		HTTPClient:  &http.Client{Transport: a.telemetry.Transport(nil)},
		Coordinator: a.telemetry.Coordinator(a.coordinator),
		OnEvent:     a.telemetry.OnEvent,
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
	mux.Handle("/admin", auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(page))
	mux.Handle("/recent", auth.Require(oauthlogin.Policy{ACR: []string{"phr"}})(page))
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	return a
}

// token is the token endpoint, which fails now and then.
func (a *measuredApp) token(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	refreshes := r.FormValue("grant_type") == "refresh_token"
	switch {
	case refreshes && a.refreshes.Add(1)%5 == 2, !refreshes && a.logins.Add(1)%10 == 9:
		w.WriteHeader(http.StatusServiceUnavailable)
	case refreshes && a.refreshes.Load()%5 == 4:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	default:
		next(w, r)
	}
}

// use lets users come and go until done is closed.
func (a *measuredApp) use(t *testing.T, done <-chan struct{}) {
	stays := a.user(t)
	for turn := 0; ; turn++ {
		select {
		case <-done:
			return
		case <-time.After(100 * time.Millisecond):
		}
		a.get(stays, "/dashboard")
		user := a.user(t)
		a.get(user, "/dashboard")
		a.get(user, "/admin")
		a.get(user, "/recent", "Accept", "application/json")
		a.signOut(user)
		a.deny(a.user(t))
		// The events of Options.BindDevices, which only browsers with keys of their device cause.
		a.telemetry.OnEvent(t.Context(), oauthlogin.Event{Kind: "device_bound", Provider: "demo"})
		a.telemetry.OnEvent(t.Context(), oauthlogin.Event{Kind: "device_refused", Provider: "demo", Err: errors.New("a wrong proof")})
		a.coordinator.SetDown(turn%20 >= 15)
	}
}

// user returns a browser.
func (a *measuredApp) user(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Error(err)
	}
	return &http.Client{Jar: jar, Timeout: patience}
}

func (a *measuredApp) get(user *http.Client, path string, header ...string) {
	r, _ := http.NewRequest(http.MethodGet, a.url+path, nil)
	if len(header) > 0 {
		r.Header.Set(header[0], header[1])
	}
	if resp, err := user.Do(r); err == nil {
		resp.Body.Close()
	}
}

func (a *measuredApp) signOut(user *http.Client) {
	if resp, err := user.PostForm(a.url+"/logout", nil); err == nil {
		resp.Body.Close()
	}
}

// deny begins a login and comes back with the user's refusal.
func (a *measuredApp) deny(user *http.Client) {
	user.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := user.Get(a.url + "/login")
	if err != nil {
		return
	}
	resp.Body.Close()
	if location, err := resp.Location(); err == nil {
		query := url.Values{"error": {"access_denied"}, "state": {location.Query().Get("state")}, "iss": {a.provider.Issuer()}}
		a.get(user, "/auth/callback?"+query.Encode())
	}
}
