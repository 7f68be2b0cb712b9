package interop_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every query of the dashboard and of the alerts finds a value above 0 in a Prometheus that scrapes an application, and
// every metric of the application is in a query.
func TestDashboard(t *testing.T) {
	t.Parallel()
	app := runMeasuredApp(t)
	period := 20 * time.Second
	if picturesDir != "" {
		period = dashboardTime
	}
	app.visit(t, period)
	prometheus := startPrometheus(t, app.url)
	began := time.Now()
	queries := append(dashboardQueries(t), prometheus.alertQueries(t)...)

	deadline := time.Now().Add(4*patience + 2*period)
	for len(queries) > 0 {
		left := queries[:0]
		for _, query := range queries {
			if !prometheus.finds(t, query) {
				left = append(left, query)
			}
		}
		queries = left
		if len(queries) > 0 && time.Now().After(deadline) {
			t.Fatalf("these queries find nothing:\n\t%s", strings.Join(queries, "\n\t"))
		}
		time.Sleep(200 * time.Millisecond)
	}

	text, err := os.ReadFile("../oauthloginotel/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if picturesDir != "" {
		drawDashboard(t, prometheus, began, "dashboard", 12)
	}
	names := prometheus.metrics(t)
	if len(names) < 7 {
		t.Errorf("the application has the metrics %q", names)
	}
	for _, name := range names {
		if !strings.Contains(string(text), name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// The dashboard shows the metrics of the example that an application is copied from.
func TestDashboardOfExample(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "metrics")
	build := exec.Command("go", "build", "-o", binary, "./metrics")
	build.Dir = "../example"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	site, metrics := "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t)
	run := exec.Command(binary)
	run.Env = []string{"ADDR=" + strings.TrimPrefix(site, "http://"), "METRICS_ADDR=" + strings.TrimPrefix(metrics, "http://")}
	p := startProcess(t, run, "open "+site)
	t.Cleanup(func() {
		_ = run.Process.Kill() // it ends no other way
		<-p.exited
	})
	prometheus := startPrometheus(t, metrics)
	began := time.Now()

	queries := dashboardQueries(t)
	found := map[string]bool{}
	// Logins by outcome and time, refreshes, refusals, ended sessions, calls to the provider and
	// the Coordinator. Failures and bound sessions are none of the example.
	const shown = 15
	stay := func() bool {
		if picturesDir != "" {
			return time.Since(began) < dashboardTime+time.Minute/2
		}
		return len(found) < shown
	}
	for n := 0; stay(); n++ {
		time.Sleep(200 * time.Millisecond) // the next guest
		if picturesDir == "" && time.Since(began) > 4*patience {
			t.Fatalf("%d queries of %d find something, want %d: %v", len(found), len(queries), shown, found)
		}
		v := newVisitor(t)
		user := []string{"alice", "bob", "carol"}[n%3]
		v.open(site+"/").submit(map[string]string{"login": user, "action": "approve"}).want(http.StatusOK, site+"/")
		v.open(site + "/admin")
		if n%3 == 0 { // longer than an access token lasts
			eventually(t, patience, "a refresh", func() bool {
				v.open(site + "/")
				return prometheus.finds(t, `increase(oauthlogin_refresh_duration_seconds_count[15s])`)
			})
		}
		v.open(site + "/").submit(nil)
		for _, query := range queries {
			if !found[query] && prometheus.finds(t, query) {
				found[query] = true
			}
		}
	}
	if picturesDir != "" {
		drawDashboard(t, prometheus, began, "dashboard-of-example", 11)
	}
}

// dashboardQueries returns the queries of all panels, with the variables as Grafana replaces them, and
// without a zero in place of nothing.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile("../oauthloginotel/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "10s", "$job", "app", "$provider", ".*", " or vector(0)", "")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			query := variables.Replace(target.Expr)
			if strings.Contains(query, "$") {
				t.Errorf("%s: the query %q has a variable that is not known", panel.Title, query)
			}
			queries = append(queries, query)
		}
	}
	if len(queries) < 20 {
		t.Errorf("the dashboard has %d queries", len(queries))
	}
	return queries
}

// A prometheusServer is a Prometheus at a URL.
type prometheusServer string

// startPrometheus starts a Prometheus that scrapes target and has the alerts.
func startPrometheus(t *testing.T, target string) prometheusServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	rules, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("rule_files: [%q]\nscrape_configs:\n  - job_name: app\n    scrape_interval: 2s\n    scrape_timeout: 2s\n    static_configs:\n      - targets: [%q]\n",
		rules, strings.TrimPrefix(target, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + freePort(t)
	startProcess(t, exec.Command("prometheus", "--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address),
		"Server is ready to receive web requests")
	return prometheusServer("http://" + address)
}

// finds reports whether a query has a value above 0.
func (p prometheusServer) finds(t *testing.T, query string) bool {
	t.Helper()
	var found struct {
		Result []struct{ Value [2]any }
	}
	p.get(t, "/api/v1/query?"+url.Values{"query": {query}}.Encode(), &found)
	for _, sample := range found.Result {
		text, _ := sample.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && v > 0 && !math.IsInf(v, 0) {
			return true
		}
	}
	return false
}

var histogramPart = regexp.MustCompile(`_(bucket|sum|count)$`)

// metrics returns the names of the application's metrics, histograms without what is added to them.
func (p prometheusServer) metrics(t *testing.T) (names []string) {
	t.Helper()
	var all []string
	p.get(t, "/api/v1/label/__name__/values", &all)
	for _, name := range all {
		if strings.HasPrefix(name, "oauthlogin_") || strings.HasPrefix(name, "http_client_") {
			names = append(names, histogramPart.ReplaceAllString(name, ""))
		}
	}
	return names
}

// get reads the data of a response of the HTTP API.
func (p prometheusServer) get(t *testing.T, path string, data any) {
	t.Helper()
	resp, err := http.Get(string(p) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", path, resp.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, &struct{ Data any }{data}); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
}
