package profiler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
)

// NamedGraph is a whole network to measure, with what a predictor is to use it
// for: "fit", "calibrate" or "test".
type NamedGraph struct {
	Name, Use string
	Graph     *graph.Graph
	// File is the ONNX file that Graph was read from, for runtimes that read it
	// themselves; it may be empty.
	File string
}

// item is one thing to measure and write to the journal.
type item struct {
	name    string
	measure func(limit time.Duration) (attempt, error)
	fail    func(reason error) error // writes to the journal that it cannot be measured
	last    *attempt
}

// attempt is one measurement of an item, with what earlier ones found.
type attempt struct {
	stable bool
	keep   func() error // writes it to the journal
}

// Run measures workloads, each once however often it is listed, and whole
// networks, and writes the table to path. It fills in meta's protocol.
//
// What is measured is kept in a journal beside path at once: where Run is
// stopped, by its context, an error or a killed process, the next Run with the
// same path goes on there. The order is random, so that a machine that becomes
// slower does not make the larger shapes seem so. An item that needs less than
// its share of the budget leaves the rest to the others.
func (p *Profiler) Run(ctx context.Context, path string, meta lut.Meta, workloads []graph.Workload, networks []NamedGraph) (*lut.Table, error) {
	release, pinning := pin()
	defer release()
	meta.Protocol = lut.Protocol{
		RelativeCI:     p.options.RelativeCI,
		BudgetSeconds:  p.options.Budget.Seconds(),
		MaxItemSeconds: p.options.MaxPerItem.Seconds(),
		Pinned:         pinning == nil,
		Calibration:    calibration.String(),
	}
	begin := time.Now()
	if err := p.calibrate(ctx, p.options.Baseline); err != nil {
		return nil, err
	}
	baseline := p.sampler.baseline.baseline()
	meta.Protocol.Baseline = &baseline
	journal, err := lut.OpenJournal(path, meta)
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	if !p.own() {
		if meta.RuntimeOverheadNS, err = p.overhead(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.resume(ctx, journal); err != nil {
		return nil, err
	}
	baseline = p.sampler.baseline.baseline()
	defer p.openCounters()()
	calibrating := time.Since(begin)
	start := p.sampler.now() - calibrating
	if err := p.measureAll(start, p.pending(ctx, journal, workloads, networks)); err != nil {
		return nil, err
	}
	if err := p.measureChosen(ctx, start, meta, journal); err != nil {
		return nil, err
	}
	table := &lut.Table{Meta: meta, Rows: journal.Rows(), Alternatives: journal.Alternatives(), Networks: journal.Networks(), Failures: journal.Failures()}
	p.rebase(table)
	slices.SortFunc(table.Rows, func(a, b lut.Row) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(table.Alternatives, func(a, b lut.Row) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Algorithm, b.Algorithm))
	})
	slices.SortFunc(table.Networks, func(a, b lut.Network) int { return cmp.Compare(a.Name, b.Name) })
	if err := table.Write(path); err != nil {
		return nil, err
	}
	if err := journal.Remove(); err != nil {
		return nil, err
	}
	return table, nil
}

// measureChosen measures what [Options].Choose wants, as long as there is time.
func (p *Profiler) measureChosen(ctx context.Context, start time.Duration, meta lut.Meta, journal *lut.Journal) error {
	for p.options.Choose != nil {
		left := p.options.Budget - (p.sampler.now() - start)
		if left <= 0 {
			return nil
		}
		workloads, err := p.options.Choose(&lut.Table{Meta: meta, Rows: journal.Rows(), Networks: journal.Networks()}, left)
		if err != nil {
			return fmt.Errorf("profiler: choosing workloads: %w", err)
		}
		items := p.pending(ctx, journal, workloads, nil)
		if len(items) == 0 {
			return nil
		}
		if err := p.measureAll(start, items); err != nil {
			return err
		}
	}
	return nil
}

// resume takes the baseline that the journal was begun with, and begins it with
// the calibration kernel's row.
func (p *Profiler) resume(ctx context.Context, journal *lut.Journal) error {
	if begun := journal.Meta().Protocol.Baseline; begun != nil {
		p.sampler.adopt(speedsOf(*begun))
	}
	for _, row := range journal.Rows() {
		if row.Key == calibration.String() {
			return nil
		}
	}
	if !p.own() { // the kernel is no row of another runtime
		return nil
	}
	row, err := p.calibrationRow(ctx)
	if err != nil {
		return err
	}
	return journal.AppendRow(row)
}

// workloadName tells workloads in several states of the caches, and by several
// algorithms, apart.
func workloadName(key, cache, algorithm string) string {
	if cache != lut.CacheWarm {
		key += " with " + cache + " caches"
	}
	if algorithm != "" {
		key += " by " + algorithm
	}
	return key
}

