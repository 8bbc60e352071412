package profiler

import (
	"context"
	"encoding/json"
	"runtime/debug"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// A workload is repeated, with other weights each time, until this much memory
// is passed through, about what the weights of a mobile-style network take, but
// no more often than maxCopies.
const (
	weightFootprint = 1 << 20 // bytes
	maxCopies       = 16
)

// copies is the number of nodes in the graph that measures w.
func copies(w graph.Workload) int {
	return int(min(max(weightFootprint/max(w.Bytes(), 1), 1), maxCopies))
}

// item is one thing to measure and write to the journal.
type item struct {
	name     string
	workload graph.Workload // zero for a network
	cache    string
	// algorithm of this project's own runtime that the workload is measured by;
	// empty where the runtime has its choice.
	algorithm string
	network   NamedGraph
	whole     bool // a network
	kind      workKind
	visits    []visit
	means     clockMeans
	extra     *extra // once it was loaded

	share          time.Duration // that is left for all visits, as of the last one
	spent, loading time.Duration // in all visits, and of the last load
	check          int           // visits before the next look at the interval
	narrow         bool          // at the last look
	stable         bool          // at the last two looks
}

// extra is what is found once of an item, beside its times.
type extra struct {
	Row        lut.Row   `json:"row,omitzero"`        // some of its columns
	Workloads  []string  `json:"workloads,omitempty"` // of a network
	Shares     []float64 `json:"shares,omitempty"`    // of them in its time
	FirstRunNS float64   `json:"first_run_ns,omitempty"`
	// By another runtime's own account: its nodes, and the part of the time that
	// goes to layouts at the borders.
	RuntimeNodes *float64 `json:"runtime_nodes,omitempty"`
	BorderShare  *float64 `json:"border_share,omitempty"`
}

// borderNS is the time at the borders of what takes ns in all.
func (x *extra) borderNS(ns float64) *float64 {
	if x.BorderShare == nil {
		return nil
	}
	border := *x.BorderShare * ns
	return &border
}

// found is what the journal keeps of a visit.
type found struct {
	Visit visit  `json:"visit"`
	Extra *extra `json:"extra,omitempty"` // if it is the first
}

func newItem(w graph.Workload, cache, algorithm string) *item {
	return &item{name: workloadName(w.String(), cache, algorithm), workload: w, cache: cache, algorithm: algorithm, kind: kindOf(w)}
}

func newNetworkItem(n NamedGraph) *item {
	return &item{name: n.Name, network: n, whole: true, kind: networkWork}
}

// title is what errors call an item.
func (it *item) title() string {
	if it.isNetwork() {
		return "network " + it.name
	}
	return it.name
}

func (it *item) isNetwork() bool { return it.whole }

// visit measures an item for about limit, with no garbage collection between.
func (p *Profiler) visit(ctx context.Context, it *item, limit time.Duration) (found, error) {
	start := p.sampler.now()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	session, times, workloads, err := p.load(ctx, it)
	if err != nil {
		return found{}, err
	}
	defer func() {
		_ = session.Close()
		it.spent += p.sampler.now() - start
	}()
	it.loading = p.sampler.now() - start
	v, err := p.time(ctx, session, it.cache == lut.CacheCold, limit, float64(times))
	if err != nil {
		return found{}, err
	}
	v.At = time.Now().UTC()
	it.visits = append(it.visits, v)
	p.sampler.follow(it, v)
	kept := found{Visit: v}
	if it.extra == nil {
		it.extra = &extra{FirstRunNS: float64(firstRun(session)) / float64(times)}
		for _, w := range workloads {
			it.extra.Workloads = append(it.extra.Workloads, w.String())
		}
		if it.network.Use != lut.UsePair {
			if it.extra.Shares, err = p.shares(ctx, session, workloads, it.share, v.Median*float64(times)); err != nil {
				return found{}, err
			}
		}
		// The energy and the counts of cold runs would be those of warm ones.
		if !it.isNetwork() && it.cache == lut.CacheWarm {
			row := p.newRow(it.workload, p.sampler.combine(it.visits, it.kind))
			p.observe(&row, session, float64(times))
			if err := p.meterRow(ctx, &row, it.workload, session, times); err != nil {
				return found{}, err
			}
			it.extra.Row = row
		}
		if it.cache != lut.CacheCold && (!it.isNetwork() || it.network.Use == lut.UsePair) {
			if err := p.account(ctx, it.extra, session, v.Median); err != nil {
				return found{}, err
			}
		}
		kept.Extra = it.extra
	}
	return kept, nil
}

// time times a session, whose runs do the work times times.
func (p *Profiler) time(ctx context.Context, session Session, cold bool, limit time.Duration, times float64) (visit, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer func(resolution time.Duration) { p.sampler.resolution = resolution }(p.sampler.resolution)
	p.sampler.resolution = max(p.sampler.resolution, p.runtime.Info().ClockStep)
	rounds, err := p.sampler.roundsFor(ctx, p.task(ctx, stop, session, cold), limit)
	if failed := context.Cause(ctx); failed != nil {
		return visit{}, failed
	}
	if err != nil {
		return visit{}, err
	}
	v := p.sampler.visitOf(rounds, times)
	if !(v.Quantiles[0] > 0) {
		return visit{}, itemErrorf("some of the %d samples took no time by the runtime's clock", v.Samples)
	}
	return v, nil
}

// task runs session, and calls stop with the error of a run that fails.
func (p *Profiler) task(ctx context.Context, stop context.CancelCauseFunc, session Session, cold bool) task {
	t := task{run: func(n int) time.Duration {
		if ctx.Err() != nil {
			return 0
		}
		took, err := session.Run(ctx, n)
		if err != nil {
			stop(err)
		}
		return took
	}}
	if s, ok := session.(interface{ warms() bool }); ok {
		t.warms = s.warms
	}
	if cold {
		t.prepare = p.walk.evict
	}
	return t
}

// takeOver takes over what the journal has of a visit to an item.
func (p *Profiler) takeOver(it *item, data json.RawMessage) error {
	var f found
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	it.visits = append(it.visits, f.Visit)
	p.sampler.follow(it, f.Visit)
	if f.Extra != nil {
		it.extra = f.Extra
	}
	return nil
}

// row is the row of a workload that was visited.
func (p *Profiler) row(it *item) lut.Row {
	row := p.newRow(it.workload, p.sampler.combine(it.visits, it.kind))
	row.Cache, row.Algorithm, row.Stable = it.cache, it.algorithm, row.Stable && it.stable
	row.MeasuredAt = it.visits[len(it.visits)-1].At
	if it.cache == lut.CacheCold {
		row.EnergyMJ, row.EnergySource = nil, ""
		return row
	}
	if x := it.extra; x != nil {
		if x.FirstRunNS > 0 {
			row.FirstRunNS = &x.FirstRunNS
		}
		row.RuntimeNodes, row.BorderNS = x.RuntimeNodes, x.borderNS(row.LatencyMedianNS)
		row.PeakMemoryBytes, row.Cycles, row.Instructions, row.CacheMisses = x.Row.PeakMemoryBytes, x.Row.Cycles, x.Row.Instructions, x.Row.CacheMisses
		if x.Row.EnergySource != energy.ModelSource && x.Row.EnergySource != "" {
			row.EnergyMJ, row.EnergySource = x.Row.EnergyMJ, x.Row.EnergySource
			row.EnergyGrossMJ, row.EnergyIdleMJ = x.Row.EnergyGrossMJ, x.Row.EnergyIdleMJ
		}
	}
	return row
}

// networkRow is the entry of a network that was visited.
func (p *Profiler) networkRow(it *item) lut.Network {
	n := newNetwork(it.network, p.sampler.combine(it.visits, it.kind))
	if x := it.extra; x != nil {
		n.FirstRunNS, n.Workloads, n.Shares = x.FirstRunNS, x.Workloads, x.Shares
		n.RuntimeNodes, n.BorderNS = x.RuntimeNodes, x.borderNS(n.LatencyMedianNS)
	}
	return n
}

// newRow is the row of a workload, with modelled energy.
func (p *Profiler) newRow(w graph.Workload, m measurement) lut.Row {
	row := lut.NewRow(w)
	row.LatencyMedianNS = m.Corrected.Median
	row.LatencyMeanNS = m.Corrected.Mean
	row.LatencyP10NS = m.Corrected.P10
	row.LatencyP90NS = m.Corrected.P90
	row.LatencyCI95NS = (m.Corrected.High - m.Corrected.Low) / 2
	row.RawMedianNS = m.Raw.Median
	row.Samples = int64(m.Samples)
	row.Stable = m.Stable
	row.Contended = m.Disturbed
	row.Bimodal = m.Bimodal
	row.SamplesContended = int64(m.Contended)
	row.SamplesInterrupted = int64(m.Interrupted)
	base := p.sampler.undisturbed()
	at := m.Speeds[clock] / base[clock] // the same clock
	compute, fetching, hz := m.Speeds[arithmetic]/base[arithmetic]/at, m.Speeds[memory]/base[memory]/at, clockSteps/m.Speeds[clock]*1e9
	row.ComputeSlowdown, row.MemorySlowdown, row.ClockHz = &compute, &fetching, &hz
	row.TemperatureC = p.temperature()
	row.MeasuredAt = time.Now().UTC()
	modelEnergy(&row, energy.Literature)
	return row
}

func newNetwork(item NamedGraph, m measurement) lut.Network {
	return lut.Network{
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
