package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

func conv(c, h, k, r, stride, group int, epilogue string) graph.Workload {
	return graph.Workload{
		Op: graph.OpConv2D, DType: graph.F32, N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
		PadTop: r / 2, PadLeft: r / 2, PadBottom: r / 2, PadRight: r / 2, DilationH: 1, DilationW: 1, Group: group, Epilogue: epilogue,
	}
}

// syntheticPrediction is a network of MobileNet blocks.
func syntheticPrediction(rng *rand.Rand, blocks int) predictor.Prediction {
	p := predictor.Prediction{Coverage: 0.9, Interval: predictor.IntervalConformal, EnergySource: "modelled"}
	add := func(w graph.Workload) {
		part := predictor.Part{Workload: w, LatencyNS: float64(w.MACs())/6 + float64(w.Bytes())/9 + 500*rng.Float64(), Source: predictor.SourceTable}
		p.Parts = append(p.Parts, part)
		p.LatencyNS += part.LatencyNS
	}
	add(conv(1, 28, 16, 3, 1, 1, "hswish"))
	c, h := 16, 28
	for i := range blocks {
		wide := 4 * c
		add(conv(c, h, wide, 1, 1, 1, "hswish"))
		add(conv(wide, h, wide, 3+2*(i%3), 1, wide, "hswish"))
		add(conv(wide, h, c, 1, 1, 1, "add"))
		if i%3 == 2 && h > 4 {
			add(conv(c, h, 2*c, 3, 2, 1, "none"))
			c, h = 2*c, (h+1)/2
		}
	}
	add(graph.Workload{Op: graph.OpGlobalAvgPool, DType: graph.F32, N: 1, C: c, H: h, W: h})
	add(graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: c, K: 10, Epilogue: "none"})
	p.OverheadNS = 0.03 * p.LatencyNS
	p.LatencyNS += p.OverheadNS
	p.LowNS, p.HighNS = 0.95*p.LatencyNS, 1.06*p.LatencyNS
	p.EnergyMJ = p.LatencyNS * 9e-6
	p.EnergyLow, p.EnergyHigh = 0.8*p.EnergyMJ, 1.2*p.EnergyMJ
	return p
}

