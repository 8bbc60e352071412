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

// workload measures w, with warm or cold caches, by an algorithm of this
// project's own runtime unless that is empty. earlier are the rounds of loads
// before this call, to which it adds its own.
func (p *Profiler) workload(ctx context.Context, w graph.Workload, cache, algorithm string, limit time.Duration, earlier *[][]round) (lut.Row, error) {
	load := p.runtime.LoadWorkload
	if own, ok := p.runtime.(inProcess); ok {
		n := copies(w)
		if cache == lut.CacheCold {
			n = 1 // a second copy would find its input where the first one left it
		}
		load = func(context.Context, graph.Workload, uint64) (Session, int, error) {
			return own.load(w, n, algorithm, p.options.Seed)
		}
	}
	session, n, err := load(ctx, w, p.options.Seed)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	first := firstRun(session)
	again := func() error {
		next, _, err := load(ctx, w, p.options.Seed)
		if err == nil {
			session = next
		}
		return err
	}
	defer func() { _ = session.Close() }()
	m, err := p.measure(ctx, &session, again, earlier, blendOf(w), cache, limit)
	if err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	row := p.newRow(w, m, float64(n))
	row.Cache, row.Algorithm = cache, algorithm
	if cache == lut.CacheCold || algorithm != "" { // a cold one's energy and counts would be those of warm runs
		row.EnergyMJ, row.EnergySource = nil, ""
		return row, nil
	}
	if first > 0 {
		ns := float64(first) / float64(n)
		row.FirstRunNS = &ns
	}
	p.observe(&row, session, float64(n))
	if err := p.meterRow(ctx, &row, w, session, n); err != nil {
		return lut.Row{}, fmt.Errorf("profiler: %s: %w", w, err)
	}
	return row, nil
}

// newRow is the row of a workload that was done times times in each run, with
// modelled energy.
func (p *Profiler) newRow(w graph.Workload, m measurement, times float64) lut.Row {
	row := lut.NewRow(w)
	row.LatencyMedianNS = m.Corrected.Median / times
	row.LatencyMeanNS = m.Corrected.Mean / times
	row.LatencyP10NS = m.Corrected.P10 / times
	row.LatencyP90NS = m.Corrected.P90 / times
	row.LatencyCI95NS = (m.Corrected.High - m.Corrected.Low) / 2 / times
	row.RawMedianNS = m.Raw.Median / times
	row.Samples = int64(m.Samples)
	row.Stable = m.Stable
	row.Contended = m.Disturbed
	row.Bimodal = m.Bimodal
	row.SamplesContended = int64(m.Contended)
	row.SamplesInterrupted = int64(m.Interrupted)
	base := p.sampler.baseline
	at := m.Speeds[clock] / base[clock] // the same clock
	compute, fetching, hz := m.Speeds[arithmetic]/base[arithmetic]/at, m.Speeds[memory]/base[memory]/at, clockSteps/m.Speeds[clock]*1e9
	row.ComputeSlowdown, row.MemorySlowdown, row.ClockHz = &compute, &fetching, &hz
	row.TemperatureC = p.temperature()
	row.MeasuredAt = time.Now().UTC()
	mj := energy.Model(w.MACs(), w.Bytes(), row.LatencyMedianNS)
	row.EnergyMJ, row.EnergySource = &mj, energy.ModelSource
	return row
}

// network measures item. earlier are the rounds of loads before this call, to
// which it adds its own.
func (p *Profiler) network(ctx context.Context, item NamedGraph, limit time.Duration, earlier *[][]round) (network lut.Network, stable bool, err error) {
	session, workloads, err := p.runtime.LoadNetwork(ctx, item, p.options.Seed)
	if err != nil {
		return lut.Network{}, false, fmt.Errorf("profiler: network %s: %w", item.Name, err)
	}
	again := func() error {
		next, _, err := p.runtime.LoadNetwork(ctx, item, p.options.Seed)
		if err == nil {
			session = next
		}
		return err
	}
	defer func() { _ = session.Close() }()
	return p.session(ctx, item, &session, again, earlier, workloads, limit)
}

// session measures item, which is loaded and made of workloads. again, unless
// nil, loads it anew.
func (p *Profiler) session(ctx context.Context, item NamedGraph, session *Session, again func() error, earlier *[][]round, workloads []graph.Workload, limit time.Duration) (network lut.Network, stable bool, err error) {
	first := firstRun(*session)
	m, err := p.measure(ctx, session, again, earlier, networkBlend, lut.CacheWarm, limit)
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
		RawMedianNS:     m.Raw.Median,
		Contended:       m.Disturbed,
		Bimodal:         m.Bimodal,
	}
	network.FirstRunNS = float64(first)
	for _, w := range workloads {
		network.Workloads = append(network.Workloads, w.String())
	}
	return network, m.Stable, nil
}

// runOf runs plan, which has run before without error on the same input.
func runOf(plan *inference.Plan) func() {
	return func() { _ = plan.Run() }
}

// firstRun is the time of a session's first run, 0 where it was not timed.
func firstRun(s Session) time.Duration {
	if s, ok := s.(firstRunner); ok {
		return s.firstRun()
	}
	return 0
}

// measure times session with no garbage collection between, and loads it again,
// by again, as often as there is time; it is measured as it is where again is
// nil. A run that fails ends it.
func (p *Profiler) measure(ctx context.Context, session *Session, again func() error, earlier *[][]round, prior blend, cache string, limit time.Duration) (measurement, error) {
	runtime.GC() // what loading has left, and what is running of it
	percent := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(percent)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	run := func(n int) time.Duration {
		if ctx.Err() != nil {
			return 0
		}
		took, err := (*session).Run(ctx, n)
		if err != nil {
			stop(err)
		}
		return took
	}
	resolution := p.sampler.resolution
	defer func() { p.sampler.resolution = resolution }()
	p.sampler.resolution = max(resolution, p.runtime.Info().ClockStep)
	t := task{run: run, prior: prior}
	if cache == lut.CacheCold {
		t.prepare = p.walk.evict
	}
	var m measurement
	var err error
	if again == nil {
		m, err = p.sampler.measure(ctx, t, p.options.RelativeCI, limit)
	} else {
		reload := func() (timedRuns, error) {
			_ = (*session).Close()
			*session = closed{}
			debug.SetGCPercent(percent)
			debug.FreeOSMemory() // so that the next load gets other memory
			err := again()
			runtime.GC()
			debug.SetGCPercent(-1)
			return run, err
		}
		var loads [][]round
		if m, loads, err = p.sampler.measureLoads(ctx, t, reload, *earlier, p.options.RelativeCI, limit); err == nil {
			*earlier = loads
		}
	}
	if failed := context.Cause(ctx); failed != nil {
		return measurement{}, failed
	}
	if err == nil && !(m.Corrected.P10 > 0) {
		return measurement{}, itemErrorf("some of the %d samples took no time by the runtime's clock", m.Samples)
	}
	return m, err
}

// closed stands where no session is loaded.
type closed struct{ Session }

func (closed) Close() error { return nil }
