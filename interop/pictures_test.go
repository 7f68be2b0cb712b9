package interop_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// picturesDir is where TestDemoPicture and TestDashboard save the pictures of the README, and TestDashboardOfExample another; or empty.
var picturesDir = os.Getenv("PICTURES_DIR")

// dashboardTime is the time that the picture of the dashboard shows.
const dashboardTime = 5 * time.Minute

// maxPicture is how many bytes a picture may have, so that the README loads quickly.
const maxPicture = 120_000

// TestDemoPicture goes through the sign-in of the demo with two providers. Its picture has the three pages side by side.
func TestDemoPicture(t *testing.T) {
	a := newApp(t)
	a.env = append(a.env, "DEMO_PROVIDERS=2")
	a.start(t)
	tab := newChromium(t).newProfile(t)
	const width, height = 400, 760
	tab.light(t, width, height, 2)
	var pages strings.Builder
	show := func() {
		shot, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&pages, `<img width="%d" src="data:image/png;base64,%s">`, width, base64.StdEncoding.EncodeToString(shot))
	}
	choice := a.url + "/login?return_to=/dashboard"
	tab.open(choice).want(http.StatusOK, choice)
	show()
	if atProvider := tab.click(`a[href*="provider="]`); atProvider.status != http.StatusOK || tab.hostname() != "localhost" {
		t.Fatalf("the choice led to %s with status %d", atProvider.url, atProvider.status)
	}
	show()
	demoSignIn(tab).want(http.StatusOK, a.url+"/dashboard")
	show()
	all := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><body style="margin: 12px; display: flex; gap: 12px; background: #c8cedb">%s`, &pages)
	}))
	tab.light(t, 3*width+4*12, height+2*12, 1.25)
	tab.open(all)
	tab.picture("demo")
}

// light shows pages of a size in light colors, at a resolution that is sharp on most screens.
func (tab *browserTab) light(t *testing.T, width, height int64, scale float64) {
	t.Helper()
	tab.do(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale)))
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}
	if _, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		t.Fatal(err)
	}
}

// picture saves a picture of the page in picturesDir, if that is set.
func (tab *browserTab) picture(name string) {
	tab.t.Helper()
	shot, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatal(err)
	}
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		tab.t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, fewerColors(full)); err != nil {
		tab.t.Fatal(err)
	}
	if small.Len() > maxPicture {
		tab.t.Errorf("%s has %d bytes; want at most %d", name, small.Len(), maxPicture)
	}
	if picturesDir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(picturesDir, name+".png"), small.Bytes(), 0o644); err != nil {
		tab.t.Fatal(err)
	}
}

// fewerColors returns an image in its 256 most frequent colors, in which pages and charts are a third of the bytes.
func fewerColors(full image.Image) *image.Paletted {
	count := map[color.Color]int{}
	bounds := full.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	small := image.NewPaletted(bounds, color.Palette(colors[:min(len(colors), 256)]))
	draw.Draw(small, bounds, full, bounds.Min, draw.Src)
	return small
}

// drawDashboard draws dashboard.json with Grafana's React components, once p has enough to show. charts is how many panels have
// something to show.
func drawDashboard(t *testing.T, p prometheusServer, began time.Time, name string, charts int) {
	t.Helper()
	build := exec.Command("npm", "run", "build")
	build.Dir = "grafana"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("run npm ci in grafana first: %v\n%s", err, out)
	}
	prometheus, err := url.Parse(string(p))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", httputil.NewSingleHostReverseProxy(prometheus))
	mux.Handle("/", http.FileServer(http.Dir("grafana")))
	mux.HandleFunc("/dashboard.json", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "../oauthloginotel/dashboard.json") })
	page := serve(t, mux)

	time.Sleep(time.Until(began.Add(dashboardTime + time.Minute/2)))
	to := time.Now().Unix()
	const width = 1100
	query := url.Values{
		"from": {fmt.Sprint(to - int64(dashboardTime.Seconds()))}, "to": {fmt.Sprint(to)}, "rate": {"20s"},
		"width": {fmt.Sprint(width)}, "rows": {"Now,Logins,Sessions"},
	}
	tab := newChromium(t).newProfile(t)
	tab.light(t, width, 800, 1.25)
	tab.open(page + "/?" + query.Encode())
	tab.light(t, width, evaluate[int64](tab, `drawn`), 1.25)
	eventually(t, patience, "the panels", func() bool {
		return evaluate[int](tab, `document.querySelectorAll("canvas").length`) == charts
	})
	tab.picture(name)
}
