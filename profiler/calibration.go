package profiler

import (
	"context"
	"fmt"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
)

// calibration is the calibration kernel that is bound by arithmetic: a pointwise
// convolution that fits into the innermost caches.
var calibration = graph.Workload{
	Op: graph.OpConv2D, DType: graph.F32, N: 1, C: 32, H: 11, W: 11, K: 32, R: 1, S: 1,
	StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "none",
}

// baselineTime is how long the calibration kernels' undisturbed speed is
// looked for.
const baselineTime = 500 * time.Millisecond

// Baseline is the speed of the machine that the latencies in t are corrected
// to; what t does not tell of it is 0. A profiler that is given it measures as
// if the machine were as fast as it was then.
func Baseline(t *lut.Table) lut.Baseline {
	if b := t.Meta.Protocol.Baseline; b != nil {
		return *b
	}
	row, _ := t.Lookup(calibration)
	return lut.Baseline{ComputeNS: row.LatencyMedianNS}
}

func speedsOf(b lut.Baseline) speeds {
	return speeds{clock: b.ClockNS, arithmetic: b.ComputeNS, memory: b.MemoryNS}
}

func (s speeds) baseline() lut.Baseline {
	return lut.Baseline{ClockNS: s[clock], ComputeNS: s[arithmetic], MemoryNS: s[memory]}
}

// calibrate readies the calibration kernels. What baseline does not know is
// measured at the first call.
func (p *Profiler) calibrate(ctx context.Context, baseline lut.Baseline) error {
	if p.sampler != nil {
		p.sampler.adopt(speedsOf(baseline))
		return nil
	}
	g, err := graph.FromWorkload(calibration, p.options.Seed)
	if err != nil {
		return fmt.Errorf("profiler: calibration: %w", err)
	}
	now := newClock()
	plan, err := fastestLoad(g, p.options.Seed, now)
	if err != nil {
		return fmt.Errorf("profiler: calibration: %w", err)
	}
	p.walk = newWalk(walkBytes())
	s := &sampler{
		now: now, resolution: clockResolution(now),
		kernels: [kinds]func(){clock: chain, arithmetic: runOf(plan), memory: p.walk.run},
		watch:   newWatch(p.workTime),
	}
	if err := s.setBaseline(ctx, baselineTime); err != nil {
		return fmt.Errorf("profiler: calibration: %w", err)
	}
	s.adopt(speedsOf(baseline))
	p.sampler = s
	return nil
}

// The calibration convolution nearly fills a core's innermost cache, so that its
// time depends on where its data lie. It is loaded so often, and of the loads,
// timed in turns of so many rounds of placementRuns, the fastest is taken.
const (
	placements      = 8
	placementRounds = 15
	placementRuns   = 4
)

// fastestLoad loads g several times and returns the fastest.
func fastestLoad(g *graph.Graph, seed uint64, now func() time.Duration) (*inference.Plan, error) {
	plans := make([]*inference.Plan, placements)
	least := make([]time.Duration, placements)
	for i := range plans {
		var err error
		if plans[i], _, err = compile(g, seed, inference.Compile); err != nil {
			return nil, err
		}
	}
	for round := range placementRounds {
		for i, plan := range plans {
			run := runOf(plan)
			run() // brings its data into the caches
			start := now()
			for range placementRuns {
				run()
			}
			if took := now() - start; round == 0 || took < least[i] {
				least[i] = took
			}
		}
	}
	best := 0
	for i := range least {
		if least[i] < least[best] {
			best = i
		}
	}
	return plans[best], nil
}

// walkBytes is twice the size of the largest cache, as far as that is known and
// does not take much of the machine's memory.
func walkBytes() int64 {
	const least, usual, most = 8 << 20, 64 << 20, 256 << 20
	bytes := int64(usual)
	info, err := device.Detect()
	if err != nil {
		return bytes
	}
	largest := int64(0)
	for _, c := range info.Caches {
		largest = max(largest, c.Bytes)
	}
	if largest > 0 {
		bytes = 2 * largest
	}
	if info.MemoryBytes > 0 {
		bytes = min(bytes, int64(info.MemoryBytes/8))
	}
	return min(max(bytes, least), most)
}

// adopt takes what is known of the speed of the undisturbed machine, from
// another process: its clock, and where a kernel is slower here by more than it
// is for reasons of its own, also that.
func (s *sampler) adopt(known speeds) {
	if known[clock] == 0 {
		return
	}
	s.baseline[clock] = known[clock]
	for kind, tolerance := range map[int]float64{arithmetic: computeTolerance, memory: memoryTolerance} {
		if ratio := known[kind] / known[clock]; ratio > 0 && s.quiet.least[kind] > (1+tolerance)*ratio {
			s.quiet.least[kind] = ratio
		}
	}
}

// Speed is that of the undisturbed machine, as a table has it, by what was
// measured last. It is zero before the first measurement.
func (p *Profiler) Speed() lut.Baseline {
	if p.sampler == nil {
		return lut.Baseline{}
	}
	return p.sampler.undisturbed().baseline()
}

// calibrationRow is the calibration kernel's own row, whose median is the
// baseline.
func (p *Profiler) calibrationRow(ctx context.Context) (lut.Row, error) {
	s := p.sampler
	m, err := s.measure(ctx, task{run: s.timed(s.kernels[arithmetic])}, p.options.RelativeCI, baselineTime)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: calibration: %w", err)
	}
	scale := s.undisturbed()[arithmetic] / m.Corrected.Median
	for _, v := range []*float64{
		&m.Corrected.Median, &m.Corrected.Mean, &m.Corrected.P10, &m.Corrected.P90, &m.Corrected.Low, &m.Corrected.High,
	} {
		*v *= scale
	}
	return p.newRow(calibration, m), nil
}
