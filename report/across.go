package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/renameio/v2/maybe"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/hwprofd/hwprofd/lut"
)

//go:embed across.html
var acrossSource string

var acrossPage = template.Must(template.New("across").Funcs(template.FuncMap{
	"latency": latency,
	"ratio":   func(x float64) string { return fmt.Sprintf("%.2f", x) },
	"percent": percent,
	"pvalue":  pValue,
}).Parse(acrossSource))

// pValue is a p-value to two digits, or what it is below.
func pValue(p float64) string {
	const least = 1e-12 // below, the tails of the distribution mean nothing
	if p < least {
		return "< 1e-12"
	}
	return fmt.Sprintf("%.2g", p)
}

// Across is a comparison of two tables, such as those of two runtimes.
type Across struct {
	OldName, NewName string // of the tables
	Old, New         lut.Meta
	Differences      *lut.Differences
	Options          lut.DiffOptions
}

// acrossData is what the page shows.
type acrossData struct {
	Across
	CSS               template.CSS
	Chart             chart
	OldIs, NewIs      string
	OldWins, NewWins  int
	Neither           int
	Families          []familyVerdict
	OldAlone, NewOnly int
	Overheads         []string // sentences about what is part of all times
}

// familyVerdict sums up the workloads of a family.
type familyVerdict struct {
	Family                    string
	OldWins, NewWins, Neither int
	Mean                      float64 // of the ratios new over old, geometric
}

// WriteAcross writes the page that shows where which of two tables is faster.
func WriteAcross(path string, a Across) error {
	data := acrossData{
		Across: a, CSS: template.CSS(pageCSS), OldIs: Origin(a.Old), NewIs: Origin(a.New),
		OldAlone: len(a.Differences.OnlyOld), NewOnly: len(a.Differences.OnlyNew),
	}
	for i, m := range []lut.Meta{a.Old, a.New} {
		if m.RuntimeOverheadNS > 0 {
			data.Overheads = append(data.Overheads, fmt.Sprintf("A run of nothing takes %s in the %s, which is part of each of its times, as is what it does at the borders of a model: short workloads take longer alone than within a network.",
				latency(m.RuntimeOverheadNS), []string{"first", "second"}[i]))
		}
	}
	families := map[string]*familyVerdict{}
	for _, r := range a.Differences.Rows {
		w, err := lut.Row{Key: r.Key}.Workload()
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		f := families[w.Family()]
		if f == nil {
			f = &familyVerdict{Family: w.Family()}
			families[f.Family] = f
		}
		f.Mean += math.Log(r.Ratio)
		switch {
		case r.Slower:
			f.OldWins++
			data.OldWins++
		case r.Faster:
			f.NewWins++
			data.NewWins++
		default:
			f.Neither++
			data.Neither++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		f.Mean = math.Exp(f.Mean / float64(f.OldWins+f.NewWins+f.Neither))
		data.Families = append(data.Families, *f)
	}
	var err error
	if data.Chart, err = drawAcross(a.Differences.Rows); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := acrossPage.Execute(&b, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := maybe.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Origin says by what a table was measured.
func Origin(m lut.Meta) string {
	text := fmt.Sprintf("%s %s, threads %d", m.Runtime, m.RuntimeVersion, m.Threads)
	var options []string
	for _, key := range slices.Sorted(maps.Keys(m.RuntimeOptions)) {
		options = append(options, key+"="+m.RuntimeOptions[key])
	}
	if len(options) > 0 {
		text += " (" + strings.Join(options, " ") + ")"
	}
	return text
}

// drawAcross draws how many times as fast the new table is over the old one's
// time.
func drawAcross(rows []lut.Difference) (chart, error) {
	var old, new, neither plotter.XYs
	least, most := math.Inf(1), 0.0
	for _, r := range rows {
		at := plotter.XY{X: r.OldNS, Y: 1 / r.Ratio}
		least, most = min(least, r.OldNS), max(most, r.OldNS)
		switch {
		case r.Slower:
			old = append(old, at)
		case r.Faster:
			new = append(new, at)
		default:
			neither = append(neither, at)
		}
	}
	return drawChart("How many times as fast the second is, over the time of the first", 420, 320, func(l layout) (*plot.Plot, error) {
		p := newPlot(l, "time of a workload in the first", "times as fast in the second")
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker = plot.TickerFunc(func(least, most float64) (ticks []plot.Tick) {
			for at := math.Floor(math.Log10(least)); math.Pow(10, at) <= most; at++ {
				ticks = append(ticks, plot.Tick{Value: math.Pow(10, at), Label: latency(math.Pow(10, at))})
			}
			return ticks
		})
		p.Y.Tick.Marker = plot.TickerFunc(func(least, most float64) (ticks []plot.Tick) {
			for at := math.Floor(math.Log2(least)); math.Pow(2, at) <= most; at++ {
				ticks = append(ticks, plot.Tick{Value: math.Pow(2, at), Label: fmt.Sprintf("%.3g", math.Pow(2, at))})
			}
			return ticks
		})
		if err := line(p, plotter.XYs{{X: least, Y: 1}, {X: most * 1.01, Y: 1}}, muted, 1, 4); err != nil {
			return nil, err
		}
		if err := scatter(p, neither, cloud, l.mark, draw.CircleGlyph{}); err != nil {
			return nil, err
		}
		if err := scatter(p, old, third, l.mark*1.2, draw.PyramidGlyph{}); err != nil {
			return nil, err
		}
		return p, scatter(p, new, accent, l.mark, draw.CircleGlyph{})
	})
}
