package predictor

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// roofline is the latency of a workload of any family from its amount of work
// alone: start + MACs/rate + bytes/bandwidth, the roofline of Williams,
// Waterman and Patterson (CACM 52(4), 2009) without overlap of compute and
// memory, calibrated on all rows of a table. A family with a few rows of its
// own has a factor on top.
type roofline struct {
	coefficients []float64 // ns: constant, a MAC, a byte
	computes     bool      // some row had MACs
	spread       float64   // standard deviation of ln(ns) for a family without rows
	factors      map[string]float64
	spreads      map[string]float64 // with the factor
}

const (
	// strangerSpread is the least standard deviation of ln(ns) that is claimed
	// for a family of which the table knows nothing: a factor of 2.
	strangerSpread = math.Ln2
	// scarceSpread is the least one for a family with too few rows to judge.
	scarceSpread = 0.2
)

func amounts(w graph.Workload) []float64 {
	return []float64{1, float64(w.MACs()), float64(w.Bytes())}
}

// fitRoofline takes the samples by family.
func fitRoofline(families map[string][]sample) *roofline {
	r := &roofline{factors: map[string]float64{}, spreads: map[string]float64{}}
	names := slices.Sorted(maps.Keys(families))
	fit := func(without string) []float64 {
		var columns [][]float64
		var y, noise []float64
		for _, name := range names {
			// Each family has the same say, however many rows it has.
			for _, s := range thin(families[name], 20) {
				if name != without {
					columns, y, noise = append(columns, amounts(s.workload)), append(y, s.ns), append(noise, s.noise)
				}
			}
		}
		if len(y) == 0 {
			return nil
		}
		return solveRelative(columns, y, noise, make([]prior, len(columns[0])), weakPrior)
	}
	r.coefficients = fit("")
	var strangers []float64 // errors of families left out of the fit
	for _, name := range names {
		var errors []float64
		others := fit(name)
		for _, s := range families[name] {
			r.computes = r.computes || s.workload.MACs() > 0
			errors = append(errors, math.Log(s.ns/dot(r.coefficients, amounts(s.workload))))
			if others != nil && (others[1] > 0 || s.workload.MACs() == 0) {
				strangers = append(strangers, math.Log(s.ns/dot(others, amounts(s.workload))))
			}
		}
		// The mean of the family's errors, shrunk as by one row without any.
		var sum float64
		for _, v := range errors {
			sum += v
		}
		r.factors[name] = math.Exp(sum / float64(len(errors)+1))
		var left []float64 // each row by the factor of the others
		for _, v := range errors {
			left = append(left, v-(sum-v)/float64(len(errors)))
		}
		r.spreads[name] = max(scarceSpread, rootMeanSquare(left))
	}
	r.spread = max(strangerSpread, rootMeanSquare(strangers))
	return r
}

// predict returns the latency in ns and the standard deviation of its logarithm.
func (r *roofline) predict(family string, w graph.Workload) (ns, spread float64, err error) {
	if w.MACs() > 0 && !r.computes {
		return 0, 0, fmt.Errorf("predictor: workload %s: the table has no row with multiply-accumulates to learn their rate from; profile a conv2d or linear", w)
	}
	ns = dot(r.coefficients, amounts(w))
	if factor, ok := r.factors[family]; ok {
		return ns * factor, r.spreads[family], nil
	}
	return ns, r.spread, nil
}
