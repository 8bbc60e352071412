// Package profiler measures how long workloads and whole networks take on this
// machine, and how much energy they use, such that the figures hold although
// the machine is noisy.
//
// The measuring thread is pinned to a core where the system allows it, and
// garbage is not collected while it measures. A profile goes in rounds over all
// that is not finished, each in another random order, with a short visit to
// each item: it is loaded, so that its data lie elsewhere than before, warmed up
// until a test for a change of level finds none, and timed in samples that last
// at least 100 us and 1000 steps of the clock. Before and after every few samples
// three fixed calibration kernels are timed: a chain of dependent operations,
// which tells the core's clock, one that is bound by arithmetic and one that is
// bound by memory. Where they, the kernel's accounts of CPU time or its count of
// involuntary switches show that other work got in the way, the samples are
// counted, but do not count. A change of the clock is divided out of the work that
// is seen to follow it.
//
// The time of an item is a trimmed mean over the medians of its quiet visits, of
// which the slowest three tenths and the fastest tenth do not count: other work
// that nothing showed only ever makes an item slower. Its 95% confidence interval
// is from what these differ by. An item is finished when the interval is narrower
// than asked; the time that is left goes to the others, and the result says where
// it did not suffice. Where the machine was never quiet for long enough the item
// is marked as contended, and its interval holds half of what the calibration
// kernel was slowed down by; where its samples fall into two clusters it is marked
// as bimodal. The raw median is that of all visits as they were timed.
//
// A workload is measured as it runs in a network: its input in the caches, its
// weights not in the innermost ones. With cold caches, other data is put into
// all caches before each run.
package profiler

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// Options of a [Profiler]; zero values take the defaults.
type Options struct {
	// Budget is the time for the whole of Run, shared by its items. Without
	// one each item has MaxPerItem.
	Budget time.Duration
	// RelativeCI is how narrow the 95% interval of a median has to be, from
	// end to end, as a part of the median: 0.02 by default.
	RelativeCI float64
	// MaxPerItem is the longest that one item is measured, in all its visits,
	// where there is no Budget or Choose is set: 1 s by default.
	MaxPerItem time.Duration
	// Baseline is the speed of the undisturbed machine, see [Baseline]. What is
	// 0 is measured.
	Baseline lut.Baseline
	// Caches are the states of the caches in which Run measures each workload:
	// by default [lut.CacheWarm] only.
	Caches []string
	// Alternatives has Run also measure workloads by each other algorithm that
	// the project's own runtime has for them, as items of their own.
	Alternatives bool
	// Choose, if set, is called by Run once all that it was given is measured,
	// with what there is so far and what is left of the budget, and again after
	// each set of workloads that it returned, until it returns none or the
	// budget is used up. Meanwhile no item has more than MaxPerItem: what is not
	// stable by then tells less than another workload. What it leaves of the
	// budget goes to these.
	Choose func(measured *lut.Table, left time.Duration) ([]graph.Workload, error)
	// Seed decides the order of measuring and the values of weights and inputs.
	Seed uint64
	// Runtime runs what is measured: by default that of this project, within
	// this process. The profiler does not close it.
	Runtime Runtime
	// Meter measures the energy of workloads, each repeated for long enough in
	// a run of its own, at most for MaxEnergyPerItem: 2 s by default. Without
	// a meter, and where it fails or is too coarse, energy is modelled.
	Meter            energy.Meter
	MaxEnergyPerItem time.Duration
	// Metered, if set, is called with what the meter measured of a workload.
	Metered func(w graph.Workload, e energy.WorkEnergy)
	// Warn, if set, is called with what the user should know: that the meter
	// fails, and what that means for the table.
	Warn func(message string)
	// Progress, if set, is called by Run before each visit and after the last,
	// with how much is done as a number of items of a total, the name of the
	// item that is visited, and an estimate of the time left.
	Progress func(done, total int, current string, left time.Duration)
}

// Profiler measures on the machine it runs on. It is not safe for concurrent
// use, and two of them at work at the same time disturb each other.
type Profiler struct {
	options  Options
	runtime  Runtime
	metering metering
	sampler  *sampler
	walk     *walk // of the calibration kernel that is bound by memory
	counting counting

	nothingNS float64 // of a run of nothing, by another runtime
}

