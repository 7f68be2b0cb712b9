package interop_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const alertsFile = "../oauthloginotel/alerts.yml"

// The alerts load, fire at what they are for, and leave alone what they should.
func TestAlerts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", alertsFile}, {"test", "rules", "testdata/alerts_test.yml"}} {
		if output, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
}

// Each alert has its test in testdata and its row in docs/operations.md, which has no other.
func TestAlertsAreDocumented(t *testing.T) {
	t.Parallel()
	names := alertNames(t, alertsFile, `(?m)^ +- alert: (\w+)$`)
	if len(names) < 5 {
		t.Errorf("there are %v", names)
	}
	for _, other := range []map[string]bool{
		alertNames(t, "testdata/alerts_test.yml", `alertname: (\w+)`),
		alertNames(t, "../docs/operations.md", "(?m)^\\| `(OAuthLogin\\w+)` \\|"),
	} {
		for name := range names {
			if !other[name] {
				t.Errorf("%s is missing in %v", name, other)
			}
		}
		for name := range other {
			if !names[name] {
				t.Errorf("there is no %s", name)
			}
		}
	}
}

func alertNames(t *testing.T, file, pattern string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		names[m[1]] = true
	}
	return names
}

var (
	threshold = regexp.MustCompile(` [<>] [0-9.]+$`)
	minutes   = regexp.MustCompile(`\[[0-9]+m\]`)
)

// alertQueries returns the queries of the alerts that the server has, without their thresholds, for the
// time that a test takes.
func (p prometheusServer) alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	var loaded struct {
		Groups []struct {
			Rules []struct {
				Name, Query string
				Duration    float64 // seconds
				Annotations struct{ Summary string }
			}
		}
	}
	p.get(t, "/api/v1/rules", &loaded)
	for _, group := range loaded.Groups {
		for _, rule := range group.Rules {
			if rule.Duration < 60 || rule.Annotations.Summary == "" {
				t.Errorf("the alert %+v has no time or no summary", rule)
			}
			query := threshold.ReplaceAllString(rule.Query, "")
			if query == rule.Query {
				t.Errorf("the alert %s has no threshold: %s", rule.Name, query)
			}
			queries = append(queries, minutes.ReplaceAllString(query, "[10s]"))
		}
	}
	if len(queries) < 5 {
		t.Errorf("the server has the alerts %q", queries)
	}
	return queries
}
