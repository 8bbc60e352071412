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
	errors       []float64 // of ln(mJ) of rows in cross-validation, absolute and ascending
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
	fit := func(use func(i int) bool) []float64 {
		var x [][]float64
		var to []float64
		for i := range y {
			if use(i) {
				x, to = append(x, columns[i]), append(to, y[i])
			}
		}
		return solveRelative(x, to, make([]float64, len(to)), make([]prior, len(columns[0])), weakPrior)
	}
	m := &energyModel{
		coefficients: fit(func(int) bool { return true }),
		source:       strings.Join(sources, "+"),
	}
	var errors []float64
	for i, x := range columns {
		errors = append(errors, math.Log(y[i]/dot(m.coefficients, x)))
	}
	m.spread = rootMeanSquare(errors)
	if len(y) >= minRows {
		for fold := range folds {
			rest := fit(func(i int) bool { return i%folds != fold })
			for i := fold; i < len(y); i += folds {
				m.errors = append(m.errors, math.Abs(math.Log(y[i]/dot(rest, columns[i]))))
			}
		}
		slices.Sort(m.errors)
	}
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

// score is the error of ln(mJ) that estimates rarely exceed: the conformal one of
// rows that the model was not told of. Where those are too few for the coverage it
// is that of a normal distribution, and no less than their largest error.
func (m *energyModel) score(coverage float64) float64 {
	if s, ok := conformalScore(m.errors, coverage); ok {
		return s
	}
	score := twoSided(coverage) * m.spread
	if n := len(m.errors); n > 0 {
		score = max(score, m.errors[n-1])
	}
	return score
}

// of is the energy in mJ of a network whose workloads use mj, of which some is
// estimated, and the half width of its interval in ln(mJ): that of the latency,
// which the energy follows, and wider by the model's error for the estimated
// part. The overhead counts as time at the power of an idle unit.
func (m *energyModel) of(mj, estimated, overheadNS, width, coverage float64) (float64, float64) {
	extra := m.coefficients[0] * max(0, overheadNS)
	mj += extra
	return mj, math.Hypot(width, m.score(coverage)*(estimated+extra)/mj)
}
