package profiler

import (
	"context"
	"fmt"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// calibration is the kernel whose speed tells the machine's: a pointwise
// convolution that fits into the innermost caches and is bound by arithmetic.
var calibration = graph.Workload{
	Op: graph.OpConv2D, DType: graph.F32, N: 1, C: 32, H: 11, W: 11, K: 32, R: 1, S: 1,
	StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "none",
}

// baselineTime is how long the calibration kernel's undisturbed speed is
// looked for.
const baselineTime = 500 * time.Millisecond

// Baseline is the time in ns of the calibration kernel that the latencies in t
// are corrected to, 0 where t has none. A profiler that is given it measures
// as if the machine were as fast as it was then.
func Baseline(t *lut.Table) float64 {
	if ns := t.Meta.Protocol.CalibrationNS; ns > 0 {
		return ns // of another runtime than the rows
	}
	row, _ := t.Lookup(calibration)
	return row.LatencyMedianNS
}

// calibrate readies the calibration kernel. Unless baseline is positive, its
// speed at the first call is the undisturbed machine's.
func (p *Profiler) calibrate(ctx context.Context, baseline float64) error {
	if p.sampler != nil {
		if baseline > 0 {
			p.sampler.baseline = baseline
		}
		return nil
	}
	g, err := graph.FromWorkload(calibration, p.options.Seed)
	if err != nil {
		return fmt.Errorf("profiler: calibration: %w", err)
	}
	plan, err := compile(g, p.options.Seed, inference.Compile)
	if err != nil {
		return fmt.Errorf("profiler: calibration: %w", err)
	}
	now := newClock()
	s := &sampler{now: now, resolution: clockResolution(now), calibrate: runOf(plan), baseline: baseline}
	if err := s.setBaseline(ctx, baselineTime); err != nil {
		return fmt.Errorf("profiler: calibration: %w", err)
	}
	p.sampler = s
	return nil
}

// calibrationRow is the calibration kernel's own row, whose median is the
// baseline.
func (p *Profiler) calibrationRow(ctx context.Context) (lut.Row, error) {
	m, err := p.sampler.measure(ctx, p.sampler.timed(p.sampler.calibrate), p.options.RelativeCI, baselineTime)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: calibration: %w", err)
	}
	scale := p.sampler.baseline / m.Corrected.Median
	for _, v := range []*float64{
		&m.Corrected.Median, &m.Corrected.Mean, &m.Corrected.P10, &m.Corrected.P90, &m.Corrected.Low, &m.Corrected.High,
	} {
		*v *= scale
	}
	return newRow(calibration, m, 1), nil
}

// disturbedStart is by how much the calibration kernel must have become faster
// than its baseline for that to have been taken on a disturbed machine.
const disturbedStart = 0.05

// rebase corrects t to the undisturbed machine's speed, where it showed only
// after the baseline was taken.
func (p *Profiler) rebase(t *lut.Table) {
	s := p.sampler
	if s.fastest == 0 || s.fastest > (1-disturbedStart)*s.baseline {
		return
	}
	scale := s.fastest / s.baseline
	s.baseline = s.fastest
	for i := range t.Rows {
		r := &t.Rows[i]
		for _, v := range []*float64{&r.LatencyMedianNS, &r.LatencyMeanNS, &r.LatencyP10NS, &r.LatencyP90NS, &r.LatencyCI95NS} {
			*v *= scale
		}
		if r.EnergySource == energy.ModelSource { // a meter's figure is not of the latency
			mj := energy.Model(r.MACs, r.Bytes, r.LatencyMedianNS)
			r.EnergyMJ = &mj
		}
	}
	for i := range t.Networks {
		n := &t.Networks[i]
		for _, v := range []*float64{&n.LatencyMedianNS, &n.LatencyP10NS, &n.LatencyP90NS, &n.LatencyCI95NS} {
			*v *= scale
		}
	}
}