// synthetic is the report of a run that never was.
func synthetic() Data {
	rng := rand.New(rand.NewPCG(1, 2))
	info := device.Info{
		OS: "linux", Arch: "arm64", Board: "Raspberry Pi 5 Model B Rev 1.0",
		CPUs:  []device.CPU{{Vendor: "ARM", Model: "Cortex-A76", Family: 8, ModelID: 0xd0b, Variant: 4, Stepping: 1, Threads: 4}},
		Cores: 4, Threads: 4, ISA: []string{"neon", "fp16", "dotprod"}, MemoryBytes: 8443215872,
		Caches: []device.Cache{{Level: 1, Type: "data", Bytes: 64 << 10, Count: 4}, {Level: 2, Type: "unified", Bytes: 512 << 10, Count: 4}, {Level: 3, Type: "unified", Bytes: 2 << 20, Count: 1}},
		Kernel: "6.6.31+rpt-rpi-2712", ClockSource: "arch_sys_counter", Governor: "performance",
		Unseen: []string{"energy: no meter below /sys (powercap, hwmon, power_supply, iio, perf)"},
	}
	d := Data{
		Title: "mobile28 on Fashion-MNIST, on this device", Created: time.Date(2026, 5, 1, 12, 4, 0, 0, time.UTC),
		Facts: []Fact{{"88.4%", "accuracy of the best exported network"}, {"1.9×", "faster at 1 point less"}, {"2.6%", "median error of predicted latency, 20 unseen networks"}, {"3 min 52 s", "from nothing to this page"}},
		Table: &lut.Table{Meta: lut.Meta{
			Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(), Runtime: "hwprofd", RuntimeVersion: "0.1.0", Threads: 1,
			Protocol: lut.Protocol{RelativeCI: 0.02, BudgetSeconds: 80, MaxItemSeconds: 1.5, Pinned: true, Calibration: "gemm"},
			Created:  time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
		}},
	}
	for i, name := range []string{"smallest", "knee", "most accurate"} {
		p := syntheticPrediction(rng, 4+4*i)
		d.Picks = append(d.Picks, Pick{
			Name: name, Architecture: "1.0.2.3.1.0.2.1.1.0.3.2.1.0.2.2.1.0", File: strings.ReplaceAll(name, " ", "-") + ".onnx",
			Accuracy: 0.832 + 0.026*float64(i), Images: 2000, Prediction: p, MeasuredNS: p.LatencyNS * 1.021, CI95NS: p.LatencyNS * 0.006,
			MACs: 3_400_000 * int64(i+1), Params: 61_234 * int64(i+1),
		})
		for j, part := range p.Parts {
			r := lut.NewRow(part.Workload)
			if slices.ContainsFunc(d.Table.Rows, func(o lut.Row) bool { return o.Key == r.Key }) {
				continue
			}
			r.LatencyMedianNS, r.LatencyMeanNS, r.RawMedianNS = part.LatencyNS, part.LatencyNS, part.LatencyNS
			r.LatencyP10NS, r.LatencyP90NS = 0.98*part.LatencyNS, 1.05*part.LatencyNS
			r.LatencyCI95NS = part.LatencyNS * (0.004 + 0.004*rng.ExpFloat64())
			r.Stable, r.Samples, r.MeasuredAt = r.LatencyCI95NS < 0.02*part.LatencyNS, int64(40+j), d.Created
			d.Table.Rows = append(d.Table.Rows, r)
		}
	}
	low, high := d.Picks[0].Prediction.LatencyNS, d.Picks[2].Prediction.LatencyNS
	best := func(x float64) float64 { return 0.834 + 0.052*math.Pow((x-low)/(high-low), 0.45) }
	for i := range 24 {
		x := low + (high-low)*math.Pow(float64(i)/23, 1.3)
		d.Front = append(d.Front, Point{x, best(x)})
	}
	for range 420 {
		x := low + (high-low)*rng.Float64()
		d.Explored = append(d.Explored, Point{x, best(x) - 0.003 - 0.012*rng.ExpFloat64()})
	}
	for range 120 {
		x := low + (high-low)*(0.25+0.6*rng.Float64())
		d.Random = append(d.Random, Point{x, best(x) - 0.006 - 0.014*rng.ExpFloat64()})
	}
	for i := range 20 {
		x := low + (high-low)*rng.Float64()
		predicted := x * (1 + 0.028*rng.NormFloat64())
		d.Networks = append(d.Networks, Comparison{fmt.Sprintf("1.0.2.3.%d.0.2.1", i), predicted, 0.95 * predicted, 1.05 * predicted, x, 0.004 * x})
	}
	loss := TrainingCurve{Name: "loss", Kind: "loss"}
	small, large := TrainingCurve{Name: "smallest", Kind: "accuracy"}, TrainingCurve{Name: "largest", Kind: "accuracy"}
	for step := 0; step <= 600; step += 10 {
		fall := math.Exp(-float64(step) / 120)
		loss.Steps, loss.Values = append(loss.Steps, step), append(loss.Values, 0.42+1.9*fall+0.03*rng.Float64())
		if step%50 == 0 {
			small.Steps, small.Values = append(small.Steps, step), append(small.Values, 0.83-0.7*fall)
			large.Steps, large.Values = append(large.Steps, step), append(large.Values, 0.885-0.74*fall)
		}
	}
	d.Training = []TrainingCurve{loss, small, large}
	return d
}

func TestWriteHTML(t *testing.T) {
	d := synthetic()
	path := filepath.Join(t.TempDir(), "report.html")
	if out := os.Getenv("HWPROFD_TEST_REPORT"); out != "" { // to look at it
		path = out
	}
	if err := WriteHTML(path, d); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	html := string(data)
	for _, want := range []string{
		"Raspberry Pi 5", d.Table.Meta.Fingerprint, "most-accurate.onnx", "modelled", "Median error", "never seen",
		d.Picks[2].Prediction.Parts[1].Workload.String(), "± ", "depthwise", "pointwise", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	for _, bad := range []string{"<script", "src=", "href=\"http", "url(", "@import", "NaN", "ZgotmplZ", "%!", "<no value>", "#010101", "Liberation"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if n := strings.Count(html, "<svg"); n != 2*8 {
		t.Errorf("%d drawings, want 8 in two sizes", n)
	}
	for _, n := range d.Networks {
		if !strings.Contains(html, "<code>"+n.Name+"</code>") {
			t.Errorf("network %s is not in a table", n.Name)
		}
	}
	again := synthetic()
	second, err := again.html()
	if err != nil || string(second) != html {
		t.Errorf("the same data gives another page: %v", err)
	}
}

func TestEscaped(t *testing.T) {
	d := synthetic()
	d.Title = "<b>x</b>"
	d.Picks[0].Name = "<i>y</i>"
	html, err := d.html()
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`<b>x|<i>y`).Match(html) {
		t.Error("text from outside is not escaped")
	}
}

func TestEmpty(t *testing.T) {
	html, err := Data{Title: "Nothing yet"}.html()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(html), "<section") {
		t.Error("sections without data are shown")
	}
}

