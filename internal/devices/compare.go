package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

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
	name string
	// networks are the latencies of whole networks, and rows those of workloads.
	predict func(known []*lut.Table, measured *lut.Table) (networks, rows map[string]float64, err error)
}

var ways = []way{
	{"one factor on the mean of the known devices", func(known []*lut.Table, measured *lut.Table) (map[string]float64, map[string]float64, error) {
		return scaled(known, measured)
	}},
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
	fmt.Fprintln(w, "| new device | rows | way | median error of networks | mean | worst | of rows | networks in 90% intervals |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
	all := map[string][]float64{}
	for i, d := range devices {
		known := slices.Concat(tables[:i], tables[i+1:])
		for _, designed := range []bool{false, true} {
			for _, x := range ways {
				var errors, ofRows []float64
				for r := range repeats {
					measured, err := some(known, tables[i], designed, uint64(r))
					if err != nil {
						return err
					}
					networks, rows, err := x.predict(known, measured)
					if err != nil {
						return fmt.Errorf("%s: %s: %w", d.name, x.name, err)
					}
					for _, n := range tables[i].Networks[knownNetworks:] {
						errors = append(errors, math.Abs(networks[n.Name]/n.LatencyMedianNS-1))
					}
					for _, row := range tables[i].Rows {
						ofRows = append(ofRows, math.Abs(rows[row.Key]/row.LatencyMedianNS-1))
					}
				}
				slices.Sort(errors)
				slices.Sort(ofRows)
				name := map[bool]string{false: "random", true: "chosen"}[designed]
				mid := errors[len(errors)/2]
				all[name+", "+x.name] = append(all[name+", "+x.name], mid)
				fmt.Fprintf(w, "| %s | %s | %s | %.1f%% | %.1f%% | %.1f%% | %.1f%% |\n", d.name, name, x.name,
					100*mid, 100*mean(errors), 100*errors[len(errors)-1], 100*ofRows[len(ofRows)/2])
			}
		}
	}
	for _, name := range []string{"random", "chosen"} {
		for _, x := range ways {
			v := all[name+", "+x.name]
			slices.Sort(v)
			fmt.Fprintf(w, "| all | %s | %s | median %.1f%%, mean %.1f%%, worst %.1f%% |\n", name, x.name, 100*(v[3]+v[4])/2, 100*mean(v), 100*v[7])
		}
	}
	return nil
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x / float64(len(v))
	}
	return sum
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
func scaled(known []*lut.Table, measured *lut.Table) (networks, rows map[string]float64, err error) {
	networks, rows = map[string]float64{}, map[string]float64{}
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
	return networks, rows, nil
}

func oneFactorOnBest(known []*lut.Table, measured *lut.Table) (networks, rows map[string]float64, err error) {
	least := math.Inf(1)
	for _, t := range known {
		n, r, _ := scaled([]*lut.Table{t}, measured)
		wrong := 0.0
		for _, m := range measured.Rows {
			wrong += math.Abs(math.Log(r[m.Key] / m.LatencyMedianNS))
		}
		if wrong < least {
			least, networks, rows = wrong, n, r
		}
	}
	return networks, rows, nil
}

func completed(known []*lut.Table, measured *lut.Table) (networks, rows map[string]float64, err error) {
	table, err := transfer.CompleteTable(known, measured, 7)
	if err != nil {
		return nil, nil, err
	}
	rows = map[string]float64{}
	for _, r := range table.Rows {
		rows[r.Key] = r.LatencyMedianNS
	}
	p, err := predictor.Fit(table)
	if err != nil {
		return nil, nil, err
	}
	networks = map[string]float64{}
	for _, n := range known[0].Networks {
		workloads, err := parse(n.Workloads)
		if err != nil {
			return nil, nil, err
		}
		prediction, err := p.Predict(workloads)
		if err != nil {
			return nil, nil, err
		}
		networks[n.Name] = prediction.LatencyNS
	}
	return networks, rows, nil
}
