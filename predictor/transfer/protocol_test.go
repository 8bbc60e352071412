package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// madeUp is a table of networks on devices that cost what their operators cost,
// some of them without those that a compiler removes, with noise.
func madeUp(t testing.TB, networks int, noise float64) *Table {
	t.Helper()
	s := mustSpace(t, "nasbench201")
	rng := rand.New(rand.NewPCG(11, 12))
	table := &Table{Path: "made up", latency: map[string][]float64{}}
	seen := map[string]bool{}
	for len(table.Architectures) < networks {
		a := make(Architecture, len(nb201Edges))
		for e := range a {
			a[e] = rng.IntN(nb201Operations)
		}
		if !seen[a.String()] {
			seen[a.String()] = true
			table.Architectures = append(table.Architectures, a)
		}
	}
	for d := range 8 {
		name := fmt.Sprintf("device%d", d)
		cost := make([]float64, nb201Operations)
		for op := range cost {
			cost[op] = 3 * rng.Float64()
		}
		cost[nb201Conv3] += 2
		for _, a := range table.Architectures {
			if d%2 == 1 {
				a = s.prune(a)
			}
			v := 3.0
			for _, op := range a {
				if op != nb201None {
					v += cost[op]
				}
			}
			table.latency[name] = append(table.latency[name], v*math.Exp(noise*rng.NormFloat64()))
		}
		table.Devices = append(table.Devices, name)
	}
	return table
}

func (t *Table) protocol(samples int) Protocol {
	return Protocol{Space: nasBench201{}, Known: t, Train: t.Devices[:4], Unknown: t, Target: t.Devices[7], Samples: samples, Repeats: 1, Seed: 1}
}

// TestProtocol: ten measurements of a device that removes dead operators are
// enough to rank networks by their additive cost, and intervals hold.
func TestProtocol(t *testing.T) {
	const noise = 0.02
	table := madeUp(t, 300, noise)
	for _, samples := range []int{10, 100} {
		for _, designed := range []bool{false, true} {
			if designed && (samples > few || testing.Short()) {
				continue
			}
			x := table.protocol(samples)
			x.Designed = designed
			if !designed && samples <= few {
				x.Repeats = 2 // of one learning
			}
			draws, err := x.Run()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range draws {
				if d.Spearman < 0.97 || d.MAPE > 0.1 {
					t.Errorf("%d samples, designed %v: rank correlation %.4f, error %.3f", samples, designed, d.Spearman, d.MAPE)
				}
				// Ten measurements leave intervals wide.
				if d.Coverage90 < 0.6 || samples > few && d.Coverage90 > 0.98 {
					t.Errorf("%d samples, designed %v: 90%% intervals hold %.3f", samples, designed, d.Coverage90)
				}
			}
		}
	}
}

// TestSkewedTimes: where other work makes a third of the times much longer,
// predictions are of the median all the same.
func TestSkewedTimes(t *testing.T) {
	table := madeUp(t, 400, 0.01)
	x := table.protocol(200)
	x.Train = x.Train[:2]
	it, err := x.items()
	if err != nil {
		t.Fatal(err)
	}
	prior, err := learn(it, x.Samples, 5)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 2))
	order, times := rng.Perm(400), table.Latency(x.Target)
	for i := range times {
		if rng.IntN(3) == 0 {
			times[i] *= 1.3
		}
	}
	p, err := prior.predict(order[:x.Samples], at(times, order[:x.Samples]))
	if err != nil {
		t.Fatal(err)
	}
	var wrong []float64
	for _, i := range order[x.Samples:] {
		wrong = append(wrong, math.Log(times[i]/p.value(i)))
	}
	// Means lie above by 9%, a third of ln(1.3).
	if got := median(wrong); math.Abs(got) > 0.045 {
		t.Errorf("the median error is %.3f", got)
	}
}

// TestProtocolReadsOnlySamples: what was not measured changes no prediction.
func TestProtocolReadsOnlySamples(t *testing.T) {
	table := madeUp(t, 150, 0.02)
	x := table.protocol(10)
	x.Train = x.Train[:2]
	it, err := x.items()
	if err != nil {
		t.Fatal(err)
	}
	for d, column := range it.times {
		if rank.Spearman(column, table.Latency(x.Target)) == 1 {
			t.Errorf("known device %d is the target", d)
		}
	}
	first, err := x.Run()
	if err != nil {
		t.Fatal(err)
	}
	again, err := x.Run()
	if err != nil {
		t.Fatal(err)
	}
	if first[0].Spearman != again[0].Spearman || first[0].MAPE != again[0].MAPE {
		t.Errorf("a second run says %+v, the first %+v", again[0], first[0])
	}
}

