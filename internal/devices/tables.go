package main

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Of the panel's networks, so many are known of other devices; the others are
// what predictions are judged by.
const knownNetworks = panelNetworks / 2

// table is what was measured on the device under the names that workloads have
// on a float one with a batch of 1, so that tables of all devices compare.
func (d pretended) table(folder string) (*lut.Table, error) {
	measured, err := lut.Read(d.path(folder))
	if err != nil {
		return nil, err
	}
	networks := map[string]lut.Network{}
	for _, n := range measured.Networks {
		networks[n.Name] = n
	}
	nets, err := panel(1)
	if err != nil {
		return nil, err
	}
	out := &lut.Table{Meta: measured.Meta}
	seen := map[graph.Workload]bool{}
	for _, g := range nets {
		of, err := workloadsOf(g)
		if err != nil {
			return nil, err
		}
		n, ok := networks[g.Name]
		if !ok {
			return nil, fmt.Errorf("%s: network %s is missing", d.path(folder), g.Name)
		}
		n.Use, n.Workloads = "fit", nil
		if len(out.Networks) >= knownNetworks {
			n.Use = "test"
		}
		for _, w := range of {
			n.Workloads = append(n.Workloads, w.String())
			if seen[w] {
				continue
			}
			seen[w] = true
			row := lut.NewRow(w)
			for _, own := range d.on(w) {
				r, ok := measured.Lookup(own)
				if !ok {
					return nil, fmt.Errorf("%s: workload %s is missing", d.path(folder), own)
				}
				row.LatencyMedianNS += r.LatencyMedianNS
				row.LatencyMeanNS += r.LatencyMeanNS
				row.RawMedianNS += r.RawMedianNS
				row.LatencyP10NS += r.LatencyP10NS
				row.LatencyP90NS += r.LatencyP90NS
				row.LatencyCI95NS += r.LatencyCI95NS
				row.Samples, row.MeasuredAt = r.Samples, r.MeasuredAt
			}
			out.Rows = append(out.Rows, row)
		}
		out.Networks = append(out.Networks, n)
	}
	return out, nil
}
