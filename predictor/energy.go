package predictor

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// energyModel is the energy of a workload as a power times its latency plus an
// energy a multiply-accumulate and one a byte moved, fitted to the rows that
// have an energy. It fills in for rows that lack one and for what is no row.
type energyModel struct {
	coefficients []float64 // mJ a ns, a MAC, a byte; nil: no row has an energy
	spread       float64   // root mean square error of ln(mJ)
	source       string    // of the rows
}

func activity(w graph.Workload, ns float64) []float64 {
	return []float64{ns, float64(w.MACs()), float64(w.Bytes())}
}

// fitEnergy sets the energies of the rows in costs and returns the model.
func fitEnergy(rows []lut.Row, costs map[graph.Workload]cost) (*energyModel, error) {
	var columns [][]float64
	var y []float64
	var sources []string
	known := map[graph.Workload]float64{}
	for i, row := range rows {
		if row.EnergyMJ == nil || row.Cache != lut.CacheWarm {
			continue
		}
		mj := *row.EnergyMJ
		if !(mj > 0) || math.IsInf(mj, 1) {
			return nil, fmt.Errorf("predictor: row %d (%s): energy_mj is %g; want a positive number, or none", i, row.Key, mj)
		}
		w, err := row.Workload()
		if err != nil {
			return nil, fmt.Errorf("predictor: row %d: %w", i, err)
		}
		known[w] = mj
		columns, y = append(columns, activity(w, row.LatencyMedianNS)), append(y, mj)
		if !slices.Contains(sources, row.EnergySource) {
			sources = append(sources, row.EnergySource)
		}
	}
	if len(y) == 0 {
		return &energyModel{}, nil
	}
	slices.Sort(sources)
	m := &energyModel{
		coefficients: solveRelative(columns, y, make([]float64, len(y)), make([]prior, len(columns[0])), weakPrior),
		source:       strings.Join(sources, "+"),
	}
	var errors []float64
	for i, x := range columns {
		errors = append(errors, math.Log(y[i]/dot(m.coefficients, x)))
	}
	m.spread = rootMeanSquare(errors)
	for w, c := range costs {
		var ok bool
		if c.mj, ok = known[w]; !ok {
			c.mj = m.estimate(w, c.ns)
			c.estimated = c.mj
		}
		costs[w] = c
	}
	return m, nil
}

// estimate returns mJ; 0 where nothing is known.
func (m *energyModel) estimate(w graph.Workload, ns float64) float64 {
	if m.coefficients == nil {
		return 0
	}
	return dot(m.coefficients, activity(w, ns))
}

// of is the energy in mJ of a network whose workloads use mj, of which some is
// estimated, and the half width of its interval in ln(mJ): that of the latency,
// which the energy follows, and wider by the model's error for the estimated
// part. The overhead counts as time at the power of an idle unit.
func (m *energyModel) of(mj, estimated, overheadNS, width, coverage float64) (float64, float64) {
	extra := m.coefficients[0] * max(0, overheadNS)
	mj += extra
	return mj, math.Hypot(width, twoSided(coverage)*m.spread*(estimated+extra)/mj)
}