// inTurns has several ways to do the same measured in two turns: what disturbs
// the machine for a while then disturbs all of them. The last turn of each keeps
// what both found.
func inTurns(ways []item) []item {
	if len(ways) < 2 {
		return ways
	}
	var first []item
	for _, way := range ways {
		first = append(first, item{
			name: way.name,
			measure: func(limit time.Duration) (attempt, error) {
				_, err := way.measure(limit / 2)
				return attempt{stable: true, keep: func() error { return nil }}, err
			},
			fail: func(error) error { return nil }, // as it will in the last turn
		})
	}
	return append(first, ways...)
}

// pending is what the journal does not have yet, in random order.
func (p *Profiler) pending(ctx context.Context, journal *lut.Journal, workloads []graph.Workload, networks []NamedGraph) []item {
	done := make(map[string]bool)
	for _, row := range slices.Concat(journal.Rows(), journal.Alternatives()) {
		done["workload "+workloadName(row.Key, row.Cache, row.Algorithm)] = true
	}
	for _, network := range journal.Networks() {
		done["network "+network.Name] = true
	}
	for _, failure := range journal.Failures() {
		if failure.Network {
			done["network "+failure.Name] = true
		} else {
			done["workload "+workloadName(failure.Name, failure.Cache, failure.Algorithm)] = true
		}
	}
	var items []item
	var groups [][]item // whose items are measured in turns
	add := func(kind, name string, failure lut.Failure, measure func(limit time.Duration) (attempt, error)) {
		if !done[kind+name] {
			done[kind+name] = true
			items = append(items, item{name: name, measure: measure, fail: func(reason error) error {
				failure.Reason = p.failed(failure.Name, reason)
				return journal.AppendFailure(failure)
			}})
		}
	}
	caches := p.options.Caches
	if len(caches) == 0 {
		caches = []string{lut.CacheWarm}
	}
	for _, w := range workloads {
		for _, cache := range caches {
			items = nil
			for _, algorithm := range p.algorithms(w) {
				var loads [][]round
				add("workload ", workloadName(w.String(), cache, algorithm), lut.Failure{Name: w.String(), Cache: cache, Algorithm: algorithm}, func(limit time.Duration) (attempt, error) {
					row, err := p.workload(ctx, w, cache, algorithm, limit, &loads)
					return attempt{
						stable: row.Stable,
						keep:   func() error { return journal.AppendRow(row) },
					}, err
				})
			}
			groups = append(groups, inTurns(items))
		}
	}
	for _, n := range networks {
		items = nil
		var loads [][]round
		add("network ", n.Name, lut.Failure{Name: n.Name, Network: true}, func(limit time.Duration) (attempt, error) {
			network, stable, err := p.network(ctx, n, limit, &loads)
			return attempt{
				stable: stable,
				keep:   func() error { return journal.AppendNetwork(network) },
			}, err
		})
		groups = append(groups, items)
	}
	random := rand.New(rand.NewPCG(p.options.Seed, 2))
	random.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	return slices.Concat(groups...)
}

// algorithms are those by which w is measured; the empty one is the runtime's
// choice.
func (p *Profiler) algorithms(w graph.Workload) []string {
	list := []string{""}
	if p.options.Alternatives && p.own() {
		list = append(list, inference.Alternatives(w)...)
	}
	return list
}

// measureAll measures items, each for its share of what is left of the budget
// that began at begin. What has not become stable by then is tried again after
// all others, while the budget lasts: by then the machine may be quieter.
func (p *Profiler) measureAll(begin time.Duration, items []item) error {
	rest := func() time.Duration { return p.options.Budget - (p.sampler.now() - begin) }
	start, total, kept := p.sampler.now(), len(items), 0
	for len(items) > 0 {
		var again []item
		for i, item := range items {
			count := time.Duration(len(items) - i)
			limit := p.options.MaxPerItem
			left := count * limit
			if kept > 0 {
				left = min(left, count*(p.sampler.now()-start)/time.Duration(kept))
			}
			if p.options.Budget > 0 {
				share := rest() / count
				p.metering.until = p.sampler.now() + share
				limit = min(limit, p.timingShare(share))
				left = max(min(left, rest()), 0)
			}
			p.progress(kept, total, item.name, left)
			if limit > 0 || item.last == nil {
				a, err := item.measure(limit)
				if errors.As(err, new(itemError)) && item.last == nil {
					if err := item.fail(err); err != nil {
						return err
					}
					kept++
					continue
				}
				if err != nil && !errors.As(err, new(itemError)) {
					return err
				}
				if err != nil { // what was measured before stands
					a = *item.last
				}
				item.last = &a // it holds what earlier attempts found
			}
			if !item.last.stable && rest() > 0 && p.options.Choose == nil {
				again = append(again, item)
				continue
			}
			if err := item.last.keep(); err != nil {
				return err
			}
			kept++
		}
		items = again
	}
	p.progress(kept, total, "", 0)
	return nil
}

func (p *Profiler) progress(done, total int, current string, left time.Duration) {
	if p.options.Progress != nil {
		p.options.Progress(done, total, current, left)
	}
}
