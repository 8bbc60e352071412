package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/hwprofd/hwprofd/lut"
)

// drawFront draws the plane of latency and accuracy. The picks stand where
// they were predicted, with the accuracy of their file.
func drawFront(d Data) (chart, error) {
	if len(d.Front) == 0 {
		return chart{}, nil
	}
	longest := 0.0
	for _, point := range slices.Concat(d.Explored, d.Random, d.Front) {
		longest = max(longest, point.LatencyNS)
	}
	unit := unitOf(longest)
	plane := func(points []Point) plotter.XYs { return plane(points, unit) }
	return drawChart("Pareto front of accuracy over latency", 460, 330, func(l layout) (*plot.Plot, error) {
		p := newPlot(l, "predicted latency, "+unit.name, "accuracy, %")
		if err := scatter(p, plane(d.Explored), cloud, l.mark, draw.CircleGlyph{}); err != nil {
			return nil, err
		}
		if err := scatter(p, plane(d.Random), second, l.mark, draw.PyramidGlyph{}); err != nil {
			return nil, err
		}
		if err := line(p, plane(d.Front), accent, 2, 0); err != nil {
			return nil, err
		}
		if err := scatter(p, plane(d.Front), accent, l.mark, draw.CircleGlyph{}); err != nil {
			return nil, err
		}
		for i, pick := range d.Picks {
			at := plane([]Point{{pick.Prediction.LatencyNS, pick.Accuracy}})
			if err := scatter(p, at, third, l.mark*2.2, draw.CircleGlyph{}); err != nil {
				return nil, err
			}
			// The last pick stands at the right edge, where its name needs the room to its left.
			offset, align := vg.Point{X: vg.Length(l.mark * 3), Y: vg.Length(-l.text)}, draw.XLeft
			if i > 0 && i == len(d.Picks)-1 {
				offset, align = vg.Point{X: vg.Length(-l.mark * 3), Y: vg.Length(-l.text * 1.6)}, draw.XRight
			}
			if err := labels(p, at, []string{pick.Name}, ink, l.text, offset, align); err != nil {
				return nil, err
			}
		}
		return p, nil
	})
}

// plane converts to the unit and percent.
func plane(points []Point, unit timeUnit) plotter.XYs {
	xy := make(plotter.XYs, len(points))
	for i, p := range points {
		xy[i] = plotter.XY{X: p.LatencyNS / unit.ns, Y: 100 * p.Accuracy}
	}
	return xy
}

// intervals are predictions with the ends of their intervals.
type intervals struct {
	plotter.XYs
	plotter.YErrors
}

// drawComparison draws predicted over measured latency with the identity.
func drawComparison(networks []Comparison) (chart, error) {
	if len(networks) == 0 {
		return chart{}, nil
	}
	var inside, outside intervals
	least, most := math.Inf(1), 0.0
	longest := 0.0
	for _, n := range networks {
		longest = max(longest, n.HighNS, n.MeasuredNS)
	}
	unit := unitOf(longest)
	for _, n := range networks {
		into := &inside
		if !n.Inside() {
			into = &outside
		}
		into.XYs = append(into.XYs, plotter.XY{X: n.MeasuredNS / unit.ns, Y: n.PredictedNS / unit.ns})
		into.YErrors = append(into.YErrors, struct{ Low, High float64 }{(n.PredictedNS - n.LowNS) / unit.ns, (n.HighNS - n.PredictedNS) / unit.ns})
		least, most = min(least, n.LowNS/unit.ns, n.MeasuredNS/unit.ns), max(most, n.HighNS/unit.ns, n.MeasuredNS/unit.ns)
	}
	return drawChart("Predicted over measured latency", 460, 330, func(l layout) (*plot.Plot, error) {
		p := newPlot(l, "measured latency, "+unit.name, "predicted latency, "+unit.name)
		if err := line(p, plotter.XYs{{X: least, Y: least}, {X: most, Y: most}}, muted, 1.2, 5); err != nil {
			return nil, err
		}
		for _, set := range []struct {
			intervals
			color func(*plotter.YErrorBars)
		}{
			{inside, func(b *plotter.YErrorBars) { b.LineStyle.Color = accent }},
			{outside, func(b *plotter.YErrorBars) { b.LineStyle.Color = third }},
		} {
			if len(set.XYs) == 0 {
				continue
			}
			bars, err := plotter.NewYErrorBars(set.intervals)
			if err != nil {
				return nil, err
			}
			bars.LineStyle.Width, bars.CapWidth = 1.2, vg.Length(l.mark*2.2)
			set.color(bars)
			p.Add(bars)
			if err := scatter(p, set.XYs, bars.LineStyle.Color, l.mark*1.2, draw.CircleGlyph{}); err != nil {
				return nil, err
			}
		}
		return p, nil
	})
}

// maxBars keeps the chart of layers to what one takes in; the table has all.
const maxBars = 10