// TestOtherFile: known networks that the target's file lacks, and the reverse,
// still take part.
func TestOtherFile(t *testing.T) {
	table := madeUp(t, 300, 0.02)
	half := func(from, to int, devices ...string) *Table {
		out := &Table{Path: "half", Architectures: table.Architectures[from:to], Devices: devices, latency: map[string][]float64{}}
		for _, d := range devices {
			out.latency[d] = table.latency[d][from:to]
		}
		return out
	}
	x := table.protocol(10)
	x.Known, x.Unknown = half(0, 200, x.Train...), half(100, 300, x.Target)
	draws, err := x.Run()
	if err != nil {
		t.Fatal(err)
	}
	if d := draws[0]; d.Spearman < 0.95 {
		t.Errorf("rank correlation %.4f", d.Spearman)
	}
}

func TestProtocolErrors(t *testing.T) {
	table := madeUp(t, 50, 0.02)
	for _, c := range []struct {
		change func(*Protocol)
		want   string
	}{
		{func(p *Protocol) { p.Samples = 50 }, "50 samples of 50 rows"},
		{func(p *Protocol) { p.Samples = 2 }, "want at least 3"},
		{func(p *Protocol) { p.Repeats = 0 }, "0 repeats"},
		{func(p *Protocol) { p.Target = "x" }, `no column of device "x"`},
		{func(p *Protocol) { p.Train = []string{"y"} }, `no column of device "y"`},
		{func(p *Protocol) { p.Train = nil }, "no training device"},
	} {
		p := table.protocol(10)
		c.change(&p)
		if _, err := p.Run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// TestIntervalsNested: more coverage never makes an interval narrower, and the
// value lies within.
func TestIntervalsNested(t *testing.T) {
	table := madeUp(t, 150, 0.1)
	for _, samples := range []int{3, 100} {
		x := table.protocol(samples)
		x.Train = x.Train[:2]
		it, err := x.items()
		if err != nil {
			t.Fatal(err)
		}
		prior, err := learn(it, samples, 5)
		if err != nil {
			t.Fatal(err)
		}
		measured := rand.New(rand.NewPCG(1, 1)).Perm(150)[:samples]
		var times []float64
		for _, m := range measured {
			times = append(times, table.Latency(x.Target)[m])
		}
		p, err := prior.predict(measured, times)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(p.mean) {
			low, high := p.value(i), p.value(i)
			for c := 0.05; c < 1; c += 0.05 {
				l, h, err := p.interval(i, c)
				if err != nil {
					t.Fatal(err)
				}
				if !(l > 0 && l <= low && h >= high) {
					t.Fatalf("%d samples, item %d: interval of coverage %.2f is [%g, %g], a narrower one [%g, %g]", samples, i, c, l, h, low, high)
				}
				low, high = l, h
			}
		}
		for _, c := range []float64{0, 1, math.NaN(), -1} {
			if _, _, err := p.interval(0, c); err == nil {
				t.Errorf("coverage %v is no error", c)
			}
		}
	}
}

// TestFewFarApart: three measurements that hardly fit together leave wide
// intervals, but none that is no number.
func TestFewFarApart(t *testing.T) {
	table := madeUp(t, 60, 0.1)
	x := table.protocol(3)
	x.Train = x.Train[:1]
	it, err := x.items()
	if err != nil {
		t.Fatal(err)
	}
	prior, err := learn(it, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, times := range [][]float64{{1e-3, 90, 1e4}, {1e4, 1e-3, 1}, {5, 5, 5.0001}} {
		p, err := prior.predict([]int{3, 17, 40}, times)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.mean {
			low, high, err := p.interval(i, 0.99)
			if v := p.value(i); err != nil || !(0 < low && low <= v && v <= high) || math.IsInf(high, 0) {
				t.Fatalf("from %v: item %d costs %g, interval %g to %g, %v", times, i, v, low, high, err)
			}
		}
	}
	wide := prediction{answer{[]float64{700}, []float64{math.Inf(1)}}, distributionOf([]weighted{{1e9, 1}})}
	wide.limit([]float64{1, 10})
	if low, high, err := wide.interval(0, 0.9); err != nil || !(low > 0) || math.IsInf(high, 0) || math.IsInf(high/low, 0) {
		t.Errorf("the widest interval is %g to %g, %v", low, high, err)
	}
}

// TestPublished runs the published protocol on a validation device. HELP (Lee et
// al., NeurIPS 2021) reports 0.989 on the similar Gold 6226, of which this one's
// noise allows 0.96.
func TestPublished(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	path := filepath.Join("..", "..", "..", "shared", "data", "help", "nasbench201_latency_ms.csv.gz")
	train := strings.Fields("1080ti_1 1080ti_32 1080ti_256 silver_4114 silver_4210r samsung_a50 pixel3 essential_ph_1 samsung_s7")
	table, err := ReadTable(path, nasBench201{}, append(train, "gold_6240")...)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published table is not at %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	draws, err := Protocol{Space: nasBench201{}, Known: table, Train: train, Unknown: table, Target: "gold_6240", Samples: 10, Repeats: 1, Seed: 7}.Run()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range draws {
		t.Logf("%+v", d)
		if d.Spearman < 0.92 || d.Coverage90 < 0.6 {
			t.Errorf("rank correlation %.4f, coverage %.3f", d.Spearman, d.Coverage90)
		}
	}
}
