package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/predictor/transfer"
)

const (
	rows    = 10 // that are measured on the new device
	repeats = 2  // with other rows
)

// way predicts a device from the complete tables of others and some of its rows.
type way struct {
	name    string
	predict func(known []*lut.Table, measured *lut.Table) (answers, error)
}

// answers are a device's predicted latencies in ns.
type answers struct {
	networks, rows map[string]float64    // by name, by key
	intervals      map[string][2]float64 // of networks, 90%; nil where there are none
}

var ways = []way{
	{"one factor on the mean of the known devices", scaled},
	{"one factor on the known device that it fits best", oneFactorOnBest},
	{"our method", completed},
}

func compare(w io.Writer, folder string) error {
	tables := make([]*lut.Table, len(devices))
	for i, d := range devices {
		var err error
		if tables[i], err = d.table(folder); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "| new device | rows | way | median error of networks | mean | worst | of rows | networks in 90% intervals | half-width |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	all := map[string][]outcome{}
	for i, d := range devices {
		known := slices.Concat(tables[:i], tables[i+1:])
		for _, choice := range []string{"random", "chosen"} {
			for _, x := range ways {
				o, err := try(x, known, tables[i], choice == "chosen")
				if err != nil {
					return fmt.Errorf("%s: %s: %w", d.name, x.name, err)
				}
				all[choice+x.name] = append(all[choice+x.name], o)
				fmt.Fprintf(w, "| %s | %s | %s | %.1f%% | %.1f%% | %.1f%% | %.1f%% | %s |\n", d.name, choice, x.name,
					100*median(o.errors), 100*stat.Mean(o.errors, nil), 100*slices.Max(o.errors), 100*median(o.ofRows), o.coverage())
			}
		}
	}
	for _, choice := range []string{"random", "chosen"} {
		for _, x := range ways {
			var medians []float64
			var together outcome
			for _, o := range all[choice+x.name] {
				medians = append(medians, median(o.errors))
				together.held += o.held
				together.widths = append(together.widths, o.widths...)
			}
			fmt.Fprintf(w, "| all | %s | %s | median %.1f%%, mean %.1f%%, worst %.1f%% | | | | %s |\n", choice, x.name,
				100*median(medians), 100*stat.Mean(medians, nil), 100*slices.Max(medians), together.coverage())
		}
	}
	return nil
}

// outcome is how far off predictions of a device are, over the truth.
type outcome struct {
	errors, ofRows []float64
	held           int       // networks within their interval
	widths         []float64 // half, of these over the prediction
}

// coverage is the share of networks within their interval, and its half-width.
func (o outcome) coverage() string {
	if len(o.widths) == 0 {
		return "none | none"
	}
	return fmt.Sprintf("%.0f%% | %.0f%%", 100*float64(o.held)/float64(len(o.widths)), 100*median(o.widths))
}

// try predicts a device, of which a table has all, from some of its rows.
func try(x way, known []*lut.Table, truth *lut.Table, designed bool) (o outcome, err error) {
	for r := range repeats {
		measured, err := some(known, truth, designed, uint64(r))
		if err != nil {
			return o, err
		}
		a, err := x.predict(known, measured)
		if err != nil {
			return o, err
		}
		for _, n := range truth.Networks[knownNetworks:] {
			o.errors = append(o.errors, math.Abs(a.networks[n.Name]/n.LatencyMedianNS-1))
			if interval, ok := a.intervals[n.Name]; ok {
				if interval[0] <= n.LatencyMedianNS && n.LatencyMedianNS <= interval[1] {
					o.held++
				}
				o.widths = append(o.widths, (interval[1]-interval[0])/2/a.networks[n.Name])
			}
		}
		for _, row := range truth.Rows {
			o.ofRows = append(o.ofRows, math.Abs(a.rows[row.Key]/row.LatencyMedianNS-1))
		}
	}
	return o, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

// some is a table of a few rows, chosen or drawn.
func some(known []*lut.Table, of *lut.Table, designed bool, seed uint64) (*lut.Table, error) {
	out := &lut.Table{Meta: of.Meta}
	if !designed {
		for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(len(of.Rows))[:rows] {
			out.Rows = append(out.Rows, of.Rows[i])
		}
		return out, nil
	}
	chosen, err := transfer.ChooseRows(known, rows, seed)
	if err != nil {
		return nil, err
	}
	for _, w := range chosen {
		r, _ := of.Lookup(w)
		out.Rows = append(out.Rows, r)
	}
	return out, nil
}

// scaled is the geometric mean of known tables times a factor.
func scaled(known []*lut.Table, measured *lut.Table) (answers, error) {
	networks, rows := map[string]float64{}, map[string]float64{}
	for _, t := range known {
		for _, n := range t.Networks {
			networks[n.Name] += math.Log(n.LatencyMedianNS) / float64(len(known))
		}
		for _, r := range t.Rows {
			rows[r.Key] += math.Log(r.LatencyMedianNS) / float64(len(known))
		}
	}
	factor := 0.0
	for _, r := range measured.Rows {
		factor += (math.Log(r.LatencyMedianNS) - rows[r.Key]) / float64(len(measured.Rows))
	}
	for _, m := range []map[string]float64{networks, rows} {
		for k, v := range m {
			m[k] = math.Exp(v + factor)
		}
	}
	return answers{networks: networks, rows: rows}, nil
}

func oneFactorOnBest(known []*lut.Table, measured *lut.Table) (best answers, err error) {
	least := math.Inf(1)
	for _, t := range known {
		a, err := scaled([]*lut.Table{t}, measured)
		if err != nil {
			return best, err
		}
		wrong := 0.0
		for _, m := range measured.Rows {
			wrong += math.Abs(math.Log(a.rows[m.Key] / m.LatencyMedianNS))
		}
		if wrong < least {
			least, best = wrong, a
		}
	}
	return best, nil
}

func completed(known []*lut.Table, measured *lut.Table) (a answers, err error) {
	table, err := transfer.CompleteTable(known, measured, 7)
	if err != nil {
		return a, err
	}
	a = answers{map[string]float64{}, map[string]float64{}, map[string][2]float64{}}
	for _, r := range table.Rows {
		a.rows[r.Key] = r.LatencyMedianNS
	}
	p, err := predictor.Fit(table)
	if err != nil {
		return a, err
	}
	for _, n := range known[0].Networks {
		workloads, err := n.ParseWorkloads()
		if err != nil {
			return a, err
		}
		prediction, err := p.Predict(workloads)
		if err != nil {
			return a, err
		}
		a.networks[n.Name] = prediction.LatencyNS
		a.intervals[n.Name] = [2]float64{prediction.LowNS, prediction.HighNS}
	}
	return a, nil
}
