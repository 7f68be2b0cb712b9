package interop_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeSource returns axe-core as a script.
func axeSource(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("run npm ci in axe first: %v", err)
	}
	return string(source) + "; undefined"
}

func serve(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// emulate gives the tab a width, a height that shows the whole page, and a color scheme.
func (tab *browserTab) emulate(width int64, scheme string) {
	tab.t.Helper()
	tab.do(chromedp.EmulateViewport(width, 844))
	tab.do(chromedp.EmulateViewport(width, evaluate[int64](tab, `document.documentElement.scrollHeight`)))
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	if _, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		tab.t.Fatal(err)
	}
}

// runScripts says whether pages that are opened from now on run their scripts.
func (tab *browserTab) runScripts(run bool) {
	tab.t.Helper()
	if _, err := chromedp.Call(tab.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run}); err != nil {
		tab.t.Fatal(err)
	}
}

// axeFindings returns what axe-core finds wrong with the page, or cannot decide.
func (tab *browserTab) axeFindings() []string {
	tab.t.Helper()
	return evaluate[[]string](tab, `axe.run(document).then(results => [...results.violations, ...results.incomplete].flatMap(
		rule => rule.nodes.map(node => rule.id + " at " + node.target.join(" ") + ": " + node.failureSummary)))`)
}

// layoutFaults returns the elements that do not fit the width of the window.
func (tab *browserTab) layoutFaults() []string {
	tab.t.Helper()
	return evaluate[[]string](tab, `Array.from(document.body.querySelectorAll("*"))
		.filter(e => e.getBoundingClientRect().right > innerWidth + .5 || e.getBoundingClientRect().left < -.5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
		.map(e => e.outerHTML.slice(0, 80) + " is too wide")`)
}

// focusFaults goes through the page with the tab key, and returns the elements without a ring of at least 2 pixels and a
// contrast of 3:1 with the ground around it (WCAG 2.2, 1.4.11 and 2.4.13).
func (tab *browserTab) focusFaults() []string {
	tab.t.Helper()
	tab.do(chromedp.Evaluate[chromedp.Void](`document.activeElement?.blur(); window.seen = new Set()`))
	var faults []string
	for range 50 {
		tab.do(chromedp.KeyEvent("\t"))
		fault := evaluate[string](tab, focusFault)
		if fault == "end" {
			return faults
		}
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	tab.t.Fatal("the tab key finds no end")
	return nil
}

const focusFault = `(() => {
	const focused = document.activeElement
	if (!focused || focused === document.body || seen.has(focused)) return "end"
	seen.add(focused)
	const rgb = color => color.match(/[\d.]+/g).map(Number)
	const luminance = color => {
		const [r, g, b] = rgb(color).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
		return .2126 * r + .7152 * g + .0722 * b
	}
	const ringed = [focused, focused.closest("label")].find(e => e && getComputedStyle(e).outlineStyle !== "none")
	const name = focused.outerHTML.slice(0, 80)
	if (!ringed) return name + " has no ring"
	let ground = ringed.parentElement
	while (ground.parentElement && (rgb(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement
	const style = getComputedStyle(ringed)
	const [one, two] = [luminance(style.outlineColor), luminance(getComputedStyle(ground).backgroundColor)].sort((a, b) => b - a)
	const contrast = (one + .05) / (two + .05)
	if (parseFloat(style.outlineWidth) < 2) return name + " has a ring of " + style.outlineWidth
	return contrast < 3 ? name + " has a ring with a contrast of " + contrast.toFixed(2) : ""
})()`
