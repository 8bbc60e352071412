package server

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/lut"
)

// roofline is a chart of rows at their arithmetic intensity, below the roofs
// that the table's rows reach (Williams, Waterman and Patterson, "Roofline: an
// insightful visual performance model for multicore architectures", CACM 52(4),
// 2009). The roofs are those of all rows, also where few are shown.
type roofline struct {
	SVG     template.HTML
	Caption string
}

const (
	chartWidth, chartHeight                          = 860.0, 420.0
	marginLeft, marginRight, marginTop, marginBottom = 56.0, 16.0, 30.0, 44.0
	cell                                             = 5.0 // marks closer than that are one
	shapes                                           = 4
)

// drawRoofline draws the rows with the given numbers; nil where none has work to
// draw.
func drawRoofline(table *lut.Table, shown []int) *roofline {
	var peak, bandwidth float64 // GFLOP/s and GB/s
	for i := range table.Rows {
		row := &table.Rows[i]
		peak = max(peak, 2*float64(row.MACs)/row.LatencyMedianNS)
		bandwidth = max(bandwidth, float64(row.Bytes)/row.LatencyMedianNS)
	}
	type point struct {
		x, y float64 // FLOP/byte and GFLOP/s
		row  *lut.Row
	}
	var points []point
	families := map[string]int{}
	low, high := point{x: math.Inf(1), y: math.Inf(1)}, point{}
	for _, i := range shown {
		row := &table.Rows[i]
		if row.MACs <= 0 || row.Bytes <= 0 {
			continue
		}
		p := point{2 * float64(row.MACs) / float64(row.Bytes), 2 * float64(row.MACs) / row.LatencyMedianNS, row}
		points = append(points, p)
		families[family(row)]++
		low.x, low.y = min(low.x, p.x), min(low.y, p.y)
		high.x, high.y = max(high.x, p.x), max(high.y, p.y)
	}
	if len(points) == 0 {
		return nil
	}
	// The axes hold the points and the ridge.
	ridge := peak / bandwidth
	left, right := decade(min(low.x, ridge), math.Floor), decade(max(high.x, ridge)*1.1, math.Ceil)
	bottom, top := decade(low.y, math.Floor), decade(peak*1.1, math.Ceil)
	x := func(v float64) float64 {
		return marginLeft + (math.Log10(v)-left)/(right-left)*(chartWidth-marginLeft-marginRight)
	}
	y := func(v float64) float64 {
		return chartHeight - marginBottom - (math.Log10(v)-bottom)/(top-bottom)*(chartHeight-marginTop-marginBottom)
	}

	names := slices.SortedFunc(maps.Keys(families), func(a, b string) int {
		return cmp.Or(cmp.Compare(families[b], families[a]), cmp.Compare(a, b))
	})
	class := map[string]int{}
	for i, name := range names {
		class[name] = min(i, shapes-1)
	}
	// Marks on top of each other are one, with the number of its rows.
	type place struct{ column, line, class int }
	cells := map[place][]point{}
	var order []place
	for _, p := range points {
		at := place{int(x(p.x) / cell), int(y(p.y) / cell), class[family(p.row)]}
		if len(cells[at]) == 0 {
			order = append(order, at)
		}
		cells[at] = append(cells[at], p)
	}

	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight,
		html.EscapeString(fmt.Sprintf("Roofline plot of %d workloads: at most %s GFLOP/s and %s GB/s", len(points), threeDigits(peak), threeDigits(bandwidth))))
	for d := left; d <= right; d++ {
		at := x(math.Pow(10, d))
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%g" x2="%.1f" y2="%g"/><text x="%.1f" y="%g" text-anchor="middle">%s</text>`, at, marginTop, at, chartHeight-marginBottom, at, chartHeight-marginBottom+18, power(d))
	}
	for d := bottom; d <= top; d++ {
		at := y(math.Pow(10, d))
		fmt.Fprintf(&b, `<line class="grid" x1="%g" y1="%.1f" x2="%g" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, marginLeft, at, chartWidth-marginRight, at, marginLeft-6, at+4, power(d))
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">FLOP/byte</text><text x="4" y="%g">GFLOP/s</text>`, (marginLeft+chartWidth-marginRight)/2, chartHeight-6, marginTop-14)
	// The slope meets the chart's left or bottom edge.
	startX := max(math.Pow(10, left), math.Pow(10, bottom)/bandwidth)
	fmt.Fprintf(&b, `<path class="roof" d="M%.1f %.1fL%.1f %.1fL%.1f %.1f"/>`, x(startX), y(startX*bandwidth), x(ridge), y(peak), chartWidth-marginRight, y(peak))
	fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end">%s GFLOP/s</text>`, chartWidth-marginRight, y(peak)-6, threeDigits(peak))
	for _, at := range order {
		in := cells[at]
		slices.SortFunc(in, func(a, b point) int { return cmp.Compare(b.y, a.y) })
		title := fmt.Sprintf("%s: %s GFLOP/s at %s FLOP/byte, %s", in[0].row.Key, threeDigits(in[0].y), threeDigits(in[0].x), nsText(in[0].row.LatencyMedianNS))
		if len(in) > 1 {
			title += fmt.Sprintf(", and %d more here", len(in)-1)
		}
		mark(&b, at.class, x(in[0].x), y(in[0].y), title)
	}
	for i, name := range names {
		if i == shapes-1 && len(names) > shapes {
			name = fmt.Sprintf("%d others", len(names)-shapes+1)
		}
		if i == shapes {
			break
		}
		at := marginLeft + 90 + 150*float64(i)
		mark(&b, i, at, marginTop-18, "")
		fmt.Fprintf(&b, `<text x="%.1f" y="%g">%s</text>`, at+10, marginTop-14, html.EscapeString(name))
	}
	b.WriteString(`</svg>`)
	caption := fmt.Sprintf("Each workload at its arithmetic intensity, warm or cold as measured. The roofs are the best of this table's rows: %s GFLOP/s and %s GB/s, which may come from caches.", threeDigits(peak), threeDigits(bandwidth))
	if left := len(shown) - len(points); left > 0 {
		caption += fmt.Sprintf(" %d workloads without multiply-accumulates are left out.", left)
	}
	return &roofline{template.HTML(b.String()), caption}
}