func TestRefuses(t *testing.T) {
	for want, change := range map[string]func(*Data){
		"front point 3 is NaN":                           func(d *Data) { d.Front[3].Accuracy = math.NaN() },
		"explored point 0 is -1":                         func(d *Data) { d.Explored[0].LatencyNS = -1 },
		"random point 1 is +Inf":                         func(d *Data) { d.Random[1].LatencyNS = math.Inf(1) },
		"pick knee is NaN":                               func(d *Data) { d.Picks[1].Prediction.HighNS = math.NaN() },
		"pick knee: conv2d":                              func(d *Data) { d.Picks[1].Prediction.Parts[0].LatencyNS = -1 },
		"network 1.0.2.3.2.0.2.1 is NaN":                 func(d *Data) { d.Networks[2].MeasuredNS = math.NaN() },
		"network 1.0.2.3.2.0.2.1 was not":                func(d *Data) { d.Networks[2].MeasuredNS = 0 },
		"training curve loss is NaN":                     func(d *Data) { d.Training[0].Values[0] = math.NaN() },
		"training curve loss has 60 steps and 61 values": func(d *Data) { d.Training[0].Steps = d.Training[0].Steps[1:] },
	} {
		d := synthetic()
		change(&d)
		path := filepath.Join(t.TempDir(), "report.html")
		err := WriteHTML(path, d)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "report: "+path) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a page was written all the same")
		}
	}
}

func TestSummary(t *testing.T) {
	errors, coverage := summarise([]Comparison{
		{PredictedNS: 110, LowNS: 100, HighNS: 120, MeasuredNS: 100},
		{PredictedNS: 97, LowNS: 95, HighNS: 99, MeasuredNS: 100},
	})
	if math.Abs(errors-0.065) > 1e-9 || coverage != 0.5 {
		t.Errorf("median error %v, coverage %v", errors, coverage)
	}
	if l := layersOf(synthetic().Picks[2].Prediction); l[0].LatencyNS < l[1].LatencyNS || l[0].Times < 1 {
		t.Errorf("layers are not sorted: %+v", l[:2])
	}
	for got, want := range map[string]string{
		latency(0): "–", latency(1234567): "1.23 ms", latency(12345): "12.3 µs", latency(123456789): "123 ms",
		latency(-2e5): "-200 µs", count(1234567): "1.23 M", count(12): "12", byteSize[int64](64 << 10): "64 KiB", energy(math.NaN()): "–",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRoundTicks(t *testing.T) {
	for _, c := range []struct{ least, most float64 }{{0, 1}, {2.3, 6.5}, {79, 89}, {0, 600}, {1e-4, 9e-4}, {3, 3.001}} {
		ticks := roundTicks(c.least, c.most)
		if len(ticks) < 4 || len(ticks) > 11 {
			t.Errorf("%v to %v: %d ticks", c.least, c.most, len(ticks))
		}
		for i, tick := range ticks {
			if tick.Value < c.least-1e-9 || tick.Value > c.most+1e-9 || tick.Label[0] == '-' || i > 0 && tick.Label == ticks[i-1].Label {
				t.Errorf("%v to %v: tick %+v", c.least, c.most, tick)
			}
		}
	}
}

// TestOnePoint draws plots whose ranges are empty.
func TestOnePoint(t *testing.T) {
	d := synthetic()
	d.Explored, d.Random, d.Front, d.Picks = nil, nil, d.Front[:1], nil
	d.Networks = d.Networks[:1]
	d.Networks[0].LowNS, d.Networks[0].HighNS = d.Networks[0].MeasuredNS, d.Networks[0].MeasuredNS
	d.Networks[0].PredictedNS = d.Networks[0].MeasuredNS
	d.Training = []TrainingCurve{{Name: "loss", Kind: "loss", Steps: []int{0}, Values: []float64{0}}}
	d.Table.Rows = d.Table.Rows[:1]
	d.Table.Rows[0].LatencyCI95NS = 0
	html, err := d.html()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(html), "NaN") {
		t.Error("the page contains NaN")
	}
}
