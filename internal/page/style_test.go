package page

import (
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// colors returns the variables of a color scheme: of the first :root, and of the second,
// which the dark scheme has in addition.
func colors(t *testing.T, dark bool) map[string]string {
	t.Helper()
	light, inDark, ok := strings.Cut(Style, "@media (prefers-color-scheme: dark)")
	inDark, _, closed := strings.Cut(inDark, "\n}\n")
	if !ok || !closed {
		t.Fatal("the style sheet has no dark scheme")
	}
	found := map[string]string{}
	read := func(css string) {
		for _, match := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			found[match[1]] = match[2]
		}
	}
	read(light)
	n := len(found)
	if dark {
		clear(found)
		read(inDark)
	}
	if len(found) != n || n < 10 {
		t.Fatalf("%d colors: %v", len(found), found)
	}
	return found
}

// contrast is that of WCAG 2.2.
func contrast(t *testing.T, one, two string) float64 {
	t.Helper()
	luminance := func(color string) float64 {
		var parts [3]float64
		for i := range parts {
			n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			if parts[i] = float64(n) / 255; parts[i] <= 0.04045 {
				parts[i] /= 12.92
			} else {
				parts[i] = math.Pow((parts[i]+0.055)/1.055, 2.4)
			}
		}
		return 0.2126*parts[0] + 0.7152*parts[1] + 0.0722*parts[2]
	}
	a, b := luminance(one), luminance(two)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// Text has a contrast of 4.5:1 (WCAG 2.2, 1.4.3), and focus rings and the edges of
// controls of 3:1 (1.4.11), on every ground that they may be on.
func TestContrast(t *testing.T) {
	grounds := []string{"page", "card", "tint"}
	for _, dark := range []bool{false, true} {
		color := colors(t, dark)
		unused := maps.Clone(color)
		check := func(name string, least float64, on ...string) {
			for _, ground := range on {
				delete(unused, name)
				delete(unused, ground)
				if got := contrast(t, color[name], color[ground]); got < least {
					t.Errorf("dark %t: %s on %s has a contrast of %.2f; %.1f is required", dark, name, ground, got, least)
				}
			}
		}
		check("text", 4.5, grounds...)
		check("soft", 4.5, grounds...)
		check("accent", 4.5, grounds...) // links
		check("problem", 4.5, "card")
		check("on-accent", 4.5, "accent", "accent-hover")
		check("on-notice", 4.5, "notice")
		check("edge", 3, "page", "card")
		check("accent", 3, append(grounds, "notice")...) // focus rings
		delete(unused, "line")                           // around the card, which needs none
		if len(unused) > 0 {
			t.Errorf("dark %t: not checked: %v", dark, slices.Sorted(maps.Keys(unused)))
		}
	}
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 0.001 {
		t.Errorf("black on white has a contrast of %v", got)
	}
	if !strings.Contains(Style, ":focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }") {
		t.Error("the focus ring has another color or width")
	}
}

// The example's pages belong to the same family.
func TestExampleHasTheStyle(t *testing.T) {
	css, err := os.ReadFile("../../example/style.css")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(css), Style) {
		t.Error("example/style.css does not begin with internal/page/style.css")
	}
}
