package server

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"

	"github.com/hwprofd/hwprofd/server/api"
)

// seriesChart is the course of a workload over the checks.
type seriesChart struct {
	SVG     template.HTML
	Caption string
}

const seriesHeight = 150.0

// drawSeries draws a workload's time at each check, as a share of that at the
// first, and marks the alarms.
func drawSeries(d *api.Drift, state api.DriftChart) seriesChart {
	var values []float64     // logarithms, 0 at the first check that has the workload
	low, high := -0.05, 0.05 // noise is not to look large
	first := math.NaN()
	for _, check := range d.Checks {
		v, ok := logTime(check, state.Workload)
		if !ok {
			values = append(values, math.NaN())
			continue
		}
		if math.IsNaN(first) {
			first = v
		}
		low, high = min(low, v-first), max(high, v-first)
		values = append(values, v-first)
	}
	name := state.Workload
	if name == overall {
		name = "all workloads"
	}
	x := func(i int) float64 {
		return marginLeft + (chartWidth-marginLeft-marginRight)*float64(i)/float64(max(len(values)-1, 1))
	}
	y := func(v float64) float64 {
		return 10 + (seriesHeight-34)*(high-v)/(high-low)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, seriesHeight,
		html.EscapeString(fmt.Sprintf("Time of %s over %d checks", name, len(values))))
	for _, v := range []float64{low, 0, high} {
		fmt.Fprintf(&b, `<line class="grid" x1="%g" y1="%.1f" x2="%g" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%.2f×</text>`, marginLeft, y(v), chartWidth-marginRight, y(v), marginLeft-6, y(v)+4, math.Exp(v))
	}
	for _, alarm := range d.Alarms {
		for i, check := range d.Checks {
			if check.At.Equal(alarm.At) {
				fmt.Fprintf(&b, `<line class="limit" x1="%.1f" y1="6" x2="%.1f" y2="%g"><title>alarm</title></line>`, x(i), x(i), seriesHeight-24)
			}
		}
	}
	command := "M"
	for i, v := range values {
		if math.IsNaN(v) {
			command = "M"
			continue
		}
		if command == "M" {
			b.WriteString(`<path class="line" d="`)
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, x(i), y(v))
		command = "L"
		if i == len(values)-1 || math.IsNaN(values[i+1]) {
			b.WriteString(`"/>`)
		}
	}
	begin, end := d.Checks[0].At, d.Checks[len(d.Checks)-1].At
	fmt.Fprintf(&b, `<text x="%g" y="%g">%s</text><text x="%g" y="%g" text-anchor="end">%s</text></svg>`,
		marginLeft, seriesHeight-6, begin.Format("2006-01-02"), chartWidth-marginRight, seriesHeight-6, end.Format("2006-01-02"))
	return seriesChart{template.HTML(b.String()), fmt.Sprintf("%s: statistic %+.1f, an alarm beyond ±%.1f", name, state.Statistic, state.Limit)}
}