// New returns a profiler. It measures nothing before the first call of one of
// its methods.
func New(options Options) *Profiler {
	if options.RelativeCI == 0 {
		options.RelativeCI = 0.02
	}
	if options.MaxPerItem == 0 {
		options.MaxPerItem = time.Second
	}
	if options.MaxEnergyPerItem == 0 {
		options.MaxEnergyPerItem = 2 * time.Second
	}
	p := &Profiler{options: options, runtime: options.Runtime, metering: metering{meter: options.Meter}}
	if p.runtime == nil {
		p.runtime = p.ownRuntime()
	}
	return p
}

// Workload measures one workload.
func (p *Profiler) Workload(ctx context.Context, w graph.Workload) (lut.Row, error) {
	release, _ := pin() // an unpinned thread shows in wider intervals
	defer release()
	if err := p.calibrate(ctx, p.options.Baseline); err != nil {
		return lut.Row{}, err
	}
	it := newItem(w, lut.CacheWarm, "")
	if err := p.visitOne(ctx, it); err != nil {
		return lut.Row{}, err
	}
	return p.row(it), nil
}

// visitOne visits an item for MaxPerItem.
func (p *Profiler) visitOne(ctx context.Context, it *item) error {
	defer func(o Options) { p.options = o }(p.options)
	p.options.Progress = nil
	err := p.visitAll(ctx, []*item{it}, 0, true, discard{})
	if errors.As(err, new(itemError)) {
		err = fmt.Errorf("profiler: %s: %w", it.title(), err)
	}
	return err
}

// Network measures g as a whole, from its inputs to its outputs. Parameters
// without data get random values.
func (p *Profiler) Network(ctx context.Context, name string, g *graph.Graph) (lut.Network, error) {
	return p.NetworkOf(ctx, NamedGraph{Name: name, Graph: g})
}

// NetworkOf is Network for one that may have been read from a file, which
// outside runtimes read themselves.
func (p *Profiler) NetworkOf(ctx context.Context, item NamedGraph) (lut.Network, error) {
	release, _ := pin()
	defer release()
	if err := p.calibrate(ctx, p.options.Baseline); err != nil {
		return lut.Network{}, err
	}
	it := newNetworkItem(item)
	if err := p.visitOne(ctx, it); err != nil {
		return lut.Network{}, err
	}
	return p.networkRow(it), nil
}

// Networks measures several networks as Run does, in rounds of short visits to
// all that are not finished, with MaxPerItem for each, but keeps no journal.
func (p *Profiler) Networks(ctx context.Context, networks []NamedGraph) ([]lut.Network, error) {
	release, _ := pin()
	defer release()
	if err := p.calibrate(ctx, p.options.Baseline); err != nil {
		return nil, err
	}
	items := make([]*item, len(networks))
	for i, n := range networks {
		items[i] = newNetworkItem(n)
	}
	if err := p.visitAll(ctx, slices.Clone(items), 0, true, discard{}); err != nil {
		return nil, err
	}
	measured := make([]lut.Network, len(items))
	for i, it := range items {
		measured[i] = p.networkRow(it)
	}
	return measured, nil
}

// Plan measures a compiled network with the inputs that it has. It is stable
// if the interval of the median is as narrow as asked; otherwise it may even
// have too few samples for one.
func (p *Profiler) Plan(ctx context.Context, name string, plan *inference.Plan) (network lut.Network, stable bool, err error) {
	release, _ := pin()
	defer release()
	if err := p.calibrate(ctx, p.options.Baseline); err != nil {
		return lut.Network{}, false, err
	}
	runtime.GC() // what compiling has left
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	session := &planSession{plan: plan, now: p.sampler.now}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := p.task(ctx, stop, session, false)
	m, err := p.sampler.measure(ctx, t, p.options.RelativeCI, p.options.MaxPerItem)
	if err != nil {
		return lut.Network{}, false, fmt.Errorf("profiler: network %s: %w", name, err)
	}
	network = newNetwork(NamedGraph{Name: name}, m)
	for _, w := range plan.Workloads() {
		network.Workloads = append(network.Workloads, w.String())
	}
	return network, m.Stable, nil
}
