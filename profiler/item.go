package profiler

import (
	"context"
	"fmt"
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
	session, n, err := p.runtime.LoadWorkload(ctx, w, p.options.Seed)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	defer session.Close()
	m, err := p.measure(ctx, session, limit)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	row := newRow(w, m, float64(n))
	if err := p.meterRow(ctx, &row, w, session, n); err != nil {
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
	session, workloads, err := p.runtime.LoadNetwork(ctx, item, p.options.Seed)
	if err != nil {
		return lut.Network{}, false, fmt.Errorf("profiler: network %s: %w", item.Name, err)
	}
	defer session.Close()
	return p.session(ctx, item, session, workloads, limit)
}

// session measures item, which is loaded and made of workloads.
func (p *Profiler) session(ctx context.Context, item NamedGraph, session Session, workloads []graph.Workload, limit time.Duration) (network lut.Network, stable bool, err error) {
	m, err := p.measure(ctx, session, limit)
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
	for _, w := range workloads {
		network.Workloads = append(network.Workloads, w.String())
	}
	return network, m.Stable, nil
}

// runOf runs plan, which has run before without error on the same input.
func runOf(plan *inference.Plan) func() {
	return func() { _ = plan.Run() }
}

// measure times session with no garbage collection between. A run that fails
// ends it.
func (p *Profiler) measure(ctx context.Context, session Session, limit time.Duration) (measurement, error) {
	runtime.GC() // what loading has left, and what is running of it
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	run := func(n int) time.Duration {
		if ctx.Err() != nil {
			return 0
		}
		took, err := session.Run(ctx, n)
		if err != nil {
			stop(err)
		}
		return took
	}
	resolution := p.sampler.resolution
	defer func() { p.sampler.resolution = resolution }()
	p.sampler.resolution = max(resolution, p.runtime.Info().ClockStep)
	m, err := p.sampler.measure(ctx, run, p.options.RelativeCI, limit)
	if failed := context.Cause(ctx); failed != nil {
		return measurement{}, failed
	}
	if err == nil && !(m.Corrected.P10 > 0) {
		return measurement{}, itemErrorf("some of the %d samples took no time by the runtime's clock", m.Samples)
	}
	return m, err
}
