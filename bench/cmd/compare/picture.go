package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	labelWidth = 560
	barsWidth  = 330
	rowHeight  = 22
	top        = 74
)

// picture draws a bar for each line, on a logarithmic scale. Numbers and labels
// repeat the information in lengths and colors, for accessibility.
func picture(lines []*line) string {
	var rows strings.Builder
	decades := math.Ceil(math.Log10(slowest(lines)))
	y := top
	for _, l := range lines {
		label := html.EscapeString(strings.TrimSpace(string(l.Size) + " " + l.Name))
		class := "peer"
		if l.Ours {
			class = "ours"
		}
		fmt.Fprintf(&rows, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"%s\">%s</text>\n", labelWidth-8, y+15, class, label)
		if l.Refusal != nil {
			fmt.Fprintf(&rows, "<text x=\"%d\" y=\"%d\">refuses</text>\n", labelWidth, y+15)
		} else {
			width := max(1, int(math.Log10(l.ns)/decades*barsWidth))
			fmt.Fprintf(&rows, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s\"/>\n", labelWidth, y+3, width, rowHeight-6, class)
			fmt.Fprintf(&rows, "<text x=\"%d\" y=\"%d\">%.0f ns</text>\n", labelWidth+width+6, y+15, l.ns)
		}
		y += rowHeight
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 990 %d" role="img" aria-labelledby="title description">
<title id="title">Time that a request's session costs</title>
<desc id="description">Bars on a logarithmic scale; the table in performance.md has the same figures.</desc>
<style>
text { font: 13px sans-serif; fill: #1f2328 }
.heading { font-size: 16px; font-weight: bold }
text.ours { font-weight: bold }
rect.ours { fill: #0550ae }
rect.peer { fill: #8c959f }
</style>
<rect width="990" height="%d" fill="#ffffff"/>
<text x="16" y="30" class="heading">Time that a request's session costs</text>
<text x="16" y="52">Medians in nanoseconds, on a logarithmic scale; shorter is better. In bold and blue: oauthlogin.</text>
%s</svg>
`, y+16, y+16, rows.String())
}

func slowest(lines []*line) (ns float64) {
	for _, l := range lines {
		ns = max(ns, l.ns)
	}
	return ns
}