// drawLayers draws a bar a workload, slowest on top, and one for the rest.
// Canonical names are too long for an axis: each stands above its bar.
func drawLayers(all []layer, networkNS float64) (chart, error) {
	if len(all) == 0 {
		return chart{}, nil
	}
	shown := slices.Clone(all[:min(maxBars, len(all))])
	if len(all) > maxBars {
		rest := layer{Name: fmt.Sprintf("%d other workloads", len(all)-maxBars)}
		for _, l := range all[maxBars:] {
			rest.Times += l.Times
			rest.LatencyNS += l.LatencyNS
		}
		rest.Share = rest.LatencyNS / networkNS
		shown = append(shown, rest)
	}
	longestNS := 0.0
	for _, l := range shown {
		longestNS = max(longestNS, l.LatencyNS)
	}
	unit := unitOf(longestNS)
	slices.Reverse(shown) // plots count upwards
	rows := float64(len(shown))
	return drawChart("Time by workload", 43*rows+46, 37*rows+46, func(l layout) (*plot.Plot, error) {
		p := newPlot(l, "latency, "+unit.name, "")
		if l.narrow {
			l.text = 9.6 // the longest names just fit
		}
		values := make(plotter.Values, len(shown))
		ends, starts := make(plotter.XYs, len(shown)), make(plotter.XYs, len(shown))
		names, amounts := make([]string, len(shown)), make([]string, len(shown))
		longest := 0.0
		for i, s := range shown {
			values[i] = s.LatencyNS / unit.ns
			longest = max(longest, values[i])
			starts[i], ends[i] = plotter.XY{Y: float64(i)}, plotter.XY{X: values[i], Y: float64(i)}
			names[i] = s.Name
			amounts[i] = latency(s.LatencyNS) + " · " + percent(s.Share)
			if s.Times > 1 {
				amounts[i] += fmt.Sprintf(" · ×%d", s.Times)
			}
		}
		bars, err := plotter.NewBarChart(values, 10)
		if err != nil {
			return nil, err
		}
		bars.Horizontal, bars.Color, bars.LineStyle.Width = true, accent, 0
		p.Add(bars)
		if err := labels(p, starts, names, ink, l.text, vg.Point{Y: vg.Length(4 + l.text/2)}, draw.XLeft); err != nil {
			return nil, err
		}
		if err := labels(p, ends, amounts, muted, l.text, vg.Point{X: 5, Y: vg.Length(-l.text * 0.36)}, draw.XLeft); err != nil {
			return nil, err
		}
		p.Y.Tick.Marker = plot.ConstantTicks(nil)
		p.X.Min, p.X.Max = 0, 1.35*longest
		if l.narrow {
			p.X.Max = 1.7 * longest
		}
		p.Y.Min, p.Y.Max = -0.5, float64(len(shown))-0.2
		return p, nil
	})
}

// drawTraining draws the curves of one kind.
func drawTraining(curves []TrainingCurve, kind string) (chart, error) {
	curves = slices.DeleteFunc(slices.Clone(curves), func(c TrainingCurve) bool { return c.Kind != kind || len(c.Steps) == 0 })
	if len(curves) == 0 {
		return chart{}, nil
	}
	title, scale := "loss", 1.0
	if kind == "accuracy" {
		title, scale = "accuracy, %", 100
	}
	highest := 0.0 // of the ends: its name stands above it, the others' below
	for _, c := range curves {
		highest = max(highest, c.Values[len(c.Values)-1])
	}
	return drawChart("Training: "+kind, 300, 240, func(l layout) (*plot.Plot, error) {
		p := newPlot(l, "training step", title)
		for i, c := range curves {
			xy := make(plotter.XYs, len(c.Steps))
			for j := range xy {
				xy[j] = plotter.XY{X: float64(c.Steps[j]), Y: scale * c.Values[j]}
			}
			style := curveColors[i%len(curveColors)]
			if err := line(p, xy, style, 2, 0); err != nil {
				return nil, err
			}
			last := xy[len(xy)-1:]
			offset := vg.Point{X: -4, Y: vg.Length(-1.7 * l.text)}
			if last[0].Y == scale*highest {
				offset.Y = vg.Length(0.7 * l.text)
			}
			if err := labels(p, last, []string{c.Name}, style, l.text, offset, draw.XRight); err != nil {
				return nil, err
			}
		}
		p.X.Min = 0
		p.Y.Max += 0.08 * (p.Y.Max - p.Y.Min) // room for the name of the highest
		return p, nil
	})
}

var curveColors = []interface {
	RGBA() (r, g, b, a uint32)
}{accent, second, third}

// drawIntervals draws how wide the rows' confidence intervals are.
func drawIntervals(t *lut.Table) (chart, error) {
	if len(t.Rows) == 0 {
		return chart{}, nil
	}
	widths := make(plotter.Values, len(t.Rows))
	for i, r := range t.Rows {
		widths[i] = 100 * relativeCI(r)
	}
	return drawChart("Confidence intervals of the rows", 280, 230, func(l layout) (*plot.Plot, error) {
		p := newPlot(l, "half-width of the 95% interval, % of the median", "rows")
		h, err := plotter.NewHist(widths, min(40, 6+len(widths)/8))
		if err != nil {
			return nil, err
		}
		h.FillColor, h.LineStyle.Width = accent, 0
		p.Add(h)
		if asked := 100 * t.Meta.Protocol.RelativeCI; asked > 0 {
			_, _, _, most := h.DataRange()
			if err := line(p, plotter.XYs{{X: asked}, {X: asked, Y: most}}, third, 1.5, 4); err != nil {
				return nil, err
			}
			if err := labels(p, plotter.XYs{{X: asked, Y: most}}, []string{"asked"}, third, l.text, vg.Point{X: 4, Y: vg.Length(-l.text)}, draw.XLeft); err != nil {
				return nil, err
			}
		}
		p.X.Min = 0
		return p, nil
	})
}