// family is what a mark's shape tells: the operator and type, with depthwise
// and pointwise convolutions apart from others.
func family(row *lut.Row) string {
	name := row.Op
	if row.Op == "conv2d" {
		switch {
		case row.Group > 1 && row.Group == row.C:
			name = "depthwise"
		case row.R == 1 && row.S == 1:
			name = "pointwise"
		}
	}
	return name + " " + row.DType
}

// mark draws one of four shapes, so that colour is not all that tells them
// apart.
func mark(b *strings.Builder, class int, x, y float64, title string) {
	shape, inside := "", ""
	switch class {
	case 0:
		shape = fmt.Sprintf(`circle cx="%.1f" cy="%.1f" r="3.5"`, x, y)
	case 1:
		shape = fmt.Sprintf(`rect x="%.1f" y="%.1f" width="6.4" height="6.4"`, x-3.2, y-3.2)
	case 2:
		shape = fmt.Sprintf(`path d="M%.1f %.1fl4 7h-8z"`, x, y-4.2)
	default:
		shape = fmt.Sprintf(`path d="M%.1f %.1fl4.4 4.4-4.4 4.4-4.4-4.4z"`, x, y-4.4)
	}
	if title != "" {
		inside = "<title>" + html.EscapeString(title) + "</title>"
	}
	name, _, _ := strings.Cut(shape, " ")
	fmt.Fprintf(b, `<%s class="mark f%d">%s</%s>`, shape, class, inside, name)
}

func decade(v float64, round func(float64) float64) float64 { return round(math.Log10(v)) }

// power writes 10 to the power of d.
func power(d float64) string {
	if d >= -2 && d <= 4 {
		return fmt.Sprintf("%g", math.Pow(10, d))
	}
	return fmt.Sprintf("1e%g", d)
}
