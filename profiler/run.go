package profiler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// NamedGraph is a whole network to measure, with what a predictor is to use it
// for: "fit", "calibrate" or "test".
type NamedGraph struct {
	Name, Use string
	// Graph may be nil where Lower makes it anew each time that it is measured: of
	// many networks, collecting garbage among their graphs takes longer than to
	// load one.
	Graph *graph.Graph
	Lower func() (*graph.Graph, error)
	// File is the ONNX file that Graph was read from, for runtimes that read it
	// themselves; it may be empty.
	File string
}

// Lowered is its graph.
func (n NamedGraph) Lowered() (*graph.Graph, error) {
	if n.Graph == nil {
		return n.Lower()
	}
	return n.Graph, nil
}

// Run measures workloads, each once however often it is listed, and whole
// networks, and writes the table to path. It fills in meta's protocol.
//
// It goes in rounds over all that is not finished, each in another random order,
// with a short visit to each, for which it is loaded anew: so the visits of each
// are spread over the whole time, and what the machine is like at one time is
// that of a few visits of all. What has an interval as narrow as asked leaves the
// rest of the budget to the others.
//
// What a visit finds is kept in a journal beside path at once: where Run is
// stopped, by its context, an error or a killed process, the next Run with the
// same path goes on there, and at most the visit under way is lost.
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
	baseline := p.sampler.undisturbed().baseline()
	meta.Protocol.Baseline = &baseline
	journal, err := lut.OpenJournal(path, meta)
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	if meta.RuntimeOverheadNS, err = p.overhead(ctx); err != nil {
		return nil, err
	}
	if err := p.resume(ctx, journal); err != nil {
		return nil, err
	}
	defer p.openCounters()()
	calibrating := time.Since(begin)
	start := p.sampler.now() - calibrating
	items, err := p.pending(journal, workloads, networks)
	if err != nil {
		return nil, err
	}
	until := time.Duration(0)
	if p.options.Budget > 0 {
		until = start + p.options.Budget
	}
	if p.options.Choose != nil {
		err = p.measureChosen(ctx, until, meta, journal, items)
	} else {
		err = p.visitAll(ctx, items, until, false, journalKeeper{p, journal})
	}
	if err != nil {
		return nil, err
	}
	baseline = p.sampler.undisturbed().baseline() // it may have shown only now
	table := &lut.Table{
		Meta: meta, Rows: journal.Rows(), Alternatives: journal.Alternatives(), Networks: journal.Networks(), Failures: journal.Failures(),
	}
	scaleCalibration(table.Rows, baseline.ComputeNS)
	table.Meta.Protocol.EnergyModel = p.refitEnergy(rowsOf(table)...)
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

// measureChosen measures items, and what [Options].Choose wants of what they tell,
// as long as there is time. What is left when it wants nothing more goes to those
// that are not stable.
func (p *Profiler) measureChosen(ctx context.Context, until time.Duration, meta lut.Meta, journal *lut.Journal, items []*item) error {
	keep := &unsureKeeper{journalKeeper: journalKeeper{p, journal}}
	for {
		if err := p.visitAll(ctx, items, until, true, keep); err != nil {
			return err
		}
		left := until - p.sampler.now()
		if left <= 0 {
			break
		}
		workloads, err := p.options.Choose(p.soFar(meta, journal, keep.unsure), left)
		if err != nil {
			return fmt.Errorf("profiler: choosing workloads: %w", err)
		}
		if items, err = p.pending(journal, workloads, nil); err != nil {
			return err
		}
		items = slices.DeleteFunc(items, func(it *item) bool {
			return slices.ContainsFunc(keep.unsure, func(o *item) bool { return o.name == it.name })
		})
		if len(items) == 0 {
			break
		}
	}
	return p.visitAll(ctx, keep.unsure, until, false, keep.journalKeeper)
}

// soFar is the table of what is finished and of items that are not.
func (p *Profiler) soFar(meta lut.Meta, journal *lut.Journal, unsure []*item) *lut.Table {
	t := &lut.Table{Meta: meta, Rows: journal.Rows(), Networks: journal.Networks()}
	for _, it := range unsure {
		switch {
		case it.isNetwork():
			t.Networks = append(t.Networks, p.networkRow(it))
		case it.algorithm == "":
			t.Rows = append(t.Rows, p.row(it))
		}
	}
	return t
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
	if !p.keepsCalibration() {
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

// pending is what the journal does not have yet as finished, with the visits
// that it has.
func (p *Profiler) pending(journal *lut.Journal, workloads []graph.Workload, networks []NamedGraph) ([]*item, error) {
	type identity struct {
		name, cache, algorithm string
		network                bool
	}
	done := make(map[identity]bool)
	for _, row := range slices.Concat(journal.Rows(), journal.Alternatives()) {
		done[identity{row.Key, row.Cache, row.Algorithm, false}] = true
	}
	for _, network := range journal.Networks() {
		done[identity{network.Name, "", "", true}] = true
	}
	for _, f := range journal.Failures() {
		done[identity{f.Name, f.Cache, f.Algorithm, f.Network}] = true
	}
	var items []*item
	begun := make(map[identity]*item)
	add := func(id identity, it *item) {
		if !done[id] {
			done[id] = true
			begun[id] = it
			items = append(items, it)
		}
	}
	caches := p.options.Caches
	if len(caches) == 0 {
		caches = []string{lut.CacheWarm}
	}
	for _, w := range workloads {
		for _, cache := range caches {
			for _, algorithm := range p.algorithms(w) {
				add(identity{w.String(), cache, algorithm, false}, newItem(w, cache, algorithm))
			}
		}
	}
	for _, n := range networks {
		add(identity{n.Name, "", "", true}, newNetworkItem(n))
	}
	for _, v := range journal.Visits() {
		id := identity{v.Name, v.Cache, v.Algorithm, v.Network}
		if p.options.Choose != nil && !v.Network { // it may have been chosen before
			if w, err := graph.ParseWorkload(v.Name); err == nil {
				add(id, newItem(w, v.Cache, v.Algorithm))
			}
		}
		if it := begun[id]; it != nil {
			if err := p.takeOver(it, v.Found); err != nil {
				return nil, fmt.Errorf("profiler: a visit to %s in the journal: %w: remove the journal to measure anew", v.Name, err)
			}
		}
	}
	return items, nil
}

// rowsOf are all rows of a table, those by other algorithms too.
func rowsOf(t *lut.Table) []*lut.Row {
	var rows []*lut.Row
	for _, part := range [][]lut.Row{t.Rows, t.Alternatives} {
		for i := range part {
			rows = append(rows, &part[i])
		}
	}
	return rows
}

// scaleCalibration gives the calibration kernel's row the time that it has
// undisturbed, as is known at the end.
func scaleCalibration(rows []lut.Row, ns float64) {
	for i := range rows {
		r := &rows[i]
		if r.Key != calibration.String() {
			continue
		}
		scale := ns / r.LatencyMedianNS
		for _, v := range []*float64{&r.LatencyMedianNS, &r.LatencyMeanNS, &r.LatencyP10NS, &r.LatencyP90NS, &r.LatencyCI95NS} {
			*v *= scale
		}
	}
}
