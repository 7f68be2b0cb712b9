package interop_test

import (
	"errors"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestDashboardSchema reads the dashboard by Grafana's schema, which refuses members that it does not know.
func TestDashboardSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../oauthloginotel/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	//lint:ignore SA1019 the newer schema is not for the versions of Grafana before 12
	var read dashboard.Dashboard
	var faults cog.BuildErrors // none of them is an error as well
	if err := read.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &faults) || len(faults) > 0) {
		t.Error(err)
	}
	if err := read.Validate(); err != nil {
		t.Error(err)
	}
	if len(read.Panels) < 15 {
		t.Errorf("%d panels", len(read.Panels))
	}
}
