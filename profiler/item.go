package profiler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// A workload is repeated with as many copies of its weights as take this much
// memory, about what the weights of a mobile-style network take, but with no
// more than maxCopies.
const (
	weightFootprint = 1 << 20 // bytes
	maxCopies       = 16
)

// copies is the number of nodes in the graph that measures w.
func copies(w graph.Workload) int {
	return int(min(max(weightFootprint/max(4*w.Params(), 1), 1), maxCopies))
}

func (p *Profiler) workload(ctx context.Context, w graph.Workload, limit time.Duration) (lut.Row, error) {
	g, err := graph.FromWorkload(w, p.options.Seed)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %w", err)
	}
	n := copies(w)
	plan, err := p.compile(replicate(g, n), inference.CompilePart)
	if err != nil {
		return lut.Row{}, err
	}
	m, err := p.measure(ctx, plan, limit)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	row := newRow(w, m, float64(n))
	if err := p.meterRow(ctx, &row, w, plan, n); err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	return row, nil
}

// newRow is the row of a workload that was done times times in each run, with
// modelled energy.
func newRow(w graph.Workload, m measurement, times float64) lut.Row {
	row := lut.NewRow(w)
	row.LatencyMedianNS = m.Corrected.Median / times
	row.LatencyMeanNS = m.Corrected.Mean / times
	row.LatencyP10NS = m.Corrected.P10 / times
	row.LatencyP90NS = m.Corrected.P90 / times
	row.LatencyCI95NS = (m.Corrected.High - m.Corrected.Low) / 2 / times
	row.RawMedianNS = m.Raw.Median / times
	row.Samples = int64(m.Samples)
	row.Stable = m.Stable
	row.MeasuredAt = time.Now().UTC()
	mj := energy.Model(w.MACs(), w.Bytes(), row.LatencyMedianNS)
	row.EnergyMJ, row.EnergySource = &mj, energy.ModelSource
	return row
}

func (p *Profiler) network(ctx context.Context, item NamedGraph, limit time.Duration) (network lut.Network, stable bool, err error) {
	plan, err := p.compile(WithWeights(item.Graph, p.options.Seed), inference.Compile)
	if err != nil {
		return lut.Network{}, false, err
	}
	return p.plan(ctx, item, plan, limit)
}

// plan measures the plan of item.
func (p *Profiler) plan(ctx context.Context, item NamedGraph, plan *inference.Plan, limit time.Duration) (network lut.Network, stable bool, err error) {
	m, err := p.measure(ctx, plan, limit)
	if err != nil {
		return lut.Network{}, false, fmt.Errorf("profiler: network %s: %w", item.Name, err)
	}
	network = lut.Network{
		Name:            item.Name,
		LatencyMedianNS: m.Corrected.Median,
		LatencyP10NS:    m.Corrected.P10,
		LatencyP90NS:    m.Corrected.P90,
		LatencyCI95NS:   (m.Corrected.High - m.Corrected.Low) / 2,
		Samples:         int64(m.Samples),
		Use:             item.Use,
	}
	for _, w := range plan.Workloads() {
		network.Workloads = append(network.Workloads, w.String())
	}
	return network, m.Stable, nil
}

// compile compiles g and fills its inputs at random.
func (p *Profiler) compile(g *graph.Graph, compile func(*graph.Graph, ...inference.Option) (*inference.Plan, error)) (*inference.Plan, error) {
	plan, err := compile(g)
	if err != nil {
		return nil, fmt.Errorf("profiler: %w", err)
	}
	random := rand.New(rand.NewPCG(p.options.Seed, 1))
	for _, t := range plan.Inputs() {
		if x, ok := t.Data.([]float32); ok { // others stay zero, which any operator takes
			for i := range x {
				x[i] = 2*random.Float32() - 1
			}
		}
	}
	if err := plan.Run(); err != nil {
		return nil, fmt.Errorf("profiler: %w", err)
	}
	return plan, nil
}

// runOf runs plan, which has run before without error on the same input.
func runOf(plan *inference.Plan) func() {
	return func() { _ = plan.Run() }
}

// measure times plan with no garbage collection between.
func (p *Profiler) measure(ctx context.Context, plan *inference.Plan, limit time.Duration) (measurement, error) {
	runtime.GC() // what compiling has left, and what is running of it
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return p.sampler.measure(ctx, runOf(plan), p.options.RelativeCI, limit)
}
