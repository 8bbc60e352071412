package predictor

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Baseline is a plain way to predict the latency of a network, to compare with.
type Baseline struct {
	Name    string
	Predict func([]graph.Workload) (ns float64, err error)
}

// Baselines are those that the field compares with: a line over the number of
// multiply-accumulates, and a plane over these and the bytes moved, both fitted
// to the relative error on the given networks; the sum of the workloads as
// predicted alone; and their sum by the calibrated roofline. The first two are
// left out where there are fewer than three networks to fit them to.
func (p *Predictor) Baselines(networks []lut.Network) ([]Baseline, error) {
	var list []Baseline
	if len(networks) >= minOverhead {
		for _, b := range []struct {
			name    string
			columns func([]graph.Workload) []float64
		}{
			{"FLOPs", func(workloads []graph.Workload) []float64 { return networkAmounts(workloads)[:2] }},
			{"FLOPs + bytes", networkAmounts},
		} {
			var columns [][]float64
			var y []float64
			for _, n := range networks {
				workloads, err := networkWorkloads(n)
				if err != nil {
					return nil, err
				}
				columns, y = append(columns, b.columns(workloads)), append(y, n.LatencyMedianNS)
			}
			line := solveRelative(columns, y, make([]float64, len(y)), make([]prior, len(columns[0])), weakPrior)
			list = append(list, Baseline{b.name, func(workloads []graph.Workload) (float64, error) {
				return dot(line, b.columns(workloads)), nil
			}})
		}
	}
	sum := func(each func(graph.Workload) (float64, error)) func([]graph.Workload) (float64, error) {
		return func(workloads []graph.Workload) (total float64, err error) {
			for _, w := range p.cut(workloads) {
				ns, err := each(w)
				if err != nil {
					return 0, err
				}
				total += ns
			}
			return total, nil
		}
	}
	return append(list,
		Baseline{"sum of workloads", sum(func(w graph.Workload) (float64, error) {
			c, err := p.cost(w)
			return c.ns, err
		})},
		Baseline{"roofline", sum(func(w graph.Workload) (float64, error) {
			ns, _, err := p.roofline.predict(p.family(w), w)
			return ns, err
		})},
	), nil
}

func networkAmounts(workloads []graph.Workload) []float64 {
	sum := []float64{1, 0, 0}
	for _, w := range workloads {
		sum[1] += float64(w.MACs())
		sum[2] += float64(w.Bytes())
	}
	return sum
}

// EvaluateBaseline compares a baseline with measured networks, like Evaluate.
// It has no intervals: Coverage and MedianWidth are 0.
func EvaluateBaseline(b Baseline, networks []lut.Network) (Accuracy, error) {
	var pairs []comparedPair
	for _, n := range networks {
		workloads, err := networkWorkloads(n)
		if err != nil {
			return Accuracy{}, err
		}
		ns, err := b.Predict(workloads)
		if err != nil {
			return Accuracy{}, fmt.Errorf("predictor: network %q: %w", n.Name, err)
		}
		pairs = append(pairs, comparedPair{predicted: ns, measured: n.LatencyMedianNS})
	}
	return summarize(pairs)
}
