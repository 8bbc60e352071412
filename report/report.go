// Package report shows what was found: a self-contained HTML page that needs
// no network, for people, and a pprof profile of a prediction, for tools.
package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

// Data is what a report shows. Sections without data are left out.
type Data struct {
	Title   string
	Created time.Time
	Facts   []Fact // headline, best first; four fit a row

	Explored []Point // architectures that the search evaluated and others dominate
	Random   []Point // what random search found with as many evaluations
	Front    []Point // not dominated
	Picks    []Pick  // the exported subnets

	Networks []Comparison // never measured before the predictor was fitted

	Training []TrainingCurve
	Table    *lut.Table // also tells the device and the protocol
}

// Fact is one line of the headline.
type Fact struct {
	Value string // such as "3.1%"
	Label string // such as "median error of the prediction"
}

// Point is an architecture in the plane of the search.
type Point struct {
	LatencyNS float64
	Accuracy  float64 // share of images, 0..1
}

// Pick is an exported subnet.
type Pick struct {
	Name         string // such as "knee"
	Architecture string
	File         string  // of the ONNX model
	Accuracy     float64 // of that file on held-out images, 0..1
	Images       int     // how many they were
	Prediction   predictor.Prediction
	MeasuredNS   float64 // median, 0 where it was not measured
	CI95NS       float64 // half-width of its 95% confidence interval
	MACs, Params int64
}

// Comparison is a network that was predicted and measured.
type Comparison struct {
	Name                       string
	PredictedNS, LowNS, HighNS float64
	MeasuredNS, CI95NS         float64
}

// Inside tells whether the measurement lies in the predicted interval.
func (c Comparison) Inside() bool { return c.LowNS <= c.MeasuredNS && c.MeasuredNS <= c.HighNS }

// Error is the relative error of the prediction, signed.
func (c Comparison) Error() float64 { return (c.PredictedNS - c.MeasuredNS) / c.MeasuredNS }

// TrainingCurve is the course of one quantity of the training.
type TrainingCurve struct {
	Name   string // such as "loss" or "largest subnet"
	Kind   string // "loss" or "accuracy" (0..1): curves of one kind share a chart
	Steps  []int
	Values []float64
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"latency": latency, "percent": percent, "signed": signedPercent, "count": count, "memory": byteSize[uint64], "cache": byteSize[int64],
	"energy": energy, "join": func(s []string) string { return strings.Join(s, ", ") },
	"date": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
	"seconds": func(s float64) string {
		return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
	},
}).Parse(pageHTML))

// page is what the template sees.
type page struct {
	Data
	CSS                                template.CSS
	FrontChart, CompareChart           chart
	LossChart, AccuracyChart, CIChart  chart
	Layers                             []layers
	Families                           []family
	MedianError, Coverage, AskCoverage float64
	Interval, EnergySource             string
}

// layers is where the time of one pick goes.
type layers struct {
	Pick  Pick
	Chart chart
	All   []layer
}

// WriteHTML writes the page to path in one step. It refuses numbers that are
// infinite, negative or not a number, and says which.
func WriteHTML(path string, d Data) error {
	data, err := d.html()
	if err == nil {
		err = maybe.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("report: %s: %w", path, err)
	}
	return nil
}

func (d Data) html() ([]byte, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	d.Front = slices.SortedFunc(slices.Values(d.Front), func(a, b Point) int { return cmp.Compare(a.LatencyNS, b.LatencyNS) })
	p := page{Data: d, CSS: template.CSS(pageCSS)}
	p.MedianError, p.Coverage = summarise(d.Networks)
	var err error
	if p.FrontChart, err = drawFront(d); err != nil {
		return nil, err
	}
	if p.CompareChart, err = drawComparison(d.Networks); err != nil {
		return nil, err
	}
	if p.LossChart, err = drawTraining(d.Training, "loss"); err != nil {
		return nil, err
	}
	if p.AccuracyChart, err = drawTraining(d.Training, "accuracy"); err != nil {
		return nil, err
	}
	for _, pick := range d.Picks {
		p.EnergySource, p.Interval, p.AskCoverage = pick.Prediction.EnergySource, pick.Prediction.Interval, pick.Prediction.Coverage
		l := layers{Pick: pick, All: layersOf(pick.Prediction)}
		if l.Chart, err = drawLayers(l.All, pick.Prediction.LatencyNS); err != nil {
			return nil, err
		}
		p.Layers = append(p.Layers, l)
	}
	if d.Table != nil {
		p.Families = familiesOf(d.Table)
		if p.CIChart, err = drawIntervals(d.Table); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// validate finds numbers that no chart can show.
func (d Data) validate() error {
	check := func(what string, values ...float64) error {
		for _, v := range values {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return fmt.Errorf("%s is %v", what, v)
			}
		}
		return nil
	}
	for _, set := range []struct {
		name   string
		points []Point
	}{{"explored", d.Explored}, {"random", d.Random}, {"front", d.Front}} {
		for i, p := range set.points {
			if err := check(fmt.Sprintf("%s point %d", set.name, i), p.LatencyNS, p.Accuracy); err != nil {
				return err
			}
		}
	}
	for _, p := range d.Picks {
		if err := check("pick "+p.Name, p.Accuracy, p.MeasuredNS, p.CI95NS, p.Prediction.LatencyNS, p.Prediction.LowNS, p.Prediction.HighNS); err != nil {
			return err
		}
		for _, part := range p.Prediction.Parts {
			if err := check("pick "+p.Name+": "+part.Workload.String(), part.LatencyNS); err != nil {
				return err
			}
		}
	}
	for _, n := range d.Networks {
		if err := check("network "+n.Name, n.PredictedNS, n.LowNS, n.HighNS, n.MeasuredNS, n.CI95NS); err != nil {
			return err
		}
		if n.MeasuredNS == 0 {
			return fmt.Errorf("network %s was not measured", n.Name)
		}
	}
	for _, c := range d.Training {
		if len(c.Steps) != len(c.Values) {
			return fmt.Errorf("training curve %s has %d steps and %d values", c.Name, len(c.Steps), len(c.Values))
		}
		if err := check("training curve "+c.Name, c.Values...); err != nil {
			return err
		}
	}
	return nil
}
