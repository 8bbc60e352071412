package main

import (
	"bytes"
	"image/color"
	"math"
	"strings"

	"github.com/google/renameio/v2/maybe"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func checkPlotPath(path string) error {
	if path != "" && !strings.HasSuffix(strings.ToLower(path), ".svg") {
		return usagef("--plot %s: plots are written as SVG; give the file that ending", path)
	}
	return nil
}

// intervalPoints are predictions with the ends of their intervals.
type intervalPoints struct {
	plotter.XYs
	plotter.YErrors
}

// writePlot draws predicted over measured latency, both in ms on logarithmic
// axes, with intervals; red where the measurement lies outside.
func writePlot(path string, networks []evaluatedNetworkJSON) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "measured latency, ms", "predicted latency, ms"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	sets := []struct {
		color  color.RGBA
		points intervalPoints
	}{{color: color.RGBA{31, 95, 170, 255}}, {color: color.RGBA{200, 50, 40, 255}}}
	least, most := math.Inf(1), 0.0
	for _, n := range networks {
		set := &sets[0].points
		if !n.inside() {
			set = &sets[1].points
		}
		set.XYs = append(set.XYs, plotter.XY{X: n.MeasuredNS / 1e6, Y: n.PredictedNS / 1e6})
		set.YErrors = append(set.YErrors, struct{ Low, High float64 }{(n.PredictedNS - n.LowNS) / 1e6, (n.HighNS - n.PredictedNS) / 1e6})
		least, most = min(least, n.LowNS/1e6, n.MeasuredNS/1e6), max(most, n.HighNS/1e6, n.MeasuredNS/1e6)
	}
	identity, err := plotter.NewLine(plotter.XYs{{X: least, Y: least}, {X: most, Y: most}})
	if err != nil {
		return err
	}
	identity.Dashes = []vg.Length{4, 4}
	p.Add(identity)
	for _, set := range sets {
		if len(set.points.XYs) == 0 {
			continue
		}
		bars, err := plotter.NewYErrorBars(set.points)
		if err != nil {
			return err
		}
		bars.Color = set.color
		dots, err := plotter.NewScatter(set.points.XYs)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: set.color, Radius: 2, Shape: draw.CircleGlyph{}}
		p.Add(bars, dots)
	}
	canvas := vgsvg.New(16*vg.Centimeter, 14*vg.Centimeter)
	p.Draw(draw.New(canvas))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return err
	}
	return maybe.WriteFile(path, out.Bytes(), 0o644)
}
